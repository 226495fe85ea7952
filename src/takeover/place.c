/* place.c - where an address lives: its interface, carrier, and what others do to them. */

#include "takeover/address.h"

#include "base/log.h"
#include "base/text.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct link *choose(const struct address *a)
{
        const struct interfaces *all = &a->takeover->interfaces;

        if (a->wanted_device[0])
                return interfaces_by_name(all, a->wanted_device);
        return interfaces_covering(all, &a->ip, takeover_floats, a->takeover);
}

/* When a network's first IPv4 address goes, Linux removes all others of it, unless told otherwise: a released
 * or expired floating address that came before the host's own would take that along. */
static void promote_secondaries(const struct link *link)
{
        char path[64 + IFNAMSIZ], value = '1';

        snprintf(path, sizeof(path), "/proc/sys/net/ipv4/conf/%s/promote_secondaries", link->name);
        int fd = open(path, O_RDWR | O_CLOEXEC);
        if (fd == -1)
                return; /* a read-only /proc: systemd has set it for all interfaces anyway */
        if (read(fd, &value, 1) == 1 && value == '0' && pwrite(fd, "1", 1, 0) == 1)
                log_info("%s: promote_secondaries set, so that removing a floating address leaves the others",
                         link->name);
        close(fd);
}

static void leave(struct address *a)
{
        wire_free(a->wire);
        a->wire = NULL;
        a->ifindex = 0;
        a->device[0] = '\0';
}

static void note_link(struct address *a, const struct link *link)
{
        bool moved = !mac_equal(a->mac, link->mac);

        text_copy(a->device, sizeof(a->device), link->name);
        a->mac = link->mac;
        if (a->wire && moved)
                wire_set_own_mac(a->wire, link->mac);
        if (moved && address_is_held(a))
                address_announce(a); /* the neighbours know a MAC that is no longer ours */
}

static void enter(struct address *a, const struct link *link)
{
        struct wire_place place = {.ifindex = link->index, .device = link->name, .own = link->mac};
        int r = 0;

        if (a->ip.family == AF_INET)
                promote_secondaries(link);
        if (link->speaks_arp)
                r = wire_new(a->takeover->loop, a->takeover->sender, &place, &a->ip, address_on_heard, a,
                             &a->wire);
        if (r < 0) {
                a->wire = NULL;
                log_warning("%s: cannot listen: %s; tried again at the next change of interfaces", link->name,
                            strerror(-r));
                return;
        }
        a->ifindex = link->index;
        note_link(a, link);
}

static void set_carrier(struct address *a, const struct link *link)
{
        bool carrier = link && link->carrier;
        char ip[IP_TEXT];

        if (link && a->ifindex)
                snprintf(a->carrier_text, sizeof(a->carrier_text), "%s has no carrier", a->device);
        else if (a->wanted_device[0])
                snprintf(a->carrier_text, sizeof(a->carrier_text), "waiting for %s", a->wanted_device);
        else
                snprintf(a->carrier_text, sizeof(a->carrier_text),
                         "waiting for an interface whose network covers %s/%u", ip_format(&a->ip, ip),
                         a->prefix);
        if (carrier == a->carrier)
                return;
        a->carrier = carrier;
        if (address_is_held(a)) {
                address_set_state(a, ADDRESS_HELD, "held on %s, not yet proven", a->device);
                if (carrier)
                        announce_begin(a, instant_now(), false);
                else
                        announce_stop(a);
        }
        if (a->state == ADDRESS_PROBING && !carrier) /* the silence that follows is no answer */
                address_refuse(a, ADDRESS_ABSENT, "%s: cannot ask whether somebody holds it",
                               a->carrier_text);
        if (carrier)
                address_emit(a, ADDRESS_EV_CARRIER_BACK, "%s has carrier", a->device);
        else
                address_emit(a, ADDRESS_EV_CARRIER_LOST, "%s", a->carrier_text);
}

/* While it is not in use, it follows the configuration's name or network wherever they go. */
static void settle(struct address *a)
{
        const struct link *link = choose(a);

        if (!link || link->index != a->ifindex) {
                leave(a);
                if (link)
                        enter(a, link);
        } else {
                note_link(a, link);
        }
        if (!a->ifindex)
                link = NULL;
        if (!link)
                a->state = ADDRESS_WAITING;
        else if (a->state == ADDRESS_WAITING)
                address_set_state(a, ADDRESS_ABSENT, "not here");
        set_carrier(a, link);
}

static void vanished(struct address *a)
{
        char device[IFNAMSIZ];
        bool held = address_is_held(a);

        text_copy(device, sizeof(device), a->device);
        leave(a);
        address_gone(a, ADDRESS_WAITING, "its interface vanished");
        settle(a);
        if (held)
                address_emit(a, ADDRESS_EV_LOST, "%s vanished, and the address with it", device);
        else
                address_emit(a, ADDRESS_EV_REFUSED, "%s vanished while asking", device);
}

static void lost(struct address *a, const char *why)
{
        address_gone(a, ADDRESS_ABSENT, why);
        address_emit(a, ADDRESS_EV_LOST, "%s", why);
}

static void restore(struct address *a, instant now, bool by_others)
{
        char ip[IP_TEXT], why[ADDRESS_TEXT];
        int r = lease_write(a, now);

        ip_format(&a->ip, ip);
        if (r < 0) {
                snprintf(why, sizeof(why), "%s was removed from %s and cannot be restored: %s", ip, a->device,
                         strerror(-r));
                lost(a, why);
                return;
        }
        if (a->wire && a->carrier)
                wire_announce(a->wire); /* somebody may have asked in between and heard nothing */
        if (by_others)
                address_emit(a, ADDRESS_EV_REMOVED,
                             "%s was removed from %s by somebody else; restored, %u times since it was taken",
                             ip, a->device, a->removals);
        else
                address_emit(
                        a, ADDRESS_EV_REMOVED,
                        "%s expired on %s before this process came to renew it; restored, its lease goes on",
                        ip, a->device);
}

static void removed(struct address *a)
{
        instant now = instant_now();
        char why[ADDRESS_TEXT], ip[IP_TEXT];

        if (lease_over(a, now)) {
                address_gone(a, ADDRESS_ABSENT, "not here, its lease is over");
                address_emit(a, ADDRESS_EV_RELEASED, "the lease of %s is over; the kernel removed it",
                             ip_format(&a->ip, ip));
                return;
        }
        bool by_others = instant_before(now, a->kernel_end);
        if (by_others) {
                instant *oldest = &a->removed_at[a->removals % RESTORE_LIMIT];
                if (a->removals >= RESTORE_LIMIT &&
                    instant_before(now, instant_add(*oldest, span_s(RESTORE_WINDOW_S)))) {
                        snprintf(
                                why, sizeof(why),
                                "%s was removed from %s by somebody else more than %d times in %ds: given up",
                                ip_format(&a->ip, ip), a->device, RESTORE_LIMIT, RESTORE_WINDOW_S);
                        lost(a, why);
                        return;
                }
                *oldest = now;
                a->removals++;
        }
        restore(a, now, by_others);
}

void address_sync(struct address *a)
{
        const struct interfaces *all = &a->takeover->interfaces;
        const struct link *link = interfaces_by_index(all, a->ifindex);

        if (!address_is_held(a) && a->state != ADDRESS_PROBING) {
                if (a->takeover->gate && interfaces_serve(all, &a->ip))
                        gate_serve(a->takeover->gate, &a->ip);
                settle(a);
                return;
        }
        if (!link) {
                vanished(a);
                return;
        }
        note_link(a, link);
        set_carrier(a, link);
        if (!a->freed && address_is_held(a) && !interfaces_has(all, a->ifindex, &a->ip))
                removed(a);
}
