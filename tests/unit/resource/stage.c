#include "stage.h"

#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "resource/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_MS 20000
#define TICK_MS     5

static const char script[] = "#!/bin/sh\n"
                             "n=${0##*/}; d=${0%/*}; a=$1\n"
                             "echo \"$n $a\" >> $d/log\n"
                             "[ -e $d/$n.fail-$a ] && { echo \"$a says no\"; exit 1; }\n"
                             "[ -e $d/$n.hang-$a ] && sleep 1000\n"
                             "case $a in\n"
                             "start) touch $d/$n.run;;\n"
                             "stop) rm -f $d/$n.run;;\n"
                             "status) [ -e $d/$n.run ] || exit 3;;\n"
                             "esac\n";

static const char *path_of(struct stage *s, const char *name)
{
        static char path[256];

        snprintf(path, sizeof(path), "%s/%s", s->directory, name);
        return path;
}

static const char *cgroup2_mount(void)
{
        static const char *const places[] = {"/sys/fs/cgroup/unified", "/sys/fs/cgroup"};
        char file[64];

        for (size_t i = 0; i < COUNT(places); i++) {
                snprintf(file, sizeof(file), "%s/cgroup.procs", places[i]);
                if (access(file, W_OK) == 0)
                        return places[i];
        }
        return NULL;
}

static struct stage *left;

int stage_clear(void **state)
{
        if (left)
                stage_done(left);
        return 0;
}

void stage_init(struct stage *s, bool cgroup)
{
        left = s;
        memset(s, 0, sizeof(*s));
        log_open("test", true, LOG_LEVEL_ERROR);
        uv_loop_init(&s->loop);
        strcpy(s->directory, "/tmp/haven-resource-XXXXXX");
        assert_non_null(mkdtemp(s->directory));
        assert_int_equal(pipe2(s->life, O_CLOEXEC), 0);
        /* what a test leaves behind comes back to it, as it does to the supervisor */
        prctl(PR_SET_CHILD_SUBREAPER, 1);
        if (cgroup && geteuid() == 0 && cgroup2_mount()) {
                snprintf(s->cgroup, sizeof(s->cgroup), "%s/haven-test-%d", cgroup2_mount(), getpid());
                if (mkdir(s->cgroup, 0755) == -1)
                        s->cgroup[0] = '\0';
        }
        text_copy(s->node.name, sizeof(s->node.name), "alpha");
        text_copy(s->config.cluster, sizeof(s->config.cluster), "test");
        text_copy(s->group.name, sizeof(s->group.name), "g");
        s->config.node = &s->node;
        s->config.node_count = 1;
        s->config.group = &s->group;
        s->config.group_count = 1;
        s->group.restart_max = 3;
        s->group.restart_window = span_s(300);
        s->group.resource = s->resource;
}

static void on_report(void *user, const struct engine_report *report)
{
        struct stage *s = user;

        assert_in_range(s->count, 0, REPORTS_MAX - 1);
        assert_int_equal(report->group, 0);
        s->kind[s->count] = report->kind;
        text_copy(s->text[s->count++], sizeof(s->text[0]), report->text);
        if (getenv("STAGE_VERBOSE"))
                fprintf(stderr, "report %d %s\n", report->kind, report->text);
        if (s->on_report)
                s->on_report(s, report);
}

void stage_open(struct stage *s)
{
        struct engine_setup setup = {.loop = &s->loop,
                                     .config = &s->config,
                                     .cgroup_root = s->cgroup,
                                     .run_dir = s->directory,
                                     .life_fd = s->life[0],
                                     .on_report = on_report,
                                     .user = s};

        assert_int_equal(engine_new(&setup, &s->engine), 0);
}

void stage_close(struct stage *s)
{
        engine_free(s->engine);
        s->engine = NULL;
        uv_run(&s->loop, UV_RUN_DEFAULT);
}

static void remove_below(const char *path)
{
        char command[256];

        snprintf(command, sizeof(command), "find %s -depth -type d -exec rmdir {} + 2>/dev/null", path);
        if (system(command) == -1)
                fail_msg("cannot clean up");
}

void stage_done(struct stage *s)
{
        char command[256];

        left = NULL;
        if (s->engine)
                stage_close(s);
        close(s->life[0]);
        if (s->life[1] != -1)
                close(s->life[1]);
        if (s->cgroup[0]) {
                resource_cgroup_kill(s->cgroup);
                for (int i = 0; i < 1000 && resource_cgroup_populated(s->cgroup); i++)
                        usleep(1000);
                remove_below(s->cgroup);
        }
        while (waitpid(-1, NULL, WNOHANG) > 0)
                ;
        snprintf(command, sizeof(command), "rm -rf %s", s->directory);
        assert_int_equal(system(command), 0);
        for (size_t i = 0; i < s->group.resource_count; i++) {
                for (char **a = s->resource[i].argv; a && *a; a++)
                        free(*a);
                free(s->resource[i].argv);
        }
        assert_int_equal(uv_loop_close(&s->loop), 0);
}

static struct config_resource *add(struct stage *s, enum resource_kind kind, const char *name)
{
        struct config_resource *r = &s->resource[s->group.resource_count++];

        r->kind = kind;
        text_copy(r->name, sizeof(r->name), name);
        text_copy(r->stop_signal, sizeof(r->stop_signal), "TERM");
        r->start_timeout = span_s(10);
        r->stop_timeout = span_s(10);
        r->status_timeout = span_s(10);
        return r;
}

struct config_resource *stage_script(struct stage *s, const char *name)
{
        struct config_resource *r = add(s, RESOURCE_SCRIPT, name);

        assert_int_equal(file_replace(path_of(s, name), script, sizeof(script) - 1, 0755), 0);
        r->argv = calloc(2, sizeof(char *));
        r->argv[0] = strdup(path_of(s, name));
        return r;
}

struct config_resource *stage_process(struct stage *s, const char *name, const char *shell_text)
{
        struct config_resource *r = add(s, RESOURCE_PROCESS, name);

        text_copy(r->directory, sizeof(r->directory), s->directory);
        r->argv = calloc(4, sizeof(char *));
        r->argv[0] = strdup("/bin/sh");
        r->argv[1] = strdup("-c");
        r->argv[2] = strdup(shell_text);
        return r;
}

struct config_resource *stage_address(struct stage *s, const char *ip)
{
        struct config_resource *r = add(s, RESOURCE_ADDRESS, ip);

        assert_int_equal(ip_parse_prefix(ip, &r->ip, &r->prefix), 0);
        return r;
}

static void on_tick(uv_timer_t *timer)
{
        ++*(int *)timer->data;
}

static void on_tick_closed(uv_handle_t *handle)
{
        *(int *)handle->data = -1;
}

/* Turns the loop until `done` or impatience; a test fails by the latter. It ticks because what is awaited may
 * make no event on this loop. */
static void turn(struct stage *s, bool (*done)(struct stage *s, int what), int what)
{
        uv_timer_t tick;
        int ticks = 0;

        uv_timer_init(&s->loop, &tick);
        tick.data = &ticks;
        uv_timer_start(&tick, on_tick, TICK_MS, TICK_MS);
        while (ticks < PATIENCE_MS / TICK_MS && !done(s, what))
                uv_run(&s->loop, UV_RUN_ONCE);
        bool failed = ticks >= PATIENCE_MS / TICK_MS;
        uv_close((uv_handle_t *)&tick, on_tick_closed);
        while (ticks != -1)
                uv_run(&s->loop, UV_RUN_NOWAIT);
        if (failed)
                fail_msg("waited in vain for %d; reported: %zu, the last %d \"%s\"", what, s->count,
                         s->count ? (int)s->kind[s->count - 1] : -1, s->count ? s->text[s->count - 1] : "");
}

static bool is_reported(struct stage *s, int kind)
{
        while (s->seen < s->count)
                if ((int)s->kind[s->seen++] == kind)
                        return true;
        return false;
}

const char *stage_await(struct stage *s, enum engine_report_kind kind)
{
        turn(s, is_reported, kind);
        return s->text[s->seen - 1];
}

static bool (*condition)(struct stage *s);

static bool is_true(struct stage *s, int what)
{
        (void)what;
        return condition(s);
}

void stage_until(struct stage *s, bool (*done)(struct stage *s))
{
        condition = done;
        turn(s, is_true, -1);
}

size_t stage_reported(const struct stage *s, enum engine_report_kind kind)
{
        size_t n = 0;

        for (size_t i = 0; i < s->count; i++)
                n += s->kind[i] == kind;
        return n;
}

void stage_flag(struct stage *s, const char *name)
{
        int fd = open(path_of(s, name), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

        assert_int_not_equal(fd, -1);
        close(fd);
}

void stage_unflag(struct stage *s, const char *name)
{
        unlink(path_of(s, name));
}

bool stage_flagged(struct stage *s, const char *name)
{
        return access(path_of(s, name), F_OK) == 0;
}

const char *stage_read(struct stage *s, const char *name)
{
        static char joined[4096];
        char text[2048];
        ssize_t n = file_read(path_of(s, name), text, sizeof(text) - 1);
        size_t to = 0;

        for (ssize_t i = 0; i < n; i++) {
                if (text[i] != '\n') {
                        joined[to++] = text[i];
                } else if (i + 1 < n) {
                        joined[to++] = ',';
                        joined[to++] = ' ';
                }
        }
        joined[to] = '\0';
        return joined;
}
