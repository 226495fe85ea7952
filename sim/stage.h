/* stage.h - what the scenarios are made of; for the files of scenarios only. */
#pragma once

#include "world.h"

#define STAGE_SEEDS 25 /* enough to meet every phase of a heartbeat: what is at stake is 5 to 20 ms wide */

struct stage {
        struct world *w;
        uint64_t seed;
        char failure[256]; /* the first, "" if none */
};

struct scenario {
        const char *name;
        const char *about;
        struct world_config config; /* what differs from the quiet network; zero: as there */
        void (*play)(struct stage *s);
};

extern const struct scenario scenarios_rules[], scenarios_strong[], scenarios_pair[], scenarios_operate[],
        scenarios_fence[], scenarios_witness[], scenarios_members[], scenarios_disk[], scenarios_many[],
        scenarios_moves[], scenarios_owner[], scenarios_leases[], scenarios_documents[], scenarios_arbiter[],
        scenarios_etcd[]; /* end: no name */

/* What must hold. The first that does not ends up in the report; the play goes on. */
void expect(struct stage *s, bool ok, const char *format, ...) __attribute__((format(printf, 3, 4)));
void expect_holder(struct stage *s, uint8_t group, uint8_t node);
void expect_settles(struct stage *s, span within);
void expect_unheld_at_most(struct stage *s, uint8_t group, span most);
/* The notes since the last look contain `text`. */
void expect_told(struct stage *s, const char *story, const char *text);

/* Another instant within `length`, by the seed. */
void stage_wait_some(struct stage *s, span length);
void stage_run(struct stage *s, span length);
void stage_move(struct stage *s, uint8_t group, uint8_t node);
void stage_order(struct stage *s, enum order_kind kind, uint8_t group, uint8_t node, span lasts);
/* One direction, on all links. */
void stage_cut_way(struct stage *s, uint8_t from, uint8_t to, bool cut);
uint8_t stage_other(const struct stage *s, uint8_t node); /* a node that is not this one */
