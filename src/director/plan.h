/* plan.h - what a director is asked to do, however that was written: virtual services with their real
 * servers, and the checks that say which of these work.
 *
 * Plain data, built from the configuration, read by farm.c. Freed whole. */
#pragma once

#include "base/instant.h"
#include "config/config.h"
#include "director/table.h"

/* How a server takes part. */
enum plan_use {
        USE_CHECKED, /* until its checks find it down; without checks, always */
        USE_PROVEN,  /* once its checks have found it up; without checks, always */
        USE_ALWAYS,  /* whatever its checks say */
        USE_NEVER,
};

struct plan_server {
        struct real_server real; /* with its full weight */
        enum plan_use use;
        size_t check_count;
        size_t *check;     /* indices into plan.check: all have to be content */
        uint16_t own_port; /* as it was written, where the table has another; 0: real.port is it */
};

/* What becomes of a server that does not work. */
enum plan_failed {
        FAILED_REMOVE,  /* out of the table: its connections end */
        FAILED_QUIESCE, /* weight 0: no new connections */
};

struct plan_service {
        struct virtual_service service; /* without its servers */
        size_t server_count;
        struct plan_server *server;
        bool has_fallback;
        struct real_server fallback; /* who serves while too few servers work */
        enum plan_failed failed;
        span slow_start;      /* a server that works again gets its full weight after so long; 0: at once */
        unsigned quorum;      /* so many working servers make the service up, */
        unsigned quorum_down; /* and fewer than so many, at most quorum, make it down */
        /* The rest is what ldirectord's files may ask for. */
        char *fallback_command; /* NULL, or what a shell runs with `fallback_words` behind it, and before them
                                   "start" when the service goes down, "stop" when it comes up */
        char fallback_words[80]; /* "10.0.0.111:80 tcp" */
        char *maintenance;       /* NULL, or a directory: the servers whose names files there have are down */
        bool stays;              /* in the table when a director ends that is nobody's resource */
        size_t file;             /* index into plan.file; SIZE_MAX: none */
        size_t place;            /* which of that file's services it is */
};

/* An ldirectord.cf that the plan was made from, or could not be. */
struct plan_file {
        char *path;
        bool autoreload;
        uint32_t digest; /* of its text; 0: it could not be read */
        uint32_t seen;   /* when it was last looked at */
};

/* A check of one server. It is known by its name, which stays when the plan changes: "farm 10.0.0.11:80
 * http". */
#define PLAN_NAME 128
struct plan_check {
        char name[PLAN_NAME];
        struct config_check check;
};

struct plan {
        size_t service_count;
        struct plan_service *service; /* by key */
        size_t check_count;
        struct plan_check *check; /* shared by all servers that name it */
        size_t file_count;
        struct plan_file *file;
};

void plan_free(struct plan *p);
/* Puts the services into their order; false: `*ret_twin` stands there twice. */
bool plan_sort(struct plan *p, const struct virtual_key **ret_twin);
/* NULL: it is none of the plan's. */
const struct plan_service *plan_find(const struct plan *p, const struct virtual_key *key);
/* With the services of ldirectord's files, which are read. 0, or a negative errno with `why`: -ENOMEM, or
 * what is wrong with such a file; then the plan has its files and nothing else, and is to be freed too. */
#define PLAN_WHY 512
int plan_from_config(const struct config_director *d, struct plan *ret_plan, char why[static PLAN_WHY]);

/* One more file, as ldirectord.cf(5). Also of one that cannot be taken a plan_file is there. As above. */
struct ldirectord_lookup;
int plan_put_file(struct plan *to, const char *path, const struct ldirectord_lookup *lookup,
                  char why[static PLAN_WHY]);
/* Names by this machine's own files; warnings go to the log, and name `path`. */
struct ldirectord_lookup plan_lookup(const char *path);
/* Its text is another than the one that was read, and was so already when this was last asked: it is not half
 * written. */
bool plan_file_changed(struct plan_file *f);
