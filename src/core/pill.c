/* Poison pills: what haven-fence-disk needs to give one, and haven-pill, which takes those that are for us.
 */
#include "core/core.h"

#include "base/log.h"
#include "base/text.h"
#include "child/child.h"
#include "disk/pill.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define PILL_MARK  "pill.taken" /* in the run directory: the boot that ends */
#define PILL_LOCK  "pill.lock"
#define PILL_RETRY span_s(2)

/* --- to give --- */

static void derive(struct core *core, const struct keyring *keys)
{
        core->pill_keys = (struct disk_keys){.count = keys->count};
        for (size_t i = 0; i < keys->count; i++)
                disk_key_derive(keys->key[i].secret, core->config->cluster, core->pill_keys.key[i]);
}

void core_pill_tell(struct core *core)
{
        struct fencer_pill pill = {.self = core->self, .keys = core->pill_keys};
        char path[PATH_SIZE];

        if (!core->fencer || path_program("haven-fence-disk", path) != 0)
                return;
        text_copy(pill.program, sizeof(pill.program), path);
        if (path_join(core->options.run_dir, PILL_LOCK, pill.lock) == 0)
                fencer_set_pill(core->fencer, &pill);
        sodium_memzero(&pill, sizeof(pill));
}

/* --- to take --- */

/* The supervisor was killed after a pill was taken and before it could reset the machine: others count on
 * that. */
static void reset_if_taken(struct core *core, const char *mark)
{
        uint8_t noted[PILL_BOOT], boot[PILL_BOOT];
        int fd = open(mark, O_RDONLY | O_CLOEXEC);

        if (fd == -1)
                return;
        if (read(fd, noted, sizeof(noted)) == PILL_BOOT && pill_boot(boot) == 0 &&
            memcmp(noted, boot, PILL_BOOT) == 0) {
                log_error("pill: this boot of the machine has taken one: it must be reset");
                atomic_store(&core->inherited.ledger->reset_wanted, LEDGER_RESET_PILL);
        }
        close(fd);
}

static void send_keys(struct core *core)
{
        if (core->pill_socket != -1)
                send(core->pill_socket, &core->pill_keys, sizeof(core->pill_keys),
                     MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void forget(struct core *core)
{
        if (core->pill_socket != -1)
                close(core->pill_socket);
        core->pill_socket = -1;
        core->pill = NULL;
        core->pill_due = instant_add(instant_now(), PILL_RETRY);
}

static void on_exit_of(void *user, int status)
{
        char how[CHILD_STATUS_TEXT];

        log_warning("pill: haven-pill ended: %s -> started again", child_status_format(status, how));
        forget(user);
}

static int run(struct core *core, int child_socket)
{
        char program[PATH_SIZE], mark[PATH_SIZE], nodes[8], self[8];
        char *argv[] = {program, core->pill_device, (char *)core->config->cluster, nodes, self, mark, NULL};
        char *environment[] = {NULL};
        const struct child_setup setup = {.loop = core->loop,
                                          .argv = argv,
                                          .environment = environment,
                                          .stdin_fd = core->inherited.ledger_fd,
                                          .extra_fd = child_socket,
                                          .on_exit = on_exit_of,
                                          .user = core};
        int error = path_program("haven-pill", program);

        if (!error)
                error = path_join(core->options.run_dir, PILL_MARK, mark);
        if (error)
                return error;
        snprintf(nodes, sizeof(nodes), "%zu", core->config->node_count);
        snprintf(self, sizeof(self), "%d", core->self);
        return child_start(&setup, &core->pill);
}

static void start(struct core *core)
{
        int pair[2], error;

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1) {
                error = -errno;
        } else {
                core->pill_socket = pair[0];
                error = run(core, pair[1]);
                close(pair[1]);
        }
        if (error) {
                log_error("pill: haven-pill cannot be started: %s", strerror(-error));
                forget(core);
                return;
        }
        send_keys(core);
}

static void stop(struct core *core)
{
        if (core->pill)
                child_forget(core->pill, 2000); /* it ends when it sees the socket closed */
        forget(core);
        core->pill_due = INSTANT_LONG_AGO;
}

/* A frozen core is not needed for it; one that runs lets the supervisor know at once. */
static void hear(struct core *core)
{
        uint8_t from;

        if (recv(core->pill_socket, &from, sizeof(from), MSG_DONTWAIT) != (ssize_t)sizeof(from))
                return;
        core_tell(core, "fence", core->config->node[core->self].name, ALERT_DOWN,
                  "another node wants this machine off, on the disk -> it resets itself");
        if (core->inherited.ledger->watch_fd != -1)
                eventfd_write(core->inherited.ledger->watch_fd, 1);
}

void core_pill_turn(struct core *core)
{
        const char *device = config_pill_device(core->config);

        if (!device)
                device = "";
        if (core->pill && strcmp(core->pill_device, device) != 0)
                stop(core);
        if (core->pill) {
                hear(core);
                return;
        }
        if (!device[0] || !core_numbered(core) || !instant_reached(instant_now(), core->pill_due))
                return;
        text_copy(core->pill_device, sizeof(core->pill_device), device);
        start(core);
}

/* --- for the core --- */

int core_pill_open(struct core *core, const struct keyring *keys)
{
        char mark[PATH_SIZE];
        int error = path_join(core->options.run_dir, PILL_MARK, mark);

        if (error)
                return error;
        core->pill_socket = -1;
        derive(core, keys);
        reset_if_taken(core, mark);
        return 0;
}

void core_pill_keys(struct core *core, const struct keyring *keys)
{
        derive(core, keys);
        core_pill_tell(core);
        send_keys(core);
}

void core_pill_close(struct core *core)
{
        if (core->pill)
                stop(core);
        sodium_memzero(&core->pill_keys, sizeof(core->pill_keys));
}
