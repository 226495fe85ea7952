#include "alert/deliver.h"

#include "base/text.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define VARIABLES_MAX 24
#define VARIABLE_SIZE 512
#define ARGUMENTS_MAX 64
#define GRACE         span_s(2) /* haven-alert keeps to the time itself */
#define PATH          "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

struct delivery {
        struct child *child;
        uv_timer_t *timer; /* freed when libuv has closed it */
        int output;        /* read end of what it says; -1: nothing is read */
        bool cut;
        delivery_done_fn *on_done;
        void *user;
};

/* What a child is given. */
struct call {
        char *argv[ARGUMENTS_MAX + 1];
        size_t argc;
        char variable[VARIABLES_MAX][VARIABLE_SIZE];
        char *environment[VARIABLES_MAX + 1];
        char group[NAME_SIZE], service[NAME_SIZE], when[24]; /* what arguments point to */
        size_t variables;
        int input;
        int output; /* write end; 0: our standard error */
};

bool deliver_gathers(enum alert_kind kind)
{
        switch (kind) {
        case ALERT_EXEC:
        case ALERT_MON: return false;
        case ALERT_MAIL:
        case ALERT_WEBHOOK:
        case ALERT_JOURNAL: return true;
        case ALERT_KINDS: break;
        }
        assert(!"a kind of alert");
        return false;
}

/* One NAME=value on one line, whatever the value holds. */
static void add_variable(struct call *c, const char *name, const char *value)
{
        char *text = c->variable[c->variables];

        assert(c->variables < VARIABLES_MAX);
        snprintf(text, VARIABLE_SIZE, "%s=%s", name, value);
        for (char *at = text; *at != '\0'; at++)
                if (iscntrl((unsigned char)*at))
                        *at = ' ';
        c->environment[c->variables++] = text;
}

static void add_argument(struct call *c, const char *text)
{
        if (c->argc < ARGUMENTS_MAX)
                c->argv[c->argc++] = (char *)text;
}

/* A file in memory that holds the text: a pipe might not take all of it. */
static int make_input(const char *text, size_t n)
{
        int fd = memfd_create("alert", MFD_CLOEXEC);
        int r;

        if (fd == -1)
                return -errno;
        for (size_t done = 0; done < n;) {
                ssize_t written = write(fd, text + done, n - done);

                if (written == -1) {
                        r = -errno;
                        close(fd);
                        return r;
                }
                done += (size_t)written;
        }
        if (lseek(fd, 0, SEEK_SET) == -1) {
                r = -errno;
                close(fd);
                return r;
        }
        return fd;
}

static int make_exec(const struct delivery_setup *s, struct call *c)
{
        const struct notice *n = s->notice;
        char number[16], when[NOTICE_TIME], *text = NULL;
        size_t size;

        for (char **word = s->alert->argv; *word != NULL; word++)
                add_argument(c, *word);
        snprintf(number, sizeof(number), "%u", s->dropped);
        add_variable(c, "HAVEN_ALERT", alert_on_name(n->on));
        add_variable(c, "HAVEN_EVENT", n->kind);
        add_variable(c, "HAVEN_SUBJECT", n->subject);
        add_variable(c, "HAVEN_TEXT", n->text);
        add_variable(c, "HAVEN_CLUSTER", s->config->cluster);
        add_variable(c, "HAVEN_NODE", n->node);
        add_variable(c, "HAVEN_TIME", notice_time(n->wall_us, when));
        add_variable(c, "HAVEN_ID", s->id);
        add_variable(c, "HAVEN_DROPPED", number);
        FILE *to = open_memstream(&text, &size);
        if (to == NULL)
                return -ENOMEM;
        for (size_t i = 0; i < c->variables; i++)
                fprintf(to, "%s\n", c->environment[i]);
        fclose(to);
        c->input = make_input(text, size);
        free(text);
        return c->input < 0 ? c->input : 0;
}

/* The hosts of the watch in one argument, as mon gives them. */
static char *mon_hosts(const struct config *config, const struct notice *n, const struct notice_parts *parts)
{
        int w = config_find_watch(config, parts->watch);
        char *text = NULL;
        size_t size;
        FILE *to = open_memstream(&text, &size);

        if (to == NULL)
                return NULL;
        for (size_t i = 0; w >= 0 && i < config->watch[w].host_count; i++)
                fprintf(to, "%s%s", i > 0 ? " " : "", config->watch[w].host[i]);
        if (w < 0)
                fputs(n->subject, to);
        fclose(to);
        return text;
}

/* What is no watch has the group "haven" and its kind of event as the service. mon(8), "ALERT PROGRAMS". */
static int make_mon(const struct delivery_setup *s, struct call *c, char **ret_hosts)
{
        const struct notice *n = s->notice;
        bool down = n->on == ALERT_DOWN || n->on == ALERT_FAILING || n->on == ALERT_FLAPPING ||
                    n->on == ALERT_ACKNOWLEDGED || n->on == ALERT_BLOCKED || n->on == ALERT_QUORUM;
        struct notice_parts parts;
        char text[NOTICE_TEXT + 160];
        int used;

        notice_split(n, &parts);
        *ret_hosts = mon_hosts(s->config, n, &parts);
        if (*ret_hosts == NULL)
                return -ENOMEM;
        text_copy(c->group, sizeof(c->group), parts.watch[0] ? parts.watch : "haven");
        text_copy(c->service, sizeof(c->service), parts.service[0] ? parts.service : n->kind);
        snprintf(c->when, sizeof(c->when), "%lld", (long long)(n->wall_us / 1000000));
        add_argument(c, s->alert->argv[0]);
        for (const char *const *word = (const char *const[]){"-s", c->service, "-g", c->group, "-h",
                                                             *ret_hosts, "-t", c->when, NULL};
             *word != NULL; word++)
                add_argument(c, *word);
        if (n->on == ALERT_UP)
                add_argument(c, "-u");
        if (n->on == ALERT_ACKNOWLEDGED)
                add_argument(c, "-a");
        for (char **word = s->alert->argv + 1; *word != NULL; word++)
                add_argument(c, *word);
        add_variable(c, "MON_ALERTTYPE",
                     n->on == ALERT_UP             ? "up"
                     : n->on == ALERT_ACKNOWLEDGED ? "ack"
                                                   : "failure");
        add_variable(c, "MON_GROUP", c->group);
        add_variable(c, "MON_SERVICE", c->service);
        add_variable(c, "MON_DESCRIPTION", "");
        add_variable(c, "MON_RETVAL", down ? "1" : "0");
        add_variable(c, "MON_OPSTATUS", down ? "0" : "1");
        add_variable(c, "MON_ACK", n->on == ALERT_ACKNOWLEDGED ? n->text : "");
        add_variable(c, "MON_DEPEND_STATUS", "1");
        add_variable(c, "MON_LAST_SUMMARY", parts.host[0] ? parts.host : n->subject);
        add_variable(c, "MON_LAST_OUTPUT", n->text);
        add_variable(c, down ? "MON_LAST_FAILURE" : "MON_LAST_SUCCESS", c->when);
        add_variable(c, "MON_STATEDIR", "/var/lib/mon");
        add_variable(c, "MON_LOGDIR", "/var/log/mon");
        add_variable(c, "MON_CFBASEDIR", "/etc/mon");
        used = snprintf(text, sizeof(text), "%s\n%s\n", parts.host[0] ? parts.host : n->subject, n->text);
        c->input = make_input(text, (size_t)used);
        return c->input < 0 ? c->input : 0;
}

static json_t *texts_json(char *const *list)
{
        json_t *array = json_array();

        for (; list != NULL && *list != NULL; list++)
                json_array_append_new(array, json_string(*list));
        return array;
}

/* A text of ours; where a configuration holds bytes that are no UTF-8, nothing. */
static void set_text(json_t *object, const char *key, const char *text)
{
        json_t *value = json_string(text);

        json_object_set_new(object, key, value != NULL ? value : json_string(""));
}

static json_t *message_json(const struct delivery_setup *s)
{
        const struct config_alert *a = s->alert;
        json_t *message = json_object();
        char *subject = notices_subject(s->config->cluster, s->notice, s->count);
        char *body = notices_body(s->config->cluster, s->notice, s->count);

        set_text(message, "kind", alert_kind_name(a->kind));
        json_object_set_new(message, "to", texts_json(a->to));
        set_text(message, "from", a->from);
        set_text(message, "server", a->server);
        set_text(message, "tls",
                 a->tls == MAIL_TLS_REQUIRE ? "require"
                 : a->tls == MAIL_TLS_OFF   ? "off"
                                            : "try");
        set_text(message, "user", a->user);
        set_text(message, "url", a->url);
        json_object_set_new(message, "header", texts_json(a->header));
        set_text(message, "secret_file", a->secret_file);
        set_text(message, "ca", a->ca);
        json_object_set_new(message, "timeout_ms", json_integer(span_to_ms(a->timeout)));
        set_text(message, "cluster", s->config->cluster);
        set_text(message, "id", s->id);
        set_text(message, "subject", subject);
        set_text(message, "body", body);
        json_object_set_new(message, "message", notices_json(s->config->cluster, s->id, s->notice, s->count));
        free(subject);
        free(body);
        return message;
}

static int make_message(const struct delivery_setup *s, struct call *c, int *ret_output)
{
        json_t *message = message_json(s);
        char *text = json_dumps(message, JSON_COMPACT);
        int fd[2];

        json_decref(message);
        if (text == NULL)
                return -ENOMEM;
        add_argument(c, s->program);
        c->input = make_input(text, strlen(text));
        free(text);
        if (c->input < 0)
                return c->input;
        if (pipe2(fd, O_CLOEXEC) == -1)
                return -errno;
        fcntl(fd[0], F_SETFL, O_NONBLOCK);
        *ret_output = fd[0];
        c->output = fd[1];
        return 0;
}

static int make_call(const struct delivery_setup *s, struct call *c, char **ret_hosts, int *ret_output)
{
        switch (s->alert->kind) {
        case ALERT_EXEC: return make_exec(s, c);
        case ALERT_MON: return make_mon(s, c, ret_hosts);
        case ALERT_MAIL:
        case ALERT_WEBHOOK:
        case ALERT_JOURNAL: return make_message(s, c, ret_output);
        case ALERT_KINDS: break;
        }
        assert(!"a kind of alert");
        return -EINVAL;
}

static void on_timer_closed(uv_handle_t *handle)
{
        free(handle);
}

static void delivery_free(struct delivery *d)
{
        if (d->output != -1)
                close(d->output);
        uv_close((uv_handle_t *)d->timer, on_timer_closed);
        free(d);
}

void delivery_release(struct delivery *d)
{
        child_signal(d->child, SIGKILL);
        child_release(d->child);
        delivery_free(d);
}

/* Its last line, printable. */
static void read_reason(struct delivery *d, char why[static DELIVER_REASON])
{
        ssize_t n = d->output == -1 ? 0 : read(d->output, why, DELIVER_REASON - 1);

        why[n > 0 ? n : 0] = '\0';
        why[strcspn(why, "\n")] = '\0';
        for (char *at = why; *at != '\0'; at++)
                if (iscntrl((unsigned char)*at))
                        *at = ' ';
}

static void on_child_exit(void *user, int status)
{
        struct delivery *d = user;
        char how[CHILD_STATUS_TEXT], why[DELIVER_REASON];
        bool told = !d->cut && WIFEXITED(status) && WEXITSTATUS(status) == 0;
        delivery_done_fn *on_done = d->on_done;
        void *to = d->user;

        read_reason(d, why);
        if (d->cut)
                text_copy(why, sizeof(why), "did not end in time, killed");
        else if (!told && why[0] == '\0')
                text_copy(why, sizeof(why), child_status_format(status, how));
        delivery_free(d);
        on_done(to, told, why);
}

static void on_too_long(uv_timer_t *timer)
{
        struct delivery *d = timer->data;

        d->cut = true;
        child_signal(d->child, SIGKILL);
}

static int start(const struct delivery_setup *s, struct call *c, struct delivery *d)
{
        struct child_setup setup = {.loop = s->loop,
                                    .argv = c->argv,
                                    .environment = c->environment,
                                    .stdin_fd = c->input,
                                    .output_fd = c->output,
                                    .extra_fd = -1,
                                    .on_exit = on_child_exit,
                                    .user = d};
        span patience = s->alert->timeout;

        add_variable(c, "HOME", "/");
        snprintf(c->variable[c->variables], VARIABLE_SIZE, "%s", PATH);
        c->environment[c->variables] = c->variable[c->variables];
        c->environment[++c->variables] = NULL;
        int r = child_start(&setup, &d->child);
        if (r != 0)
                return r;
        if (deliver_gathers(s->alert->kind))
                patience = span_add(patience, GRACE);
        uv_timer_start(d->timer, on_too_long, (uint64_t)span_to_ms(patience), 0);
        return 0;
}

int deliver(const struct delivery_setup *s, struct delivery **ret_delivery)
{
        struct call *c = calloc(1, sizeof(*c));
        struct delivery *d = calloc(1, sizeof(*d));
        char *hosts = NULL;
        int r = -ENOMEM;

        assert(s->count >= 1 && (s->count == 1 || deliver_gathers(s->alert->kind)));
        if (c != NULL && d != NULL)
                d->timer = calloc(1, sizeof(*d->timer));
        if (d == NULL || d->timer == NULL || c == NULL) {
                free(c);
                free(d);
                return r;
        }
        c->input = -1;
        d->output = -1;
        d->on_done = s->on_done;
        d->user = s->user;
        uv_timer_init(s->loop, d->timer);
        d->timer->data = d;
        r = make_call(s, c, &hosts, &d->output);
        if (r == 0)
                r = start(s, c, d);
        if (c->input >= 0)
                close(c->input);
        if (c->output > 0)
                close(c->output);
        free(c);
        free(hosts);
        if (r != 0)
                delivery_free(d);
        else
                *ret_delivery = d;
        return r;
}
