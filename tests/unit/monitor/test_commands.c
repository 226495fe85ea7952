/* Commands as checks, and haven-look: how each end is judged, and what is left of commands that will not end.
 * Arguments: haven-checker, stubborn. */
#include "stage.h"

#include "base/text.h"
#include "child/sandbox.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cmocka.h>

static const char *checker_path, *stubborn_path;
static struct stage stage;
static char directory[64];

static int open_stage(void **state)
{
        text_copy(directory, sizeof(directory), "/tmp/haven-commands-XXXXXX");
        assert_non_null(mkdtemp(directory));
        assert_int_equal(chmod(directory, 0777), 0); /* commands run as someone else */
        stage_open(&stage, checker_path);
        return 0;
}

static int close_stage(void **state)
{
        char command[96];

        stage_close(&stage);
        snprintf(command, sizeof(command), "rm -r %s", directory);
        return system(command) == 0 ? 0 : -1;
}

/* The check keeps pointers to `argv`, which outlives it. */
static struct config_check command_check(enum command_style style, char **argv)
{
        struct config_check c = any_check(CHECK_COMMAND);

        c.ip = (struct ip){0};
        c.interval = c.quick = span_ms(100);
        c.timeout = span_s(8);
        c.command.style = style;
        c.command.argv = argv;
        return c;
}

static void look(uint32_t id, const struct config_check *c, enum reason reason)
{
        assert_int_equal(checker_start(stage.checker, id, c), 0);
        stage_until_reason(&stage, id, reason);
}

static void test_each_style_has_its_meaning_of_the_exit_status(void **state)
{
        static const struct {
                enum command_style style;
                enum command_warning warning;
                char *script;
                enum reason reason;
                int detail;
                const char *text;
        } cases[] = {
                {COMMAND_EXIT, 0, "echo fine; echo more; exit 0", REASON_WORKS, 0, ": fine"},
                {COMMAND_EXIT, 0, "echo bad >&2; exit 3", REASON_FAILED, 3, "exit status 3, bad"},
                {COMMAND_EXIT, 0, "kill -6 $$", REASON_KILLED, 6, "signal 6"},
                {COMMAND_EXIT, 0, "exec >&- 2>&-; exit 4", REASON_FAILED, 4, "exit status 4"},
                {COMMAND_EXIT, 0, "printf 'a\\033[1mb\\000c  \\r\\nd'", REASON_WORKS, 0, ": a?[1mb?c"},
                {COMMAND_NAGIOS, 0, "echo 'OK | a=1;2;3'", REASON_WORKS, 0, ": OK | a=1;2;3"},
                {COMMAND_NAGIOS, WARNING_WORKS, "echo WARNING; exit 1", REASON_WORKS, 0, ": WARNING"},
                {COMMAND_NAGIOS, WARNING_FAILS, "echo WARNING; exit 1", REASON_LIMIT, 0, "limit: WARNING"},
                {COMMAND_NAGIOS, 0, "echo CRITICAL; exit 2", REASON_FAILED, 2, "2, CRITICAL"},
                {COMMAND_NAGIOS, 0, "echo UNKNOWN; exit 3", REASON_LOCAL, 0, "could not look: UNKNOWN"},
                {COMMAND_MON, 0, "echo alpha beta; exit 9", REASON_FAILED, 9, "9, alpha beta"},
                {COMMAND_EXIT, 0,
                 "i=0; while [ $i -lt 4000 ]; do echo $i 123456789012345678901234567890; i=$((i+1)); done",
                 REASON_WORKS, 0, ": 0 1234567890"},
                {COMMAND_EXIT, 0, "exec yes", REASON_BAD_ANSWER, 0, "16 MiB"},
        };
        static char *argv[COUNT(cases)][4];

        for (size_t i = 0; i < COUNT(cases); i++) {
                memcpy(argv[i], (char *[]){"/bin/sh", "-c", cases[i].script, NULL}, sizeof(argv[i]));
                struct config_check c = command_check(cases[i].style, argv[i]);
                c.command.warning = (int)cases[i].warning;
                look((uint32_t)i, &c, cases[i].reason);
                if (stage.last[i].detail != cases[i].detail || !strstr(stage.text[i], cases[i].text))
                        fail_msg("%s: %d '%s'", cases[i].script, stage.last[i].detail, stage.text[i]);
                checker_stop(stage.checker, (uint32_t)i);
        }
}

static void test_a_monitor_is_called_as_mon_does(void **state)
{
        static char *argv[] = {
                "/bin/sh",
                "-c",
                "echo \"$1 $2 $3 $MON_GROUP $MON_SERVICE $MON_STATEDIR [$MON_LAST_SUMMARY] $MINE\"; exit 1",
                "sh",
                "-x",
                NULL};
        static char *hosts[] = {"alpha", "beta", NULL};
        static char *environment[] = {"MON_STATEDIR=/elsewhere", "MINE=yes", NULL};
        struct config_check c = command_check(COMMAND_MON, argv);

        c.command.hosts = hosts;
        c.command.environment = environment;
        c.timeout = span_s(2);
        look(1, &c, REASON_FAILED);
        if (!strstr(stage.text[1], "-x alpha beta alpha sh /elsewhere ["))
                fail_msg("%s", stage.text[1]);
        stage_until_state(&stage, 1, VERDICT_DOWN);
}

static void test_a_program_that_is_not_there_is_this_nodes_trouble(void **state)
{
        static char *argv[] = {"/nonexistent/program", NULL};
        struct config_check c = command_check(COMMAND_EXIT, argv);

        look(1, &c, REASON_LOCAL);
        assert_int_equal(stage.last[1].detail, ENOENT);
        assert_int_equal(stage.last[1].state, VERDICT_UNKNOWN);
}

static bool process_is_there(const struct stage *s, int pid)
{
        return kill(pid, 0) == 0 || errno != ESRCH;
}

static bool process_is_gone(const struct stage *s, int pid)
{
        return !process_is_there(s, pid);
}

static const char *pid_path(const char *name)
{
        static char path[96];

        snprintf(path, sizeof(path), "%s/%s", directory, name);
        return path;
}

static bool file_has_pid(const struct stage *s, int which)
{
        struct stat st;

        return stat(pid_path(which == 0 ? "main" : "left"), &st) == 0 && st.st_size > 1;
}

static int pid_in(const char *name)
{
        FILE *f = fopen(pid_path(name), "r");
        int pid = 0;

        assert_non_null(f);
        assert_int_equal(fscanf(f, "%d", &pid), 1);
        fclose(f);
        return pid;
}

static bool is_said_to_stay(const struct stage *s, int id)
{
        return strstr(s->text[id], "the one before cannot be ended") != NULL;
}

static bool is_another(const struct stage *s, int pid)
{
        return file_has_pid(s, 0) && pid_in("main") != pid;
}

/* One that ignores SIGTERM, closes its output, and has a child in its session and one that left it. */
static void test_a_command_that_will_not_end_is_ended_with_all_it_started(void **state)
{
        static char *argv[] = {"/bin/sh", "-c", NULL, NULL};
        struct config_check c;
        int first, left;

        argv[2] = stage_text("trap '' TERM HUP; echo started; exec >&- 2>&-; cd %s; "
                             "[ -e main ] && sleep 1000; "
                             "setsid sleep 1000 & echo $! > left; echo $$ > main; while :; do sleep 1; done",
                             directory);
        c = command_check(COMMAND_EXIT, argv);
        c.timeout = span_ms(1500);
        look(1, &c, REASON_UNFINISHED);
        stage_until(&stage, file_has_pid, 0, "main pid");
        stage_until(&stage, file_has_pid, 1, "left pid");
        first = pid_in("main");
        left = pid_in("left");
        assert_true(first > 1 && left > 1);
        stage_until(&stage, process_is_gone, first, "the command ends");
        stage_until(&stage, process_is_gone, left, "what left its session ends");
        checker_stop(stage.checker, 1);
}

/* The program of somebody whom the commands' user is not, ready to be run. */
static void make_stubborn(const char *path)
{
        char command[512];
        uid_t uid = 0;
        gid_t gid = 0;

        assert_int_equal(sandbox_user(&uid, &gid), 0);
        snprintf(command, sizeof(command), "cp %s %s && chown %u:%u %s && chmod 4755 %s", stubborn_path, path,
                 (unsigned)uid + 1, (unsigned)gid, path, path);
        assert_int_equal(system(command), 0);
}

static void test_a_command_that_cannot_be_ended_is_waited_for_by_nobody(void **state)
{
        static char *stubborn[] = {NULL, NULL, NULL}, *other[] = {"/bin/true", NULL};
        struct config_check c;
        struct statvfs fs;
        int pid;

        if (geteuid() != 0 || statvfs(directory, &fs) == -1 || (fs.f_flag & ST_NOSUID) != 0) {
                print_message(
                        "only root can make a program that its user cannot kill, where set-user-ID counts\n");
                skip();
        }
        stubborn[0] = stage_text("%s/stubborn", directory);
        stubborn[1] = stage_text("%s/main", directory);
        make_stubborn(stubborn[0]);
        c = command_check(COMMAND_EXIT, stubborn);
        c.timeout = c.interval = c.quick = span_ms(1500);
        look(1, &c, REASON_UNFINISHED);
        stage_until(&stage, file_has_pid, 0, "main pid");
        pid = pid_in("main");
        stage_until(&stage, is_said_to_stay, 1, "it is known that it stays");
        c = command_check(COMMAND_EXIT, other);
        look(2, &c, REASON_WORKS);
        assert_true(process_is_there(&stage, pid));
        assert_int_equal(pid_in("main"), pid); /* no second one was begun beside it */

        assert_int_equal(kill(pid, SIGKILL), 0);
        stage_until(&stage, is_another, pid, "the next look begins another");
        checker_stop(stage.checker, 1);
        assert_int_equal(kill(pid_in("main"), SIGKILL), 0);
}

static void test_commands_end_with_the_checker(void **state)
{
        static char *argv[] = {"/bin/sh", "-c", NULL, NULL};
        struct config_check c;
        int pid, checker;

        argv[2] = stage_text("cd %s; [ -e main ] || echo $$ > main; exec sleep 1000", directory);
        c = command_check(COMMAND_EXIT, argv);
        assert_int_equal(checker_start(stage.checker, 1, &c), 0);
        stage_until(&stage, file_has_pid, 0, "main pid");
        pid = pid_in("main");
        checker = checker_pid(stage.checker);
        assert_true(process_is_there(&stage, pid));
        kill(checker, SIGKILL);
        stage_until(&stage, process_is_gone, pid, "the command ends");
}

static void test_what_runs_here_is_seen(void **state)
{
        struct config_check c = any_check(CHECK_FILE);

        c.timeout = span_s(8);
        c.file.path = "/nonexistent/file";
        look(1, &c, REASON_MISSING);
        c.file.path = "/etc/passwd";
        look(2, &c, REASON_WORKS);
        c.file.size_min = 1 << 30;
        look(3, &c, REASON_LIMIT);

        c = any_check(CHECK_DISK);
        c.timeout = span_s(8);
        free(c.disk.path); /* the default, which is the same */
        c.disk.path = "/";
        c.disk.free_min = 0;
        look(4, &c, REASON_WORKS);
        c.disk.path = "/proc"; /* has no space at all, so there is nothing to run out of */
        c.disk.free_min = 100;
        look(5, &c, REASON_WORKS);

        c = any_check(CHECK_LOAD);
        c.timeout = span_s(8);
        c.load.percent_max = 100000;
        look(6, &c, REASON_WORKS);

        c = any_check(CHECK_PROCESS);
        c.timeout = span_s(8);
        c.process.program = "haven-commands";
        look(7, &c, REASON_WORKS);
        c.process.least = 100000;
        look(8, &c, REASON_LIMIT);
        c.process.program = "no-such-program";
        look(9, &c, REASON_MISSING);
}

#define STAGED(f) cmocka_unit_test_setup_teardown(f, open_stage, close_stage)

int main(int argc, char **argv)
{
        const struct CMUnitTest tests[] = {
                STAGED(test_each_style_has_its_meaning_of_the_exit_status),
                STAGED(test_a_monitor_is_called_as_mon_does),
                STAGED(test_a_program_that_is_not_there_is_this_nodes_trouble),
                STAGED(test_a_command_that_will_not_end_is_ended_with_all_it_started),
                STAGED(test_a_command_that_cannot_be_ended_is_waited_for_by_nobody),
                STAGED(test_commands_end_with_the_checker),
                STAGED(test_what_runs_here_is_seen),
        };

        if (argc != 3)
                return 2;
        checker_path = argv[1];
        stubborn_path = argv[2];
        return cmocka_run_group_tests(tests, NULL, NULL);
}
