#include "monitor/kinds/curl_loop.h"

#include "monitor/kinds/pattern.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#define STOCK_MAX                                                                                            \
        64 /* handles kept; at 10 000 looks a second of some milliseconds each, that many run at once */

struct curl_loop {
        uv_loop_t *loop;
        CURLM *multi;
        uv_timer_t timer;
        CURL *stock[STOCK_MAX];
        size_t stock_count;
};

/* Hangs on a handle while its transfer runs. */
struct transfer {
        curl_done_fn *on_done;
        void *user;
        curl_socket_t fd; /* its newest; -1: none so far */
};

struct curl_socket {
        uv_poll_t poll;
        struct curl_loop *owner;
        curl_socket_t fd;
};

static void transfer_end(struct curl_loop *c, CURL *easy)
{
        struct transfer *t = NULL;

        curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&t);
        if (t == NULL)
                return;
        curl_easy_setopt(easy, CURLOPT_PRIVATE, (void *)NULL);
        curl_multi_remove_handle(c->multi, easy);
        free(t);
}

static void collect_done(struct curl_loop *c)
{
        CURLMsg *message;
        int left;

        while ((message = curl_multi_info_read(c->multi, &left)) != NULL) {
                CURL *easy = message->easy_handle;
                CURLcode code = message->data.result;
                struct transfer *t = NULL;
                curl_done_fn *on_done;
                void *user;

                if (message->msg != CURLMSG_DONE)
                        continue;
                curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&t);
                on_done = t->on_done;
                user = t->user;
                transfer_end(c, easy);
                on_done(user, easy, code);
        }
}

static void on_socket_ready(uv_poll_t *poll, int status, int events)
{
        struct curl_socket *s = poll->data;
        struct curl_loop *c = s->owner; /* curl may drop the socket within */
        int flags = status < 0 ? CURL_CSELECT_ERR : 0;
        int running;

        if (events & UV_READABLE)
                flags |= CURL_CSELECT_IN;
        if (events & UV_WRITABLE)
                flags |= CURL_CSELECT_OUT;
        curl_multi_socket_action(c->multi, s->fd, flags, &running);
        collect_done(c);
}

void curl_loop_nudge(struct curl_loop *c)
{
        int running;

        curl_multi_perform(c->multi, &running);
        collect_done(c);
}

static void on_timer(uv_timer_t *timer)
{
        struct curl_loop *c = timer->data;
        int running;

        curl_multi_socket_action(c->multi, CURL_SOCKET_TIMEOUT, 0, &running);
        collect_done(c);
}

static int on_curl_timer(CURLM *multi, long ms, void *user)
{
        struct curl_loop *c = user;

        if (ms < 0)
                uv_timer_stop(&c->timer);
        else
                uv_timer_start(&c->timer, on_timer, (uint64_t)ms, 0);
        return 0;
}

static void on_freed(uv_handle_t *handle)
{
        free(handle->data);
}

static int on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *user, void *socket_user)
{
        struct curl_loop *c = user;
        struct curl_socket *s = socket_user;
        struct transfer *t = NULL;

        curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&t);
        if (t != NULL && what != CURL_POLL_REMOVE)
                t->fd = fd;
        if (what == CURL_POLL_REMOVE) {
                if (s == NULL)
                        return 0;
                uv_poll_stop(&s->poll);
                uv_close((uv_handle_t *)&s->poll, on_freed);
                curl_multi_assign(c->multi, fd, NULL);
                return 0;
        }
        if (s == NULL) {
                s = calloc(1, sizeof(*s));
                if (s == NULL)
                        return -1;
                s->owner = c;
                s->fd = fd;
                if (uv_poll_init_socket(c->loop, &s->poll, fd) != 0) {
                        free(s);
                        return -1;
                }
                s->poll.data = s;
                curl_multi_assign(c->multi, fd, s);
        }
        uv_poll_start(&s->poll,
                      ((what & CURL_POLL_IN) != 0 ? UV_READABLE : 0) |
                              ((what & CURL_POLL_OUT) != 0 ? UV_WRITABLE : 0),
                      on_socket_ready);
        return 0;
}

static int curl_loop_new(uv_loop_t *loop, struct curl_loop **ret_loop)
{
        struct curl_loop *c = calloc(1, sizeof(*c));

        if (c == NULL || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
                goto fail;
        c->loop = loop;
        c->multi = curl_multi_init();
        if (c->multi == NULL)
                goto fail;
        uv_timer_init(loop, &c->timer);
        c->timer.data = c;
        curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, on_curl_socket);
        curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
        curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
        curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
        *ret_loop = c;
        return 0;
fail:
        free(c);
        return -ENOMEM;
}

static void curl_loop_free(struct curl_loop *c)
{
        if (c == NULL)
                return;
        while (c->stock_count > 0)
                curl_easy_cleanup(c->stock[--c->stock_count]);
        curl_multi_cleanup(c->multi);
        uv_close((uv_handle_t *)&c->timer, on_freed);
}

int curl_room_open(const struct probe_house *house, void **ret_shared)
{
        return curl_loop_new(house->loop, (struct curl_loop **)ret_shared);
}

void curl_room_close(void *shared)
{
        curl_loop_free(shared);
        pattern_forget(); /* this object has a cache of its own */
}

CURL *curl_loop_borrow(struct curl_loop *c)
{
        CURL *e = c->stock_count > 0 ? c->stock[--c->stock_count] : curl_easy_init();

        if (e == NULL)
                return NULL;
        curl_easy_setopt(e, CURLOPT_PROXY, "");
        curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
        curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, 1L); /* a kept one hides that no more are accepted */
        curl_easy_setopt(e, CURLOPT_FORBID_REUSE, 1L);
        curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 0L);
        curl_easy_setopt(e, CURLOPT_SSL_SESSIONID_CACHE, 0L);
        /* A name server that does not answer must not hold the loop: a cut lookup leaves its thread behind
         * instead of waiting for it. */
        curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L);
        return e;
}

int curl_loop_begin(struct curl_loop *c, CURL *easy, curl_done_fn *on_done, void *user)
{
        struct transfer *t = calloc(1, sizeof(*t));

        if (t == NULL)
                return -ENOMEM;
        t->on_done = on_done;
        t->user = user;
        t->fd = -1;
        curl_easy_setopt(easy, CURLOPT_PRIVATE, t);
        if (curl_multi_add_handle(c->multi, easy) == CURLM_OK)
                return 0;
        curl_easy_setopt(easy, CURLOPT_PRIVATE, (void *)NULL);
        free(t);
        return -ENOMEM;
}

void curl_loop_forget(struct curl_loop *c, CURL *easy)
{
        if (easy == NULL)
                return;
        transfer_end(c, easy);
        curl_easy_cleanup(easy);
}

void curl_loop_return(struct curl_loop *c, CURL *easy)
{
        if (easy == NULL || c->stock_count == STOCK_MAX) {
                curl_loop_forget(c, easy);
                return;
        }
        transfer_end(c, easy);
        curl_easy_reset(easy);
        c->stock[c->stock_count++] = easy;
}

struct curl_slist *curl_set_ends(CURL *easy, const struct ip *source, const struct ip *to)
{
        char text[IP_TEXT + 16], ip[IP_TEXT];
        struct curl_slist *list = NULL;

        if (source->family != 0) {
                snprintf(text, sizeof(text), "host!%s", ip_format(source, ip));
                curl_easy_setopt(easy, CURLOPT_INTERFACE, text);
        }
        if (to->family != 0) {
                snprintf(text, sizeof(text), to->family == AF_INET6 ? "::[%s]:" : "::%s:", ip_format(to, ip));
                list = curl_slist_append(NULL, text);
                curl_easy_setopt(easy, CURLOPT_CONNECT_TO, list);
        }
        return list;
}

void curl_set_trust(CURL *easy, bool verify, const char *ca)
{
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, verify ? 1L : 0L);
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, verify ? 2L : 0L);
        if (ca == NULL)
                return;
        curl_easy_setopt(easy, CURLOPT_CAINFO, ca);
#if CURL_AT_LEAST_VERSION(7, 87, 0)
        curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, 0L); /* else a new file is seen after a day */
#endif
}

static enum reason reason_from_curl(CURL *easy, CURLcode code, int *ret_detail)
{
        curl_off_t connected_us = 0;
        long error = 0;

        curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &error);
        curl_easy_getinfo(easy, CURLINFO_CONNECT_TIME_T, &connected_us);
        switch (code) {
        case CURLE_OK: return REASON_WORKS;
        case CURLE_COULDNT_RESOLVE_HOST: return REASON_NAME_NOT_FOUND;
        case CURLE_COULDNT_CONNECT:
                *ret_detail = (int)error;
                /* curl names no errno when every address of a name has failed */
                return error == 0 ? REASON_REFUSED : reason_from_errno((int)error, false);
        case CURLE_OPERATION_TIMEDOUT: return connected_us > 0 ? REASON_NO_ANSWER : REASON_NO_CONNECTION;
        case CURLE_RECV_ERROR:
        case CURLE_SEND_ERROR: return REASON_RESET;
        case CURLE_GOT_NOTHING:
        case CURLE_PARTIAL_FILE: return REASON_CLOSED;
        case CURLE_SSL_CONNECT_ERROR:
        case CURLE_USE_SSL_FAILED:
        case CURLE_SSL_CIPHER: return REASON_TLS;
        case CURLE_PEER_FAILED_VERIFICATION: return REASON_CERTIFICATE;
        case CURLE_LOGIN_DENIED:
        case CURLE_REMOTE_ACCESS_DENIED: return REASON_DENIED;
        case CURLE_REMOTE_FILE_NOT_FOUND: return REASON_MISSING;
        case CURLE_OUT_OF_MEMORY: *ret_detail = ENOMEM; return REASON_LOCAL;
        case CURLE_INTERFACE_FAILED: *ret_detail = EADDRNOTAVAIL; return REASON_LOCAL;
        case CURLE_SSL_CACERT_BADFILE: return REASON_LOCAL;
        case CURLE_FAILED_INIT:
        case CURLE_NOT_BUILT_IN:
        case CURLE_URL_MALFORMAT: *ret_detail = EINVAL; return REASON_LOCAL;
        default: return REASON_BAD_ANSWER;
        }
}

void curl_ending(CURL *easy, CURLcode code, const char *error_text, struct ending *ret_ending)
{
        ret_ending->reason = reason_from_curl(easy, code, &ret_ending->detail);
        switch (ret_ending->reason) {
        case REASON_TLS:
        case REASON_CERTIFICATE:
        case REASON_DENIED:
        case REASON_BAD_ANSWER: ending_say(ret_ending, "%s", error_text); break;
        default: break; /* the reason says as much */
        }
        if (code == CURLE_SSL_CACERT_BADFILE)
                ending_say(ret_ending, "%s", error_text);
}

/* For libcurl a connection is one when its TLS session stands (seen with 7.88). */
static bool is_connected(CURL *easy)
{
        struct sockaddr_storage peer;
        socklen_t size = sizeof(peer);
        struct transfer *t = NULL;

        curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&t);
        return t != NULL && t->fd != -1 && getpeername(t->fd, (struct sockaddr *)&peer, &size) == 0;
}

enum reason curl_progress(CURL *easy)
{
        curl_off_t looked_up_us = 0, connected_us = 0;

        curl_easy_getinfo(easy, CURLINFO_NAMELOOKUP_TIME_T, &looked_up_us);
        curl_easy_getinfo(easy, CURLINFO_CONNECT_TIME_T, &connected_us);
        if (looked_up_us == 0)
                return REASON_NO_LOOKUP;
        return connected_us > 0 || is_connected(easy) ? REASON_NO_ANSWER : REASON_NO_CONNECTION;
}
