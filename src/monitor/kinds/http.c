/* http.c - https by libcurl, and of http what web.c leaves to it.
 *
 * Every probe is a connection of its own. No proxy and no environment is asked; a certificate is verified
 * where the check says so: it asks a service by the address it lives on, where the certificate names the
 * site. Nothing is ever decompressed: none is asked for, and what comes so all the same is taken as it is. */
#include "monitor/kinds/curl_loop.h"
#include "monitor/kinds/http_judge.h"
#include "monitor/kinds/pattern.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REDIRECTS_MAX 5L

struct probe {
        struct curl_loop *loop;
        const struct check_http *check;
        CURL *easy;
        struct curl_slist *headers, *connect_to;
        size_t header_bytes;
        size_t body_bytes;
        char *body; /* kept only if something is expected of it */
        char error[CURL_ERROR_SIZE];
        probe_done_fn *on_done;
        void *user;
};

static void probe_free(struct probe *p)
{
        curl_loop_return(p->loop, p->easy);
        curl_slist_free_all(p->headers);
        curl_slist_free_all(p->connect_to);
        free(p->body);
        free(p);
}

static void judge_answer(struct probe *p, struct ending *e)
{
        long status = 0, version = 0;

        curl_easy_getinfo(p->easy, CURLINFO_RESPONSE_CODE, &status);
        curl_easy_getinfo(p->easy, CURLINFO_HTTP_VERSION, &version);
        http_judge(p->check, (int)status, p->body, p->body_bytes, e);
        if (e->reason == REASON_WORKS && p->check->version == HTTP_VERSION_2 &&
            version != CURL_HTTP_VERSION_2) {
                e->reason = REASON_MISMATCH;
                ending_say(e, "it is not HTTP/2");
        }
}

/* A transfer that curl gave up because our callback had enough: was it enough? */
static bool stopped_by_us(const struct probe *p, CURLcode code)
{
        return code == CURLE_WRITE_ERROR && p->body_bytes == HTTP_BODY_MAX;
}

static void on_over(void *user, CURL *easy, CURLcode code)
{
        struct probe *p = user;
        probe_done_fn *on_done = p->on_done;
        void *look = p->user;
        struct ending ending = {0};

        if (code == CURLE_OK || stopped_by_us(p, code)) {
                judge_answer(p, &ending);
        } else if (code == CURLE_WRITE_ERROR && p->header_bytes > HTTP_HEADERS_MAX) {
                ending.reason = REASON_BAD_ANSWER;
                ending_say(&ending, "more than 64 KiB of headers");
        } else if (code == CURLE_WRITE_ERROR) {
                ending.reason = REASON_LOCAL;
                ending.detail = ENOMEM;
        } else {
                curl_ending(easy, code, p->error, &ending);
        }
        probe_free(p);
        on_done(look, &ending);
}

static size_t on_header(char *bytes, size_t size, size_t n, void *user)
{
        struct probe *p = user;

        p->header_bytes += size * n;
        return p->header_bytes > HTTP_HEADERS_MAX ? 0 : size * n;
}

static size_t on_body(char *bytes, size_t size, size_t n, void *user)
{
        struct probe *p = user;
        size_t room = HTTP_BODY_MAX - p->body_bytes;
        size_t take = n < room ? n : room;

        if (p->check->expect != NULL) {
                if (p->body == NULL)
                        p->body = malloc(HTTP_BODY_MAX + 1);
                if (p->body == NULL)
                        return 0;
                memcpy(p->body + p->body_bytes, bytes, take);
        }
        p->body_bytes += take;
        if (p->body != NULL)
                p->body[p->body_bytes] = '\0'; /* regexec(3) wants a string, whatever REG_STARTEND says */
        /* Exactly full is enough too: the next byte may never come, and none is wanted. */
        return p->body_bytes == HTTP_BODY_MAX ? 0 : n;
}

static bool add_header(struct probe *p, const char *line)
{
        struct curl_slist *list = curl_slist_append(p->headers, line);

        if (list == NULL)
                return false;
        p->headers = list;
        return true;
}

static bool set_headers(struct probe *p)
{
        char host[160];

        if (p->check->host != NULL) {
                snprintf(host, sizeof(host), "Host: %s", p->check->host);
                if (!add_header(p, host))
                        return false;
        }
        for (char **h = p->check->header; h != NULL && *h != NULL; h++)
                if (!add_header(p, *h))
                        return false;
        curl_easy_setopt(p->easy, CURLOPT_HTTPHEADER, p->headers);
        return true;
}

static long curl_version_of(const struct check_http *check)
{
        if (check->version == HTTP_VERSION_1_1)
                return CURL_HTTP_VERSION_1_1;
        return strncmp(check->url, "https:", 6) == 0 ? CURL_HTTP_VERSION_2TLS
                                                     : CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE;
}

static void set_options(struct probe *p)
{
        static const char *const methods[] = {"GET", "HEAD", "OPTIONS"};
        CURL *e = p->easy;

        curl_easy_setopt(e, CURLOPT_URL, p->check->url);
        curl_easy_setopt(e, CURLOPT_ERRORBUFFER, p->error);
        curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
        curl_easy_setopt(e, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
        curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, p->check->redirect == HTTP_REDIRECT_FOLLOW ? 1L : 0L);
        curl_easy_setopt(e, CURLOPT_MAXREDIRS, REDIRECTS_MAX);
        curl_easy_setopt(e, CURLOPT_HTTP_VERSION, curl_version_of(p->check));
        if (p->check->method == METHOD_HEAD)
                curl_easy_setopt(e, CURLOPT_NOBODY, 1L);
        else if (p->check->method != METHOD_GET)
                curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, methods[p->check->method]);
        curl_set_trust(e, p->check->verify, p->check->ca);
        curl_easy_setopt(e, CURLOPT_USERAGENT, "haven-checker");
        curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
        curl_easy_setopt(e, CURLOPT_HEADERDATA, p);
        curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
        curl_easy_setopt(e, CURLOPT_WRITEDATA, p);
}

static int begin(void *shared, const struct probe_house *house, const struct config_check *check,
                 probe_done_fn *on_done, void *user, struct probe **ret_probe)
{
        struct probe *p = calloc(1, sizeof(*p));
        int r = -ENOMEM;

        if (p == NULL)
                return -ENOMEM;
        p->loop = shared;
        p->check = &check->http;
        p->on_done = on_done;
        p->user = user;
        p->easy = curl_loop_borrow(p->loop);
        if (p->easy != NULL && set_headers(p)) {
                set_options(p);
                p->connect_to = curl_set_ends(p->easy, &check->source, &check->ip);
                r = curl_loop_begin(p->loop, p->easy, on_over, p);
        }
        if (r != 0) {
                probe_free(p);
                return r;
        }
        *ret_probe = p;
        return 0;
}

static void cut(struct probe *p, struct ending *ret_ending)
{
        ret_ending->reason = curl_progress(p->easy);
        probe_free(p);
}

PROBE_EXPORT extern const struct probe_kind probe_http;
const struct probe_kind probe_http = {
        .open = curl_room_open, .close = curl_room_close, .begin = begin, .cut = cut};
