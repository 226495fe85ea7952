/* login.c - ftp, smtp, imap, pop3 and ldap by libcurl: a session, a login where wanted, one harmless
 * command, and the proper end of it. */
#include "monitor/kinds/curl_loop.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_MAX ((size_t)64 * 1024)
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
        char error[CURL_ERROR_SIZE];
        probe_done_fn *on_done;
        void *user;
};

static void on_nudge_closed(uv_handle_t *handle)
{
        free(handle);
}

static void on_nudge(uv_timer_t *timer)
{
        const struct probe *p = timer->data;

        curl_loop_nudge(p->loop); /* may end it */
}

/* What came in one TLS record with what was waited for lies in OpenSSL's buffer, and libcurl waits for the
 * socket (seen with 7.88: ldaps never ends). */
static int nudge_start(struct probe *p, uv_loop_t *loop)
{
        if (p->check->kind != CHECK_LDAP || p->check->login.tls == LOGIN_TLS_NONE)
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
        curl_loop_return(p->loop, p->easy);
        curl_slist_free_all(p->ends);
        free(p);
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

/* "ldap://127.0.0.1:389/cn=a?1.1?base"; of a name only what may stand in a url as it is. */
static bool set_url(struct probe *p)
{
        const struct config_check *c = p->check;
        bool at_once = c->login.tls == LOGIN_TLS_TLS;
        char url[1280], ip[IP_TEXT], *base = NULL;
        int n;

        const char *host = c->host != NULL ? c->host : ip_format(&c->ip, ip);
        if (c->login.base != NULL && c->kind == CHECK_LDAP) {
                base = curl_easy_escape(p->easy, c->login.base, 0);
                if (base == NULL)
                        return false;
        }
        n = snprintf(url, sizeof(url),
                     strchr(host, ':') != NULL ? "%s%s://[%s]:%u/%s%s" : "%s%s://%s:%u/%s%s",
                     schemes[c->kind], at_once ? "s" : "", host, c->port, base == NULL ? "" : base,
                     c->kind == CHECK_LDAP ? "?objectClass?base" : "");
        curl_free(base);
        if (n >= (int)sizeof(url))
                return false;
        return curl_easy_setopt(p->easy, CURLOPT_URL, url) == CURLE_OK;
}

static void set_command(struct probe *p)
{
        CURL *e = p->easy;

        switch (p->check->kind) {
        case CHECK_FTP: curl_easy_setopt(e, CURLOPT_NOBODY, 1L); break;
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
        curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, login->verify ? 1L : 0L);
        curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, login->verify ? 2L : 0L);
        if (login->user != NULL) {
                curl_easy_setopt(e, CURLOPT_USERNAME, login->user);
                curl_easy_setopt(e, CURLOPT_PASSWORD, login->password == NULL ? "" : login->password);
        }
        curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_bytes);
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

static int open_login(const struct probe_house *house, void **ret_shared)
{
        return curl_loop_new(house->loop, (struct curl_loop **)ret_shared);
}

static void close_login(void *shared)
{
        curl_loop_free(shared);
}

#define LOGIN_KIND                                                                                           \
        {                                                                                                    \
                .open = open_login, .close = close_login, .begin = begin, .cut = cut                         \
        }

PROBE_EXPORT extern const struct probe_kind probe_ftp, probe_smtp, probe_imap, probe_pop3, probe_ldap;
const struct probe_kind probe_ftp = LOGIN_KIND;
const struct probe_kind probe_smtp = LOGIN_KIND;
const struct probe_kind probe_imap = LOGIN_KIND;
const struct probe_kind probe_pop3 = LOGIN_KIND;
const struct probe_kind probe_ldap = LOGIN_KIND;
