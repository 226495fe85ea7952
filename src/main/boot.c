#include "base/file.h"
#include "main/paths.h"
#include "main/state.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define BOOT_TEXT 24 /* 20 digits, a newline, the end */

static int boot_parse(const char *text, uint64_t *ret_boot)
{
        char *end;

        if (!isdigit((unsigned char)text[0]))
                return -EBADMSG;
        errno = 0;
        uint64_t boot = strtoull(text, &end, 10);
        if (errno != 0 || *end != '\n' || end[1] != '\0' || boot == 0 || boot == UINT64_MAX)
                return -EBADMSG;
        *ret_boot = boot;
        return 0;
}

int state_boot_read(const char *dir, uint64_t *ret_boot)
{
        char path[PATH_SIZE], text[BOOT_TEXT];

        *ret_boot = 0;
        int error = path_join(dir, PATH_BOOT, path);
        if (error)
                return error;
        ssize_t n = file_read(path, text, sizeof(text) - 1);
        if (n < 0)
                return n == -EFBIG ? -EBADMSG : (int)n;
        text[n] = '\0';
        return boot_parse(text, ret_boot);
}

int state_boot_write(const char *dir, uint64_t boot)
{
        char path[PATH_SIZE], text[BOOT_TEXT];

        int error = path_join(dir, PATH_BOOT, path);
        if (error)
                return error;
        int n = snprintf(text, sizeof(text), "%" PRIu64 "\n", boot);
        return file_replace(path, text, (size_t)n, 0600);
}

int state_boot_next(const char *dir, uint64_t *ret_boot)
{
        uint64_t boot;

        *ret_boot = 0;
        int error = state_boot_read(dir, &boot);
        if (error)
                return error == -ENOENT ? 0 : error;
        error = state_boot_write(dir, boot + 1);
        if (error)
                return error;
        *ret_boot = boot + 1;
        return 0;
}
