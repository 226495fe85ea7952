/* STATE_DIR/CLUSTER.witness, big-endian:
 *
 *   magic u32 "HVWT" · version u8 · term u32 · vote u32 · version of the document (term u32, author u8, n
 * u32) · length u32 and bytes of the document · BLAKE2b of everything before, 16 bytes
 *
 * Where nothing stands between version and BLAKE2b, what did was older than what had been told.
 *
 * A witness without it has no vote until it is readmitted (rules.md rule 6); a new one begins so as well.
 */
#include "witness/witness.h"

#include "base/bytes.h"
#include "base/file.h"
#include "base/log.h"
#include "cluster/version.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define FILE_MAGIC   0x48565754u
#define FILE_VERSION 1
#define FILE_HASH    WITNESS_FILE_HASH
#define FILE_BYTES   WITNESS_FILE_BYTES

/* In the directory we stand in: whoever we have become need not be let through the ones above it. */
static const char *file_name(const struct served *s, char name[static WITNESS_FILE_NAME])
{
        snprintf(name, WITNESS_FILE_NAME, "%s.witness", s->name);
        return name;
}

static void hash(const uint8_t *bytes, size_t n, uint8_t out[static FILE_HASH])
{
        crypto_generichash(out, FILE_HASH, bytes, n, NULL, 0);
}

static void put_kept(struct writer *w, const struct witness_kept *k)
{
        put_u32(w, k->term);
        put_u32(w, k->vote);
        version_put(w, k->version);
        put_u32(w, (uint32_t)k->document_size);
        put_bytes(w, k->document, k->document_size);
}

static size_t encode(const struct witness_kept *k, uint8_t bytes[static FILE_BYTES])
{
        struct writer w;

        writer_init(&w, bytes, FILE_BYTES - FILE_HASH);
        put_u32(&w, FILE_MAGIC);
        put_u8(&w, FILE_VERSION);
        if (k->voter)
                put_kept(&w, k);
        hash(bytes, (size_t)(w.at - bytes), w.at);
        return (size_t)(w.at - bytes) + FILE_HASH;
}

/* NULL, or what is wrong. */
static const char *decode(const uint8_t *bytes, size_t n, struct witness_kept *ret_kept)
{
        struct witness_kept *k = ret_kept;
        uint8_t digest[FILE_HASH];
        struct reader r;

        if (n < FILE_HASH)
                return "cut short";
        n -= FILE_HASH;
        reader_init(&r, bytes, n);
        if (get_u32(&r) != FILE_MAGIC)
                return "no file of a witness";
        if (get_u8(&r) != FILE_VERSION)
                return "of another version of haven";
        hash(bytes, n, digest);
        if (memcmp(digest, bytes + n, FILE_HASH) != 0)
                return "damaged";
        if (reader_left(&r) == 0)
                return "was an older copy of its state";
        k->term = get_u32(&r);
        k->vote = get_u32(&r);
        k->version = version_get(&r);
        k->document_size = get_u32(&r);
        const uint8_t *document = get_bytes(&r, k->document_size);
        if (!document || reader_left(&r) || k->document_size > sizeof(k->document))
                return "damaged";
        memcpy(k->document, document, k->document_size);
        k->voter = true;
        return NULL;
}

void witness_file_load(struct witness_process *p, struct served *s)
{
        uint8_t bytes[FILE_BYTES];
        char name[WITNESS_FILE_NAME];
        struct witness_kept *kept = &s->witness.kept;
        const char *wrong = NULL;

        memset(kept, 0, sizeof(*kept));
        ssize_t n = file_read(file_name(s, name), bytes, sizeof(bytes));
        if (n < 0)
                wrong = n == -ENOENT ? "is not there" : strerror((int)-n);
        else
                wrong = decode(bytes, (size_t)n, kept);
        if (!wrong)
                return;
        memset(kept, 0, sizeof(*kept));
        log_warning("%s: %s/%s %s -> no vote until a leader that does not need it readmits this witness",
                    s->name, p->state_dir, name, wrong);
}

static void on_thread(uv_work_t *work)
{
        struct served *s = work->data;
        struct witness_writing *w = &s->writing;

        w->error = file_replace(w->name, w->bytes, w->n, 0600);
}

static void on_written(uv_work_t *work, int status)
{
        struct served *s = work->data;
        int error = status ? status : s->writing.error;

        s->writing.busy = false;
        if (error && !s->trouble[0])
                log_error("%s: cannot write %s/%s: %s -> it promises nothing new", s->name,
                          s->process->state_dir, s->writing.name, strerror(-error));
        s->trouble[0] = '\0';
        if (error)
                snprintf(s->trouble, sizeof(s->trouble), "cannot write its state: %.80s", strerror(-error));
        s->written(s, error);
}

void witness_file_save(struct witness_process *p, struct served *s, void (*done)(struct served *s, int error))
{
        struct witness_writing *w = &s->writing;

        assert(!w->busy);
        w->busy = true;
        s->process = p;
        s->written = done;
        file_name(s, w->name);
        w->n = encode(&s->witness.kept, w->bytes);
        w->work.data = s;
        int error = uv_queue_work(p->loop, &w->work, on_thread, on_written);
        assert(error == 0); /* it only fails without a function */
}
