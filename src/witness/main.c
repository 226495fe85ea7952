/* haven-witness: what `havend --witness` becomes. */
#include "witness/witness.h"

#include "base/log.h"
#include "child/sandbox.h"
#include "main/inherit.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#define WITNESS_CONFIG "/etc/haven/witness.conf"
#define WITNESS_STATE  "/var/lib/haven-witness"
#define WITNESS_SOCKET "witness.sock"

static const char usage[] =
        "Usage: havend --witness [-c FILE] [-f] [--run-dir DIR] [--state-dir DIR]\n"
        "\n"
        "Votes in other machines' clusters and keeps their documents; runs nothing itself.\n"
        "\n"
        "  -c, --config FILE    whom it serves (" WITNESS_CONFIG ")\n"
        "  -f, --foreground     log to standard error; it stays in the foreground anyway\n"
        "      --run-dir DIR    control socket (" PATH_RUN_DEFAULT ")\n"
        "      --state-dir DIR  what must survive a reboot (" WITNESS_STATE ")\n"
        "  -h, --help           print this and exit\n"
        "\n"
        "havend(8), haven(8), haven.conf(5)\n";

enum { OPTION_RUN_DIR = 256, OPTION_STATE_DIR, OPTION_WITNESS };

static int take_path(const char *given, char path[static PATH_SIZE])
{
        int error = given[0] ? path_absolute(given, path) : -ENOENT;

        if (error)
                fprintf(stderr, "havend --witness: '%s': %s\n", given, strerror(-error));
        return error;
}

static int parse(int argc, char **argv, struct witness_process *p)
{
        static const struct option longs[] = {{"config", required_argument, NULL, 'c'},
                                              {"foreground", no_argument, NULL, 'f'},
                                              {"run-dir", required_argument, NULL, OPTION_RUN_DIR},
                                              {"state-dir", required_argument, NULL, OPTION_STATE_DIR},
                                              {"witness", no_argument, NULL, OPTION_WITNESS},
                                              {"help", no_argument, NULL, 'h'},
                                              {0}};
        int option, error = 0;

        snprintf(p->config_path, sizeof(p->config_path), "%s", WITNESS_CONFIG);
        snprintf(p->run_dir, sizeof(p->run_dir), "%s", PATH_RUN_DEFAULT);
        snprintf(p->state_dir, sizeof(p->state_dir), "%s", WITNESS_STATE);
        while (!error && (option = getopt_long(argc, argv, "c:fh", longs, NULL)) != -1) {
                switch (option) {
                case 'c': error = take_path(optarg, p->config_path); break;
                case 'f': p->foreground = true; break;
                case OPTION_RUN_DIR: error = take_path(optarg, p->run_dir); break;
                case OPTION_STATE_DIR: error = take_path(optarg, p->state_dir); break;
                case OPTION_WITNESS: break;
                case 'h': fputs(usage, stdout); exit(HAVEND_EXIT_OK);
                default: error = -EINVAL; break;
                }
        }
        if (!error && optind < argc) {
                fprintf(stderr, "havend --witness: unexpected '%s', see --help\n", argv[optind]);
                error = -EINVAL;
        }
        return error;
}

static void on_mistake(void *user, const char *file, int line, const char *text)
{
        (void)user;
        config_print_mistake(stderr, file, line, text);
}

static int serve_cluster(struct witness_process *p, const struct witness_cluster_config *from)
{
        struct served *s = &p->served[p->served_count];
        char reason[KEY_REASON], name[INQUIRY_SEAL_NAME];
        struct keyring keys;

        snprintf(s->name, sizeof(s->name), "%s", from->name);
        if (key_load(from->key_path, &keys, reason) < 0) {
                fprintf(stderr, "cluster %s: %s\n", from->name, reason);
                return -EACCES;
        }
        seal_init(&s->seal, inquiry_seal_name(from->name, name), &keys);
        key_wipe(&keys);
        p->served_count++;
        return 0;
}

/* The directory is made and given away while we still are root. */
static int own_directories(struct witness_process *p)
{
        uid_t uid;
        gid_t gid;

        if (mkdir(p->state_dir, 0700) == -1 && errno != EEXIST)
                return -errno;
        if (mkdir(p->run_dir, 0755) == -1 && errno != EEXIST)
                return -errno;
        if (chdir(p->state_dir) == -1)
                return -errno;
        if (geteuid() != 0)
                return 0;
        int error = sandbox_user(&uid, &gid);
        if (error)
                return error;
        return chown(p->state_dir, uid, gid) == -1 ? -errno : 0;
}

static int own_files(struct witness_process *p)
{
        char path[NAME_SIZE + 16];
        uid_t uid;
        gid_t gid;

        if (geteuid() != 0)
                return 0;
        int error = sandbox_user(&uid, &gid);
        for (size_t i = 0; !error && i < p->served_count; i++) {
                snprintf(path, sizeof(path), "%s.witness", p->served[i].name);
                if (lchown(path, uid, gid) == -1 && errno != ENOENT)
                        error = -errno;
        }
        return error;
}

static void begin_serving(struct witness_process *p)
{
        static struct witness_kept kept; /* large; there is one thread */
        uint64_t life;

        for (size_t i = 0; i < p->served_count; i++) {
                struct served *s = &p->served[i];
                witness_file_load(p, s);
                kept = s->witness.kept;
                do
                        randombytes_buf(&life, sizeof(life));
                while (life == 0);
                witness_init(&s->witness, &kept, life, instant_now());
                s->refilled = instant_now();
                log_info("%s: %s, term %u", s->name, kept.voter ? "serving" : "waiting to be readmitted",
                         kept.term);
        }
}

static void on_end(uv_signal_t *signal, int number)
{
        (void)number;
        uv_stop(signal->loop);
}

static int open_api(struct witness_process *p)
{
        const struct api_hooks hooks = {.report = witness_report, .report_name = "witness"};
        char path[PATH_SIZE];
        int error = path_join(p->run_dir, WITNESS_SOCKET, path);

        if (!error)
                error = api_new(p->loop, path, &hooks, p, NULL, &p->api);
        if (error)
                log_error("control socket %s: %s", path, strerror(-error));
        return error;
}

static int start(struct witness_process *p)
{
        if (sodium_init() == -1 || witness_config_load(p->config_path, &p->config, on_mistake, NULL) < 0)
                return HAVEND_EXIT_CONFIG;
        p->served = calloc(p->config.cluster_count, sizeof(*p->served));
        if (!p->served)
                return HAVEND_EXIT_FAILURE;
        for (size_t i = 0; i < p->config.cluster_count; i++)
                if (serve_cluster(p, &p->config.cluster[i]) < 0)
                        return HAVEND_EXIT_CONFIG;
        int error = own_directories(p);
        if (!error)
                error = own_files(p);
        if (error)
                log_error("%s: %s", p->state_dir, strerror(-error));
        if (!error)
                error = open_api(p); /* as root: its directory is root's */
        if (!error)
                error = witness_listen(p);
        if (!error)
                error = sandbox_enter();
        if (error)
                log_error("cannot start: %s", strerror(-error));
        return error ? HAVEND_EXIT_FAILURE : HAVEND_EXIT_OK;
}

int main(int argc, char **argv)
{
        struct witness_process *p = calloc(1, sizeof(*p));

        if (!p || parse(argc, argv, p) < 0)
                return HAVEND_EXIT_CONFIG;
        log_open("haven-witness", p->foreground, LOG_LEVEL_INFO);
        p->loop = uv_default_loop();
        int status = start(p);
        if (status)
                return status;
        begin_serving(p);
        uv_signal_init(p->loop, &p->term);
        uv_signal_init(p->loop, &p->interrupt);
        uv_signal_start(&p->term, on_end, SIGTERM);
        uv_signal_start(&p->interrupt, on_end, SIGINT);
        sd_notify(0, "READY=1");
        uv_run(p->loop, UV_RUN_DEFAULT);
        for (size_t i = 0; i < p->served_count; i++)
                while (p->served[i].writing.busy)
                        uv_run(p->loop, UV_RUN_ONCE);
        api_free(p->api); /* the socket's file stays: we may not remove it any more */
        uv_run(p->loop, UV_RUN_NOWAIT);
        for (size_t i = 0; i < p->served_count; i++) {
                witness_serve_end(&p->served[i]);
                seal_done(&p->served[i].seal);
        }
        free(p->served);
        free(p);
        return HAVEND_EXIT_OK;
}
