#include "takeover/interfaces.h"

#include "base/text.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/if_arp.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

/* linux/if.h has these and cannot be included beside net/if.h. */
#define FLAG_LOWER_UP     (1u << 16)
#define OPERSTATE_UNKNOWN 0
#define OPERSTATE_UP      6

void interfaces_free(struct interfaces *all)
{
        free(all->links);
        free(all->addresses);
        *all = (struct interfaces){0};
}

/* The list with room for one more than `count`; NULL, and the list as it was, without memory. */
static void *grown(void *list, size_t *room, size_t count, size_t size)
{
        size_t wanted = *room ? *room * 2 : 16;

        if (count < *room)
                return list;
        list = reallocarray(list, wanted, size);
        if (list)
                *room = wanted;
        return list;
}

static struct link *link_find(const struct interfaces *all, unsigned index)
{
        for (size_t i = 0; i < all->link_count; i++)
                if (all->links[i].index == index)
                        return &all->links[i];
        return NULL;
}

static int link_put(struct interfaces *all, const struct link *link)
{
        struct link *known = link_find(all, link->index);

        if (!known) {
                struct link *links = grown(all->links, &all->link_room, all->link_count, sizeof(*link));
                if (!links)
                        return -ENOMEM;
                all->links = links;
                known = &all->links[all->link_count++];
                *known = (struct link){0};
        }
        bool tried = known->hook_tried;
        int error = known->hook_error;
        *known = *link;
        known->hook_tried = tried;
        known->hook_error = error;
        return 0;
}

/* Its addresses go with it, whether or not the kernel said so one by one. */
static void link_drop(struct interfaces *all, unsigned index)
{
        struct link *known = link_find(all, index);
        size_t kept = 0;

        if (known)
                *known = all->links[--all->link_count];
        for (size_t i = 0; i < all->address_count; i++)
                if (all->addresses[i].ifindex != index)
                        all->addresses[kept++] = all->addresses[i];
        all->address_count = kept;
}

static int apply_link(struct interfaces *all, const struct nlmsghdr *message)
{
        const struct ifinfomsg *head = mnl_nlmsg_get_payload(message);
        const struct nlattr *attribute;
        uint8_t operstate = OPERSTATE_UNKNOWN;

        /* AF_BRIDGE tells of ports: its RTM_DELLINK means "left the bridge", not "is gone". */
        if (mnl_nlmsg_get_payload_len(message) < sizeof(*head) || head->ifi_family != AF_UNSPEC)
                return 0;
        struct link link = {.index = (unsigned)head->ifi_index};
        if (message->nlmsg_type == RTM_DELLINK) {
                link_drop(all, link.index);
                return 0;
        }
        mnl_attr_for_each(attribute, message, sizeof(*head))
        {
                size_t size = mnl_attr_get_payload_len(attribute);
                const void *value = mnl_attr_get_payload(attribute);

                switch (mnl_attr_get_type(attribute)) {
                case IFLA_IFNAME:
                        if (memchr(value, '\0', size))
                                text_copy(link.name, sizeof(link.name), value);
                        break;
                case IFLA_ADDRESS:
                        if (size == sizeof(link.mac))
                                memcpy(&link.mac, value, size);
                        break;
                case IFLA_OPERSTATE:
                        if (size == sizeof(operstate))
                                memcpy(&operstate, value, size);
                        break;
                default: break;
                }
        }
        link.speaks_arp = head->ifi_type == ARPHRD_ETHER && !(head->ifi_flags & IFF_NOARP);
        link.carrier = (head->ifi_flags & IFF_UP) && (head->ifi_flags & FLAG_LOWER_UP) &&
                       (operstate == OPERSTATE_UP || operstate == OPERSTATE_UNKNOWN);
        return link_put(all, &link);
}

static struct local_address *address_find(const struct interfaces *all, const struct local_address *a)
{
        for (size_t i = 0; i < all->address_count; i++) {
                struct local_address *known = &all->addresses[i];
                if (known->ifindex == a->ifindex && known->prefix == a->prefix &&
                    ip_equal(&known->ip, &a->ip))
                        return known;
        }
        return NULL;
}

int interfaces_note(struct interfaces *all, const struct local_address *a, bool there)
{
        struct local_address *known = address_find(all, a);

        if (!there) {
                if (known)
                        *known = all->addresses[--all->address_count];
                return 0;
        }
        if (known)
                return 0;
        struct local_address *list =
                grown(all->addresses, &all->address_room, all->address_count, sizeof(*a));
        if (!list)
                return -ENOMEM;
        all->addresses = list;
        all->addresses[all->address_count++] = *a;
        return 0;
}

static int apply_address(struct interfaces *all, const struct nlmsghdr *message)
{
        const struct ifaddrmsg *head = mnl_nlmsg_get_payload(message);
        const struct nlattr *attribute;
        bool has_local = false;

        if (mnl_nlmsg_get_payload_len(message) < sizeof(*head) ||
            (head->ifa_family != AF_INET && head->ifa_family != AF_INET6))
                return 0;
        struct local_address address = {
                .ifindex = head->ifa_index, .ip.family = head->ifa_family, .prefix = head->ifa_prefixlen};
        mnl_attr_for_each(attribute, message, sizeof(*head))
        {
                /* On point-to-point links IFA_ADDRESS is the other end; IFA_LOCAL is always ours. */
                uint16_t type = mnl_attr_get_type(attribute);
                if ((type != IFA_LOCAL && (type != IFA_ADDRESS || has_local)) ||
                    mnl_attr_get_payload_len(attribute) != ip_size(&address.ip))
                        continue;
                memcpy(address.ip.bytes, mnl_attr_get_payload(attribute), ip_size(&address.ip));
                has_local = has_local || type == IFA_LOCAL;
        }
        return interfaces_note(all, &address, message->nlmsg_type == RTM_NEWADDR);
}

/* Whoever removes a queueing discipline removes every filter on it, and says no more than that. */
static void apply_unhooked(struct interfaces *all, const struct nlmsghdr *message)
{
        const struct tcmsg *head = mnl_nlmsg_get_payload(message);

        if (mnl_nlmsg_get_payload_len(message) < sizeof(*head))
                return;
        struct link *known = link_find(all, (unsigned)head->tcm_ifindex);
        if (known)
                known->hook_tried = false;
}

int interfaces_apply(struct interfaces *all, const struct nlmsghdr *message)
{
        switch (message->nlmsg_type) {
        case RTM_NEWLINK:
        case RTM_DELLINK: return apply_link(all, message);
        case RTM_NEWADDR:
        case RTM_DELADDR: return apply_address(all, message);
        case RTM_DELQDISC:
        case RTM_DELTFILTER: apply_unhooked(all, message); return 0;
        default: return 0;
        }
}

int interfaces_collect(const struct nlmsghdr *message, void *all)
{
        int r = interfaces_apply(all, message);

        if (r < 0) {
                errno = -r;
                return MNL_CB_ERROR;
        }
        return MNL_CB_OK;
}

const struct link *interfaces_by_index(const struct interfaces *all, unsigned index)
{
        return link_find(all, index);
}

const struct link *interfaces_by_name(const struct interfaces *all, const char *name)
{
        for (size_t i = 0; i < all->link_count; i++)
                if (strcmp(all->links[i].name, name) == 0)
                        return &all->links[i];
        return NULL;
}

const struct link *interfaces_carrying(const struct interfaces *all, const struct ip *ip)
{
        for (size_t i = 0; i < all->address_count; i++)
                if (ip_equal(&all->addresses[i].ip, ip))
                        return link_find(all, all->addresses[i].ifindex);
        return NULL;
}

bool interfaces_serve(const struct interfaces *all, const struct ip *ip)
{
        for (size_t i = 0; i < all->link_count; i++)
                if (!all->links[i].speaks_arp && interfaces_has(all, all->links[i].index, ip))
                        return true;
        return false;
}

bool interfaces_has(const struct interfaces *all, unsigned ifindex, const struct ip *ip)
{
        for (size_t i = 0; i < all->address_count; i++)
                if (all->addresses[i].ifindex == ifindex && ip_equal(&all->addresses[i].ip, ip))
                        return true;
        return false;
}

bool interfaces_own_mac(const struct interfaces *all, struct mac mac)
{
        for (size_t i = 0; i < all->link_count; i++)
                if (mac_equal(all->links[i].mac, mac))
                        return true;
        return false;
}

bool interfaces_shares_network(const struct interfaces *all, unsigned ifindex, const struct ip *ip,
                               uint8_t prefix)
{
        for (size_t i = 0; i < all->address_count; i++) {
                const struct local_address *a = &all->addresses[i];
                if (a->ifindex == ifindex && a->prefix == prefix && !ip_equal(&a->ip, ip) &&
                    ip_same_network(&a->ip, ip, prefix))
                        return true;
        }
        return false;
}

const struct link *interfaces_covering(const struct interfaces *all, const struct ip *ip,
                                       interfaces_ignore_fn *ignore, void *user)
{
        const struct link *best = NULL;
        uint8_t best_prefix = 0;

        for (size_t i = 0; i < all->address_count; i++) {
                const struct local_address *a = &all->addresses[i];
                const struct link *link = link_find(all, a->ifindex);

                if (!link || !ip_same_network(&a->ip, ip, a->prefix) || ignore(user, &a->ip))
                        continue;
                bool better = !best || a->prefix > best_prefix;
                if (best && a->prefix == best_prefix)
                        better = link->carrier != best->carrier ? link->carrier : link->index < best->index;
                if (better) {
                        best = link;
                        best_prefix = a->prefix;
                }
        }
        return best;
}
