#include "cluster/document.h"

#include "base/bytes.h"
#include "cluster/message.h"
#include "cluster/timing.h"
#include "cluster/version.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

/* The encoding, big-endian: heads that every document has, then fields (bytes.h), each with a tag and a
 * length. There is one way only to write a document, so that equal documents are equal bytes: tags go up, and
 * what stands at its default is left out.
 *
 *   document  format u8 (1), feature_level u8, members u32, version, fields by enum document_field
 *   node      a part: boot u64, fields by enum node_field
 *   group     a part: group u32, owner u8, owner_boot u64, epoch, fields by enum group_field
 *   version   term u32, author u8, n u32
 *   epoch     term u32, n u32
 *   left      u64, microseconds; 0: until revoked
 *
 * To say more, a release adds a field at the end of an enum: a line in put_..._fields(), a case in
 * get_..._field(). Releases that do not know it keep it where it stands and hand it on (rules.md rule 27);
 * known fields have exactly the content written here. Where not knowing it would be unsafe, it is written
 * only once the document's feature level is that of the release that brought it. */
#define FORMAT 1

enum document_field {
        DOCUMENT_MAINTENANCE = 1, /* left */
        DOCUMENT_NODES,           /* node, node, ... */
        DOCUMENT_GROUPS,          /* group, group, ... */
        DOCUMENT_TIMING,          /* heartbeat u64, dead u64, lease_dead u64, microseconds */
        DOCUMENT_VOTERS,          /* voters u64, before u64 */
        DOCUMENT_FIELDS
};

enum node_field {
        NODE_IN_STANDBY = 1, /* left */
        NODE_WATCHDOG,       /* watchdog u64, microseconds */
        NODE_FENCING,        /* nothing */
        NODE_FENCED,         /* fenced u64 */
        NODE_NAME,           /* name u32 */
        NODE_FIELDS
};

enum group_field {
        GROUP_OFF = 1, /* nothing */
        GROUP_FROM,    /* from u8, from_epoch */
        GROUP_WANTED,  /* wanted u8 */
        GROUP_FAILED,  /* failed u64 */
        GROUP_DEBTS,   /* node u8, boot u64, epoch; for each */
        GROUP_SPREAD,  /* spread u8, not GROUP_ON_ONE */
        GROUP_FIELDS
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

/* What this release does not know: entries of place u8, id u32 (the group's, the node's index), and a part
 * with the fields as they came. */
enum kept_place { KEPT_DOCUMENT, KEPT_NODE, KEPT_GROUP };

/* The entry's content; empty if there is none. *ret_next is then the end, else what follows it. */
static void kept_find(const struct document *d, enum kept_place place, uint32_t id,
                      struct reader *ret_content, const uint8_t **ret_at, const uint8_t **ret_next)
{
        struct reader r;

        reader_init(&r, d->kept, d->kept_bytes);
        while (reader_left(&r) > 0) {
                *ret_at = r.at;
                uint8_t its_place = get_u8(&r);
                uint32_t its_id = get_u32(&r);
                get_part(&r, ret_content);
                assert(!r.failed); /* we wrote it */
                *ret_next = r.at;
                if (its_place == place && its_id == id)
                        return;
        }
        *ret_at = *ret_next = r.end;
        reader_init(ret_content, r.end, 0);
}

static void kept_drop(struct document *d, enum kept_place place, uint32_t id)
{
        const uint8_t *at, *next;
        struct reader content;

        kept_find(d, place, id, &content, &at, &next);
        memmove(d->kept + (at - d->kept), next, (size_t)(d->kept + d->kept_bytes - next));
        d->kept_bytes = (uint16_t)(d->kept_bytes - (next - at));
}

void document_remove_group(struct document *d, struct assignment *a)
{
        kept_drop(d, KEPT_GROUP, a->group);
        *a = d->group[--d->group_count];
}

/* Encoding */

static void put_kept(struct writer *w, const struct document *d, enum kept_place place, uint32_t id)
{
        const uint8_t *at, *next;
        struct reader content;

        kept_find(d, place, id, &content, &at, &next);
        put_bytes(w, content.at, reader_left(&content));
}

void version_put(struct writer *w, struct version v)
{
        put_u32(w, v.term);
        put_u8(w, v.author);
        put_u32(w, v.n);
}

struct version version_get(struct reader *r)
{
        struct version v;

        v.term = get_u32(r);
        v.author = get_u8(r);
        v.n = get_u32(r);
        return v;
}

static void put_epoch(struct writer *w, struct epoch e)
{
        put_u32(w, e.term);
        put_u32(w, e.n);
}

static void put_left(struct writer *w, uint8_t tag, span left)
{
        uint8_t *content = field_begin(w, tag);

        assert(left.us >= 0);
        put_u64(w, (uint64_t)left.us);
        part_end(w, content);
}

static void put_from(struct writer *w, const struct assignment *a)
{
        uint8_t *content = field_begin(w, GROUP_FROM);

        put_u8(w, a->from);
        put_epoch(w, a->from_epoch);
        part_end(w, content);
}

static void put_debts(struct writer *w, const struct assignment *a)
{
        uint8_t *content = field_begin(w, GROUP_DEBTS);

        assert(a->debt_count <= DOCUMENT_DEBTS_MAX);
        for (size_t i = 0; i < a->debt_count; i++) {
                put_u8(w, a->debt[i].node);
                put_u64(w, a->debt[i].boot);
                put_epoch(w, a->debt[i].epoch);
        }
        part_end(w, content);
}

static void put_group_fields(struct writer *w, const struct assignment *a)
{
        uint8_t *content;

        if (a->admin == GROUP_DISABLED)
                part_end(w, field_begin(w, GROUP_OFF));
        if (a->from != NODE_NONE)
                put_from(w, a);
        if (a->wanted != NODE_NONE) {
                content = field_begin(w, GROUP_WANTED);
                put_u8(w, a->wanted);
                part_end(w, content);
        }
        if (a->failed) {
                content = field_begin(w, GROUP_FAILED);
                put_u64(w, a->failed);
                part_end(w, content);
        }
        if (a->debt_count)
                put_debts(w, a);
        if (a->spread != GROUP_ON_ONE) {
                content = field_begin(w, GROUP_SPREAD);
                put_u8(w, (uint8_t)a->spread);
                part_end(w, content);
        }
}

static void put_groups(struct writer *w, const struct document *d)
{
        uint8_t *groups = field_begin(w, DOCUMENT_GROUPS);

        for (size_t i = 0; i < d->group_count; i++) {
                const struct assignment *a = &d->group[i];
                uint8_t *group = part_begin(w);
                put_u32(w, a->group);
                put_u8(w, a->owner);
                put_u64(w, a->owner_boot);
                put_epoch(w, a->epoch);
                put_group_fields(w, a);
                put_kept(w, d, KEPT_GROUP, a->group);
                part_end(w, group);
        }
        part_end(w, groups);
}

static void put_node_fields(struct writer *w, const struct member *m)
{
        if (m->standby)
                put_left(w, NODE_IN_STANDBY, m->standby_left);
        if (m->watchdog.us)
                put_left(w, NODE_WATCHDOG, m->watchdog);
        if (m->fencing)
                part_end(w, field_begin(w, NODE_FENCING));
        if (m->fenced) {
                uint8_t *content = field_begin(w, NODE_FENCED);
                put_u64(w, m->fenced);
                part_end(w, content);
        }
        if (m->name) {
                uint8_t *content = field_begin(w, NODE_NAME);
                put_u32(w, m->name);
                part_end(w, content);
        }
}

static void put_nodes(struct writer *w, const struct document *d)
{
        uint8_t *nodes = field_begin(w, DOCUMENT_NODES);

        for (size_t i = 0; i < d->member_count; i++) {
                uint8_t *node = part_begin(w);
                put_u64(w, d->member[i].boot);
                put_node_fields(w, &d->member[i]);
                put_kept(w, d, KEPT_NODE, (uint32_t)i);
                part_end(w, node);
        }
        part_end(w, nodes);
}

static void put_timing(struct writer *w, const struct document_timing *t)
{
        uint8_t *content = field_begin(w, DOCUMENT_TIMING);

        put_u64(w, (uint64_t)t->heartbeat.us);
        put_u64(w, (uint64_t)t->dead.us);
        put_u64(w, (uint64_t)t->lease_dead.us);
        part_end(w, content);
}

static void put_voters(struct writer *w, const struct document *d)
{
        uint8_t *content = field_begin(w, DOCUMENT_VOTERS);

        put_u64(w, d->voters);
        put_u64(w, d->before);
        part_end(w, content);
}

static void put_document_fields(struct writer *w, const struct document *d)
{
        if (d->maintenance)
                put_left(w, DOCUMENT_MAINTENANCE, d->maintenance_left);
        if (d->member_count)
                put_nodes(w, d);
        if (d->group_count)
                put_groups(w, d);
        if (d->timing.heartbeat.us)
                put_timing(w, &d->timing);
        if (d->voters)
                put_voters(w, d);
}

int document_encode(const struct document *d, uint8_t *bytes, size_t size)
{
        struct writer w;

        assert(d->member_count <= DOCUMENT_NODES_MAX && d->group_count <= DOCUMENT_GROUPS_MAX);
        writer_init(&w, bytes, size);
        put_u8(&w, FORMAT);
        put_u8(&w, d->feature_level);
        put_u32(&w, d->members);
        version_put(&w, d->version);
        put_document_fields(&w, d);
        put_kept(&w, d, KEPT_DOCUMENT, 0);
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
        struct version v = version_get(r);

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

static span get_left(struct reader *r)
{
        uint64_t left = get_u64(r);

        refuse_unless(r, left <= (uint64_t)SPAN_FOREVER.us);
        return span_us(r->failed ? 0 : (int64_t)left);
}

/* The tag of the next field, which is above that of the one before; 0 at the end. */
static uint8_t get_field(struct reader *r, uint8_t before, struct reader *ret_content)
{
        if (r->failed || reader_left(r) == 0)
                return 0;
        uint8_t tag = get_u8(r);
        get_part(r, ret_content);
        refuse_unless(r, tag > before);
        return r->failed ? 0 : tag;
}

/* A known field's content must have been read to its end. */
static void close_field(struct reader *r, const struct reader *content)
{
        refuse_unless(r, !content->failed && reader_left(content) == 0);
}

/* Keeps all from `from`, where the first unknown field begins; that one, `tag`, has been read. */
static void keep_rest(struct document *d, enum kept_place place, uint32_t id, struct reader *r, uint8_t tag,
                      const uint8_t *from)
{
        struct reader content;
        struct writer w;

        while ((tag = get_field(r, tag, &content)) != 0)
                ;
        if (r->failed)
                return;
        writer_init(&w, d->kept + d->kept_bytes, sizeof(d->kept) - d->kept_bytes);
        put_u8(&w, (uint8_t)place);
        put_u32(&w, id);
        uint8_t *kept = part_begin(&w);
        put_bytes(&w, from, (size_t)(r->end - from));
        part_end(&w, kept);
        refuse_unless(r, !w.failed);
        if (!w.failed)
                d->kept_bytes = (uint16_t)(w.at - d->kept);
}

static void get_debts(struct reader *r, struct assignment *a)
{
        refuse_unless(r, reader_left(r) > 0);
        while (!r->failed && reader_left(r) > 0) {
                if (a->debt_count == DOCUMENT_DEBTS_MAX) {
                        r->failed = true;
                        return;
                }
                struct debt *debt = &a->debt[a->debt_count++];
                debt->node = get_node(r);
                debt->boot = get_u64(r);
                debt->epoch = get_epoch(r);
        }
}

static void get_group_field(enum group_field tag, struct reader *r, struct assignment *a)
{
        switch (tag) {
        case GROUP_OFF: a->admin = GROUP_DISABLED; break;
        case GROUP_FROM:
                a->from = get_node(r);
                a->from_epoch = get_epoch(r);
                break;
        case GROUP_WANTED: a->wanted = get_node(r); break;
        case GROUP_FAILED:
                a->failed = get_u64(r);
                refuse_unless(r, a->failed != 0);
                break;
        case GROUP_DEBTS: get_debts(r, a); break;
        case GROUP_SPREAD:
                a->spread = get_u8(r);
                refuse_unless(r, a->spread != GROUP_ON_ONE && a->spread < GROUP_SPREADS);
                break;
        case GROUP_FIELDS: break;
        }
}

static void get_group(struct reader *r, struct document *d)
{
        struct assignment *a = &d->group[d->group_count];
        struct reader content;
        uint8_t tag = 0;

        *a = (struct assignment){.group = get_u32(r), .from = NODE_NONE, .wanted = NODE_NONE};
        a->owner = get_node_or_none(r);
        a->owner_boot = get_u64(r);
        a->epoch = get_epoch(r);
        /* a group listed twice could have two owners */
        refuse_unless(r, !document_group_const(d, a->group));
        d->group_count++;
        const uint8_t *at = r->at;
        while ((tag = get_field(r, tag, &content)) != 0 && tag < GROUP_FIELDS) {
                get_group_field((enum group_field)tag, &content, a);
                close_field(r, &content);
                at = r->at;
        }
        if (tag)
                keep_rest(d, KEPT_GROUP, a->group, r, tag, at);
}

static void get_node_field(enum node_field tag, struct reader *r, struct member *m)
{
        switch (tag) {
        case NODE_IN_STANDBY:
                m->standby = true;
                m->standby_left = get_left(r);
                break;
        case NODE_WATCHDOG:
                m->watchdog = get_left(r);
                refuse_unless(r, m->watchdog.us != 0);
                break;
        case NODE_FENCING: m->fencing = true; break;
        case NODE_FENCED:
                m->fenced = get_u64(r);
                refuse_unless(r, m->fenced != 0);
                break;
        case NODE_NAME:
                m->name = get_u32(r);
                refuse_unless(r, m->name != 0);
                break;
        case NODE_FIELDS: break;
        }
}

static void get_node_entry(struct reader *r, struct document *d)
{
        struct member *m = &d->member[d->member_count];
        struct reader content;
        uint8_t tag = 0;

        m->boot = get_u64(r);
        const uint8_t *at = r->at;
        while ((tag = get_field(r, tag, &content)) != 0 && tag < NODE_FIELDS) {
                get_node_field((enum node_field)tag, &content, m);
                close_field(r, &content);
                at = r->at;
        }
        if (tag)
                keep_rest(d, KEPT_NODE, d->member_count, r, tag, at);
        d->member_count++;
}

/* Parts, one after the other; never none, for then the field would not be there. */
static void get_list(struct reader *r, struct document *d, const uint8_t *count, uint8_t max,
                     void (*get)(struct reader *, struct document *))
{
        struct reader entry;

        refuse_unless(r, reader_left(r) > 0);
        while (!r->failed && reader_left(r) > 0) {
                get_part(r, &entry);
                refuse_unless(r, *count < max);
                if (r->failed)
                        return;
                get(&entry, d);
                close_field(r, &entry);
        }
}

static void get_timing(struct reader *r, struct document_timing *t)
{
        t->heartbeat = get_left(r);
        t->dead = get_left(r);
        t->lease_dead = get_left(r);
        refuse_unless(r, !r->failed && timing_possible(t->heartbeat, t->dead, t->lease_dead));
}

static void get_voters(struct reader *r, struct document *d)
{
        uint64_t members = d->member_count == 64 ? UINT64_MAX : (1ULL << d->member_count) - 1;

        d->voters = get_u64(r);
        d->before = get_u64(r);
        refuse_unless(r, d->voters != 0 && ((d->voters | d->before) & ~members) == 0);
}

static void get_document_field(enum document_field tag, struct reader *r, struct document *d)
{
        switch (tag) {
        case DOCUMENT_MAINTENANCE:
                d->maintenance = true;
                d->maintenance_left = get_left(r);
                break;
        case DOCUMENT_NODES: get_list(r, d, &d->member_count, DOCUMENT_NODES_MAX, get_node_entry); break;
        case DOCUMENT_GROUPS: get_list(r, d, &d->group_count, DOCUMENT_GROUPS_MAX, get_group); break;
        case DOCUMENT_TIMING: get_timing(r, &d->timing); break;
        case DOCUMENT_VOTERS: get_voters(r, d); break;
        case DOCUMENT_FIELDS: break;
        }
}

int document_decode(const uint8_t *bytes, size_t n, struct document *ret_document)
{
        struct document d = {0};
        struct reader r, content;
        uint8_t tag = 0;

        reader_init(&r, bytes, n);
        refuse_unless(&r, get_u8(&r) == FORMAT);
        d.feature_level = get_u8(&r);
        d.members = get_u32(&r);
        d.version = get_version(&r);
        const uint8_t *at = r.at;
        while ((tag = get_field(&r, tag, &content)) != 0 && tag < DOCUMENT_FIELDS) {
                get_document_field((enum document_field)tag, &content, &d);
                close_field(&r, &content);
                at = r.at;
        }
        if (tag)
                keep_rest(&d, KEPT_DOCUMENT, 0, &r, tag, at);
        if (r.failed)
                return -EBADMSG;
        *ret_document = d;
        return 0;
}
