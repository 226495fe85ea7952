/* probe_http.c - http and https by libcurl's multi-socket interface on the loop.
 *
 * Every probe is a connection of its own: a kept one would hide that the server accepts no more. Redirects
 * are not followed, no proxy and no environment is asked, certificates are not verified: a check asks a
 * service by the address it lives on, where the certificate names the site. */
#include "monitor/probe.h"

#include <curl/curl.h>
#include <errno.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BODY_MAX    ((size_t)64 * 1024) /* of a body, that is read and matched */
#define HEADERS_MAX ((size_t)64 * 1024) /* of all header lines together */

struct http {
        uv_loop_t *loop;
        CURLM *multi;
        uv_timer_t timer;
};

struct http_socket {
        uv_poll_t poll;
        struct http *http;
        curl_socket_t fd;
};

struct probe_http {
        struct http *http;
        const struct config_check *check;
        CURL *easy;
        struct curl_slist *headers;
        regex_t expect;
        bool expects; /* `expect` is compiled */
        bool running;
        size_t header_bytes;
        size_t body_bytes;
        char *body; /* kept only while running, only if something is expected of it */
        probe_done_fn *on_done;
        void *user;
};

/* A transfer that curl gave up because our callback had enough: was it enough? */
static bool stopped_by_us(const struct probe_http *p, CURLcode code)
{
        return code == CURLE_WRITE_ERROR && p->body_bytes == BODY_MAX;
}

static enum reason judge_answer(struct probe_http *p, int *ret_detail)
{
        regmatch_t part = {.rm_so = 0, .rm_eo = (regoff_t)p->body_bytes};
        long status = 0;

        curl_easy_getinfo(p->easy, CURLINFO_RESPONSE_CODE, &status);
        if (status < p->check->status_min || status > p->check->status_max) {
                *ret_detail = (int)status;
                return REASON_BAD_STATUS;
        }
        if (p->expects && regexec(&p->expect, p->body != NULL ? p->body : "", 1, &part, REG_STARTEND) != 0)
                return REASON_BODY_MISMATCH;
        return REASON_WORKS;
}

static enum reason reason_from_curl(struct probe_http *p, CURLcode code, int *ret_detail)
{
        curl_off_t connected_us = 0;
        long error = 0;

        curl_easy_getinfo(p->easy, CURLINFO_OS_ERRNO, &error);
        curl_easy_getinfo(p->easy, CURLINFO_CONNECT_TIME_T, &connected_us);
        switch (code) {
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
        case CURLE_SSL_CIPHER:
        case CURLE_PEER_FAILED_VERIFICATION: return REASON_TLS;
        case CURLE_WRITE_ERROR: /* ours: headers without end, or no memory for the body */
                if (p->header_bytes > HEADERS_MAX)
                        return REASON_BAD_ANSWER;
                *ret_detail = ENOMEM;
                return REASON_LOCAL;
        case CURLE_OUT_OF_MEMORY: *ret_detail = ENOMEM; return REASON_LOCAL;
        case CURLE_FAILED_INIT:
        case CURLE_URL_MALFORMAT: *ret_detail = EINVAL; return REASON_LOCAL;
        default: return REASON_BAD_ANSWER;
        }
}

static void probe_stop(struct probe_http *p)
{
        curl_multi_remove_handle(p->http->multi, p->easy);
        p->running = false;
}

static void collect_done(struct http *http)
{
        CURLMsg *message;
        int left;

        while ((message = curl_multi_info_read(http->multi, &left)) != NULL) {
                struct probe_http *p = NULL;
                CURLcode code = message->data.result;
                enum reason reason;
                int detail = 0;

                if (message->msg != CURLMSG_DONE)
                        continue;
                curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&p);
                if (code == CURLE_OK || stopped_by_us(p, code))
                        reason = judge_answer(p, &detail);
                else
                        reason = reason_from_curl(p, code, &detail);
                probe_stop(p);
                free(p->body);
                p->body = NULL;
                p->on_done(p->user, reason, detail);
        }
}

static void on_socket_ready(uv_poll_t *poll, int status, int events)
{
        struct http_socket *s = poll->data;
        struct http *http = s->http; /* curl may drop the socket within */
        int flags = status < 0 ? CURL_CSELECT_ERR : 0;
        int running;

        if (events & UV_READABLE)
                flags |= CURL_CSELECT_IN;
        if (events & UV_WRITABLE)
                flags |= CURL_CSELECT_OUT;
        curl_multi_socket_action(http->multi, s->fd, flags, &running);
        collect_done(http);
}

static void on_timer(uv_timer_t *timer)
{
        struct http *http = timer->data;
        int running;

        curl_multi_socket_action(http->multi, CURL_SOCKET_TIMEOUT, 0, &running);
        collect_done(http);
}

static int on_curl_timer(CURLM *multi, long ms, void *user)
{
        struct http *http = user;

        if (ms < 0)
                uv_timer_stop(&http->timer);
        else
                uv_timer_start(&http->timer, on_timer, (uint64_t)ms, 0);
        return 0;
}

static void on_poll_closed(uv_handle_t *handle)
{
        free(handle->data);
}

static int on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *user, void *socket_user)
{
        struct http *http = user;
        struct http_socket *s = socket_user;

        if (what == CURL_POLL_REMOVE) {
                if (s == NULL)
                        return 0;
                uv_poll_stop(&s->poll);
                uv_close((uv_handle_t *)&s->poll, on_poll_closed);
                curl_multi_assign(http->multi, fd, NULL);
                return 0;
        }
        if (s == NULL) {
                s = calloc(1, sizeof(*s));
                if (s == NULL)
                        return -1;
                s->http = http;
                s->fd = fd;
                if (uv_poll_init_socket(http->loop, &s->poll, fd) != 0) {
                        free(s);
                        return -1;
                }
                s->poll.data = s;
                curl_multi_assign(http->multi, fd, s);
        }
        uv_poll_start(&s->poll,
                      ((what & CURL_POLL_IN) != 0 ? UV_READABLE : 0) |
                              ((what & CURL_POLL_OUT) != 0 ? UV_WRITABLE : 0),
                      on_socket_ready);
        return 0;
}

static int http_new(uv_loop_t *loop, struct http **ret_http)
{
        struct http *http = calloc(1, sizeof(*http));

        if (http == NULL || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
                goto fail;
        http->loop = loop;
        http->multi = curl_multi_init();
        if (http->multi == NULL)
                goto fail;
        uv_timer_init(loop, &http->timer);
        http->timer.data = http;
        curl_multi_setopt(http->multi, CURLMOPT_SOCKETFUNCTION, on_curl_socket);
        curl_multi_setopt(http->multi, CURLMOPT_SOCKETDATA, http);
        curl_multi_setopt(http->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
        curl_multi_setopt(http->multi, CURLMOPT_TIMERDATA, http);
        *ret_http = http;
        return 0;
fail:
        free(http);
        return -ENOMEM;
}

static void on_http_closed(uv_handle_t *handle)
{
        free(handle->data);
}

static void http_free(struct http *http)
{
        if (http == NULL)
                return;
        curl_multi_cleanup(http->multi);
        uv_close((uv_handle_t *)&http->timer, on_http_closed);
}

static size_t on_header(char *bytes, size_t size, size_t n, void *user)
{
        struct probe_http *p = user;

        p->header_bytes += size * n;
        return p->header_bytes > HEADERS_MAX ? 0 : size * n;
}

static size_t on_body(char *bytes, size_t size, size_t n, void *user)
{
        struct probe_http *p = user;
        size_t room = BODY_MAX - p->body_bytes;
        size_t take = n < room ? n : room;

        if (p->expects) {
                if (p->body == NULL)
                        p->body = malloc(BODY_MAX + 1);
                if (p->body == NULL)
                        return 0;
                memcpy(p->body + p->body_bytes, bytes, take);
        }
        p->body_bytes += take;
        if (p->expects)
                p->body[p->body_bytes] = '\0'; /* regexec(3) wants a string, whatever REG_STARTEND says */
        /* Exactly full is enough too: the next byte may never come, and none is wanted. */
        return p->body_bytes == BODY_MAX ? 0 : n;
}

static void set_options(struct probe_http *p)
{
        CURL *e = p->easy;

        curl_easy_setopt(e, CURLOPT_PRIVATE, p);
        curl_easy_setopt(e, CURLOPT_URL, p->check->url);
        curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
        curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
        curl_easy_setopt(e, CURLOPT_PROXY, "");
        curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, 1L);
        curl_easy_setopt(e, CURLOPT_FORBID_REUSE, 1L);
        curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
        curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 0L);
        curl_easy_setopt(e, CURLOPT_USERAGENT, "haven-checker");
        curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
        curl_easy_setopt(e, CURLOPT_HEADERDATA, p);
        curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
        curl_easy_setopt(e, CURLOPT_WRITEDATA, p);
        /* A name server that does not answer must not hold the loop: a cut lookup leaves its thread behind
         * instead of waiting for it. */
        curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L);
        if (p->headers != NULL)
                curl_easy_setopt(e, CURLOPT_HTTPHEADER, p->headers);
}

static void probe_free(struct probe_http *p)
{
        if (p == NULL)
                return;
        if (p->running)
                probe_stop(p);
        curl_easy_cleanup(p->easy);
        curl_slist_free_all(p->headers);
        if (p->expects)
                regfree(&p->expect);
        free(p->body);
        free(p);
}

static int probe_new(struct http *http, const struct config_check *check, probe_done_fn *on_done, void *user,
                     struct probe_http **ret_probe)
{
        struct probe_http *p = calloc(1, sizeof(*p));
        char header[sizeof(check->host) + sizeof("Host: ")];

        if (p == NULL)
                return -ENOMEM;
        p->http = http;
        p->check = check;
        p->on_done = on_done;
        p->user = user;
        p->easy = curl_easy_init();
        if (p->easy == NULL)
                goto no_memory;
        if (check->host[0] != '\0') {
                snprintf(header, sizeof(header), "Host: %s", check->host);
                p->headers = curl_slist_append(NULL, header);
                if (p->headers == NULL)
                        goto no_memory;
        }
        if (check->expect[0] != '\0') {
                if (regcomp(&p->expect, check->expect, REG_EXTENDED | REG_NEWLINE) != 0) {
                        probe_free(p);
                        return -EINVAL;
                }
                p->expects = true;
        }
        set_options(p);
        *ret_probe = p;
        return 0;
no_memory:
        probe_free(p);
        return -ENOMEM;
}

static int begin(struct probe_http *p)
{
        p->header_bytes = p->body_bytes = 0;
        if (curl_multi_add_handle(p->http->multi, p->easy) != CURLM_OK)
                return -ENOMEM;
        p->running = true;
        return 0;
}

static enum reason cancel(struct probe_http *p)
{
        curl_off_t looked_up_us = 0, connected_us = 0;

        curl_easy_getinfo(p->easy, CURLINFO_NAMELOOKUP_TIME_T, &looked_up_us);
        curl_easy_getinfo(p->easy, CURLINFO_CONNECT_TIME_T, &connected_us);
        probe_stop(p);
        free(p->body);
        p->body = NULL;
        if (looked_up_us == 0)
                return REASON_NO_LOOKUP;
        return connected_us == 0 ? REASON_NO_CONNECTION : REASON_NO_ANSWER;
}

__attribute__((visibility("default"))) const struct probe_http_door probe_http_door = {
        .http_new = http_new,
        .http_free = http_free,
        .probe_new = probe_new,
        .begin = begin,
        .cancel = cancel,
        .probe_free = probe_free,
};
