/* haven-sim: scenarios by name, and random schedules against the invariants. */
#include "scenarios.h"
#include "schedule.h"
#include "tally.h"
#include "world_arbiter.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define JOBS_MAX 64

#define NODES_USUAL 9 /* at most, unless more are asked for: the cost grows with their pairs */

struct options {
        struct schedule_options schedule;
        uint64_t first, last;
        int jobs;
        bool stop; /* at the first violation */
        bool trace;
        bool scenarios;
        const char *scenario; /* NULL: all */
};

static const char help[] =
        "haven-sim [--seeds A:B | --forever] [--nodes N[:M]] [--arbiter KIND] [--data] [--jobs N] [--trace]\n"
        "haven-sim --scenario NAME|all [--trace] | --list\n"
        "Runs the cluster brain in virtual time under random faults and checks the invariants at every "
        "step.\n"
        "  --seeds A:B      seeds A to B, both included (default 1:200)\n"
        "  --forever        from seed A (default: by the clock) on until told to stop (Ctrl-C)\n"
        "  --nodes N[:M]    2 to 64 nodes, N to M, the fewer the more often (default 2:9)\n"
        "  --arbiter KIND   none (default), another of --list, absent: no vote stands in, all: in turn\n"
        "  --data           groups are exclusive in their data; some clusters have fence devices, some\n"
        "                   watchdogs\n"
        "  --quiet          nothing goes wrong, an hour of each seed: for measuring speed\n"
        "  --jobs N         as many processes (default 1)\n"
        "  --stop           at the first violation\n"
        "  --trace          tell the story of each schedule\n"
        "  --scenario NAME  play that scenario ('all': every one) instead\n"
        "  --list           name the scenarios and the arbiters\n"
        "Exit status: 0 no violation, 1 a violation (its seed and the end of its story are printed), 2 "
        "usage.\n";

static volatile sig_atomic_t told_to_stop;

static void on_signal(int number)
{
        (void)number;
        told_to_stop = 1;
}

/* --- one process's share --- */

static void print_failure(const struct options *o, uint64_t seed, const struct schedule_result *r)
{
        printf("seed %llu (%u nodes, arbiter %s): %s\n", (unsigned long long)seed, r->nodes, r->arbiter,
               r->text);
        if (o->trace)
                return;
        char *story = NULL;
        size_t size = 0;
        FILE *memory = open_memstream(&story, &size);
        if (!memory)
                return;
        schedule_run(&o->schedule, seed, memory);
        fclose(memory);
        tally_print_end_of_story(story, stdout);
        free(story);
}

static void run_share(const struct options *o, int job, struct tally *t)
{
        for (uint64_t seed = o->first + (uint64_t)job;
             seed <= o->last && !told_to_stop && !(o->stop && t->failed); seed += (uint64_t)o->jobs) {
                struct schedule_result r = schedule_run(&o->schedule, seed, o->trace ? stdout : NULL);
                tally_add(t, &r);
                if (r.failed && t->failed <= 3) {
                        print_failure(o, seed, &r);
                } else if (r.failed) {
                        printf("seed %llu (%u nodes, arbiter %s): %s\n", (unsigned long long)seed, r.nodes,
                               r.arbiter, r.text);
                }
                if (r.failed)
                        fflush(stdout);
        }
}

/* --- all of them --- */

static bool send_all(int fd, const void *bytes, size_t n)
{
        for (const char *at = bytes; n > 0;) {
                ssize_t sent = write(fd, at, n);
                if (sent == -1 && errno != EINTR)
                        return false;
                at += sent > 0 ? sent : 0;
                n -= sent > 0 ? (size_t)sent : 0;
        }
        return true;
}

static bool receive_all(int fd, void *bytes, size_t n)
{
        for (char *at = bytes; n > 0;) {
                ssize_t got = read(fd, at, n);
                if (got == 0 || (got == -1 && errno != EINTR))
                        return false;
                at += got > 0 ? got : 0;
                n -= got > 0 ? (size_t)got : 0;
        }
        return true;
}

static int start_job(const struct options *o, int job, int *ret_fd)
{
        int ends[2];

        if (pipe(ends) == -1)
                return -errno;
        fflush(stdout);
        pid_t pid = fork();
        if (pid == -1)
                return -errno;
        if (pid > 0) {
                close(ends[1]);
                *ret_fd = ends[0];
                return 0;
        }
        struct tally *t = calloc(1, sizeof(*t));
        if (!t)
                _exit(2);
        run_share(o, job, t);
        fflush(stdout);
        _exit(send_all(ends[1], t, sizeof(*t)) ? 0 : 2);
}

/* False: a job ended without its tally. */
static bool run_jobs(const struct options *o, struct tally *all)
{
        int fd[JOBS_MAX] = {0}, status;
        struct tally *t = calloc(1, sizeof(*t));
        bool ok = t != NULL;

        for (int job = 0; job < o->jobs && ok; job++)
                ok = start_job(o, job, &fd[job]) == 0;
        for (int job = 0; job < o->jobs && ok; job++) {
                ok = receive_all(fd[job], t, sizeof(*t));
                if (ok)
                        tally_merge(all, t);
        }
        while (wait(&status) > 0 || errno == EINTR)
                ok &= WIFEXITED(status) && WEXITSTATUS(status) == 0;
        free(t);
        return ok;
}

static int run(const struct options *o)
{
        struct tally *t = calloc(1, sizeof(*t));
        struct timespec from, to;
        bool ok = true;

        if (!t)
                return 2;
        clock_gettime(CLOCK_MONOTONIC, &from);
        if (o->jobs == 1)
                run_share(o, 0, t);
        else
                ok = run_jobs(o, t);
        clock_gettime(CLOCK_MONOTONIC, &to);
        tally_print(t, o->first,
                    (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9, stdout);
        if (!ok)
                fprintf(stderr, "haven-sim: a job ended before its time\n");
        bool failed = t->failed > 0 || !ok;
        free(t);
        return failed;
}

/* --- the command line --- */

static bool parse_seeds(const char *text, struct options *o)
{
        unsigned long long first, last;

        if (sscanf(text, "%llu:%llu", &first, &last) != 2 || last < first)
                return false;
        o->first = first;
        o->last = last;
        return true;
}

static bool parse_nodes(const char *text, struct schedule_options *s)
{
        int n = sscanf(text, "%d:%d", &s->nodes, &s->nodes_most);

        if (n == 1)
                s->nodes_most = s->nodes;
        return n >= 1 && s->nodes >= 2 && s->nodes_most >= s->nodes && s->nodes_most <= WORLD_NODES;
}

static bool parse_arbiter(const char *text, struct schedule_options *s)
{
        s->every_arbiter = strcmp(text, "all") == 0;
        s->arbiter = arbiter_find(text);
        return s->every_arbiter || s->arbiter || strcmp(text, "absent") == 0;
}

static int parse(int argc, char **argv, struct options *o)
{
        static const struct option longs[] = {
                {"seeds", required_argument, NULL, 's'},
                {"forever", no_argument, NULL, 'f'},
                {"nodes", required_argument, NULL, 'n'},
                {"arbiter", required_argument, NULL, 'a'},
                {"data", no_argument, NULL, 'd'},
                {"quiet", no_argument, NULL, 'q'},
                {"jobs", required_argument, NULL, 'j'},
                {"stop", no_argument, NULL, 'S'},
                {"trace", no_argument, NULL, 't'},
                {"scenario", required_argument, NULL, 'c'},
                {"list", no_argument, NULL, 'l'},
                {"help", no_argument, NULL, 'h'},
                {NULL, 0, NULL, 0},
        };
        bool good = true, forever = false, seeds = false;
        int opt;

        while (good && (opt = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
                switch (opt) {
                case 's': good = seeds = parse_seeds(optarg, o); break;
                case 'f': forever = true; break;
                case 'n': good = parse_nodes(optarg, &o->schedule); break;
                case 'a': good = parse_arbiter(optarg, &o->schedule); break;
                case 'd': o->schedule.data = true; break;
                case 'q': o->schedule.quiet = true; break;
                case 'j':
                        o->jobs = atoi(optarg);
                        good = o->jobs >= 1 && o->jobs <= JOBS_MAX;
                        break;
                case 'c':
                        o->scenarios = true;
                        o->scenario = strcmp(optarg, "all") == 0 ? NULL : optarg;
                        break;
                case 'l':
                        scenarios_list(stdout);
                        arbiter_list(stdout);
                        exit(0);
                case 'S': o->stop = true; break;
                case 't': o->trace = true; break;
                case 'h': fputs(help, stdout); exit(0);
                default: good = false; break;
                }
        }
        if (forever && !seeds)
                o->first = (uint64_t)time(NULL) << 24;
        if (forever)
                o->last = UINT64_MAX / 2;
        return good && optind == argc ? 0 : 2;
}

int main(int argc, char **argv)
{
        struct options o = {.schedule = {.nodes = 2, .nodes_most = NODES_USUAL, .arbiter = &arbiter_none},
                            .first = 1,
                            .last = 200,
                            .jobs = 1};
        struct sigaction action = {.sa_handler = on_signal};

        if (parse(argc, argv, &o) != 0) {
                fputs(help, stderr);
                return 2;
        }
        if (o.scenarios) {
                int failed = scenarios_play(o.scenario, o.trace, o.stop);
                if (failed == -1)
                        fprintf(stderr, "haven-sim: no scenario '%s': see --list\n", o.scenario);
                return failed == 0 ? 0 : failed > 0 ? 1 : 2;
        }
        sigaction(SIGINT, &action, NULL);
        sigaction(SIGTERM, &action, NULL);
        return run(&o);
}
