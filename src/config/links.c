/* Which links the nodes share, and in which order: all nodes derive the same from one file. */
#include "config/config.h"

#include "base/text.h"

#include <assert.h>
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

/* The i-th addresses of all nodes that have so many. */
static size_t add_addresses(struct config *c)
{
        size_t wanted = 0, most = 0;

        for (size_t n = 0; n < c->node_count; n++)
                if (c->node[n].address_count > most)
                        most = c->node[n].address_count;
        for (size_t i = 0; i < most; i++) {
                struct config_link *l = link_add(c, &wanted, LINK_UDP, i);
                for (size_t n = 0; n < c->node_count; n++)
                        for (size_t m = 0; m < n; m++)
                                if (i < c->node[n].address_count && i < c->node[m].address_count)
                                        link_share(l, n, m);
        }
        return wanted;
}

static size_t add_disk(struct config *c, size_t wanted)
{
        if (c->arbiter.kind != ARBITER_DISK || !c->arbiter.disk_link)
                return wanted;
        struct config_link *l = link_add(c, &wanted, LINK_DISK, 0);
        for (size_t n = 0; n < c->node_count; n++)
                for (size_t m = 0; m < n; m++)
                        link_share(l, n, m);
        return wanted;
}

size_t config_links_make(struct config *c)
{
        c->link_count = 0;
        return add_disk(c, add_addresses(c));
}

bool config_link_shared(const struct config *c, int link, int node, int other)
{
        assert(link >= 0 && (size_t)link < c->link_count && node != other);
        return c->link[link].peers[node] & 1U << other;
}

const char *config_link_name(const struct config *c, int link, int self, int node,
                             char name[static LINK_NAME])
{
        const struct config_link *l = &c->link[link];

        switch (l->kind) {
        case LINK_UDP: text_copy(name, LINK_NAME, c->node[node].address_text[l->number]); break;
        case LINK_DISK: text_copy(name, LINK_NAME, "disk"); break;
        case LINK_KINDS: assert(!"a kind");
        }
        return name;
}
