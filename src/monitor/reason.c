#include "monitor/reason.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* How the sentence goes on after "TARGET: ". */
enum tail {
        TAIL_NONE,
        TAIL_TIMEOUT, /* " within 1s" */
        TAIL_ERRNO,   /* ": No route to host" */
        TAIL_STATUS,  /* " 503, wanted 200-399" */
        TAIL_EXPECT,  /* " 'PATTERN'" */
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
        [REASON_NO_LOOKUP] = {"no-lookup", FINDING_BROKEN, "the name servers did not answer", TAIL_TIMEOUT},
        [REASON_RESET] = {"reset", FINDING_BROKEN, "connection reset", TAIL_NONE},
        [REASON_CLOSED] = {"closed", FINDING_BROKEN, "closed before a complete answer", TAIL_NONE},
        [REASON_UNREACHABLE] = {"unreachable", FINDING_BROKEN, "cannot be reached", TAIL_ERRNO},
        [REASON_BAD_STATUS] = {"bad-status", FINDING_BROKEN, "status", TAIL_STATUS},
        [REASON_BODY_MISMATCH] = {"body-mismatch", FINDING_BROKEN,
                                  "the first 64 KiB of the body do not match", TAIL_EXPECT},
        [REASON_BAD_ANSWER] = {"bad-answer", FINDING_BROKEN, "the answer is not proper HTTP", TAIL_NONE},
        [REASON_NAME_NOT_FOUND] = {"name-not-found", FINDING_BROKEN, "the name has no address", TAIL_NONE},
        [REASON_TLS] = {"tls", FINDING_BROKEN, "no TLS session", TAIL_NONE},
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

const char *check_target(const struct config_check *check, char text[static REASON_TEXT])
{
        char ip[IP_TEXT];

        switch (check->kind) {
        case CHECK_TCP:
                snprintf(text, REASON_TEXT, check->ip.family == AF_INET6 ? "tcp [%s]:%u" : "tcp %s:%u",
                         ip_format(&check->ip, ip), check->port);
                return text;
        case CHECK_HTTP: snprintf(text, REASON_TEXT, "%s", check->url); return text;
        }
        assert(!"a kind of check without a target");
        return text;
}

const char *outcome_format(const struct outcome *o, const struct config_check *check,
                           char text[static REASON_TEXT])
{
        char duration[SPAN_TEXT];
        char *at, *end = text + REASON_TEXT;

        assert(o->reason < REASONS);
        check_target(check, text);
        at = text + strlen(text);
        at += snprintf(at, (size_t)(end - at), ": %s", reasons[o->reason].text);
        switch (reasons[o->reason].tail) {
        case TAIL_NONE: break;
        case TAIL_TIMEOUT:
                snprintf(at, (size_t)(end - at), " within %s", span_format(check->timeout, duration));
                break;
        case TAIL_ERRNO:
                if (o->detail != 0)
                        snprintf(at, (size_t)(end - at), ": %s", strerror(o->detail));
                break;
        case TAIL_STATUS:
                snprintf(at, (size_t)(end - at), " %d, wanted %d-%d", o->detail, check->status_min,
                         check->status_max);
                break;
        case TAIL_EXPECT: snprintf(at, (size_t)(end - at), " '%.128s'", check->expect); break;
        case TAIL_TOOK: snprintf(at, (size_t)(end - at), " in %s", span_format(o->took, duration)); break;
        }
        return text;
}
