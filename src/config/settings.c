#include "config/settings.h"

#include "base/text.h"

#include <string.h>

static const enum cluster_failback failback[] = {
        [FAILBACK_AUTO] = FAILBACK_AT_ONCE,
        [FAILBACK_MANUAL] = FAILBACK_NEVER,
        [FAILBACK_AFTER] = FAILBACK_LATER,
};

static void set_group(const struct config_group *from, struct cluster_group *to)
{
        memset(to, 0, sizeof(*to));
        text_copy(to->name, sizeof(to->name), from->name);
        to->id = from->id;
        to->node_count = (uint8_t)from->node_count;
        memcpy(to->node, from->node, from->node_count);
        to->failback = failback[from->failback];
        to->failback_after = from->failback_after;
        to->forgive_after = from->forgive_after;
        to->data = from->exclusive == EXCLUSIVE_DATA;
        to->accept_split = from->accept_split;
        to->everywhere = from->everywhere;
        to->load = (uint16_t)from->load;
        to->priority = (int16_t)from->priority;
}

static uint64_t bits(const struct config *c, char *const *names)
{
        uint64_t found = 0;

        for (; names && *names; names++) {
                int g = config_find_group(c, *names);
                found |= g >= 0 ? 1ULL << g : 0;
        }
        return found;
}

/* `with` and `apart` hold for both, whoever says it. */
static void set_both(struct cluster_settings *s, uint8_t g, uint64_t with, uint64_t apart)
{
        for (uint8_t o = 0; o < s->group_count; o++) {
                uint64_t other = 1ULL << o;
                if (with & other && s->group[o].everywhere) {
                        s->group[g].company |= other;
                } else if (with & other) {
                        s->group[g].follows = true;
                        s->group[g].with |= other;
                        s->group[o].with |= 1ULL << g;
                }
                if (apart & other) {
                        s->group[g].apart |= other;
                        s->group[o].apart |= 1ULL << g;
                }
        }
}

/* Who goes with one goes with all that go with it. */
static void close_with(struct cluster_settings *s)
{
        for (bool grew = true; grew;) {
                grew = false;
                for (uint8_t g = 0; g < s->group_count; g++)
                        for (uint8_t o = 0; o < s->group_count; o++) {
                                if (!(s->group[g].with & 1ULL << o) ||
                                    !(s->group[o].with & ~s->group[g].with & ~(1ULL << g)))
                                        continue;
                                s->group[g].with |= s->group[o].with & ~(1ULL << g);
                                grew = true;
                        }
        }
}

void settings_groups(const struct config *c, struct cluster_settings *s)
{
        s->node_count = (uint8_t)c->node_count;
        for (size_t i = 0; i < c->node_count; i++) {
                text_copy(s->node_name[i], CLUSTER_NAME, c->node[i].name);
                s->node_id[i] = c->node[i].id;
                s->vacant |= c->node[i].name[0] ? 0 : 1ULL << i;
                s->capacity[i] = (uint32_t)c->node[i].capacity;
        }
        s->group_count = (uint8_t)c->group_count;
        for (size_t i = 0; i < c->group_count; i++)
                set_group(&c->group[i], &s->group[i]);
        for (uint8_t i = 0; i < s->group_count; i++) {
                s->group[i].after = bits(c, c->group[i].after);
                set_both(s, i, bits(c, c->group[i].with), bits(c, c->group[i].apart));
        }
        close_with(s);
}
