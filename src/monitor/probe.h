/* probe.h - one look at one service, inside the checker process; the door that every kind of check has.
 *
 * A probe is begun, and ends by calling back once, from the loop, never from within its begin; or it is
 * cut, and says how far it had come. It has no time limit of its own: the runner cuts it at the timeout. An
 * idle check owns nothing but its definition: what a look needs lives as long as the look.
 *
 * Kinds that bring a library with them live in a shared object, loaded with the first check that needs it
 * (kinds.c), so that who does not use them does not carry them. */
#pragma once

#include "config/check.h"
#include "monitor/reason.h"
#include "monitor/runner/poller.h"

#include <uv.h>

/* What a probe may use. */
struct probe_house {
        uv_loop_t *loop;
        struct poller *poller; /* of that loop, for sockets that live for one look */
        int icmp4, icmp6;      /* sockets opened while that was allowed, or a negative errno */
        int commands;          /* socket of who runs them (command_host.h), or a negative errno */
        const char *directory; /* of this program, its objects, and haven-look */
};

/* How a look ended. */
struct ending {
        enum reason reason;
        int detail;           /* meaning depends on the reason; 0 if none */
        char said[SAID_TEXT]; /* more about it, for people; empty: nothing. By ending_say() */
        instant told;         /* trap: when it was told so, with the status in `detail`; zero: never */
        bool elsewhere;       /* it did not: the kind's other door has to look, now and henceforth */
};

/* The bytes may come from outside: what is not printable becomes '?', what is too long is cut. */
void ending_say(struct ending *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

typedef void probe_done_fn(void *user, const struct ending *ending);

struct probe; /* of the kind's own */

struct probe_kind {
        /* Whether it can do this one; if not, the kind's other door does. NULL: it can do all. */
        bool (*suits)(const struct config_check *check);
        /* What all checks of the kind share, made with the first of them. Both may be NULL: nothing. */
        int (*open)(const struct probe_house *house, void **ret_shared);
        void (*close)(void *shared); /* after the last probe is gone */

        /* `check` outlives the probe. With the call of `on_done` the probe is gone. 0; a negative errno: this
         * node could not even try, and no call follows. */
        int (*begin)(void *shared, const struct probe_house *house, const struct config_check *check,
                     probe_done_fn *on_done, void *user, struct probe **ret_probe);
        /* Ends it without a call, and says into `ret_ending` (all zero before) for what it was not done yet:
         * at its timeout, or because nobody wants to know any more. */
        void (*cut)(struct probe *probe, struct ending *ret_ending);
        /* What it was told before this process began, as an ending said it then. NULL: the kind asks by
         * itself. */
        void (*remember)(void *shared, const struct config_check *check, const struct ending *past);
        /* No probe of this check comes any more: what the kind kept of earlier ones can go. NULL: nothing. */
        void (*forget)(void *shared, const struct config_check *check);
};

/* A socket that connects, from `source` unless its family is 0: writable once it is decided. Or a negative
 * errno. */
int probe_connect(const struct ip *ip, uint16_t port, const struct ip *source);

/* In haven-checker itself; an object of its own exports its kinds under these names, too. */
extern const struct probe_kind probe_tcp, probe_icmp, probe_command, probe_local, probe_redis, probe_sip,
        probe_trap;
extern const struct probe_kind probe_web; /* only with http-parser */
#define PROBE_EXPORT __attribute__((visibility("default")))

/* The door for a check, its object loaded from `object_dir` if need be. 0 or a negative errno, and why was
 * logged. */
int probe_kind_find(const struct config_check *check, const char *object_dir,
                    const struct probe_kind **ret_kind);
/* The other one of a kind that has two: the one in the object. */
int probe_kind_find_other(const struct config_check *check, const char *object_dir,
                          const struct probe_kind **ret_kind);
