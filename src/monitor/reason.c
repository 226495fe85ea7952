#include "monitor/reason.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* How the sentence goes on after "TARGET: WORDS"; ": SAID" is last. */
enum tail {
        TAIL_NONE,
        TAIL_TIMEOUT, /* " within 1s" */
        TAIL_ERRNO,   /* ": No route to host" */
        TAIL_NUMBER,  /* " 503" */
        TAIL_TOOK,    /* " in 12ms" */
};

static const struct {
        const char *name;
        enum finding finding;
        const char *text;
        enum tail tail;
} reasons[REASONS] = {
        [REASON_WORKS] = {"works", FINDING_WORKS, "answers", TAIL_TOOK},
        [REASON_REFUSED] = {"refused", FINDING_BROKEN, "connection refused, nobody listens", TAIL_NONE},
        [REASON_NO_CONNECTION] = {"no-connection", FINDING_BROKEN, "no connection", TAIL_TIMEOUT},
        [REASON_NO_ANSWER] = {"no-answer", FINDING_BROKEN, "connected, but no complete answer", TAIL_TIMEOUT},
        [REASON_SILENT] = {"silent", FINDING_BROKEN, "no answer", TAIL_TIMEOUT},
        [REASON_NO_LOOKUP] = {"no-lookup", FINDING_BROKEN, "the name servers did not answer", TAIL_TIMEOUT},
        [REASON_RESET] = {"reset", FINDING_BROKEN, "connection reset", TAIL_NONE},
        [REASON_CLOSED] = {"closed", FINDING_BROKEN, "closed before a complete answer", TAIL_NONE},
        [REASON_UNREACHABLE] = {"unreachable", FINDING_BROKEN, "cannot be reached", TAIL_ERRNO},
        [REASON_BAD_STATUS] = {"bad-status", FINDING_BROKEN, "status", TAIL_NUMBER},
        [REASON_MISMATCH] = {"mismatch", FINDING_BROKEN, "the answer is not the expected one", TAIL_NONE},
        [REASON_BAD_ANSWER] = {"bad-answer", FINDING_BROKEN, "the answer is not proper", TAIL_NONE},
        [REASON_NAME_NOT_FOUND] = {"name-not-found", FINDING_BROKEN, "the name is not known", TAIL_NONE},
        [REASON_TLS] = {"tls", FINDING_BROKEN, "no TLS session", TAIL_NONE},
        [REASON_CERTIFICATE] = {"certificate", FINDING_BROKEN, "the certificate is not good", TAIL_NONE},
        [REASON_LIMIT] = {"limit", FINDING_BROKEN, "beyond its limit", TAIL_NONE},
        [REASON_DENIED] = {"denied", FINDING_BROKEN, "the login is refused", TAIL_NONE},
        [REASON_MISSING] = {"missing", FINDING_BROKEN, "is not there", TAIL_NONE},
        [REASON_FAILED] = {"failed", FINDING_BROKEN, "fails with exit status", TAIL_NUMBER},
        [REASON_KILLED] = {"killed", FINDING_BROKEN, "was ended by signal", TAIL_NUMBER},
        [REASON_UNFINISHED] = {"unfinished", FINDING_BROKEN, "did not end", TAIL_TIMEOUT},
        [REASON_NOT_YET] = {"not-yet", FINDING_NONE, "not looked at so far", TAIL_NONE},
        [REASON_LOCAL] = {"local", FINDING_NONE, "this node could not look", TAIL_ERRNO},
        [REASON_NO_CHECKER] = {"no-checker", FINDING_NONE, "the checker does not run", TAIL_ERRNO},
};

enum finding reason_finding(enum reason reason)
{
        assert(reason < REASONS);
        return reasons[reason].finding;
}

const char *reason_name(enum reason reason)
{
        assert(reason < REASONS);
        return reasons[reason].name;
}

enum reason reason_from_errno(int error, bool connected)
{
        switch (error) {
        case ECONNREFUSED: return REASON_REFUSED;
        case ETIMEDOUT: return connected ? REASON_NO_ANSWER : REASON_NO_CONNECTION;
        case ECONNRESET:
        case ECONNABORTED:
        case EPIPE: return REASON_RESET;
        case EHOSTUNREACH:
        case EHOSTDOWN:
        case ENETUNREACH:
        case ENETDOWN:
        case ENONET:
        case EPROTO:
        case ENOPROTOOPT: return REASON_UNREACHABLE;
        default: return REASON_LOCAL; /* EMFILE, ENOBUFS, EADDRNOTAVAIL, EPERM: our own trouble */
        }
}

bool said_is_clean(const char *said, size_t n)
{
        if (n >= SAID_TEXT)
                return false;
        for (size_t i = 0; i < n; i++)
                if ((unsigned char)said[i] < ' ' || (unsigned char)said[i] > '~')
                        return false;
        return true;
}

const char *outcome_format(const struct outcome *o, const char *target, span timeout,
                           char text[static REASON_TEXT])
{
        char duration[SPAN_TEXT];
        char *at = text, *end = text + REASON_TEXT;

        assert(o->reason < REASONS);
        at += snprintf(at, REASON_TEXT, "%.400s: %s", target, reasons[o->reason].text);
        switch (reasons[o->reason].tail) {
        case TAIL_NONE: break;
        case TAIL_TIMEOUT:
                at += snprintf(at, (size_t)(end - at), " within %s", span_format(timeout, duration));
                break;
        case TAIL_ERRNO:
                if (o->detail != 0)
                        at += snprintf(at, (size_t)(end - at), ": %s", strerror(o->detail));
                break;
        case TAIL_NUMBER: at += snprintf(at, (size_t)(end - at), " %d", o->detail); break;
        case TAIL_TOOK:
                at += snprintf(at, (size_t)(end - at), " in %s", span_format(o->took, duration));
                break;
        }
        if (o->said != NULL)
                snprintf(at, (size_t)(end - at), "%s%s", reasons[o->reason].tail == TAIL_NUMBER ? ", " : ": ",
                         o->said);
        return text;
}
