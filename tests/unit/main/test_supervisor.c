/* Runs the real havend in a directory of its own, with fake_core.c where the core would be. */
#include "base/file.h"
#include "base/instant.h"
#include "base/ip.h"
#include "main/paths.h"
#include "main/state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS 10000 /* for an event that must come */

static const char *havend_program, *core_program;
static char dir[64];
static int reports = -1;
static pid_t havend;

static const char *in_dir(const char *name)
{
        static char path[4][PATH_SIZE];
        static unsigned turn;
        char *p = path[turn++ % 4];

        assert_int_equal(path_join(dir, name, p), 0);
        return p;
}

static int run(const char *format, ...) __attribute__((format(printf, 1, 2)));
static int run(const char *format, ...)
{
        char command[1024];
        va_list args;

        va_start(args, format);
        vsnprintf(command, sizeof(command), format, args);
        va_end(args);
        return system(command);
}

static int setup(void **state)
{
        strcpy(dir, "/tmp/haven-supervisor-XXXXXX");
        if (!mkdtemp(dir) ||
            run("cp %s %s/havend && cp %s %s/haven-core", havend_program, dir, core_program, dir) != 0)
                return -1;
        if (mkfifo(in_dir("report"), 0600) == -1)
                return -1;
        reports = open(in_dir("report"), O_RDWR | O_CLOEXEC | O_NONBLOCK);
        havend = 0;
        return reports == -1 ? -1 : state_boot_write(dir, 10);
}

/* Everything that is left of it, also of a test that failed: all are our children in the end. */
static int teardown(void **state)
{
        char path[64];
        int pid;

        for (int round = 0; round < 100; round++) {
                snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
                FILE *children = fopen(path, "re");
                int n = 0;
                while (children && fscanf(children, "%d", &pid) == 1) {
                        kill(pid, SIGKILL);
                        waitpid(pid, NULL, 0);
                        n++;
                }
                if (children)
                        fclose(children);
                if (n == 0)
                        break;
        }
        close(reports);
        return run("rm -r %s", dir);
}

static void script(const char *text)
{
        assert_int_equal(file_replace(in_dir("script"), text, strlen(text), 0600), 0);
}

static pid_t start(bool foreground, const char *log)
{
        pid_t pid = fork();

        assert_int_not_equal(pid, -1);
        if (pid != 0)
                return pid;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        int fd = open(in_dir(log), O_WRONLY | O_CREAT | O_APPEND, 0600);
        dup2(fd, STDOUT_FILENO);
        dup2(fd, STDERR_FILENO);
        execl(in_dir("havend"), "havend", "-c", in_dir("script"), "-n", "alpha", "--run-dir", dir,
              "--state-dir", dir, foreground ? "-f" : NULL, NULL);
        _exit(99);
}

/* Its exit status, or 128 + signal. */
static int ended(pid_t pid)
{
        int status;
        int fd = (int)syscall(SYS_pidfd_open, pid, 0);
        struct pollfd gone = {.fd = fd, .events = POLLIN};

        assert_int_not_equal(fd, -1);
        assert_int_equal(poll(&gone, 1, PATIENCE_MS), 1);
        close(fd);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* The next line of the core's report, which must begin so. Returns what follows. */
static const char *expect(const char *beginning)
{
        static char line[256];
        struct pollfd readable = {.fd = reports, .events = POLLIN};

        for (size_t n = 0;; n++) {
                assert_true(n < sizeof(line) - 1);
                if (poll(&readable, 1, PATIENCE_MS) != 1)
                        fail_msg("nothing came where '%s' was expected", beginning);
                assert_int_equal(read(reports, line + n, 1), 1);
                if (line[n] == '\n') {
                        line[n] = '\0';
                        break;
                }
        }
        if (strncmp(line, beginning, strlen(beginning)) != 0)
                fail_msg("'%s' where '%s' was expected", line, beginning);
        return line + strlen(beginning);
}

static void expect_nothing_more(void)
{
        struct pollfd readable = {.fd = reports, .events = POLLIN};

        assert_int_equal(poll(&readable, 1, 0), 0);
}

static bool logged(const char *log, const char *text)
{
        char bytes[16384];
        ssize_t n = file_read(in_dir(log), bytes, sizeof(bytes) - 1);

        if (n < 0)
                return false;
        bytes[n] = '\0';
        return strstr(bytes, text) != NULL;
}

static bool address_there(const char *text)
{
        struct ifaddrs *all, *a;
        struct ip wanted, ip;
        bool there = false;

        assert_int_equal(ip_parse(text, &wanted), 0);
        assert_int_equal(getifaddrs(&all), 0);
        for (a = all; a; a = a->ifa_next)
                if (a->ifa_addr &&
                    (a->ifa_addr->sa_family == AF_INET || a->ifa_addr->sa_family == AF_INET6)) {
                        ip_from_sockaddr(a->ifa_addr, &ip);
                        there = there || ip_equal(&ip, &wanted);
                }
        freeifaddrs(all);
        return there;
}

static void a_killed_core_is_followed_by_another_with_the_same_ledger(void **state)
{
        script("1 lease 60000\n1 group web 1\n2 group web 1\n2 group web 2\n3 group web 1\n* serve\n");
        havend = start(true, "log");
        pid_t core = atoi(expect("core 1 pid "));
        expect("hold yes");
        expect("serving");
        kill(core, SIGKILL);
        core = atoi(expect("core 2 pid "));
        expect("hold yes"); /* under the epoch that it is held under */
        expect("hold refused");
        expect("serving");
        kill(core, SIGSEGV);
        expect("core 3 pid ");
        expect("hold yes");
        expect("serving");
        kill(havend, SIGTERM);
        expect("leaving");
        assert_int_equal(ended(havend), 0);
        expect_nothing_more();
        assert_int_equal(access(in_dir(PATH_LOCK), F_OK), -1);
        assert_true(logged("log", "killed by signal 9 (Killed); starting another, services go on"));
}

static void the_boot_count_reaches_the_core(void **state)
{
        script("* serve\n");
        havend = start(true, "log");
        assert_non_null(strstr(expect("core 1 pid "), " boot 11 "));
        expect("serving");
        kill(havend, SIGINT); /* as by Ctrl-C */
        expect("leaving");
        assert_int_equal(ended(havend), 0);
        /* lost: counted from the clock, which no peer remembers higher; the state beside it is set aside */
        unlink(in_dir(PATH_BOOT));
        unsigned long long now = (unsigned long long)time(NULL), boot = 0;
        havend = start(true, "log");
        const char *at = strstr(expect("core 1 pid "), " boot ");
        assert_non_null(at);
        assert_int_equal(sscanf(at, " boot %llu", &boot), 1);
        assert_true(boot > now && boot <= now + 120);
        expect("serving");
        kill(havend, SIGTERM);
        expect("leaving");
        assert_int_equal(ended(havend), 0);
}

static void a_hangup_is_passed_on(void **state)
{
        script("* serve\n");
        havend = start(true, "log");
        expect("core 1");
        expect("serving");
        /* the supervisor passes it on only to a core that has said that it is ready */
        while (!logged("log", "started: core pid"))
                sched_yield();
        kill(havend, SIGHUP);
        expect("reload");
        kill(havend, SIGTERM);
        expect("leaving");
        assert_int_equal(ended(havend), 0);
}

static void a_wrong_configuration_ends_havend_without_another_try(void **state)
{
        script("1 exit 2\n");
        havend = start(true, "log");
        expect("core 1");
        assert_int_equal(ended(havend), 2);
        havend = start(false, "log"); /* and in the background: the one who started it is told */
        expect("core 1");
        assert_int_equal(ended(havend), 2);
        expect_nothing_more();
}

static void a_core_that_dies_before_it_is_ready_fails_the_start(void **state)
{
        script("1 exit 0\n");
        havend = start(false, "log");
        expect("core 1");
        assert_int_equal(ended(havend), 1);
        unlink(in_dir("haven-core"));
        assert_int_equal(
                run("printf '#!/nonexistent\\n' > %s/haven-core && chmod 755 %s/haven-core", dir, dir), 0);
        havend = start(true, "log");
        assert_int_equal(ended(havend), 127);
        assert_true(logged("log", "cannot run"));
        expect_nothing_more();
}

static void in_the_background_it_returns_when_the_core_is_ready(void **state)
{
        char text[64] = "";

        script("* serve\n");
        pid_t front = start(false, "log");
        expect("core 1");
        expect("serving");
        assert_int_equal(ended(front), 0);
        assert_true(file_read(in_dir(PATH_LOCK), text, sizeof(text) - 1) > 0);
        havend = atoi(text);
        assert_int_equal(getsid(havend), havend);
        kill(havend, SIGTERM);
        expect("leaving");
        assert_int_equal(ended(havend), 0); /* this test is its subreaper */
}

static void a_second_havend_is_refused(void **state)
{
        script("* serve\n");
        havend = start(true, "log");
        expect("core 1");
        expect("serving");
        assert_int_equal(ended(start(true, "second")), 1);
        assert_true(logged("second", "another havend (pid "));
        assert_int_equal(ended(start(false, "second")), 1);
        expect_nothing_more();
        kill(havend, SIGTERM);
        expect("leaving");
        assert_int_equal(ended(havend), 0);
}

/* What no root is needed for: processes, the group's entry, the core. */
static void at_lease_end_the_supervisor_releases_what_a_frozen_core_holds(void **state)
{
        script("1 lease 200\n1 group web 1\n1 daemon\n1 ready\n1 freeze\n"
               "2 lease 60000\n2 group web 1\n2 group web 2\n2 serve\n");
        havend = start(true, "log");
        pid_t core = atoi(expect("core 1 pid "));
        expect("hold yes");
        pid_t daemon = atoi(expect("daemon "));
        assert_non_null(strstr(expect("core 2 pid "), " released 1"));
        assert_int_equal(kill(core, 0), -1);
        assert_int_equal(kill(daemon, 0), -1);
        expect("hold refused"); /* it is for the core to say that everything of epoch 1 has stopped */
        expect("hold refused");
        expect("serving");
        assert_true(logged("log", "the core had not let go"));
        kill(havend, SIGTERM);
        expect("leaving");
        assert_int_equal(ended(havend), 0);
}

/* It began to let go in time, and then stood still: nobody else would go on with it. */
static void a_release_that_a_frozen_core_has_begun_is_ended_by_the_supervisor(void **state)
{
        script("1 lease 200\n1 group web 1\n1 daemon\n1 ready\n1 release web\n1 turn\n1 freeze\n2 serve\n");
        havend = start(true, "log");
        pid_t core = atoi(expect("core 1 pid "));
        expect("hold yes");
        pid_t daemon = atoi(expect("daemon "));
        assert_non_null(strstr(expect("core 2 pid "), " released 1"));
        assert_int_equal(kill(core, 0), -1);
        assert_int_equal(kill(daemon, 0), -1);
        expect("serving");
        assert_true(logged("log", "the core stands still while it lets go"));
        kill(havend, SIGTERM);
        expect("leaving");
        assert_int_equal(ended(havend), 0);
}

static void a_release_that_takes_its_time_is_let_be(void **state)
{
        script("1 lease 200\n1 group web 1\n1 daemon\n1 release web\n1 serve\n");
        havend = start(true, "log");
        pid_t core = atoi(expect("core 1 pid "));
        expect("hold yes");
        pid_t daemon = atoi(expect("daemon "));
        expect("serving");
        struct pollfd early = {.fd = reports, .events = POLLIN};
        assert_int_equal(poll(&early, 1, 2000), 0);
        assert_int_equal(kill(core, 0), 0);
        assert_int_equal(kill(daemon, 0), 0);
        kill(havend, SIGTERM);
        expect("leaving");
        assert_int_equal(ended(havend), 0);
        assert_int_equal(kill(daemon, 0), -1); /* the core said that it had left; it had forgotten this */
}

static void a_release_that_a_dead_core_has_begun_is_gone_on_with_before_the_end(void **state)
{
        script("1 lease 60000\n1 group web 1\n1 daemon\n1 release web\n1 dies\n1 serve\n2 serve\n");
        havend = start(true, "log");
        expect("core 1 pid ");
        expect("hold yes");
        pid_t daemon = atoi(expect("daemon "));
        expect("serving");
        kill(havend, SIGTERM);
        expect("core 2 pid ");
        expect("serving");
        expect("leaving");
        assert_int_equal(ended(havend), 0);
        assert_int_equal(kill(daemon, 0), -1);
}

static void at_lease_end_the_supervisor_removes_the_addresses(void **state)
{
        if (geteuid() != 0) {
                print_message("skipped: needs root for a network namespace of its own\n");
                skip();
        }
        script("1 lease 400\n1 group web 1\n1 address 10.99.0.1/32 lo\n1 address fd99::1/128 lo\n1 serve\n2 "
               "serve\n");
        havend = start(true, "log");
        expect("core 1");
        expect("hold yes");
        expect("serving"); /* it runs, but its lease is not extended any more and it does nothing */
        assert_true(address_there("10.99.0.1"));
        assert_true(address_there("fd99::1"));
        assert_non_null(strstr(expect("core 2 pid "), " released 1"));
        assert_false(address_there("10.99.0.1"));
        assert_false(address_there("fd99::1"));
        expect("serving");
        kill(havend, SIGTERM);
        expect("leaving");
        assert_int_equal(ended(havend), 0);
}

static void nothing_is_released_while_the_lease_is_extended(void **state)
{
        script("1 lease 440\n1 group web 1\n1 renew 440\n1 serve\n");
        havend = start(true, "log");
        pid_t core = atoi(expect("core 1 pid "));
        expect("hold yes");
        expect("serving");
        struct pollfd early = {.fd = reports, .events = POLLIN};
        assert_int_equal(poll(&early, 1, 1000), 0); /* the first lease's end has passed: no second core */
        assert_int_equal(kill(core, 0), 0);
        assert_false(logged("log", "released"));
        kill(havend, SIGTERM);
        expect("leaving");
        assert_int_equal(ended(havend), 0);
}

static void a_second_term_does_not_wait_for_a_core_that_will_not_leave(void **state)
{
        script("1 lease 60000\n1 group web 1\n1 ignore-term\n1 daemon\n1 ready\n1 freeze\n");
        havend = start(true, "log");
        pid_t core = atoi(expect("core 1 pid "));
        expect("hold yes");
        pid_t daemon = atoi(expect("daemon "));
        while (!logged("log", "started: core pid"))
                sched_yield();
        kill(havend, SIGTERM);
        while (!logged("log", "the core hands over"))
                sched_yield();
        kill(havend, SIGTERM);
        assert_int_equal(ended(havend), 1);
        assert_int_equal(kill(core, 0), -1);
        assert_int_equal(kill(daemon, 0), -1);
        assert_true(logged("log", "asked to stop once more"));
}

static void a_core_that_outlived_its_supervisor_is_ended_by_the_next(void **state)
{
        script("1 ignore-term\n1 ready\n1 freeze\n");
        havend = start(true, "log");
        pid_t core = atoi(expect("core 1 pid "));
        while (!logged("log", "started: core pid"))
                sched_yield();
        kill(havend, SIGKILL);
        assert_int_equal(ended(havend), 128 + SIGKILL);
        assert_int_equal(kill(core, 0), 0); /* it stands still: no signal but one reaches it */
        script("* serve\n");
        havend = start(true, "log");
        expect("core 1 pid ");
        expect("serving");
        assert_int_equal(ended(core), 128 + SIGKILL);
        assert_true(logged("log", "has outlived it, killed"));
        kill(havend, SIGTERM);
        expect("leaving");
        assert_int_equal(ended(havend), 0);
}

/* The first death starts another at once; a core that keeps dying is given more and more time. */
static void a_core_that_keeps_dying_is_started_less_often(void **state)
{
        script("1 serve\n* exit 9\n");
        havend = start(true, "log");
        pid_t core = atoi(expect("core 1 pid "));
        expect("serving");
        while (!logged("log", "started: core pid"))
                sched_yield();
        instant before = instant_now();
        kill(core, SIGKILL);
        for (int n = 2; n <= 4; n++) {
                char line[16];
                snprintf(line, sizeof(line), "core %d pid ", n);
                expect(line);
        }
        span took = span_between(before, instant_now());
        assert_true(took.us >= 110000); /* 0 + 10 + 100 ms */
        /* a wrong configuration now is waited out: services run */
        kill(havend, SIGTERM);
        assert_int_equal(ended(havend), 0);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(int argc, char **argv)
{
        const struct CMUnitTest tests[] = {
                TEST(a_killed_core_is_followed_by_another_with_the_same_ledger),
                TEST(the_boot_count_reaches_the_core),
                TEST(a_hangup_is_passed_on),
                TEST(a_wrong_configuration_ends_havend_without_another_try),
                TEST(a_core_that_dies_before_it_is_ready_fails_the_start),
                TEST(in_the_background_it_returns_when_the_core_is_ready),
                TEST(a_second_havend_is_refused),
                TEST(at_lease_end_the_supervisor_releases_what_a_frozen_core_holds),
                TEST(a_release_that_a_frozen_core_has_begun_is_ended_by_the_supervisor),
                TEST(a_release_that_takes_its_time_is_let_be),
                TEST(a_release_that_a_dead_core_has_begun_is_gone_on_with_before_the_end),
                TEST(at_lease_end_the_supervisor_removes_the_addresses),
                TEST(nothing_is_released_while_the_lease_is_extended),
                TEST(a_second_term_does_not_wait_for_a_core_that_will_not_leave),
                TEST(a_core_that_outlived_its_supervisor_is_ended_by_the_next),
                TEST(a_core_that_keeps_dying_is_started_less_often),
        };

        if (argc != 3)
                return 2;
        havend_program = argv[1];
        core_program = argv[2];
        prctl(PR_SET_CHILD_SUBREAPER, 1);
        if (geteuid() == 0 && (unshare(CLONE_NEWNET) == -1 || run("ip link set lo up") != 0))
                return 1;
        return cmocka_run_group_tests_name("supervisor", tests, NULL, NULL);
}
