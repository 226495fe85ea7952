#include "supervisor/cgroup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#define PROC  "22 27 0:21 / /proc rw,relatime - proc proc rw\n"
#define V1    "39 31 0:36 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids\n"
#define PURE  "31 23 0:28 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
#define MIXED "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n"
#define PART  "50 31 0:38 /system.slice /mnt/slice rw - cgroup2 cgroup2 rw\n"
#define BLANK "51 31 0:38 / /mnt/c\\040g rw - cgroup2 cgroup2 rw\n"

static const struct {
        const char *name, *mountinfo, *cgroup;
        int error;
        const char *path;
} rows[] = {
        {"cgroup2 alone, under systemd", PROC PURE, "0::/system.slice/havend.service\n", 0,
         "/sys/fs/cgroup/system.slice/havend.service"},
        {"hybrid, at the root", PROC V1 MIXED, "8:pids:/\n1:cpu:/\n0::/\n", 0, "/sys/fs/cgroup/unified"},
        {"hybrid, in a session", V1 MIXED, "8:pids:/user\n0::/user.slice/s-1.scope\n", 0,
         "/sys/fs/cgroup/unified/user.slice/s-1.scope"},
        {"part of the tree is mounted", PART, "0::/system.slice/x.service\n", 0, "/mnt/slice/x.service"},
        {"that part is the own cgroup", PART, "0::/system.slice\n", 0, "/mnt/slice"},
        {"the part does not show us", PART, "0::/user.slice\n", -ENOENT, NULL},
        {"nor does a like name", PART, "0::/system.slices/x\n", -ENOENT, NULL},
        {"a later mount shows us", PART MIXED, "0::/user.slice\n", 0, "/sys/fs/cgroup/unified/user.slice"},
        {"a blank in the mount point", BLANK, "0::/a\n", 0, "/mnt/c g/a"},
        {"no cgroup2 mounted", PROC V1, "8:pids:/\n0::/\n", -ENOENT, NULL},
        {"no cgroup2 in the kernel", PROC V1, "8:pids:/\n", -ENOENT, NULL},
        {"nothing at all", "", "", -ENOENT, NULL},
        {"garbage", "- cgroup2 \n - cgroup2 a\n1 - cgroup2 b", "0::/\n", -ENOENT, NULL},
        {"a path without its slash", PURE, "0::x\n", -ENOENT, NULL},
};

static void the_own_cgroup_is_found(void **state)
{
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                char path[512] = "";
                int error = cgroup_path_find(rows[i].mountinfo, rows[i].cgroup, path, sizeof(path));
                if (error != rows[i].error || (rows[i].path && strcmp(path, rows[i].path) != 0))
                        fail_msg("%s: %d '%s'", rows[i].name, error, path);
        }
}

static void a_path_that_does_not_fit_is_refused(void **state)
{
        char path[16];

        assert_int_equal(cgroup_path_find(PURE, "0::/system.slice\n", path, sizeof(path)), -ENAMETOOLONG);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_own_cgroup_is_found),
                cmocka_unit_test(a_path_that_does_not_fit_is_refused),
        };

        return cmocka_run_group_tests_name("cgroup", tests, NULL, NULL);
}
