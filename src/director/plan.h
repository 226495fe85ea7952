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
        USE_CHECKED, /* while its checks are content; without checks, always */
        USE_ALWAYS,  /* whatever its checks say */
        USE_NEVER,
};

struct plan_server {
        struct real_server real; /* with its full weight */
        enum plan_use use;
        size_t check_count;
        size_t *check; /* indices into plan.check: all have to be content */
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
        struct plan_service *service;
        size_t check_count;
        struct plan_check *check; /* shared by all servers that name it */
};

void plan_free(struct plan *p);
/* With the services of ldirectord's files, which are read. 0, or a negative errno with `why`: -ENOMEM, or
 * what is wrong with such a file. */
#define PLAN_WHY 512
int plan_from_config(const struct config_director *d, struct plan *ret_plan, char why[static PLAN_WHY]);
