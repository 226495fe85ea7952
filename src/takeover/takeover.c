#include "takeover/address.h"

#include "base/text.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

bool takeover_floats(void *takeover, const struct ip *ip)
{
        const struct takeover *t = takeover;

        for (const struct address *a = t->first; a; a = a->next)
                if (ip_equal(&a->ip, ip))
                        return true;
        return false;
}

/* An owner that is told something may free any address: its memory, and its place in the list, stay until the
 * loop's next turn. */
static void on_change(void *user)
{
        struct takeover *t = user;

        gate_keep(t); /* first: an address may follow its interface */
        for (struct address *a = t->first; a; a = a->next)
                if (!a->freed)
                        address_sync(a);
}

int takeover_new(uv_loop_t *loop, struct takeover **ret_takeover)
{
        struct takeover *t = calloc(1, sizeof(*t));
        int r;

        if (!t)
                return -ENOMEM;
        t->loop = loop;
        t->sender = wire_sender_open();
        r = t->sender < 0 ? t->sender : netlink_open(&t->requests);
        if (r == 0)
                r = watch_new(loop, &t->requests, &t->interfaces, on_change, t, &t->watch);
        if (r < 0) {
                takeover_free(t);
                return r;
        }
        *ret_takeover = t;
        return 0;
}

void takeover_free(struct takeover *t)
{
        if (!t)
                return;
        assert(!t->first);
        watch_free(t->watch);
        gate_free(t->gate);
        netlink_close(&t->requests);
        if (t->sender >= 0)
                close(t->sender);
        interfaces_free(&t->interfaces);
        free(t);
}

bool takeover_interface_of(struct takeover *t, const struct ip *local, char name[static TAKEOVER_NAME],
                           bool *ret_carrier)
{
        const struct link *link = interfaces_carrying(&t->interfaces, local);

        if (!link)
                return false;
        text_copy(name, TAKEOVER_NAME, link->name);
        *ret_carrier = link->carrier;
        return true;
}
