/* deliver.h - runs what tells people: one child process for each message.
 *
 * exec and mon run the user's own program. Mail, webhook and journal run haven-alert, unprivileged, with the
 * message as JSON on its standard input; what it says on its standard output, a line, is why it failed. */
#pragma once

#include "alert/notice.h"
#include "child/child.h"

#include <uv.h>

#define DELIVER_BATCH_MAX 50
#define DELIVER_REASON    256

struct delivery;

/* `told`: whether it arrived; if not, `why`. The delivery is freed afterwards. */
typedef void delivery_done_fn(void *user, bool told, const char *why);

struct delivery_setup {
        uv_loop_t *loop;
        const struct config *config; /* needed during the call */
        const struct config_alert *alert;
        const char *program;         /* absolute path of haven-alert */
        const struct notice *notice; /* `count` of them; one for exec and mon */
        size_t count;
        const char *id;   /* of the message, the same when it is tried again */
        unsigned dropped; /* so many before it could never be told */
        delivery_done_fn *on_done;
        void *user;
};

/* Whether a message of this alert can tell several things. */
bool deliver_gathers(enum alert_kind kind);
/* 0, or a negative errno when it cannot even be begun. */
int deliver(const struct delivery_setup *setup, struct delivery **ret_delivery);
/* Ends it, unheard: one that went on would tell what somebody is about to tell again. */
void delivery_release(struct delivery *d);
