/* kind.h - what every kind of resource can do, and the resource as its group sees it.
 *
 * One file per kind (address.c, service.c, process.c, script.c) fills a `struct kind` and embeds `struct
 * resource` as the first member of its own. A kind does and reports; whether to try again, and in which
 * order, is decided in group.c. */
#pragma once

#include "config/config.h"
#include "resource/engine.h"
#include "resource/handle.h"

#include <stdbool.h>

#define RESOURCE_TEXT 1536

enum resource_state {
        RESOURCE_UNKNOWN, /* nobody has looked since the engine was made */
        RESOURCE_LOOKING, /* being looked at, for adoption */
        RESOURCE_STOPPED, /* certainly does not run */
        RESOURCE_STARTING,
        RESOURCE_STARTED,
        RESOURCE_STOPPING,
        RESOURCE_FAILED,      /* did not start, or broke; something of it may be left */
        RESOURCE_STOP_FAILED, /* may still run although it was stopped */
};

enum resource_event {
        RESOURCE_EV_STARTED,
        RESOURCE_EV_START_FAILED,
        RESOURCE_EV_START_FOREIGN, /* somebody else has it: not taken, and nobody here is to blame */
        RESOURCE_EV_START_REFUSED, /* as FAILED, and trying again would not help */
        RESOURCE_EV_STOPPED,
        RESOURCE_EV_STOP_FAILED,
        RESOURCE_EV_FAILED,  /* broke while started */
        RESOURCE_EV_GONE,    /* taken away while started by somebody of ours who knows what he does */
        RESOURCE_EV_PRESENT, /* answers to look(): it runs, and is watched from now on */
        RESOURCE_EV_ABSENT,
        RESOURCE_EV_UNFIT, /* these three at any time */
        RESOURCE_EV_FIT,
        RESOURCE_EV_NOTE,
};

struct resource;
struct bus;

/* What all resources of an engine share. */
struct resource_world {
        struct engine_setup setup; /* its config is the present generation */
        instant lease_end;
        bool maintenance; /* people are at work: what breaks is left alone */
        struct bus *bus;  /* to systemd; NULL until the first service needs it (bus.h) */
};

typedef void resource_event_fn(void *user, struct resource *r, enum resource_event event, const char *text);

struct kind {
        const char *name;
        size_t size; /* of the kind's own struct */
        /* 0 or a negative errno; then done() is still called */
        int (*init)(struct resource *r);
        /* Frees what the kind holds; what runs goes on running. */
        void (*done)(struct resource *r);
        /* Ends in STARTED or one of the failures, perhaps before it returns. Starting what runs is right. */
        void (*start)(struct resource *r);
        /* What may begin already while others start before it; may be NULL. */
        void (*prepare)(struct resource *r);
        /* In whatever state: also while start() or look() is under way, or when nobody knows what runs. Ends
         * in STOPPED or STOP_FAILED, perhaps before it returns. */
        void (*stop)(struct resource *r);
        /* Ends in PRESENT or ABSENT, perhaps before it returns. */
        void (*look)(struct resource *r);
        /* The time set by resource_timer() or by resource_start() and resource_stop() is up. False: treat it
         * as a failure of what is under way. NULL: always false. */
        bool (*expired)(struct resource *r);
        /* Takes another definition that resource_is() finds equal although it is not; may be NULL. 0 or a
         * negative errno: it goes on as before. */
        int (*renew)(struct resource *r, const struct config_resource *config);
        /* It may have to be started any time, or no longer; `held`: an earlier core's order is in force, so
         * it comes to look() or stop() first. Said again and again; may be NULL. */
        void (*ready)(struct resource *r, bool ready, bool held);
        /* What was made ready goes, before this returns; done() follows. May be NULL. */
        void (*withdraw)(struct resource *r);
        void (*lease)(struct resource *r);    /* world->lease_end moved; may be NULL */
        void (*announce)(struct resource *r); /* may be NULL */
        /* The state as people see it where it differs from resource_state_name(); may be NULL, return NULL.
         */
        const char *(*shown)(const struct resource *r);
};

struct resource {
        const struct kind *kind;
        struct resource_world *world;
        struct config_resource config; /* our own copy: it outlives a generation of the configuration */
        char group[NAME_SIZE];
        enum resource_state state;
        struct engine_epoch epoch;
        bool probe;
        bool unfit; /* UNFIT was said, and FIT not yet */
        struct loop_timer *timer;
        resource_event_fn *on_event;
        void *user;
        char text[RESOURCE_TEXT];
};

extern const struct kind kind_address;
extern const struct kind kind_service;
extern const struct kind kind_process;
extern const struct kind kind_script;
extern const struct kind kind_director;
extern const struct kind kind_realserver;

/* The address object of a resource of that kind, else NULL. */
struct address *resource_address(const struct resource *r);
/* Likewise. */
struct director *resource_director(const struct resource *r);
/* Whether they differ in nothing but what a director takes while it runs. */
bool director_resource_is(const struct config_director *a, const struct config_director *b);

int resource_new(struct resource_world *world, const char *group, const struct config_resource *config,
                 resource_event_fn *on_event, void *user, struct resource **ret_resource);
void resource_free(struct resource *r);
/* The same, and nothing that was made ready is left: nobody will want it. */
void resource_drop(struct resource *r);
/* Whether `config` says what the resource was made from. */
bool resource_is(const struct resource *r, const struct config_resource *config);

void resource_start(struct resource *r, struct engine_epoch epoch, bool probe);
void resource_stop(struct resource *r);
void resource_look(struct resource *r);

/* For the kinds. */
void resource_say(struct resource *r, enum resource_event event, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
void resource_timer(struct resource *r, span in);
const char *resource_state_name(enum resource_state state);
/* The environment of what is run: the resource's own, PATH, HAVEN_GROUP, HAVEN_RESOURCE, HAVEN_NODE,
 * HAVEN_CLUSTER, HAVEN_EPOCH; for actions, whose output is read, LC_ALL=C. NULL: no memory. */
char **resource_environment(const struct resource *r, bool for_action);
void strings_free(char **strings);
