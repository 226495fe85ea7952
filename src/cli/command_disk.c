/* haven disk: prepares the area of the disk arbiter, and shows what is in it. */
#include "cli/offline.h"

#include "base/text.h"
#include "disk/area.h"
#include "disk/pill.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define WATCH_S 2 /* nodes that use the area write to it more often */
#define CHUNK   (64 * DISK_BLOCK)

static _Alignas(DISK_BLOCK) uint8_t records[DISK_NODES_MAX][2 * DISK_RECORD];
static _Alignas(DISK_BLOCK) uint8_t zeros[CHUNK];

/* The newest record of each node, as far as it can be read without the key. */
struct slot {
        enum disk_refusal is;
        struct disk_record record;
        enum disk_refusal life_is;
        struct disk_life life; /* of its haven-pill */
};

static int read_slots(const struct area *a, const struct disk_header *h, struct slot *ret_slot)
{
        static const struct disk_keys no_keys;
        static _Alignas(DISK_BLOCK) uint8_t block[DISK_BLOCK];
        int error = 0;

        for (uint8_t i = 0; i < h->node_count && !error; i++) {
                const uint8_t *bytes[2] = {records[i], records[i] + DISK_RECORD};
                size_t n[2];
                unsigned which;
                error = area_read_records(a, h, i, records[i], n);
                if (!error)
                        ret_slot[i].is =
                                disk_newest(bytes, n, h->uuid, i, &no_keys, &ret_slot[i].record, &which);
                if (!error)
                        error = area_read(a, disk_life_place(i), block, sizeof(block));
                if (!error)
                        ret_slot[i].life_is =
                                disk_life_decode(block, h->uuid, i, &no_keys, &ret_slot[i].life);
        }
        return error;
}

static void print_uuid(const uint8_t uuid[static DISK_UUID], char text[static 37])
{
        char *at = text;

        for (int i = 0; i < DISK_UUID; i++)
                at += sprintf(at, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", uuid[i]);
}

static bool read_header(const struct area *a, struct disk_header *ret_header, enum disk_refusal *ret_is)
{
        static _Alignas(DISK_BLOCK) uint8_t block[DISK_BLOCK];

        *ret_is = DISK_BLANK;
        if (area_read(a, 0, block, sizeof(block)) == 0)
                *ret_is = disk_header_decode(block, ret_header);
        return *ret_is == DISK_OK;
}

/* --- init --- */

/* A new file for the area, as long as it has to be. Anything but a file stays as it is. */
static int make_file(const char *path, uint64_t bytes)
{
        struct stat is;
        bool absent = stat(path, &is) == -1 && errno == ENOENT;

        if (!absent && (!S_ISREG(is.st_mode) || is.st_size != 0))
                return 0;
        if (absent && strncmp(path, "/dev/", 5) == 0)
                return -ENOENT; /* a device that is not there is no reason for a file */
        int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        if (fd == -1)
                return -errno;
        int error = posix_fallocate(fd, 0, (off_t)bytes);
        close(fd);
        return -error;
}

/* Mounted, or a part of something that runs: the kernel knows (O_EXCL on a block device, open(2)). */
static bool is_in_use(const char *path)
{
        int fd = open(path, O_RDONLY | O_EXCL | O_CLOEXEC);
        bool used = fd == -1 && errno == EBUSY;

        if (fd != -1)
                close(fd);
        return used;
}

static bool written_meanwhile(const struct area *a, const struct disk_header *h, uint8_t *ret_node)
{
        static struct slot before[DISK_NODES_MAX], after[DISK_NODES_MAX];
        static uint8_t mail[2][DISK_NODES_MAX][DISK_NODES_MAX][DISK_MAIL_HEAD];
        static _Alignas(DISK_BLOCK) uint8_t bytes[DISK_MAIL];
        size_t n;

        for (int look = 0; look < 2; look++) {
                if (look)
                        sleep(WATCH_S);
                if (read_slots(a, h, look ? after : before) != 0)
                        return false; /* what cannot be read is no reason to leave it as it is */
                for (uint8_t i = 0; i < h->node_count; i++)
                        for (uint8_t j = 0; j < h->node_count; j++)
                                if (area_read_mail(a, i, j, bytes, &n) == 0)
                                        memcpy(mail[look][i][j], bytes, DISK_MAIL_HEAD);
        }
        for (uint8_t i = 0; i < h->node_count; i++)
                if (before[i].is != after[i].is ||
                    (after[i].is == DISK_OK && before[i].record.seq != after[i].record.seq) ||
                    (after[i].life_is == DISK_OK && before[i].life.count != after[i].life.count) ||
                    memcmp(mail[0][i], mail[1][i], sizeof(mail[0][i])) != 0) {
                        *ret_node = i;
                        return true;
                }
        return false;
}

/* What speaks against writing there. `path` for people. */
static enum cli_status refuse_init(const struct area *a, const char *path, uint8_t nodes, bool force)
{
        char what[AREA_TEXT];
        struct disk_header h;
        enum disk_refusal is;
        uint8_t node;

        if (a->block_device && is_in_use(path))
                return cli_fail("%s is mounted or otherwise in use: nothing was written", path);
        if (a->bytes < DISK_BYTES(nodes))
                return cli_fail("%s has %llu KiB, an area for %u nodes takes %llu: nothing was written", path,
                                (unsigned long long)a->bytes / 1024, nodes,
                                (unsigned long long)DISK_BYTES(nodes) / 1024);
        if (read_header(a, &h, &is)) {
                if (!force)
                        return cli_fail(
                                "%s is prepared for the cluster %s already, %u nodes; what its nodes have "
                                "promised there would be forgotten: stop havend on all of them, then "
                                "--force",
                                path, h.cluster, h.node_count);
                if (written_meanwhile(a, &h, &node))
                        return cli_fail(
                                "%s: node %u of the cluster %s is writing to it now: stop havend on all its "
                                "nodes first; nothing was written",
                                path, node + 1u, h.cluster);
                return CLI_DONE;
        }
        if (!force && area_recognise(a, what))
                return cli_fail("%s holds %s: nothing was written; --force destroys it", path, what);
        if (!force && is != DISK_BLANK)
                return cli_fail("%s is not empty (its first block is not zero): nothing was written; --force "
                                "destroys what is there",
                                path);
        return CLI_DONE;
}

static int write_area(const struct area *a, const struct config *c, uint8_t nodes, const char *path)
{
        static _Alignas(DISK_BLOCK) uint8_t block[DISK_BLOCK];
        struct disk_header h = {.node_count = nodes, .made = (uint64_t)time(NULL)};
        uint64_t bytes = DISK_BYTES(nodes);
        bool shown = isatty(STDERR_FILENO);
        int error = 0;

        text_copy(h.cluster, sizeof(h.cluster), c->cluster);
        randombytes_buf(h.uuid, sizeof(h.uuid));
        for (uint64_t at = 0; at < bytes && !error; at += CHUNK) {
                uint64_t n = bytes - at < CHUNK ? bytes - at : CHUNK;
                error = area_write(a, at, zeros, (size_t)n);
                if (shown)
                        fprintf(stderr, "\r%s: %llu of %llu KiB", path, (unsigned long long)(at + n) / 1024,
                                (unsigned long long)bytes / 1024);
        }
        if (shown)
                fputs("\r\033[K", stderr);
        disk_header_encode(&h, block); /* last: before it, there is no area */
        return error ? error : area_write(a, 0, block, sizeof(block));
}

/* 0: the option makes no sense. */
static uint8_t wanted_room(const struct arguments *a, const struct config *c)
{
        int nodes = a->given[OPTION_NODES] ? atoi(a->value[OPTION_NODES]) : (int)c->node_count;

        return nodes >= (int)c->node_count && nodes <= DISK_NODES_MAX ? (uint8_t)nodes : 0;
}

static enum cli_status prepare(const struct arguments *a, const struct config *c, const char *path)
{
        char why[AREA_TEXT];
        struct area area;
        uint8_t nodes = wanted_room(a, c);

        if (nodes == 0)
                return cli_fail("--nodes %s: %zu, as the configuration has, to %d", a->value[OPTION_NODES],
                                c->node_count, DISK_NODES_MAX);
        int error = make_file(path, DISK_BYTES(nodes));
        if (error)
                return cli_fail("%s: cannot be made: %s", path, strerror(-error));
        if (area_open(&area, path, true, why) != 0)
                return cli_fail("%s %s", path, why);
        enum cli_status status = refuse_init(&area, path, nodes, a->given[OPTION_FORCE]);
        if (status == CLI_DONE) {
                error = write_area(&area, c, nodes, path);
                if (error)
                        status = cli_fail("%s: cannot be written: %s", path, strerror(-error));
                else
                        printf("%s: prepared for the cluster %s, %u nodes, %llu KiB\n", path, c->cluster,
                               nodes, (unsigned long long)DISK_BYTES(nodes) / 1024);
        }
        area_close(&area);
        return status;
}

static enum cli_status init(const struct arguments *a, const char *path)
{
        struct config *c = offline_config_at(a->given[OPTION_CONFIG] ? a->value[OPTION_CONFIG] : CLI_CONFIG);

        if (!c)
                return CLI_NOT_DONE;
        enum cli_status status = prepare(a, c, path);
        config_free(c);
        return status;
}

/* --- show --- */

static const char *const kind_names[] = {[DISK_BALLOT] = "ballot", [DISK_RENEWAL] = "renewal"};

static span since(uint64_t then, time_t now)
{
        return span_s((uint64_t)now > then ? (int64_t)((uint64_t)now - then) : 0);
}

static void show_life(uint8_t i, const struct slot *s, time_t now)
{
        char age[SPAN_TEXT], watchdog[SPAN_TEXT];

        if (s->life_is == DISK_BLANK)
                return;
        if (s->life_is != DISK_OK)
                printf("node %u, poison pills: %s\n", i + 1u, disk_refusal_text(s->life_is));
        else if (s->life.taken)
                printf("node %u has taken a poison pill, %s ago: its watchdog takes %s\n", i + 1u,
                       span_format(since(s->life.written, now), age),
                       span_format(s->life.watchdog, watchdog));
        else
                printf("node %u has read its poison pills %s ago, %s%s\n", i + 1u,
                       span_format(since(s->life.written, now), age),
                       s->life.watchdog.us ? "its watchdog takes "
                                           : "no watchdog is armed: it can be given none",
                       s->life.watchdog.us ? span_format(s->life.watchdog, watchdog) : "");
}

static void show_text(const char *path, const struct disk_header *h, const struct slot *slot)
{
        char uuid[37], made[32] = "", age[SPAN_TEXT];
        time_t at = (time_t)h->made, now = time(NULL);
        struct tm tm;

        print_uuid(h->uuid, uuid);
        if (localtime_r(&at, &tm))
                strftime(made, sizeof(made), "%Y-%m-%d %H:%M:%S", &tm);
        printf("%s: cluster %s, %u nodes, prepared %s, %s\n", path, h->cluster, h->node_count, made, uuid);
        for (uint8_t i = 0; i < h->node_count; i++) {
                const struct disk_record *r = &slot[i].record;
                if (slot[i].is != DISK_OK) {
                        printf("node %u: %s\n", i + 1u, disk_refusal_text(slot[i].is));
                        show_life(i, &slot[i], now);
                        continue;
                }
                int64_t seconds = (int64_t)now - (int64_t)r->written;
                printf("node %u: %s of term %u, number %llu, %s ago, document %u.%u.%u, %u bytes\n", i + 1u,
                       kind_names[r->kind], r->term, (unsigned long long)r->seq,
                       span_format(span_s(seconds > 0 ? seconds : 0), age), r->version.term,
                       r->version.author, r->version.n, r->document_n);
                show_life(i, &slot[i], now);
        }
}

static json_t *slot_json(uint8_t i, const struct slot *s)
{
        const struct disk_record *r = &s->record;
        json_t *j = json_pack("{s:i, s:s}", "node", i + 1, "state", disk_refusal_text(s->is));

        if (s->life_is == DISK_OK)
                json_object_set_new(j, "pills",
                                    json_pack("{s:I, s:I, s:I, s:b}", "read", (json_int_t)s->life.written,
                                              "count", (json_int_t)s->life.count, "watchdog_ms",
                                              (json_int_t)span_to_ms(s->life.watchdog), "taken",
                                              s->life.taken != 0));
        if (s->is != DISK_OK)
                return j;
        json_object_set_new(j, "kind", json_string(kind_names[r->kind]));
        json_object_set_new(j, "term", json_integer(r->term));
        json_object_set_new(j, "boot", json_integer((json_int_t)r->writer.boot));
        json_object_set_new(j, "number", json_integer((json_int_t)r->seq));
        json_object_set_new(j, "written", json_integer((json_int_t)r->written));
        json_object_set_new(j, "document",
                            json_pack("{s:I, s:i, s:I, s:i}", "term", (json_int_t)r->version.term, "author",
                                      r->version.author, "n", (json_int_t)r->version.n, "bytes",
                                      (int)r->document_n));
        return j;
}

static void show_json(const char *path, const struct disk_header *h, const struct slot *slot)
{
        json_t *nodes = json_array(), *j;
        char uuid[37];

        print_uuid(h->uuid, uuid);
        for (uint8_t i = 0; i < h->node_count; i++)
                json_array_append_new(nodes, slot_json(i, &slot[i]));
        j = json_pack("{s:s, s:s, s:s, s:I, s:o}", "device", path, "cluster", h->cluster, "uuid", uuid,
                      "made", (json_int_t)h->made, "nodes", nodes);
        json_dumpf(j, stdout, JSON_INDENT(2));
        putchar('\n');
        json_decref(j);
}

static enum cli_status show(const struct arguments *a, const char *path)
{
        static struct slot slot[DISK_NODES_MAX];
        char why[AREA_TEXT], what[AREA_TEXT];
        struct disk_header h;
        enum disk_refusal is;
        struct area area;

        if (area_open(&area, path, false, why) != 0)
                return cli_fail("%s %s", path, why);
        int error = read_header(&area, &h, &is) ? read_slots(&area, &h, slot) : -EINVAL;
        bool known = error == -EINVAL && area_recognise(&area, what);
        area_close(&area);
        if (is != DISK_OK)
                return known ? cli_fail("%s holds %s, no arbiter's area", path, what)
                             : cli_fail("%s holds no arbiter's area (%s): prepare it with haven disk init",
                                        path, disk_refusal_text(is));
        if (error)
                return cli_fail("%s cannot be read: %s", path, strerror(-error));
        if (a->given[OPTION_JSON])
                show_json(path, &h, slot);
        else
                show_text(path, &h, slot);
        return CLI_DONE;
}

enum cli_status command_disk(const struct command *command, const struct arguments *a)
{
        if (strcmp(a->word[0], "clear") == 0)
                return disk_clear(a, a->word[1]);
        if (a->count > 2)
                return command_usage_error(command, "'%s' is too much", a->word[2]);
        if (strcmp(a->word[0], "init") == 0)
                return init(a, a->word[1]);
        if (strcmp(a->word[0], "show") == 0)
                return show(a, a->word[1]);
        if (strcmp(a->word[0], "measure") == 0)
                return disk_measure(a, a->word[1]);
        return command_usage_error(command, "'%s' is none of init, show, measure, clear", a->word[0]);
}
