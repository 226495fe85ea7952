/* watched.c - what checks have seen, a line each in the file that a service keeps of it, as ldirectord writes
 * it:
 *
 *     [Sat Nov 21 18:40:00 2026] [4711] negotiate http tcp 192.0.2.11 80 1 masq /index.html OK [up] TEXT
 */
#include "ldirectord/standin.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#define NAME_TEXT 1024

static const char *or_empty(const char *text)
{
        return text ? text : "";
}

/* How its server is checked, which is its name there: the parts with colons in between, each run of which
 * becomes a blank; without backslashes. */
static void put_name(const struct ldirectord_service *v, const struct ldirectord_server *s, FILE *to)
{
        static const char *const types[] = {[LD_NEGOTIATE] = "negotiate",
                                            [LD_CONNECT] = "connect",
                                            [LD_PING] = "ping",
                                            [LD_EXTERNAL] = "external",
                                            [LD_EXTERNAL_PERL] = "external-perl",
                                            [LD_ON] = "on",
                                            [LD_OFF] = "off",
                                            [LD_COMBINED] = "combined"};
        static const char *const forwards[] = {
                [FORWARD_MASQ] = "masq", [FORWARD_DIRECT] = "gate", [FORWARD_TUNNEL] = "ipip"};
        bool asks = v->checktype == LD_NEGOTIATE || v->checktype == LD_COMBINED;
        bool runs = v->checktype == LD_EXTERNAL || v->checktype == LD_EXTERNAL_PERL;
        char ip[IP_TEXT], checkport[8] = "", name[NAME_TEXT];
        bool blank = false;

        if (v->checkport)
                snprintf(checkport, sizeof(checkport), "%u", v->checkport);
        snprintf(name, sizeof(name), "%s:%s:%s:%s:%u:%s:%s:%u:%s:%s:%s", types[v->checktype],
                 asks   ? v->service
                 : runs ? or_empty(v->checkcommand)
                        : "",
                 v->mark ? "fwm" : protocol_name(v->protocol), ip_format(&s->ip, ip), s->port,
                 or_empty(v->virtualhost), checkport, s->weight, forwards[s->forward],
                 s->request   ? s->request
                 : v->request ? v->request
                              : "/",
                 or_empty(s->receive ? s->receive : v->receive));
        for (const char *at = name; *at; at++) {
                if (*at == ':' && !blank)
                        fputc(' ', to);
                else if (*at != ':' && *at != '\\')
                        fputc(*at, to);
                blank = *at == ':';
        }
}

/* What could begin another line or another field is none. */
static void put_seen(const char *text, FILE *to)
{
        for (const char *at = text; *at; at++)
                fprintf(to, strchr("%|\r\n", *at) ? "%%%02x" : "%c", *at);
        if (!text[0])
                fputc('-', to);
        fputc('\n', to);
}

static const struct ldirectord_server *server_of(const struct ldirectord_service *v,
                                                 const struct plan_server *planned)
{
        for (size_t i = 0; i < v->server_count; i++)
                if (v->server[i].port == planned->own_port && ip_equal(&v->server[i].ip, &planned->real.ip))
                        return &v->server[i];
        return NULL;
}

void watched_look(const struct ldirectord_service *v, const struct plan_server *planned,
                  const struct check_result *result)
{
        const struct ldirectord_server *s = server_of(v, planned);
        time_t now = time(NULL);
        char when[64] = "";
        struct tm local;
        FILE *to = s ? fopen(v->monitorfile, "ae") : NULL;

        if (!to)
                return;
        if (localtime_r(&now, &local))
                strftime(when, sizeof(when), "%a %b %e %H:%M:%S %Y", &local);
        fprintf(to, "[%s] [%d] ", when, (int)getpid());
        put_name(v, s, to);
        fprintf(to, " [%s] ", result->state == VERDICT_UP ? "up" : "down");
        put_seen(result->text, to);
        fclose(to);
}
