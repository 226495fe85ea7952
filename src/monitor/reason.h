/* reason.h - how one probe ended, and the words for it.
 *
 * The checker reports a reason and a number, never text: what an untrusted server sent stays on its side.
 * The words are made here, from the check's definition. */
#pragma once

#include "base/instant.h"
#include "config/config.h"
#include "monitor/verdict.h"

enum reason {
        REASON_WORKS,
        REASON_REFUSED,
        REASON_NO_CONNECTION,  /* not connected within the timeout */
        REASON_NO_ANSWER,      /* connected, but the answer was not complete within the timeout */
        REASON_NO_LOOKUP,      /* the name was not resolved within the timeout */
        REASON_RESET,          /* connection cut by the other side */
        REASON_CLOSED,         /* closed before a complete answer */
        REASON_UNREACHABLE,    /* detail: errno */
        REASON_BAD_STATUS,     /* detail: the status */
        REASON_BODY_MISMATCH,  /* the expected text is not in the part that is read */
        REASON_BAD_ANSWER,     /* not HTTP, or headers without end */
        REASON_NAME_NOT_FOUND, /* the url's host has no address */
        REASON_TLS,            /* no TLS session */
        REASON_NOT_YET,        /* not looked at so far */
        REASON_LOCAL,          /* this node could not look; detail: errno */
        REASON_NO_CHECKER,     /* the checker process is dead or cannot be started */
};
#define REASONS (REASON_NO_CHECKER + 1)

struct outcome {
        enum reason reason;
        int detail; /* meaning depends on the reason; 0 if none */
        span took;
};

/* What a probe that ended so says about the service. */
enum finding reason_finding(enum reason reason);
/* A short stable word for JSON and metrics: "refused", "bad-status"... */
const char *reason_name(enum reason reason);
/* The reason for a connection that failed with this errno, connected or not. */
enum reason reason_from_errno(int error, bool connected);

#define REASON_TEXT 800
/* A line for people: "http://10.0.0.111/: status 503, wanted 200-399". Returns `text`. */
const char *outcome_format(const struct outcome *o, const struct config_check *check,
                           char text[static REASON_TEXT]);
/* What the check looks at: its url, or "tcp ADDRESS:PORT". Returns `text`. */
const char *check_target(const struct config_check *check, char text[static REASON_TEXT]);
