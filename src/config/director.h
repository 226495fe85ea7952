/* director.h - what a configuration says of load balancing: pools of real servers, and the virtual services
 * that they stand behind. Part of config.h. */
#pragma once

#include "base/instant.h"
#include "base/ip.h"
#include "config/check.h"

#include <stddef.h>
#include <stdint.h>

#define POOLS_MAX      1024 /* in one director */
#define VIRTUALS_MAX   1024
#define SERVERS_MAX    1024 /* in one pool */
#define SCHEDULER_SIZE 16   /* IP_VS_SCHEDNAME_MAXLEN, with the end */

/* How packets reach the real server. */
enum forward { FORWARD_MASQ, FORWARD_DIRECT, FORWARD_TUNNEL };
enum tunnel { TUNNEL_IPIP, TUNNEL_GUE, TUNNEL_GRE };
enum tunnel_checksum { TUNNEL_NO_CHECKSUM, TUNNEL_CHECKSUM, TUNNEL_REMOTE_CHECKSUM };

/* What a real server is; in a pool, what those are that say nothing else. */
struct config_real {
        char name[64]; /* "10.0.0.11:80", canonical */
        struct config_place place;
        struct ip ip;
        uint16_t port; /* 0: the virtual service's */
        enum forward forward;
        enum tunnel tunnel;
        uint16_t tunnel_port; /* GUE */
        enum tunnel_checksum checksum;
        int weight;
        int upper, lower; /* connections; 0: no limit */
};

/* A check of a pool: one for each server, in their order. */
struct config_pool_check {
        struct config_place place;
        char *text;                  /* its words as they are printed, a line each */
        struct config_check **check; /* of each server */
};

struct config_pool {
        char name[32];
        struct config_place place;
        struct config_real all; /* for those that say nothing else */
        size_t server_count;
        struct config_real *server;
        size_t check_count;
        struct config_pool_check *check;
};

enum failed_server { FAILED_SERVER_REMOVE, FAILED_SERVER_QUIESCE };
enum virtual_protocol { TRANSPORT_TCP, TRANSPORT_UDP, TRANSPORT_SCTP };
enum ip_version { IP_VERSION_4, IP_VERSION_6 };

struct config_virtual {
        char name[64]; /* "10.0.0.111:80", "mark:7", canonical */
        struct config_place place;
        struct ip ip; /* family 0: by mark */
        uint16_t port;
        uint32_t mark;
        enum ip_version version; /* of a mark */
        enum virtual_protocol transport;
        char scheduler[SCHEDULER_SIZE];
        unsigned flags; /* bits by scheduler_flags of words.h */
        bool one_packet;
        span persistence; /* 0: not persistent */
        int mask_bits;    /* 0: each client by itself */
        char retriever[SCHEDULER_SIZE];
        char **pool; /* names, NULL-terminated */
        struct config_real fallback;
        bool has_fallback;
        enum failed_server failed;
        span slow_start;
        int quorum, quorum_down; /* quorum_down 0: as quorum */
};

enum config_backend { BACKEND_IPVS, BACKEND_NFT, BACKEND_AUTO };

struct config_director {
        size_t node_count;
        uint32_t node_id[16];    /* of the nodes of its group: they check the servers, the others do not */
        char sync_interface[16]; /* empty: connections are not told to the standby */
        int sync_id;
        bool sweep;
        enum config_backend backend;
        bool masquerade;   /* nftables only */
        char **ldirectord; /* paths of files as ldirectord.cf(5), NULL-terminated; NULL: none */
        size_t pool_count;
        struct config_pool *pool;
        size_t virtual_count;
        struct config_virtual *virtual;
};
