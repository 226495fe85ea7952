/* connection.h - the way to havend: a plain blocking socket, JSON lines both ways. */
#pragma once

#include "cli/cli.h"

struct connection {
        int fd; /* -1: none */
        char *input;
        size_t used;
        size_t room;
};

/* CLI_DONE; otherwise it has said why on stderr, but for `quiet`. */
enum cli_status connection_open(struct connection *c, const char *socket, bool quiet);
void connection_close(struct connection *c);

/* Takes over the reference to `request`. 0, or a negative errno. */
int connection_send(struct connection *c, json_t *request);

/* Reads what is there, waiting until something is. 0, -ENODATA when havend has closed it, -EAGAIN when
 * connection_set_patience()'s time is over, or another negative errno. */
int connection_fill(struct connection *c);
/* A whole line that has come, as a new reference; NULL: none yet. Sets *ret_bad if the line was no JSON. */
json_t *connection_next(struct connection *c, bool *ret_bad);
/* How long connection_fill() waits; 0: for ever. */
void connection_set_patience(struct connection *c, int seconds);

/* A whole question: connects, asks, gives the answer's object. Takes over `request`. On anything but CLI_DONE
 * it has said why on stderr; a refusal by havend is CLI_NOT_DONE. */
enum cli_status ask(const char *socket, json_t *request, int patience_s, json_t **ret_answer);

#define PATIENCE_LOOK_S  5   /* havend answers from memory */
#define PATIENCE_ORDER_S 600 /* services may take minutes to stop */
