/* A vote in a key that compares and swaps (cluster/register.h), as one node reads and writes it. */
#include "cluster/register.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define ALPHA 1
#define BETA  2

static const uint8_t document[] = "as it was decided";

/* The key in the store. */
struct key {
        int64_t revision;
        size_t n;
        uint8_t bytes[REGISTER_BYTES_MAX];
};

struct node {
        struct register_arbiter r;
        struct witness_answer a;
};

static instant at(int64_t ms)
{
        return (instant){1000000000 + ms * 1000};
}

static struct witness_question question(enum arbiter_ask ask, uint32_t from, uint32_t term)
{
        return (struct witness_question){.from = from,
                                         .incarnation = {.boot = 5, .core = 1},
                                         .ask = ask,
                                         .term = term,
                                         .election = span_ms(220),
                                         .dead = span_ms(500),
                                         .newest = {.term = 9, .n = 9}};
}

/* Reads, judges, and swaps where that comes of it. Whether it was written. */
static bool exchange(struct node *node, struct key *key, instant now, const struct witness_question *q)
{
        uint8_t bytes[REGISTER_BYTES_MAX];
        size_t n = 0;

        assert_true(register_observed(&node->r, now, key->revision, key->bytes, key->n));
        if (register_judge(&node->r, now, now, q, &node->a, bytes, &n) == REGISTER_ANSWER)
                return false;
        key->revision++;
        key->n = n;
        memcpy(key->bytes, bytes, n);
        register_swapped(&node->r, now, key->revision);
        return true;
}

/* From a leader that needs it not. */
static struct witness_question readmission(uint32_t term)
{
        struct witness_question q = question(ARBITER_RENEW, ALPHA, term);

        q.without = true;
        q.version = (struct version){.term = term, .n = 1};
        q.document = document;
        q.document_size = sizeof(document);
        return q;
}

/* A key that is not there is readmitted by who leads without it. */
static void make_key(struct node *node, struct key *key, int64_t ms, uint32_t term)
{
        struct witness_question q = readmission(term);

        exchange(node, key, at(ms), &q);
        assert_true(node->a.lost);
        assert_true(exchange(node, key, at(ms + 600), &q));
        assert_true(!node->a.lost && node->a.known == term);
}

static void one_vote_of_a_term_whoever_reads_the_key(void **state)
{
        static struct node alpha, beta;
        static struct key key;
        struct witness_question q = question(ARBITER_VOTE, ALPHA, 4);

        make_key(&alpha, &key, 0, 3);
        exchange(&beta, &key, at(700), &(struct witness_question){.from = BETA, .ask = ARBITER_WATCH});
        assert_true(exchange(&alpha, &key, at(5000), &q) && alpha.a.yes);
        q = question(ARBITER_VOTE, BETA, 4);
        assert_false(exchange(&beta, &key, at(9000), &q) || beta.a.yes);
        q.term = 5;
        assert_true(exchange(&beta, &key, at(9001), &q) && beta.a.yes);
}

/* Rule 6: a copy of the store is put back; a node was told more than stands there now. */
static void a_key_of_an_older_day_is_no_state(void **state)
{
        static struct node alpha, beta;
        static struct key key, copy;
        struct witness_question q = question(ARBITER_RENEW, ALPHA, 4);

        make_key(&alpha, &key, 0, 3);
        copy = key;
        assert_true(exchange(&alpha, &key, at(1000), &q) && alpha.a.yes);
        struct arbiter_memory told = {.term = alpha.a.known, .version = alpha.a.stored};
        assert_int_equal(told.term, 4);

        copy.revision = key.revision + 10;
        key = copy;
        q = readmission(4);
        q.told = told;
        assert_true(exchange(&alpha, &key, at(2000), &q)); /* marked, for those who were told less */
        assert_true(alpha.a.lost && alpha.a.older && !alpha.a.yes);
        q = question(ARBITER_VOTE, BETA, 4);
        assert_false(exchange(&beta, &key, at(2100), &q));
        assert_true(beta.a.lost && !beta.a.yes);

        q = readmission(6);
        assert_false(exchange(&alpha, &key, at(2400), &q)); /* `dead` is not over */
        assert_true(alpha.a.lost);
        assert_true(exchange(&alpha, &key, at(2600), &q));
        assert_true(!alpha.a.lost && alpha.a.yes && alpha.a.known == 6);
        q = question(ARBITER_VOTE, BETA, 6);
        exchange(&beta, &key, at(9000), &q);
        assert_true(!beta.a.lost && !beta.a.yes);
}

/* A backup of the store was put back and brought on: revision and length are what beta saw, the renewal is
 * another, and of now. Beta may not take it for the one that it saw long ago. */
static void a_renewal_after_a_backup_is_not_the_one_seen_before(void **state)
{
        static struct node alpha, beta;
        static struct key key, copy;
        const struct witness_question watch = question(ARBITER_WATCH, BETA, 0);
        struct witness_question q = question(ARBITER_RENEW, ALPHA, 3);

        make_key(&alpha, &key, 0, 3);
        copy = key;
        assert_true(exchange(&alpha, &key, at(1000), &q) && alpha.a.yes);
        exchange(&beta, &key, at(1001), &watch);
        int64_t revision = key.revision;

        key = copy;
        assert_true(exchange(&alpha, &key, at(9000), &q) && alpha.a.yes);
        assert_int_equal(key.revision, revision);
        q = question(ARBITER_VOTE, BETA, 4);
        assert_false(exchange(&beta, &key, at(9100), &q) || beta.a.yes);
        assert_true(exchange(&beta, &key, at(9500), &q) && beta.a.yes);
        assert_int_equal(beta.a.age.us, span_ms(400).us);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(one_vote_of_a_term_whoever_reads_the_key),
                cmocka_unit_test(a_key_of_an_older_day_is_no_state),
                cmocka_unit_test(a_renewal_after_a_backup_is_not_the_one_seen_before),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
