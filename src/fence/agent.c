#include "fence/agent.h"

#include "base/text.h"
#include "child/child.h"
#include "fence/fencer.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define AGENT_DIRECTORY "/usr/sbin"
#define PASSWORD_MAX    256
#define EXIT_IS_OFF     2

struct agent_call {
        const struct agent *agent;
        enum agent_action action;
        struct child *child; /* NULL: it has ended */
        uv_timer_t timer;
        int output; /* memfd that it writes to */
        agent_end_fn *on_end;
        void *user;
};

static const char *const action_names[] = {"off", "on", "status"};

const char *agent_action_name(enum agent_action action)
{
        return action_names[action];
}

/* --- what it is told --- */

static bool add(struct agent *a, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool add(struct agent *a, const char *format, ...)
{
        size_t n = strlen(a->input);
        va_list args;

        va_start(args, format);
        int more = vsnprintf(a->input + n, sizeof(a->input) - n, format, args);
        va_end(args);
        return more >= 0 && (size_t)more < sizeof(a->input) - n;
}

/* Only root, or whoever we are, may have been able to read it. */
static int password_read(const char *path, char *password, size_t size, char text[static AGENT_TEXT])
{
        int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        struct stat st;

        if (fd == -1 || fstat(fd, &st) == -1) {
                int error = errno;
                snprintf(text, AGENT_TEXT, "password file %.90s: %s", path, strerror(error));
                if (fd != -1)
                        close(fd);
                return -error;
        }
        if (!S_ISREG(st.st_mode) || st.st_mode & 077 || (st.st_uid != 0 && st.st_uid != geteuid())) {
                snprintf(text, AGENT_TEXT,
                         "password file %.80s belongs to uid %u, mode %03o: chown root and chmod 600 it",
                         path, st.st_uid, st.st_mode & 07777);
                close(fd);
                return -EPERM;
        }
        ssize_t n = read(fd, password, size - 1);
        close(fd);
        password[n > 0 ? n : 0] = '\0';
        password[strcspn(password, "\r\n")] = '\0';
        if (password[0] != '\0')
                return 0;
        snprintf(text, AGENT_TEXT, "password file %.90s has no first line", path);
        return -EINVAL;
}

static int give_password(struct agent *a, const char *path, char text[static AGENT_TEXT])
{
        char password[PASSWORD_MAX];

        if (path[0] == '\0')
                return 0;
        int error = password_read(path, password, sizeof(password), text);
        bool fits = error || add(a, "password=%s\n", password);
        explicit_bzero(password, sizeof(password));
        return error ? error : fits ? 0 : -E2BIG;
}

/* haven's own agent: which area, whose slots in it, and the keys that seal what it writes. */
static bool tell_pill(struct agent *a, const struct config *c, int node, const struct fencer_pill *pill)
{
        char hex[2 * DISK_KEY + 1];
        bool fits = add(a, "device=%s\ncluster=%s\nnodes=%zu\nself=%d\nslot=%d\nlock=%s\n",
                        config_pill_device(c), c->cluster, c->node_count, pill->self, node, pill->lock);

        /* it must have ended, and taken the pill back, before it is killed */
        fits &= add(a, "reset_ms=%lld\ntimeout_ms=%lld\n", (long long)span_to_ms(c->watchdog.reset),
                    (long long)span_to_ms(span_sub(a->timeout, span_s(1))));
        for (size_t i = 0; i < pill->keys.count; i++)
                fits &= add(a, "seal=%s\n", sodium_bin2hex(hex, sizeof(hex), pill->keys.key[i], DISK_KEY));
        sodium_memzero(hex, sizeof(hex));
        text_copy(a->program, sizeof(a->program), pill->program);
        a->confirm = a->on_again = false;
        a->proves = true;
        return fits;
}

int agent_prepare(const struct config *c, const struct config_fence *f, int node,
                  const struct fencer_pill *pill, struct agent *ret_agent, char text[static AGENT_TEXT])
{
        struct agent *a = ret_agent;
        const char *name = c->node[node].name;
        size_t n = strlen(name);
        bool fits = true;

        memset(a, 0, sizeof(*a));
        text_copy(a->name, sizeof(a->name), f->name);
        snprintf(a->program, sizeof(a->program), "%s%s%s", f->agent[0] == '/' ? "" : AGENT_DIRECTORY,
                 f->agent[0] == '/' ? "" : "/", f->agent);
        a->timeout = f->timeout;
        a->confirm = f->confirm;
        a->on_again = f->action == FENCE_ACTION_REBOOT;
        a->level = f->level;
        if (config_fence_is_pill(f) && !pill) {
                snprintf(text, AGENT_TEXT, "no pill can be given here");
                return -ENOSYS;
        }
        if (config_fence_is_pill(f))
                fits = tell_pill(a, c, node, pill);
        for (char **o = f->option; o && *o; o++)
                fits &= add(a, "%s\n", *o);
        for (char **p = f->plug; p && *p; p++)
                if (strncmp(*p, name, n) == 0 && (*p)[n] == '=')
                        fits &= add(a, "plug=%s\n", *p + n + 1);
        fits &= add(a, "nodename=%s\n", name);
        int error = give_password(a, f->password_file, text);
        if (error)
                return error;
        if (!fits) {
                snprintf(text, AGENT_TEXT, "its options are longer than %d bytes", AGENT_INPUT);
                return -E2BIG;
        }
        struct passwd *user = f->user[0] ? getpwnam(f->user) : NULL;
        if (f->user[0] && !user) {
                snprintf(text, AGENT_TEXT, "there is no user %s", f->user);
                return -ENOENT;
        }
        a->as_user = user != NULL;
        a->uid = user ? user->pw_uid : 0;
        a->gid = user ? user->pw_gid : 0;
        if (access(a->program, X_OK) == -1) {
                error = errno;
                snprintf(text, AGENT_TEXT, "%.100s: %s (Debian: apt install fence-agents)", a->program,
                         strerror(error));
                return -error;
        }
        return 0;
}

void agent_forget(struct agent *a)
{
        explicit_bzero(a, sizeof(*a));
}

/* --- the call --- */

/* The last line that is not empty. */
static void last_line(int fd, char *text, size_t size)
{
        char bytes[1024];
        struct stat st;
        off_t from = fstat(fd, &st) == 0 && st.st_size > (off_t)sizeof(bytes) - 1
                             ? st.st_size - (off_t)sizeof(bytes) + 1
                             : 0;
        ssize_t n = pread(fd, bytes, sizeof(bytes) - 1, from);

        while (n > 0 && (bytes[n - 1] == '\n' || bytes[n - 1] == ' '))
                n--;
        bytes[n > 0 ? n : 0] = '\0';
        const char *line = strrchr(bytes, '\n');
        text_copy(text, size, line ? line + 1 : bytes);
}

static void on_closed(uv_handle_t *handle)
{
        struct agent_call *call = handle->data;

        close(call->output);
        free(call);
}

static void end(struct agent_call *call, enum agent_result result, const char *text)
{
        agent_end_fn *on_end = call->on_end;
        void *user = call->user;

        uv_close((uv_handle_t *)&call->timer, on_closed);
        if (on_end)
                on_end(user, result, text);
}

static void on_exit_status(void *user, int status)
{
        struct agent_call *call = user;
        char said[96], how[CHILD_STATUS_TEXT], text[AGENT_TEXT];
        enum agent_result result = AGENT_FAILED;

        call->child = NULL;
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
                result = AGENT_DONE;
        else if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_IS_OFF && call->action == AGENT_STATUS)
                result = AGENT_IS_OFF;
        last_line(call->output, said, sizeof(said));
        snprintf(text, sizeof(text), "%s%s%s", child_status_format(status, how), said[0] ? ": " : "", said);
        end(call, result, text);
}

static void on_timeout(uv_timer_t *timer)
{
        struct agent_call *call = timer->data;
        char text[AGENT_TEXT], time[SPAN_TEXT];

        child_forget(call->child, 0);
        call->child = NULL;
        snprintf(text, sizeof(text), "no answer within %s", span_format(call->agent->timeout, time));
        end(call, AGENT_FAILED, text);
}

/* In memory: a pipe would have to be served while the agent reads, and a file would lie on a disk. */
static int input_make(const struct agent *a, enum agent_action action)
{
        int fd = memfd_create("fence-input", MFD_CLOEXEC);

        if (fd == -1)
                return -errno;
        if (dprintf(fd, "action=%s\n%s", agent_action_name(action), a->input) < 0 ||
            lseek(fd, 0, SEEK_SET) == -1) {
                int error = errno;
                close(fd);
                return -error;
        }
        return fd;
}

static int run(struct agent_call *call, uv_loop_t *loop, int input)
{
        static char *const environment[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", NULL};
        const struct agent *a = call->agent;
        char uid[32], gid[32];
        char *as_user[] = {
                "/usr/bin/setpriv", uid, gid, "--clear-groups", "--no-new-privs", "--inh-caps=-all",
                (char *)a->program, NULL};
        char *as_root[] = {(char *)a->program, NULL};
        const struct child_setup setup = {.loop = loop,
                                          .argv = a->as_user ? as_user : as_root,
                                          .environment = environment,
                                          .stdin_fd = input,
                                          .output_fd = call->output,
                                          .extra_fd = -1,
                                          .on_exit = on_exit_status,
                                          .user = call};

        snprintf(uid, sizeof(uid), "--reuid=%u", a->uid);
        snprintf(gid, sizeof(gid), "--regid=%u", a->gid);
        return child_start(&setup, &call->child);
}

int agent_start(uv_loop_t *loop, const struct agent *a, enum agent_action action, agent_end_fn *on_end,
                void *user, struct agent_call **ret_call)
{
        struct agent_call *call = calloc(1, sizeof(*call));
        int input = input_make(a, action), error;

        if (!call || input < 0) {
                free(call);
                if (input >= 0)
                        close(input);
                return input < 0 ? input : -ENOMEM;
        }
        *call = (struct agent_call){.agent = a, .action = action, .on_end = on_end, .user = user};
        call->output = memfd_create("fence-output", MFD_CLOEXEC);
        error = call->output == -1 ? -errno : run(call, loop, input);
        close(input);
        if (error) {
                if (call->output != -1)
                        close(call->output);
                free(call);
                return error;
        }
        uv_timer_init(loop, &call->timer);
        call->timer.data = call;
        uv_timer_start(&call->timer, on_timeout, (uint64_t)span_to_ms(a->timeout), 0);
        *ret_call = call;
        return 0;
}

void agent_stop(struct agent_call *call)
{
        call->on_end = NULL;
        if (call->child)
                child_forget(call->child, 0);
        call->child = NULL;
        uv_close((uv_handle_t *)&call->timer, on_closed);
}
