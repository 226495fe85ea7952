#include "cli/connection.h"

#include "base/text.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define INPUT_ROOM_FIRST 65536
#define INPUT_ROOM_MAX   (16 * 1024 * 1024) /* several times the largest view: more is no havend */

static enum cli_status say_no_daemon(const char *path, int error)
{
        switch (error) {
        case ENOENT:
        case ECONNREFUSED:
        case ENOTSOCK:
        case ENOTDIR:
                fprintf(stderr,
                        "haven: no havend listens on %s (%s): start it with 'systemctl start havend', or "
                        "name "
                        "its "
                        "socket with -s\n",
                        path, strerror(error));
                return CLI_NO_DAEMON;
        case EACCES:
        case EPERM: return cli_fail("%s is for root and its group only: try again with sudo", path);
        default: return cli_fail("cannot connect to %s: %s", path, strerror(error));
        }
}

enum cli_status connection_open(struct connection *c, const char *path, bool quiet)
{
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int error = 0;

        *c = (struct connection){.fd = -1};
        if (!text_copy(address.sun_path, sizeof(address.sun_path), path))
                error = ENAMETOOLONG;
        else
                c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (!error && (c->fd == -1 || connect(c->fd, (struct sockaddr *)&address, sizeof(address)) == -1))
                error = errno;
        if (!error)
                return CLI_DONE;
        connection_close(c);
        return quiet ? CLI_NO_DAEMON : say_no_daemon(path, error);
}

void connection_close(struct connection *c)
{
        if (c->fd != -1)
                close(c->fd);
        free(c->input);
        *c = (struct connection){.fd = -1};
}

void connection_set_patience(struct connection *c, int seconds)
{
        struct timeval tv = {.tv_sec = seconds};

        int r = setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
        assert(r == 0);
}

int connection_send(struct connection *c, json_t *request)
{
        char *text = json_dumps(request, JSON_COMPACT);
        int error = 0;

        assert(text);
        json_decref(request);
        size_t n = strlen(text);
        text[n++] = '\n'; /* in place of the end: sent by length */
        for (size_t done = 0; done < n && !error;) {
                ssize_t r = send(c->fd, text + done, n - done, MSG_NOSIGNAL);
                if (r == -1)
                        error = -errno;
                else
                        done += (size_t)r;
        }
        free(text);
        return error;
}

int connection_fill(struct connection *c)
{
        if (c->used == c->room) {
                if (c->room == INPUT_ROOM_MAX)
                        return -EMSGSIZE;
                c->room = c->room ? c->room * 2 : INPUT_ROOM_FIRST;
                c->input = realloc(c->input, c->room);
                assert(c->input);
        }
        ssize_t r = recv(c->fd, c->input + c->used, c->room - c->used, 0);
        if (r == -1)
                return -errno;
        c->used += (size_t)r;
        return r == 0 ? -ENODATA : 0;
}

json_t *connection_next(struct connection *c, bool *ret_bad)
{
        const char *newline = c->used ? memchr(c->input, '\n', c->used) : NULL;
        json_t *json;

        *ret_bad = false;
        if (!newline)
                return NULL;
        size_t n = (size_t)(newline - c->input);
        json = json_loadb(c->input, n, 0, NULL);
        c->used -= n + 1;
        memmove(c->input, c->input + n + 1, c->used);
        *ret_bad = !json;
        return json;
}

static enum cli_status say_lost(int error, int patience_s)
{
        if (error == -EAGAIN)
                return cli_fail(
                        "havend has not answered within %d s: is the machine overloaded? 'haven events' "
                        "and the system's log tell more",
                        patience_s);
        if (error == -ENODATA || error == -ECONNRESET || error == -EPIPE) {
                fprintf(stderr,
                        "haven: havend has gone without an answer: 'haven status' tells what was done\n");
                return CLI_NO_DAEMON;
        }
        return cli_fail("talking to havend: %s", strerror(-error));
}

enum cli_status ask(const char *socket, json_t *request, int patience_s, json_t **ret_answer)
{
        struct connection c;
        enum cli_status status = connection_open(&c, socket, false);
        json_t *answer = NULL;
        bool bad = false;

        *ret_answer = NULL;
        if (status != CLI_DONE) {
                json_decref(request);
                return status;
        }
        connection_set_patience(&c, patience_s);
        int error = connection_send(&c, request);
        while ((!error || error == -EPIPE) && !(answer = connection_next(&c, &bad)) && !bad)
                error = connection_fill(&c); /* havend may have told us why it closes */
        connection_close(&c);
        if (bad)
                return cli_fail("what listens on %s does not speak havend's language", socket);
        if (!answer)
                return say_lost(error, patience_s);
        if (json_is_true(json_object_get(answer, "ok"))) {
                *ret_answer = answer;
                return CLI_DONE;
        }
        const char *why = json_string_value(json_object_get(answer, "error"));
        status = cli_fail("%s", why ? why : "refused without a reason");
        json_decref(answer);
        return status;
}
