#include "config/words.h"

#include "base/text.h"

#include <assert.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_MAX 64 /* sorts of sections, of which there are some forty */

#define MS     1000LL
#define SECOND 1000000LL
#define HOUR   (3600 * SECOND)
#define DAY    (24 * HOUR)

const char *const script_styles[] = {"lsb", "heartbeat", NULL};
const char *const exclusive_kinds[] = {"address", "data", NULL};
const char *const gate_wishes[] = {"try", "require", "off", NULL};
const char *const alert_events[] = {"down",     "up",     "moved",  "split",        "blocked", "failing",
                                    "flapping", "fenced", "quorum", "acknowledged", NULL};
const char *const mail_tls[] = {"try", "require", "off", NULL};
const char *const fence_actions[] = {"reboot", "off", NULL};
const char *const stop_failures[] = {"block", "reset", NULL};
const char *const scheduler_flags[] = {"fallback", "port", "flag-3", NULL};
static const char *const backends[] = {"ipvs", "nft", "auto", NULL};
static const char *const forwards[] = {"masq", "direct", "tunnel", NULL};
static const char *const tunnels[] = {"ipip", "gue", "gre", NULL};
static const char *const tunnel_checksums[] = {"none", "full", "remote", NULL};
static const char *const failed_servers[] = {"remove", "quiesce", NULL};
static const char *const transports[] = {"tcp", "udp", "sctp", NULL};
static const char *const ip_versions[] = {"ipv4", "ipv6", NULL};
static const char *const profiles[] = {"default", "fast", "wan", NULL};

#define CONFIG(field)   offsetof(struct config, field)
#define NODE(field)     offsetof(struct config_node, field)
#define ARBITER(field)  offsetof(struct config_arbiter, field)
#define WATCHDOG(field) offsetof(struct config_watchdog, field)
#define FENCE(field)    offsetof(struct config_fence, field)
#define GROUP(field)    offsetof(struct config_group, field)
#define RESOURCE(field) offsetof(struct config_resource, field)
#define ALERT(field)    offsetof(struct config_alert, field)
#define WATCH(field)    offsetof(struct config_watch, field)
#define SERVICE(field)  offsetof(struct config_service, field)
#define DIRECTOR(field) offsetof(struct config_director, field)
#define REAL(field)     offsetof(struct config_real, field)
#define VIRTUAL(field)  offsetof(struct config_virtual, field)

/* The order is that of printing. A default in angle brackets is computed in build.c. */
static const struct word words[] = {
        {"cluster", "key", &type_path, .offset = CONFIG(key_path), .most = 256, .fallback = "/etc/haven/key",
         .help = "file with the cluster's key"},
        {"cluster", "profile", &type_profile, .choices = profiles, .fallback = "default",
         .help = "defaults of heartbeat and dead together"},
        {"cluster", "heartbeat", &type_span, .offset = CONFIG(heartbeat), .least = 10 * MS,
         .most = 10 * SECOND, .fallback = "100ms", .help = "how often each node is heard"},
        {"cluster", "dead", &type_span, .offset = CONFIG(dead), .least = 30 * MS, .most = 300 * SECOND,
         .fallback = "500ms", .help = "silence that counts as death"},
        {"cluster", "warn", &type_span, .offset = CONFIG(warn), .least = 1 * MS, .most = 300 * SECOND,
         .fallback = "<60% of dead>", .help = "silence of a link that is warned of"},
        {"cluster", "start-wait", &type_span, .offset = CONFIG(start_wait), .least = 0, .most = HOUR,
         .fallback = "10s", .help = "how long a starting node waits for the others"},
        {"cluster", "port", &type_port, .offset = CONFIG(port), .fallback = "694", .help = "UDP port"},
        {"cluster", "gate", &type_choice, .choices = gate_wishes, .offset = CONFIG(gate), .fallback = "try",
         .help = "whether the kernel cuts addresses at the lease's end"},
        {"cluster", "ungated-wait", &type_span, .offset = CONFIG(ungated_wait), .least = 0,
         .most = 60 * SECOND, .fallback = "0s",
         .help = "before a silent node's addresses are taken, where gates may be missing"},

        {"cluster", "multicast-group", &type_ips, .list = true, .offset = CONFIG(multicast_group),
         .count_offset = CONFIG(multicast_group_count), .most = 2, .fallback = "<239.255.6.94 and ff12::694>",
         .help = "what multicast links are sent to"},
        {"cluster", "multicast-ttl", &type_hops, .offset = CONFIG(multicast_ttl), .least = 1, .most = 255,
         .fallback = "1", .help = "how many routers multicast may pass, and one"},

        {"node", "address", &type_ips, .list = true, .offset = NODE(address),
         .count_offset = NODE(address_count), .most = LINKS_MAX, .fallback = "",
         .help = "one address for each link"},
        {"node", "multicast", &type_ips, .list = true, .offset = NODE(multicast),
         .count_offset = NODE(multicast_count), .most = LINKS_MAX, .fallback = "",
         .help = "its address where the multicast group is heard"},
        {"node", "broadcast", &type_broadcasts, .list = true, .most = LINKS_MAX, .fallback = "",
         .help = "its address, with prefix, where all are told at once"},
        {"node", "serial", &type_serials, .list = true, .most = LINKS_MAX, .fallback = "",
         .help = "its ends of serial lines"},

        {"node", "capacity", &type_int, .offset = NODE(capacity), .least = 0, .most = 1000000,
         .fallback = "0", .help = "load that it carries; 0 is without limit"},

        {"arbiter ping", "target", &type_ips, .list = true, .required = true, .offset = ARBITER(target),
         .count_offset = ARBITER(target_count), .most = TARGETS_MAX, .help = "addresses that must answer"},

        {"arbiter disk", "device", &type_path, .required = true, .offset = ARBITER(device), .most = 256,
         .help = "the shared disk, prepared with haven disk init"},
        {"arbiter disk", "dead", &type_span, .offset = ARBITER(disk_dead), .least = 0, .most = HOUR,
         .fallback = "0s",
         .help = "how long what a leader has on it binds the others; 0s: 5s, or the cluster's"},
        {"arbiter disk", "link", &type_bool, .offset = ARBITER(disk_link), .fallback = "yes",
         .help = "whether the nodes hear each other over it, too"},

        {"arbiter witness", "address", &type_ips, .list = true, .required = true, .offset = ARBITER(target),
         .count_offset = ARBITER(target_count), .most = TARGETS_MAX, .help = "addresses of the one witness"},
        {"arbiter witness", "port", &type_port, .offset = ARBITER(port), .fallback = "6941",
         .help = "UDP port of the witness"},

        {"arbiter etcd", "endpoint", &type_endpoints, .list = true, .required = true,
         .offset = ARBITER(endpoint), .help = "URLs of the etcd cluster's members"},
        {"arbiter etcd", "key-prefix", &type_path, .offset = ARBITER(key_prefix), .most = 128,
         .fallback = "/haven/", .help = "what the key's name begins with; the cluster's name follows"},
        {"arbiter etcd", "ca", &type_path, .offset = ARBITER(ca), .most = 256, .fallback = "",
         .help = "file with the certificates that may have signed the members'"},
        {"arbiter etcd", "cert", &type_path, .offset = ARBITER(cert), .most = 256, .fallback = "",
         .help = "file with this node's certificate"},
        {"arbiter etcd", "cert-key", &type_path, .offset = ARBITER(cert_key), .most = 256, .fallback = "",
         .help = "file with its private key"},

        {"watchdog", "device", &type_path, .offset = WATCHDOG(device), .most = 256,
         .fallback = "/dev/watchdog", .help = "the device"},
        {"watchdog", "timeout", &type_span, .offset = WATCHDOG(timeout), .least = SECOND, .most = HOUR,
         .fallback = "10s", .help = "unfed for so long, it resets the machine"},
        {"watchdog", "reset", &type_span, .offset = WATCHDOG(reset), .least = 0, .most = HOUR,
         .fallback = "5s", .help = "how long the reset itself may take"},

        {"fence", "agent", &type_agent, .required = true, .offset = FENCE(agent), .most = 256,
         .help = "the agent's program, such as fence_ipmilan"},
        {"fence", "node", &type_nodes, .list = true, .required = true, .offset = FENCE(node),
         .count_offset = FENCE(node_count), .most = NODES_MAX, .help = "nodes whose power it switches"},
        {"fence", "level", &type_int, .offset = FENCE(level), .least = 1, .most = 9, .fallback = "1",
         .help = "devices of one level are used together, the next level when they failed"},
        {"fence", "option", &type_environment, .list = true, .offset = FENCE(option),
         .help = "KEY=VALUE for the agent"},
        {"fence", "plug", &type_environment, .list = true, .offset = FENCE(plug),
         .help = "NODE=PLUG: which of the device's plugs is the node's"},
        {"fence", "password-file", &type_path, .offset = FENCE(password_file), .most = 256, .fallback = "",
         .help = "its first line is the agent's password"},
        {"fence", "user", &type_user, .offset = FENCE(user), .most = 32, .fallback = "",
         .help = "the agent runs as; default: root"},
        {"fence", "timeout", &type_span, .offset = FENCE(timeout), .least = SECOND, .most = HOUR,
         .fallback = "60s", .help = "of one call of the agent"},
        {"fence", "delay", &type_span, .offset = FENCE(delay), .least = 0, .most = HOUR, .fallback = "5s",
         .help = "head start between two nodes that power each other off"},
        {"fence", "action", &type_choice, .choices = fence_actions, .offset = FENCE(action),
         .fallback = "reboot", .help = "whether the node is switched on again"},
        {"fence", "confirm", &type_bool, .offset = FENCE(confirm), .fallback = "yes",
         .help = "ask the device whether it is off"},

        {"group", "nodes", &type_nodes, .list = true, .required = true, .offset = GROUP(node),
         .count_offset = GROUP(node_count), .most = NODES_MAX, .help = "nodes in order of preference"},
        {"group", "failback", &type_failback, .fallback = "auto",
         .help = "whether the group returns to a better node"},
        {"group", "restart", &type_restart, .fallback = "3 in 5m", .help = "tries in place before it moves"},
        {"group", "forgive", &type_span, .offset = GROUP(forgive_after), .least = 0, .most = 365 * DAY,
         .fallback = "0s", .help = "when a failed node is good again; 0s is never"},
        {"group", "exclusive", &type_choice, .choices = exclusive_kinds, .offset = GROUP(exclusive),
         .fallback = "address", .help = "what must never be twice"},
        {"group", "accept-split", &type_bool, .offset = GROUP(accept_split), .fallback = "no",
         .help = "run exclusive data although a split can run both"},
        {"group", "on-stop-failure", &type_choice, .choices = stop_failures, .offset = GROUP(on_stop_failure),
         .fallback = "block", .help = "what follows when it cannot be stopped"},
        {"group", "load", &type_int, .offset = GROUP(load), .least = 0, .most = 65535, .fallback = "1",
         .help = "what it takes of its node's capacity"},
        {"group", "priority", &type_int, .offset = GROUP(priority), .least = 0, .most = 1000, .fallback = "0",
         .help = "who gets the room where it is scarce: the higher"},
        {"group", "with", &type_groups, .list = true, .offset = GROUP(with),
         .help = "groups that it shares a node with"},
        {"group", "apart", &type_groups, .list = true, .offset = GROUP(apart),
         .help = "groups that it never shares a node with"},
        {"group", "after", &type_groups, .list = true, .offset = GROUP(after),
         .help = "groups that it starts after and stops before"},
        {"group", "everywhere", &type_bool, .offset = GROUP(everywhere), .fallback = "no",
         .help = "runs on all its nodes at once"},

        {"address", "device", &type_device, .offset = RESOURCE(device), .most = 16, .fallback = "",
         .help = "network interface; default: the one in the same network"},
        {"address", "verify", &type_ips, .list = true, .offset = RESOURCE(verify),
         .count_offset = RESOURCE(verify_count), .most = TARGETS_MAX,
         .help = "neighbours asked whether they learned of a move"},

        {"process", "command", &type_command, .required = true, .offset = RESOURCE(argv),
         .help = "program and its arguments"},
        {"process", "user", &type_user, .offset = RESOURCE(user), .most = 32, .fallback = "",
         .help = "run as; default: root"},
        {"process", "directory", &type_path, .offset = RESOURCE(directory), .most = 256, .fallback = "/",
         .help = "working directory"},
        {"process", "environment", &type_environment, .list = true, .offset = RESOURCE(environment),
         .help = "NAME=VALUE for it"},
        {"process", "stop-signal", &type_signal, .offset = RESOURCE(stop_signal), .fallback = "TERM",
         .help = "what asks it to end"},
        {"process", "ready-after", &type_span, .offset = RESOURCE(ready_after), .least = 0, .most = HOUR,
         .fallback = "100ms", .help = "counts as started when it has lived so long"},

        {"script", "command", &type_command, .required = true, .offset = RESOURCE(argv),
         .help = "the script, and for heartbeat's style its leading arguments"},
        {"script", "style", &type_choice, .choices = script_styles, .offset = RESOURCE(style),
         .fallback = "lsb", .help = "how it is called and its status judged"},
        {"script", "status-interval", &type_span, .offset = RESOURCE(status_interval), .least = 0,
         .most = DAY, .fallback = "10s", .help = "how often its status is asked; 0s is never"},
        {"script", "status-timeout", &type_span, .offset = RESOURCE(status_timeout), .least = 10 * MS,
         .most = HOUR, .fallback = "20s", .help = "of one look at its status"},

#define RUNNABLE(section)                                                                                    \
        {section,          "warm",                                                                           \
         &type_bool,       .offset = RESOURCE(warm),                                                         \
         .fallback = "no", .help = "may run on the target before the old owner has stopped it"},             \
                {section,          "start-timeout", &type_span,        .offset = RESOURCE(start_timeout),    \
                 .least = 10 * MS, .most = HOUR,    .fallback = "60s", .help = "of its start"},              \
        {                                                                                                    \
                section, "stop-timeout", &type_span, .offset = RESOURCE(stop_timeout), .least = 10 * MS,     \
                                                     .most = HOUR, .fallback = "60s", .help = "of its stop"  \
        }
        RUNNABLE("service"),
        RUNNABLE("process"),
        RUNNABLE("script"),

        {"director", "backend", &type_choice, .choices = backends, .offset = DIRECTOR(backend),
         .fallback = "ipvs", .help = "what spreads the connections"},
        {"director", "masquerade", &type_bool, .offset = DIRECTOR(masquerade), .fallback = "no",
         .help = "whether servers see the director as the client; with nft"},
        {"director", "sync-interface", &type_device, .offset = DIRECTOR(sync_interface), .most = 16,
         .fallback = "",
         .help = "network over which the standby is told of the connections; default: it is not"},
        {"director", "sync-id", &type_int, .offset = DIRECTOR(sync_id), .least = 0, .most = 255,
         .fallback = "0", .help = "tells several pairs of directors in one network apart"},
        {"director", "sweep", &type_bool, .offset = DIRECTOR(sweep), .fallback = "no",
         .help = "whether virtual services that others have set up are removed"},

        {"director", "ldirectord", &type_texts, .list = true, .offset = DIRECTOR(ldirectord), .most = 256,
         .help = "files of ldirectord, whose services are served too"},

        {"realserver", "device", &type_device, .offset = RESOURCE(device), .most = 16, .fallback = "",
         .help = "network interface that does not answer for the address; default: none does"},

#define SERVER_WORDS(section)                                                                                \
        {section,                                                                                            \
         "forward",                                                                                          \
         &type_choice,                                                                                       \
         .choices = forwards,                                                                                \
         .offset = REAL(forward),                                                                            \
         .fallback = "masq",                                                                                 \
         .help = "how packets reach the server"},                                                            \
                {section,                                                                                    \
                 "tunnel",                                                                                   \
                 &type_choice,                                                                               \
                 .choices = tunnels,                                                                         \
                 .offset = REAL(tunnel),                                                                     \
                 .fallback = "ipip",                                                                         \
                 .help = "how packets are wrapped, with forward = tunnel"},                                  \
                {section,    "tunnel-port", &type_int,       .offset = REAL(tunnel_port),                    \
                 .least = 0, .most = 65535, .fallback = "0", .help = "UDP port of a gue tunnel"},            \
                {section,                                                                                    \
                 "tunnel-checksum",                                                                          \
                 &type_choice,                                                                               \
                 .choices = tunnel_checksums,                                                                \
                 .offset = REAL(checksum),                                                                   \
                 .fallback = "none",                                                                         \
                 .help = "of gue and gre tunnels"},                                                          \
                {section,    "weight",      &type_int,       .offset = REAL(weight),                         \
                 .least = 0, .most = 65535, .fallback = "1", .help = "share of the new connections"},        \
                {section,         "connections",                                                             \
                 &type_int,       .offset = REAL(upper),                                                     \
                 .least = 0,      .most = 1000000000,                                                        \
                 .fallback = "0", .help = "connections at which it gets no more; 0 is without limit"},       \
        {                                                                                                    \
                section, "connections-again", &type_int,                                                     \
                        .offset = REAL(lower), .least = 0, .most = 1000000000, .fallback = "0",              \
                        .help = "connections at which it gets some again; 0 is three quarters of these"      \
        }
        SERVER_WORDS("pool"),
        SERVER_WORDS("real"),

        {"virtual", "protocol", &type_choice, .choices = transports, .offset = VIRTUAL(transport),
         .fallback = "tcp", .help = "of an address and port"},
        {"virtual", "family", &type_choice, .choices = ip_versions, .offset = VIRTUAL(version),
         .fallback = "ipv4", .help = "of a firewall mark"},
        {"virtual", "pool", &type_texts, .list = true, .required = true, .offset = VIRTUAL(pool),
         .most = NAME_SIZE, .help = "pools whose servers stand behind it"},
        {"virtual", "scheduler", &type_name, .offset = VIRTUAL(scheduler), .most = SCHEDULER_SIZE,
         .fallback = "<wlc; wrr with backend = nft>", .help = "how the next server is found"},
        {"virtual", "scheduler-flags", &type_events, .list = true, .offset = VIRTUAL(flags),
         .choices = scheduler_flags, .help = "of sh and mh"},
        {"virtual", "one-packet", &type_bool, .offset = VIRTUAL(one_packet), .fallback = "no",
         .help = "whether each UDP packet finds its own server"},
        {"virtual", "persistence", &type_span, .offset = VIRTUAL(persistence), .least = 0, .most = 31 * DAY,
         .fallback = "0s", .help = "how long a client stays with its server; 0s is not at all"},
        {"virtual", "persistence-mask", &type_int, .offset = VIRTUAL(mask_bits), .least = 0, .most = 128,
         .fallback = "0", .help = "bits of the network whose clients are one; 0: each by itself"},
        {"virtual", "persistence-engine", &type_text, .offset = VIRTUAL(retriever), .most = SCHEDULER_SIZE,
         .fallback = "", .help = "what tells clients apart, such as sip; default: their address"},
        {"virtual", "fallback", &type_endpoint, .offset = VIRTUAL(fallback),
         .help = "server for when too few work"},
        {"virtual", "fallback-forward", &type_choice, .choices = forwards,
         .offset = VIRTUAL(fallback.forward), .fallback = "masq", .help = "how packets reach that"},
        {"virtual", "failed", &type_choice, .choices = failed_servers, .offset = VIRTUAL(failed),
         .fallback = "remove", .help = "what becomes of a server that does not work"},
        {"virtual", "slow-start", &type_span, .offset = VIRTUAL(slow_start), .least = 0, .most = HOUR,
         .fallback = "0s", .help = "how long the weight of a server rises that works again"},
        {"virtual", "quorum", &type_int, .offset = VIRTUAL(quorum), .least = 1, .most = SERVERS_MAX,
         .fallback = "1", .help = "so many working servers make it up"},
        {"virtual", "quorum-down", &type_int, .offset = VIRTUAL(quorum_down), .least = 0, .most = SERVERS_MAX,
         .fallback = "0", .help = "fewer than so many make it down; 0: fewer than quorum"},

        {"watch", "hosts", &type_hosts, .list = true, .required = true, .offset = WATCH(host),
         .most = HOSTS_MAX, .help = "addresses or names of the machines"},
        {"watch", "on", &type_where, .fallback = "leader", .help = "which node runs the checks"},
        {"watch", "depends", &type_watched, .list = true, .offset = WATCH(depends),
         .help = "what it is reached through: while that fails, nothing of this watch is told"},

        {"watch service", "period", &type_periods, .list = true, .offset = SERVICE(period),
         .count_offset = SERVICE(period_count), .help = "when failures are told"},
        {"watch service", "depends", &type_watched, .list = true, .offset = SERVICE(depends),
         .help = "what it needs: while that fails, nothing of this service is told"},
        {"watch service", "flapping", &type_rate, .offset = SERVICE(flap_max),
         .count_offset = SERVICE(flap_window), .most = 16, .fallback = "6 in 10m",
         .help = "changes that count as flapping"},

        {"alert", "name", &type_name, .offset = ALERT(name), .most = NAME_SIZE, .fallback = "<its kind>",
         .help = "tells alerts apart"},
        {"alert", "on", &type_events, .list = true, .offset = ALERT(on), .choices = alert_events,
         .fallback = "<all>", .help = "what is told"},
        {"alert", "for", &type_texts, .list = true, .offset = ALERT(about), .most = 128,
         .help = "watches, their services, groups and nodes that it is about"},
        {"alert", "period", &type_periods, .list = true, .offset = ALERT(period),
         .count_offset = ALERT(period_count), .help = "when failures are told"},
        {"alert", "after", &type_after, .fallback = "1", .help = "failures, or time, before it is told"},
        {"alert", "every", &type_span, .offset = ALERT(every), .least = 0, .most = 365 * DAY,
         .fallback = "0s", .help = "how often a failure that lasts is told again; 0s is once"},
        {"alert", "unacknowledged", &type_span, .offset = ALERT(unacknowledged), .least = 0,
         .most = 365 * DAY, .fallback = "0s", .help = "told only what nobody has acknowledged for so long"},
        {"alert", "most", &type_rate, .offset = ALERT(most), .count_offset = ALERT(most_window), .most = 1000,
         .fallback = "60 in 1h", .help = "messages; more become one"},
        {"alert", "timeout", &type_span, .offset = ALERT(timeout), .least = 100 * MS, .most = HOUR,
         .fallback = "30s", .help = "of one delivery"},

        {"alert exec", "command", &type_command, .required = true, .offset = ALERT(argv),
         .help = "program and its arguments"},

        {"alert mon", "command", &type_command, .required = true, .offset = ALERT(argv),
         .help = "mon's alert script and its own arguments"},

        {"alert mail", "to", &type_texts, .list = true, .required = true, .offset = ALERT(to), .most = 128,
         .help = "addresses"},
        {"alert mail", "from", &type_text, .offset = ALERT(from), .most = 128, .fallback = "",
         .help = "the sender"},
        {"alert mail", "server", &type_mail_server, .offset = ALERT(server), .most = 256,
         .fallback = "smtp://localhost", .help = "who takes the mail"},
        {"alert mail", "tls", &type_choice, .choices = mail_tls, .offset = ALERT(tls), .fallback = "try",
         .help = "whether STARTTLS is used"},
        {"alert mail", "user", &type_text, .offset = ALERT(user), .most = 64, .fallback = "",
         .help = "name for the login"},
        {"alert mail", "password-file", &type_path, .offset = ALERT(secret_file), .most = 256, .fallback = "",
         .help = "its first line is the password"},
        {"alert mail", "ca", &type_path, .offset = ALERT(ca), .most = 256, .fallback = "",
         .help = "file with the certificates that may have signed the server's"},
        {"alert mail", "gather", &type_span, .offset = ALERT(gather), .least = 0, .most = HOUR,
         .fallback = "5s", .help = "what comes within this time is one mail"},

        {"alert webhook", "url", &type_url, .required = true, .offset = ALERT(url), .most = 512,
         .help = "where the JSON is posted"},
        {"alert webhook", "header", &type_texts, .list = true, .offset = ALERT(header), .most = 512,
         .help = "headers to add"},
        {"alert webhook", "token-file", &type_path, .offset = ALERT(secret_file), .most = 256, .fallback = "",
         .help = "its first line is the bearer token"},
        {"alert webhook", "ca", &type_path, .offset = ALERT(ca), .most = 256, .fallback = "",
         .help = "file with the certificates that may have signed the server's"},
        {"alert webhook", "gather", &type_span, .offset = ALERT(gather), .least = 0, .most = HOUR,
         .fallback = "1s", .help = "what comes within this time is one request"},
};

const struct word *word_at(size_t i)
{
        if (i < COUNT(words))
                return &words[i];
        return i - COUNT(words) < check_words_count ? &check_words[i - COUNT(words)] : NULL;
}

/* The rows of one section, looked for once: a large file has thousands of sections, and few sorts of them. No
 * name in the table is as long as what is cut off here. */
struct rows {
        bool known;
        char section[NAME_SIZE], kind[NAME_SIZE];
        const struct word *row[WORDS_MAX + 1];
};

static bool are_of(const struct rows *r, const char *section, const char *kind)
{
        return r->known && strncmp(r->section, section, NAME_SIZE - 1) == 0 &&
               strncmp(r->kind, kind, NAME_SIZE - 1) == 0;
}

static void find_rows(struct rows *r, const char *section, const char *kind)
{
        const struct word *w;
        size_t n = 0;

        *r = (struct rows){.known = true};
        snprintf(r->section, sizeof(r->section), "%s", section);
        snprintf(r->kind, sizeof(r->kind), "%s", kind);
        for (size_t i = 0; (w = word_at(i)); i++)
                if (word_is_of(w, section, kind[0] ? kind : NULL)) {
                        assert(n < WORDS_MAX);
                        r->row[n++] = w;
                }
}

static const struct rows *rows_of(const char *section, const char *kind)
{
        static struct rows known[ROWS_MAX];
        static size_t last, next; /* found last; given up next, when there are too many */

        if (are_of(&known[last], section, kind))
                return &known[last];
        for (last = 0; last < ROWS_MAX && known[last].known; last++)
                if (are_of(&known[last], section, kind))
                        return &known[last];
        if (last == ROWS_MAX)
                last = next++ % ROWS_MAX;
        find_rows(&known[last], section, kind);
        return &known[last];
}

const struct word *word_next(const char *section, const char *kind, size_t *i)
{
        const struct rows *r = rows_of(section, kind ? kind : "");

        return r->row[*i] ? r->row[(*i)++] : NULL;
}

static const struct {
        const char *section;
        const char *inside;
} sections[] = {
        {"root", "cluster"},        {"root", "node"},        {"root", "arbiter"},     {"root", "group"},
        {"root", "alert"},          {"root", "watchdog"},    {"root", "watch"},       {"watch", "service"},
        {"watch service", "check"}, {"root", "fence"},       {"group", "address"},    {"group", "service"},
        {"group", "process"},       {"group", "script"},     {"group", "check"},      {"node", "check"},
        {"group", "director"},      {"director", "pool"},    {"director", "virtual"}, {"pool", "real"},
        {"pool", "check"},          {"group", "realserver"},
};

/* Whether the row is of this section or one of its kinds, not of a section inside it. */
static bool is_among(const char *row, const char *section)
{
        size_t n = strlen(section);

        if (strncmp(row, section, n) != 0)
                return false;
        return row[n] == '\0' || (row[n] == ' ' && strcmp(row, section_inside(section, row + n + 1)) != 0);
}

size_t words_of(const char *section, const char *found[static WORDS_MAX])
{
        const struct word *w;
        size_t count = 0;

        for (size_t i = 0; (w = word_at(i)); i++) {
                bool known = false;
                for (size_t k = 0; k < count; k++)
                        known |= strcmp(found[k], w->name) == 0;
                if (!is_among(w->section, section) || known)
                        continue;
                assert(count < WORDS_MAX);
                found[count++] = w->name;
        }
        return count;
}

size_t sections_of(const char *section, const char *found[static WORDS_MAX])
{
        size_t count = 0;

        for (size_t i = 0; i < COUNT(sections); i++)
                if (strcmp(sections[i].section, section) == 0)
                        found[count++] = sections[i].inside;
        return count;
}

const char *section_inside(const char *parent, const char *word)
{
        return strcmp(parent, "watch") == 0 && strcmp(word, "service") == 0 ? "watch service" : word;
}

bool section_has_title(const char *section)
{
        return strcmp(section, "watchdog") != 0;
}

/* Edits that make one word of the other; a swap of neighbours counts as one (Damerau). Words are short. */
static size_t distance(const char *a, const char *b)
{
        size_t d[34][34];
        size_t m = strlen(a), n = strlen(b);

        if (m > 32 || n > 32)
                return SIZE_MAX;
        for (size_t i = 0; i <= m; i++)
                d[i][0] = i;
        for (size_t j = 0; j <= n; j++)
                d[0][j] = j;
        for (size_t i = 1; i <= m; i++) {
                for (size_t j = 1; j <= n; j++) {
                        size_t best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
                        if (d[i - 1][j] + 1 < best)
                                best = d[i - 1][j] + 1;
                        if (d[i][j - 1] + 1 < best)
                                best = d[i][j - 1] + 1;
                        if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                            d[i - 2][j - 2] + 1 < best)
                                best = d[i - 2][j - 2] + 1;
                        d[i][j] = best;
                }
        }
        return d[m][n];
}

const char *nearest(const char *text, const char *const *known, size_t count)
{
        const char *best = NULL;
        size_t best_distance = SIZE_MAX;

        for (size_t i = 0; i < count; i++) {
                size_t d = distance(text, known[i]);
                if (d < best_distance) {
                        best = known[i];
                        best_distance = d;
                }
        }
        /* a third of the word wrong is another word */
        return best && best_distance * 3 <= strlen(best) ? best : NULL;
}
