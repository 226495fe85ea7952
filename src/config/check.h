/* check.h - one check as the user wants it: its rhythm, whom it looks at, and what its kind asks there.
 *
 * A new kind is a row in check_kind, a struct of its options in the union, its words in words_check.c (where
 * every option is a row: reading, printing, comparing and the way to the checker follow from it), a line in
 * check_target(), and a probe (monitor/probe.h). */
#pragma once

#include "base/instant.h"
#include "base/ip.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NAME_SIZE 32 /* of a cluster, node, group, resource or check, with the end */

/* Where something stands, for what is reported while it is loaded. */
struct config_place {
        int file; /* 0 is the file asked for, then those it includes */
        int line;
};

enum check_kind {
        CHECK_TCP,
        CHECK_HTTP,
        CHECK_ICMP,
        CHECK_TLS,
        CHECK_DNS,
        CHECK_COMMAND,
        CHECK_FILE,
        CHECK_DISK,
        CHECK_LOAD,
        CHECK_PROCESS,
        CHECK_FTP,
        CHECK_SMTP,
        CHECK_IMAP,
        CHECK_POP3,
        CHECK_LDAP,
        CHECK_REDIS,
        CHECK_POSTGRESQL,
        CHECK_MYSQL, /* and MariaDB */
        CHECK_TRAP,
        CHECK_SIP,
        CHECK_RADIUS,
};
#define CHECK_KINDS (CHECK_RADIUS + 1)

struct check_tcp {
        char *send;   /* NULL: nothing; \r \n \t \0 \xHH stand for bytes */
        char *expect; /* regular expression for what comes then; NULL: a connection is enough */
};

#define STATUS_RANGES_MAX 8
struct status_ranges {
        size_t count;
        struct {
                uint16_t from, to;
        } range[STATUS_RANGES_MAX];
};

enum check_method { METHOD_GET, METHOD_HEAD, METHOD_OPTIONS };
enum http_redirect { HTTP_REDIRECT_STAY, HTTP_REDIRECT_FOLLOW };
enum http_version { HTTP_VERSION_1_1, HTTP_VERSION_2 };

struct check_http {
        char *url;
        int method; /* enum check_method */
        char *host; /* Host header; NULL: the url's */
        char **header;
        struct status_ranges status;
        char *expect; /* regular expression for the body; NULL: any body */
        int redirect; /* enum http_redirect */
        int version;  /* enum http_version */
        bool verify;  /* https: the certificate must be good for the url's host */
        char *ca;     /* file of who may have signed it; NULL: what the system trusts */
};

struct check_icmp {
        int packets;  /* sent in one look */
        int loss_max; /* percent */
        span rtt_max; /* mean of what came back; 0: any */
        int size;     /* bytes of data in each */
};

struct check_tls {
        char *name;  /* asked for by SNI; NULL: none */
        int days;    /* the certificate must last */
        bool verify; /* and be good for `name` */
        char *ca;    /* file of who may have signed it; NULL: what the system trusts */
};

enum dns_type { DNS_A, DNS_AAAA, DNS_CNAME, DNS_MX, DNS_NS, DNS_PTR, DNS_SOA, DNS_SRV, DNS_TXT };

struct check_dns {
        char *name;
        int type;      /* enum dns_type */
        char **expect; /* the answers must be among these; NULL: any answer will do */
};

enum command_style { COMMAND_EXIT, COMMAND_NAGIOS, COMMAND_MON };
enum command_warning { WARNING_WORKS, WARNING_FAILS };

struct check_command {
        char **argv;
        int style;          /* enum command_style */
        int warning;        /* enum command_warning; nagios: what exit status 1 says */
        char **hosts;       /* mon: appended to the arguments; NULL: none */
        char **environment; /* NAME=VALUE */
        bool weight;        /* its first line is the weight of the server, in percent of its own */
};

struct check_file {
        char *path;
        span age_max; /* since it was last changed; 0: any */
        int size_min; /* bytes */
};

struct check_disk {
        char *path;     /* anything on that file system */
        int free_min;   /* percent an ordinary user may still write */
        int inodes_min; /* percent; of file systems that count none, any will do */
};

enum load_minutes { LOAD_1, LOAD_5, LOAD_15 };

struct check_load {
        int percent_max; /* of the processors; above 100 some have to wait */
        int minutes;     /* enum load_minutes, that it is the mean of */
};

struct check_process {
        char *program;
        int least; /* of them */
};

enum login_tls { LOGIN_TLS_NONE, LOGIN_TLS_STARTTLS, LOGIN_TLS_TLS };

/* Servers that one logs into: ftp, smtp, imap, pop3, ldap, redis. */
struct check_login {
        char *user, *password; /* NULL: it is not logged in; ftp: as anonymous */
        int tls;               /* enum login_tls; not redis */
        bool verify;           /* the certificate must be good for the address */
        char *ca;              /* file of who may have signed it; NULL: what the system trusts */
        char *base;            /* ldap: the entry that is asked for; NULL: the server's own */
        char *path;            /* ftp: a file that is fetched; NULL: none */
        char *expect;          /* ftp: regular expression for it; NULL: whatever it holds */
};

/* Database servers that are asked in SQL. */
struct check_sql {
        char *user;
        char *password, *password_file; /* at most one of them; NULL: none */
        char *database;                 /* NULL: none */
        int tls;                        /* enum login_tls; LOGIN_TLS_TLS is neither's */
        bool verify;                    /* the certificate must be good for the address */
        char *ca;                       /* file of who may have signed it */
        char *query;
        char *expect; /* regular expression for its first value; NULL: any answer */
};

/* Somebody else looks, and says by a trap of mon's what he sees. */
struct check_trap {
        char *group, *service; /* that are named in it */
        char *user, *password; /* NULL: any */
        span within;           /* there must be one; 0: need not */
        span lasts;            /* a failure; 0: until the next trap */
};

enum sip_transport { SIP_UDP, SIP_TCP };

struct check_sip {
        char *uri;     /* whom it asks for; NULL: the server itself, sip:ADDRESS:PORT */
        int transport; /* enum sip_transport */
        struct status_ranges status;
};

struct check_radius {
        char *user, *password; /* password NULL: an empty one */
        char *secret;          /* that this node shares with the server */
};

struct config_check {
        enum check_kind kind;
        char name[NAME_SIZE]; /* unique among its neighbours; default: the kind */
        struct config_place place;
        span interval;
        span quick; /* from one look to the next while the newest disagree with the state */
        span timeout;
        int fall;         /* failures in a row that make it down */
        int rise;         /* successes in a row that make it up */
        struct ip source; /* what it speaks from; family 0: the kernel's choice */
        struct ip ip;     /* whom it speaks to; family 0: the kind needs none, or its url or `host` says */
        char *host;       /* a name that is looked up before each look, in place of `ip`; NULL: none */
        uint16_t port;
        union { /* by kind; what is pointed to is the check's own */
                struct check_tcp tcp;
                struct check_http http;
                struct check_icmp icmp;
                struct check_tls tls;
                struct check_dns dns;
                struct check_command command;
                struct check_file file;
                struct check_disk disk;
                struct check_load load;
                struct check_process process;
                struct check_login login;
                struct check_sql sql;
                struct check_trap trap;
                struct check_sip sip;
                struct check_radius radius;
        };
};

const char *check_kind_name(enum check_kind kind);
/* -EINVAL: no such kind. */
int check_kind_parse(const char *name, enum check_kind *ret_kind);

/* Whether this haven was built with what it needs. */
bool check_kind_is_built(enum check_kind kind);

/* Fills in every default. The rest is zero. */
void check_init(struct config_check *c, enum check_kind kind);
/* A copy with memory of its own. -E2BIG as check_encode(). */
int check_copy(const struct config_check *from, struct config_check *ret_copy);
/* Frees what it points to; all zero is fine. */
void check_done(struct config_check *c);

/* What it looks at: its url, or "tcp 10.0.0.1:80". Returns `text`. */
#define CHECK_TARGET 400
const char *check_target(const struct config_check *c, char text[static CHECK_TARGET]);

/* The definition as bytes, all but name and place: first the rhythm (what every kind has), then what is
 * looked at, so that two definitions are compared by them. Returns how many, of which *ret_rhythm are the
 * rhythm; -E2BIG when they are more than CHECK_BYTES_MAX; -EINVAL when something required is missing. */
#define CHECK_BYTES_MAX 6000
int check_encode(const struct config_check *c, uint8_t bytes[static CHECK_BYTES_MAX], size_t *ret_rhythm);
/* 0, or -EBADMSG for bytes that are no definition, or one that the configuration would refuse. */
int check_decode(const uint8_t *bytes, size_t size, struct config_check *ret_check);
