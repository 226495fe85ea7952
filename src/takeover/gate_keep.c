/* gate_keep.c - the gate on every interface of this machine, on those too that come later, and on those again
 * from which somebody took it. */
#include "takeover/address.h"
#include "takeover/gate.h"

#include "base/log.h"

#include <stdio.h>
#include <string.h>

static void hang(struct takeover *t, struct link *link)
{
        bool again = link->hook_error != 0;
        int r = gate_hang(t->gate, &t->requests, link->index);

        link->hook_tried = true;
        link->hook_error = r;
        if (r == -ENODEV) /* gone already: the message of it is on its way */
                link->hook_error = 0;
        else if (r < 0)
                log_error("gate: cannot be hung on %s: %s; traffic there is not cut at the lease's end",
                          link->name, gate_hang_error(r));
        else if (again)
                log_info("gate: hangs on %s now", link->name);
}

void gate_keep(struct takeover *t)
{
        bool complete = t->gate != NULL;

        for (size_t i = 0; t->gate && i < t->interfaces.link_count; i++) {
                struct link *link = &t->interfaces.links[i];
                if (!link->hook_tried)
                        hang(t, link);
                complete = complete && link->hook_error == 0;
        }
        t->gated = complete;
}

static int each_left(struct takeover *t, uint32_t instance, gate_found_fn *on_found, void *user)
{
        const struct link *lo = interfaces_by_name(&t->interfaces, "lo");

        return lo ? gate_each_left(instance, &t->requests, lo->index, on_found, user) : 0;
}

struct leaving {
        const struct takeover *takeover;
        struct gate *fresh;
};

static void on_left(void *user, const struct ip *ip, uint8_t prefix)
{
        const struct leaving *l = user;

        gate_leave(l->fresh, ip, interfaces_serve(&l->takeover->interfaces, ip));
}

int takeover_gate_open(struct takeover *t, uint32_t instance, char reason[static TAKEOVER_REASON])
{
        struct gate *fresh;
        int r = gate_new(instance, &fresh, reason);

        if (r < 0)
                return r;
        /* what still waits in the name of an address that the gate before kept in must not get out now */
        each_left(t, instance, on_left, &(struct leaving){.takeover = t, .fresh = fresh});
        gate_free(t->gate);
        t->gate = fresh;
        return 0;
}

int takeover_gate_guard(struct takeover *t, const struct ip *ip, uint8_t prefix, bool leased)
{
        return t->gate ? gate_guard(t->gate, ip, prefix, leased) : 0;
}

void takeover_gate_hang(struct takeover *t)
{
        for (size_t i = 0; i < t->interfaces.link_count; i++)
                t->interfaces.links[i].hook_tried = false;
        gate_keep(t);
}

void takeover_gate_close(struct takeover *t, uint32_t instance)
{
        int r = gate_sweep(instance);

        if (r < 0)
                log_warning("gate: cannot be taken off every interface: %s", strerror(-r));
        gate_free(t->gate);
        t->gate = NULL;
        gate_keep(t);
}

static void remove_left(void *user, const struct ip *ip, uint8_t prefix)
{
        char text[IP_TEXT];
        int r = address_remove_now(ip, prefix, 0);

        if (r < 0)
                log_warning("address %s: left behind by an earlier run and cannot be removed: %s",
                            ip_format(ip, text), strerror(-r));
}

void takeover_gate_clear_left(struct takeover *t, uint32_t instance)
{
        int r = each_left(t, instance, remove_left, NULL);

        if (r < 0)
                log_warning("gate: which addresses an earlier run left cannot be read: %s; those of the "
                            "configuration are removed",
                            strerror(-r));
}

void takeover_lease(struct takeover *t, instant end)
{
        if (t->gate)
                gate_lease(t->gate, end);
}

void takeover_gate_require(struct takeover *t, bool required)
{
        t->gate_required = required;
}

bool takeover_gate_text(const struct takeover *t, char text[static TAKEOVER_REASON])
{
        size_t hung = 0;

        for (size_t i = 0; i < t->interfaces.link_count; i++) {
                const struct link *link = &t->interfaces.links[i];
                if (t->gate && link->hook_error) {
                        snprintf(text, TAKEOVER_REASON, "not on %s: %s", link->name,
                                 gate_hang_error(link->hook_error));
                        return false;
                }
                hung += link->hook_tried;
        }
        if (t->gate)
                snprintf(text, TAKEOVER_REASON, "%zu interface%s", hung, hung == 1 ? "" : "s");
        return t->gate != NULL;
}
