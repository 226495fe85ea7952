#include "scenarios.h"

#include "stage.h"
#include "world_arbiter.h"

#include <stdarg.h>
#include <string.h>

/* --- what plays are written with --- */

void expect(struct stage *s, bool ok, const char *format, ...)
{
        va_list args;

        if (ok || s->failure[0])
                return;
        int n = snprintf(s->failure, sizeof(s->failure), "at %.3fms: ", (double)world_now(s->w).us / 1000);
        va_start(args, format);
        vsnprintf(s->failure + n, sizeof(s->failure) - (size_t)n, format, args);
        va_end(args);
}

void expect_holder(struct stage *s, uint8_t group, uint8_t node)
{
        uint8_t holder = world_holder(s->w, group);

        expect(s, holder == node, "group%u is held by node %d, not by %d", group,
               holder == NODE_NONE ? -1 : holder, node == NODE_NONE ? -1 : node);
}

void expect_settles(struct stage *s, span within)
{
        expect(s, world_settle(s->w, within), "not every group is held within %.1f s",
               (double)within.us / 1e6);
}

void expect_unheld_at_most(struct stage *s, uint8_t group, span most)
{
        span unheld = world_unheld(s->w, group);

        expect(s, unheld.us <= most.us, "group%u had no holder for %.3f ms, more than %.3f", group,
               (double)unheld.us / 1000, (double)most.us / 1000);
}

void expect_told(struct stage *s, const char *story, const char *text)
{
        expect(s, strstr(story, text) != NULL, "nobody told: '%s'", text);
}

void stage_run(struct stage *s, span length)
{
        world_run(s->w, length);
}

void stage_wait_some(struct stage *s, span length)
{
        world_run(s->w, span_us(length.us * (int64_t)(s->seed - 1) / STAGE_SEEDS + world_random(s->w, 1000)));
}

void stage_order(struct stage *s, enum order_kind kind, uint8_t group, uint8_t node, span lasts)
{
        uint8_t by = world_leader(s->w);

        world_order(s->w, by == NODE_NONE ? 0 : by,
                    (struct order){.kind = kind,
                                   .id = world_random(s->w, 1 << 30) + 1,
                                   .group = world_group_id(group),
                                   .node = node,
                                   .lasts = lasts});
}

void stage_move(struct stage *s, uint8_t group, uint8_t node)
{
        stage_order(s, ORDER_MOVE, group, node, SPAN_ZERO);
}

void stage_cut_way(struct stage *s, uint8_t from, uint8_t to, bool cut)
{
        for (uint8_t l = 0; l < WORLD_LINKS; l++)
                world_cut(s->w, from, to, l, cut);
}

uint8_t stage_other(const struct stage *s, uint8_t node)
{
        return node == 0 ? 1 : 0;
}

/* --- playing them --- */

static const struct scenario *const books[] = {
        scenarios_rules,   scenarios_strong,  scenarios_pair,      scenarios_operate, scenarios_fence,
        scenarios_witness, scenarios_members, scenarios_disk,      scenarios_many,    scenarios_moves,
        scenarios_owner,   scenarios_leases,  scenarios_documents, scenarios_arbiter, scenarios_etcd};

static struct world_config quiet_network(const struct scenario *what, uint64_t seed, FILE *trace)
{
        struct world_config c = what->config;

        c.seed = seed;
        c.links = 2;
        c.groups = c.groups ? c.groups : 2;
        c.heartbeat = c.heartbeat.us ? c.heartbeat : span_ms(100);
        c.dead = c.dead.us ? c.dead : span_ms(500);
        c.delay_min = span_us(50);
        c.delay_max = span_us(400);
        c.save_min = span_us(200);
        c.save_max = span_ms(5);
        c.start_max = c.start_max.us ? c.start_max : span_ms(20);
        c.stop_max = c.stop_max.us ? c.stop_max : span_ms(2);
        c.drift = 0.01;
        c.arbiter = c.arbiter ? c.arbiter : &arbiter_none;
        c.story = true;
        c.trace = trace;
        return c;
}

static void begin(struct stage *s, const struct scenario *what)
{
        expect_settles(s, span_s(20));
        world_run(s->w, span_s(3)); /* long enough that failback may go everywhere */
        for (uint8_t g = 0; g < 2; g++)
                expect_holder(s, g, what->config.words & WORDS_WITH ? 0 : g);
        world_reset_figures(s->w);
        (void)world_story(s->w);
}

static bool play_once(const struct scenario *what, uint64_t seed, FILE *trace)
{
        struct world_config c = quiet_network(what, seed, trace);
        struct stage s = {.w = world_new(&c), .seed = seed};

        begin(&s, what);
        what->play(&s);
        if (world_violation_text(s.w)[0])
                expect(&s, false, "%s", world_violation_text(s.w));
        if (s.failure[0])
                printf("not ok %s, seed %llu: %s\n", what->name, (unsigned long long)seed, s.failure);
        world_free(s.w);
        return !s.failure[0];
}

static bool play(const struct scenario *what, bool trace)
{
        bool ok = true;

        uint64_t seeds = what->config.nodes > 16 ? 2 : STAGE_SEEDS; /* a thousand times as many messages */

        for (uint64_t seed = 1; seed <= seeds && ok; seed++)
                ok = play_once(what, seed, trace ? stdout : NULL);
        if (ok)
                printf("ok %s\n", what->name);
        return ok;
}

void scenarios_list(FILE *out)
{
        for (size_t b = 0; b < sizeof(books) / sizeof(books[0]); b++)
                for (const struct scenario *what = books[b]; what->name; what++)
                        fprintf(out, "%-52s %s\n", what->name, what->about);
}

int scenarios_play(const char *name, bool trace, bool stop)
{
        int played = 0, failed = 0;

        for (size_t b = 0; b < sizeof(books) / sizeof(books[0]); b++)
                for (const struct scenario *what = books[b]; what->name; what++)
                        if ((!name || strcmp(name, what->name) == 0) && !(stop && failed)) {
                                played++;
                                failed += !play(what, trace);
                        }
        return played ? failed : -1;
}
