/* window.h - which packets of one sender are new, which are copies, and which somebody kept.
 *
 * A sender numbers its messages upwards under (boot, core), and sends each on every link. The first copy
 * counts; a further one on another link proves that link. What is no newer than what its own link has
 * brought already is refused, and so is everything of an incarnation that a higher one has replaced.
 *
 * What this cannot see: a recording played to a receiver that has just started and has heard nothing yet.
 * The echo in the message proves that the sender hears us now (message.h). Pure; all zeros is a fresh one. */
#pragma once

#include "cluster/message.h"

#include <stdbool.h>
#include <stdint.h>

#define WINDOW_LINKS 8

/* How far one link may lag behind the fastest: at 20 ms a second and more. A recording older than that does
 * not even make a dead link look alive. */
#define WINDOW_LAG 64

enum window_verdict {
        WINDOW_NEW,             /* newer than anything of this sender */
        WINDOW_COPY,            /* heard before on another link, or overtaken there; new on this one */
        WINDOW_OLD_INCARNATION, /* of a boot or core that a later one has replaced */
        WINDOW_REPLAYED,        /* no newer than what this link has brought, or too far behind */
};

struct window {
        bool heard;
        struct incarnation of; /* the newest heard */
        uint32_t seq;          /* its newest message */
        struct {
                bool heard; /* under the incarnation `of` */
                uint32_t seq;
        } link[WINDOW_LINKS];
};

/* Judges a genuine packet, and remembers it if it is new or a copy. */
enum window_verdict window_hear(struct window *w, unsigned link, struct incarnation of, uint32_t seq);
