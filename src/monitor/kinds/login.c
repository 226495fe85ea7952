/* login.c - ftp, smtp, imap, pop3 and ldap by libcurl: a session, a login where wanted, one harmless
 * command, and the proper end of it. */
#include "monitor/kinds/curl_loop.h"
#include "monitor/kinds/pattern.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_MAX ((size_t)64 * 1024)
#define FILE_MAX   ((size_t)64 * 1024)
#define NUDGE_MS   20

/* Of urls; with an s behind it, protected from the first byte. */
static const char *const schemes[CHECK_KINDS] = {[CHECK_FTP] = "ftp",
                                                 [CHECK_SMTP] = "smtp",
                                                 [CHECK_IMAP] = "imap",
                                                 [CHECK_POP3] = "pop3",
                                                 [CHECK_LDAP] = "ldap"};

struct probe {
        struct curl_loop *loop;
        const struct config_check *check;
        CURL *easy;
        struct curl_slist *ends;
        uv_timer_t *nudge; /* NULL: it needs none */
        size_t bytes;      /* of the answer */
        char *file;        /* ftp: what was fetched, up to FILE_MAX; NULL: nothing, or none is wanted */
        size_t file_bytes;
        char error[CURL_ERROR_SIZE];
        probe_done_fn *on_done;
        void *user;
};

/* Whether a second connection shall go on with the TLS session of the first: vsftpd refuses it otherwise. */
static bool has_data_in_tls(const struct config_check *c)
{
        return c->kind == CHECK_FTP && c->login.path != NULL && c->login.tls != LOGIN_TLS_NONE;
}

static void on_nudge_closed(uv_handle_t *handle)
{
        free(handle);
}

static void on_nudge(uv_timer_t *timer)
{
        const struct probe *p = timer->data;

        curl_loop_nudge(p->loop); /* may end it */
}

/* Where libcurl does not notice that it could go on (seen with 7.88): what came in one TLS record with what
 * was waited for lies in OpenSSL's buffer while it waits for the socket, and of ldap an answer that is not
 * there at once is never looked for. */
static bool needs_nudge(const struct config_check *c)
{
        return c->kind == CHECK_LDAP || has_data_in_tls(c);
}

static int nudge_start(struct probe *p, uv_loop_t *loop)
{
        if (!needs_nudge(p->check))
                return 0;
        p->nudge = malloc(sizeof(*p->nudge));
        if (p->nudge == NULL)
                return -ENOMEM;
        uv_timer_init(loop, p->nudge);
        p->nudge->data = p;
        uv_timer_start(p->nudge, on_nudge, NUDGE_MS, NUDGE_MS);
        return 0;
}

static void probe_free(struct probe *p)
{
        if (p->nudge != NULL)
                uv_close((uv_handle_t *)p->nudge, on_nudge_closed);
        if (has_data_in_tls(p->check))
                curl_loop_forget(p->loop, p->easy);
        else
                curl_loop_return(p->loop, p->easy);
        curl_slist_free_all(p->ends);
        free(p->file);
        free(p);
}

/* What an FTP server gave, to its end or up to FILE_MAX. */
static void judge_file(const struct probe *p, struct ending *e)
{
        const char *expect = p->check->login.expect;

        *e = (struct ending){.reason = REASON_WORKS};
        ending_say(e, p->file_bytes == FILE_MAX ? "%zu bytes and more" : "%zu bytes", p->file_bytes);
        if (expect == NULL || pattern_matches(expect, p->file != NULL ? p->file : "", p->file_bytes))
                return;
        e->reason = REASON_MISMATCH;
        ending_say(e, "the first 64 KiB of %.100s do not match '%.100s'", p->check->login.path, expect);
}

static void on_over(void *user, CURL *easy, CURLcode code)
{
        struct probe *p = user;
        probe_done_fn *on_done = p->on_done;
        void *look = p->user;
        struct ending ending = {0};

        curl_ending(easy, code, p->error, &ending);
        if (code == CURLE_WRITE_ERROR && p->bytes > ANSWER_MAX)
                ending_say(&ending, "more than %zu KiB", ANSWER_MAX / 1024);
        else if (code == CURLE_LDAP_CANNOT_BIND)
                ending.reason = REASON_DENIED;
        else if (code == CURLE_LDAP_SEARCH_FAILED)
                ending.reason = REASON_MISMATCH; /* "No such object": its words are said */
        else if (code == CURLE_OK && p->check->kind == CHECK_LDAP && p->bytes == 0)
                ending.reason = REASON_MISSING;
        else if (p->check->login.path != NULL && (code == CURLE_OK || p->file_bytes == FILE_MAX))
                judge_file(p, &ending);
        else if (code == CURLE_WRITE_ERROR) {
                ending.reason = REASON_LOCAL;
                ending.detail = ENOMEM;
        }
        probe_free(p);
        on_done(look, &ending);
}

/* What is answered is none of our business, only that it ends. */
static size_t on_bytes(char *bytes, size_t size, size_t n, void *user)
{
        struct probe *p = user;

        p->bytes += size * n;
        return p->bytes > ANSWER_MAX ? 0 : size * n;
}

/* Of a file its beginning; exactly full is enough, too: the next byte may never come. */
static size_t on_file(char *bytes, size_t size, size_t n, void *user)
{
        struct probe *p = user;
        size_t room = FILE_MAX - p->file_bytes, take = n < room ? n : room;

        if (p->file == NULL)
                p->file = malloc(FILE_MAX + 1);
        if (p->file == NULL)
                return 0;
        memcpy(p->file + p->file_bytes, bytes, take);
        p->file_bytes += take;
        p->file[p->file_bytes] = '\0';
        return p->file_bytes == FILE_MAX ? 0 : n;
}

/* What of the url is text of the user's: the name of an entry, or of a file. */
static const char *place_of(const struct config_check *c)
{
        return c->kind == CHECK_LDAP ? c->login.base : c->kind == CHECK_FTP ? c->login.path : NULL;
}

/* "ldap://127.0.0.1:389/cn=a?1.1?base"; of a name only what may stand in a url as it is. */
static bool set_url(struct probe *p)
{
        const struct config_check *c = p->check;
        bool at_once = c->login.tls == LOGIN_TLS_TLS;
        char url[1280], ip[IP_TEXT], *place = NULL;
        int n;

        const char *host = c->host != NULL ? c->host : ip_format(&c->ip, ip);
        if (place_of(c) != NULL) {
                place = curl_easy_escape(p->easy, place_of(c), 0);
                if (place == NULL)
                        return false;
        }
        n = snprintf(url, sizeof(url),
                     strchr(host, ':') != NULL ? "%s%s://[%s]:%u/%s%s" : "%s%s://%s:%u/%s%s",
                     schemes[c->kind], at_once ? "s" : "", host, c->port, place == NULL ? "" : place,
                     c->kind == CHECK_LDAP ? "?objectClass?base" : "");
        curl_free(place);
        if (n >= (int)sizeof(url))
                return false;
        return curl_easy_setopt(p->easy, CURLOPT_URL, url) == CURLE_OK;
}

static void set_command(struct probe *p)
{
        CURL *e = p->easy;

        switch (p->check->kind) {
        case CHECK_FTP:
                if (p->check->login.path == NULL)
                        curl_easy_setopt(e, CURLOPT_NOBODY, 1L);
                /* the file is asked for by its whole name: "/" in it is the server's business */
                curl_easy_setopt(e, CURLOPT_FTP_FILEMETHOD, (long)CURLFTPMETHOD_NOCWD);
                break;
        case CHECK_SMTP:
        case CHECK_IMAP: curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, "NOOP"); break;
        case CHECK_POP3: curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, "CAPA"); break;
        default: break;
        }
}

static void set_options(struct probe *p)
{
        const struct check_login *login = &p->check->login;
        CURL *e = p->easy;

        curl_easy_setopt(e, CURLOPT_ERRORBUFFER, p->error);
        curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "ftp,ftps,smtp,smtps,imap,imaps,pop3,pop3s,ldap,ldaps");
        curl_easy_setopt(e, CURLOPT_USE_SSL,
                         (long)(login->tls == LOGIN_TLS_NONE ? CURLUSESSL_NONE : CURLUSESSL_ALL));
        curl_set_trust(e, login->verify, login->ca);
        if (login->user != NULL) {
                curl_easy_setopt(e, CURLOPT_USERNAME, login->user);
                curl_easy_setopt(e, CURLOPT_PASSWORD, login->password == NULL ? "" : login->password);
        }
        curl_easy_setopt(e, CURLOPT_SSL_SESSIONID_CACHE, has_data_in_tls(p->check) ? 1L : 0L);
        curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, login->path != NULL ? on_file : on_bytes);
        curl_easy_setopt(e, CURLOPT_WRITEDATA, p);
        curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_bytes);
        curl_easy_setopt(e, CURLOPT_HEADERDATA, p);
}

static int begin(void *shared, const struct probe_house *house, const struct config_check *check,
                 probe_done_fn *on_done, void *user, struct probe **ret_probe)
{
        static const struct ip as_it_is;
        struct probe *p = calloc(1, sizeof(*p));
        int r = -ENOMEM;

        if (p == NULL)
                return -ENOMEM;
        p->loop = shared;
        p->check = check;
        p->on_done = on_done;
        p->user = user;
        p->easy = curl_loop_borrow(p->loop);
        if (p->easy != NULL && set_url(p)) {
                set_options(p);
                set_command(p);
                p->ends =
                        curl_set_ends(p->easy, &check->source, check->host == NULL ? &as_it_is : &check->ip);
                r = nudge_start(p, house->loop);
                if (r == 0)
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

#define LOGIN_KIND                                                                                           \
        {                                                                                                    \
                .open = curl_room_open, .close = curl_room_close, .begin = begin, .cut = cut                 \
        }

PROBE_EXPORT extern const struct probe_kind probe_ftp, probe_smtp, probe_imap, probe_pop3, probe_ldap;
const struct probe_kind probe_ftp = LOGIN_KIND;
const struct probe_kind probe_smtp = LOGIN_KIND;
const struct probe_kind probe_imap = LOGIN_KIND;
const struct probe_kind probe_pop3 = LOGIN_KIND;
const struct probe_kind probe_ldap = LOGIN_KIND;
