/* Questions to a witness and its answers: what is written is read, what is cut or wrong is refused by name.
 */
#include "heartbeat/inquiry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t document[] = {1, 2, 3, 4, 5};

static const struct witness_question asked = {.from = 0x11223344,
                                              .incarnation = {.boot = 5, .core = 6},
                                              .seq = 7,
                                              .life = 0x8899aabbccddeeff,
                                              .ask = ARBITER_RENEW,
                                              .term = 9,
                                              .newest = {.term = 8, .author = 1, .n = 3},
                                              .without = true,
                                              .election = {220000},
                                              .dead = {500000},
                                              .told = {.term = 8, .version = {.term = 7, .n = 2}},
                                              .version = {.term = 9, .author = 1, .n = 4},
                                              .document_size = sizeof(document),
                                              .document = document};

static const struct witness_answer answered = {.to = 0x11223344,
                                               .incarnation = {.boot = 5, .core = 6},
                                               .seq = 7,
                                               .ask = ARBITER_VOTE,
                                               .term = 9,
                                               .life = 3,
                                               .yes = true,
                                               .older = true,
                                               .known = 9,
                                               .age = {123456},
                                               .stored = {.term = 9, .author = 1, .n = 4},
                                               .document_size = sizeof(document),
                                               .document = document};

static void a_question_is_read_as_it_was_written(void **state)
{
        uint8_t body[256], again[256];
        struct witness_question q;
        int n = question_encode(&asked, body, sizeof(body));

        assert_true(n > 0);
        assert_int_equal(question_decode(body, (size_t)n, &q), PACKET_ACCEPTED);
        assert_int_equal(question_encode(&q, again, sizeof(again)), n);
        assert_memory_equal(body, again, (size_t)n);
        assert_true(q.told.term == 8 && q.told.version.term == 7 && q.told.version.n == 2);
        assert_true(q.without && q.dead.us == 500000 && q.version.n == 4 &&
                    q.document_size == sizeof(document));
        for (int cut = 0; cut < n; cut++)
                if (question_decode(body, (size_t)cut, &q) == PACKET_ACCEPTED)
                        assert_int_equal(q.document_size,
                                         0); /* just before a field: a question without those that follow */
}

static void an_answer_is_read_as_it_was_written(void **state)
{
        uint8_t body[256], again[256];
        struct witness_answer a;
        int n = answer_encode(&answered, body, sizeof(body));

        assert_true(n > 0);
        assert_int_equal(answer_decode(body, (size_t)n, &a), PACKET_ACCEPTED);
        assert_int_equal(answer_encode(&a, again, sizeof(again)), n);
        assert_memory_equal(body, again, (size_t)n);
        assert_true(a.yes && !a.lost && a.older && !a.again && a.age.us == 123456 &&
                    a.document_size == sizeof(document));
}

static void neither_passes_for_the_other(void **state)
{
        uint8_t body[256];
        struct witness_question q;
        struct witness_answer a;
        int n = question_encode(&asked, body, sizeof(body));

        assert_int_not_equal(answer_decode(body, (size_t)n, &a), PACKET_ACCEPTED);
        n = answer_encode(&answered, body, sizeof(body));
        assert_int_not_equal(question_decode(body, (size_t)n, &q), PACKET_ACCEPTED);
}

static void a_field_of_a_later_release_is_passed_over_unless_it_must_be_known(void **state)
{
        static const uint8_t later[] = {0x20, 0, 1, 42};
        struct witness_question q;
        uint8_t body[256];
        int n = question_encode(&asked, body, sizeof(body));

        memcpy(body + n, later, sizeof(later));
        assert_int_equal(question_decode(body, (size_t)n + sizeof(later), &q), PACKET_ACCEPTED);
        body[n] |= 0x80;
        assert_int_equal(question_decode(body, (size_t)n + sizeof(later), &q), PACKET_UNKNOWN_SECTION);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_question_is_read_as_it_was_written),
                cmocka_unit_test(an_answer_is_read_as_it_was_written),
                cmocka_unit_test(neither_passes_for_the_other),
                cmocka_unit_test(a_field_of_a_later_release_is_passed_over_unless_it_must_be_known),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
