/* reason.h - how one probe ended, and the words for it.
 *
 * The checker reports a reason, a number and at most a short line of what it saw there, cleaned of all that
 * is not printable: what else an untrusted server sent stays on its side. The words are made here. */
#pragma once

#include "base/instant.h"
#include "monitor/verdict.h"

#include <stdbool.h>
#include <stddef.h>

enum reason {
        REASON_WORKS, /* detail: http: the status; trap: the one that was told */
        REASON_REFUSED,
        REASON_NO_CONNECTION,  /* not connected within the timeout */
        REASON_NO_ANSWER,      /* connected, but the answer was not complete within the timeout */
        REASON_SILENT,         /* asked, and nothing came back within the timeout (icmp, dns) */
        REASON_NO_LOOKUP,      /* the name was not resolved within the timeout */
        REASON_RESET,          /* connection cut by the other side */
        REASON_CLOSED,         /* closed before a complete answer */
        REASON_UNREACHABLE,    /* detail: errno */
        REASON_BAD_STATUS,     /* detail: the status */
        REASON_MISMATCH,       /* a proper answer, but not the expected one */
        REASON_BAD_ANSWER,     /* not the protocol that was asked for, or without end */
        REASON_NAME_NOT_FOUND, /* the name has no address, or no such record */
        REASON_TLS,            /* no TLS session */
        REASON_CERTIFICATE,    /* one, but the certificate is not good */
        REASON_LIMIT,          /* works, but beyond a limit the user has set */
        REASON_DENIED,         /* the login was refused */
        REASON_MISSING,        /* the file or process is not there */
        REASON_FAILED,         /* a command says so; detail: its exit status */
        REASON_KILLED,         /* a command was ended by a signal; detail: which */
        REASON_UNFINISHED,     /* a command did not end within the timeout */
        REASON_NOT_YET,        /* not looked at so far */
        REASON_LOCAL,          /* this node could not look; detail: errno */
        REASON_NO_CHECKER,     /* the checker process is dead or cannot be started */
};
#define REASONS (REASON_NO_CHECKER + 1)

#define SAID_TEXT    256     /* of what was seen, with the end */
#define FAILURES_MAX 1000000 /* in a row; more are not counted */

struct outcome {
        enum reason reason;
        int detail; /* meaning depends on the reason; 0 if none */
        span took;
        const char *said; /* what was seen there, printable; NULL: nothing. Who holds it says how long */
        instant told;     /* when somebody said so by himself (trap); zero: nobody did */
        int failures;     /* in a row, this one included; not being able to look neither counts nor ends it */
};

/* What a probe that ended so says about the service. */
enum finding reason_finding(enum reason reason);
/* A short stable word for JSON and metrics: "refused", "bad-status"... */
const char *reason_name(enum reason reason);
/* The reason for a connection that failed with this errno, connected or not. */
enum reason reason_from_errno(int error, bool connected);

/* Whether it may be said: below SAID_TEXT bytes, none of them a control character. */
bool said_is_clean(const char *said, size_t n);

#define REASON_TEXT 800
/* A line for people: "http://10.0.0.111/: status 503, wanted 200-399". `target` is check_target()'s,
 * `timeout` the check's. Returns `text`. */
const char *outcome_format(const struct outcome *o, const char *target, span timeout,
                           char text[static REASON_TEXT]);
