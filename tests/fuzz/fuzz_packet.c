/* What arrives from the network: any bytes as a packet, as a body that the seal found genuine, and as a
 * document. Nothing may read out of bounds; what is accepted is within the limits that message.h and
 * document.h promise, and is written again as it was read. */
#include "cluster/document.h"
#include "heartbeat/inquiry.h"
#include "heartbeat/packet.h"
#include "heartbeat/seal.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static uint8_t opened[PACKET_BODY_MAX];
static uint8_t again[PACKET_BODY_MAX];
static uint8_t packet[PACKET_MAX];

static void check_node(uint8_t node)
{
        assert(node < DOCUMENT_NODES_MAX || node == NODE_NONE);
}

static void check_document(const struct document *d)
{
        assert(d->member_count <= DOCUMENT_NODES_MAX && d->group_count <= DOCUMENT_GROUPS_MAX);
        check_node(d->version.author);
        for (size_t i = 0; i < d->group_count; i++) {
                const struct assignment *a = &d->group[i];
                check_node(a->owner);
                check_node(a->from);
                check_node(a->wanted);
                assert(a->debt_count <= DOCUMENT_DEBTS_MAX);
                assert(document_group_const(d, a->group) == a);
        }
}

static void try_document(const uint8_t *data, size_t n)
{
        static struct document d;

        if (document_decode(data, n, &d) < 0)
                return;
        check_document(&d);
        int again_n = document_encode(&d, again, sizeof(again));
        assert(again_n == (int)n && memcmp(again, data, n) == 0);
}

/* What goes to a witness and comes back. Fields that are not known are not written again. */
static void try_inquiry(const uint8_t *data, size_t n)
{
        struct witness_question q;
        struct witness_answer a;

        if (question_decode(data, n, &q) == PACKET_ACCEPTED) {
                assert(q.document_size <= DOCUMENT_BYTES_MAX && q.from != 0 && q.ask <= ARBITER_RENEW);
                assert((q.version.n != 0) == (q.document != NULL));
                assert(question_encode(&q, again, sizeof(again)) > 0);
        }
        if (answer_decode(data, n, &a) == PACKET_ACCEPTED) {
                assert(a.document_size <= DOCUMENT_BYTES_MAX && a.age.us >= 0);
                assert(answer_encode(&a, again, sizeof(again)) > 0);
        }
}

static void check_message(const struct message *m)
{
        assert(m->from < DOCUMENT_NODES_MAX && m->to < DOCUMENT_NODES_MAX);
        assert(m->hold_count <= DOCUMENT_GROUPS_MAX);
        assert(m->grant.length.us >= 0 && m->ballot.age.us >= 0 && m->order.lasts.us >= 0);
        check_node(m->leader);
        check_node(m->order.node);
        check_node(m->newest.author);
        check_node(m->committed.author);
        for (size_t i = 0; i < m->hold_count; i++)
                assert(m->hold[i].state <= HOLD_FAILED);
        if (m->has_document)
                check_document(&m->document);
}

/* The body need not come back byte for byte: sections may stand in any order and unknown ones are dropped.
 * But what we write of it is read by others as we read it. */
static void try_body(const uint8_t *data, size_t n)
{
        static struct message m, second;

        if (packet_decode(data, n, &m) != PACKET_ACCEPTED)
                return;
        check_message(&m);
        size_t post_n;
        const uint8_t *post = packet_post(data, n, &post_n);
        assert(!post || (post >= data && post + post_n <= data + n));
        int first_n = packet_encode(&m, opened, sizeof(opened));
        assert(first_n > 0);
        enum packet_refusal why = packet_decode(opened, (size_t)first_n, &second);
        assert(why == PACKET_ACCEPTED);
        int second_n = packet_encode(&second, again, sizeof(again));
        assert(second_n == first_n && memcmp(opened, again, (size_t)first_n) == 0);
}

static void try_packet(const struct seal *s, const uint8_t *data, size_t n)
{
        size_t opened_n = 0;

        enum packet_refusal why = seal_open(s, data, n, opened, &opened_n);
        assert(why != PACKET_ACCEPTED); /* a forgery would be news */
        int sealed_n = n <= PACKET_BODY_MAX ? seal_close(s, data, n, packet, sizeof(packet)) : 0;
        if (sealed_n == 0)
                return;
        why = seal_open(s, packet, (size_t)sealed_n, opened, &opened_n);
        assert(why == PACKET_ACCEPTED && opened_n == n && memcmp(opened, data, n) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        static struct seal s;

        if (s.count == 0) {
                struct keyring keys = {.count = 1, .key[0].secret = {1}};
                seal_init(&s, "fuzz", &keys);
        }
        try_packet(&s, data, n);
        try_body(data, n);
        try_document(data, n);
        try_inquiry(data, n);
        return 0;
}
