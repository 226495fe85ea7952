#include "heartbeat/relay.h"

#include <errno.h>
#include <stdlib.h>

struct relay {
        struct medium medium;
        struct medium_hooks hooks;
        int link;
        int error;
        relay_send_fn *send;
        void *user;
};

static struct relay *relay_of(struct medium *m)
{
        return (struct relay *)m;
}

static int relay_create(uv_loop_t *loop, const struct config *config, int self,
                        const struct medium_hooks *hooks, struct medium **ret_medium)
{
        struct relay *r = calloc(1, sizeof(*r));

        if (!r)
                return -ENOMEM;
        r->medium.kind = &medium_relay;
        r->hooks = *hooks;
        r->error = -EIO;
        for (size_t l = 0; l < config->link_count; l++)
                if (config->link[l].kind == LINK_DISK)
                        r->link = (int)l;
        *ret_medium = &r->medium;
        return 0;
}

static void relay_free(struct medium *m)
{
        free(relay_of(m));
}

static int relay_send(struct medium *m, int node, int link, const uint8_t *bytes, size_t n)
{
        struct relay *r = relay_of(m);

        return r->send ? r->send(r->user, node, bytes, n) : -EIO;
}

static int relay_error(const struct medium *m, int node, int link)
{
        return ((const struct relay *)m)->error;
}

void relay_bind(struct medium *m, relay_send_fn *send, void *user)
{
        relay_of(m)->send = send;
        relay_of(m)->user = user;
}

void relay_receive(struct medium *m, int node, const uint8_t *bytes, size_t n, instant received)
{
        struct relay *r = relay_of(m);

        r->hooks.on_packet(r->hooks.user, node, r->link, NULL, bytes, n, received);
}

void relay_changed(struct medium *m, int error)
{
        struct relay *r = relay_of(m);

        if (r->error == error)
                return;
        r->error = error;
        if (r->hooks.on_change)
                r->hooks.on_change(r->hooks.user, MEDIUM_NODE_SELF, r->link, error);
}

const struct medium_kind medium_relay = {
        .carries = 1U << LINK_DISK,
        .create = relay_create,
        .free = relay_free,
        .send = relay_send,
        .error = relay_error,
};
