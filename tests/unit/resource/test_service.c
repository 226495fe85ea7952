/* test_service.c - units of a real systemd: PID 1 of namespaces that this test makes (systemd_stage.sh),
 * spoken to over its private socket and over a D-Bus broker. Needs root, systemd and dbus-daemon. */
#include "stage.h"

#include "base/text.h"
#include "resource/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PRIVATE "/run/systemd/private"
#define BROKER  "/run/dbus/system_bus_socket"

static const struct engine_epoch epoch = {3, 7};

static struct {
        pid_t unshare;
        pid_t init; /* its systemd */
        char cgroup[128];
} stage;

static pid_t child_of(pid_t pid)
{
        char path[64];
        int child = 0;

        snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
        FILE *f = fopen(path, "re");
        if (!f)
                return 0;
        if (fscanf(f, "%d", &child) != 1)
                child = 0;
        fclose(f);
        return child;
}

static bool has_socket(const char *path)
{
        char full[128];

        snprintf(full, sizeof(full), "/proc/%d/root%s", stage.init, path);
        return stage.init > 0 && access(full, F_OK) == 0;
}

static int systemd_up(void **state)
{
        if (geteuid() != 0 || access("/lib/systemd/systemd", X_OK) == -1 ||
            access("/usr/bin/dbus-daemon", X_OK) == -1 || access("/sys/fs/cgroup", W_OK) == -1) {
                print_message("skipped: needs root, systemd and dbus-daemon\n");
                return 0;
        }
        bool hybrid = access("/sys/fs/cgroup/unified/cgroup.procs", W_OK) == 0;
        snprintf(stage.cgroup, sizeof(stage.cgroup), "/sys/fs/cgroup%s/haven-systemd-%d",
                 hybrid ? "/unified" : "", getpid());
        stage.unshare = fork();
        if (stage.unshare == 0) {
                execl(SYSTEMD_STAGE, SYSTEMD_STAGE, stage.cgroup, NULL);
                _exit(1);
        }
        for (int i = 0; i < 1500; i++) {
                stage.init = child_of(stage.unshare);
                if (has_socket(PRIVATE) && has_socket(BROKER))
                        return 0;
                if (waitpid(stage.unshare, NULL, WNOHANG) == stage.unshare)
                        break;
                usleep(10000);
        }
        print_message("skipped: systemd does not come up in namespaces here\n");
        stage.init = 0;
        return 0;
}

static int systemd_down(void **state)
{
        char command[256];

        if (stage.unshare <= 0)
                return 0;
        if (stage.init > 0)
                kill(stage.init, SIGKILL);
        kill(stage.unshare, SIGKILL);
        waitpid(stage.unshare, NULL, 0);
        for (int i = 0; i < 1000 && resource_cgroup_populated(stage.cgroup); i++)
                usleep(10000);
        snprintf(command, sizeof(command), "find %s -depth -type d -exec rmdir {} + 2>/dev/null",
                 stage.cgroup);
        return system(command) == -1;
}

static void systemctl(const char *words)
{
        char command[256];

        snprintf(command, sizeof(command), "nsenter -t %d -m -p -C systemctl %s", stage.init, words);
        assert_int_equal(system(command), 0);
}

/* A group of one service, over the named socket; NULL: as it is found without being told. */
static void begin(struct stage *s, const char *socket, const char *unit)
{
        char address[128];

        if (stage.init <= 0)
                skip();
        snprintf(address, sizeof(address), "unix:path=/proc/%d/root%s", stage.init, socket ? socket : "");
        if (socket)
                setenv("HAVEN_SYSTEMD_BUS", address, 1);
        else
                unsetenv("HAVEN_SYSTEMD_BUS");
        stage_init(s, false);
        struct config_resource *r = &s->resource[s->group.resource_count++];
        r->kind = RESOURCE_SERVICE;
        text_copy(r->name, sizeof(r->name), unit);
        snprintf(r->unit, sizeof(r->unit), "%s.service", unit);
        r->start_timeout = r->stop_timeout = r->status_timeout = span_s(10);
        stage_open(s);
}

static void lives(const char *socket)
{
        static struct stage s;

        begin(&s, socket, "good");
        engine_start(s.engine, 0, epoch, ENGINE_ALL, false);
        stage_await(&s, ENGINE_STARTED);
        systemctl("is-active -q good");

        /* killed: mended in place */
        systemctl("kill -s KILL good");
        assert_non_null(strstr(stage_await(&s, ENGINE_RESTARTED), "service good good.service is failed"));
        systemctl("is-active -q good");

        /* restarted by a person: left alone */
        size_t before = s.count;
        systemctl("restart good");
        systemctl("restart good");
        assert_int_equal(s.count, before);

        /* the next core finds it running */
        stage_close(&s);
        stage_open(&s);
        engine_adopt(s.engine, 0, epoch);
        stage_await(&s, ENGINE_STARTED);
        assert_int_equal(s.count, before + 1);

        engine_stop(s.engine, 0);
        stage_await(&s, ENGINE_STOPPED);
        systemctl("is-active -q good; test $? = 3");
        stage_done(&s);
}

/* systemd's own socket answers only to processes that it can see: these two run beside it. */
static void inside(const char *test)
{
        char command[512], self[256];
        ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

        if (stage.init <= 0)
                skip();
        self[n] = '\0';
        snprintf(command, sizeof(command), "nsenter -t %d -m -p %s %s >&2", stage.init, self, test);
        assert_int_equal(system(command), 0);
}

static void a_unit_starts_is_mended_adopted_and_stopped_over_the_private_socket(void **state)
{
        inside("private");
}

static void a_unit_starts_is_mended_adopted_and_stopped_over_what_is_found(void **state)
{
        inside("found");
}

static void over_the_private_socket(void **state)
{
        lives(PRIVATE);
}

static void over_what_is_found(void **state)
{
        lives(NULL);
}

static void a_unit_starts_is_mended_adopted_and_stopped_over_the_broker(void **state)
{
        lives(BROKER);
}

static void fails(const char *unit, const char *text, size_t notes)
{
        static struct stage s;

        begin(&s, BROKER, unit);
        s.group.restart_max = 1;
        stage_close(&s);
        stage_open(&s);
        engine_start(s.engine, 0, epoch, ENGINE_ALL, false);
        const char *why = stage_await(&s, ENGINE_START_FAILED);
        if (!strstr(why, text))
                fail_msg("\"%s\" is not in \"%s\"", text, why);
        assert_int_equal(stage_reported(&s, ENGINE_BROKEN), notes);
        stage_done(&s);
}

static void a_unit_that_fails_says_so(void **state)
{
        fails("bad", "the start of bad.service: failed (see journalctl -u bad.service)", 1);
}

static void a_oneshot_that_does_not_remain_is_refused(void **state)
{
        fails("once", "once.service is inactive after its start", 1);
}

static void a_unit_that_systemd_does_not_know_is_not_tried_again(void **state)
{
        fails("nosuch", "nosuch.service", 0);
}

static void a_unit_that_does_not_stop_in_time_is_killed(void **state)
{
        static struct stage s;

        begin(&s, BROKER, "slow");
        s.resource[0].stop_timeout = span_ms(200);
        stage_close(&s);
        stage_open(&s);
        engine_start(s.engine, 0, epoch, ENGINE_ALL, false);
        stage_await(&s, ENGINE_STARTED);
        engine_stop(s.engine, 0);
        stage_await(&s, ENGINE_STOPPED);
        assert_string_equal(engine_resource(s.engine, 0, 0).text, "had to be killed");
        stage_done(&s);
}

static void a_lost_connection_is_made_again(void **state)
{
        static struct stage s;

        begin(&s, BROKER, "good");
        engine_start(s.engine, 0, epoch, ENGINE_ALL, false);
        stage_await(&s, ENGINE_STARTED);
        systemctl("restart dbus.service"); /* every client of it is thrown out, systemd as well */
        systemctl("kill -s KILL good");
        stage_await(&s, ENGINE_RESTARTED);
        engine_stop(s.engine, 0);
        stage_await(&s, ENGINE_STOPPED);
        stage_done(&s);
}

static void without_systemd_the_reason_is_given(void **state)
{
        static struct stage s;

        begin(&s, "/run/nowhere", "good");
        s.resource[0].stop_timeout = span_ms(50);
        s.group.restart_max = 0;
        stage_close(&s);
        stage_open(&s);
        engine_start(s.engine, 0, epoch, ENGINE_ALL, false);
        /* whether it runs nobody can tell: that is not "stopped" */
        const char *why = stage_await(&s, ENGINE_STOP_FAILED);
        assert_non_null(strstr(why, "no connection to systemd: No such file or directory"));
        assert_int_equal(stage_reported(&s, ENGINE_STOPPED), 0);
        stage_done(&s);
}

int main(int argc, char **argv)
{
        const struct CMUnitTest private[] = {cmocka_unit_test_teardown(over_the_private_socket, stage_clear)};
        const struct CMUnitTest found[] = {cmocka_unit_test_teardown(over_what_is_found, stage_clear)};
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_teardown(a_unit_starts_is_mended_adopted_and_stopped_over_the_private_socket,
                                          stage_clear),
                cmocka_unit_test_teardown(a_unit_starts_is_mended_adopted_and_stopped_over_what_is_found,
                                          stage_clear),
                cmocka_unit_test_teardown(a_unit_starts_is_mended_adopted_and_stopped_over_the_broker,
                                          stage_clear),
                cmocka_unit_test_teardown(a_unit_that_fails_says_so, stage_clear),
                cmocka_unit_test_teardown(a_oneshot_that_does_not_remain_is_refused, stage_clear),
                cmocka_unit_test_teardown(a_unit_that_systemd_does_not_know_is_not_tried_again, stage_clear),
                cmocka_unit_test_teardown(a_unit_that_does_not_stop_in_time_is_killed, stage_clear),
                cmocka_unit_test_teardown(a_lost_connection_is_made_again, stage_clear),
                cmocka_unit_test_teardown(without_systemd_the_reason_is_given, stage_clear),
        };

        if (argc > 1) {
                stage.init = 1;
                return strcmp(argv[1], "found") ? cmocka_run_group_tests(private, NULL, NULL)
                                                : cmocka_run_group_tests(found, NULL, NULL);
        }
        return cmocka_run_group_tests(tests, systemd_up, systemd_down);
}
