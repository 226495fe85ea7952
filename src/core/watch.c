/* What is watched: checks that run on this node become states, states become notices, and the board carries
 * both to the other nodes, in what rides along with heartbeats. */
#include "core/watch.h"

#include "base/bytes.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TICK_MS        1000
#define SOON_MS        5
#define ALONE_AFTER    span_s(10) /* without a leader a node tells what it alone has seen */
#define HANDOVER       span_s(1)  /* a new leader leaves the one before the time to say what it has told */
#define HANDOVER_MOST  span_s(5)  /* and waits no longer for a node that does not speak */
#define BOARD_FILE_MAX (16 * 1024 * 1024)
#define FILE_NAME      "watch"

struct watch_time watching_time(void)
{
        struct watch_time t = {.now = instant_now()};
        struct timespec ts;
        struct tm tm;

        clock_gettime(CLOCK_REALTIME, &ts);
        localtime_r(&ts.tv_sec, &tm);
        t.wall_us = ts.tv_sec * 1000000LL + ts.tv_nsec / 1000;
        t.weekday = tm.tm_wday;
        t.minute = tm.tm_hour * 60 + tm.tm_min;
        return t;
}

static uint32_t wall_s(void)
{
        return (uint32_t)time(NULL);
}

static void on_step(uv_timer_t *timer);

static void arm(struct watching *w, int64_t ms)
{
        if (uv_is_active((uv_handle_t *)&w->step) && uv_timer_get_due_in(&w->step) <= (uint64_t)ms)
                return;
        uv_update_time(w->core->loop);
        uv_timer_start(&w->step, on_step, (uint64_t)ms, 0);
}

void watching_soon(struct watching *w)
{
        arm(w, SOON_MS);
}

/* --- numbers of checks --- */

static int compare_ids(const void *a, const void *b)
{
        const struct watch_check_id *x = a, *y = b;

        if (x->id != y->id)
                return x->id < y->id ? -1 : 1;
        return x->watched != y->watched ? (x->watched < y->watched ? -1 : 1) : x->check - y->check;
}

/* Made of the names, so that a reload and the next core find a check's verdict again; two that clash get the
 * next free numbers. */
static int make_ids(struct watching *w)
{
        const struct config *c = w->core->config;
        size_t count = watches_count(w->watches), n = 0;
        char name[WATCHED_NAME], text[WATCHED_NAME + NAME_SIZE];

        free(w->id);
        free(w->key);
        w->id_count = 0;
        w->id = calloc(count * CHECKS_MAX + 1, sizeof(*w->id));
        w->key = calloc(count + 1, sizeof(*w->key));
        if (!w->id || !w->key)
                return -ENOMEM;
        for (size_t i = 0; i < count; i++) {
                const struct watched *t = watches_get(w->watches, i);
                const struct config_service *s = &c->watch[t->watch].service[t->service];
                watched_name(w->watches, t, name);
                w->key[i] = board_key(BOARD_TARGET, name);
                for (size_t k = 0; k < s->check_count; k++) {
                        snprintf(text, sizeof(text), "%s/%s", name, s->check[k].name);
                        w->id[n++] = (struct watch_check_id){.id = WATCH_CHECKS | text_id(text) >> 2,
                                                             .watched = (uint32_t)i,
                                                             .check = (uint8_t)k};
                }
        }
        qsort(w->id, n, sizeof(*w->id), compare_ids);
        for (size_t i = 1; i < n; i++)
                if (w->id[i].id <= w->id[i - 1].id)
                        w->id[i].id = w->id[i - 1].id + 1;
        w->id_count = n;
        return 0;
}

static const struct watch_check_id *find_id(const struct watching *w, uint32_t id)
{
        size_t low = 0, high = w->id_count;

        while (low < high) {
                size_t middle = low + (high - low) / 2;
                if (w->id[middle].id < id)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low < w->id_count && w->id[low].id == id ? &w->id[low] : NULL;
}

static int watched_of_key(const struct watching *w, uint64_t key)
{
        for (size_t i = 0; i < watches_count(w->watches); i++)
                if (w->key[i] == key)
                        return (int)i;
        return -ENOENT;
}

/* --- the board --- */

static void changed(struct watching *w)
{
        keeper_changed(w->keeper);
}

static void put_record(struct watching *w, size_t i)
{
        uint8_t bytes[WATCH_RECORD_MAX];
        size_t n = watch_record(w->watches, i, bytes);

        if (n == 0)
                board_erase(w->board, w->key[i], wall_s());
        else if (board_put(w->board, w->key[i], BOARD_TARGET, bytes, n, wall_s()) == -ENOSPC)
                log_warning("watch: more fails than the nodes can tell each other of");
}

/* What the runner of a watch says of it as a whole: node text, up u16, down u16, unknown u16. */
static void put_summary(struct watching *w, int watch)
{
        const struct config_watch *c = &w->core->config->watch[watch];
        uint16_t count[3] = {0};
        uint8_t bytes[NAME_SIZE + 8];
        struct writer out;

        for (size_t i = 0; i < watches_count(w->watches); i++)
                if (watches_get(w->watches, i)->watch == watch)
                        count[watches_get(w->watches, i)->state]++;
        writer_init(&out, bytes, sizeof(bytes));
        put_text(&out, w->core->config->node[w->core->self].name);
        put_u16(&out, count[WATCHED_UP]);
        put_u16(&out, count[WATCHED_DOWN]);
        put_u16(&out, count[WATCHED_UNKNOWN]);
        board_put(w->board, board_key(BOARD_WATCH, c->name), BOARD_WATCH, bytes, (size_t)(out.at - bytes),
                  wall_s());
}

bool watching_summary(const struct watching *w, int watch, struct watch_summary *ret_summary)
{
        const struct board_record *r =
                board_get(w->board, board_key(BOARD_WATCH, w->core->config->watch[watch].name));
        struct reader in;

        if (!r)
                return false;
        reader_init(&in, r->bytes, r->n);
        get_text(&in, ret_summary->node, sizeof(ret_summary->node));
        ret_summary->up = get_u16(&in);
        ret_summary->down = get_u16(&in);
        ret_summary->unknown = get_u16(&in);
        return !in.failed;
}

static void put_records(struct watching *w)
{
        uint32_t before = board_seq(w->board);
        bool any[WATCHES_MAX] = {false};

        for (size_t i = 0; i < watches_count(w->watches); i++) {
                int watch = watches_get(w->watches, i)->watch;
                if (!watches_runs(w->watches, watch) || !watches_take_changed(w->watches, i))
                        continue;
                put_record(w, i);
                any[watch] = true;
        }
        for (int i = 0; i < (int)w->core->config->watch_count; i++)
                if (any[i])
                        put_summary(w, i);
        if (board_seq(w->board) != before)
                changed(w);
}

static uint64_t mark_key(enum watch_mark_kind kind, const char *about)
{
        char name[WATCHED_NAME + 8];

        snprintf(name, sizeof(name), "%d %s", kind, about);
        return board_key(BOARD_MARK, name);
}

int watching_mark(struct watching *w, const struct watch_mark *mark)
{
        uint8_t bytes[WATCH_RECORD_MAX];
        int error = watches_mark(w->watches, mark);

        if (!error)
                error = board_put(w->board, mark_key(mark->kind, mark->about), BOARD_MARK, bytes,
                                  watch_mark_record(mark, bytes), wall_s());
        changed(w);
        watching_soon(w);
        return error == -EALREADY ? 0 : error;
}

void watching_unmark(struct watching *w, enum watch_mark_kind kind, const char *about)
{
        board_erase(w->board, mark_key(kind, about), wall_s());
        watches_unmark(w->watches, kind, about);
        changed(w);
        watching_soon(w);
}

static void learn_mark(struct watching *w, const struct board_record *r)
{
        struct watch_mark m;

        if (!r->erased) {
                if (watch_mark_read(r->bytes, r->n, &m) == 0)
                        watches_mark(w->watches, &m);
                return;
        }
        for (size_t i = 0; i < watches_mark_count(w->watches); i++) {
                m = *watches_mark_get(w->watches, i);
                if (mark_key(m.kind, m.about) == r->key) {
                        watches_unmark(w->watches, m.kind, m.about);
                        return;
                }
        }
}

static void learn_target(struct watching *w, const struct board_record *r)
{
        struct watch_time time = watching_time();
        int i = r->erased ? watched_of_key(w, r->key) : watch_learn(w->watches, r->bytes, r->n, &time);

        if (i >= 0 && r->erased)
                watch_forget(w->watches, (size_t)i, &time);
        if (i == -EBUSY)
                i = watched_of_key(w, r->key);
        /* two nodes took themselves for its runner: what this one knows is newer */
        if (i >= 0 && watches_runs(w->watches, watches_get(w->watches, (size_t)i)->watch))
                watches_insist(w->watches, (size_t)i);
}

static void on_board(void *user, const struct board_record *r)
{
        struct watching *w = user;

        switch ((enum board_kind)r->kind) {
        case BOARD_TARGET: learn_target(w, r); break;
        case BOARD_MARK: learn_mark(w, r); break;
        case BOARD_WATCH:
        case BOARD_NOTICE:
        case BOARD_PAST:
        case BOARD_SENT: break;
        }
        watching_soon(w);
}

size_t core_watch_post(void *user, int node, uint8_t *bytes, size_t size)
{
        struct core *core = user;

        return core->watching ? board_post(core->watching->board, node, bytes, size) : 0;
}

void core_watch_heard(void *user, int node, const uint8_t *bytes, size_t n)
{
        struct core *core = user;
        struct watching *w = core->watching;

        if (!w)
                return;
        uint32_t before = board_seq(w->board);
        if (board_take(w->board, node, bytes, n, on_board, w) < 0)
                log_debug("watch: %s sends what cannot be read", core->config->node[node].name);
        if (board_seq(w->board) != before)
                changed(w);
}

/* --- deciding --- */

static void on_notice(void *user, const struct watch_notice *n)
{
        struct watching *w = user;
        const struct watched *t = n->watched;
        const struct watch_mark *m;
        char name[WATCHED_NAME], text[WATCHED_TEXT + 96], lasted[SPAN_TEXT];
        struct watch_time time = watching_time();

        span_format(span_us(span_between(t->since, time.now).us / 1000000 * 1000000), lasted);
        switch ((enum alert_on)n->on) {
        case ALERT_FAILING: snprintf(text, sizeof(text), "for %s: %s", lasted, t->text); break;
        case ALERT_FLAPPING:
                snprintf(text, sizeof(text), "comes and goes, nothing more is told until it stays: %s",
                         t->text);
                break;
        case ALERT_ACKNOWLEDGED:
                m = watches_marked(w->watches, t, MARK_ACKNOWLEDGED, time.wall_us);
                snprintf(text, sizeof(text), "by %s%s%s", m ? m->who : "somebody",
                         m && m->text[0] ? ": " : "", m ? m->text : "");
                break;
        case ALERT_DOWN:
        case ALERT_UP:
        case ALERT_MOVED:
        case ALERT_SPLIT:
        case ALERT_BLOCKED:
        case ALERT_FENCED:
        case ALERT_QUORUM: text_copy(text, sizeof(text), t->text); break;
        }
        desk_take(w->desk, n->alert, n->on, "watch", watched_name(w->watches, t, name), text, n->id);
}

/* Acknowledgements of what is over, and silences that have ended, are the leader's to clear away. */
static void clear_marks(struct watching *w)
{
        struct watch_time time = watching_time();

        if (!instant_reached(time.now, w->leads_since))
                return;
        for (size_t i = watches_mark_count(w->watches); i-- > 0;) {
                struct watch_mark m = *watches_mark_get(w->watches, i);
                bool over = (m.until_wall_us != 0 && time.wall_us >= m.until_wall_us) ||
                            (m.kind == MARK_ACKNOWLEDGED && !watches_mark_matters(w->watches, &m));
                if (over)
                        watching_unmark(w, m.kind, m.about);
        }
}

static void on_step(uv_timer_t *timer)
{
        struct watching *w = timer->data;
        struct watch_time time = watching_time();

        put_records(w); /* that it fails is known everywhere before anybody is told */
        instant next = watches_step(w->watches, &time, on_notice, w);
        put_records(w);
        clear_marks(w);
        desk_look(w->desk);
        if (next.us != INSTANT_NEVER.us)
                arm(w, span_to_ms(span_between(time.now, next)));
}

/* A check of a watch has said something. */
void core_watch_result(struct core *core, uint32_t id, const struct check_result *result)
{
        static const enum watched_state states[] = {[VERDICT_UNKNOWN] = WATCHED_UNKNOWN,
                                                    [VERDICT_UP] = WATCHED_UP,
                                                    [VERDICT_DOWN] = WATCHED_DOWN};
        struct watching *w = core->watching;
        const struct watch_check_id *k = w ? find_id(w, id) : NULL;
        struct watch_time time = watching_time();
        char text[WATCHED_TEXT + 96];

        if (!k)
                return;
        const struct watched *t = watches_get(w->watches, k->watched);
        const struct config_watch *c = &core->config->watch[t->watch];
        enum watched_state before = t->state;
        int failures = result->reason == REASON_NO_CHECKER ? -1 : result->failures;
        watches_result(w->watches, k->watched, k->check, states[result->state], failures, result->text,
                       &time);
        watching_note_told(w, k, result);
        if (t->state == WATCHED_DOWN && watches_reached(w->watches, k->watched))
                watching_soon(w);
        if (t->state == before)
                return;
        snprintf(text, sizeof(text), "%s@%s: %s", c->service[t->service].name, c->host[t->host], t->text);
        if (t->state == WATCHED_DOWN)
                core_tell(core, "watch-down", c->name, 0, text);
        else if (before == WATCHED_DOWN)
                core_tell(core, "watch-up", c->name, 0, text);
        watching_soon(w);
}

/* --- where what runs --- */

static void run_checks(struct watching *w, int watch, bool here)
{
        struct core *core = w->core;

        for (size_t i = 0; i < w->id_count && core->checker; i++) {
                const struct watched *t = watches_get(w->watches, w->id[i].watched);
                const struct config_service *s = &core->config->watch[t->watch].service[t->service];
                if (t->watch != watch)
                        continue;
                if (!here) {
                        checker_stop(core->checker, w->id[i].id);
                        continue;
                }
                int error =
                        checker_start(core->checker, w->id[i].id, s->check[w->id[i].check].check[t->host]);
                if (error)
                        log_error("watch %s: check %s of %s cannot be started: %s",
                                  core->config->watch[watch].name, s->check[w->id[i].check].name,
                                  core->config->watch[watch].host[t->host], strerror(-error));
                checker_count(core->checker, w->id[i].id, watches_counted(w->watches, w->id[i].watched));
                watching_remember(w, &w->id[i]);
        }
}

static bool belongs_here(const struct core *core, const struct config_watch *watch, bool leads)
{
        int g = watch->group[0] ? config_find_group(core->config, watch->group) : -1;

        return g >= 0 ? cluster_holds(core->brain, core->config->group[g].id) : leads;
}

static bool all_met(const struct watching *w, instant now)
{
        struct core *core = w->core;
        char text[NOTE_TEXT];

        for (int i = 0; i < (int)core->config->node_count; i++)
                if (i != core->self && core->config->node[i].name[0] && !board_met(w->board, i) &&
                    cluster_node(core->brain, (uint8_t)i, now, text, sizeof(text)) != NODE_OFFLINE)
                        return false;
        return true;
}

static enum desk_role role_now(const struct watching *w, instant now)
{
        if (w->leads_since.us == INSTANT_NEVER.us)
                return instant_reached(now, instant_add(w->leader_seen, ALONE_AFTER)) ? DESK_ALONE
                                                                                      : DESK_WAITS;
        if (instant_reached(now, instant_add(w->leads_since, HANDOVER_MOST)))
                return DESK_LEADS;
        return instant_reached(now, instant_add(w->leads_since, HANDOVER)) && all_met(w, now) ? DESK_LEADS
                                                                                              : DESK_WAITS;
}

void core_watch_turn(struct core *core)
{
        struct watching *w = core->watching;
        instant now = instant_now();

        if (!w)
                return;
        uint8_t leader = cluster_leader(core->brain);
        bool leads = leader == core->self && cluster_has_lease(core->brain, now);
        if (leader != NODE_NONE)
                w->leader_seen = now;
        if (!leads)
                w->leads_since = INSTANT_NEVER;
        else if (w->leads_since.us == INSTANT_NEVER.us)
                w->leads_since = now;
        for (int i = 0; i < (int)core->config->watch_count; i++) {
                bool here = belongs_here(core, &core->config->watch[i], leads);
                if (here == watches_runs(w->watches, i))
                        continue;
                struct watch_time time = watching_time();
                log_info("watch %s: %s", core->config->watch[i].name,
                         here ? "runs here" : "no longer runs here");
                watches_run(w->watches, i, here, &time);
                run_checks(w, i, here);
                watching_soon(w);
        }
        desk_role(w->desk, role_now(w, now));
}

static void on_tick(uv_timer_t *timer)
{
        struct watching *w = timer->data;

        core_watch_turn(w->core);
}

/* --- life --- */

static int bytes_of(void *user, uint8_t **ret_bytes, size_t *ret_n)
{
        struct watching *w = user;

        return board_encode(w->board, ret_bytes, ret_n);
}

static void on_trouble(void *user, const char *alert, const char *text)
{
        struct watching *w = user;

        core_tell(w->core, "alert", alert, 0, text);
}

static void on_desk_change(void *user)
{
        changed(user);
}

static void load(struct watching *w, const char *path)
{
        uint8_t *bytes = malloc(BOARD_FILE_MAX);
        ssize_t n = bytes ? file_read(path, bytes, BOARD_FILE_MAX) : -ENOMEM;
        const struct board_record *r;

        if (n >= 0 && board_decode(w->board, bytes, (size_t)n) < 0)
                log_error("%s: is damaged: what was known of failures and waited to be told is lost", path);
        else if (n < 0 && n != -ENOENT)
                log_error("%s: cannot be read: %s", path, strerror((int)-n));
        free(bytes);
        for (uint64_t from = 0; (r = board_next(w->board, BOARD_TARGET, from)); from = r->key + 1)
                learn_target(w, r);
        for (uint64_t from = 0; (r = board_next(w->board, BOARD_MARK, from)); from = r->key + 1)
                learn_mark(w, r);
}

int core_watch_open(struct core *core)
{
        struct watching *w = calloc(1, sizeof(*w));
        char program[PATH_SIZE], path[PATH_SIZE];
        const struct desk_hooks hooks = {.on_trouble = on_trouble, .on_change = on_desk_change, .user = w};
        uint64_t instance;

        if (!w)
                return -ENOMEM;
        core->watching = w;
        w->core = core;
        w->leads_since = INSTANT_NEVER;
        w->leader_seen = instant_now();
        randombytes_buf(&instance, sizeof(instance));
        uv_timer_init(core->loop, &w->step);
        uv_timer_init(core->loop, &w->tick);
        w->step.data = w->tick.data = w;
        w->board = board_new(core->config->node[core->self].id, instance);
        w->watches = watches_new(core->config);
        int error = w->board && w->watches ? make_ids(w) : -ENOMEM;
        if (!error)
                error = path_join(core->options.state_dir, FILE_NAME, path);
        if (!error)
                error = keeper_new(core->loop, path, bytes_of, w, &w->keeper);
        if (!error)
                error = path_program("haven-alert", program);
        if (!error)
                error = desk_new(core->loop, core->config, core->self, w->board, program, &hooks, &w->desk);
        if (error)
                return error;
        load(w, path);
        uv_timer_start(&w->tick, on_tick, TICK_MS, TICK_MS);
        return 0;
}

int core_watch_reload(struct core *core)
{
        struct watching *w = core->watching;
        struct watches *before = w->watches, *fresh = watches_new(core->config);
        struct watch_check_id *old = w->id;
        size_t old_count = w->id_count;

        if (!fresh)
                return -ENOMEM;
        watches_inherit(fresh, before);
        w->watches = fresh;
        w->id = NULL;
        int error = make_ids(w);
        watches_free(before);
        desk_reload(w->desk, core->config, core->self);
        for (size_t i = 0; core->checker && i < old_count; i++)
                if (!find_id(w, old[i].id))
                        checker_stop(core->checker, old[i].id);
        free(old);
        watching_forget_strangers(w);
        for (int i = 0; i < (int)core->config->watch_count; i++)
                if (watches_runs(w->watches, i))
                        run_checks(w, i, true);
        core_watch_turn(core);
        watching_soon(w);
        return error;
}

void core_watch_raise(struct core *core, unsigned on, const char *kind, const char *subject, const char *text)
{
        if (core->watching)
                desk_raise(core->watching->desk, on, kind, subject, text, NULL);
}

static void on_closed(uv_handle_t *handle)
{
        struct watching *w = handle->data;

        if (--w->handles == 0)
                free(w);
}

void core_watch_close(struct core *core)
{
        struct watching *w = core->watching;

        if (!w)
                return;
        core->watching = NULL;
        desk_free(w->desk);
        keeper_free(w->keeper);
        watches_free(w->watches);
        board_free(w->board);
        free(w->id);
        free(w->key);
        w->handles = 2;
        uv_close((uv_handle_t *)&w->step, on_closed);
        uv_close((uv_handle_t *)&w->tick, on_closed);
}
