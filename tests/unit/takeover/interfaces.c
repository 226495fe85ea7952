/* The tables of interfaces and addresses, fed with messages as the kernel sends them. */

#include "takeover/interfaces.h"

#include "base/text.h"

#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/if_arp.h>
#include <linux/rtnetlink.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define UP ((1u << 16) | IFF_UP) /* IFF_LOWER_UP */

static void link_message(struct interfaces *all, uint16_t type, int family, int index, const char *name,
                         unsigned flags, int operstate)
{
        char buffer[512];
        struct nlmsghdr *m = mnl_nlmsg_put_header(buffer);
        struct ifinfomsg *head = mnl_nlmsg_put_extra_header(m, sizeof(*head));

        m->nlmsg_type = type;
        head->ifi_family = (unsigned char)family;
        head->ifi_type = ARPHRD_ETHER;
        head->ifi_index = index;
        head->ifi_flags = flags;
        mnl_attr_put_strz(m, IFLA_IFNAME, name);
        mnl_attr_put(m, IFLA_ADDRESS, 6, (uint8_t[]){2, 0, 0, 0, 0, (uint8_t)index});
        mnl_attr_put_u8(m, IFLA_OPERSTATE, (uint8_t)operstate);
        assert_int_equal(interfaces_apply(all, m), 0);
}

static void address_message(struct interfaces *all, uint16_t type, unsigned index, const char *text)
{
        char buffer[512];
        struct nlmsghdr *m = mnl_nlmsg_put_header(buffer);
        struct ifaddrmsg *head = mnl_nlmsg_put_extra_header(m, sizeof(*head));
        struct ip ip;
        uint8_t prefix;

        assert_int_equal(ip_parse_prefix(text, &ip, &prefix), 0);
        m->nlmsg_type = type;
        head->ifa_family = (uint8_t)ip.family;
        head->ifa_prefixlen = prefix;
        head->ifa_index = index;
        mnl_attr_put(m, IFA_ADDRESS, ip_size(&ip), ip.bytes);
        if (ip.family == AF_INET)
                mnl_attr_put(m, IFA_LOCAL, ip_size(&ip), ip.bytes);
        assert_int_equal(interfaces_apply(all, m), 0);
}

static bool is_111(void *user, const struct ip *ip)
{
        return ip->bytes[3] == 111;
}

static unsigned covering(const struct interfaces *all, const char *text)
{
        struct ip ip;

        assert_int_equal(ip_parse(text, &ip), 0);
        const struct link *link = interfaces_covering(all, &ip, is_111, NULL);
        return link ? link->index : 0;
}

static void carrier_is_what_the_kernel_can_use(void **state)
{
        static const struct {
                unsigned flags;
                int operstate;
                bool carrier;
        } rows[] = {
                {UP, 6, true},      {UP, 0, true},
                {UP, 2, false},     {UP, 3, false},
                {UP, 5, false}, /* dormant: not yet let in (802.1X) */
                {IFF_UP, 6, false}, {UP & ~(unsigned)IFF_UP, 6, false},
        };
        struct interfaces all = {0};

        for (size_t i = 0; i < COUNT(rows); i++) {
                link_message(&all, RTM_NEWLINK, AF_UNSPEC, 2, "eth0", rows[i].flags, rows[i].operstate);
                assert_int_equal(interfaces_by_index(&all, 2)->carrier, rows[i].carrier);
        }
        assert_int_equal(all.link_count, 1);
        interfaces_free(&all);
}

static void leaving_a_bridge_is_not_vanishing(void **state)
{
        struct interfaces all = {0};

        link_message(&all, RTM_NEWLINK, AF_UNSPEC, 2, "eth0", UP, 6);
        link_message(&all, RTM_DELLINK, AF_BRIDGE, 2, "eth0", UP, 6);
        assert_non_null(interfaces_by_name(&all, "eth0"));
        link_message(&all, RTM_DELLINK, AF_UNSPEC, 2, "eth0", UP, 6);
        assert_null(interfaces_by_name(&all, "eth0"));
        interfaces_free(&all);
}

static void addresses_go_with_their_interface(void **state)
{
        struct interfaces all = {0};
        struct ip ip;

        assert_int_equal(ip_parse("fd00::5", &ip), 0);
        link_message(&all, RTM_NEWLINK, AF_UNSPEC, 2, "eth0", UP, 6);
        link_message(&all, RTM_NEWLINK, AF_UNSPEC, 3, "eth1", UP, 6);
        for (int i = 0; i < 3; i++) /* told again at each change of lifetime */
                address_message(&all, RTM_NEWADDR, 2, "10.0.0.5/24");
        address_message(&all, RTM_NEWADDR, 3, "fd00::5/64");
        assert_int_equal(all.address_count, 2);
        assert_string_equal(interfaces_carrying(&all, &ip)->name, "eth1");
        link_message(&all, RTM_DELLINK, AF_UNSPEC, 2, "eth0", UP, 6);
        assert_int_equal(all.address_count, 1);
        address_message(&all, RTM_DELADDR, 3, "fd00::5/64");
        assert_null(interfaces_carrying(&all, &ip));
        interfaces_free(&all);
}

static void the_interface_is_found_by_its_network(void **state)
{
        struct interfaces all = {0};

        link_message(&all, RTM_NEWLINK, AF_UNSPEC, 2, "eth0", UP, 6);
        link_message(&all, RTM_NEWLINK, AF_UNSPEC, 3, "eth1", UP, 6);
        link_message(&all, RTM_NEWLINK, AF_UNSPEC, 4, "eth2", UP, 2);
        address_message(&all, RTM_NEWADDR, 2, "10.0.0.5/8");
        address_message(&all, RTM_NEWADDR, 3, "10.1.0.5/16");
        assert_int_equal(covering(&all, "10.1.0.100"), 3); /* the narrowest */
        assert_int_equal(covering(&all, "10.2.0.100"), 2);
        assert_int_equal(covering(&all, "192.0.2.1"), 0);
        address_message(&all, RTM_NEWADDR, 4, "10.1.0.6/16");
        assert_int_equal(covering(&all, "10.1.0.100"), 3); /* the one with carrier */
        address_message(&all, RTM_NEWADDR, 2, "192.0.2.111/24");
        assert_int_equal(covering(&all, "192.0.2.1"), 0); /* a floating address proves nothing */
        interfaces_free(&all);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(carrier_is_what_the_kernel_can_use),
                cmocka_unit_test(leaving_a_bridge_is_not_vanishing),
                cmocka_unit_test(addresses_go_with_their_interface),
                cmocka_unit_test(the_interface_is_found_by_its_network),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
