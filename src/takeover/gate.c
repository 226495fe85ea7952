#include "takeover/gate.h"

#include "base/log.h"
#include "takeover/gate_map.h"

#include "gate.skel.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A machine that loses the processor between reading the clock and the packet gets another try. */
#define TRIAL_TRIES 5
#define TRIAL_MS    50

#define PROGRAM_MAPS_MAX 8

struct gate {
        struct gate_bpf *bpf;
        uint32_t instance;
};

__attribute__((format(printf, 2, 0))) static int on_libbpf(enum libbpf_print_level level, const char *format,
                                                           va_list args)
{
        log_line_va(LOG_LEVEL_DEBUG, format, args);
        return 0;
}

static struct gate_key key_of(const struct ip *ip)
{
        struct gate_key key = {.bytes = {[10] = 0xff, [11] = 0xff}};

        if (ip->family == AF_INET)
                memcpy(key.bytes + 12, ip->bytes, 4);
        else
                memcpy(key.bytes, ip->bytes, 16);
        return key;
}

static struct ip ip_of(const struct gate_key *key)
{
        static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
        struct ip ip = {.family = AF_INET6};

        if (memcmp(key->bytes, mapped, sizeof(mapped)) == 0) {
                ip.family = AF_INET;
                memcpy(ip.bytes, key->bytes + 12, 4);
        } else {
                memcpy(ip.bytes, key->bytes, 16);
        }
        return ip;
}

static uint64_t nanoseconds(instant t)
{
        if (t.us <= 0)
                return 0;
        return (uint64_t)t.us > UINT64_MAX / 1000 ? UINT64_MAX : (uint64_t)t.us * 1000;
}

void gate_lease(struct gate *g, instant end)
{
        __atomic_store_n(&g->bpf->bss->gate_lease_end_ns, nanoseconds(end), __ATOMIC_RELEASE);
}

static bool has_left(const struct gate_entry *e)
{
        return e->mode == GATE_LEFT || e->mode == GATE_SERVED;
}

/* Only addresses that are here no longer can have filled it. */
static int make_room(int map)
{
        struct gate_key keys[GATE_ADDRESSES_MAX], *before = NULL;
        struct gate_entry entry;
        size_t count = 0, removed = 0;

        while (count < GATE_ADDRESSES_MAX && bpf_map_get_next_key(map, before, &keys[count]) == 0)
                before = &keys[count++];
        for (size_t i = 0; i < count; i++)
                if (bpf_map_lookup_elem(map, &keys[i], &entry) == 0 && has_left(&entry))
                        removed += bpf_map_delete_elem(map, &keys[i]) == 0;
        return removed ? 0 : -E2BIG;
}

static int set_entry(struct gate *g, const struct ip *ip, const struct gate_entry *entry)
{
        int map = bpf_map__fd(g->bpf->maps.gate_guarded);
        struct gate_key key = key_of(ip);
        int r = bpf_map_update_elem(map, &key, entry, BPF_ANY);

        if (r == -E2BIG && make_room(map) == 0)
                r = bpf_map_update_elem(map, &key, entry, BPF_ANY);
        return r;
}

int gate_guard(struct gate *g, const struct ip *ip, uint8_t prefix, bool leased)
{
        const struct gate_entry entry = {.mode = leased ? GATE_LEASED : GATE_SHUT, .prefix = prefix};

        return set_entry(g, ip, &entry);
}

void gate_leave(struct gate *g, const struct ip *ip, bool served)
{
        const struct gate_entry entry = {
                .mode = served ? GATE_SERVED : GATE_LEFT,
                .until_ns = nanoseconds(instant_add(instant_now(), span_s(GATE_LEFT_S)))};

        set_entry(g, ip, &entry); /* without room: nothing but what is late anyway gets out */
}

void gate_serve(struct gate *g, const struct ip *ip)
{
        struct gate_key key = key_of(ip);
        struct gate_entry entry;

        if (bpf_map_lookup_elem(bpf_map__fd(g->bpf->maps.gate_guarded), &key, &entry) != 0 ||
            entry.mode != GATE_LEFT)
                return;
        entry.mode = GATE_SERVED;
        set_entry(g, ip, &entry);
}

static void forget(struct gate *g, const struct ip *ip)
{
        struct gate_key key = key_of(ip);

        bpf_map_delete_elem(bpf_map__fd(g->bpf->maps.gate_guarded), &key);
}

int gate_try(struct gate *g, enum gate_way way, const void *frame, size_t size, bool *ret_dropped)
{
        const struct bpf_program *program =
                way == GATE_IN ? g->bpf->progs.haven_gate_in : g->bpf->progs.haven_gate_out;
        struct bpf_test_run_opts run = {.sz = sizeof(run), .data_in = frame, .data_size_in = (uint32_t)size};
        int r = bpf_prog_test_run_opts(bpf_program__fd(program), &run);

        *ret_dropped = run.retval == TC_ACT_SHOT;
        return r;
}

/* Whether a packet to `ip` is dropped at ingress. */
static int trial_packet(struct gate *g, const struct ip *ip, bool *ret_dropped)
{
        struct {
                struct ethhdr ethernet;
                struct iphdr ip;
        } __attribute__((packed))
        frame = {.ethernet.h_proto = htons(ETH_P_IP), .ip = {.ihl = 5, .version = 4}};

        memcpy(&frame.ip.daddr, ip->bytes, sizeof(frame.ip.daddr));
        return gate_try(g, GATE_IN, &frame, sizeof(frame), ret_dropped);
}

/* 1 when the gate opens and shuts by the clock that we read, 0 when it does not. */
static int trial(struct gate *g, const struct ip *ip)
{
        bool early, late;

        gate_lease(g, instant_add(instant_now(), span_ms(TRIAL_MS)));
        int r = trial_packet(g, ip, &early);
        if (r < 0)
                return r;
        gate_lease(g, instant_sub(instant_now(), span_us(1)));
        r = trial_packet(g, ip, &late);
        if (r < 0)
                return r;
        return !early && late;
}

static int prove(struct gate *g)
{
        const struct ip ip = {.family = AF_INET, .bytes = {192, 0, 2, 1}}; /* RFC 5737: for examples */
        int r = gate_guard(g, &ip, 32, true);

        for (int i = 0; r == 0 && i < TRIAL_TRIES; i++)
                r = trial(g, &ip);
        gate_lease(g, INSTANT_LONG_AGO);
        forget(g, &ip);
        return r;
}

static int refuse(struct gate *g, char *reason, const char *what, int error, const char *advice)
{
        snprintf(reason, GATE_REASON, "%s: %s%s", what, strerror(-error), advice);
        gate_free(g);
        return error;
}

int gate_new(uint32_t instance, struct gate **ret_gate, char reason[static GATE_REASON])
{
        struct gate *g = calloc(1, sizeof(*g));

        if (!g)
                return refuse(g, reason, "bpf", -ENOMEM, "");
        g->instance = instance;
        libbpf_set_print(on_libbpf);
        g->bpf = gate_bpf__open();
        if (!g->bpf)
                return refuse(g, reason, "bpf: cannot read the program", -errno, "");
        int r = gate_bpf__load(g->bpf);
        if (r == -EPERM || r == -EACCES)
                return refuse(g, reason, "bpf", r,
                              " (needs CAP_BPF and CAP_NET_ADMIN, or root outside of a container)");
        if (r == -ENOSYS || r == -EINVAL)
                return refuse(g, reason, "bpf", r, " (needs Linux 5.8 or later with CONFIG_BPF_SYSCALL)");
        if (r < 0)
                return refuse(g, reason, "bpf: the kernel refuses the program", r, "");
        if (!g->bpf->bss)
                return refuse(g, reason, "bpf: its memory cannot be shared", -EOPNOTSUPP, "");
        r = prove(g);
        if (r < 0)
                return refuse(g, reason, "bpf: cannot be tried", r, "");
        if (r == 0)
                return refuse(g, reason, "bpf: the gate does not shut by this machine's clock", -ETIME,
                              " (a time namespace?)");
        *ret_gate = g;
        return 0;
}

void gate_free(struct gate *g)
{
        if (!g)
                return;
        gate_bpf__destroy(g->bpf);
        free(g);
}

int gate_hang(struct gate *g, struct netlink *n, unsigned ifindex)
{
        const int program[GATE_WAYS] = {
                [GATE_IN] = bpf_program__fd(g->bpf->progs.haven_gate_in),
                [GATE_OUT] = bpf_program__fd(g->bpf->progs.haven_gate_out),
        };

        return gate_hook_hang(n, ifindex, g->instance, program);
}

const char *gate_hang_error(int error)
{
        switch (error) {
        case -EMEDIUMTYPE:
                return "it has an ingress qdisc, where clsact is needed (tc qdisc replace ... clsact)";
        case -EINVAL: return "a filter of another kind stands at priority 1 of its clsact";
        case -ENOENT: return "the kernel has no clsact or no bpf classifier (modules sch_ingress, cls_bpf)";
        case -EPERM: return "not permitted: needs CAP_NET_ADMIN";
        default: return strerror(-error);
        }
}

/* --- what an earlier process has left hanging --- */

/* The map of that program whose keys are guarded addresses; a negative errno. */
static int guarded_of(uint32_t program_id)
{
        uint32_t ids[PROGRAM_MAPS_MAX] = {0};
        struct bpf_prog_info program = {.nr_map_ids = PROGRAM_MAPS_MAX, .map_ids = (uintptr_t)ids};
        uint32_t size = sizeof(program);
        int fd = bpf_prog_get_fd_by_id(program_id);

        if (fd < 0)
                return fd;
        int r = bpf_obj_get_info_by_fd(fd, &program, &size);
        close(fd);
        for (uint32_t i = 0; r == 0 && i < program.nr_map_ids && i < PROGRAM_MAPS_MAX; i++) {
                struct bpf_map_info map = {0};
                size = sizeof(map);
                fd = bpf_map_get_fd_by_id(ids[i]);
                if (fd < 0)
                        return fd;
                if (bpf_obj_get_info_by_fd(fd, &map, &size) == 0 && strcmp(map.name, "gate_guarded") == 0 &&
                    map.key_size == sizeof(struct gate_key) && map.value_size == sizeof(struct gate_entry))
                        return fd;
                close(fd);
        }
        return r < 0 ? r : -ENOENT;
}

int gate_each_left(uint32_t instance, struct netlink *n, unsigned ifindex, gate_found_fn *on_found,
                   void *user)
{
        struct gate_key key, *before = NULL;
        struct gate_entry entry;
        uint32_t id;

        if (gate_hook_find(n, ifindex, instance, GATE_IN, &id) < 0)
                return 0;
        int map = guarded_of(id);
        if (map < 0)
                return map;
        while (bpf_map_get_next_key(map, before, &key) == 0) {
                struct ip ip = ip_of(&key);
                if (bpf_map_lookup_elem(map, &key, &entry) == 0 &&
                    (!has_left(&entry) || entry.until_ns > nanoseconds(instant_now())))
                        on_found(user, &ip, entry.prefix);
                before = &key;
        }
        close(map);
        return 0;
}
