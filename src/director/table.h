/* table.h - a table of IPVS: virtual services and their real servers, as wanted or as the kernel has it, and
 * the smallest change that leads from the one to the other.
 *
 * No system call, no clock. The words are the kernel's (linux/ip_vs.h); a value of zero is always what the
 * kernel takes for "not set". */
#pragma once

#include "base/ip.h"
#include "config/director.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WEIGHT_MOST 65535 /* ipvsadm's limit; wrr's sums stay far from overflowing */

/* Which packets: those to an address and port, or those that the firewall has marked. */
struct virtual_key {
        sa_family_t family; /* AF_INET, AF_INET6 */
        uint8_t protocol;   /* IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP; 0 with a mark */
        uint16_t port;      /* 0: any, of a persistent service */
        uint32_t mark;      /* 0: by address */
        struct ip ip;       /* family 0 with a mark */
};

/* What went through, since it was added, and per second now. */
struct traffic {
        uint64_t connections, packets_in, packets_out, bytes_in, bytes_out;
        uint64_t connections_s, packets_in_s, packets_out_s, bytes_in_s, bytes_out_s;
};

struct real_server {
        struct ip ip;
        uint16_t port; /* 0: the port that the client asked for */
        enum forward forward;
        enum tunnel tunnel;            /* these three with FORWARD_TUNNEL only */
        uint16_t tunnel_port;          /* GUE */
        enum tunnel_checksum checksum; /* GUE, GRE */
        uint32_t weight;               /* 0: gets no new connection */
        uint32_t upper, lower; /* connections at which it gets no more, until so few are left; 0: none */
        /* the kernel's, and no part of what is compared */
        bool local; /* an address of this machine, by an old kernel, which forgets `forward` */
        uint32_t active, inactive, persistent;
        struct traffic traffic;
};

#define SERVICE_ONE_PACKET 0x0004u /* each packet (UDP) is scheduled by itself */
#define SERVICE_FLAG_1     0x0008u /* the scheduler's flags: sh and mh fall back to another server */
#define SERVICE_FLAG_2     0x0010u /* sh and mh: the port counts too */
#define SERVICE_FLAG_3     0x0020u
#define SERVICE_FLAGS      (SERVICE_ONE_PACKET | SERVICE_FLAG_1 | SERVICE_FLAG_2 | SERVICE_FLAG_3)

struct virtual_service {
        struct virtual_key key;
        char scheduler[SCHEDULER_SIZE];
        uint32_t flags;         /* SERVICE_... */
        uint32_t persistence_s; /* 0: not persistent */
        uint8_t mask_bits; /* clients of one network of so many bits are one; 32 or 128: each by itself */
        char retriever[SCHEDULER_SIZE]; /* the persistence engine, "sip"; empty: none */
        size_t count, room;
        struct real_server *server; /* by address and port, once sorted */
        struct traffic traffic;     /* no part of what is compared */
};

struct table {
        size_t count, room;
        struct virtual_service *service; /* by key, once sorted */
};

/* Empty is {0}. */
void table_free(struct table *t);
/* Appends a service, without the servers of `s`. NULL: no memory. Valid until the next one is added. */
struct virtual_service *table_add(struct table *t, const struct virtual_service *s);
/* The same with its servers, of which it takes ownership, also when it fails. 0, or -ENOMEM. */
int table_add_whole(struct table *t, struct virtual_service *s);
/* Appends a server. With direct routing and tunnels the packets keep the service's port, so the server gets
 * that, as ipvsadm does it. 0, or -ENOMEM. */
int service_add(struct virtual_service *s, const struct real_server *r);
/* Frees the servers. */
void service_done(struct virtual_service *s);
/* To be done once all is in. False: a service stands in it twice (`*ret_twin`), or a server in that service.
 */
bool table_sort(struct table *t, const struct virtual_service **ret_twin);
/* Of one service alone; false: a server stands in it twice. */
bool service_sort(struct virtual_service *s);

struct virtual_service *table_service(const struct table *t, const struct virtual_key *key);
struct real_server *service_server(const struct virtual_service *s, const struct ip *ip, uint16_t port);

int virtual_key_compare(const struct virtual_key *a, const struct virtual_key *b);
/* By address and port alone. */
int real_server_compare(const struct real_server *a, const struct real_server *b);
/* Whether setting the one to the other would change nothing; of services, without their servers. */
bool service_same(const struct virtual_service *a, const struct virtual_service *b);
bool server_same(const struct real_server *wanted, const struct real_server *actual);

/* In the order in which they are made: */
enum change_kind {
        CHANGE_SERVICE_ADD,
        CHANGE_SERVICE_SET,
        CHANGE_SERVER_ADD, /* what is new comes before what goes, so that no service is empty in between */
        CHANGE_SERVER_SET,
        CHANGE_SERVER_REMOVE,
        CHANGE_SERVICE_REMOVE, /* with its servers */
};

/* Points into the tables, which must live as long. */
struct change {
        enum change_kind kind;
        const struct virtual_service *service; /* the wanted one; of REMOVE, the actual one */
        const struct real_server *server;      /* likewise; NULL for a service */
};

struct changes {
        size_t count, room;
        struct change *change;
        size_t foreign; /* services in the kernel that are not ours, and were left alone */
};

/* Empty is {0}. */
void changes_free(struct changes *c);
/* What leads from `actual` to `wanted`, both sorted. A service that is wanted is ours altogether: what it has
 * else is removed. One that is not wanted is removed when it is in `mine` (may be NULL): what we have set up
 * before; or with `sweep`. 0, or -ENOMEM. */
int changes_between(const struct table *wanted, const struct table *actual, const struct table *mine,
                    bool sweep, struct changes *to);
/* The same for one service, that is in the kernel. 0, or -ENOMEM. */
int changes_of_service(const struct virtual_service *wanted, const struct virtual_service *actual,
                       struct changes *to);

const char *forward_name(enum forward forward); /* "masq", "direct", "tunnel" */
const char *tunnel_name(enum tunnel tunnel);    /* "ipip", "gue", "gre" */
const char *protocol_name(uint8_t protocol);    /* "tcp", "udp", "sctp" */
/* "tcp 10.0.0.111:80", "udp [fd00::1]:53", "mark 7", "mark6 7". */
#define VIRTUAL_TEXT 72
const char *virtual_key_format(const struct virtual_key *key, char text[static VIRTUAL_TEXT]);
/* "10.0.0.11:80", "[fd00::2]:80". */
#define SERVER_TEXT 56
const char *endpoint_format(const struct ip *ip, uint16_t port, char text[static SERVER_TEXT]);
/* "tcp 10.0.0.111:80: adding 10.0.0.11:80 masq weight 5", for the log. */
#define CHANGE_TEXT 256
const char *change_format(const struct change *c, char text[static CHANGE_TEXT]);
