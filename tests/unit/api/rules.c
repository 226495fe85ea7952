/* rules NODE [groups]: prints the firewall's rules of a fixed cluster for `NODE` (an index), for
 * firewall_test.py, with multicast and broadcast links too. The addresses are those that the test gives its
 * namespaces. */
#include "cli/firewall.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const char *const addresses[3][2] = {
        {"10.94.1.1", "fd94::1"}, {"10.94.1.2", "fd94::2"}, {"192.168.94.3", "fd94::5"}};

/* Multicast in both families on the addresses there are, and broadcast. */
static void add_groups(struct config *c)
{
        ip_parse("239.255.6.94", &c->multicast_group[0]);
        ip_parse("ff12::694", &c->multicast_group[1]);
        c->multicast_group_count = 2;
        for (size_t i = 0; i < c->node_count; i++) {
                struct config_node *n = &c->node[i];
                n->multicast_count = n->address_count;
                memcpy(n->multicast, n->address, sizeof(n->multicast));
                n->broadcast[0] = n->address[0];
                n->broadcast_bits[0] = 24;
                n->broadcast_count = 1;
        }
}

int main(int argc, char **argv)
{
        static struct config_node nodes[3];
        struct config c = {.cluster = "shop", .port = HAVEN_PORT, .node_count = 3, .node = nodes};

        for (int i = 0; i < 3; i++) {
                strcpy(nodes[i].name, (const char *[]){"alpha", "beta", "gamma"}[i]);
                for (size_t k = 0; k < 2; k++) {
                        int r = ip_parse(addresses[i][k], &nodes[i].address[nodes[i].address_count++]);
                        assert(r == 0);
                }
        }
        if (argc == 2 && strcmp(argv[1], "alone") == 0) {
                c.node_count = 1;
                nodes[0].address_count = 1;
                config_links_make(&c);
                firewall_print(&c, 0, stdout);
        } else if (argc == 2 && strcmp(argv[1], "remove") == 0) {
                firewall_print_removal(stdout);
        } else {
                if (argc == 3)
                        add_groups(&c);
                config_links_make(&c);
                firewall_print(&c, argc >= 2 ? atoi(argv[1]) : 0, stdout);
        }
        return 0;
}
