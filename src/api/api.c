#include "api/api.h"

#include "api/api_client.h"
#include "api/request.h"
#include "api/view_json.h"
#include "base/log.h"
#include "base/text.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define TICK_MS 1000 /* between the views of a watcher when nothing happens */
#define SOON_MS 50   /* from an event to the watchers' view: a burst of events makes one view */

struct api {
        uv_pipe_t server;
        uv_timer_t tick; /* runs while there are clients */
        uv_timer_t soon;
        int handles; /* not yet closed; the last one frees */
        struct api_hooks hooks;
        void *user;
        struct journal *journal;
        char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
        struct client *client[API_CLIENTS_MAX]; /* NULL: free */
        int client_count;
        struct view view; /* room to be filled; too large for the stack */
        char text[API_TEXT_SIZE];
};

json_t *api_refusal(const char *error)
{
        json_t *json = json_pack("{s:b, s:o}", "ok", 0, "error", text_to_json(error));

        assert(json);
        return json;
}

static json_t *consent(const char *text)
{
        json_t *json = json_pack("{s:b, s:o}", "ok", 1, "text", text_to_json(text));

        assert(json);
        return json;
}

static json_t *wrapped(const char *key, json_t *value)
{
        json_t *json = json_pack("{s:o}", key, value);

        assert(json);
        return json;
}

static json_t *present_view(struct api *api)
{
        memset(&api->view, 0, sizeof(api->view));
        api->hooks.view(api->user, &api->view);
        return view_to_json(&api->view);
}

/* Gives the present view to all who watch. A watcher that has not fetched the last one gets none: it wants
 * the newest, not all. */
static void show_watchers(struct api *api)
{
        char *text = NULL;
        size_t n = 0;

        for (int i = 0; i < API_CLIENTS_MAX; i++) {
                struct client *c = api->client[i];
                if (!c || c->follows != FOLLOWS_VIEWS ||
                    uv_stream_get_write_queue_size((uv_stream_t *)&c->pipe) > 0)
                        continue;
                if (!text) {
                        json_t *json = wrapped("view", present_view(api));
                        text = json_dumps(json, JSON_COMPACT);
                        assert(text);
                        json_decref(json);
                        n = strlen(text);
                        text[n++] = '\n'; /* in place of the end: sent by length */
                }
                client_send_bytes(c, text, n);
        }
        free(text);
}

static void on_soon(uv_timer_t *timer)
{
        show_watchers(timer->data);
}

static void on_tick(uv_timer_t *timer)
{
        struct api *api = timer->data;

        for (int i = 0; i < API_CLIENTS_MAX; i++)
                if (api->client[i])
                        client_check_patience(api->client[i], span_ms(TICK_MS));
        show_watchers(api);
}

static void send_event(void *user, const struct view_event *e)
{
        client_send(user, wrapped("event", view_event_to_json(e)));
}

static void answer_events(struct api *api, struct client *c, const struct request *r)
{
        int error = api->journal ? journal_read(api->journal, r->after, r->count, send_event, c) : -ENOENT;

        if (error) {
                snprintf(api->text, sizeof(api->text), "the events cannot be read: %s", strerror(-error));
                client_send(c, api_refusal(api->text));
        } else if (r->follow) {
                c->follows = FOLLOWS_EVENTS;
        } else {
                client_send(c, json_pack("{s:b}", "ok", 1));
        }
}

static void answer_explain(struct api *api, struct client *c, const struct request *r)
{
        api->text[0] = '\0';
        int error = api->hooks.explain(api->user, r->group, api->text, sizeof(api->text));
        client_send(c, error ? api_refusal(api->text) : consent(api->text));
}

static void answer_order(struct api *api, struct client *c, const struct request *r,
                         enum api_command_kind kind)
{
        struct api_command command = {.kind = kind, .lasts = r->lasts, .on = r->on};

        text_copy(command.group, sizeof(command.group), r->group);
        text_copy(command.node, sizeof(command.node), r->node);
        text_copy(command.text, sizeof(command.text), r->text);
        text_copy(command.about, sizeof(command.about), r->about);
        text_copy(command.who, sizeof(command.who), r->who);
        text_copy(command.server, sizeof(command.server), r->server);
        c->reply = calloc(1, sizeof(*c->reply));
        assert(c->reply);
        c->reply->client = c;
        api->hooks.command(api->user, &command, c->reply);
}

void api_answer(struct api *api, struct client *c, const char *line, size_t n)
{
        char error[REQUEST_ERROR_SIZE];
        struct request r;

        if (request_parse(line, n, &r, error) != 0) {
                client_send(c, api_refusal(error));
                return;
        }
        if (api->hooks.report) {
                client_send(c,
                            r.kind == REQUEST_STATUS
                                    ? json_pack("{s:b, s:o}", "ok", 1, api->hooks.report_name,
                                                api->hooks.report(api->user))
                                    : api_refusal("this is no node of a cluster: it answers 'status' alone"));
                return;
        }
        switch (r.kind) {
        case REQUEST_STATUS:
                client_send(c, json_pack("{s:b, s:o}", "ok", 1, "view", present_view(api)));
                return;
        case REQUEST_CHECKS:
                client_send(c, json_pack("{s:b, s:o}", "ok", 1, "checks",
                                         api->hooks.checks ? api->hooks.checks(api->user) : json_object()));
                return;
        case REQUEST_WATCH:
                c->follows = FOLLOWS_VIEWS;
                client_send(c, wrapped("view", present_view(api)));
                return;
        case REQUEST_EVENTS: answer_events(api, c, &r); return;
        case REQUEST_EXPLAIN: answer_explain(api, c, &r); return;
        case REQUEST_MOVE: answer_order(api, c, &r, API_MOVE); return;
        case REQUEST_STOP: answer_order(api, c, &r, API_STOP); return;
        case REQUEST_START: answer_order(api, c, &r, API_START); return;
        case REQUEST_CLEAR: answer_order(api, c, &r, API_CLEAR); return;
        case REQUEST_STANDBY: answer_order(api, c, &r, API_STANDBY); return;
        case REQUEST_ONLINE: answer_order(api, c, &r, API_ONLINE); return;
        case REQUEST_MAINTENANCE: answer_order(api, c, &r, API_MAINTENANCE); return;
        case REQUEST_RELOAD: answer_order(api, c, &r, API_RELOAD); return;
        case REQUEST_CONFIRM: answer_order(api, c, &r, API_CONFIRM); return;
        case REQUEST_FENCE: answer_order(api, c, &r, API_FENCE); return;
        case REQUEST_CONFIRM_OFF: answer_order(api, c, &r, API_CONFIRM_OFF); return;
        case REQUEST_RESTART: answer_order(api, c, &r, API_RESTART); return;
        case REQUEST_ACK: answer_order(api, c, &r, API_ACK); return;
        case REQUEST_SILENCE: answer_order(api, c, &r, API_SILENCE); return;
        case REQUEST_DISABLE: answer_order(api, c, &r, API_DISABLE); return;
        case REQUEST_ENABLE: answer_order(api, c, &r, API_ENABLE); return;
        case REQUEST_LVS:
                client_send(c, api->hooks.lvs
                                       ? json_pack("{s:b, s:o}", "ok", 1, "lvs", api->hooks.lvs(api->user))
                                       : api_refusal("there are no directors here"));
                return;
        case REQUEST_DRAIN: answer_order(api, c, &r, API_DRAIN); return;
        case REQUEST_UNDRAIN: answer_order(api, c, &r, API_UNDRAIN); return;
        }
}

void api_reply_send(struct api_reply *reply, int error, const char *text)
{
        struct client *c = reply->client;

        assert(error <= 0);
        free(reply);
        if (!c)
                return;
        c->reply = NULL;
        client_is_active(c);
        client_send(c, error ? api_refusal(text[0] ? text : strerror(-error)) : consent(text));
        if (!c->closing)
                client_work(c);
}

void api_event(struct api *api, const struct view_event *e)
{
        for (int i = 0; i < API_CLIENTS_MAX; i++) {
                struct client *c = api->client[i];
                if (c && c->follows == FOLLOWS_EVENTS)
                        send_event(c, e);
                else if (c && c->follows == FOLLOWS_VIEWS && !uv_is_active((uv_handle_t *)&api->soon))
                        uv_timer_start(&api->soon, on_soon, SOON_MS, 0);
        }
}

void api_forget(struct api *api, struct client *c)
{
        for (int i = 0; i < API_CLIENTS_MAX; i++)
                if (api->client[i] == c)
                        api->client[i] = NULL;
        api->client_count--;
        if (api->client_count == 0)
                uv_timer_stop(&api->tick); /* an idle core sleeps */
}

static void on_excess_closed(uv_handle_t *handle)
{
        free(handle);
}

/* Takes the connection off the queue, so that its owner learns why instead of waiting. */
static void turn_away(uv_stream_t *server)
{
        static char text[] =
                "{\"ok\":false,\"error\":\"the control socket has its 32 clients already: end one "
                "(haven watch, haven events -f) and try again\"}\n";
        uv_buf_t buffer = uv_buf_init(text, sizeof(text) - 1);
        uv_pipe_t *pipe = malloc(sizeof(*pipe));

        assert(pipe);
        uv_pipe_init(server->loop, pipe, 0);
        if (uv_accept(server, (uv_stream_t *)pipe) == 0)
                uv_try_write((uv_stream_t *)pipe, &buffer, 1);
        uv_close((uv_handle_t *)pipe, on_excess_closed);
}

static void on_connection(uv_stream_t *server, int status)
{
        struct api *api = server->data;
        int slot = 0;

        if (status < 0)
                return; /* out of descriptors: libuv has closed the connection */
        while (slot < API_CLIENTS_MAX && api->client[slot])
                slot++;
        if (slot == API_CLIENTS_MAX) {
                turn_away(server);
                return;
        }
        api->client[slot] = client_new(api, server);
        if (!api->client[slot])
                return;
        api->client_count++;
        if (api->client_count == 1)
                uv_timer_start(&api->tick, on_tick, TICK_MS, TICK_MS);
}

static void on_handle_closed(uv_handle_t *handle)
{
        struct api *api = handle->data;

        if (--api->handles == 0)
                free(api);
}

/* Whether some process still listens there. */
static bool somebody_listens(const char *path)
{
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        if (fd == -1)
                return false;
        text_copy(address.sun_path, sizeof(address.sun_path), path);
        int r = connect(fd, (struct sockaddr *)&address, sizeof(address));
        bool listens = r == 0 || errno == EAGAIN; /* EAGAIN: its queue is full */
        close(fd);
        return listens;
}

static int listen_on(struct api *api, const char *path)
{
        struct stat st;
        int error;

        if (!text_copy(api->path, sizeof(api->path), path)) {
                api->path[0] = '\0';
                return -ENAMETOOLONG;
        }
        if (somebody_listens(path)) {
                api->path[0] = '\0'; /* not ours to remove */
                return -EADDRINUSE;
        }
        if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
                unlink(path);
        error = uv_pipe_bind(&api->server, path);
        if (error) {
                api->path[0] = '\0';
                return error;
        }
        /* before listen(): until then nobody can connect, whatever the umask made of it */
        if (chmod(path, 0660) == -1)
                return -errno;
        return uv_listen((uv_stream_t *)&api->server, API_CLIENTS_MAX, on_connection);
}

int api_new(uv_loop_t *loop, const char *path, const struct api_hooks *hooks, void *user,
            struct journal *journal, struct api **ret_api)
{
        struct api *api = calloc(1, sizeof(*api));

        assert(api);
        api->hooks = *hooks;
        api->user = user;
        api->journal = journal;
        uv_pipe_init(loop, &api->server, 0);
        uv_timer_init(loop, &api->tick);
        uv_timer_init(loop, &api->soon);
        api->handles = 3;
        api->server.data = api->tick.data = api->soon.data = api;
        /* libuv writes with write(2): a client that has left must not kill the core */
        signal(SIGPIPE, SIG_IGN);
        int error = listen_on(api, path);
        if (error) {
                api_free(api);
                return error;
        }
        *ret_api = api;
        return 0;
}

void api_free(struct api *api)
{
        if (!api)
                return;
        for (int i = 0; i < API_CLIENTS_MAX; i++)
                if (api->client[i])
                        client_drop(api->client[i]);
        if (api->path[0])
                unlink(api->path);
        uv_close((uv_handle_t *)&api->server, on_handle_closed);
        uv_close((uv_handle_t *)&api->tick, on_handle_closed);
        uv_close((uv_handle_t *)&api->soon, on_handle_closed);
}
