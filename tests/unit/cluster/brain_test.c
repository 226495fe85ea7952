/* One brain alone, spoken to by hand: what a single message may and may not do. The simulator holds the
 * whole against the truth; here each rule is seen by itself. */
#include "cluster/cluster.h"

#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ALPHA, BETA, GAMMA };

struct bench {
        struct cluster *c; /* alpha */
        struct cluster_settings settings;
        struct todo todo;
        instant now;
        struct incarnation peer[3]; /* who beta and gamma are */
        uint32_t seq[3];            /* the newest they sent, */
        uint32_t heard[3];          /* and the newest of ours that they heard */
        struct message said;        /* the newest of ours */
};

static const struct incarnation self = {.boot = 7, .core = 1};

static struct bench *bench_new(uint8_t nodes)
{
        struct bench *b = calloc(1, sizeof(*b));
        static const char *const names[] = {"alpha", "beta", "gamma"};

        assert_non_null(b);
        b->c = malloc(cluster_size());
        assert_non_null(b->c);
        b->now = (instant){50000000};
        b->settings = (struct cluster_settings){
                .self = ALPHA,
                .node_count = nodes,
                .link_count = 1,
                .timing = timing_derive(span_ms(100), span_ms(500)),
                .warn = span_ms(300),
                .members = 1,
                .arbiter = CLUSTER_ARBITER_ABSENT,
                .group_count = 1,
                .group[0] = {.name = "web", .node_count = nodes, .node = {ALPHA, BETA, GAMMA}},
        };
        b->settings.group[0].id = text_id("web");
        for (uint8_t i = 0; i < nodes; i++) {
                text_copy(b->settings.node_name[i], CLUSTER_NAME, names[i]);
                b->peer[i] = (struct incarnation){.boot = 1000, .core = 1};
        }
        struct cluster_start start = {
                .incarnation = self,
                .state_valid = true,
                .state = {.voted_for = NODE_NONE},
                .first_core = true,
                .promise = {.last_answer = b->now},
                .now = b->now,
        };
        start.state.document.members = 1;
        cluster_init(b->c, &b->settings, &start, &b->todo);
        return b;
}

static void bench_free(struct bench *b)
{
        free(b->c);
        free(b);
}

static void step(struct bench *b, struct cluster_event ev)
{
        ev.now = b->now;
        cluster_step(b->c, &ev, &b->todo);
}

static void pass(struct bench *b, span length)
{
        b->now = instant_add(b->now, length);
        step(b, (struct cluster_event){.kind = CLUSTER_EV_TIME});
}

static const struct message *say(struct bench *b, uint8_t to)
{
        cluster_speak(b->c, b->now, to, &b->said);
        b->heard[to] = b->said.seq;
        return &b->said;
}

static void saved(struct bench *b)
{
        struct cluster_state state;
        uint32_t serial;

        cluster_state_to_save(b->c, &state, &serial);
        step(b, (struct cluster_event){.kind = CLUSTER_EV_SAVED, .serial = serial});
}

/* What a healthy peer says, to be changed by each test. */
static struct message *message_from(struct bench *b, uint8_t from)
{
        static struct message m;

        memset(&m, 0, sizeof(m));
        m.from = from;
        m.to = ALPHA;
        m.incarnation = b->peer[from];
        m.seq = ++b->seq[from];
        m.members = 1;
        m.hears = 1;
        m.term = cluster_term(b->c);
        m.leader = NODE_NONE;
        m.echo = (struct echo){.of = self, .seq = b->heard[from]};
        m.hold_count = 1;
        m.hold[0].group = text_id("web");
        return &m;
}

static void hear(struct bench *b, const struct message *m)
{
        step(b, (struct cluster_event){.kind = CLUSTER_EV_MESSAGE, .message = m});
}

static void meet(struct bench *b, uint8_t node)
{
        say(b, node);
        hear(b, message_from(b, node));
}

static enum node_state seen(const struct bench *b, uint8_t node)
{
        char text[256];

        return cluster_node(b->c, node, b->now, text, sizeof(text));
}

static void reply(struct bench *b, uint8_t from, enum ballot_kind kind)
{
        struct message *m = message_from(b, from);

        m->ballot = (struct ballot){.kind = kind,
                                    .term = cluster_term(b->c) + (kind == BALLOT_PREVOTE),
                                    .reply = true,
                                    .granted = true,
                                    .age = span_s(1)};
        hear(b, m);
}

static void elect_alpha(struct bench *b)
{
        meet(b, BETA);
        pass(b, span_ms(230));
        say(b, BETA);
        assert_int_equal(b->said.ballot.kind, BALLOT_PREVOTE);
        reply(b, BETA, BALLOT_PREVOTE);
        say(b, BETA);
        assert_int_equal(b->said.ballot.kind, BALLOT_VOTE);
        reply(b, BETA, BALLOT_VOTE);
        assert_int_not_equal(cluster_leader(b->c), ALPHA); /* its own vote is not on disk yet */
        saved(b);
        assert_int_equal(cluster_leader(b->c), ALPHA);
}

/* --- who is heard --- */

static void a_message_without_proof_makes_nobody_present(void **state)
{
        struct bench *b = bench_new(3);
        struct message *m = message_from(b, BETA);

        hear(b, m); /* it has heard nothing of ours */
        assert_int_equal(seen(b, BETA), NODE_OFFLINE);
        assert_true(b->todo.speak_to & 1U << BETA); /* so that it can */
        meet(b, BETA);
        assert_int_equal(seen(b, BETA), NODE_ONLINE);
        bench_free(b);
}

static void an_echo_of_our_former_core_proves_nothing(void **state)
{
        struct bench *b = bench_new(3);

        say(b, BETA);
        struct message *m = message_from(b, BETA);
        m->echo.of.core = 0;
        hear(b, m);
        assert_int_equal(seen(b, BETA), NODE_OFFLINE);
        bench_free(b);
}

static void a_message_of_a_former_boot_is_ignored(void **state)
{
        struct bench *b = bench_new(3);

        b->peer[BETA].boot = 1001;
        meet(b, BETA);
        struct message *m = message_from(b, BETA);
        m->incarnation.boot = 1000;
        m->seq += 100;
        m->term = 9;
        m->leads = true;
        hear(b, m);
        assert_int_equal(cluster_term(b->c), 0);
        assert_int_equal(cluster_leader(b->c), NODE_NONE);
        assert_int_equal(cluster_incarnation(b->c, BETA).boot, 1001);
        bench_free(b);
}

static void a_replayed_message_is_ignored(void **state)
{
        struct bench *b = bench_new(3);

        meet(b, BETA);
        struct message *m = message_from(b, BETA);
        m->seq = b->seq[BETA] - 1;
        m->term = 9;
        hear(b, m);
        assert_int_equal(cluster_term(b->c), 0);
        bench_free(b);
}

static void of_another_membership_nothing_counts(void **state)
{
        struct bench *b = bench_new(3);

        say(b, BETA);
        struct message *m = message_from(b, BETA);
        m->members = 2;
        m->term = 9;
        m->leads = true;
        hear(b, m);
        assert_int_equal(cluster_term(b->c), 0);
        assert_int_equal(cluster_leader(b->c), NODE_NONE);
        bench_free(b);
}

/* --- votes --- */

static void a_vote_is_said_only_once_it_is_on_disk(void **state)
{
        struct bench *b = bench_new(3);

        meet(b, BETA);
        struct message *m = message_from(b, BETA);
        m->term = 1;
        m->ballot = (struct ballot){.kind = BALLOT_VOTE, .term = 1};
        hear(b, m);
        assert_true(b->todo.save);
        assert_false(say(b, BETA)->ballot.reply);
        b->now = instant_add(b->now, span_ms(30));
        saved(b);
        assert_true(b->todo.speak_to & 1U << BETA);
        say(b, BETA);
        assert_true(b->said.ballot.reply && b->said.ballot.granted);
        assert_int_equal(b->said.ballot.term, 1);
        assert_int_equal(b->said.ballot.age.us, 30000); /* since its start: it may have promised before */
        bench_free(b);
}

static void one_vote_a_term(void **state)
{
        struct bench *b = bench_new(3);

        for (int from = BETA; from <= GAMMA; from++) {
                meet(b, from);
                struct message *m = message_from(b, from);
                m->term = 1;
                m->ballot = (struct ballot){.kind = BALLOT_VOTE, .term = 1};
                hear(b, m);
                saved(b);
        }
        assert_true(say(b, BETA)->ballot.reply);
        assert_false(say(b, GAMMA)->ballot.reply);
        bench_free(b);
}

/* Rule 2: who led has promised by leading, up to the moment it stepped down. */
static void a_leader_that_stepped_down_vouches_for_nothing(void **state)
{
        struct bench *b = bench_new(3);

        elect_alpha(b);
        b->now = instant_add(b->now, span_ms(450));
        meet(b, BETA);
        struct message *m = message_from(b, BETA);
        m->term = cluster_term(b->c) + 1;
        m->newest = cluster_document(b->c)->version;
        m->ballot = (struct ballot){.kind = BALLOT_VOTE, .term = m->term};
        hear(b, m);
        saved(b);
        say(b, BETA);
        assert_true(b->said.ballot.reply && b->said.ballot.granted);
        assert_int_equal(b->said.ballot.age.us, 0);
        bench_free(b);
}

/* --- leases --- */

static void only_answers_of_this_term_give_a_lease(void **state)
{
        struct bench *b = bench_new(3);

        elect_alpha(b);
        uint32_t before = b->heard[BETA]; /* sent as a candidate */
        say(b, BETA);
        assert_true(b->said.leads && !b->said.grant.present);

        struct message *m = message_from(b, BETA);
        hear(b, m); /* an echo is no answer */
        assert_false(cluster_has_lease(b->c, b->now));
        m = message_from(b, BETA);
        m->answer = (struct answer){.present = true, .term = cluster_term(b->c) - 1, .seq = b->heard[BETA]};
        hear(b, m);
        assert_false(cluster_has_lease(b->c, b->now));
        m = message_from(b, BETA);
        m->answer = (struct answer){.present = true, .term = cluster_term(b->c), .seq = before};
        hear(b, m);
        assert_false(cluster_has_lease(b->c, b->now));
        m = message_from(b, BETA);
        m->invalid_voter = true;
        m->answer = (struct answer){.present = true, .term = cluster_term(b->c), .seq = b->heard[BETA]};
        hear(b, m);
        assert_false(cluster_has_lease(b->c, b->now));
        m = message_from(b, BETA);
        m->answer = (struct answer){.present = true, .term = cluster_term(b->c), .seq = b->heard[BETA]};
        hear(b, m);
        assert_true(cluster_has_lease(b->c, b->now));
        bench_free(b);
}

static void a_leader_s_lease_counts_from_what_was_answered(void **state)
{
        struct bench *b = bench_new(3);

        elect_alpha(b);
        instant asked = b->now;
        say(b, BETA);
        b->now = instant_add(b->now, span_ms(150));
        struct message *m = message_from(b, BETA);
        m->answer = (struct answer){.present = true, .term = cluster_term(b->c), .seq = b->heard[BETA]};
        hear(b, m);
        assert_int_equal(cluster_promise(b->c)->lease_end.us,
                         instant_add(asked, b->settings.timing.lease).us);
        /* and what it grants then is what is left of it (rule 9) */
        say(b, BETA);
        assert_true(b->said.grant.present);
        assert_int_equal(b->said.grant.length.us, b->settings.timing.lease.us - 150000);
        bench_free(b);
}

static void hear_grant(struct bench *b, uint32_t seq, span length, struct version version)
{
        struct message *m = message_from(b, BETA);

        m->leads = true;
        m->term = 1;
        m->leader = BETA;
        m->grant = (struct grant){.present = true, .seq = seq, .length = length, .version = version};
        hear(b, m);
}

static void a_grant_counts_from_what_it_answers_and_no_longer_than_a_lease(void **state)
{
        struct bench *b = bench_new(3);

        meet(b, BETA);
        instant asked = b->now;
        uint32_t seq = say(b, BETA)->seq;
        b->now = instant_add(b->now, span_ms(20));
        hear_grant(b, seq, span_ms(300), (struct version){0});
        assert_int_equal(cluster_promise(b->c)->lease_end.us, instant_add(asked, span_ms(300)).us);
        hear_grant(b, seq, span_s(30), (struct version){0});
        assert_int_equal(cluster_promise(b->c)->lease_end.us,
                         instant_add(asked, b->settings.timing.lease).us);
        bench_free(b);
}

static void a_grant_under_a_document_we_do_not_have_is_not_applied(void **state)
{
        struct bench *b = bench_new(3);

        meet(b, BETA);
        uint32_t seq = say(b, BETA)->seq;
        instant before = cluster_promise(b->c)->lease_end;
        hear_grant(b, seq, span_ms(300), (struct version){.term = 1, .author = BETA, .n = 1});
        assert_int_equal(cluster_promise(b->c)->lease_end.us, before.us);
        bench_free(b);
}

static void a_grant_for_what_we_never_sent_is_not_applied(void **state)
{
        struct bench *b = bench_new(3);

        meet(b, BETA);
        instant before = cluster_promise(b->c)->lease_end;
        hear_grant(b, b->heard[BETA] + 40, span_ms(300), (struct version){0});
        assert_int_equal(cluster_promise(b->c)->lease_end.us, before.us);
        bench_free(b);
}

static void answer(struct bench *b, uint8_t from)
{
        struct message *m = message_from(b, from);

        m->newest = m->committed = cluster_document(b->c)->version;
        m->answer = (struct answer){.present = true, .term = cluster_term(b->c), .seq = b->heard[from]};
        hear(b, m);
        saved(b);
}

/* What a leader sends to a node that fell silent gives it nothing: it is replaced in its time. */
static void beats_to_the_silent_prolong_nothing(void **state)
{
        struct bench *b = bench_new(3);
        const struct assignment *web = &cluster_document(b->c)->group[0];

        b->settings.group[0].node_count = 2;
        b->settings.group[0].node[0] = GAMMA;
        b->settings.group[0].node[1] = BETA;
        meet(b, GAMMA);
        elect_alpha(b);
        for (int i = 0; i < 8; i++) {
                pass(b, span_ms(100));
                for (int node = BETA; node <= GAMMA; node++) {
                        say(b, node);
                        answer(b, node);
                        say(b, node); /* what it is granted */
                }
        }
        assert_int_equal(web->owner, GAMMA);
        for (int i = 0; i < 4; i++) {
                pass(b, span_ms(100));
                say(b, GAMMA); /* in vain */
                say(b, BETA);
                answer(b, BETA);
        }
        assert_int_equal(web->owner, GAMMA); /* its lease may last until now */
        for (int i = 0; i < 2; i++) {
                pass(b, span_ms(100));
                say(b, GAMMA);
                say(b, BETA);
                answer(b, BETA);
        }
        assert_int_equal(web->owner, BETA);
        bench_free(b);
}

static void hear_that_beta_leads_and_owns(struct bench *b)
{
        struct message *m;

        meet(b, BETA);
        say(b, BETA);
        m = message_from(b, BETA);
        m->leads = m->has_document = true;
        m->term = 1;
        m->leader = BETA;
        m->document = (struct document){.version = {.term = 1, .author = BETA, .n = 1},
                                        .members = 1,
                                        .member_count = 2,
                                        .group_count = 1,
                                        .group[0] = {.group = text_id("web"),
                                                     .owner = BETA,
                                                     .owner_boot = b->peer[BETA].boot,
                                                     .epoch = {.term = 1, .n = 1},
                                                     .from = NODE_NONE,
                                                     .wanted = NODE_NONE}};
        m->newest = m->document.version;
        hear(b, m);
}

/* A follower has to be elected before it may take: what it would take is asked about as early as a campaign
 * may begin, so that the answer is there in time; once in each silence. */
static void a_follower_asks_about_its_silent_leader_s_address_in_time(void **state)
{
        struct bench *b = bench_new(2);
        int asked = 0;

        b->settings.arbiter = CLUSTER_ARBITER_WEAK;
        step(b, (struct cluster_event){.kind = CLUSTER_EV_STOPPED}); /* what an earlier boot may have left */
        hear_that_beta_leads_and_owns(b);
        instant silent = b->now;
        while (span_between(silent, b->now).us < b->settings.timing.dead.us) {
                bool due = span_between(silent, b->now).us >= b->settings.timing.election.us;
                for (uint8_t i = 0; i < b->todo.action_count; i++)
                        asked += b->todo.action[i].kind == ACTION_ASK;
                assert_int_equal(asked, due);
                if (b->todo.speak_to)
                        say(b, BETA);
                if (b->todo.save)
                        saved(b);
                b->now = cluster_deadline(b->c);
                step(b, (struct cluster_event){.kind = CLUSTER_EV_TIME});
        }
        bench_free(b);
}

/* Two files that differ: the leader's gives it to one node, ours would run it everywhere. */
static void what_has_an_owner_is_not_run_everywhere(void **state)
{
        struct bench *b = bench_new(2);

        b->settings.group[0].everywhere = true;
        step(b, (struct cluster_event){.kind = CLUSTER_EV_STOPPED});
        hear_that_beta_leads_and_owns(b);
        for (int i = 0; i < 20; i++) {
                pass(b, span_ms(10));
                assert_int_equal(b->todo.action_count, 0);
        }
        assert_false(cluster_holds(b->c, text_id("web")));
        bench_free(b);
}

/* Of a new pair each node has but its file to say who votes: with the arbiter's vote, two files that differ
 * would found two clusters. */
static void a_strong_arbiter_founds_no_cluster(void **state)
{
        struct bench *b = bench_new(2);

        b->settings.arbiter = CLUSTER_ARBITER_STRONG;
        step(b, (struct cluster_event){.kind = CLUSTER_EV_STOPPED});
        int asked = 0;
        for (int i = 0; i < 200; i++) {
                struct arbiter_question q = b->todo.question;
                if (b->todo.save)
                        saved(b);
                if (q.ask != ARBITER_NOTHING) {
                        struct arbiter_answer yes = {
                                .ask = q.ask, .term = q.term, .yes = true, .age = SPAN_FOREVER};
                        step(b, (struct cluster_event){
                                        .kind = CLUSTER_EV_ARBITER, .asked = b->now, .arbiter = &yes});
                        asked++;
                } else {
                        pass(b, span_ms(10));
                }
                assert_int_not_equal(cluster_leader(b->c), ALPHA);
        }
        assert_true(asked > 0);
        bench_free(b);
}

/* --- one node --- */

static void a_node_alone_leads_and_runs_everything(void **state)
{
        struct bench *b = bench_new(1);

        /* what an earlier boot may have left is stopped before anything is given */
        assert_int_equal(b->todo.action_count, 1);
        assert_int_equal(b->todo.action[0].kind, ACTION_STOP);
        step(b, (struct cluster_event){.kind = CLUSTER_EV_STOPPED});
        for (int i = 0; i < 10 && !cluster_holds(b->c, text_id("web")); i++) {
                b->now = cluster_deadline(b->c);
                step(b, (struct cluster_event){.kind = CLUSTER_EV_TIME});
                while (b->todo.save && b->todo.action_count == 0)
                        saved(b);
        }
        assert_int_equal(cluster_leader(b->c), ALPHA);
        assert_true(cluster_has_lease(b->c, b->now));
        assert_int_equal(b->todo.action_count, 1);
        assert_int_equal(b->todo.action[0].kind, ACTION_START);
        assert_true(b->todo.action[0].probe);
        step(b, (struct cluster_event){.kind = CLUSTER_EV_STARTED, .epoch = b->todo.action[0].epoch});
        for (int i = 0; i < 100; i++) { /* and goes on doing so */
                b->now = cluster_deadline(b->c);
                step(b, (struct cluster_event){.kind = CLUSTER_EV_TIME});
                assert_int_equal(b->todo.action_count, 0);
        }
        assert_true(cluster_holds(b->c, text_id("web")));
        assert_true(cluster_has_lease(b->c, b->now));
        bench_free(b);
}

/* Time passes; what is to be started starts, what is to be stopped stops, what is to be saved is. */
static void serve(struct bench *b, int turns, unsigned starts[static 2], struct epoch newest[static 2])
{
        for (int i = 0; i < turns; i++) {
                for (bool save = b->todo.save; save || b->todo.action_count; save |= b->todo.save) {
                        const struct cluster_action a = b->todo.action[0];
                        bool start = a.kind == ACTION_START;
                        if (b->todo.action_count == 0) {
                                saved(b);
                                save = false;
                                continue;
                        }
                        starts[a.group] += start;
                        newest[a.group] = a.epoch;
                        step(b,
                             (struct cluster_event){.kind = start ? CLUSTER_EV_STARTED : CLUSTER_EV_STOPPED,
                                                    .group = a.group,
                                                    .epoch = a.epoch});
                }
                b->now = cluster_deadline(b->c);
                step(b, (struct cluster_event){.kind = CLUSTER_EV_TIME});
        }
}

/* Whoever comes after it stays, so it cannot be waited for. */
static void what_broke_and_runs_everywhere_is_stopped_beside_who_comes_after_it(void **state)
{
        struct bench *b = bench_new(1);
        struct cluster_settings settings = b->settings;
        unsigned starts[2] = {0};
        struct epoch epoch[2] = {0};

        step(b, (struct cluster_event){.kind = CLUSTER_EV_STOPPED});
        settings.group[0].everywhere = true;
        settings.group[1] = (struct cluster_group){.name = "app", .node_count = 1, .after = 1};
        settings.group[1].id = text_id("app");
        settings.group_count = 2;
        assert_int_equal(cluster_reconfigure(b->c, &settings), 0);
        serve(b, 30, starts, epoch);
        assert_int_equal(starts[0], 1);
        assert_int_equal(starts[1], 1);
        step(b, (struct cluster_event){.kind = CLUSTER_EV_FAILED, .epoch = epoch[0]});
        serve(b, 20, starts, epoch);
        assert_false(cluster_holds(b->c, text_id("web")));
        assert_true(cluster_holds(b->c, text_id("app")));
        step(b, (struct cluster_event){.kind = CLUSTER_EV_ORDER,
                                       .order = {.kind = ORDER_CLEAR, .id = 1, .group = text_id("web")}});
        serve(b, 20, starts, epoch);
        assert_int_equal(starts[0], 2);
        assert_int_equal(starts[1], 1);
        bench_free(b);
}

static void an_explanation_parts_the_state_from_its_reason(void **state)
{
        struct bench *b = bench_new(3);
        char text[1024];

        cluster_explain(b->c, 0, b->now, text, sizeof(text));
        assert_non_null(strstr(text, "group web: stopped, no leader has placed it yet\n"));
        bench_free(b);
}

static void a_core_goes_on_from_the_ledger_s_term_and_saves_it(void **state)
{
        (void)state;
        struct bench *b = bench_new(3);
        struct cluster_start next = {
                .incarnation = {.boot = self.boot, .core = self.core + 1},
                .state_valid = true,
                .state = {.term = 3, .voted_for = BETA},
                .promise = {.term = 9, .last_answer = b->now},
                .now = b->now,
        };
        struct cluster_state kept;
        uint32_t serial;

        next.state.document.members = 1;
        cluster_init(b->c, &b->settings, &next, &b->todo);
        assert_int_equal(cluster_term(b->c), 9);
        assert_true(b->todo.save);
        cluster_state_to_save(b->c, &kept, &serial);
        assert_int_equal(kept.term, 9);
        assert_int_equal(kept.voted_for, NODE_NONE);

        next.promise.term = 2; /* the disk knows better */
        cluster_init(b->c, &b->settings, &next, &b->todo);
        cluster_state_to_save(b->c, &kept, &serial);
        assert_int_equal(kept.term, 3);
        assert_int_equal(kept.voted_for, BETA);
        bench_free(b);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(an_explanation_parts_the_state_from_its_reason),
                cmocka_unit_test(a_message_without_proof_makes_nobody_present),
                cmocka_unit_test(an_echo_of_our_former_core_proves_nothing),
                cmocka_unit_test(a_message_of_a_former_boot_is_ignored),
                cmocka_unit_test(a_replayed_message_is_ignored),
                cmocka_unit_test(of_another_membership_nothing_counts),
                cmocka_unit_test(a_vote_is_said_only_once_it_is_on_disk),
                cmocka_unit_test(one_vote_a_term),
                cmocka_unit_test(a_leader_that_stepped_down_vouches_for_nothing),
                cmocka_unit_test(only_answers_of_this_term_give_a_lease),
                cmocka_unit_test(a_leader_s_lease_counts_from_what_was_answered),
                cmocka_unit_test(a_grant_counts_from_what_it_answers_and_no_longer_than_a_lease),
                cmocka_unit_test(a_grant_under_a_document_we_do_not_have_is_not_applied),
                cmocka_unit_test(a_grant_for_what_we_never_sent_is_not_applied),
                cmocka_unit_test(beats_to_the_silent_prolong_nothing),
                cmocka_unit_test(what_has_an_owner_is_not_run_everywhere),
                cmocka_unit_test(a_strong_arbiter_founds_no_cluster),
                cmocka_unit_test(a_follower_asks_about_its_silent_leader_s_address_in_time),
                cmocka_unit_test(a_core_goes_on_from_the_ledger_s_term_and_saves_it),
                cmocka_unit_test(a_node_alone_leads_and_runs_everything),
                cmocka_unit_test(what_broke_and_runs_everywhere_is_stopped_beside_who_comes_after_it),
        };

        return cmocka_run_group_tests_name("brain", tests, NULL, NULL);
}
