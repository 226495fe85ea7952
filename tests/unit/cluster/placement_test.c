/* Where a group belongs: a row per situation. */
#include "cluster/placement.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define NOBODY NODE_NONE

enum { A, B, C };

struct row {
        const char *situation;
        enum place place[3];
        uint8_t owner, wanted;
        uint8_t to;
        enum placement_reason why;
        enum cluster_failback failback;
        bool settled[3];
        bool disabled, unknown;
};

#define FIT   PLACE_FIT
#define OFF   PLACE_OFFLINE
#define UNFIT PLACE_UNFIT
#define SETTLED                                                                                              \
        {                                                                                                    \
                true, true, true                                                                             \
        }

/* order of preference: A, B, C */
static const struct row rows[] = {
        {"never placed, all fit: the first",
         {FIT, FIT, FIT},
         NOBODY,
         NOBODY,
         A,
         PLACEMENT_PREFERRED,
         .unknown = true},
        {"never placed, the first is off", {OFF, FIT, FIT}, NOBODY, NOBODY, B, PLACEMENT_PREFERRED},
        {"nobody is there", {OFF, OFF, OFF}, NOBODY, NOBODY, NOBODY, PLACEMENT_NOWHERE},
        {"the owner is fit and preferred: stays",
         {FIT, FIT, FIT},
         A,
         NOBODY,
         A,
         PLACEMENT_STAYS,
         .settled = SETTLED},
        {"the owner is off: the next", {OFF, FIT, FIT}, A, NOBODY, B, PLACEMENT_PREFERRED},
        {"the owner and the next are off", {OFF, OFF, FIT}, A, NOBODY, C, PLACEMENT_PREFERRED},
        {"the preferred is back, but just now: stays", {FIT, FIT, FIT}, B, NOBODY, B, PLACEMENT_STAYS},
        {"the preferred is back and settled: goes home",
         {FIT, FIT, FIT},
         B,
         NOBODY,
         A,
         PLACEMENT_FAILBACK,
         .settled = SETTLED},
        {"failback later, settled by its own measure",
         {FIT, FIT, FIT},
         C,
         NOBODY,
         A,
         PLACEMENT_FAILBACK,
         .failback = FAILBACK_LATER,
         .settled = SETTLED},
        {"only the second is settled: goes there",
         {FIT, FIT, FIT},
         C,
         NOBODY,
         B,
         PLACEMENT_FAILBACK,
         .settled = {false, true, true}},
        {"failback never: stays",
         {FIT, FIT, FIT},
         B,
         NOBODY,
         B,
         PLACEMENT_STAYS,
         .failback = FAILBACK_NEVER,
         .settled = SETTLED},
        {"failback is not to one less preferred",
         {OFF, FIT, FIT},
         B,
         NOBODY,
         B,
         PLACEMENT_STAYS,
         .settled = SETTLED},
        {"the preferred failed there: stays away",
         {PLACE_FAILED, FIT, FIT},
         B,
         NOBODY,
         B,
         PLACEMENT_STAYS,
         .settled = SETTLED},
        {"an operator wants C", {FIT, FIT, FIT}, A, C, C, PLACEMENT_WANTED, .settled = SETTLED},
        {"what an operator wants beats failback",
         {FIT, FIT, FIT},
         C,
         C,
         C,
         PLACEMENT_WANTED,
         .settled = SETTLED},
        {"wanted, but off: as if not wanted", {FIT, FIT, OFF}, A, C, A, PLACEMENT_STAYS, .settled = SETTLED},
        {"wanted, but failed there", {FIT, FIT, PLACE_FAILED}, C, C, A, PLACEMENT_PREFERRED},
        {"the owner is told into standby", {PLACE_STANDBY, FIT, FIT}, A, NOBODY, B, PLACEMENT_PREFERRED},
        {"the owner leaves", {PLACE_LEAVING, OFF, FIT}, A, NOBODY, C, PLACEMENT_PREFERRED},
        {"the owner failed it", {FIT, PLACE_FAILED, FIT}, B, NOBODY, A, PLACEMENT_PREFERRED},
        {"failed everywhere",
         {PLACE_FAILED, PLACE_FAILED, PLACE_FAILED},
         C,
         NOBODY,
         NOBODY,
         PLACEMENT_NOWHERE},
        {"all in standby: nowhere",
         {PLACE_STANDBY, PLACE_STANDBY, OFF},
         A,
         NOBODY,
         NOBODY,
         PLACEMENT_NOWHERE},
        {"the owner lost its carrier: the next", {UNFIT, FIT, FIT}, A, NOBODY, B, PLACEMENT_PREFERRED},
        {"nobody has carrier: stays where it is", {UNFIT, UNFIT, UNFIT}, B, NOBODY, B, PLACEMENT_LEAST_BAD},
        {"nobody has carrier, owner off: the first of them",
         {OFF, UNFIT, UNFIT},
         A,
         NOBODY,
         B,
         PLACEMENT_LEAST_BAD},
        {"unfit is better than failed", {PLACE_FAILED, UNFIT, OFF}, A, NOBODY, B, PLACEMENT_LEAST_BAD},
        {"a stranger has the address at the first",
         {PLACE_REFUSED, FIT, FIT},
         NOBODY,
         NOBODY,
         B,
         PLACEMENT_PREFERRED},
        {"refused, unknown and without vote are no places",
         {PLACE_REFUSED, PLACE_UNKNOWN, PLACE_NO_VOTE},
         A,
         NOBODY,
         NOBODY,
         PLACEMENT_NOWHERE},
        {"stopped by an operator, wherever it could run",
         {FIT, FIT, FIT},
         A,
         B,
         NOBODY,
         PLACEMENT_DISABLED,
         .disabled = true},
};

/* A cluster of three nodes and a few groups, all of it fit and nothing placed yet. */
struct stage {
        struct cluster_settings settings;
        struct document document;
        struct placement_query q;
        struct placement p[CLUSTER_GROUPS_MAX];
};

static void stage_init(struct stage *s, uint8_t nodes, uint8_t groups)
{
        memset(s, 0, sizeof(*s));
        s->settings.node_count = nodes;
        s->settings.group_count = groups;
        s->document.group_count = groups;
        s->q.settings = &s->settings;
        s->q.document = &s->document;
        for (uint8_t g = 0; g < groups; g++) {
                struct cluster_group *group = &s->settings.group[g];
                group->id = g + 1U;
                group->load = 1;
                group->node_count = nodes;
                for (uint8_t i = 0; i < nodes; i++)
                        group->node[i] = i;
                s->document.group[g] = (struct assignment){
                        .group = group->id, .owner = NODE_NONE, .from = NODE_NONE, .wanted = NODE_NONE};
                s->q.settled[g] = UINT64_MAX;
        }
}

/* Both of a pair, as the configuration makes it. */
static void join(struct stage *s, uint8_t a, uint8_t b)
{
        s->settings.group[a].with |= 1ULL << b;
        s->settings.group[b].with |= 1ULL << a;
        s->settings.group[a].follows = true;
}

static void part(struct stage *s, uint8_t a, uint8_t b)
{
        s->settings.group[a].apart |= 1ULL << b;
        s->settings.group[b].apart |= 1ULL << a;
}

/* What is computed comes to be. */
static void carry_out(struct stage *s)
{
        placement_compute(&s->q, s->p);
        for (uint8_t g = 0; g < s->settings.group_count; g++)
                s->document.group[g].owner = s->p[g].to;
}

static void set_node(struct stage *s, uint8_t node, enum place place)
{
        for (uint8_t g = 0; g < s->settings.group_count; g++)
                s->q.place[g][node] = (uint8_t)place;
}

static void expect_places(struct stage *s, const char *where)
{
        char found[CLUSTER_GROUPS_MAX + 1] = "";

        carry_out(s);
        for (uint8_t g = 0; g < s->settings.group_count; g++)
                found[g] = s->p[g].to == NODE_NONE ? '-' : (char)('A' + s->p[g].to);
        assert_string_equal(found, where);
        carry_out(s); /* and nothing moves again */
        for (uint8_t g = 0; g < s->settings.group_count; g++)
                assert_int_equal(where[g], s->p[g].to == NODE_NONE ? '-' : 'A' + s->p[g].to);
}

static void each_situation_has_its_place(void **state)
{
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                const struct row *r = &rows[i];
                struct stage s;

                stage_init(&s, 3, 1);
                s.settings.group[0].failback = r->failback;
                s.document.group[0].owner = r->owner;
                s.document.group[0].wanted = r->wanted;
                s.document.group[0].admin = r->disabled ? GROUP_DISABLED : GROUP_ENABLED;
                s.document.group_count = r->unknown ? 0 : 1;
                s.q.settled[0] = 0;
                for (uint8_t n = 0; n < 3; n++) {
                        s.q.place[0][n] = (uint8_t)r->place[n];
                        s.q.settled[0] |= (uint64_t)r->settled[n] << n;
                }
                placement_compute(&s.q, s.p);
                if (s.p[0].to != r->to || s.p[0].why != r->why)
                        fail_msg("%s: went to %d because %s, not to %d because %s", r->situation,
                                 s.p[0].to == NODE_NONE ? -1 : s.p[0].to, placement_reason_text(s.p[0].why),
                                 r->to == NODE_NONE ? -1 : r->to, placement_reason_text(r->why));
        }
}

/* Failing nodes one after the other moves the group down its list and never to a node that is not on it. */
static void a_group_keeps_to_its_list(void **state)
{
        struct stage s;

        stage_init(&s, 3, 1);
        s.settings.group[0].node_count = 2;
        memcpy(s.settings.group[0].node, (uint8_t[]){C, A}, 2);
        s.q.place[0][B] = PLACE_ELSEWHERE;
        expect_places(&s, "C");
        s.q.place[0][C] = PLACE_OFFLINE;
        expect_places(&s, "A");
        s.q.place[0][A] = PLACE_FAILED;
        expect_places(&s, "-");
}

/* --- several groups --- */

static void a_node_takes_no_more_than_it_carries(void **state)
{
        struct stage s;

        stage_init(&s, 3, 4);
        s.settings.capacity[A] = 2;
        s.settings.capacity[B] = s.settings.capacity[C] = 1;
        expect_places(&s, "AABC");
        set_node(&s, C, PLACE_OFFLINE);
        expect_places(&s, "AAB-");
        assert_int_equal(s.p[3].why, PLACEMENT_NO_ROOM);
        set_node(&s, C, PLACE_FIT);
        expect_places(&s, "AABC");
}

static void two_active_and_a_spare_that_carries_one(void **state)
{
        struct stage s;

        stage_init(&s, 3, 2);
        s.settings.capacity[A] = s.settings.capacity[B] = s.settings.capacity[C] = 1;
        memcpy(s.settings.group[0].node, (uint8_t[]){A, C}, 2);
        memcpy(s.settings.group[1].node, (uint8_t[]){B, C}, 2);
        s.settings.group[0].node_count = s.settings.group[1].node_count = 2;
        s.q.place[0][B] = s.q.place[1][A] = PLACE_ELSEWHERE;
        expect_places(&s, "AB");
        s.q.place[0][A] = PLACE_OFFLINE;
        expect_places(&s, "CB");
        s.q.place[1][B] = PLACE_OFFLINE;
        expect_places(&s, "C-"); /* who came first keeps the spare */
        s.settings.group[1].priority = 5;
        expect_places(&s, "-C"); /* unless the other matters more */
        s.q.place[0][A] = PLACE_FIT;
        expect_places(&s, "AC");
}

static void who_matters_less_gives_way_only_when_it_must(void **state)
{
        struct stage s;

        stage_init(&s, 2, 3);
        s.settings.capacity[A] = s.settings.capacity[B] = 1;
        s.settings.group[2].priority = 10;
        s.document.group[0].owner = A;
        s.document.group[2].admin = GROUP_DISABLED;
        s.document.group[1].admin = GROUP_DISABLED;
        expect_places(&s, "A--");
        s.document.group[2].admin = GROUP_ENABLED;
        expect_places(&s, "A-B"); /* there is room elsewhere */
        s.document.group[1].admin = GROUP_ENABLED;
        expect_places(&s, "A-B");
        set_node(&s, B, PLACE_OFFLINE);
        placement_compute(&s.q, s.p);
        assert_int_equal(s.p[2].why, PLACEMENT_DISPLACES);
        expect_places(&s, "--A");
}

static void with_is_one_fate(void **state)
{
        struct stage s;

        stage_init(&s, 3, 3);
        join(&s, 2, 0); /* 2 goes with 0, whose list counts */
        memcpy(s.settings.group[2].node, (uint8_t[]){C, B, A}, 3);
        expect_places(&s, "AAA");
        assert_int_equal(s.p[0].unit, 1 << 0 | 1 << 2);
        assert_int_equal(s.p[2].unit, s.p[0].unit);
        assert_int_equal(s.p[1].unit, 1 << 1);
        s.q.place[2][A] = PLACE_FAILED;
        expect_places(&s, "BAB");
        s.q.place[0][B] = PLACE_UNFIT;
        expect_places(&s, "CAC");
        s.document.group[2].wanted = s.document.group[0].wanted = B;
        s.q.place[0][B] = PLACE_FIT;
        expect_places(&s, "BAB");
        s.document.group[0].admin = GROUP_DISABLED; /* the other goes on, by its own list from now on */
        s.document.group[2].wanted = NODE_NONE;
        expect_places(&s, "-AC");
        assert_int_equal(s.p[2].unit, 1 << 2);
}

static void with_needs_room_for_all(void **state)
{
        struct stage s;

        stage_init(&s, 2, 3);
        join(&s, 1, 0);
        s.settings.capacity[A] = 2;
        s.settings.capacity[B] = 1;
        s.document.group[2].owner = A;
        expect_places(&s, "--A");
        s.settings.group[0].priority = 1;
        expect_places(&s, "AAB");
}

static void apart_is_never_together(void **state)
{
        struct stage s;

        stage_init(&s, 2, 2);
        part(&s, 0, 1);
        expect_places(&s, "AB");
        set_node(&s, B, PLACE_OFFLINE);
        expect_places(&s, "A-");
        assert_int_equal(s.p[1].why, PLACEMENT_NO_ROOM);
        set_node(&s, B, PLACE_FIT);
        s.document.group[0].wanted = B;
        s.document.group[1].owner = B;
        expect_places(&s, "AB"); /* a wish disturbs nobody */
}

static void failback_waits_for_room(void **state)
{
        struct stage s;

        stage_init(&s, 2, 2);
        s.settings.capacity[A] = 1;
        s.document.group[0].owner = B;
        s.document.group[1].owner = A;
        expect_places(&s, "BA");
        s.document.group[1].admin = GROUP_DISABLED;
        expect_places(&s, "A-");
}

static void what_comes_after_a_stopped_one_is_stopped(void **state)
{
        struct stage s;

        stage_init(&s, 2, 3);
        s.settings.group[0].after = 1ULL << 1;
        s.settings.group[1].after = 1ULL << 2;
        s.document.group[2].admin = GROUP_DISABLED;
        expect_places(&s, "---");
        assert_int_equal(s.p[0].why, PLACEMENT_HALTED);
        assert_int_equal(s.p[2].why, PLACEMENT_DISABLED);
        s.document.group[2].admin = GROUP_ENABLED;
        expect_places(&s, "AAA");
}

static void what_runs_everywhere_takes_room_and_has_no_place(void **state)
{
        struct stage s;

        stage_init(&s, 2, 2);
        s.settings.group[0].everywhere = true;
        s.settings.group[0].load = 3;
        s.settings.capacity[A] = 3;
        s.settings.capacity[B] = 4;
        expect_places(&s, "-B");
        s.document.group[0].admin = GROUP_DISABLED;
        expect_places(&s, "-A");
}

/* Whatever the nodes and the wishes: no more than capacity, together and apart as told, the same answer again
 * when it has been carried out, and nobody moved who could have stayed. */
static void any_situation_obeys_and_is_at_rest(void **state)
{
        uint32_t random = 1;
        struct stage s;

        for (int round = 0; round < 3000; round++) {
                uint8_t nodes = (uint8_t)(2 + round % 15), groups = (uint8_t)(2 + round % 61);
                stage_init(&s, nodes, groups);
                for (uint8_t g = 0; g < groups; g++) {
                        random = random * 1664525 + 1013904223;
                        s.settings.group[g].load = (uint16_t)(random >> 28);
                        s.settings.group[g].priority = (int16_t)(random >> 20 & 3);
                        s.document.group[g].owner = (uint8_t)((random >> 8) % (nodes + 1U));
                        if (s.document.group[g].owner == nodes)
                                s.document.group[g].owner = NODE_NONE;
                        if (random >> 16 & 1 && g + 1 < groups && g % 3 == 0)
                                join(&s, g, (uint8_t)(g + 1));
                        else if (g % 5 == 2 && g + 3 < groups)
                                part(&s, g, (uint8_t)(g + 3));
                        if (random >> 18 & 1)
                                s.settings.group[g].failback = FAILBACK_NEVER;
                }
                for (uint8_t i = 0; i < nodes; i++) {
                        random = random * 1664525 + 1013904223;
                        s.settings.capacity[i] = random >> 26;
                        if (random >> 24 & 3)
                                continue;
                        set_node(&s, i, random >> 23 & 1 ? PLACE_OFFLINE : PLACE_UNFIT);
                }
                carry_out(&s);
                /* a failback may open the way for another: a few turns, then rest */
                for (int turn = 0; turn < 20; turn++)
                        carry_out(&s);
                struct placement before[CLUSTER_GROUPS_MAX];
                memcpy(before, s.p, sizeof(before));
                carry_out(&s);
                for (uint8_t g = 0; g < groups; g++) {
                        assert_int_equal(before[g].to, s.p[g].to);
                        uint64_t there = 0;
                        for (uint8_t o = 0; o < groups; o++)
                                there |= s.p[o].to == s.p[g].to ? 1ULL << o : 0;
                        if (s.p[g].to == NODE_NONE)
                                continue;
                        assert_int_equal(there & s.settings.group[g].apart, 0);
                        assert_int_equal(there & s.settings.group[g].with, s.settings.group[g].with);
                        if (s.settings.capacity[s.p[g].to])
                                assert_true(placement_load(&s.q, there, s.p[g].to) <=
                                            s.settings.capacity[s.p[g].to]);
                }
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(each_situation_has_its_place),
                cmocka_unit_test(a_group_keeps_to_its_list),
                cmocka_unit_test(a_node_takes_no_more_than_it_carries),
                cmocka_unit_test(two_active_and_a_spare_that_carries_one),
                cmocka_unit_test(who_matters_less_gives_way_only_when_it_must),
                cmocka_unit_test(with_is_one_fate),
                cmocka_unit_test(with_needs_room_for_all),
                cmocka_unit_test(apart_is_never_together),
                cmocka_unit_test(failback_waits_for_room),
                cmocka_unit_test(what_comes_after_a_stopped_one_is_stopped),
                cmocka_unit_test(what_runs_everywhere_takes_room_and_has_no_place),
                cmocka_unit_test(any_situation_obeys_and_is_at_rest),
        };

        return cmocka_run_group_tests_name("placement", tests, NULL, NULL);
}
