#include "child/sandbox.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NO_CAPABILITY   64    /* no kernel has so many */
#define DESCRIPTORS_MAX 65536 /* a socket for each check that runs at one moment */

/* The first of the two names that exists. */
int sandbox_user(uid_t *ret_uid, gid_t *ret_gid)
{
        FILE *passwd = fopen("/etc/passwd", "re");
        const struct passwd *entry;
        int r = -ENOENT;

        if (passwd == NULL)
                return -errno;
        while ((entry = fgetpwent(passwd)) != NULL) {
                bool own = strcmp(entry->pw_name, "haven") == 0;

                if (!own && strcmp(entry->pw_name, "nobody") != 0)
                        continue;
                *ret_uid = entry->pw_uid;
                *ret_gid = entry->pw_gid;
                r = 0;
                if (own)
                        break;
        }
        fclose(passwd);
        return r;
}

/* `left` stays within reach of programs whose file grants it; NO_CAPABILITY: nothing. */
static int drop_root(unsigned long left)
{
        uid_t uid = 0;
        gid_t gid = 0;
        int r = sandbox_user(&uid, &gid);

        if (r != 0)
                return r;
        if (uid == 0)
                return -EPERM;
        /* EINVAL ends the loop: past the last capability this kernel has. */
        for (unsigned long cap = 0; cap == left || prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0; cap++)
                ;
        if (setgroups(0, NULL) == -1 || setresgid(gid, gid, gid) == -1 || setresuid(uid, uid, uid) == -1)
                return -errno;
        return getuid() == 0 || geteuid() == 0 ? -EPERM : 0;
}

static int drop_capabilities(void)
{
        struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
        struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};

        (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
        return syscall(SYS_capset, &header, none) == -1 ? -errno : 0;
}

static void set_limits(void)
{
        struct rlimit no_core = {0, 0};
        struct rlimit files;

        setrlimit(RLIMIT_CORE, &no_core);
        if (getrlimit(RLIMIT_NOFILE, &files) == -1)
                return;
        files.rlim_cur = files.rlim_max < DESCRIPTORS_MAX ? files.rlim_max : DESCRIPTORS_MAX;
        setrlimit(RLIMIT_NOFILE, &files);
}

static int become_ordinary(unsigned long left)
{
        struct sched_param ordinary = {.sched_priority = 0};
        int r;

        sched_setscheduler(0, SCHED_OTHER, &ordinary);
        set_limits();
        if (geteuid() == 0 || getuid() == 0) {
                r = drop_root(left);
                if (r != 0)
                        return r;
        }
        return drop_capabilities();
}

int sandbox_enter_for_commands(void)
{
        return become_ordinary(CAP_NET_RAW);
}

int sandbox_enter(void)
{
        int r = become_ordinary(NO_CAPABILITY);

        if (r != 0)
                return r;
        return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1 ? -errno : 0;
}
