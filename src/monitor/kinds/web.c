/* web.c - plain http as most checks want it: HTTP/1.1 without TLS, to an address.
 *
 * Made for numbers: a socket, a request, a parser on the stack of what was read, and no copy of anything
 * unless the body is to match. libcurl (http.c) does the rest, at some times the cost, and a redirect
 * that is to be followed is left to it when it comes; both judge alike. The parser is Debian's http-parser.
 */
#include "monitor/kinds/http_judge.h"
#include "monitor/kinds/pattern.h"
#include "monitor/probe.h"
#include "monitor/runner/poller.h"

#include <errno.h>
#include <http_parser.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQUEST_MAX   ((size_t)12 * 1024) /* a url, a host, and 16 headers of 512 bytes */
#define READ_SIZE     ((size_t)16 * 1024)
#define READS_IN_TURN 8
#define OVERHEAD_MAX  ((size_t)256 * 1024) /* headers, and what chunks are wrapped in */

struct probe {
        struct polled polled;
        struct poller *poller;
        const struct check_http *check;
        bool connected;
        bool whole;    /* the answer is complete, or as much of it as is wanted */
        bool leads_on; /* it is a redirect, which is to be followed */
        http_parser parser;
        size_t bytes; /* of the answer, so far */
        size_t body_bytes;
        char *body; /* kept only if something is expected of it */
        size_t body_room;
        bool no_memory;
        probe_done_fn *on_done;
        void *user;
};

/* --- the url --- */

struct place {
        struct http_parser_url url;
        struct ip ip; /* family 0: the host is a name */
        uint16_t port;
};

static bool has(const struct place *at, enum http_parser_url_fields field)
{
        return (at->url.field_set & 1U << field) != 0;
}

static bool url_parse(const char *text, struct place *ret_place)
{
        struct place at = {.port = 80};
        char host[IP_TEXT];

        http_parser_url_init(&at.url);
        if (strncasecmp(text, "http://", 7) != 0 ||
            http_parser_parse_url(text, strlen(text), 0, &at.url) != 0 || !has(&at, UF_HOST))
                return false;
        if (has(&at, UF_PORT))
                at.port = at.url.port;
        if (at.url.field_data[UF_HOST].len < sizeof(host)) {
                memcpy(host, text + at.url.field_data[UF_HOST].off, at.url.field_data[UF_HOST].len);
                host[at.url.field_data[UF_HOST].len] = '\0';
                if (ip_parse(host, &at.ip) != 0)
                        at.ip = (struct ip){0};
        }
        *ret_place = at;
        return true;
}

static bool suits(const struct config_check *check)
{
        const struct check_http *h = &check->http;
        struct place at;

        return h->version == HTTP_VERSION_1_1 && url_parse(h->url, &at) && !has(&at, UF_USERINFO) &&
               (check->ip.family != 0 || at.ip.family != 0);
}

/* --- the request --- */

/* Whether the user sends that header, so that we do not. */
static bool is_given(const struct check_http *check, const char *name)
{
        size_t n = strlen(name);

        for (char **h = check->header; h != NULL && *h != NULL; h++)
                if (strncasecmp(*h, name, n) == 0 && (*h)[n] == ':')
                        return true;
        return false;
}

/* The host and port as they stand in the url, brackets of an IPv6 address included. */
static int authority_of(const struct place *at, const char **ret_text, const char *url)
{
        const char *host = url + strlen("http://");

        *ret_text = host;
        return (int)strcspn(host, "/?#");
}

/* Bytes written; 0 if it does not fit. */
static size_t write_request(const struct check_http *check, char request[static REQUEST_MAX])
{
        static const char *const methods[] = {"GET", "HEAD", "OPTIONS"};
        const char *authority, *path;
        struct place at;
        int authority_n, path_n;
        size_t n;

        if (!url_parse(check->url, &at))
                return 0;
        authority_n = authority_of(&at, &authority, check->url);
        path = authority + authority_n;
        path_n = (int)strcspn(path, "#");
        n = (size_t)snprintf(request, REQUEST_MAX, "%s %s%.*s HTTP/1.1\r\n", methods[check->method],
                             *path == '/' ? "" : "/", path_n, path);
        if (check->host != NULL)
                n += (size_t)snprintf(request + n, REQUEST_MAX - n, "Host: %s\r\n", check->host);
        else if (!is_given(check, "Host"))
                n += (size_t)snprintf(request + n, REQUEST_MAX - n, "Host: %.*s\r\n", authority_n, authority);
        if (!is_given(check, "User-Agent"))
                n += (size_t)snprintf(request + n, REQUEST_MAX - n, "User-Agent: haven-checker\r\n");
        if (!is_given(check, "Accept"))
                n += (size_t)snprintf(request + n, REQUEST_MAX - n, "Accept: */*\r\n");
        if (!is_given(check, "Connection"))
                n += (size_t)snprintf(request + n, REQUEST_MAX - n, "Connection: close\r\n");
        for (char **h = check->header; h != NULL && *h != NULL && n < REQUEST_MAX; h++)
                n += (size_t)snprintf(request + n, REQUEST_MAX - n, "%s\r\n", *h);
        if (n < REQUEST_MAX)
                n += (size_t)snprintf(request + n, REQUEST_MAX - n, "\r\n");
        return n < REQUEST_MAX ? n : 0;
}

/* --- the answer, by the parser's callbacks; a negative number stops it --- */

static int on_headers(http_parser *parser)
{
        struct probe *p = parser->data;

        p->leads_on = p->check->redirect == HTTP_REDIRECT_FOLLOW && parser->status_code / 100 == 3;
        if (p->leads_on)
                return -1;
        return p->check->method == METHOD_HEAD
                       ? 1
                       : 0; /* 1: no body follows, whatever its length is said to be */
}

/* Room for so many bytes and an end; as much again as there is, so that a body in drips costs no more. */
static bool body_grow(struct probe *p, size_t bytes)
{
        size_t room = p->body_room * 2 > bytes + 1 ? p->body_room * 2 : bytes + 1;
        char *body;

        if (bytes < p->body_room)
                return true;
        body = realloc(p->body, room);
        if (body == NULL)
                return false;
        p->body = body;
        p->body_room = room;
        return true;
}

static int on_body(http_parser *parser, const char *bytes, size_t n)
{
        struct probe *p = parser->data;
        size_t room = HTTP_BODY_MAX - p->body_bytes, take = n < room ? n : room;

        if (p->check->expect != NULL) {
                p->no_memory = !body_grow(p, p->body_bytes + take);
                if (p->no_memory)
                        return -1;
                memcpy(p->body + p->body_bytes, bytes, take);
                p->body[p->body_bytes + take] = '\0';
        }
        p->body_bytes += take;
        p->whole = p->body_bytes == HTTP_BODY_MAX; /* the next byte may never come, and none is wanted */
        return p->whole ? -1 : 0;
}

static int on_whole(http_parser *parser)
{
        struct probe *p = parser->data;

        p->whole = parser->status_code / 100 != 1; /* of 100 Continue another follows */
        return p->whole ? -1 : 0;
}

static const http_parser_settings settings = {
        .on_headers_complete = on_headers, .on_body = on_body, .on_message_complete = on_whole};

/* --- the connection --- */

static void probe_free(struct probe *p)
{
        poller_close(p->poller, &p->polled);
        free(p->body);
        free(p);
}

static void over(struct probe *p, const struct ending *e)
{
        probe_done_fn *on_done = p->on_done;
        void *user = p->user;

        probe_free(p);
        on_done(user, e);
}

static void over_for(struct probe *p, enum reason reason, int detail)
{
        over(p, &(struct ending){.reason = reason, .detail = detail});
}

/* What was read goes through the parser; false when that ended the probe. */
static bool take_bytes(struct probe *p, const char *bytes, size_t n)
{
        struct ending e = {.reason = REASON_BAD_ANSWER};
        size_t taken = http_parser_execute(&p->parser, &settings, bytes, n);

        p->bytes += n;
        if (p->leads_on) {
                e.elsewhere = true;
        } else if (p->whole) {
                http_judge(p->check, (int)p->parser.status_code, p->body, p->body_bytes, &e);
        } else if (p->no_memory) {
                e.reason = REASON_LOCAL;
                e.detail = ENOMEM;
        } else if (n == 0) {
                e.reason = REASON_CLOSED;
        } else if (taken != n || HTTP_PARSER_ERRNO(&p->parser) != HPE_OK) {
                ending_say(&e, "%s", http_errno_description(HTTP_PARSER_ERRNO(&p->parser)));
        } else if (p->bytes - p->body_bytes > (p->body_bytes == 0 ? HTTP_HEADERS_MAX : OVERHEAD_MAX)) {
                ending_say(&e, "more than %zu KiB beside the body",
                           (p->body_bytes == 0 ? HTTP_HEADERS_MAX : OVERHEAD_MAX) / 1024);
        } else {
                return true;
        }
        over(p, &e);
        return false;
}

static void read_answer(struct probe *p, uint32_t events)
{
        static char bytes[READ_SIZE];
        bool is_end = (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0; /* behind what is there */

        for (int i = 0; i < READS_IN_TURN; i++) {
                ssize_t n = recv(p->polled.fd, bytes, sizeof(bytes), MSG_DONTWAIT);

                if (n == -1 && errno == EAGAIN)
                        return;
                if (n == -1) {
                        over_for(p, reason_from_errno(errno, true), errno);
                        return;
                }
                if (!take_bytes(p, bytes, (size_t)n) || ((size_t)n < sizeof(bytes) && !is_end))
                        return;
        }
        poller_again(p->poller, &p->polled);
}

/* False when the connection has failed: it says so at its first use. */
static bool send_request(struct probe *p)
{
        char request[REQUEST_MAX];
        size_t size = write_request(p->check, request);
        ssize_t n = size == 0 ? -1 : send(p->polled.fd, request, size, MSG_DONTWAIT | MSG_NOSIGNAL);
        int error = size == 0 ? E2BIG : errno;

        if (n == -1) {
                over_for(p, reason_from_errno(error, false), error);
                return false;
        }
        p->connected = true; /* so little always fits a fresh socket */
        return true;
}

static void on_ready(struct polled *polled, uint32_t events)
{
        struct probe *p = (struct probe *)polled; /* its first member */

        if (!p->connected && !send_request(p))
                return;
        if ((events & ~(uint32_t)EPOLLOUT) != 0)
                read_answer(p, events);
}

static int begin(void *shared, const struct probe_house *house, const struct config_check *check,
                 probe_done_fn *on_done, void *user, struct probe **ret_probe)
{
        struct probe *p = calloc(1, sizeof(*p));
        struct place at = {0};
        int fd = -EINVAL, r;

        if (p == NULL)
                return -ENOMEM;
        p->poller = house->poller;
        p->check = &check->http;
        p->on_done = on_done;
        p->user = user;
        http_parser_init(&p->parser, HTTP_RESPONSE);
        p->parser.data = p;
        if (url_parse(check->http.url, &at))
                fd = probe_connect(check->ip.family != 0 ? &check->ip : &at.ip, at.port, &check->source);
        r = fd < 0 ? fd : poller_add(house->poller, &p->polled, fd, on_ready);
        if (r != 0) {
                if (fd >= 0)
                        close(fd);
                free(p);
                return r;
        }
        *ret_probe = p;
        return 0;
}

static void cut(struct probe *p, struct ending *ret_ending)
{
        ret_ending->reason = p->connected ? REASON_NO_ANSWER : REASON_NO_CONNECTION;
        probe_free(p);
}

const struct probe_kind probe_web = {.suits = suits, .begin = begin, .cut = cut};
