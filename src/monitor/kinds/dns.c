/* dns.c - one question to one name server, by c-ares: it asks again when nothing comes, and by TCP when
 * the answer is too long for UDP. No file of this machine is asked. */
#include "monitor/kinds/dns_answer.h"
#include "monitor/probe.h"
#include "monitor/runner/ares_loop.h"

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define TRIES 3

struct probe {
        struct ares_loop ares;
        const struct config_check *check;
        bool dead; /* being freed: what c-ares says now is of no interest */
        bool done;
        struct ending ending;
        probe_done_fn *on_done;
        void *user;
};

static void on_freed(uv_handle_t *handle)
{
        free(handle->data);
}

static void probe_free(struct probe *p)
{
        p->dead = true;
        ares_loop_close(&p->ares, on_freed, p);
}

static void cut(struct probe *p, struct ending *ret_ending)
{
        ret_ending->reason = REASON_SILENT;
        probe_free(p);
}

/* Names end with a dot, or not. */
static bool same_record(const char *a, const char *b)
{
        size_t n = strlen(a), m = strlen(b);

        n -= n > 1 && a[n - 1] == '.';
        m -= m > 1 && b[m - 1] == '.';
        return n == m && strncasecmp(a, b, n) == 0;
}

static bool is_expected(const struct check_dns *check, const char *record)
{
        for (char **e = check->expect; *e != NULL; e++)
                if (same_record(*e, record))
                        return true;
        return false;
}

static void judge_answer(const struct check_dns *check, const uint8_t *bytes, size_t size, struct ending *e)
{
        static struct dns_answer answer;

        if (dns_answer_read(bytes, size, (enum dns_type)check->type, &answer) != 0) {
                e->reason = REASON_BAD_ANSWER;
                return;
        }
        if (answer.count == 0) {
                e->reason = REASON_NAME_NOT_FOUND;
                ending_say(e, "no record of that type");
                return;
        }
        e->reason = REASON_WORKS;
        ending_say(e, "%s%s", answer.text[0], answer.count > 1 ? " and others" : "");
        for (size_t i = 0; check->expect != NULL && i < answer.count; i++)
                if (!is_expected(check, answer.text[i])) {
                        e->reason = REASON_MISMATCH;
                        ending_say(e, "%s", answer.text[i]);
                        return;
                }
}

static void judge(struct probe *p, int status, const uint8_t *bytes, int size)
{
        struct ending *e = &p->ending;

        switch (status) {
        case ARES_SUCCESS: judge_answer(&p->check->dns, bytes, (size_t)size, e); break;
        case ARES_ENODATA:
                e->reason = REASON_NAME_NOT_FOUND;
                ending_say(e, "no record of that type");
                break;
        case ARES_ENOTFOUND: e->reason = REASON_NAME_NOT_FOUND; break;
        case ARES_ETIMEOUT: e->reason = REASON_SILENT; break;
        case ARES_ECONNREFUSED: e->reason = REASON_REFUSED; break;
        case ARES_ENOMEM:
                e->reason = REASON_LOCAL;
                e->detail = ENOMEM;
                break;
        default:
                e->reason = REASON_BAD_ANSWER;
                ending_say(e, "%s", ares_strerror(status));
                break;
        }
}

/* Comes from within c-ares, so nothing is freed here. */
static void on_answer(void *user, int status, int timeouts, unsigned char *bytes, int size)
{
        struct probe *p = user;

        if (p->dead)
                return;
        judge(p, status, bytes, size);
        p->done = true;
}

/* It is over, or goes on. */
static void on_turn(void *user)
{
        struct probe *p = user;

        if (p->done) {
                struct ending e = p->ending;
                probe_done_fn *on_done = p->on_done;
                void *look = p->user;

                probe_free(p);
                on_done(look, &e);
                return;
        }
        ares_loop_wait(&p->ares);
}

static int set_up(struct probe *p, uv_loop_t *loop)
{
        const struct config_check *c = p->check;
        struct ares_options o = {.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES | ARES_FLAG_NOCHECKRESP,
                                 .tries = TRIES,
                                 .timeout = (int)span_to_ms(c->timeout) / TRIES + 1,
                                 .lookups = (char *)"b"};
        struct ares_addr_port_node server = {
                .family = c->ip.family, .udp_port = c->port, .tcp_port = c->port};
        uint32_t source4;
        int r = ares_loop_open(&p->ares, loop, &o,
                               ARES_OPT_FLAGS | ARES_OPT_TRIES | ARES_OPT_TIMEOUTMS | ARES_OPT_LOOKUPS,
                               on_turn, p);

        if (r != 0)
                return r;
        memcpy(&server.addr, c->ip.bytes, ip_size(&c->ip));
        r = ares_set_servers_ports(p->ares.channel, &server);
        if (c->source.family == AF_INET) {
                memcpy(&source4, c->source.bytes, sizeof(source4));
                ares_set_local_ip4(p->ares.channel, ntohl(source4));
        } else if (c->source.family == AF_INET6) {
                ares_set_local_ip6(p->ares.channel, c->source.bytes);
        }
        return ares_failure(r);
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
        r = set_up(p, house->loop);
        if (r != 0) {
                ares_loop_close(&p->ares, on_freed, p);
                return r;
        }
        ares_query(p->ares.channel, check->dns.name, ns_c_in, dns_type_number((enum dns_type)check->dns.type),
                   on_answer, p);
        if (p->done) /* refused at once: told from the loop, as everything */
                ares_loop_wake(&p->ares);
        else
                ares_loop_wait(&p->ares);
        *ret_probe = p;
        return 0;
}

static int open_dns(const struct probe_house *house, void **ret_shared)
{
        *ret_shared = NULL;
        return ares_failure(ares_library_init(ARES_LIB_INIT_ALL));
}

static void close_dns(void *shared)
{
        ares_library_cleanup();
}

PROBE_EXPORT extern const struct probe_kind probe_dns;
const struct probe_kind probe_dns = {.open = open_dns, .close = close_dns, .begin = begin, .cut = cut};
