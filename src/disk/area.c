#include "disk/area.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define COLLECTS_MAX 16 /* a writer that is faster than so many reads is no writer of ours */

/* --- opening --- */

static int open_fd(const char *path, int flags, bool *ret_direct)
{
        int fd = open(path, flags | O_DIRECT);

        *ret_direct = fd != -1;
        if (fd == -1 && errno == EINVAL)
                fd = open(path, flags);
        return fd == -1 ? -errno : fd;
}

static int measure(struct area *a, char why[static AREA_TEXT])
{
        struct stat is;

        if (fstat(a->fd, &is) == -1)
                return -errno;
        a->block_device = S_ISBLK(is.st_mode);
        if (!a->block_device && !S_ISREG(is.st_mode)) {
                snprintf(why, AREA_TEXT, "is neither a block device nor a file");
                return -EINVAL;
        }
        a->bytes = (uint64_t)is.st_size;
        if (a->block_device && ioctl(a->fd, BLKGETSIZE64, &a->bytes) == -1)
                return -errno;
        return 0;
}

int area_open(struct area *a, const char *path, bool write, char why[static AREA_TEXT])
{
        int flags = O_CLOEXEC | O_NOCTTY | (write ? O_RDWR | O_DSYNC : O_RDONLY);

        why[0] = '\0';
        *a = (struct area){.fd = open_fd(path, flags, &a->direct)};
        int error = a->fd < 0 ? a->fd : measure(a, why);
        if (error && why[0] == '\0')
                snprintf(why, AREA_TEXT, "cannot be opened: %s", strerror(-error));
        if (error)
                area_close(a);
        return error;
}

void area_close(struct area *a)
{
        if (a->fd >= 0)
                close(a->fd);
        a->fd = -1;
}

/* --- blocks --- */

int area_read(const struct area *a, uint64_t at, uint8_t *bytes, size_t n)
{
        for (size_t done = 0; done < n;) {
                ssize_t got = pread(a->fd, bytes + done, n - done, (off_t)(at + done));
                if (got == -1 && errno == EINTR)
                        continue;
                if (got <= 0)
                        return got == 0 ? -ENODATA : -errno;
                done += (size_t)got;
        }
        return 0;
}

int area_write(const struct area *a, uint64_t at, const uint8_t *bytes, size_t n)
{
        for (size_t done = 0; done < n;) {
                ssize_t put = pwrite(a->fd, bytes + done, n - done, (off_t)(at + done));
                if (put == -1 && errno == EINTR)
                        continue;
                if (put <= 0)
                        return put == 0 ? -EIO : -errno;
                done += (size_t)put;
        }
        return 0;
}

/* A piece whose first block says how long it is. */
static int read_piece(const struct area *a, uint64_t at, uint8_t *bytes,
                      size_t (*length)(const uint8_t block[static DISK_BLOCK]), size_t *ret_n)
{
        int error = area_read(a, at, bytes, DISK_BLOCK);

        if (error)
                return error;
        *ret_n = length(bytes);
        return *ret_n == DISK_BLOCK ? 0
                                    : area_read(a, at + DISK_BLOCK, bytes + DISK_BLOCK, *ret_n - DISK_BLOCK);
}

static int collect(const struct area *a, uint8_t node, uint8_t *bytes, size_t n[static 2])
{
        int error = 0;

        for (unsigned i = 0; i < 2 && !error; i++)
                error = read_piece(a, disk_record_place(node, i), bytes + i * (size_t)DISK_RECORD,
                                   disk_record_length, &n[i]);
        return error;
}

static bool any_torn(const struct disk_header *h, uint8_t node, const uint8_t *bytes,
                     const size_t n[static 2])
{
        static const struct disk_keys no_keys; /* tearing shows in the checksum */
        struct disk_record r;
        bool torn = false;

        for (unsigned i = 0; i < 2; i++)
                torn |= disk_record_decode(bytes + i * (size_t)DISK_RECORD, n[i], h->uuid, node, &no_keys,
                                           &r) == DISK_TORN;
        return torn;
}

/* Two whole records are what stood there when the second was read: whichever was written before the first was
 * read is one of them or older. A torn one may hide that its sibling, read before, has become old; so both
 * are read until nothing changes (Afek et al., "Atomic Snapshots of Shared Memory": a double collect). */
int area_read_records(const struct area *a, const struct disk_header *h, uint8_t node, uint8_t *bytes,
                      size_t ret_n[static 2])
{
        static _Alignas(DISK_BLOCK) uint8_t before[2 * DISK_RECORD];
        size_t before_n[2];
        int error = collect(a, node, bytes, ret_n);

        for (unsigned tries = 0; !error && any_torn(h, node, bytes, ret_n); tries++) {
                if (tries == COLLECTS_MAX)
                        return -EAGAIN;
                memcpy(before, bytes, sizeof(before));
                memcpy(before_n, ret_n, sizeof(before_n));
                error = collect(a, node, bytes, ret_n);
                if (!error && before_n[0] == ret_n[0] && before_n[1] == ret_n[1] &&
                    memcmp(before, bytes, ret_n[0]) == 0 &&
                    memcmp(before + DISK_RECORD, bytes + DISK_RECORD, ret_n[1]) == 0)
                        break;
        }
        return error;
}

int area_read_mail(const struct area *a, uint8_t from, uint8_t to, uint8_t *bytes, size_t *ret_n)
{
        return read_piece(a, disk_mail_place(from, to), bytes, disk_mail_length, ret_n);
}

/* --- whose it is --- */

static int judge_header(const struct area *a, const struct disk_header *h, const char *cluster,
                        uint8_t node_count, char why[static AREA_TEXT])
{
        if (strcmp(h->cluster, cluster) != 0)
                snprintf(
                        why, AREA_TEXT,
                        "belongs to the cluster %s, not to %s: name another device, or prepare this one anew "
                        "with haven disk init",
                        h->cluster, cluster);
        else if (h->node_count < node_count)
                snprintf(why, AREA_TEXT,
                         "was prepared for %u nodes, and %u have a number: stop the cluster, then haven disk "
                         "init",
                         h->node_count, node_count);
        else if (a->bytes < DISK_BYTES(h->node_count))
                snprintf(why, AREA_TEXT, "is shorter than it was when it was prepared");
        else
                return 0;
        return -EINVAL;
}

int area_identify(const struct area *a, const char *cluster, uint8_t node_count,
                  struct disk_header *ret_header, char why[static AREA_TEXT])
{
        static _Alignas(DISK_BLOCK) uint8_t block[DISK_BLOCK];
        char what[AREA_TEXT];
        int error = area_read(a, 0, block, sizeof(block));

        if (error) {
                snprintf(why, AREA_TEXT, "cannot be read: %s",
                         error == -ENODATA ? "it is empty" : strerror(-error));
                return error;
        }
        enum disk_refusal is = disk_header_decode(block, ret_header);
        if (is == DISK_OK)
                return judge_header(a, ret_header, cluster, node_count, why);
        if (area_recognise(a, what))
                snprintf(why, AREA_TEXT, "holds %.160s: that is not for an arbiter", what);
        else if (is == DISK_NOT_OURS || is == DISK_BLANK)
                snprintf(why, AREA_TEXT,
                         "is not prepared: haven disk init DEVICE -c CONFIGURATION, once, on "
                         "one node");
        else
                snprintf(why, AREA_TEXT, "its header cannot be used: %s", disk_refusal_text(is));
        return -EINVAL;
}

/* --- what else it may be --- */

/* Where file systems and their like leave their mark. Those of DRBD and of old RAID stand at the end and are
 * not looked for. */
static const struct mark {
        uint32_t at;
        uint8_t n;
        const char *bytes;
        const char *name;
} marks[] = {
        {0x438, 2, "\x53\xef", "an ext2, ext3 or ext4 file system"},
        {0, 4, "XFSB", "an XFS file system"},
        {0x10040, 8, "_BHRfS_M", "a Btrfs file system"},
        {0, 4, "LUKS", "a LUKS volume"},
        {0x218, 8, "LVM2 001", "an LVM physical volume"},
        {0x18, 8, "LVM2 001", "an LVM physical volume"},
        {0x1000, 4, "\xfc\x4e\x2b\xa9", "a member of a RAID array"},
        {0, 4, "\xfc\x4e\x2b\xa9", "a member of a RAID array"},
        {0xff6, 10, "SWAPSPACE2", "swap space"},
        {0x200, 8, "EFI PART", "a partition table (GPT)"},
        {0x1fe, 2, "\x55\xaa", "a partition table or a boot sector"},
        {0x8001, 5, "CD001", "an ISO 9660 file system"},
        {0x10000, 8, "\x01\x16\x19\x70\x00\x00\x00\x00", "a GFS2 file system"},
        {0x2000, 6, "OCFSV2", "an OCFS2 file system"},
        {0, 8, "SBD_SBD_", "the devices of sbd"},
        {0, 4, "\x20\x12\x00\x06", "a lease area of sanlock"},
};

#define LOOK (17 * DISK_BLOCK) /* as far as the last mark stands */

bool area_recognise(const struct area *a, char what[static AREA_TEXT])
{
        static _Alignas(DISK_BLOCK) uint8_t bytes[LOOK];

        memset(bytes, 0, sizeof(bytes));
        for (size_t at = 0; at < LOOK; at += DISK_BLOCK)
                if (area_read(a, at, bytes + at, DISK_BLOCK) != 0)
                        break; /* shorter, or not to be read from here on */
        for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
                if (memcmp(bytes + marks[i].at, marks[i].bytes, marks[i].n) == 0) {
                        snprintf(what, AREA_TEXT, "%s", marks[i].name);
                        return true;
                }
        return false;
}
