#include "monitor/runner/command_host.h"

#include "base/log.h"
#include "child/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#define CORE_FD         3
#define RUNS_MAX        512  /* at one moment; more are refused as this node's own trouble */
#define GRACE_MS        1000 /* from SIGTERM to SIGKILL */
#define WORDS_MAX       256
#define FILES_SOFT      1024 /* what programs expect; some close every descriptor below the limit */
#define REQUESTS_A_TURN 16

/* One command that runs, or will not die. */
struct run {
        struct run *next;
        uint64_t key;
        pid_t pid; /* of its session, too */
        int pidfd;
        int socket; /* -1: nobody wants to know any more */
        uv_poll_t exited;
        uv_poll_t unwanted;
        uv_timer_t grace;
        int handles; /* open ones of the three above; free with the last */
};

static struct {
        uv_loop_t loop;
        int fd;
        uv_poll_t poll;
        uv_signal_t orphans;
        struct run *runs;
        size_t count;
} host;

static void tell(int socket, enum command_end end, int value)
{
        struct command_status status = {.end = end, .value = value};

        (void)!send(socket, &status, sizeof(status), MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* --- in the child --- */

static _Noreturn void become_command(char **arguments, char **settings, int output, int socket)
{
        struct rlimit files;
        struct sigaction normal = {.sa_handler = SIG_DFL};
        sigset_t none;
        int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

        setsid();
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (int s = 1; s < NSIG; s++)
                sigaction(s, &normal, NULL);
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur > FILES_SOFT) {
                files.rlim_cur = FILES_SOFT;
                setrlimit(RLIMIT_NOFILE, &files);
        }
        umask(022);
        if (null == -1 || chdir("/") == -1 || close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) == -1 ||
            dup2(null, 0) == -1 || dup2(output, 1) == -1 || dup2(output, 2) == -1) {
                tell(socket, COMMAND_NOT_RUN, errno);
                _exit(127);
        }
        execve(arguments[0], arguments, settings);
        tell(socket, COMMAND_NOT_RUN, errno);
        _exit(127);
}

/* --- what is left of commands --- */

static struct run *find_pid(pid_t pid)
{
        struct run *r = host.runs;

        while (r != NULL && r->pid != pid)
                r = r->next;
        return r;
}

static void end_orphan(pid_t pid)
{
        if (find_pid(pid) != NULL || waitpid(pid, NULL, WNOHANG) == pid)
                return;
        if (find_pid(getsid(pid)) == NULL)
                kill(pid, SIGKILL);
}

/* Whoever lost its parent is ours (PR_SET_CHILD_SUBREAPER). It may stay as long as the command whose session
 * it is in; one that left it has no business there. */
static void end_orphans(uv_signal_t *handle, int signal)
{
        char path[64];
        FILE *children;
        int pid;

        snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)getpid(), (int)getpid());
        children = fopen(path, "re");
        if (children == NULL)
                return; /* a kernel without it: groups are killed all the same */
        while (fscanf(children, "%d", &pid) == 1)
                end_orphan(pid);
        fclose(children);
}

/* --- one command --- */

static void on_handle_closed(uv_handle_t *handle)
{
        struct run *r = handle->data;

        if (--r->handles > 0)
                return;
        close(r->pidfd);
        if (r->socket != -1)
                close(r->socket);
        free(r);
}

static void run_close(struct run *r)
{
        struct run **at = &host.runs;

        while (*at != r)
                at = &(*at)->next;
        *at = r->next;
        host.count--;
        uv_close((uv_handle_t *)&r->exited, on_handle_closed);
        uv_close((uv_handle_t *)&r->unwanted, on_handle_closed);
        uv_close((uv_handle_t *)&r->grace, on_handle_closed);
}

static void on_exited(uv_poll_t *handle, int status, int events)
{
        struct run *r = handle->data;
        int wait_status = 0;

        kill(-r->pid, SIGKILL); /* before it is waited for: the number is still its own */
        if (waitpid(r->pid, &wait_status, WNOHANG) != r->pid)
                return;
        if (r->socket != -1)
                tell(r->socket, COMMAND_ENDED, wait_status);
        run_close(r);
        end_orphans(NULL, 0);
}

static void on_grace_over(uv_timer_t *timer)
{
        struct run *r = timer->data;

        kill(-r->pid, SIGKILL);
        kill(r->pid, SIGKILL); /* its session may not be made yet */
}

static void on_unwanted(uv_poll_t *handle, int status, int events)
{
        struct run *r = handle->data;

        uv_poll_stop(handle);
        if (kill(-r->pid, SIGTERM) == -1)
                kill(r->pid, SIGTERM);
        kill(-r->pid, SIGCONT);
        uv_timer_start(&r->grace, on_grace_over, GRACE_MS, 0);
}

/* Takes `socket` when it is 0. */
static int run_watch(pid_t pid, uint64_t key, int socket)
{
        struct run *r = calloc(1, sizeof(*r));

        if (r == NULL)
                return -ENOMEM;
        r->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
        if (r->pidfd == -1 || uv_poll_init(&host.loop, &r->exited, r->pidfd) != 0) {
                if (r->pidfd != -1)
                        close(r->pidfd);
                free(r);
                return -EMFILE;
        }
        uv_poll_init(&host.loop, &r->unwanted, socket);
        uv_timer_init(&host.loop, &r->grace);
        r->handles = 3;
        r->exited.data = r->unwanted.data = r->grace.data = r;
        r->key = key;
        r->pid = pid;
        r->socket = socket;
        r->next = host.runs;
        host.runs = r;
        host.count++;
        uv_poll_start(&r->exited, UV_READABLE, on_exited);
        uv_poll_start(&r->unwanted, UV_READABLE, on_unwanted);
        return 0;
}

static bool is_there(uint64_t key)
{
        for (struct run *r = host.runs; r != NULL; r = r->next)
                if (r->key == key)
                        return true;
        return false;
}

/* Takes `socket`, not `output`. */
static void run_start(uint64_t key, char **arguments, char **settings, int output, int socket)
{
        pid_t pid = -1;
        int error = 0;

        if (is_there(key)) {
                tell(socket, COMMAND_STILL_THERE, 0);
                close(socket);
                return;
        }
        if (host.count >= RUNS_MAX)
                error = EAGAIN;
        if (error == 0) {
                pid = fork();
                error = pid == -1 ? errno : 0;
        }
        if (pid == 0)
                become_command(arguments, settings, output, socket);
        if (error == 0)
                error = -run_watch(pid, key, socket);
        if (error == 0)
                return;
        if (pid > 0) {
                kill(pid, SIGKILL);
                waitpid(pid, NULL, 0);
        }
        tell(socket, COMMAND_NOT_RUN, error);
        close(socket);
}

/* --- requests --- */

/* The texts as a list with its end; where the next one begins, or NULL. */
static char *take_texts(char *at, const char *end, size_t count, char **list)
{
        for (size_t i = 0; i < count; i++) {
                char *stop = memchr(at, '\0', (size_t)(end - at));
                if (stop == NULL)
                        return NULL;
                list[i] = at;
                at = stop + 1;
        }
        list[count] = NULL;
        return at;
}

static bool serve(char *bytes, size_t n, int output, int socket)
{
        char *arguments[WORDS_MAX], *settings[WORDS_MAX], *at;
        struct command_request request;

        if (n < sizeof(request))
                return false;
        memcpy(&request, bytes, sizeof(request));
        if (request.arguments == 0 || request.arguments >= WORDS_MAX || request.settings >= WORDS_MAX)
                return false;
        at = take_texts(bytes + sizeof(request), bytes + n, request.arguments, arguments);
        if (at != NULL)
                at = take_texts(at, bytes + n, request.settings, settings);
        if (at == NULL)
                return false;
        run_start(request.key, arguments, settings, output, socket);
        return true;
}

/* False when there is none now; ends the process when the checker has. */
static bool receive_request(void)
{
        static char bytes[COMMAND_REQUEST_MAX];
        union {
                char space[CMSG_SPACE(2 * sizeof(int))];
                struct cmsghdr align;
        } control;
        struct iovec part = {.iov_base = bytes, .iov_len = sizeof(bytes)};
        struct msghdr m = {.msg_iov = &part,
                           .msg_iovlen = 1,
                           .msg_control = &control,
                           .msg_controllen = sizeof(control)};
        ssize_t n = recvmsg(host.fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        const struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&m) : NULL;
        int fd[2];

        if (n == -1)
                return false;
        if (n == 0) {
                for (struct run *r = host.runs; r != NULL; r = r->next) {
                        kill(-r->pid, SIGKILL);
                        kill(r->pid, SIGKILL);
                }
                uv_stop(&host.loop);
                return false;
        }
        if (c == NULL || c->cmsg_len != CMSG_LEN(sizeof(fd)) || c->cmsg_type != SCM_RIGHTS)
                return true; /* too many descriptors open here: the checker sees its socket closed */
        memcpy(fd, CMSG_DATA(c), sizeof(fd));
        if (!serve(bytes, (size_t)n, fd[0], fd[1])) {
                tell(fd[1], COMMAND_NOT_RUN, EINVAL);
                close(fd[1]);
        }
        close(fd[0]);
        return true;
}

static void on_request(uv_poll_t *poll, int status, int events)
{
        for (int i = 0; i < REQUESTS_A_TURN && receive_request(); i++)
                ;
}

static _Noreturn void host_run(int fd)
{
        int r;

        prctl(PR_SET_NAME, "haven-commands");
        prctl(PR_SET_CHILD_SUBREAPER, 1);
        setsid(); /* who kills the checker's group must leave someone to end the commands */
        r = sandbox_enter_for_commands();
        if (r == 0)
                r = uv_loop_init(&host.loop);
        host.fd = fd;
        if (r == 0)
                r = uv_poll_init(&host.loop, &host.poll, fd);
        if (r != 0) {
                log_error("checker: cannot run commands: %s", strerror(-r));
                _exit(1);
        }
        uv_signal_init(&host.loop, &host.orphans);
        uv_signal_start(&host.orphans, end_orphans, SIGCHLD);
        uv_poll_start(&host.poll, UV_READABLE, on_request);
        uv_run(&host.loop, UV_RUN_DEFAULT);
        _exit(0);
}

int command_host_start(void)
{
        int fd[2];

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd) == -1)
                return -errno;
        pid_t pid = fork();
        if (pid == -1) {
                int r = -errno;
                close(fd[0]);
                close(fd[1]);
                return r;
        }
        if (pid == 0) {
                close(fd[0]);
                close(CORE_FD); /* who looks for the core's end must find it with the checker alone */
                host_run(fd[1]);
        }
        close(fd[1]);
        return fd[0];
}
