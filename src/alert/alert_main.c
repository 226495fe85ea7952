/* haven-alert: tells one message, by mail, to a webhook, or to the system's log, and ends.
 *
 * Started by the core for each message, with the message as JSON on standard input. What only root may read
 * (a password) is read first; then everything is given up, and only then a server is spoken to. Exit status
 * 0: told. Else a line on standard output says why not; with status 0 it says what was not quite right. */
#include "alert/system_log.h"
#include "child/sandbox.h"

#include "base/file.h"

#include <ctype.h>
#include <curl/curl.h>
#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define MESSAGE_MAX (1024 * 1024)
#define SECRET_MAX  4096
#define CA_MAX      (512 * 1024)
#define ANSWER_MAX  (64 * 1024) /* of a webhook's answer; it is not read */

struct message {
        json_t *json;
        char secret[SECRET_MAX + 1]; /* "" none */
        char *ca;
        size_t ca_size;
        CURL *curl;
        char error[CURL_ERROR_SIZE];
        char *mail;
        size_t mail_size, mail_sent;
        size_t answered;
};

static const char *text_of(const struct message *m, const char *key)
{
        const char *text = json_string_value(json_object_get(m->json, key));

        return text ? text : "";
}

static int fail(const char *what, const char *why)
{
        printf("%s: %s\n", what, why);
        return EXIT_FAILURE;
}

/* --- what root reads --- */

static bool read_secret(struct message *m)
{
        const char *path = text_of(m, "secret_file");
        ssize_t n;

        if (path[0] == '\0')
                return true;
        n = file_read(path, m->secret, SECRET_MAX);
        if (n < 0) {
                fail(path, strerror((int)-n));
                return false;
        }
        m->secret[n] = '\0';
        m->secret[strcspn(m->secret, "\r\n")] = '\0';
        return true;
}

static bool read_ca(struct message *m)
{
        const char *path = text_of(m, "ca");
        ssize_t n;

        if (path[0] == '\0')
                return true;
        m->ca = malloc(CA_MAX);
        n = m->ca ? file_read(path, m->ca, CA_MAX) : -ENOMEM;
        if (n < 0) {
                fail(path, strerror((int)-n));
                return false;
        }
        m->ca_size = (size_t)n;
        return true;
}

static bool read_message(struct message *m)
{
        char *text = malloc(MESSAGE_MAX);
        json_error_t error;
        size_t n = text ? fread(text, 1, MESSAGE_MAX, stdin) : 0;

        m->json = text ? json_loadb(text, n, 0, &error) : NULL;
        free(text);
        if (!json_is_object(m->json)) {
                fail("message", "it is no JSON object; haven-alert is started by haven, not by hand");
                return false;
        }
        return true;
}

/* --- libcurl --- */

static void prepare(struct message *m)
{
        struct curl_blob ca = {.data = m->ca, .len = m->ca_size, .flags = CURL_BLOB_COPY};

        m->curl = curl_easy_init();
        if (!m->curl)
                return;
        curl_easy_setopt(m->curl, CURLOPT_ERRORBUFFER, m->error);
        curl_easy_setopt(m->curl, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(m->curl, CURLOPT_TIMEOUT_MS,
                         (long)json_integer_value(json_object_get(m->json, "timeout_ms")));
        if (m->ca)
                curl_easy_setopt(m->curl, CURLOPT_CAINFO_BLOB, &ca);
}

/* --- mail --- */

/* A header's value holds no line breaks, whatever it was made of. */
static void put_header(FILE *to, const char *name, const char *value)
{
        fprintf(to, "%s: ", name);
        for (; *value; value++)
                fputc(iscntrl((unsigned char)*value) ? ' ' : *value, to);
        fputs("\r\n", to);
}

static bool is_ascii(const char *text)
{
        for (; *text; text++)
                if ((unsigned char)*text >= 0x80)
                        return false;
        return true;
}

/* RFC 2047: words of up to 45 bytes in base64, not cut within a character. */
static void put_subject(FILE *to, const char *text)
{
        static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

        if (is_ascii(text)) {
                put_header(to, "Subject", text);
                return;
        }
        fputs("Subject:", to);
        while (*text) {
                size_t n = strlen(text) < 45 ? strlen(text) : 45;
                while (n > 1 && ((unsigned char)text[n] & 0xc0) == 0x80)
                        n--;
                fputs(" =?UTF-8?B?", to);
                for (size_t i = 0; i < n; i += 3) {
                        unsigned a = (unsigned char)text[i], b = i + 1 < n ? (unsigned char)text[i + 1] : 0,
                                 c = i + 2 < n ? (unsigned char)text[i + 2] : 0;
                        fprintf(to, "%c%c%c%c", digits[a >> 2], digits[(a & 3) << 4 | b >> 4],
                                i + 1 < n ? digits[(b & 15) << 2 | c >> 6] : '=',
                                i + 2 < n ? digits[c & 63] : '=');
                }
                fputs("?=\r\n", to);
                text += n;
        }
}

static void put_body(FILE *to, const char *body)
{
        for (; *body; body++) {
                if (*body == '\n')
                        fputc('\r', to);
                if (*body == '\n' || *body == '\t' || !iscntrl((unsigned char)*body))
                        fputc(*body, to);
        }
}

static void own_name(char name[static 256])
{
        if (gethostname(name, 256) == -1)
                strcpy(name, "localhost");
        name[255] = '\0';
}

/* "Night Shift <night@example.org>" -> "<night@example.org>" */
static void envelope(const char *address, char to[static 300])
{
        const char *open = strrchr(address, '<'), *from = open ? open + 1 : address;

        snprintf(to, 300, "<%.*s>", (int)strcspn(from, "> \t"), from);
}

/* One field for all of them (RFC 5322 3.6), a line each. */
static void put_recipients(FILE *to, const json_t *addresses)
{
        const json_t *address;
        const char *before = "To: ";
        size_t i;

        json_array_foreach(addresses, i, address)
        {
                const char *text = json_string_value(address);
                if (!is_ascii(text))
                        continue;
                fputs(before, to);
                for (; *text; text++)
                        fputc(iscntrl((unsigned char)*text) ? ' ' : *text, to);
                before = ",\r\n ";
        }
        if (before[0] == ',')
                fputs("\r\n", to);
}

static void make_mail(struct message *m, const char *from)
{
        FILE *to = open_memstream(&m->mail, &m->mail_size);
        char text[512], host[256];
        time_t now = time(NULL);
        struct tm tm;

        if (!to)
                abort();
        own_name(host);
        strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S +0000", gmtime_r(&now, &tm));
        put_header(to, "Date", text);
        put_header(to, "From", from);
        put_recipients(to, json_object_get(m->json, "to"));
        snprintf(text, sizeof(text), "<haven.%s@%s>", text_of(m, "id"), text_of(m, "cluster"));
        put_header(to, "Message-ID", text);
        put_subject(to, text_of(m, "subject"));
        put_header(to, "Auto-Submitted", "auto-generated");
        put_header(to, "X-Haven-Cluster", text_of(m, "cluster"));
        put_header(to, "MIME-Version", "1.0");
        put_header(to, "Content-Type", "text/plain; charset=utf-8");
        put_header(to, "Content-Transfer-Encoding", "8bit");
        fputs("\r\n", to);
        put_body(to, text_of(m, "body"));
        fclose(to);
}

static size_t give_mail(char *buffer, size_t size, size_t count, void *user)
{
        struct message *m = user;
        size_t left = m->mail_size - m->mail_sent, n = size * count < left ? size * count : left;

        memcpy(buffer, m->mail + m->mail_sent, n);
        m->mail_sent += n;
        return n;
}

/* Certificates are looked at where they are promised; to try means to be content with less. */
static void set_tls(struct message *m, const char *url)
{
        const char *tls = text_of(m, "tls");
        bool look = strcmp(tls, "require") == 0 || strncmp(url, "smtps:", 6) == 0;

        curl_easy_setopt(m->curl, CURLOPT_USE_SSL,
                         strcmp(tls, "off") == 0 ? (long)CURLUSESSL_NONE
                         : look                  ? (long)CURLUSESSL_ALL
                                                 : (long)CURLUSESSL_TRY);
        curl_easy_setopt(m->curl, CURLOPT_SSL_VERIFYPEER, look ? 1L : 0L);
        curl_easy_setopt(m->curl, CURLOPT_SSL_VERIFYHOST, look ? 2L : 0L);
}

static int send_mail(struct message *m)
{
        struct curl_slist *to = NULL;
        char url[600], host[256], from[300], sender[300], rcpt[300];
        const json_t *address;
        size_t i;
        long code = 0;

        own_name(host);
        snprintf(url, sizeof(url), "%s/%s", text_of(m, "server"), host); /* the path is our name for EHLO */
        snprintf(from, sizeof(from), "haven@%s", host);
        if (text_of(m, "from")[0])
                snprintf(from, sizeof(from), "%s", text_of(m, "from"));
        envelope(from, sender);
        make_mail(m, from);
        json_array_foreach(json_object_get(m->json, "to"), i, address)
        {
                envelope(json_string_value(address), rcpt);
                to = curl_slist_append(to, rcpt);
        }
        curl_easy_setopt(m->curl, CURLOPT_URL, url);
        curl_easy_setopt(m->curl, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
        curl_easy_setopt(m->curl, CURLOPT_MAIL_FROM, sender);
        curl_easy_setopt(m->curl, CURLOPT_MAIL_RCPT, to);
        curl_easy_setopt(m->curl, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(m->curl, CURLOPT_READFUNCTION, give_mail);
        curl_easy_setopt(m->curl, CURLOPT_READDATA, m);
        set_tls(m, url);
        if (m->secret[0]) {
                curl_easy_setopt(m->curl, CURLOPT_USERNAME, text_of(m, "user"));
                curl_easy_setopt(m->curl, CURLOPT_PASSWORD, m->secret);
        }
        CURLcode r = curl_easy_perform(m->curl);
        curl_easy_getinfo(m->curl, CURLINFO_RESPONSE_CODE, &code);
        if (r != CURLE_OK && code >= 500 && json_array_size(json_object_get(m->json, "to")) > 1) {
                /* one address that is refused for good does not keep the others from being told */
                char first[CURL_ERROR_SIZE];
                snprintf(first, sizeof(first), "%s", m->error[0] ? m->error : curl_easy_strerror(r));
                m->mail_sent = 0;
                curl_easy_setopt(m->curl, CURLOPT_MAIL_RCPT_ALLLOWFAILS, 1L);
                r = curl_easy_perform(m->curl);
                if (r == CURLE_OK)
                        printf("%s: not all of its addresses were taken: %s\n", text_of(m, "server"), first);
        }
        curl_slist_free_all(to);
        if (r == CURLE_OK)
                return EXIT_SUCCESS;
        curl_easy_getinfo(m->curl, CURLINFO_RESPONSE_CODE, &code);
        printf("%s: %s", text_of(m, "server"), m->error[0] ? m->error : curl_easy_strerror(r));
        if (code >= 400)
                printf(" (it said %ld)", code);
        putchar('\n');
        return EXIT_FAILURE;
}

/* --- webhook --- */

static size_t pass_over(char *bytes, size_t size, size_t count, void *user)
{
        struct message *m = user;

        m->answered += size * count;
        return m->answered > ANSWER_MAX ? 0 : size * count;
}

static int call_webhook(struct message *m)
{
        struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
        char *body = json_dumps(json_object_get(m->json, "message"), JSON_COMPACT);
        char bearer[SECRET_MAX + 64];
        const json_t *header;
        size_t i;
        long status = 0;

        json_array_foreach(json_object_get(m->json, "header"), i, header)
        {
                headers = curl_slist_append(headers, json_string_value(header));
        }
        if (m->secret[0]) {
                snprintf(bearer, sizeof(bearer), "Authorization: Bearer %s", m->secret);
                headers = curl_slist_append(headers, bearer);
        }
        curl_easy_setopt(m->curl, CURLOPT_URL, text_of(m, "url"));
        curl_easy_setopt(m->curl, CURLOPT_PROTOCOLS_STR, "http,https");
        curl_easy_setopt(m->curl, CURLOPT_HTTPHEADER, headers);
        curl_easy_setopt(m->curl, CURLOPT_POSTFIELDS, body);
        curl_easy_setopt(m->curl, CURLOPT_WRITEFUNCTION, pass_over);
        curl_easy_setopt(m->curl, CURLOPT_WRITEDATA, m);
        curl_easy_setopt(m->curl, CURLOPT_USERAGENT, "haven");
        CURLcode r = curl_easy_perform(m->curl);
        curl_easy_getinfo(m->curl, CURLINFO_RESPONSE_CODE, &status);
        curl_slist_free_all(headers);
        free(body);
        if (status >= 200 && status <= 299)
                return EXIT_SUCCESS; /* however long its answer was */
        if (status == 0)
                return fail(text_of(m, "url"), m->error[0] ? m->error : curl_easy_strerror(r));
        printf("%s: status %ld, wanted 200-299\n", text_of(m, "url"), status);
        return EXIT_FAILURE;
}

/* --- the system's log --- */

static const char *member(const json_t *object, const char *name)
{
        const char *text = json_string_value(json_object_get(object, name));

        return text != NULL ? text : "";
}

static int log_one(const struct message *m, const json_t *one)
{
        const char *alert = member(one, "alert");
        bool good =
                strcmp(alert, "up") == 0 || strcmp(alert, "moved") == 0 || strcmp(alert, "acknowledged") == 0;
        const char *fields[] = {"HAVEN_CLUSTER",
                                text_of(m, "cluster"),
                                "HAVEN_ALERT",
                                alert,
                                "HAVEN_EVENT",
                                member(one, "event"),
                                "HAVEN_SUBJECT",
                                member(one, "subject"),
                                "HAVEN_TEXT",
                                member(one, "text"),
                                "HAVEN_NODE",
                                member(one, "node"),
                                "HAVEN_TIME",
                                member(one, "time"),
                                "HAVEN_ID",
                                text_of(m, "id"),
                                NULL};
        char text[1024];

        snprintf(text, sizeof(text), "%s: %s %s: %s", text_of(m, "cluster"), alert, member(one, "subject"),
                 member(one, "text"));
        return system_log("haven-alert", good ? LOG_NOTICE : LOG_ALERT, text, fields);
}

static int write_log(const struct message *m)
{
        const json_t *list = json_object_get(json_object_get(m->json, "message"), "alerts"), *one;
        size_t i;

        json_array_foreach(list, i, one)
        {
                int r = log_one(m, one);
                if (r != 0)
                        return fail("the system's log", strerror(-r));
        }
        return EXIT_SUCCESS;
}

int main(void)
{
        static struct message m;
        int r;

        if (!read_message(&m) || !read_secret(&m) || !read_ca(&m))
                return EXIT_FAILURE;
        r = sandbox_enter();
        if (r != 0)
                return fail("haven-alert", strerror(-r));
        if (strcmp(text_of(&m, "kind"), "journal") == 0)
                return write_log(&m);
        curl_global_init(CURL_GLOBAL_DEFAULT);
        prepare(&m);
        if (!m.curl)
                return fail("libcurl", "cannot be used");
        r = strcmp(text_of(&m, "kind"), "mail") == 0 ? send_mail(&m) : call_webhook(&m);
        curl_easy_cleanup(m.curl);
        return r;
}
