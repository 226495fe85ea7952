/* Floating addresses in a real kernel: two namespaces and a cable. Needs root; skipped otherwise.
 *
 * Each test waits for the event it is about, never for time to pass. */

#include "base/text.h"
#include "lab.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#define EVENTS (ADDRESS_EV_CARRIER_BACK + 1)
/* Longer than anything here lasts, even with sanitizers on a busy machine. */
#define PATIENCE_MS 8000

struct lab {
        uv_loop_t loop;
        uv_timer_t patience, renewal;
        bool out_of_patience;
        struct takeover *takeover;
        struct address *address;
        unsigned seen[EVENTS];
        char text[EVENTS][256];
};

static void on_event(void *user, struct address *a, enum address_event event, const char *text)
{
        struct lab *lab = user;

        lab->seen[event]++;
        text_copy(lab->text[event], sizeof(lab->text[event]), text);
}

static instant in_s(int64_t s)
{
        return instant_add(instant_now(), span_s(s));
}

static void on_patience(uv_timer_t *timer)
{
        ((struct lab *)timer->data)->out_of_patience = true;
}

static bool awaited(struct lab *lab, enum address_event event, unsigned times, uint64_t ms)
{
        lab->out_of_patience = false;
        uv_timer_start(&lab->patience, on_patience, ms, 0);
        while (lab->seen[event] < times && !lab->out_of_patience)
                uv_run(&lab->loop, UV_RUN_ONCE);
        uv_timer_stop(&lab->patience);
        return lab->seen[event] >= times;
}

static void await(struct lab *lab, enum address_event event, unsigned times)
{
        if (!awaited(lab, event, times, PATIENCE_MS))
                fail_msg("event %d did not come %u times; the address: %s", event, times,
                         address_text(lab->address));
}

static void assert_said(struct lab *lab, enum address_event event, const char *part)
{
        if (!strstr(lab->text[event], part))
                fail_msg("'%s' does not say '%s'", lab->text[event], part);
}

static void want(struct lab *lab, const char *text, const char *device)
{
        struct address_want w = {.device = device};

        assert_int_equal(ip_parse_prefix(text, &w.ip, &w.prefix), 0);
        assert_int_equal(address_new(lab->takeover, &w, on_event, lab, &lab->address), 0);
}

static int setup(void **state)
{
        struct lab *lab = calloc(1, sizeof(*lab));

        lab_plug();
        uv_loop_init(&lab->loop);
        uv_timer_init(&lab->loop, &lab->patience);
        uv_timer_init(&lab->loop, &lab->renewal);
        lab->patience.data = lab->renewal.data = lab;
        int r = takeover_new(&lab->loop, &lab->takeover);
        *state = lab;
        return r;
}

static int teardown(void **state)
{
        struct lab *lab = *state;

        address_free(lab->address);
        takeover_free(lab->takeover);
        uv_close((uv_handle_t *)&lab->patience, NULL);
        uv_close((uv_handle_t *)&lab->renewal, NULL);
        uv_run(&lab->loop, UV_RUN_DEFAULT);
        int r = uv_loop_close(&lab->loop);
        free(lab);
        lab_unplug();
        return r;
}

static void taking_tells_the_peer_and_is_proven(void **state)
{
        struct lab *lab = *state;

        /* the peer believes that a dead owner has it */
        peer("ip neigh replace 10.9.0.111 lladdr 02:00:00:00:00:99 dev v1 nud stale");
        here("ip neigh replace 10.9.0.2 lladdr 02:00:00:00:00:98 dev v0 nud stale");
        want(lab, "10.9.0.111/24", "v0");
        assert_int_equal(address_state(lab->address), ADDRESS_ABSENT);
        address_take(lab->address, false, in_s(60));
        assert_int_equal(lab->seen[ADDRESS_EV_TAKEN], 1); /* before it returned */
        assert_int_equal(address_state(lab->address), ADDRESS_HELD);
        assert_true(here_is("ip addr show dev v0 | grep -q \"10.9.0.111/24 brd 10.9.0.255\""));
        await(lab, ADDRESS_EV_VERIFIED, 1);
        assert_said(lab, ADDRESS_EV_VERIFIED, "verified by 10.9.0.2 after ");
        assert_int_equal(address_state(lab->address), ADDRESS_VERIFIED);
        assert_true(peer_is("ip neigh show 10.9.0.111 | grep -q " LAB_OUR_MAC));
        assert_int_equal(address_release(lab->address), 0);
        assert_int_equal(lab->seen[ADDRESS_EV_RELEASED], 1);
        assert_false(here_is("ip addr show dev v0 | grep -q 10.9.0.111"));
        assert_int_equal(address_release(lab->address), 0); /* safe in every state */
}

static void an_ipv6_address_is_usable_at_once_and_proven(void **state)
{
        struct lab *lab = *state;

        peer("ip neigh replace fd09::111 lladdr 02:00:00:00:00:99 dev v1 nud stale");
        here("ip neigh replace fd09::2 lladdr 02:00:00:00:00:98 dev v0 nud stale");
        want(lab, "fd09::111/64", "v0");
        address_take(lab->address, false, in_s(60));
        assert_int_equal(lab->seen[ADDRESS_EV_TAKEN], 1);
        assert_true(here_is("ip addr show dev v0 | grep fd09::111/64 | grep -qv tentative"));
        await(lab, ADDRESS_EV_VERIFIED, 1);
        assert_said(lab, ADDRESS_EV_VERIFIED, "verified by fd09::2 after ");
        assert_true(peer_is("ip neigh show fd09::111 | grep -q " LAB_OUR_MAC));
        /* the network's route, shared with the host's own address, is none of its business */
        assert_true(here_is("ip addr show dev v0 | grep fd09::111/64 | grep -q noprefixroute"));
        assert_false(here_is("ip -6 route show fd09::/64 dev v0 | grep -q expires"));
        assert_int_equal(address_release(lab->address), 0);
        assert_true(here_is("ip -6 route show fd09::/64 dev v0 | grep -q fd09"));
}

static void a_question_before_taking_costs_40_ms(void **state)
{
        struct lab *lab = *state;
        instant start = instant_now();

        want(lab, "10.9.0.111/24", "v0");
        address_take(lab->address, true, in_s(60));
        assert_int_equal(address_state(lab->address), ADDRESS_PROBING);
        assert_false(here_is("ip addr show dev v0 | grep -q 10.9.0.111"));
        await(lab, ADDRESS_EV_TAKEN, 1);
        assert_true(span_between(start, instant_now()).us >= 40000);
        assert_true(here_is("ip addr show dev v0 | grep -q 10.9.0.111"));
}

static void refused_by_a_stranger(struct lab *lab, const char *text)
{
        FILE *f;
        char mac[32] = "";

        want(lab, text, "v0");
        address_take(lab->address, true, in_s(60));
        await(lab, ADDRESS_EV_REFUSED, 1);
        assert_said(lab, ADDRESS_EV_REFUSED, LAB_PEER_MAC);
        assert_int_equal(address_state(lab->address), ADDRESS_FOREIGN);
        assert_int_equal(lab->seen[ADDRESS_EV_TAKEN], 0);
        f = popen("ip -o addr show dev v0 | grep -c 111/", "r");
        assert_non_null(fgets(mac, sizeof(mac), f));
        pclose(f);
        assert_string_equal(mac, "0\n");
}

static void a_stranger_is_refused_by_its_mac(void **state)
{
        peer("ip addr add 10.9.0.111/24 dev v1");
        refused_by_a_stranger(*state, "10.9.0.111/24");
}

static void an_ipv6_stranger_is_refused_by_its_mac(void **state)
{
        peer("ip addr add fd09::111/64 dev v1 nodad");
        refused_by_a_stranger(*state, "fd09::111/64");
}

static void what_others_remove_is_restored_until_it_is_a_fight(void **state)
{
        struct lab *lab = *state;

        want(lab, "10.9.0.111/24", "v0");
        address_take(lab->address, false, in_s(60));
        for (unsigned i = 1; i <= 5; i++) {
                here("ip addr del 10.9.0.111/24 dev v0");
                await(lab, ADDRESS_EV_REMOVED, i);
                assert_true(here_is("ip addr show dev v0 | grep -q 10.9.0.111"));
        }
        assert_said(lab, ADDRESS_EV_REMOVED, "5 times");
        here("ip addr del 10.9.0.111/24 dev v0");
        await(lab, ADDRESS_EV_LOST, 1);
        assert_int_equal(lab->seen[ADDRESS_EV_REMOVED], 5);
        assert_int_equal(address_state(lab->address), ADDRESS_ABSENT);
}

static void releasing_and_taking_again_is_no_removal(void **state)
{
        struct lab *lab = *state;

        want(lab, "10.9.0.111/24", "v0");
        for (int i = 0; i < 20; i++) {
                address_take(lab->address, false, in_s(60));
                assert_int_equal(address_release(lab->address), 0);
        }
        address_take(lab->address, false, in_s(60));
        await(lab, ADDRESS_EV_TAKEN, 21);
        here("ip link add name x0 type veth peer name x1 && ip link set x0 up && ip link del x0");
        assert_false(awaited(lab, ADDRESS_EV_REMOVED, 1, 50));
        assert_int_equal(lab->seen[ADDRESS_EV_LOST], 0);
}

static void lost_carrier_is_told_at_once(void **state)
{
        struct lab *lab = *state;

        want(lab, "10.9.0.111/24", "v0");
        address_take(lab->address, false, in_s(60));
        peer("ip link set v1 down");
        await(lab, ADDRESS_EV_CARRIER_LOST, 1);
        assert_false(address_carrier(lab->address));
        assert_string_equal(address_text(lab->address), "v0 has no carrier");
        peer("ip link set v1 up");
        await(lab, ADDRESS_EV_CARRIER_BACK, 1);
        assert_true(address_carrier(lab->address));
        assert_int_equal(address_state(lab->address), ADDRESS_HELD); /* and announced again */
        assert_int_equal(lab->seen[ADDRESS_EV_LOST], 0);
        here("ip link del v0");
        await(lab, ADDRESS_EV_LOST, 1);
        assert_int_equal(lab->seen[ADDRESS_EV_CARRIER_LOST], 2);
        assert_int_equal(address_state(lab->address), ADDRESS_WAITING);
}

static void without_carrier_no_question_can_be_asked(void **state)
{
        struct lab *lab = *state;

        peer("ip link set v1 down");
        want(lab, "10.9.0.111/24", "v0");
        await(lab, ADDRESS_EV_CARRIER_LOST, 1);
        address_take(lab->address, true, in_s(60));
        assert_int_equal(lab->seen[ADDRESS_EV_REFUSED], 1);
        assert_said(lab, ADDRESS_EV_REFUSED, "v0 has no carrier");
}

static void carrier_lost_while_asking_is_no_answer(void **state)
{
        struct lab *lab = *state;

        want(lab, "10.9.0.111/24", "v0");
        address_take(lab->address, true, in_s(60));
        peer("ip link set v1 down");
        await(lab, ADDRESS_EV_CARRIER_LOST, 1);
        assert_int_equal(lab->seen[ADDRESS_EV_REFUSED], 1);
        assert_int_equal(lab->seen[ADDRESS_EV_TAKEN], 0);
}

static void an_interface_that_comes_later_is_waited_for(void **state)
{
        struct lab *lab = *state;

        want(lab, "10.8.0.111/24", "x0");
        assert_int_equal(lab->seen[ADDRESS_EV_CARRIER_LOST], 1); /* before address_new() returned */
        assert_int_equal(address_state(lab->address), ADDRESS_WAITING);
        assert_string_equal(address_text(lab->address), "waiting for x0");
        address_take(lab->address, false, in_s(60));
        assert_int_equal(lab->seen[ADDRESS_EV_REFUSED], 1);
        assert_said(lab, ADDRESS_EV_REFUSED, "waiting for x0");
        here("ip link add name x0 type veth peer name x1 && ip link set x0 up && ip link set x1 up");
        await(lab, ADDRESS_EV_CARRIER_BACK, 1);
        assert_int_equal(address_state(lab->address), ADDRESS_ABSENT);
        address_take(lab->address, false, in_s(60));
        assert_int_equal(address_state(lab->address), ADDRESS_HELD);
        here("ip link del x0");
        await(lab, ADDRESS_EV_LOST, 1);
}

static void the_interface_is_found_and_followed_by_its_network(void **state)
{
        struct lab *lab = *state;
        struct ip local;
        char name[TAKEOVER_NAME];
        bool carrier;

        want(lab, "10.9.0.111/32", NULL);
        assert_string_equal(address_device(lab->address), "v0");
        assert_int_equal(ip_parse("10.9.0.1", &local), 0);
        assert_true(takeover_interface_of(lab->takeover, &local, name, &carrier));
        assert_string_equal(name, "v0");
        assert_true(carrier);
        assert_int_equal(ip_parse("10.9.0.9", &local), 0);
        assert_false(takeover_interface_of(lab->takeover, &local, name, &carrier));
        here("ip addr del 10.9.0.1/24 dev v0"); /* a bridge is made of it */
        await(lab, ADDRESS_EV_CARRIER_LOST, 1);
        assert_string_equal(address_text(lab->address),
                            "waiting for an interface whose network covers 10.9.0.111/32");
        here("ip link add name x0 type veth peer name x1 && ip link set x0 up && ip link set x1 up && "
             "ip addr add 10.9.0.1/24 dev x0");
        await(lab, ADDRESS_EV_CARRIER_BACK, 1);
        assert_string_equal(address_device(lab->address), "x0");
        here("ip link del x0");
}

static void the_kernel_removes_what_is_not_renewed(void **state)
{
        struct lab *lab = *state;

        want(lab, "10.9.0.111/24", "v0");
        instant start = instant_now();
        address_take(lab->address, false, instant_add(start, span_ms(400)));
        await(lab, ADDRESS_EV_RELEASED, 1); /* nobody renews, nobody releases: valid_lft */
        span lived = span_between(start, instant_now());
        assert_in_range(lived.us, 900000, 2500000);
        assert_int_equal(lab->seen[ADDRESS_EV_REMOVED], 0);
        assert_false(here_is("ip addr show dev v0 | grep -q 10.9.0.111"));
        assert_int_equal(address_state(lab->address), ADDRESS_ABSENT);
}

static void on_renewal(uv_timer_t *timer)
{
        struct lab *lab = timer->data;

        address_renew(lab->address, instant_add(instant_now(), span_ms(450)));
}

static void renewed_stays(struct lab *lab, const char *text)
{
        want(lab, text, "v0");
        address_take(lab->address, false, instant_add(instant_now(), span_ms(450)));
        uv_timer_start(&lab->renewal, on_renewal, 100, 100);
        assert_false(awaited(lab, ADDRESS_EV_REMOVED, 1, 2500)); /* two lifetimes of the kernel */
        assert_int_equal(lab->seen[ADDRESS_EV_RELEASED], 0);
        assert_int_equal(address_release(lab->address), 0);
        uv_timer_stop(&lab->renewal);
}

static void what_is_renewed_stays(void **state)
{
        renewed_stays(*state, "10.9.0.111/24");
}

static void what_is_renewed_stays_with_ipv6(void **state)
{
        renewed_stays(*state, "fd09::111/64");
}

/* A lease that reaches beyond the kernel's lifetime, renewed once and then left alone: our own timer
 * refreshes. */
static void a_lease_longer_than_the_kernels_lifetime_is_kept(void **state)
{
        struct lab *lab = *state;

        want(lab, "10.9.0.111/24", "v0");
        instant start = instant_now();
        address_take(lab->address, false, instant_add(start, span_ms(900)));
        address_renew(lab->address, instant_add(start, span_ms(1900)));
        await(lab, ADDRESS_EV_RELEASED, 1);
        assert_true(span_between(start, instant_now()).us >= 1900000);
        assert_int_equal(lab->seen[ADDRESS_EV_REMOVED], 0);
}

static void an_adopted_address_is_kept_and_proven(void **state)
{
        struct lab *lab = *state;

        here("ip addr add 10.9.0.111/24 dev v0 valid_lft 100 preferred_lft 100");
        here("ip neigh replace 10.9.0.2 lladdr 02:00:00:00:00:98 dev v0 nud stale");
        want(lab, "10.9.0.111/24", "v0");
        uv_run(&lab->loop, UV_RUN_NOWAIT); /* the watch notes it */
        address_adopt(lab->address, in_s(60));
        assert_said(lab, ADDRESS_EV_TAKEN, "adopted");
        await(lab, ADDRESS_EV_VERIFIED, 1);
}

static void a_second_claim_is_told_and_answered(void **state)
{
        struct lab *lab = *state;

        want(lab, "10.9.0.111/24", "v0");
        address_take(lab->address, false, in_s(60));
        peer("sysctl -qw net.ipv4.conf.v1.arp_notify=1 && ip addr add 10.9.0.111/24 dev v1 && "
             "ip link set v1 down && ip link set v1 up"); /* which makes it send a gratuitous ARP */
        await(lab, ADDRESS_EV_CONFLICT, 1);
        assert_said(lab, ADDRESS_EV_CONFLICT, LAB_PEER_MAC);
        assert_true(address_state(lab->address) == ADDRESS_HELD ||
                    address_state(lab->address) == ADDRESS_VERIFIED);
}

static void silent_neighbours_are_an_alarm_and_none_is_not(void **state)
{
        struct lab *lab = *state;
        struct address_want w = {.device = "v0", .verify_count = 1};

        peer("sysctl -qw net.ipv4.conf.v1.arp_ignore=8"); /* answers for nothing */
        assert_int_equal(ip_parse_prefix("10.9.0.111/24", &w.ip, &w.prefix), 0);
        want(lab, "10.9.0.111/24", "v0");
        address_take(lab->address, false, in_s(60));
        assert_false(awaited(lab, ADDRESS_EV_UNVERIFIED, 1, 3300));
        assert_non_null(strstr(address_text(lab->address), "no neighbour to ask"));
        address_release(lab->address);
        address_free(lab->address);
        struct ip silent;
        assert_int_equal(ip_parse("10.9.0.2", &silent), 0);
        w.verify = &silent;
        assert_int_equal(address_new(lab->takeover, &w, on_event, lab, &lab->address), 0);
        address_take(lab->address, false, in_s(60));
        await(lab, ADDRESS_EV_UNVERIFIED, 1);
        assert_said(lab, ADDRESS_EV_UNVERIFIED, "10.9.0.2");
        peer("sysctl -qw net.ipv4.conf.v1.arp_ignore=0");
        await(lab, ADDRESS_EV_VERIFIED, 1); /* announcing went on */
}

static void releasing_leaves_the_hosts_own_address(void **state)
{
        struct lab *lab = *state;

        here("ip addr flush dev v0 && sysctl -qw net.ipv4.conf.v0.promote_secondaries=0");
        want(lab, "10.9.0.111/24", "v0");
        address_take(lab->address, false, in_s(60)); /* the first of its network, so the primary */
        here("ip addr add 10.9.0.1/24 dev v0");
        assert_int_equal(address_release(lab->address), 0);
        assert_true(here_is("ip addr show dev v0 | grep -q 10.9.0.1/24"));
}

static void the_supervisor_removes_without_a_loop(void **state)
{
        struct ip ip;

        assert_int_equal(ip_parse("10.9.0.111", &ip), 0);
        here("ip addr add 10.9.0.111/24 dev v0 && ip addr add 10.9.0.111/24 dev lo");
        assert_int_equal(address_remove_now(&ip, 24, 0), 0);
        assert_false(here_is("ip addr | grep -q 10.9.0.111"));
        assert_int_equal(address_remove_now(&ip, 24, 0), 0);
        assert_int_equal(address_remove_now(&ip, 24, 4711), 0);
        here("ip addr add fd09::111/64 dev v0");
        assert_int_equal(ip_parse("fd09::111", &ip), 0);
        assert_int_equal(address_remove_now(&ip, 64, 0), 0);
        assert_false(here_is("ip addr | grep -q fd09::111"));
}

/* The owner may free the address while it is told of an event. */
static void on_event_free(void *user, struct address *a, enum address_event event, const char *text)
{
        struct lab *lab = user;

        on_event(user, a, event, text);
        if (event == ADDRESS_EV_LOST || event == ADDRESS_EV_VERIFIED) {
                address_free(a);
                lab->address = NULL;
        }
}

static void an_address_may_be_freed_by_who_is_told(void **state)
{
        struct lab *lab = *state;
        struct address_want w = {.device = "v0"};

        here("ip neigh replace 10.9.0.2 lladdr 02:00:00:00:00:98 dev v0 nud stale");
        assert_int_equal(ip_parse_prefix("10.9.0.111/24", &w.ip, &w.prefix), 0);
        assert_int_equal(address_new(lab->takeover, &w, on_event_free, lab, &lab->address), 0);
        address_take(lab->address, false, in_s(60));
        await(lab, ADDRESS_EV_VERIFIED, 1);
        w.device = NULL;
        assert_int_equal(address_new(lab->takeover, &w, on_event_free, lab, &lab->address), 0);
        address_adopt(lab->address, in_s(60));
        here("ip link del v0");
        await(lab, ADDRESS_EV_LOST, 1);
}

/* The owner takes another address while it is told that an interface is gone: the tables, read a moment
 * before, must not make that look like a removal. */
static void on_event_take(void *user, struct address *a, enum address_event event, const char *text)
{
        struct lab *lab = user;

        if (event == ADDRESS_EV_CARRIER_LOST)
                address_take(lab->address, false, in_s(60));
}

static void taking_while_being_told_is_no_removal(void **state)
{
        struct lab *lab = *state;
        struct address_want w = {.device = "x0"};
        struct address *other;

        here("ip link add name x0 type veth peer name x1 && ip link set x0 up && ip link set x1 up");
        uv_run(&lab->loop, UV_RUN_NOWAIT);
        want(lab, "10.9.0.111/24", "v0");
        assert_int_equal(ip_parse_prefix("10.8.0.111/24", &w.ip, &w.prefix), 0);
        assert_int_equal(address_new(lab->takeover, &w, on_event_take, lab, &other), 0);
        here("ip link del x0");
        await(lab, ADDRESS_EV_TAKEN, 1);
        assert_false(awaited(lab, ADDRESS_EV_REMOVED, 1, 50));
        address_free(other);
}

int main(void)
{
#define LAB_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        const struct CMUnitTest tests[] = {
                LAB_TEST(taking_tells_the_peer_and_is_proven),
                LAB_TEST(an_ipv6_address_is_usable_at_once_and_proven),
                LAB_TEST(a_question_before_taking_costs_40_ms),
                LAB_TEST(a_stranger_is_refused_by_its_mac),
                LAB_TEST(an_ipv6_stranger_is_refused_by_its_mac),
                LAB_TEST(what_others_remove_is_restored_until_it_is_a_fight),
                LAB_TEST(releasing_and_taking_again_is_no_removal),
                LAB_TEST(lost_carrier_is_told_at_once),
                LAB_TEST(without_carrier_no_question_can_be_asked),
                LAB_TEST(an_interface_that_comes_later_is_waited_for),
                LAB_TEST(the_interface_is_found_and_followed_by_its_network),
                LAB_TEST(the_kernel_removes_what_is_not_renewed),
                LAB_TEST(what_is_renewed_stays),
                LAB_TEST(what_is_renewed_stays_with_ipv6),
                LAB_TEST(carrier_lost_while_asking_is_no_answer),
                LAB_TEST(a_lease_longer_than_the_kernels_lifetime_is_kept),
                LAB_TEST(an_adopted_address_is_kept_and_proven),
                LAB_TEST(a_second_claim_is_told_and_answered),
                LAB_TEST(silent_neighbours_are_an_alarm_and_none_is_not),
                LAB_TEST(releasing_leaves_the_hosts_own_address),
                LAB_TEST(the_supervisor_removes_without_a_loop),
                LAB_TEST(taking_while_being_told_is_no_removal),
                LAB_TEST(an_address_may_be_freed_by_who_is_told),
        };
        const char *why;

        if (!lab_open(&why)) {
                printf("skipped: %s\n", why);
                return 77; /* what Meson calls skipped */
        }
        int r = cmocka_run_group_tests(tests, NULL, NULL);
        lab_close();
        return r;
}
