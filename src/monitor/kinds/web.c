/* web.c - plain http as most checks want it: HTTP/1.1 without TLS, to an address, no redirect followed.
 *
 * Made for numbers: a socket, a request, a parser on the stack of what was read, and no copy of anything
 * unless the body is to match. libcurl (http.c) does the rest, at some times the cost; both judge
 * alike. The parser is Debian's http-parser. */
#include "monitor/kinds/http_judge.h"
#include "monitor/kinds/pattern.h"
#include "monitor/probe.h"

#include <errno.h>
#include <http_parser.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQUEST_MAX   ((size_t)12 * 1024) /* a url, a host, and 16 headers of 512 bytes */
#define READ_SIZE     ((size_t)16 * 1024)
#define READS_IN_TURN 8
#define OVERHEAD_MAX  ((size_t)256 * 1024) /* headers, and what chunks are wrapped in */

struct probe {
        uv_poll_t poll;
        int fd;
        const struct check_http *check;
        bool connected;
        bool whole; /* the answer is complete, or as much of it as is wanted */
        http_parser parser;
        size_t bytes; /* of the answer, so far */
        size_t body_bytes;
        char *body; /* kept only if something is expected of it */
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

        return h->version == HTTP_VERSION_1_1 && h->redirect == HTTP_REDIRECT_STAY &&
               url_parse(h->url, &at) && !has(&at, UF_USERINFO) &&
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

/* --- the answer, by the parser's callbacks; anything but 0 stops it --- */

static int on_headers(http_parser *parser)
{
        struct probe *p = parser->data;

        return p->check->method == METHOD_HEAD
                       ? 1
                       : 0; /* 1: no body follows, whatever its length is said to be */
}

static int on_body(http_parser *parser, const char *bytes, size_t n)
{
        struct probe *p = parser->data;
        size_t room = HTTP_BODY_MAX - p->body_bytes, take = n < room ? n : room;

        if (p->check->expect != NULL && p->body == NULL)
                p->body = malloc(HTTP_BODY_MAX + 1);
        p->no_memory = p->check->expect != NULL && p->body == NULL;
        if (p->no_memory)
                return -1;
        if (p->body != NULL) {
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

static void on_closed(uv_handle_t *handle)
{
        free(handle->data);
}

static void probe_free(struct probe *p)
{
        uv_poll_stop(&p->poll);
        close(p->fd);
        free(p->body);
        uv_close((uv_handle_t *)&p->poll, on_closed);
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
        if (p->whole) {
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

static void on_readable(uv_poll_t *poll, int status, int events)
{
        static char bytes[READ_SIZE];
        struct probe *p = poll->data;
        ssize_t n = READ_SIZE;

        /* a full read has more behind it; a short one has none now */
        for (int i = 0; i < READS_IN_TURN && n == READ_SIZE; i++) {
                n = recv(p->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
                if (n == -1 && (errno == EAGAIN || errno == EINTR))
                        return;
                if (n == -1) {
                        over_for(p, reason_from_errno(errno, true), errno);
                        return;
                }
                if (!take_bytes(p, bytes, (size_t)n))
                        return;
        }
}

static void on_connected(uv_poll_t *poll, int status, int events)
{
        struct probe *p = poll->data;
        char request[REQUEST_MAX];
        size_t size = write_request(p->check, request);
        ssize_t n = size == 0 ? -1 : send(p->fd, request, size, MSG_DONTWAIT | MSG_NOSIGNAL);
        int error = size == 0 ? E2BIG : errno;

        if (n != -1) { /* so little always fits a fresh socket */
                p->connected = true;
                uv_poll_start(poll, UV_READABLE, on_readable);
                return;
        }
        over_for(p, reason_from_errno(error, false),
                 error); /* a connection that failed says so at its first use */
}

static int begin(void *shared, const struct probe_house *house, const struct config_check *check,
                 probe_done_fn *on_done, void *user, struct probe **ret_probe)
{
        struct probe *p = calloc(1, sizeof(*p));
        struct place at = {0};
        int r;

        if (p == NULL)
                return -ENOMEM;
        p->check = &check->http;
        p->on_done = on_done;
        p->user = user;
        http_parser_init(&p->parser, HTTP_RESPONSE);
        p->parser.data = p;
        r = url_parse(check->http.url, &at) ? 0 : -EINVAL;
        if (r == 0)
                p->fd = r =
                        probe_connect(check->ip.family != 0 ? &check->ip : &at.ip, at.port, &check->source);
        if (r >= 0)
                r = uv_poll_init(house->loop, &p->poll, p->fd);
        if (r != 0) {
                if (p->fd > 0)
                        close(p->fd);
                free(p);
                return r;
        }
        p->poll.data = p;
        uv_poll_start(&p->poll, UV_WRITABLE, on_connected);
        *ret_probe = p;
        return 0;
}

static void cut(struct probe *p, struct ending *ret_ending)
{
        ret_ending->reason = p->connected ? REASON_NO_ANSWER : REASON_NO_CONNECTION;
        probe_free(p);
}

const struct probe_kind probe_web = {.suits = suits, .begin = begin, .cut = cut};
