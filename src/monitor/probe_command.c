/* probe_command.c - any command as a check, by the three conventions there are; and what haven-look finds on
 * this machine, which is one more command.
 *
 * The command runs elsewhere (command_host.h); here its output is read, bounded, and its end judged. */
#include "monitor/command_host.h"
#include "monitor/command_past.h"
#include "monitor/probe.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define OUTPUT_MAX   ((size_t)64 * 1024)        /* kept */
#define ENDLESS      ((size_t)16 * 1024 * 1024) /* read and thrown away at most: then it will never end */
#define READS_A_TURN 16

#define NORMAL_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

struct probe {
        struct command_past *past; /* NULL: its style does not ask for it */
        const struct config_check *check;
        int output, socket;
        uv_poll_t reading, waiting;
        int handles; /* open ones of the two above; free with the last */
        char *text;  /* the first OUTPUT_MAX bytes of output; grows */
        size_t text_n, text_room;
        size_t bytes; /* of output altogether */
        probe_done_fn *on_done;
        void *user;
};

/* --- the end --- */

static void on_closed(uv_handle_t *handle)
{
        struct probe *p = handle->data;

        if (--p->handles > 0)
                return;
        free(p->text);
        free(p);
}

static void probe_free(struct probe *p)
{
        uv_poll_stop(&p->reading);
        uv_poll_stop(&p->waiting);
        close(p->output);
        close(p->socket); /* if it still runs, it is not wanted any more */
        uv_close((uv_handle_t *)&p->reading, on_closed);
        uv_close((uv_handle_t *)&p->waiting, on_closed);
}

static void over(struct probe *p, const struct ending *e)
{
        probe_done_fn *on_done = p->on_done;
        void *user = p->user;

        probe_free(p);
        on_done(user, e);
}

/* The first line, without what ends it. */
static int first_line(const struct probe *p)
{
        size_t n = p->text_n == 0 ? 0 : strcspn(p->text, "\r\n");

        while (n > 0 && p->text[n - 1] == ' ')
                n--;
        return (int)n;
}

/* https://www.monitoring-plugins.org/doc/guidelines.html: 3 is what is wrong with the plugin, not with what
 * it looks at. */
static enum reason reason_nagios(const struct check_command *k, int status)
{
        switch (status) {
        case 0: return REASON_WORKS;
        case 1: return k->warning == WARNING_WORKS ? REASON_WORKS : REASON_LIMIT;
        case 3: return REASON_LOCAL;
        default: return REASON_FAILED;
        }
}

/* As haven-look says it (look_main.c). */
static enum reason reason_look(int status)
{
        switch (status) {
        case 0: return REASON_WORKS;
        case 1: return REASON_LIMIT;
        case 2: return REASON_MISSING;
        default: return REASON_LOCAL;
        }
}

static void judge(struct probe *p, int status, struct ending *e)
{
        const struct config_check *c = p->check;
        int code = WEXITSTATUS(status);

        if (WIFSIGNALED(status)) {
                e->reason = REASON_KILLED;
                e->detail = WTERMSIG(status);
        } else {
                e->reason = c->kind != CHECK_COMMAND             ? reason_look(code)
                            : c->command.style == COMMAND_NAGIOS ? reason_nagios(&c->command, code)
                            : code == 0                          ? REASON_WORKS
                                                                 : REASON_FAILED;
                e->detail = e->reason == REASON_FAILED ? code : 0;
        }
        if (p->text != NULL)
                ending_say(e, "%.*s", first_line(p), p->text);
        if (p->past != NULL)
                command_past_add(p->past, c, e->reason == REASON_WORKS, e->said, p->text);
}

/* --- while it runs --- */

static bool keep(struct probe *p, const char *bytes, size_t n)
{
        size_t take = n < OUTPUT_MAX - p->text_n ? n : OUTPUT_MAX - p->text_n;

        if (p->text_n + take + 1 > p->text_room) {
                size_t room = p->text_n + take + 1 < 512 ? 512 : 2 * (p->text_n + take) + 1;
                char *text = realloc(p->text, room);
                if (text == NULL)
                        return false;
                p->text = text;
                p->text_room = room;
        }
        for (size_t i = 0; i < take; i++)
                p->text[p->text_n + i] = bytes[i] == '\0' ? '?' : bytes[i];
        p->text_n += take;
        p->text[p->text_n] = '\0';
        return true;
}

/* More may come: true. */
static bool read_some(struct probe *p)
{
        static char bytes[64 * 1024];
        ssize_t n = read(p->output, bytes, sizeof(bytes));

        if (n > 0 && keep(p, bytes, (size_t)n)) {
                p->bytes += (size_t)n;
                return true;
        }
        if (n == 0)
                uv_poll_stop(&p->reading); /* closed by all, though the command may run on */
        return false;
}

static void on_output(uv_poll_t *poll, int status, int events)
{
        struct probe *p = poll->data;
        struct ending e = {.reason = REASON_BAD_ANSWER};

        for (int i = 0; i < READS_A_TURN && p->bytes < ENDLESS && read_some(p); i++)
                ;
        if (p->bytes < ENDLESS)
                return;
        ending_say(&e, "more than %zu MiB of output", ENDLESS / 1024 / 1024);
        over(p, &e);
}

static void on_status(uv_poll_t *poll, int poll_status, int events)
{
        struct probe *p = poll->data;
        struct command_status status = {.end = COMMAND_NOT_RUN, .value = ECHILD}; /* who runs it died */
        struct ending e = {0};

        if (recv(p->socket, &status, sizeof(status), MSG_DONTWAIT) == -1 && errno == EAGAIN)
                return;
        switch ((enum command_end)status.end) {
        case COMMAND_ENDED:
                while (p->bytes < ENDLESS && read_some(p))
                        ;
                judge(p, status.value, &e);
                break;
        case COMMAND_STILL_THERE:
                e.reason = REASON_UNFINISHED;
                ending_say(&e, "the one before cannot be ended");
                break;
        case COMMAND_NOT_RUN:
                e.reason = REASON_LOCAL;
                e.detail = status.value;
                break;
        }
        over(p, &e);
}

static void cut(struct probe *p, struct ending *ret_ending)
{
        ret_ending->reason = REASON_UNFINISHED;
        if (p->text != NULL)
                ending_say(ret_ending, "%.*s", first_line(p), p->text);
        if (p->past != NULL)
                command_past_add(p->past, p->check, false, ret_ending->said, p->text);
        probe_free(p);
}

/* --- the beginning --- */

struct request {
        struct command_request head; /* and `bytes` right behind it, as it is sent */
        char bytes[COMMAND_REQUEST_MAX - sizeof(struct command_request)];
        size_t n; /* of them; beyond their number: it did not fit */
};

static void put(struct request *r, uint16_t *count, const char *text)
{
        size_t n = strlen(text) + 1;

        if (r->n + n <= sizeof(r->bytes))
                memcpy(r->bytes + r->n, text, n);
        r->n += n;
        (*count)++;
}

static const char *base_of(const char *path)
{
        assert(path);
        const char *slash = strrchr(path, '/');

        return slash == NULL ? path : slash + 1;
}

/* What mon sets for every monitor; the user's own settings come after and win. */
static void put_mon(struct request *r, const struct probe *p)
{
        const struct check_command *k = &p->check->command;
        const char *program = base_of(k->argv[0]);
        char text[320];

        put(r, &r->head.settings, "MON_STATEDIR=/var/lib/mon");
        put(r, &r->head.settings, "MON_LOGDIR=/var/log/mon");
        put(r, &r->head.settings, "MON_CFBASEDIR=/etc/mon");
        put(r, &r->head.settings, "MON_DESCRIPTION=");
        put(r, &r->head.settings, "MON_DEPEND_STATUS=");
        snprintf(text, sizeof(text), "MON_GROUP=%s", k->hosts == NULL ? "" : k->hosts[0]);
        put(r, &r->head.settings, text);
        snprintf(text, sizeof(text), "MON_SERVICE=%.*s", (int)strcspn(program, "."), program);
        put(r, &r->head.settings, text);
        for (size_t i = 0; command_past_setting(p->past, p->check, i) != NULL; i++)
                put(r, &r->head.settings, command_past_setting(p->past, p->check, i));
}

static bool is_set(const struct check_command *k, const char *setting)
{
        size_t n = strcspn(setting, "=") + 1;

        for (char **e = k->environment; e != NULL && *e != NULL; e++)
                if (strncmp(*e, setting, n) == 0)
                        return true;
        return false;
}

/* Takes out what the user sets otherwise: which of two wins is the program's own choice. */
static void drop_overridden(struct request *r, const struct check_command *k, size_t from)
{
        size_t to = from;

        for (size_t at = from; at < r->n;) {
                size_t n = strlen(r->bytes + at) + 1;
                if (is_set(k, r->bytes + at)) {
                        r->head.settings--;
                } else {
                        memmove(r->bytes + to, r->bytes + at, n);
                        to += n;
                }
                at += n;
        }
        r->n = to;
}

static void put_command(struct request *r, const struct probe *p)
{
        const struct check_command *k = &p->check->command;
        size_t settings;

        for (char **a = k->argv; *a != NULL; a++)
                put(r, &r->head.arguments, *a);
        for (char **h = k->hosts; h != NULL && *h != NULL; h++)
                put(r, &r->head.arguments, *h);
        settings = r->n;
        put(r, &r->head.settings, NORMAL_PATH);
        put(r, &r->head.settings, "LANG=C");
        if (k->style == COMMAND_MON)
                put_mon(r, p);
        if (r->n > sizeof(r->bytes))
                return;
        drop_overridden(r, k, settings);
        for (char **e = k->environment; e != NULL && *e != NULL; e++)
                put(r, &r->head.settings, *e);
}

static void put_look(struct request *r, const struct probe_house *house, const struct config_check *c)
{
        char program[560], first[24], second[24];
        long long numbers[2] = {0};
        const char *of = "";

        switch (c->kind) {
        case CHECK_FILE:
                of = c->file.path;
                numbers[0] = c->file.age_max.us / 1000000;
                numbers[1] = c->file.size_min;
                break;
        case CHECK_DISK:
                of = c->disk.path;
                numbers[0] = c->disk.free_min;
                numbers[1] = c->disk.inodes_min;
                break;
        case CHECK_LOAD:
                numbers[0] = c->load.percent_max;
                numbers[1] = c->load.minutes;
                break;
        default:
                of = c->process.program;
                numbers[0] = c->process.least;
                break;
        }
        snprintf(program, sizeof(program), "%s/haven-look", house->directory);
        snprintf(first, sizeof(first), "%lld", numbers[0]);
        snprintf(second, sizeof(second), "%lld", numbers[1]);
        put(r, &r->head.arguments, program);
        put(r, &r->head.arguments, check_kind_name(c->kind));
        put(r, &r->head.arguments, of == NULL ? "/" : of);
        put(r, &r->head.arguments, first);
        put(r, &r->head.arguments, second);
        put(r, &r->head.settings, "LANG=C");
}

static int send_request(int to, const struct request *r, int output, int socket)
{
        union {
                char space[CMSG_SPACE(2 * sizeof(int))];
                struct cmsghdr align;
        } control = {0};
        struct iovec part = {.iov_base = (void *)r, .iov_len = sizeof(r->head) + r->n};
        struct msghdr m = {.msg_iov = &part,
                           .msg_iovlen = 1,
                           .msg_control = &control,
                           .msg_controllen = sizeof(control)};
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        const int fd[2] = {output, socket};

        if (r->n > sizeof(r->bytes))
                return -E2BIG;
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(fd));
        memcpy(CMSG_DATA(c), fd, sizeof(fd));
        return sendmsg(to, &m, MSG_DONTWAIT | MSG_NOSIGNAL) == -1 ? -errno : 0;
}

/* Asks for the command; its two descriptors are the probe's. */
static int request(struct probe *p, const struct probe_house *house)
{
        static struct request r; /* too much for a stack */
        int pipe[2], pair[2], e;

        r.head = (struct command_request){.key = (uintptr_t)p->check};
        r.n = 0;
        if (p->check->kind == CHECK_COMMAND)
                put_command(&r, p);
        else
                put_look(&r, house, p->check);
        if (pipe2(pipe, O_CLOEXEC) == -1)
                return -errno;
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1) {
                e = -errno;
                close(pipe[0]);
                close(pipe[1]);
                return e;
        }
        e = send_request(house->commands, &r, pipe[1], pair[1]);
        close(pipe[1]);
        close(pair[1]);
        if (e == 0 && fcntl(pipe[0], F_SETFL, O_NONBLOCK) == -1)
                e = -errno;
        p->output = pipe[0];
        p->socket = pair[0];
        if (e != 0) {
                close(pipe[0]);
                close(pair[0]);
        }
        return e;
}

static int begin(void *shared, const struct probe_house *house, const struct config_check *check,
                 probe_done_fn *on_done, void *user, struct probe **ret_probe)
{
        struct probe *p;
        int e;

        if (house->commands < 0)
                return house->commands;
        p = calloc(1, sizeof(*p));
        if (p == NULL)
                return -ENOMEM;
        p->check = check;
        p->on_done = on_done;
        p->user = user;
        if (check->kind == CHECK_COMMAND && check->command.style == COMMAND_MON)
                p->past = shared;
        e = request(p, house);
        if (e != 0) {
                free(p);
                if (e == -EPIPE) { /* who runs them is dead: the core starts us both again */
                        uv_stop(house->loop);
                        e = -ECHILD;
                }
                return e;
        }
        uv_poll_init(house->loop, &p->reading, p->output);
        uv_poll_init(house->loop, &p->waiting, p->socket);
        p->handles = 2;
        p->reading.data = p->waiting.data = p;
        uv_poll_start(&p->reading, UV_READABLE, on_output);
        uv_poll_start(&p->waiting, UV_READABLE, on_status);
        *ret_probe = p;
        return 0;
}

static int open_command(const struct probe_house *house, void **ret_shared)
{
        return command_past_new((struct command_past **)ret_shared);
}

static void close_command(void *shared)
{
        command_past_free(shared);
}

static void forget(void *shared, const struct config_check *check)
{
        command_past_forget(shared, check);
}

const struct probe_kind probe_command = {
        .open = open_command, .close = close_command, .begin = begin, .cut = cut, .forget = forget};
const struct probe_kind probe_local = {.begin = begin, .cut = cut};
