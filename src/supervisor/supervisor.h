/* supervisor.h - the first process of havend: starts the core and starts it again, keeps the ledger, and
 * releases what it says when the lease is over and the core has not.
 *
 * Root, tiny, and dull on purpose: one thread, one poll(), no library but libc and libmnl, nothing parsed
 * that comes from outside. What it survives: any death of the core, with ledger, lease and services
 * untouched. What does not survive it: when it dies the core leaves, the kernel closes the life pipe and each
 * process's guard ends its process. */
#pragma once

#include "main/inherit.h"
#include "main/ledger.h"
#include "main/options.h"

#include <stdbool.h>
#include <sys/types.h>

struct supervisor {
        struct options options;
        char program[PATH_SIZE]; /* ours, by the name under which a later one will be found */
        char core_program[PATH_SIZE];
        char oom_adjust[16]; /* of oom_score_adj before ours: the core's; "" if unknown */

        int lock;
        int state_lock; /* of the state directory; -1: there is none */
        int signals;    /* signalfd */
        int timer;      /* timerfd, CLOCK_BOOTTIME: the earliest of all that is due */
        int watch;      /* eventfd: the core began to hold something */
        int life_read, life_write;
        int ledger_fd;
        struct ledger *ledger;

        int parent; /* pipe to the process that waits for our start; -1: none, or told already */

        pid_t core;  /* 0: none runs */
        int control; /* our end of its socket pair; -1 */
        char line[32];
        size_t line_length;
        instant core_started;
        unsigned quick_deaths; /* cores in a row that did not live for CORE_SETTLED */
        instant restart_at;    /* INSTANT_NEVER: no core is to be started */
        bool core_ready;       /* this one; ready_once: any so far */
        bool ready_once;
        bool core_said_stopped;

        bool handing_over;      /* this core ends so that one of a later program follows */
        instant handover_until; /* killed then */
        int former_core;        /* the program of the core before; used when the later one does not live */
        bool use_former;
        int former; /* our own, while we try to become a later one; -1 */

        instant lease_due;  /* when the lease is to be looked at again; NEVER: nothing is held */
        instant turn_seen;  /* when the core means to wake, as was seen last... */
        instant turn_since; /* ...and first seen then */
        bool clearing; /* after a release: all descendants are being killed, no core until they are gone */
        instant clear_until; /* ...or until then */

        int watchdog;          /* -1: not held */
        bool watchdog_disarms; /* closing it in good order disarms it */
        bool watchdog_hungry;  /* not fed, and told so */
        instant watchdog_fed, watchdog_due;
        bool reset_begun;
        instant reset_at; /* NEVER: no reset is wanted */

        bool stopping;
        instant stop_until;
        bool done;
        int exit_status;
};

/* core.c: the core's life */
/* Starts one. False if it could not even be forked; then it is tried again later. */
bool core_start(struct supervisor *s, instant now);
/* Its process is gone with this wait(2) status. */
void core_died(struct supervisor *s, int status, instant now);
/* Reads what its socket has; false when there was nothing, or when it is closed (then control is -1). */
bool core_hear(struct supervisor *s);
/* SIGTERM for us: `again` if not the first. */
void core_stop(struct supervisor *s, bool again, instant now);

/* handover.c: a later program, or the same again, in our place */
/* Becomes it, without anything that runs noticing. Returns if that cannot be; then all is as before. */
void handover(struct supervisor *s);
/* In the new program: whether there is something to go on with, and going on with it in place of the setup.
 * What is inherited cannot be used: the program before goes on. */
/* havend --can-take-over: would this program and its core go on from such a ledger, with this configuration
 * and state? An exit status; standard error has the reason. */
int handover_rehearse(struct supervisor *s);
bool handover_found(void);
void handover_resume(struct supervisor *s);

/* release.c: the second dead-man's switch */
/* Looks at lease and ledger, releases if the time has come, and sets lease_due. */
void release_watch(struct supervisor *s, instant now);
/* Whether anything is held or half released: the core may not end for good before that is done. */
bool release_wanted(const struct supervisor *s);
/* Releases everything now: kills the core and every descendant, removes the addresses. */
void release_everything(struct supervisor *s, const char *why);
/* While clearing: kills what has become our child meanwhile. */
void release_clear(struct supervisor *s, instant now);

/* At the end: takes the lease gate off, unless an address is still there. */
void release_gate(struct supervisor *s);

/* watchdog.c: the fourth */
/* Arms it when the core wants that, feeds it while that is right, resets the machine when told to. */
void watchdog_turn(struct supervisor *s, instant now);
instant watchdog_due(const struct supervisor *s);
/* In a later program, which got it armed: what is known of it, and fed at once if that is right. */
void watchdog_resume(struct supervisor *s, instant now);
/* Before a clean end: disarms it, if nothing is held. */
void watchdog_end(struct supervisor *s);

/* daemon.c: what the outside sees of the start */
/* Goes into the background; returns in the child only. The parent waits for the start and exits with its
 * status. */
void daemon_begin(struct supervisor *s);
/* The start is done: tells the waiting parent and systemd (sd_notify(3)), once. */
void daemon_ready(struct supervisor *s);
/* One datagram to the service manager, if there is one. */
void notify(const char *state);

/* lock.c */
/* One instance per run directory. 0, or an exit status, the reason logged. */
int lock_take(struct supervisor *s);
/* Writes down which core runs, so that a later supervisor finds one that outlived us. */
void lock_note_core(struct supervisor *s);
void lock_drop(struct supervisor *s);

/* setup.c */
/* Real-time priority, locked memory, out of the OOM killer's way; says once what was not permitted. */
void privileges_take(struct supervisor *s);
/* Blocks what we handle and opens signalfd and timer. 0 or a negative errno. */
int signals_open(struct supervisor *s);
/* Makes boot count, ledger, descriptors, cgroup. 0 or an exit status, the reason logged. */
int supervisor_setup(struct supervisor *s);
