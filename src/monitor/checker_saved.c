/* checker_saved.c - the verdicts in a file, from one core to the next of the same boot.
 *
 * Big-endian: SAVED_MAGIC, the boot's id, how many, and of each check its number, identity and verdict. */
#include "monitor/checker_inside.h"

#include "base/bytes.h"
#include "base/file.h"
#include "base/text.h"
#include "monitor/packet.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SAVED_MAGIC  0x68766b32 /* "hvk2" */
#define BOOT_ID_SIZE 36
#define HEAD_SIZE    (4 + BOOT_ID_SIZE + 4)
#define ENTRY_SIZE   (4 + 8 + 19)
#define KEEP_MS      100 /* from a change to its being saved: a storm of them is one write */

/* Instants count from the boot: of another one they mean nothing. */
static int read_boot_id(char id[static BOOT_ID_SIZE + 1])
{
        ssize_t n = file_read("/proc/sys/kernel/random/boot_id", id, BOOT_ID_SIZE + 1);

        return n < 0 ? (int)n : n < BOOT_ID_SIZE ? -EIO : 0; /* a newline follows */
}

int checker_save(const struct checker *c, const char *path)
{
        size_t size = HEAD_SIZE + c->wanted.count * ENTRY_SIZE;
        char boot[BOOT_ID_SIZE + 1];
        struct wanted *w;
        struct writer to;
        uint8_t *bytes;
        int r = read_boot_id(boot);

        if (r != 0)
                return r;
        bytes = malloc(size);
        if (bytes == NULL)
                return -ENOMEM;
        writer_init(&to, bytes, size);
        put_u32(&to, SAVED_MAGIC);
        put_bytes(&to, boot, BOOT_ID_SIZE);
        put_u32(&to, (uint32_t)c->wanted.count);
        for (uint32_t id = 0; (w = table_next(&c->wanted, &id)) != NULL; id++) {
                put_u32(&to, w->id);
                put_u64(&to, wanted_identity(w));
                put_verdict(&to, &w->verdict);
        }
        r = file_replace(path, bytes, (size_t)(to.at - bytes), 0600);
        free(bytes);
        return r;
}

static void on_keep(uv_timer_t *timer)
{
        const struct checker *c = timer->data;

        (void)checker_save(c, c->keep_path); /* without it the next core's checks are unknown at first */
}

void checker_keep(struct checker *c, const char *path)
{
        text_copy(c->keep_path, sizeof(c->keep_path), path);
}

void saved_due(struct checker *c)
{
        if (c->keep_path[0] != '\0' && !uv_is_active((uv_handle_t *)c->keep_timer))
                uv_timer_start(c->keep_timer, on_keep, KEEP_MS, 0);
}

void saved_free(struct checker *c)
{
        for (uint32_t id = 0; table_next(&c->saved, &id) != NULL;)
                free(table_take(&c->saved, id));
        table_done(&c->saved);
}

static int take_saved(struct checker *c, struct reader *from)
{
        struct saved *saved = calloc(1, sizeof(*saved));
        uint32_t id;
        int r = -EBADMSG;

        if (saved == NULL)
                return -ENOMEM;
        id = get_u32(from);
        saved->identity = get_u64(from);
        get_verdict(from, &saved->verdict);
        if (!from->failed && id != UINT32_MAX && table_find(&c->saved, id) == NULL &&
            instant_reached(instant_now(), saved->verdict.since))
                r = table_put(&c->saved, id, saved);
        if (r != 0)
                free(saved);
        return r;
}

static int take_all(struct checker *c, struct reader *from)
{
        char boot[BOOT_ID_SIZE + 1];
        bool ours = get_u32(from) == SAVED_MAGIC;
        const uint8_t *saved_boot = get_bytes(from, BOOT_ID_SIZE);
        uint32_t count = get_u32(from);
        int r = read_boot_id(boot);

        if (r != 0)
                return r;
        if (!ours || from->failed)
                return -EBADMSG;
        if (memcmp(boot, saved_boot, BOOT_ID_SIZE) != 0)
                return -ESTALE;
        for (; r == 0 && count > 0; count--)
                r = take_saved(c, from);
        return r == 0 && reader_left(from) != 0 ? -EBADMSG : r;
}

int checker_load(struct checker *c, const char *path)
{
        size_t size = HEAD_SIZE + TABLE_MAX * ENTRY_SIZE + 1;
        uint8_t *bytes = malloc(size);
        struct reader from;
        ssize_t n;
        int r;

        saved_free(c);
        if (bytes == NULL)
                return -ENOMEM;
        n = file_read(path, (char *)bytes, size);
        r = (int)n;
        if (n >= 0) {
                reader_init(&from, bytes, (size_t)n);
                r = take_all(c, &from);
        }
        free(bytes);
        if (r != 0)
                saved_free(c);
        return r;
}
