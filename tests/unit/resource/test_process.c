/* test_process.c - nothing of a process survives its stop, its guard or the supervisor; all of it survives
 * the core. Most of it needs root, for namespaces and cgroups. */
#include "stage.h"

#include "base/file.h"
#include "resource/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct engine_epoch epoch = {3, 7};

/* A main process and a daemon that forked twice into a session of its own, deaf to everything but KILL. The
 * daemon holds a lock on DIRECTORY/alive: whoever can take it knows that it is dead. */
#define WITH_DAEMON                                                                                          \
        "trap '' TERM; (setsid flock alive -c 'touch daemon; trap \"\" TERM HUP INT; while :; do sleep "     \
        "1000; done' &) ; "                                                                                  \
        "while ! [ -e daemon ]; do sleep 0.01; done; touch ready; "

static bool is_root(void)
{
        if (geteuid() == 0)
                return true;
        print_message("skipped: needs root\n");
        return false;
}

static bool is_ready(struct stage *s)
{
        return stage_flagged(s, "ready");
}

/* Nobody holds the lock. */
static bool daemon_is_dead(struct stage *s)
{
        char command[256];

        snprintf(command, sizeof(command), "flock -n %s/alive true", s->directory);
        return system(command) == 0;
}

static pid_t recorded_guard(struct stage *s)
{
        return (pid_t)atoi(stage_read(s, "process.g.p"));
}

static void start_with_daemon(struct stage *s, const char *then)
{
        char text[1024];

        stage_init(s, true);
        snprintf(text, sizeof(text), WITH_DAEMON "%s", then);
        stage_process(s, "p", text);
        stage_open(s);
        engine_start(s->engine, 0, epoch, ENGINE_ALL, false);
        stage_await(s, ENGINE_STARTED);
        stage_until(s, is_ready);
        assert_false(daemon_is_dead(s));
}

static void a_stop_takes_daemons_along(void **state)
{
        static struct stage s;

        if (!is_root())
                skip();
        start_with_daemon(&s, "trap 'touch asked; exit 0' USR2; while :; do sleep 0.01; done");
        strcpy(s.resource[0].stop_signal, "USR2");
        stage_close(&s);
        stage_open(&s); /* the signal is another now; the process is adopted */
        engine_adopt(s.engine, 0, epoch);
        stage_await(&s, ENGINE_STARTED);
        engine_stop(s.engine, 0);
        stage_await(&s, ENGINE_STOPPED);
        assert_true(stage_flagged(&s, "asked"));
        assert_true(daemon_is_dead(&s));
        assert_false(stage_flagged(&s, "process.g.p"));
        stage_done(&s);
}

static void a_deaf_process_is_killed_with_all_it_forked(void **state)
{
        static struct stage s;

        if (!is_root())
                skip();
        stage_init(&s, true);
        stage_process(&s, "p", WITH_DAEMON "while :; do sleep 1000; done")->stop_timeout = span_ms(100);
        stage_open(&s);
        engine_start(s.engine, 0, epoch, ENGINE_ALL, false);
        stage_until(&s, is_ready);
        engine_stop(s.engine, 0);
        stage_await(&s, ENGINE_STOPPED);
        assert_true(daemon_is_dead(&s));
        assert_string_equal(engine_resource(s.engine, 0, 0).text, "had to be killed");
        stage_done(&s);
}

static void the_supervisors_death_ends_everything(void **state)
{
        static struct stage s;

        if (!is_root())
                skip();
        start_with_daemon(&s, "sleep 1000");
        stage_close(&s); /* the core is gone too: the kernel and the guard are alone with it */
        close(s.life[1]);
        s.life[1] = -1;
        stage_until(&s, daemon_is_dead);
        stage_done(&s);
}

static void a_killed_guard_takes_everything_along(void **state)
{
        static struct stage s;

        if (!is_root())
                skip();
        start_with_daemon(&s, "sleep 1000");
        s.group.restart_max = 0;
        kill(recorded_guard(&s), SIGKILL);
        stage_until(&s, daemon_is_dead);
        assert_non_null(strstr(stage_await(&s, ENGINE_RESTARTED), "was killed by SIGKILL"));
        stage_done(&s);
}

static void the_end_of_the_command_ends_its_daemons(void **state)
{
        static struct stage s;

        if (!is_root())
                skip();
        stage_init(&s, true);
        stage_process(&s, "p", WITH_DAEMON "sleep 0.1; exit 4");
        s.group.restart_max = 0;
        stage_open(&s);
        engine_start(s.engine, 0, epoch, ENGINE_ALL, false);
        assert_non_null(strstr(stage_await(&s, ENGINE_FAILED), "process p exited with status 4"));
        assert_true(daemon_is_dead(&s));
        stage_done(&s);
}

/* Runs a core in a process of its own until it has started the group, and lets it die without a word. */
static void a_core_starts_it_and_dies(struct stage *s)
{
        pid_t core = fork();
        int status;

        if (core == 0) {
                close(s->life[1]); /* only the supervisor has that end */
                stage_open(s);
                engine_start(s->engine, 0, epoch, ENGINE_ALL, false);
                stage_await(s, ENGINE_STARTED);
                _exit(0);
        }
        assert_int_equal(waitpid(core, &status, 0), core);
        assert_int_equal(status, 0);
        uv_loop_fork(&s->loop);
}

static void the_next_core_adopts_what_the_last_one_started(void **state)
{
        static struct stage s;

        stage_init(&s, true);
        stage_process(&s, "p", "echo $$ >> pids; exec sleep 1000");
        s.group.restart_max = 1;
        a_core_starts_it_and_dies(&s);
        stage_open(&s);
        engine_adopt(s.engine, 0, epoch);
        stage_await(&s, ENGINE_STARTED);
        assert_int_equal(s.count, 1);
        pid_t guard = recorded_guard(&s);
        assert_int_equal(kill(guard, 0), 0);

        /* and sees its death, though it is no child of the core */
        kill(guard, SIGKILL);
        stage_await(&s, ENGINE_RESTARTED);
        assert_int_not_equal(recorded_guard(&s), guard);
        engine_stop(s.engine, 0);
        stage_await(&s, ENGINE_STOPPED);
        stage_done(&s);
}

static void a_record_of_another_process_adopts_nobody(void **state)
{
        static struct stage s;
        char record[64], path[128];
        int n = snprintf(record, sizeof(record), "%d 1\n", getpid());

        stage_init(&s, true);
        stage_process(&s, "p", "exec sleep 1000");
        snprintf(path, sizeof(path), "%s/process.g.p", s.directory);
        assert_int_equal(file_replace(path, record, (size_t)n, 0600), 0);
        stage_open(&s);
        engine_stop(s.engine, 0);
        stage_await(&s, ENGINE_STOPPED); /* and we are still here */
        assert_int_equal(file_replace(path, record, (size_t)n, 0600), 0);
        engine_adopt(s.engine, 0, epoch);
        stage_await(&s, ENGINE_STARTED);
        assert_int_not_equal(recorded_guard(&s), getpid());
        engine_stop(s.engine, 0);
        stage_await(&s, ENGINE_STOPPED);
        stage_done(&s);
}

static void what_a_lost_core_left_in_the_cgroup_is_cleared_first(void **state)
{
        static struct stage s;
        char path[256], pid[16];

        if (!is_root())
                skip();
        stage_init(&s, true);
        if (!s.cgroup[0])
                skip();
        stage_process(&s, "p", "sleep 0.1; touch ready; exec sleep 1000");
        pid_t stray = fork();
        if (stray == 0) {
                pause();
                _exit(0);
        }
        char cgroup[CGROUP_PATH];
        resource_cgroup_path(s.cgroup, "g", "p", cgroup);
        assert_int_equal(resource_cgroup_make(cgroup), 0);
        snprintf(path, sizeof(path), "%.200s/cgroup.procs", cgroup);
        int fd = open(path, O_WRONLY | O_CLOEXEC);
        int n = snprintf(pid, sizeof(pid), "%d", stray);
        assert_int_equal(write(fd, pid, (size_t)n), n);
        close(fd);
        stage_open(&s);
        engine_start(s.engine, 0, epoch, ENGINE_ALL, false);
        stage_await(&s, ENGINE_STARTED);
        int status;
        assert_int_equal(waitpid(stray, &status, 0), stray);
        assert_true(WIFSIGNALED(status));
        stage_until(&s, is_ready); /* it is not only started, it lives */
        assert_int_equal(stage_reported(&s, ENGINE_RESTARTED), 0);
        engine_stop(s.engine, 0);
        stage_await(&s, ENGINE_STOPPED);
        stage_done(&s);
}

static bool is_reporting(struct stage *s)
{
        return stage_flagged(s, "report");
}

static unsigned long long ignored_signals(void)
{
        FILE *f = fopen("/proc/self/status", "re");
        unsigned long long ignored = 0;
        char line[256];

        assert_non_null(f);
        while (fgets(line, sizeof(line), f))
                sscanf(line, "SigIgn: %llx", &ignored);
        fclose(f);
        return ignored;
}

static void it_starts_clean_of_what_the_core_is(void **state)
{
        static struct stage s;

        if (!is_root())
                skip();
        stage_init(&s, true);
        struct config_resource *r = stage_process(
                &s, "p",
                "cd " /* the directory is checked by pwd */ ". && { pwd; id -un; id -gn; echo $HAVEN_GROUP "
                "$HAVEN_RESOURCE "
                "$HAVEN_NODE $HAVEN_CLUSTER $HAVEN_EPOCH $WORD; ls /proc/self/fd | wc -l; nice; "
                "grep SigIgn /proc/self/status; cat /proc/self/oom_score_adj; } > report.new 2>&1; "
                "mv report.new report; exec sleep 1000");
        strcpy(r->user, "nobody");
        r->environment = (char *[]){"WORD=own", NULL};
        assert_int_equal(system("true"), 0);
        char command[128];
        snprintf(command, sizeof(command), "chmod 777 %s", s.directory);
        assert_int_equal(system(command), 0);
        signal(SIGUSR1, SIG_IGN);
        assert_int_not_equal(nice(-3), -1);
        stage_open(&s);
        engine_start(s.engine, 0, epoch, ENGINE_ALL, false);
        stage_until(&s, is_reporting);
        /* glibc keeps signals 32 and 33 to itself: nobody can undo that a parent (make does) ignored them */
        unsigned long long kept = ignored_signals() & (3ULL << 31);
        char expected[512];
        /* 0, 1, 2, and the one with which ls reads the directory */
        snprintf(expected, sizeof(expected),
                 "%s, nobody, nogroup, g p alpha test 3.7 own, 4, 0, SigIgn:\t%016llx, 0", s.directory, kept);
        assert_string_equal(stage_read(&s, "report"), expected);
        assert_int_not_equal(nice(3), -1);
        signal(SIGUSR1, SIG_DFL);
        engine_stop(s.engine, 0);
        stage_await(&s, ENGINE_STOPPED);
        stage_done(&s);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_teardown(a_stop_takes_daemons_along, stage_clear),
                cmocka_unit_test_teardown(a_deaf_process_is_killed_with_all_it_forked, stage_clear),
                cmocka_unit_test_teardown(the_supervisors_death_ends_everything, stage_clear),
                cmocka_unit_test_teardown(a_killed_guard_takes_everything_along, stage_clear),
                cmocka_unit_test_teardown(the_end_of_the_command_ends_its_daemons, stage_clear),
                cmocka_unit_test_teardown(the_next_core_adopts_what_the_last_one_started, stage_clear),
                cmocka_unit_test_teardown(a_record_of_another_process_adopts_nobody, stage_clear),
                cmocka_unit_test_teardown(what_a_lost_core_left_in_the_cgroup_is_cleared_first, stage_clear),
                cmocka_unit_test_teardown(it_starts_clean_of_what_the_core_is, stage_clear),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
