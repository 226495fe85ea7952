#include "watch/board.h"

#include "base/bytes.h"
#include "base/text.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A post: instance u64, instance of the receiver as heard u64 (0: not heard), ack u32: its changes up to this
 * number are here, base u32: our changes up to this number are known to be there, last u32: with this post it
 * has ours up to this number, whole u32: we have so many; then records. A record: key u64, kind u8 (with
 * RECORD_ERASED), clock u64, author u32, wall u32, then a part with its value. */
#define POST_HEADER   (8 + 8 + 4 * 4)
#define RECORD_HEADER (8 + 1 + 8 + 4 + 4 + 2)
#define RECORD_ERASED 0x80
#define FILE_MAGIC    0x48415642U /* "HAVB" */
#define FILE_VERSION  1

struct peer {
        uint64_t instance; /* 0: never heard */
        uint32_t taken;    /* its changes up to this number are here */
        uint32_t acked;    /* ours are there */
        uint32_t whole;    /* how many it had when first heard */
        uint32_t ours;     /* how many we had then */
        bool heard_us;     /* it answers to this instance of ours */
        bool owed;         /* it waits for our ack */
};

struct board {
        uint32_t author;
        uint64_t instance;
        uint64_t clock;
        uint32_t seq;
        size_t count, room;
        struct board_record **record; /* by key */
        struct peer peer[BOARD_PEERS_MAX];
};

struct board *board_new(uint32_t author, uint64_t instance)
{
        struct board *b = calloc(1, sizeof(*b));

        if (b == NULL)
                return NULL;
        b->author = author;
        b->instance = instance != 0 ? instance : 1;
        return b;
}

void board_free(struct board *b)
{
        if (b == NULL)
                return;
        for (size_t i = 0; i < b->count; i++)
                free(b->record[i]);
        free(b->record);
        free(b);
}

uint64_t board_key(enum board_kind kind, const char *name)
{
        uint64_t hash = (14695981039346656037ULL ^ (uint8_t)kind) * 1099511628211ULL;

        for (; *name != '\0'; name++)
                hash = (hash ^ (uint8_t)*name) * 1099511628211ULL;
        return hash == UINT64_MAX ? 0 : hash; /* so that a key always has a next one */
}

/* The place of the key, or where it belongs. */
static size_t place_of(const struct board *b, uint64_t key)
{
        size_t low = 0, high = b->count;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (b->record[middle]->key < key)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

static struct board_record *find(const struct board *b, uint64_t key)
{
        size_t i = place_of(b, key);

        return i < b->count && b->record[i]->key == key ? b->record[i] : NULL;
}

static void remove_at(struct board *b, size_t i)
{
        free(b->record[i]);
        memmove(&b->record[i], &b->record[i + 1], (b->count - i - 1) * sizeof(struct board_record *));
        b->count--;
}

/* Drops marks that have had their time, and the oldest when there are too many. */
static void drop_marks(struct board *b, uint32_t wall)
{
        size_t marks = 0, oldest = 0;

        for (size_t i = b->count; i-- > 0;) {
                const struct board_record *r = b->record[i];

                if (!r->erased)
                        continue;
                if (wall > r->wall && wall - r->wall > BOARD_MARK_SECONDS) {
                        remove_at(b, i);
                        oldest--; /* of what stands behind it, if anything does */
                        continue;
                }
                if (marks++ == 0 || r->wall < b->record[oldest]->wall)
                        oldest = i;
        }
        if (marks > BOARD_MARKS_MAX)
                remove_at(b, oldest);
}

/* Puts this writing in the place of an earlier one. */
static struct board_record *set(struct board *b, const struct board_record *like, const void *bytes,
                                int8_t from)
{
        size_t i = place_of(b, like->key);
        bool there = i < b->count && b->record[i]->key == like->key;
        struct board_record *r = malloc(sizeof(*r) + like->n);

        if (r == NULL)
                return NULL;
        if (!there && b->count == b->room) {
                size_t room = b->room ? b->room * 2 : 64;
                struct board_record **grown = realloc(b->record, room * sizeof(struct board_record *));

                if (grown == NULL) {
                        free(r);
                        return NULL;
                }
                b->record = grown;
                b->room = room;
        }
        *r = *like;
        r->from = from;
        r->seq = ++b->seq;
        if (like->n > 0)
                memcpy(r->bytes, bytes, like->n);
        if (there) {
                free(b->record[i]);
        } else {
                memmove(&b->record[i + 1], &b->record[i], (b->count - i) * sizeof(struct board_record *));
                b->count++;
        }
        b->record[i] = r;
        return r;
}

int board_put(struct board *b, uint64_t key, enum board_kind kind, const void *bytes, size_t n, uint32_t wall)
{
        const struct board_record *old = find(b, key);
        struct board_record fresh = {.key = key, .kind = (uint8_t)kind, .author = b->author, .wall = wall};

        if (n > BOARD_VALUE_MAX)
                return -EMSGSIZE;
        if (old != NULL && !old->erased && old->n == n && memcmp(old->bytes, bytes, n) == 0)
                return -EALREADY;
        if (old == NULL && b->count >= BOARD_RECORDS_MAX)
                return -ENOSPC;
        fresh.clock = ++b->clock;
        fresh.n = (uint16_t)n;
        return set(b, &fresh, bytes, -1) != NULL ? 0 : -ENOMEM;
}

void board_erase(struct board *b, uint64_t key, uint32_t wall)
{
        const struct board_record *old = find(b, key);
        struct board_record mark = {.key = key, .erased = true, .author = b->author, .wall = wall};

        if (old == NULL || old->erased)
                return;
        mark.kind = old->kind;
        mark.clock = ++b->clock;
        set(b, &mark, NULL, -1);
        drop_marks(b, wall);
}

const struct board_record *board_get(const struct board *b, uint64_t key)
{
        const struct board_record *r = find(b, key);

        return r != NULL && !r->erased ? r : NULL;
}

bool board_is_erased(const struct board *b, uint64_t key)
{
        const struct board_record *r = find(b, key);

        return r != NULL && r->erased;
}

const struct board_record *board_next(const struct board *b, enum board_kind kind, uint64_t from)
{
        for (size_t i = place_of(b, from); i < b->count; i++)
                if (b->record[i]->kind == kind && !b->record[i]->erased)
                        return b->record[i];
        return NULL;
}

size_t board_count(const struct board *b, enum board_kind kind)
{
        size_t n = 0;

        for (size_t i = 0; i < b->count; i++)
                n += b->record[i]->kind == kind && !b->record[i]->erased;
        return n;
}

uint32_t board_seq(const struct board *b)
{
        return b->seq;
}

/* --- posts --- */

static void put_record(struct writer *w, const struct board_record *r)
{
        put_u64(w, r->key);
        put_u8(w, (uint8_t)(r->kind | (r->erased ? RECORD_ERASED : 0)));
        put_u64(w, r->clock);
        put_u32(w, r->author);
        put_u32(w, r->wall);
        uint8_t *content = part_begin(w);
        put_bytes(w, r->bytes, r->n);
        part_end(w, content);
}

/* False: it is no record. The value points into the reader's bytes. */
static bool get_record(struct reader *from, struct board_record *ret, const uint8_t **ret_bytes)
{
        struct reader value;

        memset(ret, 0, sizeof(*ret));
        ret->key = get_u64(from);
        ret->kind = get_u8(from);
        ret->erased = (ret->kind & RECORD_ERASED) != 0;
        ret->kind &= (uint8_t)~RECORD_ERASED;
        ret->clock = get_u64(from);
        ret->author = get_u32(from);
        ret->wall = get_u32(from);
        get_part(from, &value);
        ret->n = (uint16_t)reader_left(&value);
        *ret_bytes = value.at;
        return !from->failed && ret->key != UINT64_MAX && ret->n <= BOARD_VALUE_MAX &&
               ret->clock < UINT64_MAX / 2 && (!ret->erased || ret->n == 0);
}

/* The change that follows this number, and that the peer has not told us itself. */
static const struct board_record *change_after(const struct board *b, uint32_t seq, int peer)
{
        const struct board_record *best = NULL;

        for (size_t i = 0; i < b->count; i++) {
                const struct board_record *r = b->record[i];

                if (r->seq > seq && r->from != peer && (best == NULL || r->seq < best->seq))
                        best = r;
        }
        return best;
}

size_t board_post(struct board *b, int peer, uint8_t *bytes, size_t size)
{
        assert(peer >= 0 && peer < BOARD_PEERS_MAX && size >= BOARD_POST_MIN);
        struct peer *p = &b->peer[peer];
        const struct board_record *r;
        uint32_t last = p->acked;
        struct writer w;

        if (p->instance != 0 && p->heard_us && p->acked == b->seq && !p->owed)
                return 0;
        if (p->instance == 0 && b->seq == 0)
                return 0; /* nothing to say, and nobody asks */
        writer_init(&w, bytes + POST_HEADER, size - POST_HEADER);
        while (p->instance != 0 && (r = change_after(b, last, peer)) != NULL) {
                if ((size_t)(w.end - w.at) < RECORD_HEADER + (size_t)r->n)
                        break;
                put_record(&w, r);
                last = r->seq;
        }
        if (p->instance != 0 && change_after(b, last, peer) == NULL)
                last = b->seq;
        size_t n = POST_HEADER + (size_t)(w.at - (bytes + POST_HEADER));
        writer_init(&w, bytes, POST_HEADER);
        put_u64(&w, b->instance);
        put_u64(&w, p->instance);
        put_u32(&w, p->taken);
        put_u32(&w, p->acked);
        put_u32(&w, last);
        put_u32(&w, b->seq);
        p->owed = false;
        return n;
}

static bool is_newer(const struct board_record *r, const struct board_record *than)
{
        if (than == NULL)
                return true;
        return r->clock != than->clock ? r->clock > than->clock : r->author > than->author;
}

/* Whether all of it can be read. */
static bool records_good(struct reader r)
{
        struct board_record record;
        const uint8_t *value;

        while (reader_left(&r) > 0)
                if (!get_record(&r, &record, &value))
                        return false;
        return true;
}

static void merge(struct board *b, int8_t from, struct reader *r, board_changed_fn *on_changed, void *user)
{
        struct board_record record;
        const uint8_t *value;

        while (reader_left(r) > 0 && get_record(r, &record, &value)) {
                const struct board_record *old = find(b, record.key);

                if (record.clock > b->clock)
                        b->clock = record.clock;
                if (!is_newer(&record, old) || (old == NULL && b->count >= BOARD_RECORDS_MAX))
                        continue;
                const struct board_record *fresh = set(b, &record, value, from);
                if (fresh != NULL && on_changed != NULL)
                        on_changed(user, fresh);
        }
}

/* Its numbers are new ones, and it has nothing of ours that we know of. */
static void meet(struct board *b, struct peer *p, uint64_t instance, uint32_t whole)
{
        *p = (struct peer){.instance = instance, .whole = whole, .ours = b->seq};
}

int board_take(struct board *b, int peer, const uint8_t *bytes, size_t n, board_changed_fn *on_changed,
               void *user)
{
        assert(peer >= 0 && peer < BOARD_PEERS_MAX);
        struct peer *p = &b->peer[peer];
        struct reader r;

        reader_init(&r, bytes, n);
        uint64_t instance = get_u64(&r), of_us = get_u64(&r);
        uint32_t ack = get_u32(&r), base = get_u32(&r), last = get_u32(&r), whole = get_u32(&r);
        if (r.failed || instance == 0 || base > last || last > whole || !records_good(r))
                return -EBADMSG;
        if (p->instance != instance) {
                meet(b, p, instance, whole);
                p->owed = true;
        }
        p->heard_us = of_us == b->instance;
        if (p->heard_us && ack <= b->seq && ack > p->acked)
                p->acked = ack;
        if (!p->heard_us)
                p->owed = true; /* it does not know us: it is told */
        if (base > p->taken)
                return 0; /* it counts from what it told one before us: it will learn */
        if (last > p->taken || base < p->taken)
                p->owed = true;
        if (last > p->taken)
                p->taken = last;
        merge(b, (int8_t)peer, &r, on_changed, user);
        return 0;
}

bool board_met(const struct board *b, int peer)
{
        const struct peer *p = &b->peer[peer];

        return p->instance != 0 && p->heard_us && p->taken >= p->whole && p->acked >= p->ours;
}

bool board_shared(const struct board *b, const struct board_record *record)
{
        for (int i = 0; i < BOARD_PEERS_MAX; i++)
                if (b->peer[i].instance != 0 &&
                    (record->from == i || (b->peer[i].heard_us && b->peer[i].acked >= record->seq)))
                        return true;
        return false;
}

/* --- the disk --- */

/* The file: magic u32, version u8, clock u64, records u32, then records, then a check of all before it u64.
 */
#define FILE_HEADER (4 + 1 + 8 + 4)

static uint64_t check_of(const uint8_t *bytes, size_t n)
{
        uint64_t hash = 14695981039346656037ULL;

        for (size_t i = 0; i < n; i++)
                hash = (hash ^ bytes[i]) * 1099511628211ULL;
        return hash;
}

int board_encode(const struct board *b, uint8_t **ret_bytes, size_t *ret_n)
{
        size_t size = FILE_HEADER + 8;
        struct writer w;

        for (size_t i = 0; i < b->count; i++)
                size += RECORD_HEADER + b->record[i]->n;
        uint8_t *bytes = malloc(size);
        if (bytes == NULL)
                return -ENOMEM;
        writer_init(&w, bytes, size);
        put_u32(&w, FILE_MAGIC);
        put_u8(&w, FILE_VERSION);
        put_u64(&w, b->clock);
        put_u32(&w, (uint32_t)b->count);
        for (size_t i = 0; i < b->count; i++)
                put_record(&w, b->record[i]);
        put_u64(&w, check_of(bytes, (size_t)(w.at - bytes)));
        assert(!w.failed);
        *ret_bytes = bytes;
        *ret_n = (size_t)(w.at - bytes);
        return 0;
}

int board_decode(struct board *b, const uint8_t *bytes, size_t n)
{
        struct reader r, end;

        assert(b->count == 0);
        if (n < FILE_HEADER + 8)
                return -EBADMSG;
        reader_init(&end, bytes + n - 8, 8);
        reader_init(&r, bytes, n - 8);
        if (get_u64(&end) != check_of(bytes, n - 8) || get_u32(&r) != FILE_MAGIC ||
            get_u8(&r) != FILE_VERSION)
                return -EBADMSG;
        uint64_t clock = get_u64(&r);
        (void)get_u32(&r);
        if (clock >= UINT64_MAX / 2 || !records_good(r))
                return -EBADMSG;
        b->clock = clock;
        merge(b, -1, &r, NULL, NULL);
        return 0;
}
