/* What Debian's ldirectord made of the files in tests/guest/ldirectord, against what the plan makes of them.
 * The servers there answer as tests/guest/ldirectord/world has set them up; here that is said of each check.
 * Named differences are in docs/director.md. */
#include "director/farm.h"
#include "director/ldirectord/ldirectord.h"

#include <errno.h>
#include <jansson.h>
#include <netinet/in.h>
#include <regex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* What differs, and is argued for in docs/director.md: the file is taken or not as is said, or has these
 * lines. */
static const struct {
        const char *file;
        bool refused;
        const char *lines[8];
} differences[] = {
        {"example-pop.cf",
         .lines = {"-A -t 192.0.2.240:110 -s wlc -p 600", "-a -t 192.0.2.240:110 -r 127.0.0.1:110 -g -w 1"}},
        {"no-servers.cf",
         .lines = {"-A -t 192.0.2.240:80 -s wrr", "-a -t 192.0.2.240:80 -r 127.0.0.1:80 -g -w 1",
                   "-A -t 192.0.2.241:80 -s wrr", "-A -f 4 -s wrr"}},
        {"no-such-scheduler.cf", /* the kernel refuses that one */
         .lines = {"-A -t 192.0.2.240:80 -s foo", "-a -t 192.0.2.240:80 -r 192.0.2.11:80 -g -w 1",
                   "-A -t 192.0.2.241:80 -s wrr", "-a -t 192.0.2.241:80 -r 192.0.2.11:80 -g -w 1"}},
        {"persistent-zero.cf",
         .lines = {"-A -t 192.0.2.240:80 -s wrr", "-a -t 192.0.2.240:80 -r 192.0.2.11:80 -g -w 1"}},
        {"sections.cf", .lines = {"-A -t 192.0.2.240:8080 -s wlc -p 300 -M 255.255.255.0 -b flag-1,flag-2",
                                  "-a -t 192.0.2.240:8080 -r 192.0.2.11:8080 -m -w 3"}},
        {"thresholds.cf",
         .lines = {"-A -t 192.0.2.240:80 -s wrr", "-a -t 192.0.2.240:80 -r 192.0.2.11:80 -m -w 2",
                   "-a -t 192.0.2.240:80 -r 192.0.2.12:80 -m -w 2",
                   "-a -t 192.0.2.240:80 -r 192.0.2.13:80 -m -w 1"}},
        {"wrong-logfile.cf", .refused = true},
        {"wrong-two-colons.cf", .refused = true},
        {"wrong-underscore.cf", .refused = true},
};

static int host(void *user, const char *name, sa_family_t family, struct ip *ret_ip)
{
        static const struct {
                const char *name, *address;
        } known[] = {
                {"www", "192.0.2.240"},  {"web1", "192.0.2.11"},  {"web2", "192.0.2.12"},
                {"sql01", "192.0.2.21"}, {"sql02", "192.0.2.22"}, {"sql03", "192.0.2.23"},
        };

        for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
                if (strcmp(known[i].name, name) == 0 && family == AF_INET)
                        return ip_parse(known[i].address, ret_ip);
        return -ENOENT;
}

static int port(void *user, const char *name, uint8_t protocol, uint16_t *ret_port)
{
        *ret_port = strcmp(name, "http") == 0 ? 80 : strcmp(name, "http-alt") == 0 ? 8080 : 0;
        return *ret_port ? 0 : -ENOENT;
}

static int append(void *user, const char *path)
{
        return strncmp(path, "/nonexistent", 12) == 0 ? -ENOENT : 0;
}

static const struct ldirectord_lookup lookup = {.host = host, .port = port, .append = append};

/* --- the world --- */

static bool pings(const char *ip)
{
        return strncmp(ip, "192.0.2.", 8) == 0;
}

static bool answers(const char *ip, unsigned p)
{
        return strncmp(ip, "192.0.2.1", 9) == 0 && strlen(ip) == 10 && ip[9] <= '3' && (p == 80 || p == 8080);
}

static bool matches(const char *pattern, const char *text)
{
        regex_t regex;

        assert_int_equal(regcomp(&regex, pattern, REG_EXTENDED | REG_NEWLINE), 0);
        bool found = regexec(&regex, text, 0, NULL, 0) == 0;
        regfree(&regex);
        return found;
}

static bool page_good(const struct check_http *h)
{
        char ip[64] = "", path[128] = "/", body[128];
        unsigned p = strncmp(h->url, "https", 5) == 0 ? 443 : 80;

        if (sscanf(h->url, "%*[a-z]://%63[0-9.]:%u%127s", ip, &p, path) < 1)
                return false;
        snprintf(body, sizeof(body), "<p>Test Page of %s</p>\n", ip);
        return answers(ip, p) && p != 443 && strcmp(path, "/down") != 0 &&
               (!h->expect || matches(h->expect, body));
}

static bool works(const struct config_check *c)
{
        char ip[IP_TEXT], answer[256];

        switch (c->kind) {
        case CHECK_ICMP: return pings(ip_format(&c->ip, ip));
        case CHECK_HTTP: return page_good(&c->http);
        case CHECK_COMMAND: {
                size_t n = 0;
                while (c->command.argv[n])
                        n++;
                return strcmp(c->command.argv[0], "/bin/true") == 0 ||
                       strcmp(c->command.argv[n - 2], "192.0.2.11") == 0;
        }
        case CHECK_TCP:
                snprintf(answer, sizeof(answer), "HTTP/1.0 200 OK\n\n<p>Test Page of %s</p>\n",
                         ip_format(&c->ip, ip));
                return answers(ip, c->port) && (!c->tcp.expect || matches(c->tcp.expect, answer));
        default: return false;
        }
}

/* --- as ipvsadm -Sn has it, which says nothing of thresholds --- */

static void add_line(json_t *lines, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add_line(json_t *lines, const char *format, ...)
{
        char line[256];
        va_list args;

        va_start(args, format);
        vsnprintf(line, sizeof(line), format, args);
        va_end(args);
        json_array_append_new(lines, json_string(line));
}

static const char *of_key(const struct virtual_key *k, char text[static 80])
{
        char endpoint[SERVER_TEXT];

        if (k->mark)
                snprintf(text, 80, "-f %d%s", (int)k->mark /* as ipvsadm prints it */,
                         k->family == AF_INET6 ? " -6" : "");
        else
                snprintf(text, 80, "-%c %s", protocol_name(k->protocol)[0],
                         endpoint_format(&k->ip, k->port, endpoint));
        return text;
}

static void add_flags(const struct virtual_service *s, char text[static 128])
{
        size_t n = 0;
        bool sh = strcmp(s->scheduler, "sh") == 0, mh = strcmp(s->scheduler, "mh") == 0;
        static const char *const plain[] = {"flag-1", "flag-2", "flag-3"};
        static const char *const names[2][2] = {{"sh-fallback", "sh-port"}, {"mh-fallback", "mh-port"}};
        static const uint32_t flags[] = {SERVICE_FLAG_1, SERVICE_FLAG_2, SERVICE_FLAG_3};

        text[0] = '\0';
        for (size_t i = 0; i < 3; i++)
                if (s->flags & flags[i])
                        n += (size_t)snprintf(text + n, 128 - n, "%s%s", n ? "," : " -b ",
                                              (sh || mh) && i < 2 ? names[mh][i] : plain[i]);
}

static void print_service(const struct virtual_service *s, json_t *lines)
{
        static const char *const forwards[] = {
                [FORWARD_MASQ] = "m", [FORWARD_DIRECT] = "g", [FORWARD_TUNNEL] = "i"};
        char key[80], flags[128], endpoint[SERVER_TEXT], persistent[64] = "", mask[64] = "";
        bool six = s->key.family == AF_INET6;
        struct in_addr quad = {htonl(s->mask_bits ? UINT32_MAX << (32 - s->mask_bits % 33) : 0)};

        of_key(&s->key, key);
        add_flags(s, flags);
        if (s->persistence_s)
                snprintf(persistent, sizeof(persistent), " -p %u", s->persistence_s);
        if (s->persistence_s && six && s->mask_bits != 128)
                snprintf(mask, sizeof(mask), " -M %u", s->mask_bits);
        else if (s->persistence_s && !six && s->mask_bits != 32)
                snprintf(mask, sizeof(mask), " -M %u.%u.%u.%u", ((uint8_t *)&quad)[0], ((uint8_t *)&quad)[1],
                         ((uint8_t *)&quad)[2], ((uint8_t *)&quad)[3]);
        add_line(lines, "-A %s -s %s%s%s%s%s", key, s->scheduler, s->flags & SERVICE_ONE_PACKET ? " -o" : "",
                 persistent, mask, flags);
        for (size_t i = 0; i < s->count; i++) {
                const struct real_server *r = &s->server[i];
                add_line(lines, "-a %s -r %s -%s -w %u%s", key, endpoint_format(&r->ip, r->port, endpoint),
                         forwards[r->forward], r->weight,
                         r->forward == FORWARD_TUNNEL ? " --tun-type ipip" : "");
        }
}

static json_t *table_of(const struct plan *p)
{
        json_t *lines = json_array();
        struct farm *farm = farm_new(p);
        struct table table;
        instant now = {1000000};

        assert_non_null(farm);
        for (size_t i = 0; i < p->check_count; i++)
                farm_hear(farm, i, works(&p->check[i].check) ? VERDICT_UP : VERDICT_DOWN, now);
        assert_int_equal(farm_table(farm, now, &table), 0);
        for (size_t i = 0; i < table.count; i++)
                print_service(&table.service[i], lines);
        table_free(&table);
        farm_free(farm);
        return lines;
}

/* --- */

static size_t difference_of(const char *name)
{
        size_t i = 0;

        while (i < sizeof(differences) / sizeof(differences[0]) && strcmp(differences[i].file, name) != 0)
                i++;
        return i;
}

static bool same_lines(const json_t *a, const json_t *b)
{
        size_t i, j, found = 0;
        const json_t *x, *y;

        json_array_foreach(a, i, x)
        {
                json_array_foreach(b, j, y)
                {
                        found += json_equal(x, y);
                }
        }
        return found == json_array_size(a) && found == json_array_size(b);
}

static char *text_of(const char *name)
{
        char path[512], *text = calloc(1, 65536);
        FILE *file;

        snprintf(path, sizeof(path), "%s/%s", RECORDED, name);
        file = fopen(path, "r");
        if (!text || !file)
                fail_msg("%s: %s", path, strerror(errno));
        else
                assert_true(fread(text, 1, 65535, file) < 65535);
        if (file)
                fclose(file);
        return text;
}

/* True: as recorded, or as `differences` says. */
static bool compare(const char *name, const json_t *recorded)
{
        size_t known = difference_of(name);
        bool differs = known < sizeof(differences) / sizeof(differences[0]);
        struct ldirectord_mistake mistake = {0};
        struct ldirectord_file file;
        struct plan plan = {0};
        char *text = text_of(name);
        int error = ldirectord_read(text, &lookup, &file, &mistake);
        json_t *wanted = json_incref(json_object_get(recorded, "table")), *made = NULL;

        free(text);
        if (!error)
                error = ldirectord_plan(&file, &lookup, &plan, &mistake);
        ldirectord_free(&file);
        if (differs) {
                json_decref(wanted);
                wanted = differences[known].refused ? NULL : json_array();
                for (size_t i = 0; wanted && i < 8 && differences[known].lines[i]; i++)
                        json_array_append_new(wanted, json_string(differences[known].lines[i]));
        }
        if (!error)
                made = table_of(&plan);
        plan_free(&plan);
        bool same = wanted && made ? same_lines(wanted, made) : !wanted && !made;
        if (!same) {
                print_error("%s: %s line %d %s, made\n", name, error ? strerror(-error) : "", mistake.line,
                            mistake.text);
                json_dumpf(made, stderr, JSON_INDENT(1) | JSON_ENCODE_ANY);
                print_error("\nwanted\n");
                json_dumpf(recorded, stderr, JSON_INDENT(1) | JSON_ENCODE_ANY);
                print_error("\n");
        }
        json_decref(wanted);
        json_decref(made);
        return same;
}

static void test_every_file_comes_to_what_ldirectord_made_of_it(void **state)
{
        json_error_t error;
        json_t *recorded = json_load_file(RECORDED "/recorded.json", 0, &error);
        const char *name;
        json_t *one;
        size_t bad = 0;

        assert_non_null(recorded);
        assert_true(json_object_size(recorded) >= 40);
        json_object_foreach(recorded, name, one)
        {
                bad += !compare(name, one);
        }
        json_decref(recorded);
        assert_int_equal(bad, 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_every_file_comes_to_what_ldirectord_made_of_it),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
