#include "director/loopback.h"

#include "base/file.h"
#include "base/text.h"
#include "takeover/interfaces.h"
#include "takeover/netlink.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KEEP_MAX  16384
#define USERS_MAX 64
#define FOUND_MAX 64
#define WORD_SIZE 192

/* At least so much makes an interface quiet. */
static const struct {
        const char *name;
        long least;
} quiet[] = {
        {"arp_ignore", 1},
        {"arp_announce", 2},
};

struct user {
        char name[WORD_SIZE];
        char scope[IFNAMSIZ]; /* "all", an interface, or "-": none is kept quiet */
};

struct found {
        char scope[IFNAMSIZ];
        char name[16];
        long value;
};

struct kept {
        size_t user_count, found_count;
        struct user user[USERS_MAX];
        struct found found[FOUND_MAX];
};

/* --- what is kept: "user NAME SCOPE" and "found SCOPE SETTING VALUE", a line each --- */

static void kept_line(struct kept *k, const char *line)
{
        struct user user = {0};
        struct found found = {0};

        if (k->user_count < USERS_MAX && sscanf(line, "user %191s %15s", user.name, user.scope) == 2)
                k->user[k->user_count++] = user;
        else if (k->found_count < FOUND_MAX &&
                 sscanf(line, "found %15s %15s %ld", found.scope, found.name, &found.value) == 3)
                k->found[k->found_count++] = found;
}

static int kept_read(const char *path, struct kept *ret_kept)
{
        char text[KEEP_MAX + 1], *save = NULL;
        ssize_t n = file_read(path, text, KEEP_MAX);

        *ret_kept = (struct kept){0};
        if (n < 0)
                return n == -ENOENT ? 0 : (int)n;
        text[n] = '\0';
        for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
                kept_line(ret_kept, line);
        return 0;
}

static int kept_write(const char *path, const struct kept *k)
{
        char text[KEEP_MAX];
        FILE *to = fmemopen(text, sizeof(text), "w");

        if (!to)
                return -errno;
        if (k->user_count == 0 && k->found_count == 0) {
                fclose(to);
                return unlink(path) == -1 && errno != ENOENT ? -errno : 0;
        }
        for (size_t i = 0; i < k->user_count; i++)
                fprintf(to, "user %s %s\n", k->user[i].name, k->user[i].scope);
        for (size_t i = 0; i < k->found_count; i++)
                fprintf(to, "found %s %s %ld\n", k->found[i].scope, k->found[i].name, k->found[i].value);
        long n = ftell(to);
        if (fclose(to) == EOF || n <= 0 || (size_t)n >= sizeof(text))
                return -EFBIG;
        return file_replace(path, text, (size_t)n, 0600);
}

static struct user *kept_user(struct kept *k, const char *name)
{
        for (size_t i = 0; i < k->user_count; i++)
                if (strcmp(k->user[i].name, name) == 0)
                        return &k->user[i];
        return NULL;
}

static bool is_used(const struct kept *k, const char *scope)
{
        for (size_t i = 0; i < k->user_count; i++)
                if (strcmp(k->user[i].scope, scope) == 0)
                        return true;
        return false;
}

/* --- what makes an interface quiet --- */

static const char *scope_of(const struct loopback *l)
{
        if (l->ip.family != AF_INET)
                return "-";
        return l->device[0] ? l->device : "all";
}

static int setting_open(const char *scope, const char *name, int flags)
{
        char path[128];

        snprintf(path, sizeof(path), "/proc/sys/net/ipv4/conf/%s/%s", scope, name);
        int fd = open(path, flags | O_CLOEXEC);
        return fd == -1 ? -errno : fd;
}

static int setting_read(const char *scope, const char *name, long *ret_value)
{
        char text[32];
        int fd = setting_open(scope, name, O_RDONLY);

        if (fd < 0)
                return fd;
        ssize_t n = read(fd, text, sizeof(text) - 1);
        int error = n == -1 ? -errno : 0;
        close(fd);
        if (error)
                return error;
        text[n] = '\0';
        *ret_value = strtol(text, NULL, 10);
        return 0;
}

static int setting_write(const char *scope, const char *name, long value)
{
        char text[32];
        int n = snprintf(text, sizeof(text), "%ld\n", value), fd = setting_open(scope, name, O_WRONLY);

        if (fd < 0)
                return fd;
        int error = write(fd, text, (size_t)n) == -1 ? -errno : 0;
        close(fd);
        return error;
}

static bool is_noted(const struct kept *k, const char *scope, const char *name)
{
        for (size_t i = 0; i < k->found_count; i++)
                if (strcmp(k->found[i].scope, scope) == 0 && strcmp(k->found[i].name, name) == 0)
                        return true;
        return false;
}

/* Written down before it is changed: who comes after a crash finds what was there, not what we made of it. */
static int note(struct kept *k, const struct loopback *l, char *why)
{
        const char *scope = scope_of(l);
        bool fresh = !kept_user(k, l->user);

        if (fresh && k->user_count == USERS_MAX)
                return -ENOSPC;
        if (fresh) {
                struct user *u = &k->user[k->user_count++];
                text_copy(u->name, sizeof(u->name), l->user);
                text_copy(u->scope, sizeof(u->scope), scope);
        }
        for (size_t i = 0; l->ip.family == AF_INET && i < COUNT(quiet); i++) {
                struct found f = {0};
                if (is_noted(k, scope, quiet[i].name))
                        continue;
                int error = setting_read(scope, quiet[i].name, &f.value);
                if (!error && k->found_count == FOUND_MAX)
                        error = -ENOSPC;
                if (error) {
                        snprintf(why, LOOPBACK_WHY, "net.ipv4.conf.%s.%s: %s", scope, quiet[i].name,
                                 strerror(-error));
                        return error;
                }
                text_copy(f.scope, sizeof(f.scope), scope);
                text_copy(f.name, sizeof(f.name), quiet[i].name);
                k->found[k->found_count++] = f;
                fresh = true;
        }
        return fresh ? kept_write(l->keep, k) : 0;
}

/* 1 when something was changed. */
static int silence(const struct loopback *l, char *why)
{
        const char *scope = scope_of(l);
        int changed = 0;

        for (size_t i = 0; l->ip.family == AF_INET && i < COUNT(quiet); i++) {
                long value = 0;
                int error = setting_read(scope, quiet[i].name, &value);
                if (!error && value < quiet[i].least) {
                        error = setting_write(scope, quiet[i].name, quiet[i].least);
                        changed = 1;
                }
                if (error) {
                        snprintf(why, LOOPBACK_WHY, "net.ipv4.conf.%s.%s cannot be set to %ld: %s", scope,
                                 quiet[i].name, quiet[i].least, strerror(-error));
                        return error;
                }
        }
        return changed;
}

/* What nobody uses any more becomes as it was found. An interface that is gone has taken its settings along.
 */
static int restore(struct kept *k, char *why)
{
        int error = 0;
        size_t left = 0;

        for (size_t i = 0; i < k->found_count; i++) {
                const struct found *f = &k->found[i];
                int failed = is_used(k, f->scope) ? -EBUSY : setting_write(f->scope, f->name, f->value);
                if (failed == 0 || failed == -ENOENT)
                        continue;
                k->found[left++] = *f;
                if (failed == -EBUSY)
                        continue;
                error = failed;
                snprintf(why, LOOPBACK_WHY, "net.ipv4.conf.%s.%s cannot be set back to %ld: %s", f->scope,
                         f->name, f->value, strerror(-failed));
        }
        k->found_count = left;
        return error;
}

/* --- the address --- */

static uint8_t host_bits(const struct ip *ip)
{
        return ip->family == AF_INET6 ? 128 : 32;
}

static int address_there(struct netlink *n, const struct ip *ip, bool *ret_there)
{
        struct interfaces all = {0};
        int error = netlink_dump(n, RTM_GETADDR, interfaces_collect, &all);

        *ret_there = interfaces_has(&all, if_nametoindex("lo"), ip);
        interfaces_free(&all);
        return error;
}

static int address_add(struct netlink *n, const struct ip *ip)
{
        const struct netlink_address wanted = {.ip = *ip,
                                               .prefix = host_bits(ip),
                                               .ifindex = if_nametoindex("lo"),
                                               .valid_s = NETLINK_FOREVER,
                                               .passive = true};

        return netlink_address_set(n, &wanted);
}

/* 1 when it was added. */
static int address_ensure(const struct ip *ip)
{
        struct netlink n;
        bool there = false;
        int error = netlink_open(&n);

        if (error)
                return error;
        error = address_there(&n, ip, &there);
        if (!error && !there) {
                error = address_add(&n, ip);
                error = error ? error : 1;
        }
        netlink_close(&n);
        return error;
}

static int address_drop(const struct ip *ip)
{
        struct netlink n;
        int error = netlink_open(&n);

        if (error)
                return error;
        error = netlink_address_remove(&n, ip, host_bits(ip), if_nametoindex("lo"));
        netlink_close(&n);
        return error == -EADDRNOTAVAIL ? 0 : error;
}

/* --- */

int loopback_set(const struct loopback *l, char why[static LOOPBACK_WHY])
{
        struct kept k;
        int error = kept_read(l->keep, &k), silenced = 0;

        why[0] = '\0';
        if (!error)
                error = note(&k, l, why);
        if (error) {
                if (!why[0])
                        snprintf(why, LOOPBACK_WHY, "%s: %s", l->keep, strerror(-error));
                return error;
        }
        silenced = silence(l, why);
        if (silenced < 0)
                return silenced;
        int added = address_ensure(&l->ip);
        if (added < 0) {
                snprintf(why, LOOPBACK_WHY, "cannot be added to lo: %s", strerror(-added));
                return added;
        }
        if (added)
                snprintf(why, LOOPBACK_WHY, "it was not on lo");
        else if (silenced)
                snprintf(why, LOOPBACK_WHY, "arp_ignore or arp_announce had been lowered");
        return added || silenced;
}

int loopback_clear(const struct loopback *l, char why[static LOOPBACK_WHY])
{
        struct kept k;
        int error = kept_read(l->keep, &k);
        struct user *u = error ? NULL : kept_user(&k, l->user);

        why[0] = '\0';
        if (!error && !u)
                return 0; /* never set up; the address on lo, if there is one, is somebody else's */
        if (!error)
                error = address_drop(&l->ip);
        if (error) {
                snprintf(why, LOOPBACK_WHY, "it cannot be taken off lo: %s", strerror(-error));
                return error;
        }
        *u = k.user[--k.user_count];
        int failed = restore(&k, why);
        error = kept_write(l->keep, &k);
        if (error && !failed)
                snprintf(why, LOOPBACK_WHY, "%s: %s", l->keep, strerror(-error));
        return failed ? failed : error;
}

bool loopback_there(const struct loopback *l)
{
        struct kept k;
        struct netlink n;
        bool there = false;

        if (kept_read(l->keep, &k) < 0 || !kept_user(&k, l->user) || netlink_open(&n) < 0)
                return false;
        if (address_there(&n, &l->ip, &there) < 0)
                there = false;
        netlink_close(&n);
        return there;
}
