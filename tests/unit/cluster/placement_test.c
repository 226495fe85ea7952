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

static void each_situation_has_its_place(void **state)
{
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                const struct row *r = &rows[i];
                struct cluster_group g = {.node_count = 3, .node = {A, B, C}, .failback = r->failback};
                struct assignment a = {.owner = r->owner,
                                       .wanted = r->wanted,
                                       .admin = r->disabled ? GROUP_DISABLED : GROUP_ENABLED};
                struct placement_query q = {.group = &g, .now = r->unknown ? NULL : &a};
                enum placement_reason why;

                memcpy(q.node, r->place, sizeof(r->place));
                memcpy(q.settled, r->settled, sizeof(r->settled));
                uint8_t to = placement_choose(&q, &why);
                if (to != r->to || why != r->why)
                        fail_msg("%s: went to %d because %s, not to %d because %s", r->situation,
                                 to == NODE_NONE ? -1 : to, placement_reason_text(why),
                                 r->to == NODE_NONE ? -1 : r->to, placement_reason_text(r->why));
        }
}

/* Failing nodes one after the other moves the group down its list and never to a node that is not on it. */
static void a_group_keeps_to_its_list(void **state)
{
        struct cluster_group g = {.node_count = 2, .node = {C, A}};
        struct assignment a = {.owner = NODE_NONE, .wanted = NODE_NONE};
        struct placement_query q = {.group = &g, .now = &a};
        enum placement_reason why;

        assert_int_equal(placement_choose(&q, &why), C);
        q.node[C] = PLACE_OFFLINE;
        assert_int_equal(placement_choose(&q, &why), A);
        q.node[A] = PLACE_FAILED;
        assert_int_equal(placement_choose(&q, &why), NODE_NONE);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(each_situation_has_its_place),
                cmocka_unit_test(a_group_keeps_to_its_list),
        };

        return cmocka_run_group_tests_name("placement", tests, NULL, NULL);
}
