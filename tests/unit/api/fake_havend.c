/* fake-havend SOCKET JOURNAL [watches]: the real control socket over a made-up cluster, for haven_test.py.
 * Says "ready" when it listens and ends at the end of its input. Orders about the group "stuck" are refused,
 * orders about the group "silent" never answered. Each order carried out becomes an event. */
#include "api/api.h"
#include "situations.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct api *api;
static struct journal *journal;
static struct view_group changed; /* what orders did to the first group */

static const char *const names[] = {[API_MOVE] = "move",
                                    [API_STOP] = "stop",
                                    [API_START] = "start",
                                    [API_CLEAR] = "clear",
                                    [API_STANDBY] = "standby",
                                    [API_ONLINE] = "online",
                                    [API_RELOAD] = "reload",
                                    [API_MAINTENANCE] = "maintenance",
                                    [API_CONFIRM] = "confirm",
                                    [API_FENCE] = "fence",
                                    [API_CONFIRM_OFF] = "confirm-off",
                                    [API_RESTART] = "restart"};

static void give_view(void *user, struct view *ret_view)
{
        situation_calm(ret_view);
        if (changed.node[0])
                memcpy(ret_view->group[0].node, changed.node, sizeof(changed.node));
}

static int give_explanation(void *user, const char *group, char *text, size_t size)
{
        bool known = strcmp(group, "web") == 0;

        snprintf(text, size,
                 known ? "alpha: preferred and well" : "there is no group '%s': haven status lists them",
                 group);
        return known ? 0 : -ENOENT;
}

static json_t *give_checks(void *user)
{
        json_t *checks = json_pack(
                "{s:[{s:s,s:s,s:s,s:s,s:I,s:s,s:s},{s:s,s:s,s:s,s:s,s:I,s:s,s:s},"
                "{s:s,s:s,s:s,s:s,s:I,s:s,s:s}],s:[{s:s,s:s,s:s,s:s,s:I}]}",
                "watched", "watch", "farm", "service", "http", "host", "10.1.0.11", "state", "down", "age_us",
                (json_int_t)90000000, "text", "refused", "quiet", "acknowledged", "watch", "farm", "service",
                "http", "host", "10.1.0.12", "state", "up", "age_us", (json_int_t)90000000, "text", "works",
                "quiet", "", "watch", "routers", "service", "ping", "host", "10.0.0.254", "state", "up",
                "age_us", (json_int_t)90000000, "text", "works", "quiet", "", "marks", "kind", "acknowledged",
                "about", "farm:http@10.1.0.11", "who", "me", "text", "new disk", "left_us", (json_int_t)-1);

        assert(checks);
        return checks;
}

static json_t *give_lvs(void *user)
{
        json_t *lvs =
                json_pack("{s:s,s:[{s:s,s:[{s:[{s:s},{s:s}]},{s:[{s:s}]}]}]}", "node", "alpha", "directors",
                          "state", "active", "services", "servers", "address", "10.1.0.11:80", "address",
                          "10.1.0.12:80", "servers", "address", "10.1.0.11:80");

        assert(lvs);
        return lvs;
}

static void take_order(void *user, const struct api_command *c, struct api_reply *reply)
{
        char text[320];
        struct view_event e;

        if (strcmp(c->group, "stuck") == 0) {
                api_reply_send(reply, -EBUSY, "stuck cannot move: beta is offline; start beta");
                return;
        }
        if (strcmp(c->group, "silent") == 0)
                return;
        memcpy(changed.node, c->node, sizeof(changed.node));
        snprintf(text, sizeof(text), "%s group=%s node=%s lasts=%lld on=%d text=%s", names[c->kind], c->group,
                 c->node, (long long)c->lasts.us / 1000000, c->on, c->text);
        journal_append(journal, 1700000000000000, "order", c->group, text, &e);
        api_event(api, &e);
        api_reply_send(reply, 0, text);
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buffer)
{
        static char room[64];

        *ret_buffer = uv_buf_init(room, sizeof(room));
}

static void on_input(uv_stream_t *input, ssize_t n, const uv_buf_t *buffer)
{
        if (n >= 0)
                return;
        api_free(api);
        uv_close((uv_handle_t *)input, NULL);
}

int main(int argc, char **argv)
{
        struct api_hooks hooks = {.view = give_view, .explain = give_explanation, .command = take_order};
        uv_loop_t *loop = uv_default_loop();
        uv_pipe_t input;

        assert(argc == 3 || argc == 4);
        if (argc == 4) {
                hooks.checks = give_checks;
                hooks.lvs = give_lvs;
        }
        if (journal_open(argv[2], &journal) != 0 || api_new(loop, argv[1], &hooks, NULL, journal, &api) != 0)
                return 1;
        uv_pipe_init(loop, &input, 0);
        uv_pipe_open(&input, 0);
        uv_read_start((uv_stream_t *)&input, on_room, on_input);
        puts("ready");
        fflush(stdout);
        uv_run(loop, UV_RUN_DEFAULT);
        journal_close(journal);
        return 0;
}
