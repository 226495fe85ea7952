#include "main/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Two processes share these words: an atomic that needs a lock would need one that both see. */
_Static_assert(ATOMIC_INT_LOCK_FREE == 2 && ATOMIC_LLONG_LOCK_FREE == 2,
               "the ledger's words must be lock-free");
_Static_assert(sizeof(struct ledger) <= LEDGER_BYTES, "the ledger has outgrown the memory of older releases");

/* NULL with errno set. */
static struct ledger *map(int fd)
{
        void *l = mmap(NULL, LEDGER_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

        return l == MAP_FAILED ? NULL : (struct ledger *)l;
}

int ledger_create(uint64_t boot, struct ledger **ret_ledger, int *ret_fd)
{
        struct ledger *l = NULL;
        int fd = memfd_create("haven-ledger", MFD_CLOEXEC | MFD_ALLOW_SEALING);

        if (fd == -1)
                return -errno;
        /* sealed: no process that has the descriptor can shrink it under the other's feet */
        if (ftruncate(fd, LEDGER_BYTES) == 0 &&
            fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
                l = map(fd);
        if (!l) {
                int error = -errno;
                close(fd);
                return error;
        }
        l->magic = LEDGER_MAGIC;
        l->version = LEDGER_VERSION;
        l->boot = boot;
        l->last_answer_us = instant_now().us;
        l->watch_fd = -1;
        *ret_ledger = l;
        *ret_fd = fd;
        return 0;
}

int ledger_map(int fd, struct ledger **ret_ledger)
{
        struct stat st;

        if (fstat(fd, &st) == -1)
                return -errno;
        if (st.st_size != LEDGER_BYTES)
                return -EBADMSG;
        struct ledger *l = map(fd);
        if (!l)
                return -errno;
        if (l->magic != LEDGER_MAGIC || l->version == 0 || l->version > LEDGER_VERSION) {
                ledger_unmap(l);
                return -EBADMSG;
        }
        l->version = LEDGER_VERSION; /* what the earlier layout had not is zero */
        *ret_ledger = l;
        return 0;
}

void ledger_unmap(struct ledger *l)
{
        if (l)
                munmap(l, LEDGER_BYTES);
}

static bool change(_Atomic uint32_t *state, enum ledger_hold from, enum ledger_hold to)
{
        uint32_t expected = from;

        return atomic_compare_exchange_strong(state, &expected, to);
}

static bool epoch_newer(struct epoch a, struct epoch b)
{
        return a.term != b.term ? a.term > b.term : a.n > b.n;
}

/* The supervisor sleeps without a timer while nothing is held. */
static void wake_supervisor(const struct ledger *l)
{
        if (l->watch_fd != -1)
                eventfd_write(l->watch_fd, 1); /* fails only when it is full, that is, noticed already */
}

/* Of a group that is not held and whose last epoch is the oldest: most likely gone from the configuration. If
 * it is not, the core writes what it seals anew with its next turn. */
static struct ledger_group *oldest_free(struct ledger *l)
{
        struct ledger_group *oldest = NULL;

        for (size_t i = 0; i < GROUPS_MAX; i++) {
                struct ledger_group *g = &l->group[i];
                if (ledger_state(&g->state) == LEDGER_FREE && g->hold == 0 &&
                    (!oldest || g->sealed_term < oldest->sealed_term))
                        oldest = g;
        }
        return oldest;
}

struct ledger_group *ledger_group(struct ledger *l, uint32_t group)
{
        struct ledger_group *unused = NULL;

        for (size_t i = 0; i < GROUPS_MAX; i++) {
                if (l->group[i].group == group)
                        return &l->group[i];
                if (l->group[i].group == 0 && !unused)
                        unused = &l->group[i];
        }
        if (!unused && (unused = oldest_free(l)) != NULL) {
                unused->epoch_term = unused->epoch_n = 0;
                unused->sealed_term = unused->sealed_n = 0;
        }
        if (unused)
                unused->group = group;
        return unused;
}

bool ledger_group_hold(struct ledger *l, struct ledger_group *g, struct epoch epoch)
{
        enum ledger_hold state = ledger_state(&g->state);

        if (!epoch_newer(epoch, ledger_group_sealed(g)))
                return false;
        if (state == LEDGER_HELD)
                return g->epoch_term == epoch.term && g->epoch_n == epoch.n;
        if (state != LEDGER_FREE)
                return false;
        g->epoch_term = epoch.term;
        g->epoch_n = epoch.n;
        if (!change(&g->state, LEDGER_FREE, LEDGER_HELD))
                return false;
        wake_supervisor(l);
        return true;
}

void ledger_group_seal(struct ledger_group *g, struct epoch epoch)
{
        if (!epoch_newer(epoch, (struct epoch){g->sealed_term, g->sealed_n}))
                return;
        g->sealed_term = epoch.term;
        g->sealed_n = epoch.n;
}

struct epoch ledger_group_sealed(struct ledger_group *g)
{
        struct epoch sealed = {g->sealed_term, g->sealed_n};
        struct epoch held = {g->epoch_term, g->epoch_n};

        /* whoever began the release may have died before it wrote the seal */
        if (ledger_state(&g->state) == LEDGER_RELEASING && epoch_newer(held, sealed))
                return held;
        return sealed;
}

bool ledger_group_release_begin(struct ledger_group *g)
{
        if (!change(&g->state, LEDGER_HELD, LEDGER_RELEASING))
                return false;
        ledger_group_seal(g, (struct epoch){g->epoch_term, g->epoch_n});
        return true;
}

bool ledger_group_free(struct ledger_group *g)
{
        if (ledger_state(&g->state) != LEDGER_RELEASING)
                return false;
        ledger_group_seal(g, (struct epoch){g->epoch_term, g->epoch_n});
        return change(&g->state, LEDGER_RELEASING, LEDGER_FREE);
}

struct ledger_address *ledger_address_find(struct ledger *l, const struct ip *ip, uint8_t prefix,
                                           uint32_t ifindex)
{
        for (size_t i = 0; i < LEDGER_ADDRESSES_MAX; i++) {
                struct ledger_address *a = &l->address[i];
                if (ledger_state(&a->state) != LEDGER_FREE && ip_equal(&a->ip, ip) && a->prefix == prefix &&
                    a->ifindex == ifindex)
                        return a;
        }
        return NULL;
}

struct ledger_address *ledger_address_hold(struct ledger *l, const struct ip *ip, uint8_t prefix,
                                           uint32_t ifindex)
{
        struct ledger_address *a = ledger_address_find(l, ip, prefix, ifindex);

        if (a)
                return ledger_state(&a->state) == LEDGER_HELD ? a : NULL;
        for (size_t i = 0; i < LEDGER_ADDRESSES_MAX; i++) {
                a = &l->address[i];
                if (ledger_state(&a->state) != LEDGER_FREE)
                        continue;
                a->ip = *ip;
                a->prefix = prefix;
                a->ifindex = ifindex;
                if (!change(&a->state, LEDGER_FREE, LEDGER_HELD))
                        continue;
                wake_supervisor(l);
                return a;
        }
        return NULL;
}

bool ledger_address_release_begin(struct ledger_address *a)
{
        return change(&a->state, LEDGER_HELD, LEDGER_RELEASING);
}

bool ledger_address_free(struct ledger_address *a)
{
        return change(&a->state, LEDGER_RELEASING, LEDGER_FREE);
}

bool ledger_holds(struct ledger *l)
{
        for (size_t i = 0; i < GROUPS_MAX; i++)
                if (ledger_state(&l->group[i].state) == LEDGER_HELD)
                        return true;
        for (size_t i = 0; i < LEDGER_ADDRESSES_MAX; i++)
                if (ledger_state(&l->address[i].state) == LEDGER_HELD)
                        return true;
        return false;
}
