/* haven-core: started by havend, and again whenever it dies; what it finds in the ledger it goes on with. */
#include "core/core.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static void on_mistake(void *user, const char *file, int line, const char *text)
{
        config_print_mistake(stderr, file, line, text);
}

static int read_config(struct core *core)
{
        core->config = config_load(core->options.config, on_mistake, NULL);
        if (!core->config)
                return HAVEND_EXIT_CONFIG;
        core->self = config_find_node(core->config, core->options.node);
        if (core->self < 0) {
                fprintf(stderr,
                        "%s: there is no node '%s' in it: name this machine's node with havend -n NODE\n",
                        core->options.config, core->options.node);
                return HAVEND_EXIT_CONFIG;
        }
        return 0;
}

/* The nodes have the numbers that the document gives them, whatever the order of their names. */
static int arrange(struct core *core)
{
        uint32_t ids[DOCUMENT_NODES_MAX];
        char text[STATE_TEXT];
        struct state s;

        if (state_load(core->options.state_dir, &s, text) < 0 || s.document.voters == 0 ||
            strcmp(s.node, core->options.node) != 0)
                return 0;
        for (uint8_t i = 0; i < s.document.member_count; i++)
                ids[i] = s.document.member[i].name;
        int error = config_arrange(core->config, ids, s.document.member_count);
        if (error) {
                fprintf(stderr,
                        "the cluster has had more than %d nodes by now: stop havend on all, 'haven init "
                        "--force' on "
                        "all, and start them\n",
                        NODES_MAX);
                return error;
        }
        core->self = config_find_node(core->config, core->options.node);
        return 0;
}

/* Heartbeats must not wait for the disk or for other programs. */
static void take_priority(void)
{
        struct sched_param rr = {.sched_priority = PRIORITY_CORE};

        if (sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &rr) == -1)
                log_warning("core: runs without real-time priority: %s", strerror(errno));
        if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) == -1)
                log_warning("core: runs without locked memory: %s", strerror(errno));
}

static void on_message(void *user, const struct message *m, int link, instant received)
{
        core_event(user,
                   &(struct cluster_event){
                           .kind = CLUSTER_EV_MESSAGE, .message = m, .link = (uint8_t)link, .now = received});
}

static void on_copy(void *user, int node, int link, instant received)
{
        core_event(user, &(struct cluster_event){.kind = CLUSTER_EV_COPY,
                                                 .from = (uint8_t)node,
                                                 .link = (uint8_t)link,
                                                 .now = received});
}

static void on_refused(void *user, int node, int link, enum packet_refusal why, const struct ip *from)
{
        struct core *core = user;
        char text[IP_TEXT];

        log_warning("link %d: packets from %s (%s) are refused: %s", link,
                    from ? ip_format(from, text) : "it",
                    node < 0 ? "no node of ours" : core->config->node[node].name, packet_refusal_name(why));
}

static void on_link(void *user, int node, int link, int error)
{
        struct core *core = user;
        char name[LINK_NAME];
        const char *to = node < 0 ? "our own end" : core->config->node[node].name;

        config_link_name(core->config, link, core->self, node < 0 ? core->self : node, name);
        if (error)
                log_warning("link %d (%s), %s: cannot send: %s", link, name, to, strerror(-error));
        else
                log_info("link %d (%s), %s: sending works again", link, name, to);
}

static void on_term(uv_signal_t *signal, int number)
{
        struct core *core = signal->data;

        uv_signal_stop(signal);
        core_event(core, &(struct cluster_event){.kind = CLUSTER_EV_LEAVE});
}

/* Another core follows: what runs goes on running. */
static void on_usr2(uv_signal_t *signal, int number)
{
        struct core *core = signal->data;

        log_info("core: ends for a restart");
        core->exiting = core->succeeded = true;
        uv_stop(core->loop);
}

static void on_hup(uv_signal_t *signal, int number)
{
        char text[4096];
        int error = core_reload(signal->data, SPAN_ZERO, text, sizeof(text));

        if (error)
                log_error("reload: %s", text);
        else
                log_info("reload: %s", text);
}

/* Without a supervisor nobody would release what we hold when we die too: give it away while we can. */
static void on_life(uv_poll_t *poll, int status, int events)
{
        struct core *core = poll->data;

        uv_poll_stop(poll);
        log_error("core: the supervisor is dead -> leaving the cluster");
        core_event(core, &(struct cluster_event){.kind = CLUSTER_EV_LEAVE});
}

static int open_transport(struct core *core)
{
        const struct transport_hooks hooks = {
                .on_message = on_message,
                .on_copy = on_copy,
                .on_refused = on_refused,
                .on_link = on_link,
                .post = core_watch_post,
                .on_post = core_watch_heard,
                .user = core,
        };
        char reason[KEY_REASON];
        struct keyring keys;

        if (key_load(core->config->key_path, &keys, reason) < 0) {
                fprintf(stderr, "%s\n", reason);
                return HAVEND_EXIT_CONFIG;
        }
        int error = transport_new(core->loop, core->config, core->self, &keys, &hooks, &core->transport);
        if (!error && core->config->arbiter.kind == ARBITER_FENCE)
                error = core_arbiter_fence_open(core);
        if (!error && core->config->arbiter.kind == ARBITER_DISK)
                error = core_arbiter_disk_open(core, &keys);
        if (!error)
                error = core_pill_open(core, &keys);
        if (!error && core->config->arbiter.kind == ARBITER_WITNESS)
                error = core_arbiter_witness_open(core, &keys);
        if (!error && core->config->arbiter.kind == ARBITER_ETCD)
                error = core_arbiter_etcd_open(core);
        key_wipe(&keys);
        if (error)
                log_error("heartbeat: cannot open the links: %s", strerror(-error));
        return error ? HAVEND_EXIT_FAILURE : 0;
}

static int open_rooms(struct core *core)
{
        const struct engine_setup setup = {
                .loop = core->loop,
                .config = core->config,
                .self = core->self,
                .takeover = core->takeover,
                .cgroup_root = core->inherited.ledger->cgroup_root,
                .run_dir = core->options.run_dir,
                .checker = core->checker_program,
                .life_fd = core->inherited.life_fd,
                .on_report = core_report,
                .user = core,
        };
        char path[PATH_SIZE];
        int error = path_join(core->options.state_dir, "events.log", path);

        if (path_program("haven-checker", core->checker_program) < 0)
                core->checker_program[0] = '\0'; /* a director says so when it needs it */

        if (!error)
                error = journal_open(path, &core->journal);
        if (!error)
                error = writer_new(core->loop, core->options.state_dir, core_saved, core, &core->writer);
        if (!error)
                error = core_watch_open(core);
        if (!error && core->config->arbiter.kind == ARBITER_PING)
                error = pinger_new(core->loop, &core->pinger);
        if (!error)
                error = core_fence_open(core);
        if (!error)
                error = core_checks_open(core);
        if (!error)
                error = engine_new(&setup, &core->engine);
        return error;
}

static int open_api(struct core *core)
{
        const struct api_hooks hooks = {.view = core_view,
                                        .explain = core_explain,
                                        .command = core_command,
                                        .checks = core_watch_report,
                                        .lvs = core_lvs};
        char path[PATH_SIZE];
        int error = path_join(core->options.run_dir, PATH_SOCKET, path);

        if (!error)
                error = api_new(core->loop, path, &hooks, core, core->journal, &core->api);
        if (error)
                log_error("control socket %s: %s", path, strerror(-error));
        return error;
}

static void watch(struct core *core)
{
        uv_timer_init(core->loop, &core->timer);
        uv_timer_init(core->loop, &core->confirm);
        uv_timer_init(core->loop, &core->save_retry);
        uv_signal_init(core->loop, &core->term);
        uv_signal_init(core->loop, &core->hup);
        uv_signal_init(core->loop, &core->usr2);
        uv_poll_init(core->loop, &core->life, core->inherited.life_fd);
        core->timer.data = core->confirm.data = core->save_retry.data = core->term.data = core->hup.data =
                core->usr2.data = core->life.data = core;
        uv_signal_start(&core->term, on_term, SIGTERM);
        uv_signal_start(&core->hup, on_hup, SIGHUP);
        uv_signal_start(&core->usr2, on_usr2, SIGUSR2);
        uv_poll_start(&core->life, UV_DISCONNECT | UV_READABLE, on_life);
}

/* Not a state that is missing or damaged, which is a node without a vote: one that says more than we know. */
static bool state_understood(const struct core *core)
{
        char text[STATE_TEXT];
        struct state s;

        return state_load(core->options.state_dir, &s, text) != 0 || core_understands(&s);
}

static int serve(struct core *core)
{
        int status = open_transport(core);

        if (status)
                return status;
        int error = takeover_new(core->loop, &core->takeover);
        if (!error && core->inherited.ledger->core == 1)
                core_clear_leftovers(core);
        if (!error) {
                core_gate_open(core);
                error = open_rooms(core);
        }
        if (error) {
                log_error("core: cannot start: %s", strerror(-error));
                return HAVEND_EXIT_FAILURE;
        }
        watch(core);
        core_begin(core);
        core_before_tell(core);
        core_before_keep(core);
        core_health_open(core, NULL);
        if (open_api(core) < 0)
                return HAVEND_EXIT_FAILURE;
        inheritance_say(&core->inherited, SAY_READY);
        if (!core->options.foreground)
                stdio_detach();
        uv_run(core->loop, UV_RUN_DEFAULT);
        return HAVEND_EXIT_OK;
}

/* What runs goes on running, for the next core or because nothing does. */
static void close_rooms(struct core *core, int status)
{
        bool nothing_held =
                (core->exiting && !core->succeeded) || (status && core->inherited.ledger->core == 1);

        if (core->takeover && nothing_held)
                takeover_gate_close(core->takeover, core_gate_instance(core));
        if (core->api)
                api_free(core->api);
        fencer_free(core->fencer);
        if (core->engine)
                engine_free(core->engine);
        if (core->checker)
                checker_free(core->checker);
        core_watch_close(core);
        core_pill_close(core);
        disk_free(core->disk);
        if (core->transport)
                transport_free(core->transport);
        core_arbiter_witness_close(core);
        core_arbiter_etcd_close(core);
        writer_free(core->writer);
        for (int i = 0; i < 3; i++)
                uv_run(core->loop, UV_RUN_NOWAIT);
        journal_close(core->journal);
        config_free(core->config);
}

int main(int argc, char **argv)
{
        struct core *core = calloc(1, sizeof(*core));
        int status;

        if (!core)
                return HAVEND_EXIT_FAILURE;
        switch (options_parse(argc, argv, stdout, stderr, &core->options)) {
        case OPTIONS_RUN: break;
        case OPTIONS_DONE: return HAVEND_EXIT_OK;
        case OPTIONS_WRONG: return HAVEND_EXIT_CONFIG;
        }
        status = read_config(core);
        if (status)
                return status;
        if (core->options.ledger_layout)
                return core_rehearse(core);
        int error = inheritance_take(&core->inherited);
        if (error || sodium_init() < 0) {
                fprintf(stderr, "haven-core is started by havend, not by hand\n");
                return HAVEND_EXIT_FAILURE;
        }
        log_open("haven-core", core->options.foreground,
                 getenv("HAVEN_DEBUG") ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO);
        if (!state_understood(core))
                return HAVEND_EXIT_CONFIG; /* only a person can install another */
        core_before_choose(core);
        if (arrange(core) < 0)
                return HAVEND_EXIT_CONFIG;
        core->loop = uv_default_loop();
        core->settings = malloc(sizeof(*core->settings));
        core->brain = malloc(cluster_size());
        if (!core->settings || !core->brain)
                return HAVEND_EXIT_FAILURE;
        core_settings_make(core->config, core->self, core->settings);
        take_priority();
        status = serve(core);
        close_rooms(core, status);
        return status;
}
