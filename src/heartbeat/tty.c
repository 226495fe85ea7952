#include "heartbeat/tty.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <termios.h>
#include <unistd.h>

/* Those that config/value_link.c accepts. */
static speed_t speed_of(int baud)
{
        static const struct {
                int baud;
                speed_t speed;
        } speeds[] = {{1200, B1200},     {2400, B2400},     {4800, B4800},     {9600, B9600},
                      {19200, B19200},   {38400, B38400},   {57600, B57600},   {115200, B115200},
                      {230400, B230400}, {460800, B460800}, {921600, B921600}, {1000000, B1000000}};

        for (size_t i = 0; i < sizeof(speeds) / sizeof(speeds[0]); i++)
                if (speeds[i].baud == baud)
                        return speeds[i].speed;
        return B0;
}

/* --- who has it --- */

static bool has_open(const char *pid, dev_t device)
{
        char path[PATH_MAX];
        bool found = false;
        struct dirent *e;

        snprintf(path, sizeof(path), "/proc/%s/fd", pid);
        DIR *dir = opendir(path);
        if (!dir)
                return false;
        while (!found && (e = readdir(dir))) {
                struct stat st;
                found = fstatat(dirfd(dir), e->d_name, &st, 0) == 0 && S_ISCHR(st.st_mode) &&
                        st.st_rdev == device;
        }
        closedir(dir);
        return found;
}

static void read_name(const char *pid, char *name, size_t size)
{
        char path[PATH_MAX];

        snprintf(path, sizeof(path), "/proc/%s/comm", pid);
        FILE *f = fopen(path, "re");
        if (!f || !fgets(name, (int)size, f))
                snprintf(name, size, "a program");
        name[strcspn(name, "\n")] = '\0';
        if (f)
                fclose(f);
}

/* The first process but us that has the device open. Reads all of /proc: milliseconds. */
static void find_owner(dev_t device, char owner[static TTY_OWNER])
{
        DIR *proc = opendir("/proc");
        struct dirent *e;
        char name[32];

        while (proc && (e = readdir(proc))) {
                if (e->d_name[0] < '1' || e->d_name[0] > '9' || atoi(e->d_name) == getpid() ||
                    !has_open(e->d_name, device))
                        continue;
                read_name(e->d_name, name, sizeof(name));
                snprintf(owner, TTY_OWNER, "%s (pid %.10s)", name, e->d_name);
                break;
        }
        if (proc)
                closedir(proc);
}

/* --- ours alone --- */

/* TIOCEXCL keeps out everybody who opens it later, but not root, who asks by flock(2) as we do. */
static int take(int fd)
{
        if (flock(fd, LOCK_EX | LOCK_NB) == -1)
                return errno == EWOULDBLOCK ? -EBUSY : -errno;
        return ioctl(fd, TIOCEXCL) == -1 ? -errno : 0;
}

static int make_raw(int fd, speed_t speed)
{
        struct termios t;

        if (tcgetattr(fd, &t) == -1)
                return -errno;
        cfmakeraw(&t);
        t.c_cflag |= CLOCAL | CREAD;              /* a cable of three wires has no modem lines */
        t.c_cflag &= ~(CRTSCTS | HUPCL | CSTOPB); /* nobody's reset hangs on our going */
        t.c_iflag |= IGNBRK;
        t.c_cc[VMIN] = 1; /* nothing there is EAGAIN, so that 0 means hung up */
        t.c_cc[VTIME] = 0;
        if (cfsetispeed(&t, speed) == -1 || cfsetospeed(&t, speed) == -1 || tcsetattr(fd, TCSANOW, &t) == -1)
                return -errno;
        /* bytes of before we came are nobody's heartbeat */
        return tcflush(fd, TCIOFLUSH) == -1 ? -errno : 0;
}

int tty_open(const char *path, int baud, char owner[static TTY_OWNER])
{
        struct stat st;

        owner[0] = '\0';
        int fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
        int error = fd == -1 ? -errno : isatty(fd) ? take(fd) : -ENOTTY;
        if (!error)
                error = make_raw(fd, speed_of(baud));
        if ((!error || error == -EBUSY) && stat(path, &st) == 0)
                find_owner(st.st_rdev, owner);
        if (error && fd != -1)
                close(fd);
        return error ? error : fd;
}
