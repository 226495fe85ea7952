#include "cli/firewall.h"

#include <string.h>

/* What differs between the families. */
static const struct family {
        sa_family_t family;
        const char *digit;    /* in names of sets */
        const char *type;     /* of set elements */
        const char *protocol; /* in "ip saddr" */
        const char *echo;
} families[] = {
        {AF_INET, "4", "ipv4_addr", "ip", "icmp type echo-request"},
        {AF_INET6, "6", "ipv6_addr", "ip6", "icmpv6 type echo-request"},
};

#define ADDRESSES_MAX (2 * LINKS_MAX)

static size_t address_add(struct ip *list, size_t count, const struct ip *ip, sa_family_t family)
{
        if (ip->family != family)
                return count;
        for (size_t i = 0; i < count; i++)
                if (ip_equal(&list[i], ip))
                        return count; /* a set must not name one twice */
        list[count] = *ip;
        return count + 1;
}

/* The addresses of one node in one family: those it sends from; with `all`, also those that everybody on one
 * of its links is told by. */
static size_t addresses_of(const struct config *c, int node, sa_family_t family, bool all,
                           struct ip list[static ADDRESSES_MAX])
{
        size_t count = 0;

        for (int l = 0; l < (int)c->link_count; l++) {
                const struct ip *own = config_link_ip(c, l, node);
                if (own)
                        count = address_add(list, count, own, family);
                struct ip told = config_link_all(c, l, node);
                if (own && all && told.family)
                        count = address_add(list, count, &told, family);
        }
        return count;
}

/* Prints the addresses of one node in one family, each after `*separator`. */
static void print_node(const struct config *c, int node, sa_family_t family, bool all, const char **separator,
                       FILE *to)
{
        struct ip list[ADDRESSES_MAX];
        size_t count = addresses_of(c, node, family, all, list);
        char text[IP_TEXT];

        for (size_t i = 0; i < count; i++) {
                fprintf(to, "%s%s", *separator, ip_format(&list[i], text));
                *separator = ", ";
        }
}

static bool has_family(const struct config *c, int node, sa_family_t family)
{
        struct ip list[ADDRESSES_MAX];

        return addresses_of(c, node, family, false, list) > 0;
}

static void print_sets(const struct config *c, int self, const struct family *f, FILE *to)
{
        const char *separator = " ";

        fprintf(to, "        set links%s {\n                type %s\n                elements = {", f->digit,
                f->type);
        print_node(c, self, f->family, true, &separator, to);
        fputs(" }\n        }\n", to);

        fprintf(to, "        set peers%s {\n                type %s\n", f->digit, f->type);
        /* a cluster of one has no peers, and nft takes no empty list */
        separator = "                elements = { ";
        for (int i = 0; i < (int)c->node_count; i++)
                if (i != self)
                        print_node(c, i, f->family, false, &separator, to);
        fputs(*separator == ',' ? " }\n        }\n" : "        }\n", to);
}

static void print_rules(const struct config *c, const struct family *f, FILE *to)
{
        const char *const wants[] = {"udp dport", f->echo};

        for (size_t i = 0; i < 2; i++) {
                char want[48];
                if (i == 0)
                        snprintf(want, sizeof(want), "%s %u", wants[i], c->port);
                else
                        snprintf(want, sizeof(want), "%s", wants[i]);
                fprintf(to, "                %s daddr @links%s %s %s saddr @peers%s accept\n", f->protocol,
                        f->digit, want, f->protocol, f->digit);
                fprintf(to, "                %s daddr @links%s %s counter drop\n", f->protocol, f->digit,
                        want);
        }
}

void firewall_print_removal(FILE *to)
{
        /* naming the table first makes it exist, so that deleting it cannot fail */
        fputs("table inet haven\ndelete table inet haven\n", to);
}

void firewall_print(const struct config *c, int self, FILE *to)
{
        fprintf(to, "# cluster %s, node %s: the heartbeat and the ping are for the cluster's nodes alone\n",
                c->cluster, c->node[self].name);
        firewall_print_removal(to);
        fputs("table inet haven {\n", to);
        for (size_t i = 0; i < 2; i++)
                if (has_family(c, self, families[i].family))
                        print_sets(c, self, &families[i], to);
        fputs("        chain input {\n"
              "                type filter hook input priority filter - 10; policy accept;\n"
              "                iif lo accept\n",
              to);
        for (size_t i = 0; i < 2; i++)
                if (has_family(c, self, families[i].family))
                        print_rules(c, &families[i], to);
        fputs("        }\n}\n", to);
}
