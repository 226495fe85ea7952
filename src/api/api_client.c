#include "api/api_client.h"

#include "api/view_json.h"
#include "base/log.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_ROOM_FIRST 1024 /* nearly every request fits */

/* Bytes on their way to a client. */
struct parcel {
        uv_write_t request;
        size_t n;
        char bytes[];
};

static void on_closed(uv_handle_t *handle)
{
        struct client *c = handle->data;

        free(c->input);
        free(c);
}

void client_drop(struct client *c)
{
        if (c->closing)
                return;
        c->closing = true;
        if (c->reply)
                c->reply->client = NULL;
        c->reply = NULL;
        api_forget(c->api, c);
        uv_close((uv_handle_t *)&c->pipe, on_closed);
}

static bool client_fetched_all(const struct client *c)
{
        return uv_stream_get_write_queue_size((const uv_stream_t *)&c->pipe) == 0;
}

/* Lets go of a client that wants nothing more and has everything. */
static void client_end(struct client *c)
{
        if (c->ended && !c->reply && client_fetched_all(c))
                client_drop(c);
}

void client_is_active(struct client *c)
{
        c->quiet = SPAN_ZERO;
}

static void on_written(uv_write_t *request, int status)
{
        struct client *c = request->handle->data;

        free(request->data);
        if (c->closing)
                return;
        if (status < 0) {
                client_drop(c);
                return;
        }
        client_is_active(c);
        client_end(c);
}

/* As much as the socket takes at once: most answers are read by who waits for them, and need no other turn of
 * the loop. */
static size_t send_now(struct client *c, const char *bytes, size_t n)
{
        uv_buf_t buffer = uv_buf_init((char *)bytes, (unsigned)n);
        int sent = client_fetched_all(c) ? uv_try_write((uv_stream_t *)&c->pipe, &buffer, 1) : 0;

        return sent > 0 ? (size_t)sent : 0; /* what is wrong with it, the ordinary way finds out */
}

void client_send_bytes(struct client *c, const char *bytes, size_t n)
{
        if (c->closing)
                return;
        size_t sent = send_now(c, bytes, n);
        bytes += sent;
        n -= sent;
        if (n == 0)
                return;
        /* one answer alone may be larger, as a table of 10 000 servers is */
        size_t unread = uv_stream_get_write_queue_size((uv_stream_t *)&c->pipe);
        if (unread > 0 && unread + n > API_UNREAD_MAX) {
                log_warning("control socket: a client does not fetch its answers, dropped");
                client_drop(c);
                return;
        }
        struct parcel *p = malloc(sizeof(*p) + n);
        assert(p);
        p->n = n;
        p->request.data = p;
        memcpy(p->bytes, bytes, n);
        uv_buf_t buffer = uv_buf_init(p->bytes, (unsigned)n);
        if (uv_write(&p->request, (uv_stream_t *)&c->pipe, &buffer, 1, on_written) != 0) {
                free(p);
                client_drop(c);
        }
}

void client_send(struct client *c, json_t *json)
{
        char *text = json_dumps(json, JSON_COMPACT);

        assert(text);
        size_t n = strlen(text);
        text[n] = '\n'; /* in place of the end: the line is sent by length */
        client_send_bytes(c, text, n + 1);
        free(text);
        json_decref(json);
}

void client_check_patience(struct client *c, span passed)
{
        bool waits_for_us = c->reply || c->follows != FOLLOWS_NOTHING;

        c->quiet = span_add(c->quiet, passed);
        if (c->quiet.us < API_PATIENCE.us || (waits_for_us && client_fetched_all(c)))
                return;
        log_debug("control socket: a client has been idle for too long, dropped");
        client_drop(c);
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buffer);
static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer);

void client_work(struct client *c)
{
        size_t done = 0;

        if (c->working)
                return; /* the order was carried out at once: the loop below goes on */
        c->working = true;
        while (!c->closing && !c->reply && done < c->input_used) {
                const char *line = c->input + done;
                size_t left = c->input_used - done;
                const char *newline = memchr(line, '\n', left);

                if (!newline && !c->ended)
                        break;
                /* the last line may lack its newline: half a JSON object is none, so nothing is misread */
                size_t n = newline ? (size_t)(newline - line) : left;
                done += newline ? n + 1 : n;
                api_answer(c->api, c, line, n);
        }
        c->working = false;
        if (c->closing)
                return;
        c->input_used -= done;
        if (done > 0)
                memmove(c->input, c->input + done, c->input_used);
        if (done > 0 && c->stopped) {
                c->stopped = false;
                uv_read_start((uv_stream_t *)&c->pipe, on_room, on_read);
        }
        client_end(c);
}

/* Says what was wrong and closes as soon as that has been fetched. */
static void client_refuse(struct client *c, const char *why)
{
        c->input_used = 0;
        c->ended = true;
        uv_read_stop((uv_stream_t *)&c->pipe);
        client_send(c, api_refusal(why));
        client_end(c);
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buffer)
{
        struct client *c = handle->data;

        if (c->input_used == c->input_room && c->input_room < API_REQUEST_SIZE_MAX) {
                c->input_room = c->input_room ? c->input_room * 2 : INPUT_ROOM_FIRST;
                c->input = realloc(c->input, c->input_room);
                assert(c->input);
        }
        *ret_buffer = uv_buf_init(c->input + c->input_used, (unsigned)(c->input_room - c->input_used));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer)
{
        struct client *c = stream->data;

        if (n == UV_EOF && c->follows == FOLLOWS_NOTHING) {
                c->ended = true;
                uv_read_stop(stream);
                client_work(c);
                return;
        }
        if (n < 0 && n != UV_ENOBUFS) {
                client_drop(c); /* a follower that has gone would be noticed at the next event only */
                return;
        }
        if (n > 0) {
                c->input_used += (size_t)n;
                client_is_active(c);
                client_work(c);
        }
        if (c->closing || c->input_used < API_REQUEST_SIZE_MAX)
                return;
        if (memchr(c->input, '\n', c->input_used)) { /* they wait for the answer to the one before */
                c->stopped = true;
                uv_read_stop(stream);
        } else {
                client_refuse(c, "a request must be one line of at most 64 KiB");
        }
}

struct client *client_new(struct api *api, uv_stream_t *server)
{
        struct client *c = calloc(1, sizeof(*c));

        assert(c);
        c->api = api;
        uv_pipe_init(server->loop, &c->pipe, 0);
        c->pipe.data = c;
        if (uv_accept(server, (uv_stream_t *)&c->pipe) != 0 ||
            uv_read_start((uv_stream_t *)&c->pipe, on_room, on_read) != 0) {
                c->closing = true;
                uv_close((uv_handle_t *)&c->pipe, on_closed);
                return NULL;
        }
        return c;
}
