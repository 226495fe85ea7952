/* inherit.h - what the core is given by the supervisor that started it, and how the two speak.
 *
 * Three descriptors, their numbers in the environment:
 *   HAVEN_LEDGER_FD   the ledger (ledger.h)
 *   HAVEN_LIFE_FD     read end of a pipe whose only writer is the supervisor: end of file when that is dead
 *   HAVEN_CONTROL_FD  socket pair; the core writes the lines below, the supervisor writes nothing. End of
 * file: the supervisor is dead. Then the core releases everything at once and exits. The supervisor speaks by
 * signals: SIGTERM, leave in good order and exit with 0; SIGHUP, read the configuration again; SIGUSR2, end
 * with 0 and leave everything running, for another core follows at once. SIGTERM comes from the kernel too
 * when the supervisor has died. */
#pragma once

#include "main/ledger.h"
#include "main/paths.h"

#define INHERIT_LEDGER  "HAVEN_LEDGER_FD"
#define INHERIT_LIFE    "HAVEN_LIFE_FD"
#define INHERIT_CONTROL "HAVEN_CONTROL_FD"
#define INHERIT_PROGRAM "HAVEN_PROGRAM" /* not a descriptor: the path of havend itself */
/* For a core that is only tried (haven restart): what runs here, so that its file must name it. Groups, with
 * a space between two; one that runs everywhere ends in a '*'. */
#define INHERIT_HELD "HAVEN_HELD"

/* The core serves: havend's start is done. Before it the core may write its complaints to standard error;
 * after it, unless in the foreground, standard error is no longer read. */
#define SAY_READY "READY"
/* The core holds nothing and now exits with 0: so shall havend. */
#define SAY_STOPPED "STOPPED"
/* Somebody asked for a restart, and the program in havend's place has been found able to go on from here. */
#define SAY_RESTART "RESTART"

/* Exit status of havend and its core. */
enum havend_exit {
        HAVEND_EXIT_OK = 0,
        HAVEND_EXIT_FAILURE = 1,
        HAVEND_EXIT_CONFIG = 2, /* configuration or command line: no restart helps until a person mends it */
        HAVEND_EXIT_NO_CORE = 127, /* the core's program could not be run */
};

/* SCHED_RR priorities, where permitted: the supervisor's is higher, or a core that spins on the only
 * processor would keep it from releasing. */
#define PRIORITY_SUPERVISOR 3
#define PRIORITY_CORE       2

struct inheritance {
        struct ledger *ledger;
        int ledger_fd; /* for haven-pill, which must do without the core */
        int life_fd;
        int control_fd;
        char program[PATH_SIZE]; /* havend's path; "" if it is not known */
};

/* In the core, once, at its start: maps the ledger, makes the descriptors close-on-exec and takes their names
 * out of the environment, so that no service inherits either. 0, -ENOENT if havend did not start us, or
 * another negative errno. */
int inheritance_take(struct inheritance *ret_inheritance);

/* Sends one of the lines above. 0 or a negative errno. */
int inheritance_say(const struct inheritance *in, const char *line);

/* Standard input, output and error to /dev/null: a daemon that has started keeps no terminal. */
void stdio_detach(void);
