#include "monitor/runner/lookup.h"

#include "monitor/runner/ares_loop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TRIES 3

struct lookup {
        struct ares_loop ares;
        bool dead; /* being freed: what c-ares says now is of no interest */
        bool done;
        struct ip ip; /* family 0: there is none, and `failure` says why */
        struct ending failure;
        lookup_done_fn *on_done;
        void *user;
};

static void on_freed(uv_handle_t *handle)
{
        free(handle->data);
        ares_library_cleanup();
}

static void cut(struct lookup *l)
{
        l->dead = true;
        ares_loop_close(&l->ares, on_freed, l);
}

static void judge(int status, struct ending *e)
{
        switch (status) {
        case ARES_ETIMEOUT:
        case ARES_ECONNREFUSED: e->reason = REASON_NO_LOOKUP; break;
        case ARES_ENOMEM:
                e->reason = REASON_LOCAL;
                e->detail = ENOMEM;
                break;
        case ARES_SUCCESS: /* of another family */
        case ARES_ENOTFOUND:
        case ARES_ENODATA: e->reason = REASON_NAME_NOT_FOUND; break;
        default:
                e->reason = REASON_NAME_NOT_FOUND;
                ending_say(e, "%s", ares_strerror(status));
                break;
        }
}

/* Comes from within c-ares, so nothing is freed here. */
static void on_answer(void *user, int status, int timeouts, struct ares_addrinfo *answer)
{
        struct lookup *l = user;

        if (!l->dead && status == ARES_SUCCESS && answer->nodes != NULL)
                ip_from_sockaddr(answer->nodes->ai_addr, &l->ip);
        if (!l->dead && l->ip.family == 0)
                judge(status, &l->failure);
        if (answer != NULL)
                ares_freeaddrinfo(answer);
        l->done = true;
}

static void on_turn(void *user)
{
        struct lookup *l = user;

        if (l->done) {
                struct ip ip = l->ip;
                struct ending failure = l->failure;
                lookup_done_fn *on_done = l->on_done;
                void *look = l->user;

                cut(l);
                on_done(look, ip.family == 0 ? NULL : &ip, ip.family == 0 ? &failure : NULL);
                return;
        }
        ares_loop_wait(&l->ares);
}

static int begin(uv_loop_t *loop, const char *host, sa_family_t family, span timeout, lookup_done_fn *on_done,
                 void *user, struct lookup **ret_lookup)
{
        struct ares_options o = {.tries = TRIES, .timeout = (int)span_to_ms(timeout) / (TRIES + 1) + 1};
        struct ares_addrinfo_hints hints = {.ai_family = family, .ai_socktype = SOCK_STREAM};
        struct lookup *l = calloc(1, sizeof(*l));
        int r;

        if (l == NULL)
                return -ENOMEM;
        l->on_done = on_done;
        l->user = user;
        ares_library_init(ARES_LIB_INIT_ALL); /* counts */
        r = ares_loop_open(&l->ares, loop, &o, ARES_OPT_TRIES | ARES_OPT_TIMEOUTMS, on_turn, l);
        if (r != 0) {
                cut(l);
                return r;
        }
        ares_getaddrinfo(l->ares.channel, host, NULL, &hints, on_answer, l);
        if (l->done) /* it stood in a file: told from the loop, as everything */
                ares_loop_wake(&l->ares);
        else
                ares_loop_wait(&l->ares);
        *ret_lookup = l;
        return 0;
}

PROBE_EXPORT extern const struct lookup_kind lookup_names;
const struct lookup_kind lookup_names = {.begin = begin, .cut = cut};
