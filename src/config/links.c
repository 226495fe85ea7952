/* Which links the nodes share, and in which order: all nodes derive the same from one file. */
#include "config/config.h"

#include "base/text.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* Room for one more, or NULL when there is none; counted all the same. */
static struct config_link *link_add(struct config *c, size_t *wanted, enum link_kind kind, size_t number)
{
        if ((*wanted)++ >= LINKS_MAX)
                return NULL;
        struct config_link *l = &c->link[c->link_count++];
        *l = (struct config_link){.kind = kind, .number = (int)number};
        return l;
}

static void link_share(struct config_link *l, size_t node, size_t other)
{
        if (!l || node == other)
                return;
        l->peers[node] |= 1U << other;
        l->peers[other] |= 1U << node;
}

/* Of the words that are a list with a place for each link. */
static size_t count_of(const struct config_node *n, enum link_kind kind)
{
        switch (kind) {
        case LINK_UDP: return n->address_count;
        case LINK_MULTICAST: return n->multicast_count;
        case LINK_BROADCAST: return n->broadcast_count;
        case LINK_SERIAL:
        case LINK_DISK:
        case LINK_KINDS: break;
        }
        assert(!"a list of addresses");
        return 0;
}

/* The i-th ones of all nodes that have so many are a link. */
static void add_lists(struct config *c, size_t *wanted, enum link_kind kind)
{
        size_t most = 0;

        for (size_t n = 0; n < c->node_count; n++)
                if (count_of(&c->node[n], kind) > most)
                        most = count_of(&c->node[n], kind);
        for (size_t i = 0; i < most; i++) {
                struct config_link *l = link_add(c, wanted, kind, i);
                for (size_t n = 0; n < c->node_count; n++)
                        for (size_t m = 0; m < n; m++)
                                if (i < count_of(&c->node[n], kind) && i < count_of(&c->node[m], kind))
                                        link_share(l, n, m);
        }
}

/* The only other node with a serial line, or -1. */
static int only_other(const struct config *c, size_t node)
{
        int found = -1;

        for (size_t i = 0; i < c->node_count; i++) {
                if (i == node || c->node[i].serial_count == 0)
                        continue;
                if (found >= 0)
                        return -1;
                found = (int)i;
        }
        return found;
}

static void find_peers(struct config *c)
{
        for (size_t i = 0; i < c->node_count; i++)
                for (size_t k = 0; k < c->node[i].serial_count; k++) {
                        struct config_serial *s = &c->node[i].serial[k];
                        s->peer = s->peer_name[0] ? config_find_node(c, s->peer_name) : only_other(c, i);
                }
}

/* The number-th line of `node` that leads to `other`, or NULL. */
static const struct config_serial *find_line(const struct config *c, size_t node, size_t other, int number)
{
        const struct config_node *n = &c->node[node];

        for (size_t k = 0; k < n->serial_count; k++)
                if (n->serial[k].peer == (int)other && number-- == 0)
                        return &n->serial[k];
        return NULL;
}

/* The i-th lines of each pair share an index: a line is nobody's but the pair's. */
static void add_serials(struct config *c, size_t *wanted)
{
        bool found = true;

        find_peers(c);
        for (int i = 0; found; i++) {
                struct config_link link = {.kind = LINK_SERIAL, .number = i};
                found = false;
                for (size_t n = 0; n < c->node_count; n++)
                        for (size_t m = 0; m < n; m++)
                                if (find_line(c, n, m, i) && find_line(c, m, n, i)) {
                                        link_share(&link, n, m);
                                        found = true;
                                }
                struct config_link *l = found ? link_add(c, wanted, LINK_SERIAL, (size_t)i) : NULL;
                if (l)
                        *l = link;
        }
}

static void add_disk(struct config *c, size_t *wanted)
{
        if (c->arbiter.kind != ARBITER_DISK || !c->arbiter.disk_link)
                return;
        struct config_link *l = link_add(c, wanted, LINK_DISK, 0);
        for (size_t n = 0; n < c->node_count; n++)
                for (size_t m = 0; m < n; m++)
                        link_share(l, n, m);
}

size_t config_links_make(struct config *c)
{
        size_t wanted = 0;

        c->link_count = 0;
        add_lists(c, &wanted, LINK_UDP);
        add_lists(c, &wanted, LINK_MULTICAST);
        add_lists(c, &wanted, LINK_BROADCAST);
        add_serials(c, &wanted);
        add_disk(c, &wanted);
        return wanted;
}

bool config_link_shared(const struct config *c, int link, int node, int other)
{
        assert(link >= 0 && (size_t)link < c->link_count && node != other);
        return c->link[link].peers[node] & 1U << other;
}

const struct ip *config_link_ip(const struct config *c, int link, int node)
{
        const struct config_node *n = &c->node[node];
        enum link_kind kind = c->link[link].kind;

        if (kind == LINK_SERIAL || kind == LINK_DISK || (size_t)c->link[link].number >= count_of(n, kind))
                return NULL;
        const struct ip *list = kind == LINK_UDP         ? n->address
                                : kind == LINK_MULTICAST ? n->multicast
                                                         : n->broadcast;
        return &list[c->link[link].number];
}

static struct ip broadcast_of(struct ip ip, uint8_t bits)
{
        for (unsigned bit = bits; bit < 32; bit++)
                ip.bytes[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
        return ip;
}

struct ip config_link_all(const struct config *c, int link, int node)
{
        const struct config_link *l = &c->link[link];
        const struct ip *own = config_link_ip(c, link, node);

        if (own && l->kind == LINK_BROADCAST)
                return broadcast_of(*own, c->node[node].broadcast_bits[l->number]);
        for (size_t i = 0; i < c->multicast_group_count && own && l->kind == LINK_MULTICAST; i++)
                if (c->multicast_group[i].family == own->family)
                        return c->multicast_group[i];
        return (struct ip){0};
}

const struct config_serial *config_link_serial(const struct config *c, int link, int node, int other)
{
        assert(c->link[link].kind == LINK_SERIAL);
        return find_line(c, (size_t)node, (size_t)other, c->link[link].number);
}

/* A leader's packet without a document and its frame, with what each group adds (docs/protocol.md); a test
 * holds them against real ones. A byte is ten bits on the line. */
#define HEARTBEAT_BYTES 190
#define GROUP_BYTES     24

span config_serial_time(const struct config *c, int baud)
{
        return span_us((int64_t)(HEARTBEAT_BYTES + GROUP_BYTES * c->group_count) * 10 * 1000000 / baud);
}

static const char *base_name(const char *path)
{
        return strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
}

const char *config_link_name(const struct config *c, int link, int self, int node,
                             char name[static LINK_NAME])
{
        const struct ip *ip = config_link_ip(c, link, node);
        const struct config_serial *s;
        char text[IP_TEXT] = "";

        if (ip)
                ip_format(ip, text);
        switch (c->link[link].kind) {
        case LINK_UDP: snprintf(name, LINK_NAME, "%s", text); break;
        case LINK_MULTICAST: snprintf(name, LINK_NAME, "mcast %.40s", text); break;
        case LINK_BROADCAST: snprintf(name, LINK_NAME, "bcast %.40s", text); break;
        case LINK_SERIAL:
                s = self == node ? NULL : config_link_serial(c, link, self, node);
                snprintf(name, LINK_NAME, "serial%s%.40s", s ? " " : "", s ? base_name(s->device) : "");
                break;
        case LINK_DISK: text_copy(name, LINK_NAME, "disk"); break;
        case LINK_KINDS: assert(!"a kind");
        }
        return name;
}
