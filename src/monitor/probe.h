/* probe.h - one look at one service, inside the checker process.
 *
 * A probe is begun, and ends by calling back once, from the loop, never from within its begin; or it is
 * cancelled, and says how far it had come. It has no time limit of its own: the runner cuts it. */
#pragma once

#include "config/config.h"
#include "monitor/reason.h"

#include <uv.h>

typedef void probe_done_fn(void *user, enum reason reason, int detail);

struct probe_tcp;

/* 0 or a negative errno: then this node could not even try. */
int probe_tcp_begin(uv_loop_t *loop, const struct config_check *check, probe_done_fn *on_done, void *user,
                    struct probe_tcp **ret_probe);
void probe_tcp_cancel(struct probe_tcp *probe);

/* http lives in a shared object of its own, loaded with the first http check: libcurl and what it brings make
 * the checker twenty times as large (6 MiB for 0.3 MiB). */
struct http;
struct probe_http;

struct probe_http_door {
        int (*http_new)(uv_loop_t *loop, struct http **ret_http);
        /* After its probes are. */
        void (*http_free)(struct http *http);
        /* One for each check, used again and again. `check` must outlive it. */
        int (*probe_new)(struct http *http, const struct config_check *check, probe_done_fn *on_done,
                         void *user, struct probe_http **ret_probe);
        int (*begin)(struct probe_http *probe);
        /* Cuts it and returns the reason for which it was not done yet. */
        enum reason (*cancel)(struct probe_http *probe);
        void (*probe_free)(struct probe_http *probe);
};

#define PROBE_HTTP_OBJECT "haven-check-http.so"
#define PROBE_HTTP_SYMBOL "probe_http_door"
extern const struct probe_http_door probe_http_door;
