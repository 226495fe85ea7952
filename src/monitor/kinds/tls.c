/* tls.c - a TLS session by OpenSSL, and how good the certificate is and for how long. */
#include "monitor/probe.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct probe {
        uv_poll_t poll;
        int fd;
        const struct config_check *check;
        SSL *ssl;
        bool connected;
        probe_done_fn *on_done;
        void *user;
};

static void on_closed(uv_handle_t *handle)
{
        free(handle->data);
}

static void probe_free(struct probe *p)
{
        uv_poll_stop(&p->poll);
        SSL_free(p->ssl); /* leaves the descriptor alone: it was set by SSL_set_fd() */
        close(p->fd);
        uv_close((uv_handle_t *)&p->poll, on_closed);
}

static void cut(struct probe *p, struct ending *ret_ending)
{
        ret_ending->reason = p->connected ? REASON_NO_ANSWER : REASON_NO_CONNECTION;
        probe_free(p);
}

static void over(struct probe *p, const struct ending *e)
{
        probe_done_fn *on_done = p->on_done;
        void *user = p->user;

        probe_free(p);
        on_done(user, e);
}

/* "in 12 days (2026-12-03)" */
static void say_end(const ASN1_TIME *end, int days, char *text, size_t size)
{
        struct tm tm = {0};
        char date[16] = "";

        if (ASN1_TIME_to_tm(end, &tm) == 1)
                strftime(date, sizeof(date), "%Y-%m-%d", &tm);
        snprintf(text, size, "in %d day%s (%s)", days, days == 1 ? "" : "s", date);
}

static void judge_certificate(const struct probe *p, X509 *certificate, struct ending *e)
{
        const struct check_tls *want = &p->check->tls;
        long verified = SSL_get_verify_result(p->ssl);
        int days = 0, seconds = 0;
        char end[64];

        e->reason = REASON_CERTIFICATE;
        if (X509_cmp_current_time(X509_get0_notBefore(certificate)) > 0) {
                ending_say(e, "it is not valid yet");
                return;
        }
        if (ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(certificate)) != 1) {
                ending_say(e, "its end is not readable");
                return;
        }
        if (days < 0 || seconds < 0) {
                ending_say(e, "it ended %d days ago", -days);
                return;
        }
        if (want->verify && verified != X509_V_OK) {
                ending_say(e, "%s", X509_verify_cert_error_string(verified));
                return;
        }
        say_end(X509_get0_notAfter(certificate), days, end, sizeof(end));
        if (days < want->days) {
                e->reason = REASON_LIMIT;
                ending_say(e, "the certificate ends %s, %d are wanted", end, want->days);
                return;
        }
        e->reason = REASON_WORKS;
        ending_say(e, "the certificate ends %s", end);
}

static void on_session(struct probe *p)
{
        struct ending e = {.reason = REASON_CERTIFICATE};
        X509 *certificate = SSL_get1_peer_certificate(p->ssl);

        if (certificate == NULL)
                ending_say(&e, "there is none");
        else
                judge_certificate(p, certificate, &e);
        X509_free(certificate);
        over(p, &e);
}

static void on_failure(struct probe *p, int error)
{
        struct ending e = {.reason = REASON_TLS};
        unsigned long why = ERR_peek_last_error();

        if (error == SSL_ERROR_SYSCALL && why == 0) {
                e.reason = errno == 0 ? REASON_CLOSED : reason_from_errno(errno, true);
                e.detail = errno;
        } else if (ERR_GET_REASON(why) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
                e.reason = REASON_CLOSED;
        } else if (why != 0) {
                ending_say(&e, "%s", ERR_reason_error_string(why));
        }
        over(p, &e);
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
        struct probe *p = poll->data;
        int error, r;
        socklen_t size = sizeof(error);

        if (!p->connected) {
                if (getsockopt(p->fd, SOL_SOCKET, SO_ERROR, &error, &size) == -1)
                        error = errno;
                if (error != 0) {
                        over(p, &(struct ending){.reason = reason_from_errno(error, false), .detail = error});
                        return;
                }
                p->connected = true;
        }
        ERR_clear_error();
        errno = 0;
        r = SSL_connect(p->ssl);
        if (r == 1) {
                on_session(p);
                return;
        }
        switch (SSL_get_error(p->ssl, r)) {
        case SSL_ERROR_WANT_READ: uv_poll_start(poll, UV_READABLE, on_ready); break;
        case SSL_ERROR_WANT_WRITE: uv_poll_start(poll, UV_WRITABLE, on_ready); break;
        case SSL_ERROR_SYSCALL: on_failure(p, SSL_ERROR_SYSCALL); break;
        default: on_failure(p, SSL_ERROR_SSL); break;
        }
}

/* The name goes with SNI; without one the certificate is held against the address. */
static bool set_up(struct probe *p, SSL_CTX *context)
{
        const char *name = p->check->tls.name != NULL ? p->check->tls.name : p->check->host;
        char ip[IP_TEXT];

        p->ssl = SSL_new(context);
        if (p->ssl == NULL || SSL_set_fd(p->ssl, p->fd) != 1)
                return false;
        if (name != NULL)
                return SSL_set_tlsext_host_name(p->ssl, name) == 1 && SSL_set1_host(p->ssl, name) == 1;
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(p->ssl), ip_format(&p->check->ip, ip)) == 1;
}

/* Instead of what the system trusts. 0, or the negative errno of what cannot be read. */
static int trust(struct probe *p, const char *ca)
{
        X509_STORE *store;
        bool good;

        if (ca == NULL)
                return 0;
        if (access(ca, R_OK) == -1)
                return -errno;
        store = X509_STORE_new();
        good = store != NULL && X509_STORE_load_file(store, ca) == 1;
        ERR_clear_error();
        if (good)
                good = SSL_set1_verify_cert_store(p->ssl, store) == 1;
        X509_STORE_free(store);
        return good ? 0 : -EINVAL;
}

static int begin(void *shared, const struct probe_house *house, const struct config_check *check,
                 probe_done_fn *on_done, void *user, struct probe **ret_probe)
{
        struct probe *p = calloc(1, sizeof(*p));
        int r;

        if (p == NULL)
                return -ENOMEM;
        p->check = check;
        p->on_done = on_done;
        p->user = user;
        p->fd = r = probe_connect(&check->ip, check->port, &check->source);
        if (r >= 0)
                r = set_up(p, shared) ? 0 : -ENOMEM;
        if (r == 0)
                r = trust(p, check->tls.ca);
        if (r == 0)
                r = uv_poll_init(house->loop, &p->poll, p->fd);
        if (r != 0) {
                SSL_free(p->ssl);
                if (p->fd >= 0)
                        close(p->fd);
                free(p);
                return r;
        }
        p->poll.data = p;
        uv_poll_start(&p->poll, UV_WRITABLE, on_ready);
        *ret_probe = p;
        return 0;
}

/* No session is resumed: a resumed one shows no certificate. What the system trusts is read at the first
 * certificate that is verified. */
static int open_tls(const struct probe_house *house, void **ret_shared)
{
        SSL_CTX *context = SSL_CTX_new(TLS_client_method());

        if (context == NULL)
                return -ENOMEM;
        SSL_CTX_set_default_verify_paths(context);
        SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
        SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
        *ret_shared = context;
        return 0;
}

static void close_tls(void *shared)
{
        SSL_CTX_free(shared);
}

PROBE_EXPORT extern const struct probe_kind probe_tls;
const struct probe_kind probe_tls = {.open = open_tls, .close = close_tls, .begin = begin, .cut = cut};
