/* realserver.c - the kind `realserver`: a virtual address that this node serves behind a director, on its
 * loopback interface (src/director/loopback.h). It is no floating address: several nodes have it at once. */
#include "director/loopback.h"
#include "resource/kind.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* Somebody else may take it away. */
#define LOOK_AGAIN span_s(10)

struct realserver {
        struct resource r;
        char keep[256];
        char user[192]; /* GROUP/ADDRESS, and the interface's name */
};

static struct loopback of(struct resource *r)
{
        struct realserver *s = (struct realserver *)r;

        return (struct loopback){
                .ip = r->config.ip, .device = r->config.device, .keep = s->keep, .user = s->user};
}

static int init(struct resource *r)
{
        struct realserver *s = (struct realserver *)r;

        snprintf(s->keep, sizeof(s->keep), "%s/realserver", r->world->setup.run_dir);
        snprintf(s->user, sizeof(s->user), "%s/%s%%%s", r->group, r->config.name, r->config.device);
        return 0;
}

static void done(struct resource *r)
{
        (void)r; /* what is in the kernel stays */
}

static void start(struct resource *r)
{
        struct loopback l = of(r);
        char why[LOOPBACK_WHY], no[LOOPBACK_WHY];
        int error = loopback_set(&l, why);

        if (error < 0) {
                loopback_clear(&l, no); /* what was found is not lost: it is kept */
                resource_say(r, RESOURCE_EV_START_FAILED, "%s", why);
                return;
        }
        resource_say(r, RESOURCE_EV_STARTED, "%s", "");
        resource_timer(r, LOOK_AGAIN);
}

static void stop(struct resource *r)
{
        struct loopback l = of(r);
        char why[LOOPBACK_WHY];

        if (loopback_clear(&l, why) < 0)
                resource_say(r, RESOURCE_EV_STOP_FAILED, "%s", why);
        else
                resource_say(r, RESOURCE_EV_STOPPED, "%s", "");
}

static void look(struct resource *r)
{
        struct loopback l = of(r);

        if (!loopback_there(&l)) {
                resource_say(r, RESOURCE_EV_ABSENT, "is not on lo");
                return;
        }
        resource_say(r, RESOURCE_EV_PRESENT, "%s", "");
        resource_timer(r, LOOK_AGAIN);
}

static bool expired(struct resource *r)
{
        struct loopback l = of(r);
        char why[LOOPBACK_WHY];

        if (r->state != RESOURCE_STARTED)
                return false;
        int done = loopback_set(&l, why);
        if (done < 0) {
                resource_say(r, RESOURCE_EV_FAILED, "%s", why);
                return true;
        }
        if (done > 0)
                resource_say(r, RESOURCE_EV_NOTE, "%s: restored", why);
        resource_timer(r, LOOK_AGAIN);
        return true;
}

const struct kind kind_realserver = {
        .name = "realserver",
        .size = sizeof(struct realserver),
        .init = init,
        .done = done,
        .start = start,
        .stop = stop,
        .look = look,
        .expired = expired,
};
