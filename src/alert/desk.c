#include "alert/desk.h"

#include "alert/deliver.h"
#include "alert/sent.h"
#include "base/log.h"
#include "base/text.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RETRY_MOST span_s(900)

/* A notice, by its age. */
struct waiting {
        uint64_t key;
        int64_t wall_us;
};

/* What one alert does. Found by its name, so that a reload keeps it. */
struct teller {
        struct desk *desk;
        struct teller *next;
        char name[NAME_SIZE];
        struct delivery *delivery; /* NULL: nothing is under way */
        uint64_t batch[DELIVER_BATCH_MAX];
        size_t count;          /* of the batch, which stays the same until it is told */
        struct waiting passed; /* exec, mon: what was tried last and failed; others get their turn */
        span delay;            /* before the next try; zero: the last one went well */
        instant retry;
        unsigned dropped; /* never told, and not yet said to be */
        char trouble[DELIVER_REASON];
};

struct desk {
        uv_loop_t *loop;
        const struct config *config;
        int self;
        struct board *board;
        char program[512];
        struct desk_hooks hooks;
        enum desk_role role;
        span retry_first;
        struct teller *teller;
        uv_timer_t *timer; /* freed when libuv has closed it */
        uint32_t counter;
};

static int64_t wall_us(void)
{
        struct timespec ts;

        clock_gettime(CLOCK_REALTIME, &ts);
        return ts.tv_sec * 1000000LL + ts.tv_nsec / 1000;
}

static uint32_t wall_s(void)
{
        return (uint32_t)(wall_us() / 1000000);
}

static const struct config_alert *find_alert(const struct desk *d, const char *name)
{
        for (size_t i = 0; i < d->config->alert_count; i++)
                if (strcmp(d->config->alert[i].name, name) == 0)
                        return &d->config->alert[i];
        return NULL;
}

static struct teller *teller_of(struct desk *d, const char *name)
{
        struct teller *t = d->teller;

        while (t != NULL && strcmp(t->name, name) != 0)
                t = t->next;
        if (t != NULL)
                return t;
        t = calloc(1, sizeof(*t));
        if (t == NULL)
                return NULL;
        t->desk = d;
        text_copy(t->name, sizeof(t->name), name);
        t->next = d->teller;
        d->teller = t;
        return t;
}

/* --- what waits --- */

static bool read_notice(const struct board_record *r, struct notice *ret_notice)
{
        return notice_decode(r->bytes, r->n, ret_notice) == 0;
}

/* Whether this node is the one to tell it. */
static bool is_ours(const struct desk *d, const struct board_record *r)
{
        switch (d->role) {
        case DESK_WAITS: return false;
        case DESK_LEADS: return true;
        case DESK_ALONE: return r->from == -1 && !board_shared(d->board, r);
        }
        return false;
}

static int compare_waiting(const void *a, const void *b)
{
        const struct waiting *x = a, *y = b;

        if (x->wall_us != y->wall_us)
                return x->wall_us < y->wall_us ? -1 : 1;
        return x->key < y->key ? -1 : x->key > y->key;
}

/* What waits for this alert and is ours to tell, the oldest first. */
static size_t collect(const struct desk *d, const char *alert, struct waiting list[static DESK_NOTICES_MAX])
{
        const struct board_record *r;
        size_t count = 0;

        for (uint64_t from = 0; (r = board_next(d->board, BOARD_NOTICE, from)) != NULL; from = r->key + 1) {
                struct notice n;

                if (read_notice(r, &n) && strcmp(n.alert, alert) == 0 && is_ours(d, r) &&
                    count < DESK_NOTICES_MAX)
                        list[count++] = (struct waiting){r->key, n.wall_us};
        }
        qsort(list, count, sizeof(*list), compare_waiting);
        return count;
}

/* Makes room for another by dropping the oldest that is not being told right now. */
static void make_room(struct desk *d)
{
        const struct board_record *r, *oldest = NULL;
        struct notice n, drop = {0};

        for (uint64_t from = 0; (r = board_next(d->board, BOARD_NOTICE, from)) != NULL; from = r->key + 1)
                if (read_notice(r, &n) && (oldest == NULL || n.wall_us < drop.wall_us)) {
                        oldest = r;
                        drop = n;
                }
        if (oldest == NULL)
                return;
        log_error("alert %s: %d are waiting, dropped the oldest, never told: %s %s: %s", drop.alert,
                  DESK_NOTICES_MAX, alert_on_name(drop.on), drop.subject, drop.text);
        struct teller *t = teller_of(d, drop.alert);
        if (t != NULL)
                t->dropped++;
        board_erase(d->board, oldest->key, wall_s());
}

void desk_take(struct desk *d, int alert, unsigned on, const char *kind, const char *subject,
               const char *text, const char *id)
{
        const struct config_alert *a = &d->config->alert[alert];
        struct notice n = {.on = on, .wall_us = wall_us()};
        uint8_t bytes[NOTICE_RECORD_MAX];
        uint64_t key = board_key(BOARD_NOTICE, id);

        if (board_get(d->board, key) != NULL || board_is_erased(d->board, key))
                return;
        text_copy(n.alert, sizeof(n.alert), a->name);
        text_copy(n.kind, sizeof(n.kind), kind);
        text_copy(n.subject, sizeof(n.subject), subject);
        text_copy(n.text, sizeof(n.text), text);
        text_copy(n.node, sizeof(n.node), d->config->node[d->self].name);
        if (board_count(d->board, BOARD_NOTICE) >= DESK_NOTICES_MAX)
                make_room(d);
        int error = board_put(d->board, key, BOARD_NOTICE, bytes, notice_encode(&n, bytes), wall_s());
        if (error != 0)
                log_error("alert %s: cannot be kept: %s, never told: %s %s: %s", a->name, strerror(-error),
                          alert_on_name(on), subject, text);
        d->hooks.on_change(d->hooks.user);
        desk_look(d);
}

static bool is_about(const struct config_alert *a, const char *subject)
{
        for (char **name = a->about; name != NULL && *name != NULL; name++)
                if (strcmp(*name, subject) == 0)
                        return true;
        return a->about == NULL;
}

void desk_raise(struct desk *d, unsigned on, const char *kind, const char *subject, const char *text,
                const char *id)
{
        char own[160];

        for (int i = 0; i < (int)d->config->alert_count; i++) {
                const struct config_alert *a = &d->config->alert[i];

                /* an escalation waits for nobody's acknowledgement here: this is over, not going on */
                if ((a->on & on) == 0 || !is_about(a, subject) || a->unacknowledged.us > 0)
                        continue;
                if (id != NULL)
                        snprintf(own, sizeof(own), "%s %s", a->name, id);
                else
                        snprintf(own, sizeof(own), "%s %s %lld.%u", a->name, d->config->node[d->self].name,
                                 (long long)wall_us(), ++d->counter);
                desk_take(d, i, on, kind, subject, text, own);
        }
}

/* --- telling --- */

static void arm(struct desk *d, span after);

/* What went before, whoever told it. */
static struct sent read_sent(const struct desk *d, const char *alert)
{
        const struct board_record *r = board_get(d->board, board_key(BOARD_SENT, alert));
        struct sent s = {0};

        if (r != NULL)
                (void)sent_decode(r->bytes, r->n, &s);
        return s;
}

/* When the next message may go, by `most`. */
static instant allowed_at(const struct teller *t, const struct config_alert *a, instant now)
{
        const struct sent s = read_sent(t->desk, a->name);

        return instant_add(now, sent_wait(&s, a->most, a->most_window, wall_us()));
}

static void note_sent(struct teller *t)
{
        struct desk *d = t->desk;
        const struct config_alert *a = find_alert(d, t->name);
        struct sent s = read_sent(d, t->name);
        uint8_t bytes[SENT_RECORD_MAX];

        if (a == NULL)
                return;
        sent_add(&s, wall_us(), a->most_window);
        board_put(d->board, board_key(BOARD_SENT, t->name), BOARD_SENT, bytes, sent_encode(&s, bytes),
                  wall_s());
}

static void failed(struct teller *t, const char *why)
{
        struct desk *d = t->desk;
        char text[DELIVER_REASON + 96], wait[SPAN_TEXT];

        t->delay = t->delay.us == 0 ? d->retry_first : span_min(span_times(t->delay, 2), RETRY_MOST);
        t->retry = instant_add(instant_now(), t->delay);
        snprintf(text, sizeof(text), "%s; not told, trying again in %s", why, span_format(t->delay, wait));
        if (strcmp(t->trouble, why) != 0)
                d->hooks.on_trouble(d->hooks.user, t->name, text);
        else
                log_info("alert %s: %s", t->name, text);
        text_copy(t->trouble, sizeof(t->trouble), why);
        if (t->count == 1)
                t->count = 0; /* a mail of several stays that mail, under its Message-ID */
        arm(d, t->delay);
}

static void on_done(void *user, bool told, const char *why)
{
        struct teller *t = user;
        struct desk *d = t->desk;

        t->delivery = NULL;
        if (!told) {
                failed(t, why);
                return;
        }
        if (why[0] != '\0')
                d->hooks.on_trouble(d->hooks.user, t->name, why);
        else if (t->trouble[0] != '\0')
                d->hooks.on_trouble(d->hooks.user, t->name, "told at last");
        for (size_t i = 0; i < t->count; i++)
                board_erase(d->board, t->batch[i], wall_s());
        t->count = 0;
        t->trouble[0] = '\0';
        t->delay = SPAN_ZERO;
        t->dropped = 0;
        note_sent(t);
        d->hooks.on_change(d->hooks.user);
        desk_look(d);
}

/* Reads the batch; what others have told meanwhile is no longer part of it. */
static size_t read_batch(struct teller *t, struct notice notice[static DELIVER_BATCH_MAX])
{
        size_t count = 0;

        for (size_t i = 0; i < t->count; i++) {
                const struct board_record *r = board_get(t->desk->board, t->batch[i]);

                if (r != NULL && is_ours(t->desk, r) && read_notice(r, &notice[count]))
                        t->batch[count++] = t->batch[i];
        }
        t->count = count;
        return count;
}

static void tell(struct teller *t, const struct config_alert *a)
{
        struct desk *d = t->desk;
        struct notice notice[DELIVER_BATCH_MAX];
        char id[24];
        struct delivery_setup setup = {.loop = d->loop,
                                       .config = d->config,
                                       .alert = a,
                                       .program = d->program,
                                       .notice = notice,
                                       .count = read_batch(t, notice),
                                       .id = id,
                                       .dropped = t->dropped,
                                       .on_done = on_done,
                                       .user = t};

        if (setup.count == 0)
                return;
        snprintf(id, sizeof(id), "%016llx", (unsigned long long)t->batch[0]);
        int error = deliver(&setup, &t->delivery);
        if (error != 0)
                failed(t, strerror(-error));
}

/* A program that fails for one notice may not for the next: while it fails, each gets its turn. */
static size_t next_of(const struct teller *t, const struct waiting *list, size_t count)
{
        for (size_t i = 0; i < count && t->delay.us > 0; i++)
                if (compare_waiting(&list[i], &t->passed) > 0)
                        return i;
        return 0;
}

/* Tells what this alert has, or says when it may: zero, nothing is waited for. */
static span teller_look(struct teller *t, const struct config_alert *a)
{
        static struct waiting list[DESK_NOTICES_MAX];
        struct desk *d = t->desk;
        instant now = instant_now(), due = t->delay.us != 0 ? t->retry : INSTANT_LONG_AGO;
        struct notice unused[DELIVER_BATCH_MAX];

        if (t->delivery != NULL)
                return SPAN_ZERO;
        if (read_batch(t, unused) == 0) {
                size_t waiting = collect(d, t->name, list);
                size_t most = deliver_gathers(a->kind) ? DELIVER_BATCH_MAX : 1;
                int64_t age = waiting > 0 ? wall_us() - list[0].wall_us : 0;

                if (waiting == 0)
                        return SPAN_ZERO;
                if (age >= 0 && age < a->gather.us && waiting < most)
                        due = instant_max(due, instant_add(now, span_us(a->gather.us - age)));
                due = instant_max(due, allowed_at(t, a, now));
                if (!instant_reached(now, due))
                        return span_max(span_between(now, due), span_ms(1));
                size_t first = most == 1 ? next_of(t, list, waiting) : 0;
                t->count = waiting < most ? waiting : most;
                for (size_t i = 0; i < t->count; i++)
                        t->batch[i] = list[first + i].key;
                t->passed = list[first];
        }
        if (!instant_reached(now, due))
                return span_max(span_between(now, due), span_ms(1));
        tell(t, a);
        return SPAN_ZERO;
}

void desk_look(struct desk *d)
{
        span soonest = SPAN_ZERO;

        if (d->role == DESK_WAITS)
                return;
        for (size_t i = 0; i < d->config->alert_count; i++) {
                struct teller *t = teller_of(d, d->config->alert[i].name);
                span wait = t != NULL ? teller_look(t, &d->config->alert[i]) : SPAN_ZERO;

                if (wait.us > 0)
                        soonest = soonest.us > 0 ? span_min(soonest, wait) : wait;
        }
        if (soonest.us > 0)
                arm(d, soonest);
}

static void on_timer(uv_timer_t *timer)
{
        desk_look(timer->data);
}

/* Looks again then, unless it does so earlier. */
static void arm(struct desk *d, span after)
{
        uint64_t ms = (uint64_t)span_to_ms(after);

        if (uv_is_active((uv_handle_t *)d->timer) && uv_timer_get_due_in(d->timer) <= ms)
                return;
        uv_update_time(d->loop);
        uv_timer_start(d->timer, on_timer, ms, 0);
}

void desk_role(struct desk *d, enum desk_role role)
{
        if (d->role == role)
                return;
        d->role = role;
        /* a batch of the time before is another one now, and what failed there may succeed here */
        for (struct teller *t = d->teller; t != NULL; t = t->next)
                if (t->delivery == NULL) {
                        t->count = 0;
                        t->delay = SPAN_ZERO;
                }
        desk_look(d);
}

/* --- life --- */

int desk_new(uv_loop_t *loop, const struct config *config, int self, struct board *board, const char *program,
             const struct desk_hooks *hooks, struct desk **ret_desk)
{
        struct desk *d = calloc(1, sizeof(*d));

        if (d == NULL)
                return -ENOMEM;
        d->timer = calloc(1, sizeof(*d->timer));
        if (d->timer == NULL || !text_copy(d->program, sizeof(d->program), program)) {
                free(d->timer);
                free(d);
                return -ENOMEM;
        }
        d->loop = loop;
        d->board = board;
        d->hooks = *hooks;
        d->retry_first = span_s(1);
        desk_reload(d, config, self);
        uv_timer_init(loop, d->timer);
        d->timer->data = d;
        *ret_desk = d;
        return 0;
}

static void on_timer_closed(uv_handle_t *handle)
{
        free(handle);
}

void desk_free(struct desk *d)
{
        if (d == NULL)
                return;
        while (d->teller != NULL) {
                struct teller *t = d->teller;

                d->teller = t->next;
                if (t->delivery != NULL)
                        delivery_release(t->delivery);
                free(t);
        }
        uv_close((uv_handle_t *)d->timer, on_timer_closed);
        free(d);
}

static bool is_sent_of_ours(const struct desk *d, uint64_t key)
{
        for (size_t i = 0; i < d->config->alert_count; i++)
                if (board_key(BOARD_SENT, d->config->alert[i].name) == key)
                        return true;
        return false;
}

/* What waits for an alert that there is no more, or was told by it, is nobody's. */
static void forget_strangers(struct desk *d)
{
        const struct board_record *r;

        for (uint64_t from = 0; (r = board_next(d->board, BOARD_NOTICE, from)) != NULL;) {
                uint64_t key = r->key;
                struct notice n;

                if (!read_notice(r, &n) || find_alert(d, n.alert) == NULL)
                        board_erase(d->board, key, wall_s());
                from = key + 1;
        }
        for (uint64_t from = 0; (r = board_next(d->board, BOARD_SENT, from)) != NULL;) {
                uint64_t key = r->key;

                if (!is_sent_of_ours(d, key))
                        board_erase(d->board, key, wall_s());
                from = key + 1;
        }
}

void desk_reload(struct desk *d, const struct config *config, int self)
{
        bool first = d->config == NULL;

        d->config = config;
        d->self = self;
        if (!first)
                forget_strangers(d);
}

void desk_view(const struct desk *d, struct desk_view *ret_view)
{
        struct desk_view *v = ret_view;
        const struct board_record *r;
        struct notice n;

        memset(v, 0, sizeof(*v));
        for (uint64_t from = 0; (r = board_next(d->board, BOARD_NOTICE, from)) != NULL; from = r->key + 1) {
                v->waiting++;
                if (read_notice(r, &n) && (v->oldest_wall_us == 0 || n.wall_us < v->oldest_wall_us))
                        v->oldest_wall_us = n.wall_us;
        }
        for (const struct teller *t = d->teller; t != NULL; t = t->next) {
                v->dropped += t->dropped;
                if (t->trouble[0] != '\0')
                        snprintf(v->trouble, sizeof(v->trouble), "alert %s: %s", t->name, t->trouble);
        }
}

void desk_retry_after(struct desk *d, span first)
{
        d->retry_first = first;
}
