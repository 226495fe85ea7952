/* group_inside.h - what a group is made of; for the files group*.c only, everybody else reads group.h.
 *
 * group.c        its life, its steps up and down, what breaks, what it is ordered
 * group_reload.c another generation of its configuration takes the place of this one
 */
#pragma once

#include "resource/group.h"

enum group_state {
        GROUP_IDLE,        /* nothing of it runs, as far as we know */
        GROUP_LOOKING,     /* asking what a former core left running */
        GROUP_STARTING,    /* going up */
        GROUP_UP,          /* all of `part` runs */
        GROUP_MENDING,     /* going down to the broken resource, to go up again */
        GROUP_PAUSED,      /* about to go up again */
        GROUP_UNDOING,     /* it did not start: going all the way down */
        GROUP_STOPPING,    /* going down as told */
        GROUP_BROKEN,      /* `restart` is used up; what is left runs until told to stop */
        GROUP_STOP_FAILED, /* something cannot be stopped */
};

struct group_run {
        struct resource_world *world;
        char name[NAME_SIZE];
        size_t count;
        struct resource *resource[RESOURCES_MAX];
        /* replaced by a reload, to be stopped, in reverse, before anything else is started */
        size_t leaving_count;
        struct resource *leaving[RESOURCES_MAX];

        enum group_state state;
        struct engine_epoch epoch;
        enum engine_part part;
        bool probe;
        bool foreign;                 /* what did not start did not because somebody else has its address */
        bool whole;                   /* it ran as a whole under this order: a break is FAILED */
        enum engine_report_kind owed; /* to be reported when it is up */
        bool released;                /* this stop has reported RELEASED */
        bool again;                   /* start once it is down */
        size_t mend_from;             /* this one and those after it go down first */
        char why[RESOURCE_TEXT + 128];

        int restart_max;
        span restart_window;
        size_t restart_count;
        instant *restarts; /* the last restart_max of them, oldest first */
        struct loop_timer *pause;

        bool stepping, step_again;
        group_report_fn *on_report;
        void *user;
};

/* The only writer of `state`. */
void group_set_state(struct group_run *g, enum group_state state);
/* Goes on until it must wait. */
void group_step(struct group_run *g);
/* Whether going down has to do with it. `unknown`: also if nobody has looked. */
bool group_must_stop(const struct resource *r, bool unknown);
/* Takes over how often it may be restarted and keeps what of that is used up. 0, or -ENOMEM: nothing changed.
 */
int group_take_budget(struct group_run *g, const struct config_group *config);
/* For resource_new(): `user` is the group. */
void group_on_resource(void *user, struct resource *r, enum resource_event event, const char *text);
