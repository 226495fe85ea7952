#include "cli/prove.h"

#include <string.h>

#define TURNS_MAX 64 /* of placing, until nothing moves: each move may open room for another */

struct play {
        const struct cluster_settings *settings;
        struct document document;
        uint64_t failed; /* bit i: node i */
};

static void play_init(struct play *p, const struct cluster_settings *settings)
{
        memset(p, 0, sizeof(*p));
        p->settings = settings;
        for (uint8_t g = 0; g < settings->group_count; g++)
                document_add_group(&p->document, settings->group[g].id);
}

static enum place place_of(const struct play *p, uint8_t g, uint8_t node)
{
        const struct cluster_group *group = &p->settings->group[g];

        if (p->failed & 1ULL << node)
                return PLACE_OFFLINE;
        return memchr(group->node, node, group->node_count) ? PLACE_FIT : PLACE_ELSEWHERE;
}

static void ask(const struct play *p, struct placement_query *q)
{
        q->settings = p->settings;
        q->document = &p->document;
        for (uint8_t g = 0; g < p->settings->group_count; g++) {
                q->settled[g] = UINT64_MAX;
                for (uint8_t i = 0; i < p->settings->node_count; i++)
                        q->place[g][i] = (uint8_t)place_of(p, g, i);
        }
}

static bool carry_out(struct play *p, const struct placement *to)
{
        bool moved = false;

        for (uint8_t g = 0; g < p->settings->group_count; g++) {
                struct assignment *a = document_group(&p->document, p->settings->group[g].id);
                moved |= a->owner != to[g].to;
                a->owner = to[g].to;
        }
        return moved;
}

/* Whether those that are left, and the arbiter, are a majority. */
static bool has_quorum(const struct play *p)
{
        unsigned votes = p->settings->node_count, left = votes - (unsigned)__builtin_popcountll(p->failed);
        unsigned arbiter = p->settings->arbiter != CLUSTER_ARBITER_ABSENT;

        return left > 0 && left + arbiter >= (votes + arbiter) / 2 + 1;
}

static void settle(struct play *p, struct prove_case *c)
{
        struct placement_query q;
        struct placement turn[CLUSTER_GROUPS_MAX];

        c->quorum = has_quorum(p);
        ask(p, &q);
        placement_compute(&q, c->group);
        /* the reason is that of the move, not that it then stays */
        bool moved = carry_out(p, c->group);
        for (int i = 0; moved && i < TURNS_MAX; i++) {
                placement_compute(&q, turn);
                moved = carry_out(p, turn);
                for (uint8_t g = 0; g < p->settings->group_count; g++)
                        if (turn[g].to != c->group[g].to)
                                c->group[g] = turn[g];
        }
        for (uint8_t i = 0; i < p->settings->node_count; i++) {
                uint64_t there = 0;
                for (uint8_t g = 0; g < p->settings->group_count; g++)
                        there |= c->group[g].to == i ? 1ULL << g : 0;
                c->load[i] = p->failed & 1ULL << i ? 0 : placement_load(&q, there, i);
        }
}

static void fail(struct play *p, uint8_t node, struct prove_case *c)
{
        c->failed[c->failed_count++] = node;
        p->failed |= 1ULL << node;
        settle(p, c);
}

static struct prove_case two(const struct play *well, uint8_t first, uint8_t second)
{
        struct play p = *well;
        struct prove_case c = {0};

        fail(&p, first, &c);
        fail(&p, second, &c);
        return c;
}

static bool same_end(const struct prove_case *a, const struct prove_case *b, uint8_t groups)
{
        for (uint8_t g = 0; g < groups; g++)
                if (a->group[g].to != b->group[g].to)
                        return false;
        return true;
}

void prove(const struct cluster_settings *settings, prove_fn *on_case, void *user)
{
        struct play well, p;
        struct prove_case c = {0};

        play_init(&well, settings);
        settle(&well, &c);
        on_case(user, &c);
        for (uint8_t i = 0; i < settings->node_count; i++) {
                p = well;
                c = (struct prove_case){0};
                fail(&p, i, &c);
                on_case(user, &c);
        }
        for (uint8_t i = 0; i < settings->node_count; i++)
                for (uint8_t j = (uint8_t)(i + 1); j < settings->node_count; j++) {
                        struct prove_case a = two(&well, i, j), b = two(&well, j, i);
                        a.either = same_end(&a, &b, settings->group_count);
                        on_case(user, &a);
                        if (!a.either)
                                on_case(user, &b);
                }
}

bool prove_lost(const struct prove_case *c, const struct cluster_settings *settings, uint8_t group)
{
        return !settings->group[group].everywhere && (!c->quorum || c->group[group].to == NODE_NONE);
}
