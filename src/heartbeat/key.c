#include "heartbeat/key.h"

#include "base/file.h"
#include "base/text.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX 4096

void key_generate(uint32_t number, struct key *ret_key)
{
        int r = sodium_init();

        assert(r != -1);
        ret_key->number = number;
        randombytes_buf(ret_key->secret, sizeof(ret_key->secret));
}

void key_wipe(struct keyring *keys)
{
        sodium_memzero(keys, sizeof(*keys));
}

/* Reading */

/* The key is as good as its file is private: owned by root or by us, and closed to everyone else. */
static int check_private(const char *path, const struct stat *st, char reason[static KEY_REASON])
{
        if (!S_ISREG(st->st_mode)) {
                snprintf(reason, KEY_REASON, "key file %s: not a regular file", path);
                return -EBADMSG;
        }
        if ((st->st_mode & 077) == 0 && (st->st_uid == 0 || st->st_uid == geteuid()))
                return 0;
        const struct passwd *owner = getpwuid(st->st_uid);
        snprintf(reason, KEY_REASON,
                 "key file %s: unsafe permissions: owner %s (uid %u), mode %04o; whoever reads it can speak "
                 "for "
                 "the cluster. Repair: chown root: %s && chmod 600 %s",
                 path, owner ? owner->pw_name : "unknown", st->st_uid, st->st_mode & 07777U, path, path);
        return -EACCES;
}

static int read_private(const char *path, char *text, size_t size, char reason[static KEY_REASON])
{
        struct stat st;
        int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

        if (fd == -1) {
                int error = errno;
                snprintf(reason, KEY_REASON, "key file %s: %s%s", path, strerror(error),
                         error == ENOENT ? "; make one with `haven keygen` and copy it to every node" : "");
                return -error;
        }
        /* what is checked and what is read must be one file: by descriptor, not by name */
        int error = fstat(fd, &st) == -1 ? -errno : check_private(path, &st, reason);
        ssize_t n = error ? 0 : read(fd, text, size - 1);
        if (n == -1 || (error && !*reason)) {
                error = n == -1 ? -errno : error;
                snprintf(reason, KEY_REASON, "key file %s: %s", path, strerror(-error));
        }
        close(fd);
        if (error)
                return error;
        if ((size_t)n == size - 1) {
                snprintf(reason, KEY_REASON, "key file %s: longer than a key file can be", path);
                return -EFBIG;
        }
        text[n] = '\0';
        return 0;
}

/* NUMBER HEX64. The message does not quote the line: it may be nearly a secret. */
static const char *parse_key(const char *line, struct key *ret_key)
{
        char *end;
        const char *hex_end;
        size_t n;

        if (!isdigit((unsigned char)line[0]))
                return "a key's number was expected";
        unsigned long number = strtoul(line, &end, 10);
        if (number > UINT32_MAX || !isblank((unsigned char)*end))
                return "a key's number and a blank were expected";
        while (isblank((unsigned char)*end))
                end++;
        ret_key->number = (uint32_t)number;
        if (sodium_hex2bin(ret_key->secret, sizeof(ret_key->secret), end, strlen(end), NULL, &n, &hex_end) !=
                    0 ||
            n != KEY_BYTES || hex_end[strspn(hex_end, " \t\r")] != '\0')
                return "64 hexadecimal digits were expected";
        if (sodium_is_zero(ret_key->secret, sizeof(ret_key->secret)))
                return "a key of zeros is no secret";
        return NULL;
}

static const char *add_key(struct keyring *keys, const char *line)
{
        if (keys->count == KEYS_MAX)
                return "two keys are the most: one to seal with, one more to accept";
        const char *wrong = parse_key(line, &keys->key[keys->count]);
        if (!wrong)
                keys->count++;
        return wrong;
}

static int parse_keys(const char *path, char *text, struct keyring *keys, char reason[static KEY_REASON])
{
        int number = 0;

        for (char *line; (line = strsep(&text, "\n"));) {
                number++;
                line[strcspn(line, "#")] = '\0';
                line += strspn(line, " \t\r");
                if (*line == '\0')
                        continue;
                const char *wrong = add_key(keys, line);
                if (wrong) {
                        snprintf(reason, KEY_REASON, "%s:%d: %s", path, number, wrong);
                        return -EBADMSG;
                }
        }
        if (keys->count > 0)
                return 0;
        snprintf(reason, KEY_REASON, "key file %s: holds no key; make one with `haven keygen`", path);
        return -EBADMSG;
}

int key_load(const char *path, struct keyring *ret_keys, char reason[static KEY_REASON])
{
        char text[FILE_MAX];
        struct keyring keys = {0};

        *reason = '\0';
        int error = read_private(path, text, sizeof(text), reason);
        if (!error)
                error = parse_keys(path, text, &keys, reason);
        if (!error)
                *ret_keys = keys;
        sodium_memzero(text, sizeof(text));
        key_wipe(&keys);
        return error;
}

/* Writing */

int key_save(const char *path, const struct keyring *keys)
{
        char text[FILE_MAX] = "";
        char hex[2 * KEY_BYTES + 1];
        size_t n = 0;

        assert(keys->count > 0 && keys->count <= KEYS_MAX);
        for (size_t i = 0; i < keys->count; i++) {
                sodium_bin2hex(hex, sizeof(hex), keys->key[i].secret, KEY_BYTES);
                n += (size_t)snprintf(text + n, sizeof(text) - n, "%u %s\n", keys->key[i].number, hex);
        }
        int error = file_replace(path, text, n, 0600);
        sodium_memzero(text, sizeof(text));
        sodium_memzero(hex, sizeof(hex));
        return error;
}
