#include "config/judge.h"

#include "config/words.h"

#include <stdio.h>
#include <string.h>

const char *address_unusable(const struct ip *ip)
{
        static const uint8_t zero[16];
        const uint8_t *b = ip->bytes;

        if (memcmp(b, zero, ip_size(ip)) == 0)
                return "is no address of one machine";
        if (ip_is_loopback(ip))
                return "is the machine itself (loopback): nobody else reaches it";
        if (ip->family == AF_INET) {
                if (b[0] == 0)
                        return "lies in 0.0.0.0/8, which no machine has";
                if (b[0] >= 240)
                        return "is a broadcast or reserved address";
                if (b[0] >= 224)
                        return "is a multicast address: it belongs to no one machine";
                return NULL;
        }
        if (memcmp(b, zero, 10) == 0 && b[10] == 0xff && b[11] == 0xff)
                return "is an IPv4 address written as IPv6: write it as IPv4";
        if (b[0] == 0xff)
                return "is a multicast address: it belongs to no one machine";
        if (ip_is_link_local(ip))
                return "is link-local: it says nothing without an interface; use a global or unique-local "
                       "address";
        return NULL;
}

/* --- addresses: of each word, the i-th ones of all nodes make a link --- */

struct list {
        const char *word;
        size_t count;
        const struct ip *ip;
};

enum { LISTS = 3 };

static struct list list_of(const struct config_node *n, int which)
{
        return which == 0   ? (struct list){"address", n->address_count, n->address}
               : which == 1 ? (struct list){"multicast", n->multicast_count, n->multicast}
                            : (struct list){"broadcast", n->broadcast_count, n->broadcast};
}

static void judge_own(struct tree *t, const struct config *c, size_t node, int which)
{
        const struct config_node *n = &c->node[node];
        struct list ours = list_of(n, which);
        char text[IP_TEXT];

        for (size_t i = 0; i < ours.count; i++) {
                const char *why = address_unusable(&ours.ip[i]);
                ip_format(&ours.ip[i], text);
                if (why)
                        tree_mistake(t, n->place, "node %s: %s %s %s", n->name, ours.word, text, why);
                for (size_t m = 0; m < node; m++) {
                        struct list theirs = list_of(&c->node[m], which);
                        for (size_t k = 0; k < theirs.count; k++)
                                if (ip_equal(&ours.ip[i], &theirs.ip[k]))
                                        tree_mistake(t, n->place, "node %s: %s %s is node %s's already",
                                                     n->name, ours.word, text, c->node[m].name);
                }
        }
}

/* Against the first node: whether each link is the same kind of thing for both. */
static void judge_pairing(struct tree *t, const struct config *c, size_t node, int which)
{
        const struct config_node *n = &c->node[node], *first = &c->node[0];
        struct list ours = list_of(n, which), theirs = list_of(first, which);
        char text[IP_TEXT], other[IP_TEXT];

        if (ours.count == 0 || theirs.count == 0)
                return;
        if (ours.count != theirs.count) {
                tree_mistake(t, n->place,
                             "node %s has %zu %s%s, node %s has %zu: the first ones make the first link, and "
                             "so on, so each node needs as many",
                             n->name, ours.count, ours.word,
                             ours.count == 1 ? ""
                             : which == 0    ? "es"
                                             : "s",
                             first->name, theirs.count);
                return;
        }
        for (size_t i = 0; i < ours.count; i++)
                if (ours.ip[i].family != theirs.ip[i].family)
                        tree_mistake(t, n->place,
                                     "node %s: its %s number %zu is %s, node %s's is %s: they make one link, "
                                     "so both are IPv4 or both IPv6",
                                     n->name, ours.word, i + 1, ip_format(&ours.ip[i], text), first->name,
                                     ip_format(&theirs.ip[i], other));
                else if (which == 2 && (n->broadcast_bits[i] != first->broadcast_bits[i] ||
                                        !ip_same_network(&ours.ip[i], &theirs.ip[i], n->broadcast_bits[i])))
                        tree_mistake(t, n->place,
                                     "node %s: its broadcast number %zu is %s/%u, node %s's is %s/%u: these "
                                     "are two networks, and a broadcast does not leave its own",
                                     n->name, i + 1, ip_format(&ours.ip[i], text), n->broadcast_bits[i],
                                     first->name, ip_format(&theirs.ip[i], other), first->broadcast_bits[i]);
}

/* --- multicast --- */

/* RFC 5771 and RFC 4291 2.7 */
static const char *no_group(const struct ip *ip)
{
        const uint8_t *b = ip->bytes;

        if (ip->family == AF_INET && (b[0] < 224 || b[0] >= 240))
                return "is no multicast address: write one of 239.0.0.0/8, such as 239.255.6.94";
        if (ip->family == AF_INET && b[0] == 224 && b[1] == 0 && b[2] == 0)
                return "is kept for the network's own protocols: write one of 239.0.0.0/8, such as "
                       "239.255.6.94";
        if (ip->family == AF_INET6 && b[0] != 0xff)
                return "is no multicast address: write one of ff12::/16, such as ff12::694";
        if (ip->family == AF_INET6 && (b[1] & 0x0f) < 2)
                return "does not leave the machine: write one of ff12::/16, such as ff12::694";
        return NULL;
}

static void judge_groups(struct tree *t, const struct config *c)
{
        const struct ip *g = c->multicast_group;
        const struct entry *cluster = entry_find(t->root, "cluster");
        const struct entry *word = cluster ? entry_find(cluster, "multicast-group") : NULL;
        char text[IP_TEXT];

        if (!word)
                return;
        for (size_t i = 0; i < c->multicast_group_count; i++)
                if (no_group(&g[i]))
                        tree_mistake(t, word->place, "multicast-group: %s %s", ip_format(&g[i], text),
                                     no_group(&g[i]));
        if (c->multicast_group_count == 2 && g[0].family == g[1].family)
                tree_mistake(
                        t, word->place,
                        "multicast-group: there is one group for IPv4 and one for IPv6, not two of a kind");
}

/* --- serial lines --- */

static const struct config_serial *other_end(const struct config *c, size_t node, size_t line)
{
        const struct config_serial *s = &c->node[node].serial[line];
        const struct config_node *other = &c->node[s->peer];
        size_t before = 0;

        for (size_t k = 0; k < line; k++)
                before += c->node[node].serial[k].peer == s->peer;
        for (size_t k = 0; k < other->serial_count; k++)
                if (other->serial[k].peer == (int)node && before-- == 0)
                        return &other->serial[k];
        return NULL;
}

/* Where two heartbeats do not fit into `dead`, one that is lost is a death. */
static void judge_speed(struct tree *t, const struct config *c, size_t node, const struct config_serial *s)
{
        span takes = config_serial_time(c, s->baud);
        char text[SPAN_TEXT], dead[SPAN_TEXT];

        if (2 * takes.us > c->dead.us)
                tree_mistake(
                        t, c->node[node].place,
                        "node %s: serial %s: at %d baud a heartbeat of this cluster takes %s, and two of "
                        "them do not fit into dead = %s: a faster line, or a longer dead",
                        c->node[node].name, s->device, s->baud,
                        span_format(span_us(takes.us / 1000 * 1000), text), span_format(c->dead, dead));
}

static void judge_line(struct tree *t, const struct config *c, size_t node, size_t line)
{
        const struct config_node *n = &c->node[node];
        const struct config_serial *s = &n->serial[line];

        if (s->peer_name[0] && s->peer < 0) {
                tree_mistake(t, n->place, "node %s: serial %s: '%s' is no node of this cluster", n->name,
                             s->device, s->peer_name);
        } else if (s->peer == (int)node) {
                tree_mistake(t, n->place,
                             "node %s: serial %s leads to itself: name the node at the other end", n->name,
                             s->device);
        } else if (s->peer < 0) {
                tree_mistake(
                        t, n->place,
                        c->node_count == 2
                                ? "node %s: serial %s leads to the other node, which has no serial line"
                                : "node %s: serial %s joins it with one other node, and it does not follow "
                                  "which one: write it as in \"%s %d NODE\"",
                        n->name, s->device, s->device, s->baud);
        } else {
                const struct config_serial *other = other_end(c, node, line);
                if (!other)
                        tree_mistake(
                                t, n->place,
                                "node %s: serial %s leads to node %s, which has no serial line left that "
                                "leads back",
                                n->name, s->device, c->node[s->peer].name);
                else if (other->baud != s->baud && s->peer < (int)node)
                        tree_mistake(
                                t, n->place,
                                "node %s: serial %s has %d baud, its other end, %s of node %s, has %d: both "
                                "ends of a line have one speed",
                                n->name, s->device, s->baud, other->device, c->node[s->peer].name,
                                other->baud);
                judge_speed(t, c, node, s);
        }
}

/* --- all of them --- */

static bool have_a_link(const struct config *c, size_t a, size_t b)
{
        for (size_t l = 0; l < c->link_count; l++)
                if (config_link_shared(c, (int)l, (int)a, (int)b))
                        return true;
        return false;
}

static bool has_no_link_word(const struct config_node *n)
{
        return n->address_count + n->multicast_count + n->broadcast_count + n->serial_count == 0;
}

static void judge_sharing(struct tree *t, const struct config *c)
{
        for (size_t n = 0; n < c->node_count; n++)
                for (size_t m = 0; m < n && !has_no_link_word(&c->node[n]); m++)
                        if (!has_no_link_word(&c->node[m]) && !have_a_link(c, n, m))
                                tree_mistake(t, c->node[n].place,
                                             "nodes %s and %s have no link: give both an address, or another "
                                             "way to hear each other",
                                             c->node[m].name, c->node[n].name);
}

void judge_links(struct tree *t, const struct config *c)
{
        size_t before = t->mistake_count;
        struct config copy = *c;

        for (size_t n = 0; n < c->node_count; n++) {
                for (int which = 0; which < LISTS; which++) {
                        judge_own(t, c, n, which);
                        if (n > 0)
                                judge_pairing(t, c, n, which);
                }
                for (size_t k = 0; k < c->node[n].serial_count; k++)
                        judge_line(t, c, n, k);
        }
        judge_groups(t, c);
        size_t wanted = config_links_make(&copy);
        if (wanted > LINKS_MAX)
                tree_mistake(t, c->node[0].place,
                             "there are %zu links between the nodes: there may be %d in all", wanted,
                             LINKS_MAX);
        else if (t->mistake_count == before)
                judge_sharing(t, c);
}
