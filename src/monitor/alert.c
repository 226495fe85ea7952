#include "monitor/alert.h"

#include "base/log.h"
#include "base/text.h"
#include "monitor/child.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LINE_SIZE  512 /* of one NAME=value */
#define LINE_COUNT 8
#define TIME_TEXT  24

struct message {
        struct message *next;
        unsigned on;
        int tries; /* made so far */
        char kind[32];
        char subject[64];
        char text[400];
        char time[TIME_TEXT];
};

/* One alert of the configuration. */
struct alert {
        struct alerts *all;
        struct alert *next;
        char **argv;
        unsigned on;
        span timeout;
        struct message *first; /* the one being told, if any */
        size_t count;
        unsigned dropped;      /* never told, and not yet said to be */
        unsigned dropped_said; /* of these, those that the one being told speaks of */
        struct child *child;   /* NULL: nothing runs */
        bool cut;              /* it is being killed for lasting too long */
        uv_timer_t timer;      /* cuts what runs, or starts what waits for another try */
};

struct alerts {
        uv_loop_t *loop;
        char cluster[NAME_SIZE];
        char node[NAME_SIZE];
        span retry_after;
        struct alert *alert;
};

static void alert_tell(struct alert *a);

static void argv_free(char **argv)
{
        for (char **word = argv; argv != NULL && *word != NULL; word++)
                free(*word);
        free(argv);
}

static char **argv_copy(char *const *argv)
{
        size_t n = 0;
        char **copy;

        while (argv[n] != NULL)
                n++;
        copy = calloc(n + 1, sizeof(*copy));
        for (size_t i = 0; copy != NULL && i < n; i++) {
                copy[i] = strdup(argv[i]);
                if (copy[i] == NULL) {
                        argv_free(copy);
                        return NULL;
                }
        }
        return copy;
}

static bool argv_equal(char *const *a, char *const *b)
{
        for (; *a != NULL && *b != NULL; a++, b++)
                if (strcmp(*a, *b) != 0)
                        return false;
        return *a == *b;
}

static void message_drop_first(struct alert *a)
{
        struct message *m = a->first;

        a->first = m->next;
        a->count--;
        free(m);
}

/* One NAME=value on one line, whatever the value holds. */
static void make_line(char line[static LINE_SIZE], const char *name, const char *value)
{
        snprintf(line, LINE_SIZE, "%s=%s", name, value);
        for (char *at = line; *at != '\0'; at++)
                if (iscntrl((unsigned char)*at))
                        *at = ' ';
}

static void make_lines(const struct alert *a, char lines[LINE_COUNT][LINE_SIZE])
{
        const struct message *m = a->first;
        char dropped[16];

        snprintf(dropped, sizeof(dropped), "%u", a->dropped);
        make_line(lines[0], "HAVEN_ALERT", alert_on_name(m->on));
        make_line(lines[1], "HAVEN_EVENT", m->kind);
        make_line(lines[2], "HAVEN_SUBJECT", m->subject);
        make_line(lines[3], "HAVEN_TEXT", m->text);
        make_line(lines[4], "HAVEN_CLUSTER", a->all->cluster);
        make_line(lines[5], "HAVEN_NODE", a->all->node);
        make_line(lines[6], "HAVEN_TIME", m->time);
        make_line(lines[7], "HAVEN_DROPPED", dropped);
}

/* A pipe that holds all lines and ends: they are far fewer bytes than a pipe takes. */
static int make_input(char lines[LINE_COUNT][LINE_SIZE])
{
        int fd[2];

        if (pipe2(fd, O_CLOEXEC) == -1)
                return -errno;
        fcntl(fd[1], F_SETFL, O_NONBLOCK);
        for (int i = 0; i < LINE_COUNT; i++)
                if (dprintf(fd[1], "%s\n", lines[i]) < 0) {
                        int r = -errno;

                        close(fd[0]);
                        close(fd[1]);
                        return r;
                }
        close(fd[1]);
        return fd[0];
}

static void on_try_again(uv_timer_t *timer)
{
        alert_tell(timer->data);
}

/* The first message was not told this time. */
static void alert_failed(struct alert *a, const char *why)
{
        struct message *m = a->first;
        span wait = a->all->retry_after;
        char wait_text[SPAN_TEXT];

        if (m->tries < ALERT_TRIES) {
                for (int i = 1; i < m->tries; i++)
                        wait = span_times(wait, 4);
                log_warning("alert %s: %s, not told: %s %s; trying again in %s", a->argv[0], why,
                            alert_on_name(m->on), m->subject, span_format(wait, wait_text));
                uv_timer_start(&a->timer, on_try_again, (uint64_t)span_to_ms(wait), 0);
                return;
        }
        log_error("alert %s: %s, given up after %d tries, never told: %s %s: %s", a->argv[0], why, m->tries,
                  alert_on_name(m->on), m->subject, m->text);
        a->dropped++;
        message_drop_first(a);
        alert_tell(a);
}

static void on_child_exit(void *user, int status)
{
        struct alert *a = user;
        char how[CHILD_STATUS_TEXT];
        bool cut = a->cut;

        uv_timer_stop(&a->timer);
        a->child = NULL;
        a->cut = false;
        if (cut || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
                alert_failed(a, cut ? "did not end in time, killed" : child_status_format(status, how));
                return;
        }
        a->dropped -= a->dropped_said; /* more may have been dropped while it ran */
        message_drop_first(a);
        alert_tell(a);
}

static void on_too_long(uv_timer_t *timer)
{
        struct alert *a = timer->data;

        a->cut = true;
        child_signal(a->child, SIGKILL);
}

static int alert_run(struct alert *a)
{
        char lines[LINE_COUNT][LINE_SIZE];
        char *environment[LINE_COUNT + 3];
        struct child_setup setup = {.loop = a->all->loop,
                                    .argv = a->argv,
                                    .environment = environment,
                                    .extra_fd = -1,
                                    .on_exit = on_child_exit,
                                    .user = a};
        int r;

        a->dropped_said = a->dropped;
        make_lines(a, lines);
        for (int i = 0; i < LINE_COUNT; i++)
                environment[i] = lines[i];
        environment[LINE_COUNT] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        environment[LINE_COUNT + 1] = "HOME=/";
        environment[LINE_COUNT + 2] = NULL;
        setup.stdin_fd = make_input(lines);
        if (setup.stdin_fd < 0)
                return setup.stdin_fd;
        r = child_start(&setup, &a->child);
        close(setup.stdin_fd);
        return r;
}

/* Tells the first message if nothing is under way. */
static void alert_tell(struct alert *a)
{
        int r;

        if (a->child != NULL || a->first == NULL || uv_is_active((uv_handle_t *)&a->timer))
                return;
        a->first->tries++;
        r = alert_run(a);
        if (r == 0)
                uv_timer_start(&a->timer, on_too_long, (uint64_t)span_to_ms(a->timeout), 0);
        else
                alert_failed(a, strerror(-r));
}

/* Makes room by dropping the oldest that is not being told right now. */
static void alert_make_room(struct alert *a)
{
        bool busy = a->child != NULL;
        struct message *oldest = busy ? a->first->next : a->first;

        log_error("alert %s: %d are waiting, dropped the oldest, never told: %s %s: %s", a->argv[0],
                  ALERT_QUEUE_MAX, alert_on_name(oldest->on), oldest->subject, oldest->text);
        a->dropped++;
        if (!busy) {
                message_drop_first(a);
                return;
        }
        a->first->next = oldest->next;
        a->count--;
        free(oldest);
}

static void alert_queue(struct alert *a, const struct message *m)
{
        struct message *copy = malloc(sizeof(*copy));
        struct message **end = &a->first;

        if (copy == NULL) {
                a->dropped++;
                return;
        }
        if (a->count == ALERT_QUEUE_MAX)
                alert_make_room(a);
        *copy = *m;
        while (*end != NULL)
                end = &(*end)->next;
        *end = copy;
        a->count++;
        alert_tell(a);
}

void alert_raise(struct alerts *all, unsigned on, const char *kind, const char *subject, const char *text)
{
        struct message m = {.on = on};
        time_t now = time(NULL);
        struct tm tm;

        text_copy(m.kind, sizeof(m.kind), kind);
        text_copy(m.subject, sizeof(m.subject), subject);
        text_copy(m.text, sizeof(m.text), text);
        strftime(m.time, sizeof(m.time), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
        (void)alert_on_name(on); /* asserts that it is one bit */
        for (struct alert *a = all->alert; a != NULL; a = a->next)
                if ((a->on & on) != 0)
                        alert_queue(a, &m);
}

static void on_alert_closed(uv_handle_t *handle)
{
        struct alert *a = handle->data;

        argv_free(a->argv);
        free(a);
}

static void alert_free(struct alert *a)
{
        if (a->child != NULL)
                child_release(a->child);
        a->child = NULL;
        while (a->first != NULL)
                message_drop_first(a);
        uv_close((uv_handle_t *)&a->timer, on_alert_closed);
}

static void alert_list_free(struct alert *a)
{
        while (a != NULL) {
                struct alert *next = a->next;

                alert_free(a);
                a = next;
        }
}

static struct alert *alert_new(struct alerts *all, const struct config_alert *wanted)
{
        struct alert *a = calloc(1, sizeof(*a));

        assert(wanted->kind == ALERT_EXEC);
        if (a == NULL)
                return NULL;
        a->argv = argv_copy(wanted->argv);
        if (a->argv == NULL) {
                free(a);
                return NULL;
        }
        a->all = all;
        a->on = wanted->on;
        a->timeout = wanted->timeout;
        uv_timer_init(all->loop, &a->timer);
        a->timer.data = a;
        return a;
}

/* Takes out of the list the alert that runs this command. */
static struct alert *alert_unlink(struct alert **list, char *const *argv)
{
        for (struct alert **at = list; *at != NULL; at = &(*at)->next)
                if (argv_equal((*at)->argv, argv)) {
                        struct alert *found = *at;

                        *at = found->next;
                        found->next = NULL;
                        return found;
                }
        return NULL;
}

/* The alert of the list that stays, in place of its equal of the new generation. */
static struct alert *alert_keep(struct alert **list, struct alert *fresh)
{
        struct alert *kept = alert_unlink(list, fresh->argv);

        if (kept == NULL)
                return fresh;
        kept->on = fresh->on;
        kept->timeout = fresh->timeout;
        alert_free(fresh);
        return kept;
}

int alerts_reload(struct alerts *all, const struct config *config, int self)
{
        struct alert *fresh = NULL, *kept = NULL;

        for (size_t i = 0; i < config->alert_count; i++) {
                struct alert *a;

                if (config->alert[i].kind != ALERT_EXEC)
                        continue;
                a = alert_new(all, &config->alert[i]);
                if (a == NULL) {
                        alert_list_free(fresh);
                        return -ENOMEM;
                }
                a->next = fresh;
                fresh = a;
        }
        text_copy(all->cluster, sizeof(all->cluster), config->cluster);
        text_copy(all->node, sizeof(all->node), config->node[self].name);
        while (fresh != NULL) {
                struct alert *next = fresh->next, *a = alert_keep(&all->alert, fresh);

                a->next = kept;
                kept = a;
                fresh = next;
        }
        alert_list_free(all->alert);
        all->alert = kept;
        return 0;
}

int alerts_new(uv_loop_t *loop, const struct config *config, int self, struct alerts **ret_alerts)
{
        struct alerts *all = calloc(1, sizeof(*all));
        int r;

        if (all == NULL)
                return -ENOMEM;
        all->loop = loop;
        all->retry_after = span_s(1);
        r = alerts_reload(all, config, self);
        if (r != 0) {
                free(all);
                return r;
        }
        *ret_alerts = all;
        return 0;
}

void alerts_free(struct alerts *all)
{
        if (all == NULL)
                return;
        alert_list_free(all->alert);
        free(all);
}

size_t alerts_waiting(const struct alerts *all)
{
        size_t n = 0;

        for (const struct alert *a = all->alert; a != NULL; a = a->next)
                n += a->count;
        return n;
}

void alerts_retry_after(struct alerts *all, span first)
{
        all->retry_after = first;
}
