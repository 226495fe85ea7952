/* api_client.h - one client of the control socket: its lines in, its lines out, its limits. */
#pragma once

#include "api/api.h"

#include <jansson.h>

enum client_follows { FOLLOWS_NOTHING, FOLLOWS_EVENTS, FOLLOWS_VIEWS };

struct client {
        struct api *api;
        uv_pipe_t pipe;
        char *input; /* what has come and is not yet worked off */
        size_t input_used;
        size_t input_room;
        struct api_reply *reply; /* the order being carried out; NULL none */
        enum client_follows follows;
        span quiet;   /* since it last asked or fetched something, as far as the loop has turned */
        bool working; /* inside client_work() */
        bool stopped; /* not read from: its input is full of requests that wait for an answer */
        bool ended;   /* it will ask no more: close when all is answered and fetched */
        bool closing;
};

struct api_reply {
        struct client *client; /* NULL: it has gone */
};

/* Accepts the connection waiting on `server`. NULL if there is none after all. */
struct client *client_new(struct api *api, uv_stream_t *server);
/* Closes it now, unsent answers lost. It is freed when the loop turns. Safe to repeat. */
void client_drop(struct client *c);
/* Works off the whole lines of its input, up to an order that is still being carried out. */
void client_work(struct client *c);
/* Takes over the reference to `json`. */
void client_send(struct client *c, json_t *json);
void client_send_bytes(struct client *c, const char *bytes, size_t n);
/* It has asked or fetched something. */
void client_is_active(struct client *c);
/* So long has passed since this was last called, with a turn of the loop in between: after a standstill of
 * the whole process nobody is to blame for what we have not heard. Drops the client if it has neither asked
 * nor fetched anything for API_PATIENCE. */
void client_check_patience(struct client *c, span passed);

/* What a client needs of its api (api.c). */
void api_answer(struct api *api, struct client *c, const char *line, size_t n);
/* Its slot is free again. */
void api_forget(struct api *api, struct client *c);
json_t *api_refusal(const char *error);
