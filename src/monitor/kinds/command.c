/* command.c - any command as a check, by the three conventions there are; and haven-look and its like,
 * which are more commands: for this machine, and for databases.
 *
 * The command runs elsewhere (command_host.h); here its output is read, bounded, and its end judged. */
#include "monitor/kinds/command_past.h"
#include "monitor/kinds/command_words.h"
#include "monitor/look/sql.h"
#include "monitor/probe.h"
#include "monitor/runner/command_host.h"

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

static bool is_sql(const struct probe *p)
{
        return p->check->kind == CHECK_POSTGRESQL || p->check->kind == CHECK_MYSQL;
}

/* Whether the one that looks at a database has said that it is connected, in a line before its words. */
static bool is_connected(const struct probe *p)
{
        return p->text_n > 0 && strncmp(p->text, LOOK_CONNECTED, strlen(LOOK_CONNECTED)) == 0;
}

static const char *words_of(const struct probe *p)
{
        return is_sql(p) && is_connected(p) ? p->text + strlen(LOOK_CONNECTED) : p->text;
}

/* The first line, without what ends it. */
static int first_line(const struct probe *p)
{
        const char *text = p->text_n == 0 ? "" : words_of(p);
        size_t n = strcspn(text, "\r\n");

        while (n > 0 && text[n - 1] == ' ')
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

/* As haven-look says it (look/main.c). */
static enum reason reason_look(int status)
{
        switch (status) {
        case 0: return REASON_WORKS;
        case 1: return REASON_LIMIT;
        case 2: return REASON_MISSING;
        default: return REASON_LOCAL;
        }
}

/* As the programs for databases say it (look/sql.h). */
static enum reason reason_sql(int status)
{
        return status >= LOOK_STATUS && status < LOOK_STATUS + REASONS ? (enum reason)(status - LOOK_STATUS)
                                                                       : REASON_LOCAL;
}

static enum reason reason_of(const struct config_check *c, int status)
{
        switch (c->kind) {
        case CHECK_COMMAND: break;
        case CHECK_POSTGRESQL:
        case CHECK_MYSQL: return reason_sql(status);
        default: return reason_look(status);
        }
        if (c->command.style == COMMAND_NAGIOS)
                return reason_nagios(&c->command, status);
        return status == 0 ? REASON_WORKS : REASON_FAILED;
}

static void judge(struct probe *p, int status, struct ending *e)
{
        const struct config_check *c = p->check;

        if (WIFSIGNALED(status)) {
                e->reason = REASON_KILLED;
                e->detail = WTERMSIG(status);
        } else {
                e->reason = reason_of(c, WEXITSTATUS(status));
                e->detail = e->reason == REASON_FAILED ? WEXITSTATUS(status) : 0;
        }
        if (p->text != NULL)
                ending_say(e, "%.*s", first_line(p), words_of(p));
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
        ret_ending->reason = !is_sql(p)        ? REASON_UNFINISHED
                             : is_connected(p) ? REASON_NO_ANSWER
                                               : REASON_NO_CONNECTION;
        if (p->text != NULL)
                ending_say(ret_ending, "%.*s", first_line(p), words_of(p));
        if (p->past != NULL)
                command_past_add(p->past, p->check, false, ret_ending->said, p->text);
        probe_free(p);
}

/* --- the beginning --- */

static int send_request(int to, const struct command_words *r, int output, int socket)
{
        union {
                char space[CMSG_SPACE(2 * sizeof(int))];
                struct cmsghdr align;
        } control = {0};
        struct iovec part = {.iov_base = (void *)r, .iov_len = command_words_size(r)};
        struct msghdr m = {.msg_iov = &part,
                           .msg_iovlen = 1,
                           .msg_control = &control,
                           .msg_controllen = sizeof(control)};
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        const int fd[2] = {output, socket};

        if (part.iov_len > COMMAND_REQUEST_MAX)
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
        static struct command_words r; /* too much for a stack */
        int pipe[2], pair[2], e;

        command_words_of(p->check, p->past, house->directory, &r);
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
