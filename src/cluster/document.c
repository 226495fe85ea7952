#include "cluster/document.h"

#include "base/bytes.h"
#include "cluster/message.h"

#include <assert.h>
#include <errno.h>

/* The encoding, big-endian. What stands at its default is left out, so that a small cluster's document is
 * small; there is one way only to write a document, so that equal documents are equal bytes.
 *
 *   document    format u8 (1), feature_level u8, members u32, version, flags u8 (1 maintenance, 2 ..._left),
 *               [maintenance_left u64], member_count u8, members, group_count u8, assignments
 *   version     term u32, author u8, n u32
 *   epoch       term u32, n u32
 *   member      boot u64, flags u8 (1 standby, 2 ..._left), [standby_left u64]
 *   assignment  group u32, owner u8, owner_boot u64, epoch, flags u8 (below),
 *               [from u8, from_epoch], [wanted u8], [failed u64], [debt_count u8, debts]
 *   debt        node u8, boot u64, epoch
 *
 * A later release that must say more raises `format`, and does so only once the feature level, which every
 * member has agreed to, allows it (protocol.md rule 27); therefore nothing is skipped here. */
#define FORMAT 1

enum { ON = 1U << 0, LEFT = 1U << 1 };

enum {
        GROUP_OFF = 1U << 0,
        GROUP_FROM = 1U << 1,
        GROUP_WANTED = 1U << 2,
        GROUP_FAILED = 1U << 3,
        GROUP_DEBTS = 1U << 4,
        GROUP_FLAGS = (1U << 5) - 1,
};

int version_compare(struct version a, struct version b)
{
        if (a.term != b.term)
                return a.term < b.term ? -1 : 1;
        if (a.author != b.author)
                return a.author < b.author ? -1 : 1;
        return a.n == b.n ? 0 : a.n < b.n ? -1 : 1;
}

int epoch_compare(struct epoch a, struct epoch b)
{
        if (a.term != b.term)
                return a.term < b.term ? -1 : 1;
        return a.n == b.n ? 0 : a.n < b.n ? -1 : 1;
}

const struct assignment *document_group_const(const struct document *d, uint32_t group)
{
        for (size_t i = 0; i < d->group_count; i++)
                if (d->group[i].group == group)
                        return &d->group[i];
        return NULL;
}

struct assignment *document_group(struct document *d, uint32_t group)
{
        return (struct assignment *)document_group_const(d, group);
}

struct assignment *document_add_group(struct document *d, uint32_t group)
{
        struct assignment *a = document_group(d, group);

        if (a || d->group_count == DOCUMENT_GROUPS_MAX)
                return a;
        a = &d->group[d->group_count++];
        *a = (struct assignment){.group = group, .owner = NODE_NONE, .from = NODE_NONE, .wanted = NODE_NONE};
        return a;
}

/* Encoding */

static void put_version(struct writer *w, struct version v)
{
        put_u32(w, v.term);
        put_u8(w, v.author);
        put_u32(w, v.n);
}

static void put_epoch(struct writer *w, struct epoch e)
{
        put_u32(w, e.term);
        put_u32(w, e.n);
}

/* A state that is on or off, and the time after which it ends by itself. */
static void put_switch(struct writer *w, bool on, span left)
{
        assert(left.us >= 0);
        put_u8(w, (uint8_t)((on ? ON : 0) | (left.us ? LEFT : 0)));
        if (left.us)
                put_u64(w, (uint64_t)left.us);
}

static void put_assignment(struct writer *w, const struct assignment *a)
{
        unsigned flags = 0;

        assert(a->debt_count <= DOCUMENT_DEBTS_MAX);
        flags |= a->admin == GROUP_DISABLED ? GROUP_OFF : 0U;
        flags |= a->from != NODE_NONE ? GROUP_FROM : 0U;
        flags |= a->wanted != NODE_NONE ? GROUP_WANTED : 0U;
        flags |= a->failed ? GROUP_FAILED : 0U;
        flags |= a->debt_count ? GROUP_DEBTS : 0U;

        put_u32(w, a->group);
        put_u8(w, a->owner);
        put_u64(w, a->owner_boot);
        put_epoch(w, a->epoch);
        put_u8(w, (uint8_t)flags);
        if (flags & GROUP_FROM) {
                put_u8(w, a->from);
                put_epoch(w, a->from_epoch);
        }
        if (flags & GROUP_WANTED)
                put_u8(w, a->wanted);
        if (flags & GROUP_FAILED)
                put_u64(w, a->failed);
        if (flags & GROUP_DEBTS)
                put_u8(w, a->debt_count);
        for (size_t i = 0; i < a->debt_count; i++) {
                put_u8(w, a->debt[i].node);
                put_u64(w, a->debt[i].boot);
                put_epoch(w, a->debt[i].epoch);
        }
}

int document_encode(const struct document *d, uint8_t *bytes, size_t size)
{
        struct writer w;

        assert(d->member_count <= DOCUMENT_NODES_MAX && d->group_count <= DOCUMENT_GROUPS_MAX);
        writer_init(&w, bytes, size);
        put_u8(&w, FORMAT);
        put_u8(&w, d->feature_level);
        put_u32(&w, d->members);
        put_version(&w, d->version);
        put_switch(&w, d->maintenance, d->maintenance_left);
        put_u8(&w, d->member_count);
        for (size_t i = 0; i < d->member_count; i++) {
                put_u64(&w, d->member[i].boot);
                put_switch(&w, d->member[i].standby, d->member[i].standby_left);
        }
        put_u8(&w, d->group_count);
        for (size_t i = 0; i < d->group_count; i++)
                put_assignment(&w, &d->group[i]);
        return w.failed ? -EMSGSIZE : (int)(w.at - bytes);
}

/* Decoding. What is out of range fails the reader, as if it were not there. */

static void refuse_unless(struct reader *r, bool good)
{
        if (!good)
                r->failed = true;
}

static struct version get_version(struct reader *r)
{
        struct version v;

        v.term = get_u32(r);
        v.author = get_u8(r);
        v.n = get_u32(r);
        refuse_unless(r, v.author < DOCUMENT_NODES_MAX || v.author == NODE_NONE);
        return v;
}

static struct epoch get_epoch(struct reader *r)
{
        struct epoch e;

        e.term = get_u32(r);
        e.n = get_u32(r);
        return e;
}

static uint8_t get_node(struct reader *r)
{
        uint8_t node = get_u8(r);

        refuse_unless(r, node < DOCUMENT_NODES_MAX);
        return node;
}

static uint8_t get_node_or_none(struct reader *r)
{
        uint8_t node = get_u8(r);

        refuse_unless(r, node < DOCUMENT_NODES_MAX || node == NODE_NONE);
        return node;
}

static void get_switch(struct reader *r, bool *ret_on, span *ret_left)
{
        uint8_t flags = get_u8(r);
        uint64_t left = flags & LEFT ? get_u64(r) : 0;

        refuse_unless(r, (flags & ~(unsigned)(ON | LEFT)) == 0);
        refuse_unless(r, !(flags & LEFT) || left > 0);
        refuse_unless(r, left <= (uint64_t)SPAN_FOREVER.us);
        *ret_on = (flags & ON) != 0;
        *ret_left = span_us((int64_t)left);
}

static void get_debts(struct reader *r, struct assignment *a)
{
        uint8_t count = get_u8(r);

        refuse_unless(r, count > 0 && count <= DOCUMENT_DEBTS_MAX);
        if (r->failed)
                return;
        a->debt_count = count;
        for (size_t i = 0; i < count; i++) {
                a->debt[i].node = get_node(r);
                a->debt[i].boot = get_u64(r);
                a->debt[i].epoch = get_epoch(r);
        }
}

static void get_assignment(struct reader *r, struct assignment *a)
{
        a->group = get_u32(r);
        a->owner = get_node_or_none(r);
        a->owner_boot = get_u64(r);
        a->epoch = get_epoch(r);
        uint8_t flags = get_u8(r);
        refuse_unless(r, (flags & ~(unsigned)GROUP_FLAGS) == 0);
        a->admin = flags & GROUP_OFF ? GROUP_DISABLED : GROUP_ENABLED;
        a->from = NODE_NONE;
        a->wanted = NODE_NONE;
        if (flags & GROUP_FROM) {
                a->from = get_node(r);
                a->from_epoch = get_epoch(r);
        }
        if (flags & GROUP_WANTED)
                a->wanted = get_node(r);
        if (flags & GROUP_FAILED) {
                a->failed = get_u64(r);
                refuse_unless(r, a->failed != 0);
        }
        if (flags & GROUP_DEBTS)
                get_debts(r, a);
}

static void get_members(struct reader *r, struct document *d)
{
        uint8_t count = get_u8(r);

        refuse_unless(r, count <= DOCUMENT_NODES_MAX);
        for (size_t i = 0; i < count && !r->failed; i++) {
                d->member[i].boot = get_u64(r);
                get_switch(r, &d->member[i].standby, &d->member[i].standby_left);
                d->member_count++;
        }
}

static void get_groups(struct reader *r, struct document *d)
{
        uint8_t count = get_u8(r);

        refuse_unless(r, count <= DOCUMENT_GROUPS_MAX);
        for (size_t i = 0; i < count && !r->failed; i++) {
                struct assignment *a = &d->group[i];
                get_assignment(r, a);
                /* a group listed twice could have two owners */
                refuse_unless(r, !document_group_const(d, a->group));
                d->group_count++;
        }
}

int document_decode(const uint8_t *bytes, size_t n, struct document *ret_document)
{
        struct document d = {0};
        struct reader r;

        reader_init(&r, bytes, n);
        refuse_unless(&r, get_u8(&r) == FORMAT);
        d.feature_level = get_u8(&r);
        d.members = get_u32(&r);
        d.version = get_version(&r);
        get_switch(&r, &d.maintenance, &d.maintenance_left);
        get_members(&r, &d);
        get_groups(&r, &d);
        if (r.failed || reader_left(&r) > 0)
                return -EBADMSG;
        *ret_document = d;
        return 0;
}
