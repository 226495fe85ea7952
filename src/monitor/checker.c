#include "monitor/checker_inside.h"

#include "base/log.h"
#include "base/text.h"
#include "monitor/packet.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SILENT_TICKS_MAX 4    /* without a packet: frozen */
#define LEAVE_MS         1000 /* from closing the socket to killing a checker that did not see it */
#define CHECKS_IN_A_TURN 64

static const span retry_least = {100 * 1000};
static const span retry_most = {10 * 1000 * 1000};
static const span lived_well = {60 * 1000 * 1000}; /* the next death counts as the first again */

/* The socket to one process; it outlives the process by one turn of the loop. */
struct link {
        uv_poll_t poll;
        struct checker *checker;
        int fd;
};

static void on_socket(uv_poll_t *poll, int status, int events);
static void on_timer(uv_timer_t *timer);
static void checker_settle(struct checker *c);

static void on_link_closed(uv_handle_t *handle)
{
        free(handle->data);
}

static void link_close(struct checker *c)
{
        if (c->link == NULL)
                return;
        uv_poll_stop(&c->link->poll);
        close(c->link->fd);
        uv_close((uv_handle_t *)&c->link->poll, on_link_closed);
        c->link = NULL;
}

static void past_free(struct outcome *past)
{
        if (past != NULL)
                free((char *)past->said);
        free(past);
}

/* Without memory, what was known before stays. */
static void set_past(struct wanted *w, instant told, int detail, const char *said)
{
        struct outcome *past = calloc(1, sizeof(*past));

        if (past == NULL)
                return;
        past->told = told;
        past->detail = detail;
        past->said = said == NULL ? NULL : strdup(said);
        past_free(w->past);
        w->past = past;
}

static void wanted_free(struct wanted *w)
{
        if (w == NULL)
                return;
        free((char *)w->outcome.said);
        past_free(w->past);
        free(w->target);
        free(w->check);
        free(w);
}

static void set_outcome(struct wanted *w, const struct outcome *o, const char *said)
{
        free((char *)w->outcome.said);
        w->outcome = *o;
        w->outcome.said = said == NULL || said[0] == '\0' ? NULL : strdup(said);
}

static void fill_result(const struct wanted *w, bool changed, struct check_result *ret_result,
                        char text[static REASON_TEXT])
{
        *ret_result = (struct check_result){.state = w->verdict.state,
                                            .changed = changed,
                                            .since = w->verdict.since,
                                            .at = w->at,
                                            .reason = w->outcome.reason,
                                            .detail = w->outcome.detail,
                                            .took = w->outcome.took,
                                            .told = w->outcome.told,
                                            .failures = w->outcome.failures,
                                            .said = w->outcome.said,
                                            .text = outcome_format(&w->outcome, w->target, w->timeout, text)};
}

static void give_result(struct checker *c, const struct wanted *w, bool changed)
{
        struct check_result result;
        char text[REASON_TEXT];

        if (changed)
                saved_due(c);
        fill_result(w, changed, &result, text);
        c->on_result(c->user, w->id, &result);
}

static void forget_stopping(struct checker *c)
{
        struct wanted *w;

        for (uint32_t id = 0; (w = table_next(&c->stopping, &id)) != NULL;)
                wanted_free(table_take(&c->stopping, id));
}

/* Nobody looks any more: no state is known, and the next process begins without a history. */
static void all_unknown(struct checker *c, int error)
{
        instant now = instant_now();
        struct wanted *w;

        for (uint32_t id = 0; (w = table_next(&c->wanted, &id)) != NULL; id++) {
                bool changed = w->verdict.state != VERDICT_UNKNOWN;
                bool said = w->outcome.reason == REASON_NO_CHECKER && w->outcome.detail == error;

                w->verdict = changed ? verdict_new(now) : verdict_new(w->verdict.since);
                set_outcome(w, &(struct outcome){.reason = REASON_NO_CHECKER, .detail = error}, NULL);
                w->told = w->there = false;
                if (changed || !said)
                        give_result(c, w, changed);
        }
        c->untold = 0;
}

/* The process is no more, or was never there: say so, and try again later. */
static void process_lost(struct checker *c, const char *why, int error)
{
        char wait[SPAN_TEXT];

        if (instant_reached(instant_now(), instant_add(c->born, lived_well)))
                c->retry_after = retry_least;
        log_error("checker: %s; its checks are unknown, starting it again in %s", why,
                  span_format(c->retry_after, wait));
        uv_timer_start(c->timer, on_timer, (uint64_t)span_to_ms(c->retry_after), 0);
        c->retry_after = span_min(span_times(c->retry_after, 2), retry_most);
        forget_stopping(c);
        all_unknown(c, error);
}

static void on_child_exit(void *user, int status)
{
        struct checker *c = user;
        char how[CHILD_STATUS_TEXT], why[CHILD_STATUS_TEXT + 32];

        c->child = NULL;
        link_close(c);
        snprintf(why, sizeof(why), "the process died (%s)", child_status_format(status, how));
        process_lost(c, why, 0);
}

static void process_kill(struct checker *c, const char *why)
{
        child_forget(c->child, 0);
        c->child = NULL;
        link_close(c);
        process_lost(c, why, 0);
}

/* Both ends of the socket, ours on the loop. */
static int link_open(struct checker *c, int *ret_child_fd)
{
        struct link *link = calloc(1, sizeof(*link));
        int fd[2], r;

        if (link == NULL)
                return -ENOMEM;
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fd) == -1) {
                r = -errno;
                free(link);
                return r;
        }
        link->checker = c;
        link->fd = fd[0];
        r = uv_poll_init(c->loop, &link->poll, fd[0]);
        if (r != 0) {
                close(fd[0]);
                close(fd[1]);
                free(link);
                return r;
        }
        link->poll.data = link;
        c->link = link;
        *ret_child_fd = fd[1];
        return 0;
}

static void process_start(struct checker *c)
{
        char *argv[] = {c->program, NULL};
        char *environment[] = {"PATH=/usr/bin:/bin", NULL};
        struct child_setup setup = {.loop = c->loop,
                                    .argv = argv,
                                    .environment = environment,
                                    .stdin_fd = -1,
                                    .on_exit = on_child_exit,
                                    .user = c};
        char why[700];
        int r = link_open(c, &setup.extra_fd);

        c->born = instant_now();
        if (r == 0) {
                r = child_start(&setup, &c->child);
                close(setup.extra_fd);
        }
        if (r != 0) {
                link_close(c);
                snprintf(why, sizeof(why), "cannot run %s: %s", c->program, strerror(-r));
                process_lost(c, why, -r);
                return;
        }
        c->untold = 0;
        c->silent_ticks = 0;
        uv_timer_start(c->timer, on_timer, c->tick_ms, c->tick_ms);
        uv_poll_start(&c->link->poll, UV_READABLE | UV_WRITABLE, on_socket);
}

static void on_timer(uv_timer_t *timer)
{
        struct checker *c = timer->data;

        if (c->child == NULL) {
                uv_timer_stop(timer);
                checker_settle(c);
        } else if (++c->silent_ticks >= SILENT_TICKS_MAX) {
                process_kill(c, "the process is frozen, killed it");
        }
}

/* False when the socket takes no more. A broken one is noticed by the exit that broke it. */
static bool tell(struct checker *c, const struct packet *p)
{
        uint8_t bytes[PACKET_MAX];
        size_t n = checker_packet_encode(p, bytes);

        return send(c->link->fd, bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL) != -1;
}

/* Sends what the process has not been told; true when that is all. */
static bool tell_all(struct checker *c)
{
        struct wanted *w;

        for (uint32_t id = 0; (w = table_next(&c->stopping, &id)) != NULL;) {
                struct packet p = {.type = PACKET_STOP, .id = id};

                if (!tell(c, &p))
                        return false;
                wanted_free(table_take(&c->stopping, id));
        }
        for (; (w = table_next(&c->wanted, &c->untold)) != NULL; c->untold++) {
                struct packet p = {.type = PACKET_START,
                                   .id = w->id,
                                   .generation = w->generation,
                                   .verdict = w->verdict,
                                   .count = w->count,
                                   .check = w->check,
                                   .check_size = w->check_size};

                if (w->told)
                        continue;
                if (w->past != NULL)
                        p.outcome = *w->past;
                if (w->past != NULL && w->past->said != NULL)
                        text_copy(p.said, sizeof(p.said), w->past->said);
                p.outcome.failures = w->outcome.failures;
                if (!tell(c, &p))
                        return false;
                w->told = w->there = true;
        }
        c->untold = UINT32_MAX;
        return true;
}

/* Brings the process to what is wanted: there or not, and told everything. */
static void checker_settle(struct checker *c)
{
        if (c->wanted.count == 0) {
                forget_stopping(c);
                link_close(c); /* it ends on EOF */
                if (c->child != NULL)
                        child_forget(c->child, LEAVE_MS);
                c->child = NULL;
                uv_timer_stop(c->timer);
                return;
        }
        if (c->child != NULL)
                uv_poll_start(&c->link->poll, UV_READABLE | UV_WRITABLE, on_socket);
        else if (!uv_is_active((uv_handle_t *)c->timer))
                process_start(c);
}

static bool report_possible(const struct packet *p, instant now)
{
        for (size_t i = 0; i < p->steady_count; i++)
                if (!instant_reached(now, p->steady[i].at))
                        return false;
        switch (p->type) {
        case PACKET_BEAT:
        case PACKET_STEADY: return true;
        case PACKET_REPORT:
                return instant_reached(now, p->at) && instant_reached(now, p->outcome.told) &&
                       instant_reached(p->at, p->verdict.since);
        case PACKET_START:
        case PACKET_STOP: break;
        }
        return false;
}

static void take_report(struct checker *c, const struct packet *p)
{
        struct wanted *w = table_find(&c->wanted, p->id);
        bool changed;

        if (w == NULL || w->generation != p->generation)
                return; /* of a check that was stopped or replaced meanwhile */
        changed = w->verdict.state != p->verdict.state;
        w->verdict = p->verdict;
        set_outcome(w, &p->outcome, p->said);
        if (p->outcome.told.us != 0)
                set_past(w, p->outcome.told, p->outcome.detail, p->said);
        w->at = p->at;
        give_result(c, w, changed);
}

/* It may have been put aside before a report that has come meanwhile, or the check be another. */
static void take_steady(struct checker *c, const struct steady *s)
{
        struct wanted *w = table_find(&c->wanted, s->id);

        if (w == NULL || w->generation != s->generation || instant_before(s->at, w->at))
                return;
        w->at = s->at;
        w->outcome.took = s->took;
        give_result(c, w, false);
}

/* How many checks it was about. */
static int take_packet(struct checker *c, const struct link *link, const struct packet *p)
{
        if (p->type == PACKET_REPORT)
                take_report(c, p);
        for (size_t i = 0; i < p->steady_count && c->link == link; i++)
                take_steady(c, &p->steady[i]);
        return p->steady_count > 0 ? (int)p->steady_count : 1;
}

static void on_socket(uv_poll_t *poll, int status, int events)
{
        struct link *link = poll->data;
        struct checker *c = link->checker;
        uint8_t bytes[PACKET_MAX];
        struct packet p;

        if ((events & UV_WRITABLE) != 0 && tell_all(c))
                uv_poll_start(poll, UV_READABLE, on_socket);
        for (int checks = 0; checks < CHECKS_IN_A_TURN;) {
                ssize_t n = recv(link->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

                if (n == -1 && (errno == EAGAIN || errno == EINTR))
                        return;
                if (n <= 0) { /* it is dying: its exit tells how */
                        uv_poll_stop(poll);
                        return;
                }
                if (checker_packet_decode(bytes, (size_t)n, &p) != 0 || !report_possible(&p, instant_now())) {
                        process_kill(c, "the process sent a report that cannot be, killed it");
                        return;
                }
                c->silent_ticks = 0;
                checks += take_packet(c, link, &p);
                if (c->link != link)
                        return; /* on_result stopped the last check */
        }
}

int checker_new(uv_loop_t *loop, const char *program, check_result_fn *on_result, void *user,
                struct checker **ret_checker)
{
        struct checker *c = calloc(1, sizeof(*c));

        if (c == NULL)
                return -ENOMEM;
        c->timer = calloc(1, sizeof(*c->timer));
        c->keep_timer = calloc(1, sizeof(*c->keep_timer));
        if (c->timer == NULL || c->keep_timer == NULL ||
            !text_copy(c->program, sizeof(c->program), program)) {
                free(c->timer);
                free(c->keep_timer);
                free(c);
                return -ENOMEM;
        }
        uv_timer_init(loop, c->timer);
        uv_timer_init(loop, c->keep_timer);
        c->timer->data = c->keep_timer->data = c;
        c->loop = loop;
        c->tick_ms = CHECKER_TICK_MS;
        c->on_result = on_result;
        c->user = user;
        c->untold = UINT32_MAX;
        c->retry_after = retry_least;
        *ret_checker = c;
        return 0;
}

static void on_timer_closed(uv_handle_t *handle)
{
        free(handle);
}

void checker_free(struct checker *c)
{
        struct wanted *w;

        if (c == NULL)
                return;
        if (uv_is_active((uv_handle_t *)c->keep_timer))
                checker_save(c, c->keep_path);
        for (uint32_t id = 0; (w = table_next(&c->wanted, &id)) != NULL;)
                wanted_free(table_take(&c->wanted, id));
        if (c->child != NULL)
                child_forget(c->child, 0);
        c->child = NULL;
        checker_settle(c);
        saved_free(c);
        table_done(&c->wanted);
        table_done(&c->stopping);
        uv_close((uv_handle_t *)c->timer, on_timer_closed);
        uv_close((uv_handle_t *)c->keep_timer, on_timer_closed);
        free(c);
}

/* FNV-1a, 64 bits, of what is looked at. */
uint64_t wanted_identity(const struct wanted *w)
{
        uint64_t hash = 14695981039346656037U;

        for (size_t i = w->rhythm_size; i < w->check_size; i++)
                hash = (hash ^ w->check[i]) * 1099511628211U;
        return hash;
}

static bool same_identity(const struct wanted *a, const struct wanted *b)
{
        size_t n = a->check_size - a->rhythm_size;

        return n == b->check_size - b->rhythm_size &&
               memcmp(a->check + a->rhythm_size, b->check + b->rhythm_size, n) == 0;
}

static bool same_rhythm(const struct wanted *a, const struct wanted *b)
{
        return a->rhythm_size == b->rhythm_size && memcmp(a->check, b->check, a->rhythm_size) == 0;
}

/* What a new check begins with: its saved verdict if there is one, else unknown. */
static struct verdict first_verdict(struct checker *c, const struct wanted *w)
{
        struct saved *saved = table_take(&c->saved, w->id);
        struct verdict verdict = verdict_new(instant_now());

        if (saved != NULL && saved->identity == wanted_identity(w))
                verdict = saved->verdict;
        free(saved);
        return verdict;
}

static int wanted_new(uint32_t id, const struct config_check *check, struct wanted **ret_wanted)
{
        uint8_t bytes[CHECK_BYTES_MAX];
        char target[CHECK_TARGET];
        struct wanted *w;
        size_t rhythm;
        int n = check_encode(check, bytes, &rhythm);

        if (n < 0)
                return n;
        if (check->rise < 1 || check->rise > VERDICT_RUN_MAX || check->fall < 1 ||
            check->fall > VERDICT_RUN_MAX)
                return -EINVAL;
        w = calloc(1, sizeof(*w));
        if (w == NULL)
                return -ENOMEM;
        w->id = id;
        w->check = malloc((size_t)n);
        w->target = strdup(check_target(check, target));
        if (w->check == NULL || w->target == NULL) {
                wanted_free(w);
                return -ENOMEM;
        }
        memcpy(w->check, bytes, (size_t)n);
        w->check_size = (size_t)n;
        w->rhythm_size = rhythm;
        w->timeout = check->timeout;
        w->outcome.reason = REASON_NOT_YET;
        w->at = INSTANT_LONG_AGO;
        *ret_wanted = w;
        return 0;
}

/* Takes the place of the check of the same number, and of what that one knows, as far as it still holds. */
static int wanted_replace(struct checker *c, struct wanted *w)
{
        struct wanted *old = table_take(&c->wanted, w->id);
        struct wanted *stopping = table_take(&c->stopping, w->id); /* START replaces what is there */

        w->there = stopping != NULL || (old != NULL && old->there);
        w->count = old != NULL ? old->count : 0;
        wanted_free(stopping);
        if (old == NULL) {
                w->verdict = first_verdict(c, w);
        } else if (same_identity(old, w)) {
                w->verdict = old->verdict;
                w->outcome = old->outcome;
                w->at = old->at;
                w->past = old->past;
                old->outcome.said = NULL;
                old->past = NULL;
        } else {
                w->verdict = verdict_new(instant_now());
        }
        wanted_free(old);
        return table_put(&c->wanted, w->id, w);
}

/* Reports of what the process had before are no longer about this. */
static void tell_again(struct checker *c, struct wanted *w)
{
        w->told = false;
        w->generation = ++c->generations;
        if (w->id < c->untold)
                c->untold = w->id;
        checker_settle(c);
}

int checker_start(struct checker *c, uint32_t id, const struct config_check *check)
{
        struct wanted *w = NULL;
        const struct wanted *old = table_find(&c->wanted, id);
        int r = wanted_new(id, check, &w);

        if (r != 0)
                return r;
        if (old != NULL && same_identity(old, w) && same_rhythm(old, w)) {
                wanted_free(w);
                return 0;
        }
        r = wanted_replace(c, w);
        if (r != 0) {
                wanted_free(w);
                return r;
        }
        tell_again(c, w);
        return 0;
}

void checker_remember(struct checker *c, uint32_t id, instant told, int detail, const char *said)
{
        struct wanted *w = table_find(&c->wanted, id);

        if (w != NULL && !w->told && (w->past == NULL || instant_before(w->past->told, told)))
                set_past(w, told, detail, said);
}

void checker_count(struct checker *c, uint32_t id, int failures)
{
        struct wanted *w = table_find(&c->wanted, id);

        if (w == NULL || w->count == failures)
                return;
        w->count = failures;
        if (w->told)
                tell_again(c, w);
}

void checker_stop(struct checker *c, uint32_t id)
{
        struct wanted *w = table_take(&c->wanted, id);

        if (w == NULL)
                return;
        /* Never started there, or no room to remember: the process's reports of it are dropped anyway. */
        if (c->child == NULL || !w->there || table_put(&c->stopping, id, w) != 0)
                wanted_free(w);
        checker_settle(c);
}

bool checker_result(const struct checker *c, uint32_t id, struct check_result *ret_result,
                    char text[static REASON_TEXT])
{
        const struct wanted *w = table_find(&c->wanted, id);

        if (w == NULL)
                return false;
        fill_result(w, false, ret_result, text);
        return true;
}

int checker_pid(const struct checker *c)
{
        return c->child == NULL ? 0 : child_pid(c->child);
}
