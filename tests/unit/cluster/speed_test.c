/* What a step of the brain costs in the largest cluster that a configuration may have: sixteen nodes that all
 * hear each other, sixty-four groups that share their room. Run for a few virtual seconds on a network that
 * loses nothing; time is taken around the leader's steps alone. */
#include "cluster/cluster.h"

#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define NODES  16
#define GROUPS 64
#define STEP_MOST_US                                                                                         \
        1000 /* on the mean; a hundredth of a heartbeat. Sanitizers and a busy machine included */

struct net {
        struct cluster_settings settings[NODES];
        struct cluster *brain[NODES];
        uint64_t speak[NODES]; /* to whom, */
        bool save[NODES];
        uint64_t act[NODES][GROUPS]; /* results that are due: 1 started, 2 stopped */
        struct epoch epoch[NODES][GROUPS];
        struct todo todo;
        instant now;
        int64_t spent_ns; /* in steps of node 0 */
        uint64_t steps;
        bool measuring;
};

static int64_t clock_ns(void)
{
        struct timespec t;

        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
        return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void note_todo(struct net *n, uint8_t node)
{
        n->speak[node] |= n->todo.speak_to;
        n->save[node] |= n->todo.save;
        for (size_t i = 0; i < n->todo.action_count; i++) {
                const struct cluster_action *a = &n->todo.action[i];
                if (a->kind != ACTION_START && a->kind != ACTION_STOP)
                        continue;
                n->act[node][a->group] = a->kind == ACTION_START ? 1 : 2;
                n->epoch[node][a->group] = a->epoch;
        }
}

static void step(struct net *n, uint8_t node, struct cluster_event ev)
{
        int64_t before = clock_ns();

        ev.now = n->now;
        cluster_step(n->brain[node], &ev, &n->todo);
        if (n->measuring && node == 0) {
                n->spent_ns += clock_ns() - before;
                n->steps++;
        }
        note_todo(n, node);
}

static void net_init(struct net *n)
{
        n->now = (instant){50000000};
        for (uint8_t i = 0; i < NODES; i++) {
                struct cluster_settings *s = &n->settings[i];
                *s = (struct cluster_settings){.self = i,
                                               .node_count = NODES,
                                               .link_count = 2,
                                               .timing = timing_derive(span_ms(100), span_ms(500)),
                                               .warn = span_ms(300),
                                               .members = 1,
                                               .group_count = GROUPS};
                for (uint8_t k = 0; k < NODES; k++) {
                        snprintf(s->node_name[k], CLUSTER_NAME, "node%u", k);
                        s->capacity[k] = 5;
                }
                for (uint8_t g = 0; g < GROUPS; g++) {
                        struct cluster_group *group = &s->group[g];
                        snprintf(group->name, sizeof(group->name), "group%02u", g);
                        group->id = text_id(group->name);
                        group->load = 1;
                        group->node_count = NODES;
                        for (uint8_t k = 0; k < NODES; k++)
                                group->node[k] = (uint8_t)((g + k) % NODES);
                }
                struct cluster_start start = {.incarnation = {.boot = 7, .core = 1},
                                              .state_valid = true,
                                              .state = {.voted_for = NODE_NONE},
                                              .first_core = true,
                                              .promise = {.last_answer = n->now},
                                              .now = n->now};
                start.state.document.members = 1;
                n->brain[i] = malloc(cluster_size());
                assert_non_null(n->brain[i]);
                cluster_init(n->brain[i], s, &start, &n->todo);
                note_todo(n, i);
        }
}

static void report_results(struct net *n, uint8_t node)
{
        for (uint8_t g = 0; g < GROUPS; g++) {
                uint64_t what = n->act[node][g];
                n->act[node][g] = 0;
                if (what)
                        step(n, node,
                             (struct cluster_event){.kind = what == 1 ? CLUSTER_EV_STARTED
                                                                      : CLUSTER_EV_STOPPED,
                                                    .group = g,
                                                    .epoch = n->epoch[node][g]});
        }
}

/* A fifth of a millisecond passes: what was said arrives, what was asked for is done. */
static void turn(struct net *n)
{
        static struct message m;

        n->now = instant_add(n->now, span_us(200));
        for (uint8_t i = 0; i < NODES; i++) {
                uint64_t to = n->speak[i];
                n->speak[i] = 0;
                for (uint8_t k = 0; k < NODES; k++) {
                        if (!(to & 1ULL << k))
                                continue;
                        cluster_speak(n->brain[i], n->now, k, &m);
                        step(n, k, (struct cluster_event){.kind = CLUSTER_EV_MESSAGE, .message = &m});
                        step(n, k, (struct cluster_event){.kind = CLUSTER_EV_COPY, .from = i, .link = 1});
                }
                if (n->save[i]) {
                        struct cluster_state state;
                        uint32_t serial;
                        n->save[i] = false;
                        cluster_state_to_save(n->brain[i], &state, &serial);
                        step(n, i, (struct cluster_event){.kind = CLUSTER_EV_SAVED, .serial = serial});
                }
                report_results(n, i);
                if (instant_reached(n->now, cluster_deadline(n->brain[i])))
                        step(n, i, (struct cluster_event){.kind = CLUSTER_EV_TIME});
        }
}

static void a_step_of_the_largest_cluster_is_quick(void **state)
{
        struct net *n = calloc(1, sizeof(*n));
        unsigned started = 0;
        char text[256];

        assert_non_null(n);
        net_init(n);
        for (int i = 0; i < 10000; i++) /* two virtual seconds: all that is to happen has happened */
                turn(n);
        assert_int_equal(cluster_leader(n->brain[0]), 0);
        for (uint8_t g = 0; g < GROUPS; g++)
                started += cluster_group(n->brain[0], g, n->now, text, sizeof(text)) == GROUP_STARTED;
        assert_int_equal(started, GROUPS);
        n->measuring = true;
        for (int i = 0; i < 5000; i++)
                turn(n);
        print_message(
                "16 nodes, 64 groups: %.1f us a step of the leader, %.0f steps a second, %zu kB of memory\n",
                (double)n->spent_ns / 1000 / (double)n->steps, (double)n->steps, cluster_size() / 1024);
        assert_true(n->spent_ns / (int64_t)n->steps < STEP_MOST_US * 1000);
        for (uint8_t i = 0; i < NODES; i++)
                free(n->brain[i]);
        free(n);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_step_of_the_largest_cluster_is_quick),
        };

        return cmocka_run_group_tests_name("speed", tests, NULL, NULL);
}
