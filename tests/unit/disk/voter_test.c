/* Voters on a disk in memory: what the arbiter promises, and every order in which operations can meet. */
#include "disk/voter.h"

#include "../cluster/sample.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NODES 3
#define E     220000

struct sector {
        bool there;
        struct disk_record record;
        uint8_t document[DOCUMENT_BYTES_MAX];
};

static struct sector sectors[NODES][2];
static struct disk_voter voters[NODES];
static struct voter_operation operations[NODES];
static instant now;

static struct arbiter_question question(enum arbiter_ask ask, uint32_t term)
{
        return (struct arbiter_question){
                .ask = ask, .term = term, .election = span_us(E), .dead = span_ms(500)};
}

static int begin_all(void **state)
{
        memset(sectors, 0, sizeof(sectors));
        now = (instant){1000000};
        for (uint8_t i = 0; i < NODES; i++)
                disk_voter_init(&voters[i], i, NODES, (struct incarnation){.boot = 7u + i, .core = 1},
                                span_ms(100), now);
        return 0;
}

static void land(uint8_t node)
{
        const struct voter_operation *op = &operations[node];
        struct sector *s = &sectors[node][op->which];

        s->there = true;
        s->record = op->record;
        memcpy(s->document, op->record.document, op->record.document_n);
        s->record.document = s->document;
}

static void read_all(struct voter_result *r)
{
        for (uint8_t i = 0; i < NODES; i++) {
                const struct sector *s = sectors[i];
                unsigned newest = !s[0].there || (s[1].there && s[1].record.seq > s[0].record.seq);
                r->found[i].is = s[newest].there ? DISK_OK : DISK_BLANK;
                r->found[i].which = newest;
                r->found[i].record = s[newest].record;
        }
}

/* One whole operation of that node; what it answers, if anything. */
static bool operate(uint8_t node, struct arbiter_answer *answer, instant *asked)
{
        static struct voter_result r;

        if (!disk_voter_begin(&voters[node], now, &operations[node]))
                return false;
        r.wrote = operations[node].write;
        if (r.wrote)
                land(node);
        now.us += 1000;
        r.read = true;
        r.read_began = now;
        read_all(&r);
        now.us += 1000;
        r.read_ended = now;
        return disk_voter_done(&voters[node], &r, answer, asked);
}

static struct arbiter_answer ask(uint8_t node, struct arbiter_question q)
{
        struct arbiter_answer answer = {0};
        instant asked = INSTANT_LONG_AGO, began = now;

        if (!voters[node].ready)
                operate(node, &answer, &asked);
        disk_voter_ask(&voters[node], &q);
        assert_true(operate(node, &answer, &asked));
        assert_int_equal(answer.ask, q.ask);
        assert_true(instant_reached(asked, began));
        return answer;
}

static void one_candidate_of_a_term_wins(void **state)
{
        assert_true(ask(0, question(ARBITER_PREVOTE, 5)).yes);
        assert_true(ask(0, question(ARBITER_VOTE, 5)).yes);
        assert_false(ask(1, question(ARBITER_PREVOTE, 5)).yes);
        assert_false(ask(1, question(ARBITER_VOTE, 5)).yes);
        assert_int_equal(ask(1, question(ARBITER_WATCH, 1)).known, 5);
        assert_true(ask(0, question(ARBITER_VOTE, 5)).yes); /* its answer may have been lost */
        assert_true(ask(1, question(ARBITER_VOTE, 6)).yes);
        assert_false(ask(0, question(ARBITER_VOTE, 5)).yes);
}

/* What binds longer than D is waited for, and nobody is asked to lead beside it before. */
static void a_longer_promise_is_in_the_record(void **state)
{
        struct arbiter_question q = question(ARBITER_VOTE, 1);

        q.promise = span_s(3);
        assert_true(ask(0, q).yes);
        q.ask = ARBITER_RENEW;
        ask(1, question(ARBITER_WATCH, 0));
        assert_true(ask(0, q).yes);
        ask(1, question(ARBITER_WATCH, 0));
        now.us += span_s(3).us - q.dead.us - 100000;
        assert_false(ask(1, question(ARBITER_VOTE, 2)).yes);
        now.us += 200000;
        struct arbiter_answer a = ask(1, question(ARBITER_VOTE, 2));
        assert_true(a.yes);
        assert_in_range(a.left.us, q.dead.us - 250000, q.dead.us);
        now.us += span_s(5).us;
        a = ask(1, question(ARBITER_VOTE, 2));
        assert_true(a.yes && a.left.us <= 0);
}

static void a_vote_is_as_old_as_the_disk_was_seen_unchanged(void **state)
{
        ask(0, question(ARBITER_WATCH, 0));
        now.us += 300000;
        struct arbiter_answer a = ask(0, question(ARBITER_VOTE, 1));
        assert_true(a.yes);
        assert_in_range(a.age.us, 300000, 305000);
        ask(1, question(ARBITER_WATCH, 0));
        now.us += E + 1;
        ask(0, question(ARBITER_RENEW, 1)); /* lands after the last look of node 1 */
        now.us += 10;
        struct voter_operation op;
        disk_voter_wake(&voters[1], now);
        struct arbiter_question q = question(ARBITER_VOTE, 2);
        disk_voter_ask(&voters[1], &q);
        assert_true(disk_voter_begin(&voters[1], now, &op));
        assert_true(op.write); /* it has not seen the renewal */
        operations[1] = op;
        voters[1].busy = true;
        static struct voter_result r;
        land(1);
        r.wrote = r.read = true;
        r.read_began = now;
        read_all(&r);
        now.us += 1000;
        r.read_ended = now;
        instant asked;
        assert_true(disk_voter_done(&voters[1], &r, &a, &asked));
        assert_true(a.yes);
        assert_int_equal(a.age.us, 0); /* but now it has */
}

static void a_leader_that_renews_is_let_be(void **state)
{
        ask(1, question(ARBITER_WATCH, 0));
        assert_true(ask(0, question(ARBITER_RENEW, 3)).yes);
        assert_false(ask(1, question(ARBITER_PREVOTE, 4)).yes);
        assert_false(ask(1, question(ARBITER_VOTE, 4)).yes);
        assert_true(ask(0, question(ARBITER_RENEW, 3)).yes);
        ask(1, question(ARBITER_WATCH, 0));
        now.us += 2 * E;
        assert_true(ask(1, question(ARBITER_PREVOTE, 4)).yes);
        assert_true(ask(1, question(ARBITER_VOTE, 4)).yes);
        assert_false(ask(0, question(ARBITER_RENEW, 3)).yes);
}

static void a_renewal_counts_from_before_the_write_and_not_unread(void **state)
{
        struct arbiter_answer a;
        struct voter_result r = {0};
        struct arbiter_question q = question(ARBITER_RENEW, 3);
        instant asked, before;

        ask(0, question(ARBITER_WATCH, 0));
        disk_voter_ask(&voters[0], &q);
        before = now;
        assert_true(disk_voter_begin(&voters[0], now, &operations[0]));
        now.us += 200000; /* a slow write */
        land(0);
        ask(1, question(ARBITER_VOTE, 4)); /* another acts before we have read back */
        r.wrote = r.read = true;
        r.read_began = now;
        read_all(&r);
        r.read_ended = now;
        assert_true(disk_voter_done(&voters[0], &r, &a, &asked));
        assert_false(a.yes);
        assert_int_equal(a.known, 4);
        assert_int_equal(asked.us, before.us);
}

/* The cluster's key is being changed. */
static void what_a_key_that_goes_has_sealed_is_written_again_as_it_was(void **state)
{
        struct arbiter_answer a;
        instant asked;

        assert_true(ask(0, question(ARBITER_VOTE, 5)).yes);
        assert_true(ask(0, question(ARBITER_RENEW, 5)).yes);
        const struct sector before = sectors[0][1];
        for (int i = 0; i < 2; i++) {
                now.us += 100000;
                voters[0].reseal = true;              /* as the look before said */
                assert_false(operate(0, &a, &asked)); /* nobody asked: nothing is answered */
                assert_true(operations[0].write);
        }
        for (unsigned i = 0; i < 2; i++) {
                assert_true(sectors[0][i].record.seq > before.record.seq);
                assert_int_equal(sectors[0][i].record.term, 5);
                assert_int_equal(sectors[0][i].record.kind, DISK_RENEWAL);
        }
        now.us += 100000;
        operate(0, &a, &asked);
        assert_false(operations[0].write);
        /* another node cannot tell it from a renewal, and waits */
        assert_false(ask(1, question(ARBITER_VOTE, 5)).yes);
        assert_true(ask(0, question(ARBITER_RENEW, 5)).yes);
}

static void the_newest_document_is_kept_and_handed_over(void **state)
{
        static struct document d;
        struct arbiter_question q = question(ARBITER_RENEW, 3);

        sample_document(&d);
        d.version = (struct version){.term = 3, .author = 0, .n = 4};
        q.document = &d;
        struct arbiter_answer a = ask(0, q);
        assert_true(a.yes && version_equal(a.stored, d.version));
        now.us += 2 * E;
        ask(1, question(ARBITER_WATCH, 0));
        now.us += 2 * E;
        q = question(ARBITER_VOTE, 4);
        a = ask(1, q);
        assert_false(a.yes); /* it has an older one */
        assert_non_null(a.document);
        assert_true(sample_documents_equal(a.document, &d));
        q.newest = d.version;
        a = ask(1, q);
        assert_true(a.yes && !a.document);
        /* the record that is written over the one with the document still carries it */
        q = question(ARBITER_RENEW, 9);
        q.newest = d.version;
        assert_true(version_equal(ask(0, q).stored, d.version));
        assert_true(version_equal(operations[0].record.version, d.version));
        assert_true(operations[0].record.document_n > 0);
}

static void a_new_life_goes_on_from_its_own_record(void **state)
{
        struct arbiter_answer a = {0};
        instant asked;

        ask(0, question(ARBITER_VOTE, 5));
        ask(0, question(ARBITER_RENEW, 5));
        disk_voter_init(&voters[0], 0, NODES, (struct incarnation){.boot = 99, .core = 1}, span_ms(100), now);
        struct arbiter_question q = question(ARBITER_RENEW, 4);
        disk_voter_ask(&voters[0], &q);
        assert_false(operate(0, &a, &asked)); /* reads first */
        assert_true(operate(0, &a, &asked));
        assert_false(a.yes);
        assert_int_equal(a.known, 5);
        assert_true(ask(0, question(ARBITER_VOTE, 6)).yes);
        assert_int_equal(operations[0].record.seq, 3);
        assert_int_equal(operations[0].which, 0); /* over the older of the two */
}

static void nothing_is_concluded_from_a_failure(void **state)
{
        struct voter_result r = {.wrote = true};
        struct arbiter_answer a;
        struct arbiter_question q = question(ARBITER_RENEW, 3);
        instant asked;

        ask(0, question(ARBITER_WATCH, 0));
        /* the write fails: what is there is unknown, the next one goes to the same place */
        disk_voter_ask(&voters[0], &q);
        assert_true(disk_voter_begin(&voters[0], now, &operations[0]));
        unsigned which = operations[0].which;
        r.wrote = false;
        r.read = true;
        read_all(&r);
        assert_false(disk_voter_done(&voters[0], &r, &a, &asked));
        assert_true(ask(0, q).yes);
        assert_int_equal(operations[0].which, which);
        /* a record that cannot be read may hide a ballot */
        disk_voter_ask(&voters[0], &q);
        assert_true(disk_voter_begin(&voters[0], now, &operations[0]));
        land(0);
        r.wrote = true;
        read_all(&r);
        r.found[1].is = DISK_TORN;
        assert_false(disk_voter_done(&voters[0], &r, &a, &asked));
        assert_false(voters[0].usable);
}

static void a_clone_is_found_out(void **state)
{
        struct arbiter_answer a;
        struct arbiter_question q = question(ARBITER_WATCH, 3);
        instant asked;

        ask(0, question(ARBITER_VOTE, 3));
        sectors[0][1].there = true;
        sectors[0][1].record = sectors[0][0].record;
        sectors[0][1].record.seq = 77;
        disk_voter_ask(&voters[0], &q);
        assert_false(operate(0, &a, &asked));
        assert_false(voters[0].usable);
}

/* --- every order --- */

enum stage { IDLE, WRITING, READING };

struct lease {
        uint32_t term;
        instant asked;
};

static uint32_t winner[64]; /* by term: node + 1 */
static struct lease leases[100000];
static size_t lease_count;

static void check_answer(uint8_t node, const struct arbiter_answer *a, instant asked, instant read_began)
{
        if (a->ask == ARBITER_RENEW && a->yes) {
                assert_true(lease_count < sizeof(leases) / sizeof(leases[0]));
                leases[lease_count++] = (struct lease){a->term, asked};
        }
        if (a->ask != ARBITER_VOTE || !a->yes)
                return;
        assert_true(winner[a->term] == 0 || winner[a->term] == node + 1u);
        winner[a->term] = node + 1u;
        /* no lease of a lower term was asked for since the age of the vote began */
        for (size_t i = 0; i < lease_count; i++)
                if (leases[i].term < a->term)
                        assert_true(leases[i].asked.us <= read_began.us - a->age.us);
}

/* Writes land at any moment between their begin and their end, seen or not by those who read meanwhile. */
static void promises_hold_in_every_order(void **state)
{
        static struct voter_result r[NODES];
        uint64_t seed = 42;
        unsigned votes = 0, renewals = 0;

        for (unsigned round = 0; round < 300; round++) {
                enum stage stage[NODES] = {IDLE};
                bool landed[NODES] = {false};
                uint32_t term = 1;

                begin_all(state);
                memset(winner, 0, sizeof(winner));
                lease_count = 0;
                for (unsigned step = 0; step < 1200 && term < 60; step++) {
                        uint8_t i = (uint8_t)(sample_number(&seed) % NODES);
                        struct arbiter_answer a;
                        instant asked;

                        now.us += (int64_t)(sample_number(&seed) % (step % 50 == 0 ? 400000 : 9000));
                        switch (stage[i]) {
                        case IDLE:
                                term += sample_number(&seed) % 40 == 0;
                                struct arbiter_question q = question(
                                        sample_number(&seed) % 3 ? ARBITER_RENEW : ARBITER_VOTE,
                                        term - (uint32_t)(sample_number(&seed) % 3 == 0 && term > 1));
                                /* as the brain does: it renews only terms that it won */
                                if (q.ask == ARBITER_RENEW && winner[q.term] != i + 1u)
                                        q.ask = ARBITER_WATCH;
                                if (q.ask == ARBITER_VOTE && winner[q.term])
                                        q.term = ++term;
                                disk_voter_ask(&voters[i], &q);
                                if (!disk_voter_begin(&voters[i], now, &operations[i]))
                                        break;
                                stage[i] = WRITING;
                                landed[i] = !operations[i].write;
                                break;
                        case WRITING:
                                if (!landed[i])
                                        land(i);
                                if (landed[i] || sample_number(&seed) % 2) {
                                        r[i].wrote = operations[i].write;
                                        r[i].read_began = now;
                                        stage[i] = READING;
                                }
                                landed[i] = true;
                                break;
                        case READING:
                                read_all(&r[i]);
                                r[i].read = true;
                                r[i].read_ended = now;
                                stage[i] = IDLE;
                                if (!disk_voter_done(&voters[i], &r[i], &a, &asked))
                                        break;
                                votes += a.ask == ARBITER_VOTE && a.yes;
                                renewals += a.ask == ARBITER_RENEW && a.yes;
                                check_answer(i, &a, asked, r[i].read_began);
                                break;
                        }
                }
        }
        assert_true(votes > 1000 && renewals > 1000); /* it was not silence that kept the promises */
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(one_candidate_of_a_term_wins, begin_all),
                cmocka_unit_test_setup(a_longer_promise_is_in_the_record, begin_all),
                cmocka_unit_test_setup(a_vote_is_as_old_as_the_disk_was_seen_unchanged, begin_all),
                cmocka_unit_test_setup(a_leader_that_renews_is_let_be, begin_all),
                cmocka_unit_test_setup(a_renewal_counts_from_before_the_write_and_not_unread, begin_all),
                cmocka_unit_test_setup(what_a_key_that_goes_has_sealed_is_written_again_as_it_was, begin_all),
                cmocka_unit_test_setup(the_newest_document_is_kept_and_handed_over, begin_all),
                cmocka_unit_test_setup(a_new_life_goes_on_from_its_own_record, begin_all),
                cmocka_unit_test_setup(nothing_is_concluded_from_a_failure, begin_all),
                cmocka_unit_test_setup(a_clone_is_found_out, begin_all),
                cmocka_unit_test(promises_hold_in_every_order),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
