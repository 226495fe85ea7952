/* ipvs.h - the way to the kernel's IPVS: its generic netlink family (linux/ip_vs.h).
 *
 * It translates and reports; it remembers and decides nothing. Every call is answered by the kernel before it
 * returns. A process that must not stand still reads service by service, and makes changes in portions.
 * Errors are the kernel's, as negative errno. */
#pragma once

#include "director/table.h"

#include <libmnl/libmnl.h>

#define IPVS_INTERFACE 16 /* IP_VS_IFNAME_MAXLEN */

struct ipvs {
        struct mnl_socket *socket; /* NULL when closed */
        unsigned port;
        uint32_t sequence;
        uint16_t family;
};

/* -ENOENT: this kernel has no IPVS (yet): its module ip_vs is not loaded. */
int ipvs_open(struct ipvs *k);
void ipvs_close(struct ipvs *k);

/* The services, sorted, without their servers; then one's servers, sorted, instead of what it has. */
int ipvs_read_services(struct ipvs *k, struct table *ret_table);
int ipvs_read_servers(struct ipvs *k, struct virtual_service *s);
/* Both. On failure the table is empty. */
int ipvs_read(struct ipvs *k, struct table *ret_table);

/* Makes the changes in order, and goes on after one that the kernel refuses: each is told to `on_refused`, in
 * order. 0, or a negative errno when nothing is known about what was made. */
typedef void ipvs_refused_fn(void *user, const struct change *c, int error);
int ipvs_make(struct ipvs *k, const struct change *change, size_t count, ipvs_refused_fn *on_refused,
              void *user);
/* Why the kernel refused, and what would help. */
#define IPVS_WHY 200
const char *ipvs_why(const struct change *c, int error, char text[static IPVS_WHY]);

/* The kernel's thread that tells another director of the connections, and the one that listens. Both may run.
 */
enum sync_role { SYNC_MASTER, SYNC_BACKUP };

struct sync_daemon {
        bool running;
        char interface[IPVS_INTERFACE];
        uint8_t id;      /* as master: sent; as backup: listened for, 0 for every one */
        uint16_t size;   /* bytes of a message; 0: the kernel's default */
        struct ip group; /* family 0: the kernel's default, 224.0.0.81 */
        uint16_t port;   /* 0: the kernel's default, 8848 */
        uint8_t hops;    /* 0: the kernel's default, 1 */
};

int ipvs_sync_read(struct ipvs *k, struct sync_daemon ret_daemon[static 2]); /* by role */
/* -EEXIST: it runs already. */
int ipvs_sync_start(struct ipvs *k, enum sync_role role, const struct sync_daemon *d);
/* -ESRCH: it does not run. */
int ipvs_sync_stop(struct ipvs *k, enum sync_role role);

struct ipvs_info {
        unsigned version; /* 0x010201 is 1.2.1 */
        unsigned connection_table_size;
};
int ipvs_info(struct ipvs *k, struct ipvs_info *ret_info);

/* How long a connection is remembered, in seconds; 0 when set: as it is. */
struct ipvs_timeouts {
        uint32_t tcp_s, tcp_fin_s, udp_s;
};
int ipvs_timeouts_read(struct ipvs *k, struct ipvs_timeouts *ret_timeouts);
int ipvs_timeouts_set(struct ipvs *k, const struct ipvs_timeouts *t);
