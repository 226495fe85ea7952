/* api.h - the control socket: how haven(8), scripts and the dashboard ask and order.
 *
 * A stream socket on which each line is one JSON object. A request (request.h) is answered by
 *
 *     {"ok": true, "view": {...}}             status
 *     {"ok": true, "checks": {...}}           checks
 *     {"ok": true, "text": "..."}             explain, and every order that was carried out
 *     {"ok": false, "error": "..."}           why not, and what to do
 *     {"ok": true, "lvs": {...}}              lvs
 *     {"event": {...}} ... {"ok": true}       events; with "follow" they go on instead of ending
 *     {"view": {...}} ...                     watch: at once, after each event, and every second
 *
 * Requests of one client are answered in order; it may send the next before the answer, and then waits in
 * send(2) for those ahead. Whoever may open the
 * socket (root and its group, mode 0660) may order anything. A client cannot harm the core: requests, clients
 * and unread answers are bounded, and nothing here waits. */
#pragma once

#include "api/journal.h"
#include "api/view.h"

#include <jansson.h>
#include <uv.h>

#define API_REQUEST_SIZE_MAX (64 * 1024)       /* one line; so much is taken in ahead of an answer */
#define API_CLIENTS_MAX      32                /* at once; more are told so and closed */
#define API_UNREAD_MAX       (4 * 1024 * 1024) /* answers a client has not fetched, when it asks for more */
#define API_PATIENCE         span_s(30) /* a client that neither asks nor fetches for so long is dropped */
#define API_TEXT_SIZE        16384      /* of an explanation */

struct api;
struct api_reply;

enum api_command_kind {
        API_MOVE,
        API_STOP,
        API_START,
        API_CLEAR,
        API_STANDBY,
        API_ONLINE,
        API_MAINTENANCE,
        API_RELOAD,
        API_CONFIRM,
        API_FENCE,
        API_CONFIRM_OFF,
        API_RESTART,
        API_ACK,
        API_SILENCE,
        API_DISABLE,
        API_ENABLE,
        API_DRAIN,
        API_UNDRAIN,
};

/* An order, well-formed but not yet judged: its names may be unknown. */
struct api_command {
        enum api_command_kind kind;
        char group[NAME_SIZE];
        char node[NAME_SIZE]; /* "" where `move` leaves the choice to haven */
        span lasts;           /* of standby and maintenance: 0 until revoked; of reload: 0 or the time to
                                 confirm in */
        bool on;              /* maintenance */
        char about[160];      /* ack, silence, disable, enable: what of all that is watched */
        char who[32];         /* the same: who wants it */
        char server[64];      /* drain and undrain: an address, with or without a port */
        char text[64];        /* why, for maintenance; who, for fence and confirm-off; or "" */
};

struct api_hooks {
        /* Fills it with the present state; it comes zeroed. */
        void (*view)(void *user, struct view *ret_view);
        /* Why the group is where it is. 0, or a negative errno: then the text says why not. */
        int (*explain)(void *user, const char *group, char *text, size_t size);
        /* Starts carrying it out and answers with api_reply_send(), during the call or later, exactly once.
         */
        void (*command)(void *user, const struct api_command *c, struct api_reply *reply);
        /* All that is watched: the answer to `checks`, a new reference. */
        json_t *(*checks)(void *user);
        /* What the directors of this node have in their tables: a new reference. NULL: it has none. */
        json_t *(*lvs)(void *user);
        /* Of a daemon that is no node: the answer to `status`, a new reference, under `report_name`. It
         * answers nothing else, and the other hooks are NULL. NULL: a node. */
        json_t *(*report)(void *user);
        const char *report_name;
};

/* Listens on `path`, replacing a socket on which nobody listens any more. `hooks` is copied; `journal` must
 * outlive the api and may be NULL. Makes the process ignore SIGPIPE. 0, or a negative errno (-EADDRINUSE:
 * another core listens there). */
int api_new(uv_loop_t *loop, const char *path, const struct api_hooks *hooks, void *user,
            struct journal *journal, struct api **ret_api);
/* Closes everything and removes the socket; the loop must turn once more. Replies still owed may be sent
 * later and lead nowhere. */
void api_free(struct api *api);

/* Answers an order and frees `reply`. `error`: 0 done, or a negative errno, with the reason and what to do in
 * `text`. The client may have gone meanwhile. */
void api_reply_send(struct api_reply *reply, int error, const char *text);

/* Passes an event, which is in the journal already, to those who follow. */
void api_event(struct api *api, const struct view_event *e);
