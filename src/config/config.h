/* config.h - the native configuration: what a person wrote, checked, with every default filled in.
 *
 * A configuration is one generation: built whole, compared, swapped, freed whole. Nothing in it changes after
 * config_load(). Nodes and groups are sorted by name, so that all nodes agree on every index whatever the
 * order in the file; the order of preference inside a group and of resources is the user's. */
#pragma once

#include "base/instant.h"
#include "base/ip.h"
#include "config/check.h"
#include "config/director.h"
#include "config/period.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define NODES_MAX        16
#define LINKS_MAX        8 /* in all */
#define GROUPS_MAX       64
#define TARGETS_MAX      8
#define RESOURCES_MAX    32 /* in one group */
#define CHECKS_MAX       8  /* in one group */
#define CONFIG_FILES_MAX 16 /* one file and what it includes */
#define WATCHES_MAX      64
#define HOSTS_MAX        256  /* of one watch */
#define SERVICES_MAX     16   /* of one watch */
#define WATCHED_MAX      4096 /* a service of a host is one; in all */
#define ALERTS_MAX       16
#define HAVEN_PORT       694 /* IANA ha-cluster/udp, heartbeat's own */

/* One end of a serial line. */
#define SERIAL_BAUD 115200
struct config_serial {
        char device[64];
        int baud;
        char peer_name[NAME_SIZE]; /* empty: not said */
        int peer;                  /* the node at the other end, or -1; by config_links_make() */
};

struct config_node {
        char name[NAME_SIZE]; /* "": not in the file any more; keeps its number by config_arrange() */
        uint32_t id;          /* text_id(name), also of who is gone */
        struct config_place place;
        int capacity; /* of load; 0: without limit */
        size_t address_count;
        struct ip address[LINKS_MAX]; /* the i-th addresses of all nodes together are a link */
        char address_text[LINKS_MAX][IP_TEXT];
        /* Own addresses too: each is an interface that sends to everybody in its network at once. */
        size_t multicast_count;
        struct ip multicast[LINKS_MAX];
        size_t broadcast_count;
        struct ip broadcast[LINKS_MAX]; /* IPv4 */
        uint8_t broadcast_bits[LINKS_MAX];
        size_t serial_count;
        struct config_serial serial[LINKS_MAX];
        size_t check_count;
        struct config_check *check; /* of its own health: while one is down, nothing is placed here that can
                                       be elsewhere */
};

enum link_kind { LINK_UDP, LINK_MULTICAST, LINK_BROADCAST, LINK_SERIAL, LINK_DISK, LINK_KINDS };

/* What two nodes hear each other by. All nodes agree on the order. */
struct config_link {
        enum link_kind kind;
        int number; /* among those of its kind: the index into each node's list; of serial lines, among the
                       pair's */
        uint32_t peers[NODES_MAX]; /* bit j of peers[i]: nodes i and j share it; never bit i */
};

enum arbiter_kind { ARBITER_NONE, ARBITER_PING, ARBITER_DISK, ARBITER_FENCE, ARBITER_WITNESS, ARBITER_ETCD };

struct config_arbiter {
        enum arbiter_kind kind;
        struct config_place place; /* line 0: not in the file, the default */
        size_t target_count;
        struct ip target[TARGETS_MAX]; /* ping: who has to answer; witness: several ways to the same one */
        uint16_t port;                 /* witness */
        char device[256];              /* disk: block device or file */
        bool disk_link;                /* disk: carries heartbeats too */
        span disk_dead;                /* disk: D of its own; 0: by default. See config_disk_dead() */
        char **endpoint;               /* etcd: URLs, NULL-terminated */
        char key_prefix[128];          /* etcd */
        char ca[256], cert[256], cert_key[256]; /* etcd: files; empty: none */
};

enum resource_kind {
        RESOURCE_ADDRESS,
        RESOURCE_SERVICE,
        RESOURCE_PROCESS,
        RESOURCE_SCRIPT,
        RESOURCE_DIRECTOR,
        RESOURCE_REALSERVER,
        RESOURCE_KINDS
};

enum script_style {
        SCRIPT_LSB,
        SCRIPT_HEARTBEAT
}; /* /etc/init.d NAME ACTION; resource.d NAME ARG... ACTION */

struct config_resource {
        enum resource_kind kind;
        char name[96]; /* its title in the file: "10.0.0.111/24", "nginx", "web" */
        struct config_place place;
        span start_timeout;
        span stop_timeout;
        span status_timeout;  /* of one look at it (script) */
        span status_interval; /* 0: never looked at (script) */
        bool warm;            /* may run on the target before the old owner stops it (planned moves) */

        /* address; realserver, with the prefix of a host */
        struct ip ip;
        uint8_t prefix;
        char device[16]; /* empty: found by the prefix */
        struct ip verify[TARGETS_MAX];
        size_t verify_count;

        /* service: the systemd unit, ".service" completed */
        char unit[128];

        /* process: argv of an absolute program, NULL-terminated; script: path and its leading arguments */
        char **argv;
        char user[32];        /* process: run as; empty: root */
        char directory[256];  /* process: working directory */
        char **environment;   /* process: NAME=VALUE..., NULL-terminated */
        span ready_after;     /* process: counts as started when it has lived so long */
        char stop_signal[12]; /* process: "TERM" */
        enum script_style style;

        struct config_director *director; /* NULL: another kind */
};

/* What resets a node that holds something and may not: /dev/watchdog, one on every node. */
struct config_watchdog {
        bool present;
        struct config_place place;
        char device[256];
        span timeout; /* W: unfed for so long, the device resets the machine, */
        span reset;   /* and so long that takes */
};

#define FENCES_MAX (4 * NODES_MAX)

enum fence_action { FENCE_ACTION_REBOOT, FENCE_ACTION_OFF };

/* A device that switches the power of nodes, driven by an agent of the fence-agents' convention. */
struct config_fence {
        char name[NAME_SIZE];
        struct config_place place;
        char agent[256]; /* "fence_ipmilan", found in /usr/sbin; or an absolute path */
        size_t node_count;
        uint8_t node[NODES_MAX]; /* whose power it switches */
        int level;               /* devices of a level are used together; the next one when that failed */
        char **option;           /* KEY=VALUE, NULL-terminated; NULL: none */
        char **plug;             /* NODE=PLUG, likewise */
        char password_file[256]; /* empty: none */
        char user[32];           /* the agent runs as; empty: root */
        span timeout;            /* of one call */
        span delay;              /* weak arbiter: of the second of two leaders that shoot each other */
        enum fence_action action;
        bool confirm; /* off is believed only once a status query says so too */
};

enum stop_failure { STOP_FAILURE_BLOCK, STOP_FAILURE_RESET };

enum failback_kind { FAILBACK_AUTO, FAILBACK_MANUAL, FAILBACK_AFTER };
enum exclusive_kind { EXCLUSIVE_ADDRESS, EXCLUSIVE_DATA };

struct config_group {
        char name[NAME_SIZE];
        uint32_t id; /* text_id(name) */
        struct config_place place;
        size_t node_count;
        uint8_t node[NODES_MAX]; /* indices into config.node, in order of preference */
        enum failback_kind failback;
        span failback_after;
        int restart_max;     /* restarts in place... */
        span restart_window; /* ...within this */
        span forgive_after;  /* 0: a node marked failed stays so until `haven clear` */
        enum exclusive_kind exclusive;
        bool accept_split;
        enum stop_failure on_stop_failure;
        int load;        /* what it takes of its node's capacity */
        int priority;    /* who gets room first where it is scarce */
        bool everywhere; /* runs on all its nodes at once */
        /* names of other groups, NULL-terminated; NULL: none */
        char **with;  /* on the same node as these */
        char **apart; /* never on one node with these */
        char **after; /* starts after these, and stops before them */
        size_t resource_count;
        struct config_resource *resource; /* in order of start */
        size_t check_count;
        struct config_check *check;
};

/* A check of a service: one for each host, in their order. */
struct config_watch_check {
        enum check_kind kind;
        char name[NAME_SIZE];
        char *text;                  /* its words as they are printed, a line each */
        struct config_check **check; /* of each host */
};

struct config_service {
        char name[NAME_SIZE];
        struct config_place place;
        size_t check_count;
        struct config_watch_check *check;
        size_t period_count;
        struct config_period period[PERIODS_MAX]; /* outside of these its failures are told to nobody */
        char **depends;                           /* WATCH:SERVICE[@HOST], NULL-terminated; NULL: none */
        int flap_max;                             /* changes... */
        span flap_window;                         /* ...within this are flapping; 0: never are */
};

struct config_watch {
        char name[NAME_SIZE];
        struct config_place place;
        char group[NAME_SIZE]; /* runs where this group does; "": on the leader */
        char **host;           /* NULL-terminated */
        size_t host_count;
        char **depends; /* as of a service, for all of them */
        size_t service_count;
        struct config_service *service;
};

enum alert_kind { ALERT_EXEC, ALERT_MAIL, ALERT_WEBHOOK, ALERT_MON, ALERT_JOURNAL, ALERT_KINDS };

/* what an alert can be about; bits of config_alert.on, in the order of alert_events */
enum alert_on {
        ALERT_DOWN = 1U << 0,         /* a node, a group's service or something watched failed */
        ALERT_UP = 1U << 1,           /* it is back */
        ALERT_MOVED = 1U << 2,        /* a group has another owner */
        ALERT_SPLIT = 1U << 3,        /* a split, or a second holder of an address, was seen */
        ALERT_BLOCKED = 1U << 4,      /* something waits for a person */
        ALERT_FAILING = 1U << 5,      /* it was told to be down, and still is */
        ALERT_FLAPPING = 1U << 6,     /* it comes and goes: no more is told of it until it stays */
        ALERT_FENCED = 1U << 7,       /* a node was powered off, or could not be */
        ALERT_QUORUM = 1U << 8,       /* the quorum was lost */
        ALERT_ACKNOWLEDGED = 1U << 9, /* somebody takes care of it */
};
#define ALERT_EVENTS 10

enum mail_tls { MAIL_TLS_TRY, MAIL_TLS_REQUIRE, MAIL_TLS_OFF };

struct config_alert {
        enum alert_kind kind;
        char name[NAME_SIZE]; /* default: its kind, and a number where there are several */
        struct config_place place;
        unsigned on;
        char **about; /* WATCH, WATCH:SERVICE, group or node; NULL: everything */
        size_t period_count;
        struct config_period period[PERIODS_MAX];
        int after_count;     /* failures of its checks in a row before it is told; 0: see `after` */
        span after;          /* or how long it has failed */
        span every;          /* told again as often while it lasts; 0: once */
        int most;            /* messages... */
        span most_window;    /* ...within this; what is more waits and becomes one */
        span gather;         /* what comes within this becomes one message */
        span unacknowledged; /* told only what nobody has acknowledged for so long; 0: at once */
        span timeout;        /* of one delivery */
        char **argv;         /* exec, mon */
        /* mail */
        char **to;
        char from[128];   /* empty: haven@ and the node's host name */
        char server[256]; /* smtp:// or smtps:// */
        enum mail_tls tls;
        char user[64]; /* empty: without a login */
        /* webhook */
        char url[512];
        char **header;
        /* mail and webhook */
        char secret_file[256]; /* password of the login, or the bearer token; empty: none */
        char ca[256];          /* file with certificates; empty: the system's */
};

/* The lease gate in the kernel (takeover/gate.h): use it where it can be had; hold no address without; leave
 * it. */
enum gate_wish { GATE_WISH_TRY, GATE_WISH_REQUIRE, GATE_WISH_OFF };

struct config {
        char path[256];
        char cluster[NAME_SIZE];
        char key_path[256];
        span heartbeat;
        span dead;
        span warn;       /* silence of a link that is warned of before it counts as death */
        span start_wait; /* with a weak arbiter: how long a starting node waits for the other */
        uint16_t port;
        size_t multicast_group_count;
        struct ip multicast_group[2]; /* one of each family that is wanted */
        int multicast_ttl;
        enum gate_wish gate;
        span ungated_wait; /* before an address is taken from a silent node; 0: not waited */
        size_t node_count;
        struct config_node *node;
        size_t link_count;
        struct config_link link[LINKS_MAX]; /* derived from the nodes by config_links_make() */
        struct config_arbiter arbiter;
        struct config_watchdog watchdog;
        size_t fence_count;
        struct config_fence *fence; /* by name */
        size_t group_count;
        struct config_group *group;
        size_t watch_count;
        struct config_watch *watch; /* by name */
        size_t alert_count;
        struct config_alert *alert;
        uint32_t members_digest; /* of the sorted node names, the arbiter's kind and disk */
        uint32_t arbiter_digest; /* of the arbiter's kind and disk */
        uint64_t digest;         /* of the whole canonical text */
};

/* Called for each mistake: `file` and `line` where it stands, `text` what is wrong and what would be right.
 */
typedef void config_mistake_fn(void *user, const char *file, int line, const char *text);

/* Reads and checks `path`. Every mistake is reported, in the order of the file; a syntax error may hide what
 * follows it. Returns NULL if there was any. The caller frees the result with config_free(). */
struct config *config_load(const char *path, config_mistake_fn *on_mistake, void *user);
/* The same for text that is in memory already; `name` stands for the file in what is reported. */
struct config *config_parse(const char *text, const char *name, config_mistake_fn *on_mistake, void *user);
void config_free(struct config *c);

/* Writes the configuration in full, defaults included, in a form that config_load() reads back to the same.
 */
void config_print(const struct config *c, FILE *to);

/* "FILE:LINE: TEXT" and a newline; line 0 is the file as a whole and left out. */
void config_print_mistake(FILE *to, const char *file, int line, const char *text);

/* Numbers the nodes as a cluster that runs does: ids[i] is text_id() of the name of node i. Who is not in the
 * file any more keeps its place, without a name or a link; who is new comes after them. -E2BIG: too many. */
int config_arrange(struct config *c, const uint32_t *ids, size_t count);
/* Index of the named node or group, or -1. */
int config_find_node(const struct config *c, const char *name);
int config_find_group(const struct config *c, const char *name);
int config_find_watch(const struct config *c, const char *name);
/* "WATCH:SERVICE", with "@HOST" if one is meant. 0, or -EINVAL: there is none; *ret_host is -1 without one.
 */
int config_find_watched(const struct config *c, const char *text, int *ret_watch, int *ret_service,
                        int *ret_host);

/* Whether a device can switch off node `node` (index). */
/* `agent = disk`: a poison pill on a shared disk. */
bool config_fence_is_pill(const struct config_fence *f);
/* The disk where this cluster's pills stand; NULL: no fence section is of that kind. */
const char *config_pill_device(const struct config *c);
bool config_can_fence(const struct config *c, int node);

/* Fills in config.link from what the nodes have; config_load() has done so. Returns how many links there
 * would be, of which no more than LINKS_MAX are filled in. */
size_t config_links_make(struct config *c);
/* Whether these two different nodes share the link. */
bool config_link_shared(const struct config *c, int link, int node, int other);
/* The node's own address there; NULL: a serial line or a disk, or the node is not on the link. */
const struct ip *config_link_ip(const struct config *c, int link, int node);
/* What all on the link listen to: the group or the broadcast address; family 0 where there is no such thing.
 */
struct ip config_link_all(const struct config *c, int link, int node);
/* The end of `node` of the line to `other`, who share it. */
const struct config_serial *config_link_serial(const struct config *c, int link, int node, int other);
/* How long a heartbeat of this cluster in quiet times occupies a serial line; a document makes it longer. */
span config_serial_time(const struct config *c, int baud);
/* "10.0.0.2", "serial ttyS0": how a person would find the way from `self` to `node` in the file. */
#define LINK_NAME 48
const char *config_link_name(const struct config *c, int link, int self, int node,
                             char name[static LINK_NAME]);

const char *resource_kind_name(enum resource_kind kind);
const char *alert_kind_name(enum alert_kind kind);
/* Of one bit of enum alert_on: "down". */
const char *alert_on_name(unsigned on);
const char *arbiter_kind_name(enum arbiter_kind kind);
/* Whether it is a true third vote, so that no split runs anything twice. */
bool arbiter_kind_is_strong(enum arbiter_kind kind);
/* How long a lease that the arbiter's disk has renewed binds whoever reads it; where the cluster's `dead` in
 * force is longer, so long. */
span config_disk_dead(const struct config *c);
