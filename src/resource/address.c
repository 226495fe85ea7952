/* address.c - the kind `address`: a floating address, done by src/takeover. */
#include "resource/kind.h"

#include <errno.h>
#include <ifaddrs.h>
#include <string.h>

struct address_resource {
        struct resource r;
        struct address *address;
};

static struct address_resource *of(struct resource *r)
{
        return (struct address_resource *)r;
}

static void on_address(void *user, struct address *a, enum address_event event, const char *text)
{
        struct resource *r = user;

        if (!text)
                text = "";
        switch (event) {
        case ADDRESS_EV_TAKEN: resource_say(r, RESOURCE_EV_STARTED, "%s", text); break;
        case ADDRESS_EV_REFUSED:
                resource_say(r,
                             address_state(a) == ADDRESS_FOREIGN ? RESOURCE_EV_START_FOREIGN
                                                                 : RESOURCE_EV_START_FAILED,
                             "%s", text);
                break;
        case ADDRESS_EV_RELEASED:
                /* while stopping, address_stop() says so itself; else the core dropped it at lease end */
                if (r->state == RESOURCE_STARTED)
                        resource_say(r, RESOURCE_EV_GONE, "%s", text);
                break;
        case ADDRESS_EV_LOST: resource_say(r, RESOURCE_EV_FAILED, "%s", text); break;
        case ADDRESS_EV_CARRIER_LOST: resource_say(r, RESOURCE_EV_UNFIT, "%s", text); break;
        case ADDRESS_EV_CARRIER_BACK: resource_say(r, RESOURCE_EV_FIT, "%s", text); break;
        case ADDRESS_EV_VERIFIED:
        case ADDRESS_EV_UNVERIFIED:
        case ADDRESS_EV_REMOVED:
        case ADDRESS_EV_CONFLICT: resource_say(r, RESOURCE_EV_NOTE, "%s", text); break;
        }
}

static int init(struct resource *r)
{
        struct address_want want = {.ip = r->config.ip,
                                    .prefix = r->config.prefix,
                                    .device = r->config.device,
                                    .verify = r->config.verify,
                                    .verify_count = r->config.verify_count};

        return address_new(r->world->setup.takeover, &want, on_address, r, &of(r)->address);
}

static void done(struct resource *r)
{
        if (of(r)->address)
                address_free(of(r)->address);
}

static void start(struct resource *r)
{
        address_take(of(r)->address, r->probe, r->world->lease_end);
}

static void prepare(struct resource *r)
{
        address_ask(of(r)->address);
}

static void stop(struct resource *r)
{
        int error = address_release(of(r)->address);

        if (error)
                resource_say(r, RESOURCE_EV_STOP_FAILED, "the kernel does not give it up: %s",
                             strerror(-error));
        else
                resource_say(r, RESOURCE_EV_STOPPED, "%s", "");
}

/* On loopback it is a real server's (realserver.c), not what floats. */
static bool in_kernel(const struct ip *ip, const char *device)
{
        struct ifaddrs *all;
        bool found = false;

        if (getifaddrs(&all) == -1)
                return false;
        for (struct ifaddrs *i = all; i && !found; i = i->ifa_next) {
                struct ip have = {0};
                if (!i->ifa_addr || i->ifa_addr->sa_family != ip->family ||
                    (strcmp(i->ifa_name, "lo") == 0 && strcmp(device, "lo") != 0))
                        continue;
                ip_from_sockaddr(i->ifa_addr, &have);
                found = ip_equal(&have, ip);
        }
        freeifaddrs(all);
        return found;
}

static void look(struct resource *r)
{
        if (!in_kernel(&r->config.ip, r->config.device)) {
                resource_say(r, RESOURCE_EV_ABSENT, "is on no interface");
                return;
        }
        address_adopt(of(r)->address, r->world->lease_end);
        resource_say(r, RESOURCE_EV_PRESENT, "%s", "");
}

static void lease(struct resource *r)
{
        address_renew(of(r)->address, r->world->lease_end);
}

static void announce(struct resource *r)
{
        address_announce(of(r)->address);
}

static const char *shown(const struct resource *r)
{
        bool idle = r->state != RESOURCE_STARTED && r->state != RESOURCE_STOPPED;

        return idle && address_state(of((struct resource *)r)->address) == ADDRESS_WAITING ? "waiting" : NULL;
}

struct address *resource_address(const struct resource *r)
{
        return r->kind == &kind_address ? ((const struct address_resource *)r)->address : NULL;
}

const struct kind kind_address = {
        .name = "address",
        .size = sizeof(struct address_resource),
        .init = init,
        .done = done,
        .start = start,
        .prepare = prepare,
        .stop = stop,
        .look = look,
        .lease = lease,
        .announce = announce,
        .shown = shown,
};
