/* trap_read.h - a trap of mon(8): a datagram in which somebody says by himself how a service is. Lines of
 * tag=value; a value may stand between single quotes, and \hh in it is a byte by its two hexadecimal digits.
 */
#pragma once

#include "monitor/reason.h"

#include <stddef.h>

#define TRAP_NAME 128 /* of what it holds, with the end */

struct trap {
        char group[TRAP_NAME], service[TRAP_NAME];
        char user[TRAP_NAME], password[TRAP_NAME]; /* empty: none */
        int status;                                /* as of a monitor: 0 is good */
        char summary[SAID_TEXT];                   /* any bytes but NUL; its first line */
};

/* 0, or -EBADMSG when it does not say what is how, or a name in it is too long. Other tags are left alone. */
int trap_read(const char *bytes, size_t n, struct trap *ret_trap);
