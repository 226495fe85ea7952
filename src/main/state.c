#include "main/state.h"

#include "base/bytes.h"
#include "base/file.h"
#include "base/text.h"
#include "cluster/message.h"
#include "cluster/version.h"
#include "main/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* The file `cluster`, big-endian:
 *
 *   magic u32 "HVST" · version u16 · length of the rest but the hash u32
 *   fields (bytes.h) by enum state_field, in any order
 *   hash: BLAKE2b of everything before it, 16 bytes (a torn or flipped disk block, not an attacker)
 *
 * To say more, a release adds a field at the end of the enum. One that does not know it passes over it,
 * unless its tag has the bit FIELD_REQUIRED: then it has no valid state rather than half of one (rules.md
 * rule 6). What an older release does not know it does not write again. */
#define STATE_MAGIC    0x48565354u
#define STATE_VERSION  1
#define STATE_HEADER   10
#define STATE_HASH     16
#define FIELD_REQUIRED 0x80
#define STATE_BYTES    (STATE_HEADER + NAME_SIZE + 96 + DOCUMENT_BYTES_MAX + STATE_HASH)

enum state_field {
        STATE_NODE = 1,  /* text */
        STATE_VOTE,      /* valid u8, term u32, voted_for u8 */
        STATE_COMMITTED, /* term u32, author u8, n u32 */
        STATE_DOCUMENT,  /* document_encode() */
        STATE_TOLD,      /* by the arbiter: term u32; term u32, author u8, n u32; may be absent */
};

#define STATE_NEEDED (1U << STATE_NODE | 1U << STATE_VOTE | 1U << STATE_COMMITTED | 1U << STATE_DOCUMENT)

static void hash(const uint8_t *bytes, size_t n, uint8_t out[static STATE_HASH])
{
        /* cannot fail for these sizes; needs no sodium_init() */
        crypto_generichash(out, STATE_HASH, bytes, n, NULL, 0);
}

static int put_document(struct writer *w, const struct document *d)
{
        uint8_t *content = field_begin(w, STATE_DOCUMENT);
        int n = w->failed ? -EMSGSIZE : document_encode(d, w->at, (size_t)(w->end - w->at));

        if (n < 0)
                return n;
        w->at += n;
        part_end(w, content);
        return 0;
}

static int state_encode(const struct state *s, uint8_t bytes[static STATE_BYTES])
{
        uint8_t digest[STATE_HASH], *content;
        struct writer body, header, tail;

        writer_init(&body, bytes + STATE_HEADER, STATE_BYTES - STATE_HEADER - STATE_HASH);
        content = field_begin(&body, STATE_NODE);
        put_text(&body, s->node);
        part_end(&body, content);
        content = field_begin(&body, STATE_VOTE);
        put_u8(&body, s->valid);
        put_u32(&body, s->term);
        put_u8(&body, s->voted_for);
        part_end(&body, content);
        content = field_begin(&body, STATE_COMMITTED);
        version_put(&body, s->committed);
        part_end(&body, content);
        if (s->told.term) {
                content = field_begin(&body, STATE_TOLD);
                put_u32(&body, s->told.term);
                version_put(&body, s->told.version);
                part_end(&body, content);
        }
        int error = put_document(&body, &s->document);
        if (error || body.failed)
                return error ? error : -EMSGSIZE;
        size_t length = (size_t)(body.at - bytes);
        writer_init(&header, bytes, STATE_HEADER);
        put_u32(&header, STATE_MAGIC);
        put_u16(&header, STATE_VERSION);
        put_u32(&header, (uint32_t)(length - STATE_HEADER));
        hash(bytes, length, digest);
        writer_init(&tail, bytes + length, STATE_HASH);
        put_bytes(&tail, digest, STATE_HASH);
        return (int)(length + STATE_HASH);
}

/* NULL, or what is wrong. */
static const char *get_field(uint8_t tag, struct reader *r, struct state *s)
{
        switch (tag) {
        case STATE_NODE: get_text(r, s->node, sizeof(s->node)); break;
        case STATE_VOTE:
                s->valid = get_u8(r) != 0;
                s->term = get_u32(r);
                s->voted_for = get_u8(r);
                break;
        case STATE_COMMITTED: s->committed = version_get(r); break;
        case STATE_TOLD:
                s->told.term = get_u32(r);
                s->told.version = version_get(r);
                break;
        case STATE_DOCUMENT:
                return document_decode(r->at, reader_left(r), &s->document) == 0
                               ? NULL
                               : "damaged: its document cannot be read";
        default:
                return tag & FIELD_REQUIRED ? "of a later haven: it holds what this one does not know" : NULL;
        }
        return r->failed || reader_left(r) > 0 ? "damaged: its parts do not fit together" : NULL;
}

static const char *get_fields(struct reader *r, struct state *s)
{
        const char *wrong = NULL;
        struct reader content;
        unsigned seen = 0;

        while (!wrong && reader_left(r) > 0) {
                uint8_t tag = get_u8(r);
                get_part(r, &content);
                if (r->failed)
                        return "damaged: its parts do not fit together";
                seen |= tag <= STATE_DOCUMENT ? 1U << tag : 0U;
                wrong = get_field(tag, &content, s);
        }
        if (!wrong && seen != STATE_NEEDED)
                return "damaged: a part is missing";
        return wrong;
}

/* NULL, or what is wrong. */
static const char *state_decode(const uint8_t *bytes, size_t n, struct state *ret_state)
{
        uint8_t digest[STATE_HASH];
        struct state s = {0};
        struct reader r, fields;

        reader_init(&r, bytes, n);
        uint32_t magic = get_u32(&r);
        uint16_t version = get_u16(&r);
        uint32_t length = get_u32(&r);
        if (r.failed)
                return "cut short";
        if (magic != STATE_MAGIC)
                return "not a haven state file";
        if (version != STATE_VERSION)
                return "of a version that this haven does not know";
        if (reader_left(&r) < STATE_HASH || reader_left(&r) - STATE_HASH != length)
                return reader_left(&r) < (size_t)length + STATE_HASH ? "cut short" : "longer than it says";
        hash(bytes, n - STATE_HASH, digest);
        if (memcmp(digest, bytes + n - STATE_HASH, STATE_HASH) != 0)
                return "damaged: its checksum does not match";
        reader_init(&fields, r.at, length);
        const char *wrong = get_fields(&fields, &s);
        if (!wrong)
                *ret_state = s;
        return wrong;
}

int state_load(const char *dir, struct state *ret_state, char text[static STATE_TEXT])
{
        uint8_t bytes[STATE_BYTES];
        char path[PATH_SIZE];
        const char *wrong;

        int error = path_join(dir, PATH_CLUSTER, path);
        if (error) {
                snprintf(text, STATE_TEXT, "%s: %s", dir, strerror(-error));
                return error;
        }
        ssize_t n = file_read(path, bytes, sizeof(bytes));
        if (n == -EFBIG)
                wrong = "longer than a state can be";
        else if (n < 0)
                wrong = strerror((int)-n);
        else
                wrong = state_decode(bytes, (size_t)n, ret_state);
        if (n >= 0 && !wrong)
                return 0;
        snprintf(text, STATE_TEXT, "%s: %s", path, wrong);
        return n < 0 && n != -EFBIG ? (int)n : -EBADMSG;
}

int state_save(const char *dir, const struct state *state)
{
        uint8_t bytes[STATE_BYTES];
        char path[PATH_SIZE];

        int error = path_join(dir, PATH_CLUSTER, path);
        if (error)
                return error;
        int n = state_encode(state, bytes);
        return n < 0 ? n : file_replace(path, bytes, (size_t)n, 0600);
}

/* A voter's, or one that cannot be read: what a node without history has written while it waits is no
 * promise. */
static bool state_exists(const char *dir)
{
        char text[STATE_TEXT];
        struct state s = {.valid = true};
        int error = state_load(dir, &s, text);

        return error ? error != -ENOENT : s.valid;
}

int state_lock(const char *dir)
{
        int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (fd == -1)
                return -errno;
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
                return fd;
        int error = -errno;
        close(fd);
        return error;
}

int state_init(const char *dir, const char *node, bool force, char text[static STATE_TEXT])
{
        struct state s = {.valid = true, .voted_for = NODE_NONE};
        uint64_t old, now = (uint64_t)time(NULL);
        int error;

        if (mkdir(dir, 0700) == -1 && errno != EEXIST) {
                error = -errno;
                snprintf(text, STATE_TEXT, "%s: cannot make the state directory: %s", dir, strerror(-error));
                return error;
        }
        if (state_exists(dir) && !force) {
                snprintf(text, STATE_TEXT,
                         "%s: this node has a state already; with --force it forgets what it promised: only "
                         "when "
                         "havend is stopped here and no other node counts on it",
                         dir);
                return -EEXIST;
        }
        int lock = state_exists(dir) ? state_lock(dir) : -1;
        if (lock == -EWOULDBLOCK) {
                snprintf(text, STATE_TEXT,
                         "%s: a havend runs by this state, and would go on by what it remembers: stop it "
                         "first",
                         dir);
                return -EBUSY;
        }
        text_copy(s.node, sizeof(s.node), node);
        state_boot_read(dir, &old); /* 0 when missing or damaged: then the clock is what is left */
        error = state_save(dir, &s);
        if (!error) /* last: only a complete state makes a voter */
                error = state_boot_write(dir, old + 1 > now ? old + 1 : now);
        if (error)
                snprintf(text, STATE_TEXT, "%s: cannot write the state: %s", dir, strerror(-error));
        if (lock >= 0)
                close(lock);
        return error;
}
