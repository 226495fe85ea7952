/* `haven restart`: the program that stands in havend's place is asked whether it could go on from here; only
 * then does the supervisor become it. A bad configuration, a state of a later release, a program that does
 * not even start: all of them show in the rehearsal, while the present one serves on. */
#include "core/core.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REHEARSAL_MS 5000

struct rehearsal {
        struct core *core;
        struct api_reply *reply;
        uv_process_t process;
        uv_pipe_t words; /* what it writes on standard error */
        uv_timer_t patience;
        int open; /* handles */
        bool ended, late;
        int64_t status;
        char text[1024];
        size_t n;
};

static void on_closed(uv_handle_t *handle)
{
        struct rehearsal *r = handle->data;

        if (--r->open == 0)
                free(r);
}

/* When it has ended, and all that it had to say has come. */
static void conclude(struct rehearsal *r)
{
        char text[1200];
        size_t n = strcspn(r->text, "\n");

        if (!r->ended || uv_is_active((uv_handle_t *)&r->words))
                return;
        r->text[n] = '\0';
        if (r->status == 0)
                api_reply_send(r->reply, 0, "restarting");
        else if (r->late)
                api_reply_send(r->reply, -ETIMEDOUT,
                               "the havend to be started did not answer within 5 s; nothing was changed");
        else {
                snprintf(text, sizeof(text), "%s; nothing was changed",
                         n ? r->text : "the havend to be started ends without a word");
                api_reply_send(r->reply, -EINVAL, text);
        }
        if (r->status == 0)
                inheritance_say(&r->core->inherited, SAY_RESTART);
        uv_close((uv_handle_t *)&r->patience, on_closed);
        uv_close((uv_handle_t *)&r->process, on_closed);
        uv_close((uv_handle_t *)&r->words, on_closed);
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buffer)
{
        static char rest[256];
        struct rehearsal *r = handle->data;
        size_t room = sizeof(r->text) - 1 - r->n;

        *ret_buffer = room ? uv_buf_init(r->text + r->n, (unsigned)room) : uv_buf_init(rest, sizeof(rest));
}

static void on_words(uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer)
{
        struct rehearsal *r = stream->data;

        if (n > 0 && buffer->base == r->text + r->n)
                r->n += (size_t)n;
        if (n >= 0)
                return;
        uv_read_stop(stream);
        conclude(r);
}

static void on_end(uv_process_t *process, int64_t status, int signal)
{
        struct rehearsal *r = process->data;

        r->ended = true;
        r->status = signal ? 128 + signal : status;
        uv_timer_stop(&r->patience);
        conclude(r);
}

static void on_late(uv_timer_t *timer)
{
        struct rehearsal *r = timer->data;

        r->late = true;
        uv_process_kill(&r->process, SIGKILL);
}

/* The file may have lost a group since: whoever follows could not stop it. */
static void tell_held(const struct core *core)
{
        char held[GROUPS_MAX * (NAME_SIZE + 2)];
        size_t n = 0;

        held[0] = '\0';
        for (size_t i = 0; i < core->config->group_count; i++) {
                const struct config_group *g = &core->config->group[i];
                if (cluster_holds(core->brain, g->id))
                        n += (size_t)snprintf(held + n, sizeof(held) - n, "%s%s%s", n ? " " : "", g->name,
                                              g->everywhere ? "*" : "");
        }
        setenv(INHERIT_HELD, held, 1);
}

void core_restart(struct core *core, struct api_reply *reply)
{
        char *argv[OPTIONS_ARGV];
        struct options options = core->options;
        struct rehearsal *r = core->inherited.program[0] ? calloc(1, sizeof(*r)) : NULL;

        if (!r) {
                api_reply_send(reply, -ENOENT, "havend does not know its own path: stop and start it");
                return;
        }
        *r = (struct rehearsal){.core = core, .reply = reply, .open = 3};
        options.ledger_layout = core->inherited.ledger->version;
        options_argv(&options, core->inherited.program, argv);
        uv_pipe_init(core->loop, &r->words, 0);
        uv_timer_init(core->loop, &r->patience);
        r->process.data = r->words.data = r->patience.data = r;
        uv_stdio_container_t stdio[] = {
                {.flags = UV_IGNORE},
                {.flags = UV_IGNORE},
                {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&r->words},
        };
        const uv_process_options_t spawn = {.exit_cb = on_end,
                                            .file = core->inherited.program,
                                            .args = argv,
                                            .stdio = stdio,
                                            .stdio_count = 3};
        tell_held(core);
        int error = uv_spawn(core->loop, &r->process, &spawn);
        unsetenv(INHERIT_HELD);
        if (error) {
                r->ended = true;
                r->status = 1;
                r->n = (size_t)snprintf(r->text, sizeof(r->text), "%s: cannot be run: %s",
                                        core->inherited.program, strerror(-error));
                conclude(r);
                return;
        }
        uv_timer_start(&r->patience, on_late, REHEARSAL_MS, 0);
        uv_read_start((uv_stream_t *)&r->words, on_room, on_words);
}

/* False: `group` runs here, and this core could not go on with it. Says so. */
static bool goes_on_with(const struct core *core, char *group)
{
        char *star = strchr(group, '*');

        if (star)
                *star = '\0';
        int i = config_find_group(core->config, group);
        bool same = i >= 0 && core->config->group[i].everywhere == (star != NULL);
        if (!same)
                fprintf(stderr, "group %s runs here and %s %s: 'haven stop %s' first, or put it back\n",
                        group, i < 0 ? "is no longer in" : "has another 'everywhere' in",
                        core->options.config, group);
        return same;
}

static bool goes_on_with_all(const struct core *core)
{
        const char *held = getenv(INHERIT_HELD);
        char *group, *rest, *words = strdup(held ? held : "");
        bool all = words != NULL;

        rest = words;
        while (all && (group = strsep(&rest, " ")))
                all = group[0] == '\0' || goes_on_with(core, group);
        free(words);
        return all;
}

int core_rehearse(struct core *core)
{
        char text[STATE_TEXT], reason[KEY_REASON];
        struct keyring keys;
        struct state s;

        if (key_load(core->config->key_path, &keys, reason) < 0) {
                fprintf(stderr, "%s\n", reason);
                return HAVEND_EXIT_CONFIG;
        }
        key_wipe(&keys);
        if (!goes_on_with_all(core))
                return HAVEND_EXIT_CONFIG;
        int error = state_load(core->options.state_dir, &s, text);
        if (error && error != -ENOENT) {
                fprintf(stderr, "%s\n", text);
                return HAVEND_EXIT_FAILURE;
        }
        if (!error && !core_understands(&s))
                return HAVEND_EXIT_FAILURE;
        return HAVEND_EXIT_OK;
}
