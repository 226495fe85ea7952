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

/* Those that are down, and when that was told last. */
static struct {
        char server[SERVER_TEXT + VIRTUAL_TEXT];
        int line; /* of its service */
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

        for (char *one = strtok_r(list, ", \t", &rest); one; one = strtok_r(NULL, ", \t", &rest))
                json_array_append_new(addresses, json_string(one));
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
        snprintf(body, sizeof(body), "ldirectord host: %s\nLog-Message: %s\nDaemon-Status: %s\n%s%s%s%s%s%s",
                 host, subject, states[state], v->servicename ? "Service: " : "",
                 v->servicename ? v->servicename : "", v->servicename ? "\n" : "",
                 v->comment ? "Comment: " : "", v->comment ? v->comment : "", v->comment ? "\n" : "");
        if (v->common.smtp || access(SENDMAIL, X_OK) == -1)
                by_server(loop, v->common.smtp ? v->common.smtp : "localhost", f->emailalertfrom, to, title,
                          body);
        else
                by_sendmail(loop, f->emailalertfrom, to, title, body);
}

static void note_down(const struct ldirectord_service *v, const char *server, bool back)
{
        size_t i = 0;

        while (i < down_count && strcmp(down[i].server, server) != 0)
                i++;
        if (back && i < down_count)
                down[i] = down[--down_count];
        if (back || i == DOWN_MAX)
                return;
        down_count += i == down_count;
        text_copy(down[i].server, sizeof(down[i].server), server);
        down[i].line = v->line;
        down[i].told = instant_now();
}

void mail_change(uv_loop_t *loop, const struct ldirectord_file *f, const struct ldirectord_service *v,
                 enum standin_state state, const char *server, const char *subject, bool back)
{
        note_down(v, server, back || strncmp(subject, "Deleted fallback", 16) == 0);
        send_one(loop, f, v, state, subject);
}

void mail_again(uv_loop_t *loop, const struct ldirectord_file *f, enum standin_state state)
{
        char subject[SERVER_TEXT + VIRTUAL_TEXT + 32];

        for (size_t i = 0; i < down_count; i++)
                for (size_t k = 0; k < f->service_count; k++) {
                        const struct ldirectord_service *v = &f->service[k];
                        span every = span_s((int64_t)v->common.emailalertfreq);
                        if (v->line != down[i].line || every.us == 0 ||
                            span_between(down[i].told, instant_now()).us < every.us)
                                continue;
                        down[i].told = instant_now();
                        snprintf(subject, sizeof(subject), "Inaccessible real server: %.127s",
                                 down[i].server);
                        send_one(loop, f, v, state, subject);
                }
}
