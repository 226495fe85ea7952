#include "message_sample.h"

#include "../cluster/sample.h"
#include "base/text.h"

static uint64_t below(uint64_t *seed, uint64_t n)
{
        return sample_number(seed) % n;
}

static bool coin(uint64_t *seed)
{
        return below(seed, 2) == 1;
}

static uint32_t number(uint64_t *seed)
{
        return (uint32_t)sample_number(seed);
}

void sample_message(struct message *ret_message)
{
        struct message m = {.from = 0,
                            .to = 1,
                            .incarnation = {11, 2},
                            .seq = 1000,
                            .wants_answer = true,
                            .members = 0x01020304,
                            .config = 0x1112131415161718,
                            .feature_level = 1,
                            .hears = 3,
                            .leads = true,
                            .term = 3,
                            .leader = 0,
                            .newest = {3, 0, 7},
                            .committed = {3, 0, 7},
                            .echo = {{12, 1}, 998},
                            .order.node = NODE_NONE,
                            .grant = {true, 997, span_ms(440), {3, 0, 7}},
                            .hold_count = 2};

        m.hold[0] = (struct hold){
                .group = text_id("web"), .state = HOLD_STARTED, .epoch = {3, 2}, .sealed = {2, 1}};
        m.hold[1] =
                (struct hold){.group = text_id("db"), .state = HOLD_NONE, .epoch = {1, 4}, .sealed = {1, 4}};
        *ret_message = m;
}

static struct version random_version(uint64_t *seed)
{
        return (struct version){number(seed), (uint8_t)below(seed, DOCUMENT_NODES_MAX), number(seed)};
}

static span random_span(uint64_t *seed)
{
        return span_us((int64_t)below(seed, (uint64_t)SPAN_FOREVER.us + 1));
}

static uint8_t random_node_or_none(uint64_t *seed)
{
        return coin(seed) ? (uint8_t)below(seed, DOCUMENT_NODES_MAX) : NODE_NONE;
}

static void random_holds(uint64_t *seed, struct message *m)
{
        m->hold_count = (uint8_t)below(seed, DOCUMENT_GROUPS_MAX + 1);
        for (uint32_t i = 0; i < m->hold_count; i++) {
                struct hold *h = &m->hold[i];
                *h = (struct hold){.group = i * 7919,
                                   .state = (enum hold_state)below(seed, HOLD_FAILED + 1),
                                   .epoch = {number(seed), number(seed)},
                                   .unfit = coin(seed),
                                   .refused = coin(seed),
                                   .start_failed = coin(seed)};
                h->sealed = coin(seed) ? h->epoch : (struct epoch){number(seed), number(seed)};
        }
}

static void random_sections(uint64_t *seed, struct message *m)
{
        if (coin(seed))
                m->echo = (struct echo){{sample_number(seed), number(seed)}, number(seed)};
        if (coin(seed))
                m->answer = (struct answer){true, number(seed), number(seed)};
        if (coin(seed))
                m->grant = (struct grant){true, number(seed), random_span(seed), random_version(seed)};
        if (coin(seed))
                m->ballot = (struct ballot){BALLOT_PREVOTE + (enum ballot_kind)below(seed, 2), number(seed),
                                            coin(seed), coin(seed), random_span(seed)};
        if (coin(seed))
                m->order = (struct order){ORDER_MOVE + (enum order_kind)below(seed, ORDER_CONFIRM_OFF),
                                          number(seed), number(seed), random_node_or_none(seed),
                                          random_span(seed)};
        if (coin(seed))
                m->result = (struct order_result){1 + number(seed) / 2, (int8_t)number(seed)};
        m->has_document = coin(seed);
        if (m->has_document)
                sample_random_document(seed, &m->document);
}

void sample_random_message(uint64_t *seed, struct message *ret_message)
{
        struct message *m = ret_message;

        *m = (struct message){.from = (uint8_t)below(seed, DOCUMENT_NODES_MAX),
                              .to = (uint8_t)below(seed, DOCUMENT_NODES_MAX),
                              .incarnation = {sample_number(seed), number(seed)},
                              .seq = number(seed),
                              .wants_answer = coin(seed),
                              .wants_grant = coin(seed),
                              .readmits = coin(seed),
                              .members = number(seed),
                              .config = sample_number(seed),
                              .feature_level = (uint8_t)number(seed),
                              .hears = (uint8_t)number(seed),
                              .invalid_voter = coin(seed),
                              .leaving = coin(seed),
                              .resigned = coin(seed),
                              .leads = coin(seed),
                              .left = coin(seed),
                              .term = number(seed),
                              .leader = random_node_or_none(seed),
                              .newest = random_version(seed)};
        m->committed = coin(seed) ? m->newest : random_version(seed);
        m->order.node = NODE_NONE;
        m->watchdog = coin(seed) ? random_span(seed) : SPAN_ZERO;
        random_sections(seed, m);
        random_holds(seed, m);
}

void sample_largest_message(struct message *ret_message)
{
        struct message *m = ret_message;

        *m = (struct message){.committed = {1, 1, 1},
                              .echo = {{1, 1}, 1},
                              .answer = {.present = true},
                              .grant = {.present = true},
                              .ballot = {.kind = BALLOT_VOTE},
                              .order = {.kind = ORDER_MOVE},
                              .result = {.id = 1},
                              .watchdog = {1},
                              .hold_count = DOCUMENT_GROUPS_MAX,
                              .has_document = true};
        for (uint32_t i = 0; i < DOCUMENT_GROUPS_MAX; i++)
                m->hold[i] = (struct hold){.group = i, .sealed = {1, 1}};
        sample_largest_document(&m->document);
}

static bool holds_equal(const struct hold *a, const struct hold *b)
{
        return a->group == b->group && a->state == b->state && epoch_equal(a->epoch, b->epoch) &&
               epoch_equal(a->sealed, b->sealed) && a->unfit == b->unfit && a->refused == b->refused &&
               a->start_failed == b->start_failed;
}

static bool fixed_equal(const struct message *a, const struct message *b)
{
        return a->from == b->from && a->to == b->to && a->incarnation.boot == b->incarnation.boot &&
               a->incarnation.core == b->incarnation.core && a->seq == b->seq && a->members == b->members &&
               a->wants_answer == b->wants_answer && a->wants_grant == b->wants_grant &&
               a->readmits == b->readmits && a->invalid_voter == b->invalid_voter &&
               a->leaving == b->leaving && a->resigned == b->resigned && a->leads == b->leads &&
               a->left == b->left && a->config == b->config && a->hears == b->hears &&
               a->feature_level == b->feature_level && a->term == b->term && a->leader == b->leader &&
               version_equal(a->newest, b->newest) && version_equal(a->committed, b->committed);
}

static bool sections_equal(const struct message *a, const struct message *b)
{
        return a->echo.of.boot == b->echo.of.boot && a->echo.of.core == b->echo.of.core &&
               a->echo.seq == b->echo.seq && a->answer.present == b->answer.present &&
               a->answer.term == b->answer.term && a->answer.seq == b->answer.seq &&
               a->grant.present == b->grant.present && a->grant.seq == b->grant.seq &&
               a->grant.length.us == b->grant.length.us &&
               version_equal(a->grant.version, b->grant.version) && a->ballot.kind == b->ballot.kind &&
               a->ballot.term == b->ballot.term && a->ballot.reply == b->ballot.reply &&
               a->ballot.granted == b->ballot.granted && a->ballot.age.us == b->ballot.age.us &&
               a->order.kind == b->order.kind && a->order.id == b->order.id &&
               a->order.group == b->order.group && a->order.node == b->order.node &&
               a->order.lasts.us == b->order.lasts.us && a->result.id == b->result.id &&
               a->result.error == b->result.error && a->watchdog.us == b->watchdog.us;
}

bool sample_messages_equal(const struct message *a, const struct message *b)
{
        if (!fixed_equal(a, b) || !sections_equal(a, b) || a->hold_count != b->hold_count ||
            a->has_document != b->has_document)
                return false;
        for (size_t i = 0; i < a->hold_count; i++)
                if (!holds_equal(&a->hold[i], &b->hold[i]))
                        return false;
        return !a->has_document || sample_documents_equal(&a->document, &b->document);
}
