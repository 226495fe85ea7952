/* sql.h - what haven-look-postgresql and haven-look-mysql share: one look at one database server, in a
 * program of its own that ends with it.
 *
 * Its own because the client libraries do what must not be done among thousands of checks: they derive a key
 * over as many rounds as the server asks for (SCRAM, RFC 5802), load the plugin that it names, and read
 * files. The checker gives such a program up at its timeout like any command, and its memory has a limit.
 *
 * It is told what to look at by its environment: no other user can read that of a process, while arguments
 * are shown to all. It says "connected" on a line of its own when it is, then in one line what it saw; its
 * exit status is LOOK_STATUS + enum reason. */
#pragma once

#include "monitor/reason.h"

#include <poll.h>
#include <stdbool.h>

#define LOOK_STATUS    64 /* apart from what shells, sanitizers and exec say */
#define LOOK_CONNECTED "connected\n"

struct sql_look {
        const char *address, *port;
        const char *source;                     /* NULL: the kernel's choice */
        const char *user, *password, *database; /* NULL: none */
        bool tls;
        const char *verify; /* the certificate must be good for this name or address; NULL: any will do */
        const char *ca;     /* file of who may have signed it; NULL: what the system trusts */
        const char *query;
        const char *expect; /* regular expression; NULL: any answer */
};

/* Reads the environment and the password's file, and sets the limits. Ends the program where that fails. */
struct sql_look sql_look_begin(void);
/* To be said once, as soon as it is so. */
void sql_look_connected(void);
/* Until the socket is ready for `events` (POLLIN, POLLOUT) or `timeout_ms` is over (-1: never); which it is.
 */
short sql_look_wait(int fd, short events, int timeout_ms);

/* Each ends the program. */
_Noreturn void sql_look_end(enum reason reason, const char *format, ...)
        __attribute__((format(printf, 2, 3)));
/* By what the query gave: the first value of its first row, NULL for no row at all. */
_Noreturn void sql_look_answer(const struct sql_look *l, const char *value);
