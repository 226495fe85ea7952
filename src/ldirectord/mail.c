#include "ldirectord/standin.h"

#include "base/text.h"
#include "child/child.h"
#include "main/paths.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define SENDMAIL   "/usr/sbin/sendmail"
#define DOWN_MAX   4096  /* servers that are told of again */
#define MAIL_LIMIT 60000 /* ms, for a mail server */

static const char *const states[] = {[STANDIN_STARTING] = "starting",
                                     [STANDIN_RUNNING] = "running",
                                     [STANDIN_STOPPING] = "stopping",
                                     [STANDIN_RELOADING] = "reloading"};

/* Those that are down, and when that was told last. By address: a reload has another file. */
static struct {
        struct virtual_key service;
        struct ip ip;
        uint16_t port;
        instant told;
} down[DOWN_MAX];
static size_t down_count;

static bool wanted_in(const struct ldirectord_service *v, enum standin_state state)
{
        const char *list = v->common.emailalertstatus;

        return !list || strstr(list, "all") || strstr(list, states[state]);
}

static void on_told(void *user, int status)
{
        if (status != 0)
                say("a mail was not taken");
}

/* `text` is what the program reads. */
static void run_program(uv_loop_t *loop, char *const *argv, const char *text, size_t n)
{
        static char *environment[] = {(char *)"PATH=/usr/sbin:/usr/bin:/sbin:/bin", (char *)"LANG=C", NULL};
        int fd = memfd_create("mail", MFD_CLOEXEC);
        struct child *child;
        const struct child_setup setup = {.loop = loop,
                                          .argv = argv,
                                          .environment = environment,
                                          .stdin_fd = fd,
                                          .extra_fd = -1,
                                          .on_exit = on_told};
        bool whole = fd != -1 && write(fd, text, n) == (ssize_t)n && lseek(fd, 0, SEEK_SET) == 0;
        int error = whole ? child_start(&setup, &child) : -EIO;

        if (error)
                say("a mail cannot be sent: %s", strerror(-error));
        if (fd != -1)
                close(fd);
}

static void by_sendmail(uv_loop_t *loop, const char *from, const char *to, const char *subject,
                        const char *body)
{
        char *argv[] = {(char *)SENDMAIL, (char *)"-t", (char *)"-i", NULL}, *mail;
        int n = asprintf(&mail, "%s%s%sTo: %s\nSubject: %s\nAuto-Submitted: auto-generated\n\n%s",
                         from ? "From: " : "", from ? from : "", from ? "\n" : "", to, subject, body);

        if (n == -1)
                return;
        run_program(loop, argv, mail, (size_t)n);
        free(mail);
}

/* The program that sends haven's own mails, with what it is told. */
static void by_server(uv_loop_t *loop, const char *server, const char *from, const char *to,
                      const char *subject, const char *body)
{
        char program[PATH_SIZE], url[300], id[40], *list = strdup(to), *rest,
                                                   *argv[] = {program, (char *)"mail", NULL};
        json_t *addresses = json_array();

        for (char *one = strtok_r(list, ",", &rest); one; one = strtok_r(NULL, ",", &rest))
                json_array_append_new(addresses, json_string(one + strspn(one, " \t")));
        free(list);
        snprintf(url, sizeof(url), "smtp://%s", server);
        snprintf(id, sizeof(id), "%lld.%d", (long long)instant_now().us, (int)getpid());
        json_t *message =
                json_pack("{s:s, s:s, s:s, s:o, s:s, s:s, s:s, s:s, s:s, s:i}", "kind", "mail", "server", url,
                          "tls", "off", "to", addresses, "from", from ? from : "", "subject", subject, "body",
                          body, "id", id, "cluster", "ldirectord", "timeout_ms", MAIL_LIMIT);
        char *text = message ? json_dumps(message, JSON_COMPACT) : NULL;
        if (text && path_program("haven-alert", program) == 0)
                run_program(loop, argv, text, strlen(text));
        else
                say("a mail cannot be sent: haven-alert is not there");
        free(text);
        json_decref(message);
}

static void send_one(uv_loop_t *loop, const struct ldirectord_file *f, const struct ldirectord_service *v,
                     enum standin_state state, const char *subject)
{
        char body[1024], title[512], host[256] = "";
        const char *to = v->common.emailalert;

        if (!to || !to[0] || !wanted_in(v, state))
                return;
        say("emailalert: %s", subject);
        gethostname(host, sizeof(host) - 1);
        snprintf(title, sizeof(title), v->servicename ? "[%s] %s" : "%s%s",
                 v->servicename ? v->servicename : "", subject);
        int n = snprintf(body, sizeof(body), "ldirectord host: %s\nLog-Message: %s\nDaemon-Status: %s\n",
                         host, title, states[state]);
        if (v->servicename && n < (int)sizeof(body))
                n += snprintf(body + n, sizeof(body) - (size_t)n, "\nService name: %s\n", v->servicename);
        if (v->comment && n < (int)sizeof(body))
                snprintf(body + n, sizeof(body) - (size_t)n, "%sComment: %s\n", v->servicename ? "" : "\n",
                         v->comment);
        if (v->common.smtp || access(SENDMAIL, X_OK) == -1)
                by_server(loop, v->common.smtp ? v->common.smtp : "localhost", f->emailalertfrom, to, title,
                          body);
        else
                by_sendmail(loop, f->emailalertfrom, to, title, body);
}

static struct virtual_key key_of(const struct ldirectord_service *v)
{
        return (struct virtual_key){
                .family = v->family, .protocol = v->protocol, .port = v->port, .mark = v->mark, .ip = v->ip};
}

/* Whether it was down before. */
static bool note_down(const struct ldirectord_service *v, const struct real_server *server, bool back)
{
        struct virtual_key key = key_of(v);
        size_t i = 0;

        while (i < down_count && (virtual_key_compare(&down[i].service, &key) != 0 ||
                                  down[i].port != server->port || !ip_equal(&down[i].ip, &server->ip)))
                i++;
        bool was = i < down_count;
        if (back && was)
                down[i] = down[--down_count];
        if (back || i == DOWN_MAX)
                return was;
        down_count += !was;
        down[i].service = key;
        down[i].ip = server->ip;
        down[i].port = server->port;
        down[i].told = instant_now();
        return was;
}

void mail_change(uv_loop_t *loop, const struct ldirectord_file *f, const struct ldirectord_service *v,
                 enum standin_state state, const struct real_server *server, const char *subject, bool back)
{
        bool was = note_down(v, server, back || strncmp(subject, "Deleted fallback", 16) == 0);

        if (was || !back ||
            strncmp(subject, "Restored", 8) != 0) /* else it has another weight, and that is all */
                send_one(loop, f, v, state, subject);
}

/* The service that still has this one. NULL: none. */
static const struct ldirectord_service *service_of(const struct ldirectord_file *f, size_t i)
{
        for (size_t k = 0; k < f->service_count; k++) {
                const struct ldirectord_service *v = &f->service[k];
                struct virtual_key key = key_of(v);
                if (virtual_key_compare(&down[i].service, &key) != 0)
                        continue;
                for (size_t s = 0; s < v->server_count; s++)
                        if (ip_equal(&v->server[s].ip, &down[i].ip))
                                return v;
        }
        return NULL;
}

void mail_again(uv_loop_t *loop, const struct ldirectord_file *f, enum standin_state state)
{
        char subject[SERVER_TEXT + VIRTUAL_TEXT + 40], endpoint[SERVER_TEXT], virtual[VIRTUAL_TEXT];

        for (size_t i = 0; i < down_count;) {
                const struct ldirectord_service *v = service_of(f, i);
                span every = v ? span_s((int64_t)v->common.emailalertfreq) : SPAN_ZERO;
                if (!v) {
                        down[i] = down[--down_count];
                        continue;
                }
                if (every.us && span_between(down[i].told, instant_now()).us >= every.us) {
                        down[i].told = instant_now();
                        snprintf(subject, sizeof(subject), "Inaccessible real server: %s (%s)",
                                 endpoint_format(&down[i].ip, down[i].port, endpoint),
                                 say_virtual(&down[i].service, virtual));
                        send_one(loop, f, v, state, subject);
                }
                i++;
        }
}
