/* ldirectord.h - files in the form of ldirectord.cf(5), read as ldirectord (resource-agents 4.12) reads them.
 *
 * Pure: text goes in, what it says comes out, or the first mistake, as ldirectord ends at the first. Where
 * its manual and its program differ, the program is followed, for that is what files in use depend on: a line
 * that is not indented by four blanks or a tab ends a section, an empty one too; what follows a '#' in a
 * section is cut off, in quotes as well; numbers are the first digits of what is written. Kinder in one
 * place: none. Stricter in one: an address that is part of something longer ("my_host", "10.0.0.1::80") is
 * refused, where ldirectord takes a part of it. */
#pragma once

#include "base/ip.h"
#include "config/director.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ldirectord_checktype {
        LD_NEGOTIATE,
        LD_CONNECT,
        LD_PING,
        LD_EXTERNAL,
        LD_EXTERNAL_PERL,
        LD_ON,
        LD_OFF,
        LD_COMBINED /* checkcount_connect connects, then one negotiate */
};

/* What may stand for all services, or in one. */
struct ldirectord_common {
        unsigned given; /* bits, by the words of ldirectord.c: what was written here */
        unsigned checktimeout, negotiatetimeout, checkinterval, checkcount, failurecount; /* seconds, times */
        bool quiescent, cleanstop;
        bool has_fallback;
        struct config_real fallback; /* port 0: the service's */
        char *fallbackcommand;
        char *emailalert, *emailalertstatus, *smtp;
        unsigned emailalertfreq;
};

struct ldirectord_server {
        int line;
        struct ip ip, last; /* last: of a range */
        uint16_t port;
        enum forward forward;
        unsigned weight, upper, lower;
        char *request, *receive; /* NULL: the service's */
};

struct ldirectord_service {
        int line;
        struct ip ip; /* family 0: by mark */
        sa_family_t family;
        uint16_t port;
        uint32_t mark;
        uint8_t protocol; /* IPPROTO_TCP, IPPROTO_UDP; 0 with a mark */
        char scheduler[SCHEDULER_SIZE];
        char *schedflags;
        unsigned persistent; /* 0: not */
        uint8_t mask_bits;   /* 0: not given */
        bool ops;
        enum ldirectord_checktype checktype;
        unsigned connects; /* with LD_COMBINED */
        char service[16];  /* "http", "none" */
        char *checkcommand, *request, *receive, *virtualhost, *login, *passwd, *database, *secret;
        bool head; /* httpmethod = HEAD */
        uint16_t checkport;
        char *monitorfile, *servicename, *comment;
        struct ldirectord_common common; /* what was not written here is the file's */
        size_t server_count;
        struct ldirectord_server *server; /* a range is several */
};

#define LDIRECTORD_EXECUTE_MAX 64

struct ldirectord_file {
        bool autoreload, fork, supervised, readdquiescent;
        char *callback, *logfile, *maintenancedir, *emailalertfrom;
        size_t execute_count;
        char **execute; /* each once */
        struct ldirectord_common common;
        bool has_fallback6; /* of virtual6; that in `common` is of virtual */
        struct config_real fallback6;
        size_t service_count;
        struct ldirectord_service *service;
};

/* What the caller brings: the ways to look a name up, 0 or -ENOENT; to try a file; and who hears of what is
 * not wrong, but not as its writer may think. Each may be NULL. */
struct ldirectord_lookup {
        int (*host)(void *user, const char *name, sa_family_t family, struct ip *ret_ip);
        int (*port)(void *user, const char *name, uint8_t protocol, uint16_t *ret_port);
        int (*append)(void *user, const char *path); /* whether the file can be written to; or -errno */
        void (*warn)(void *user, int line, const char *text); /* line 0: the file as a whole */
        void *user;
};

struct ldirectord_mistake {
        int line; /* 0: the file as a whole */
        char text[200];
};

/* 0; -EINVAL with the mistake; -ENOMEM. To be freed in either case. */
int ldirectord_read(const char *text, const struct ldirectord_lookup *lookup,
                    struct ldirectord_file *ret_file, struct ldirectord_mistake *ret_mistake);
void ldirectord_free(struct ldirectord_file *f);
/* The port on which a service is usual; 0: none. */
uint16_t ldirectord_usual_port(const char *service);

struct plan;
/* What it asks of a director. 0; -EINVAL with the mistake; -ENOMEM. */
int ldirectord_plan(const struct ldirectord_file *f, const struct ldirectord_lookup *lookup,
                    struct plan *ret_plan, struct ldirectord_mistake *ret_mistake);
