#include "main/ledger.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

static struct ledger *fresh(int *ret_fd)
{
        struct ledger *l;

        assert_int_equal(ledger_create(7, &l, ret_fd), 0);
        return l;
}

/* Every state, every transition: whether it is made, and what comes of it. */
static const struct {
        enum ledger_hold from;
        enum { HOLD, BEGIN, FREE } verb;
        bool done;
        enum ledger_hold to;
} transitions[] = {
        {LEDGER_FREE, HOLD, true, LEDGER_HELD},
        {LEDGER_FREE, BEGIN, false, LEDGER_FREE},
        {LEDGER_FREE, FREE, false, LEDGER_FREE},
        {LEDGER_HELD, HOLD, true, LEDGER_HELD}, /* the same epoch: it is held */
        {LEDGER_HELD, BEGIN, true, LEDGER_RELEASING},
        {LEDGER_HELD, FREE, false, LEDGER_HELD},
        {LEDGER_RELEASING, HOLD, false, LEDGER_RELEASING}, /* nothing revives it */
        {LEDGER_RELEASING, BEGIN, false, LEDGER_RELEASING},
        {LEDGER_RELEASING, FREE, true, LEDGER_FREE},
};

static void a_group_changes_only_as_the_table_says(void **state)
{
        for (size_t i = 0; i < sizeof(transitions) / sizeof(transitions[0]); i++) {
                int fd;
                struct ledger *l = fresh(&fd);
                struct ledger_group *g = ledger_group(l, 42);
                struct epoch e = {3, 5};
                bool done = false;

                g->epoch_term = e.term;
                g->epoch_n = e.n;
                atomic_store(&g->state, transitions[i].from);
                switch (transitions[i].verb) {
                case HOLD: done = ledger_group_hold(l, g, e); break;
                case BEGIN: done = ledger_group_release_begin(g); break;
                case FREE: done = ledger_group_free(g); break;
                }
                assert_int_equal(done, transitions[i].done);
                assert_int_equal(ledger_state(&g->state), transitions[i].to);
                ledger_unmap(l);
                close(fd);
        }
}

static void an_address_changes_only_as_the_table_says(void **state)
{
        for (size_t i = 0; i < sizeof(transitions) / sizeof(transitions[0]); i++) {
                int fd;
                struct ledger *l = fresh(&fd);
                struct ledger_address *a = &l->address[0];
                bool done = false;

                assert_int_equal(ip_parse_prefix("10.0.0.1/24", &a->ip, &a->prefix), 0);
                a->ifindex = 3;
                atomic_store(&a->state, transitions[i].from);
                switch (transitions[i].verb) {
                case HOLD: done = ledger_address_hold(l, &a->ip, 24, 3) != NULL; break;
                case BEGIN: done = ledger_address_release_begin(a); break;
                case FREE: done = ledger_address_free(a); break;
                }
                assert_int_equal(done, transitions[i].done);
                assert_int_equal(ledger_state(&a->state), transitions[i].to);
                ledger_unmap(l);
                close(fd);
        }
}

static void a_released_epoch_is_never_held_again(void **state)
{
        int fd;
        struct ledger *l = fresh(&fd);
        struct ledger_group *g = ledger_group(l, 42);

        assert_true(ledger_group_hold(l, g, (struct epoch){2, 9}));
        assert_false(ledger_group_hold(l, g, (struct epoch){2, 10})); /* another epoch, and not released */
        assert_true(ledger_group_release_begin(g));
        assert_int_equal(ledger_group_sealed(g).n, 9);
        assert_true(ledger_group_free(g));
        assert_false(ledger_group_hold(l, g, (struct epoch){2, 9}));
        assert_false(ledger_group_hold(l, g, (struct epoch){1, 100}));
        assert_true(ledger_group_hold(l, g, (struct epoch){2, 10}));
        ledger_unmap(l);
        close(fd);
}

static void a_release_counts_as_sealed_before_the_seal_is_written(void **state)
{
        int fd;
        struct ledger *l = fresh(&fd);
        struct ledger_group *g = ledger_group(l, 42);

        /* the releaser died between its two stores */
        assert_true(ledger_group_hold(l, g, (struct epoch){2, 9}));
        atomic_store(&g->state, LEDGER_RELEASING);
        assert_int_equal(g->sealed_n, 0);
        assert_int_equal(ledger_group_sealed(g).n, 9);
        assert_true(ledger_group_free(g));
        assert_int_equal(g->sealed_n, 9);
        ledger_unmap(l);
        close(fd);
}

static void a_hold_wakes_the_supervisor(void **state)
{
        int fd;
        struct ledger *l = fresh(&fd);
        eventfd_t count;
        struct ip ip;

        l->watch_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        assert_int_equal(eventfd_read(l->watch_fd, &count), -1);
        assert_true(ledger_group_hold(l, ledger_group(l, 42), (struct epoch){1, 1}));
        assert_int_equal(eventfd_read(l->watch_fd, &count), 0);
        assert_int_equal(ip_parse("::1", &ip), 0);
        assert_non_null(ledger_address_hold(l, &ip, 128, 1));
        assert_int_equal(eventfd_read(l->watch_fd, &count), 0);
        close(l->watch_fd);
        ledger_unmap(l);
        close(fd);
}

static void a_full_ledger_refuses(void **state)
{
        int fd;
        struct ledger *l = fresh(&fd);
        struct ip ip = {.family = AF_INET};

        for (uint32_t i = 1; i <= GROUPS_MAX; i++)
                assert_true(ledger_group_hold(l, ledger_group(l, i), (struct epoch){1, i}));
        assert_null(ledger_group(l, 1000));
        assert_ptr_equal(ledger_group(l, 5), &l->group[4]);
        /* one that is let go makes room for a group of a later configuration */
        assert_true(ledger_group_release_begin(&l->group[6]));
        assert_true(ledger_group_free(&l->group[6]));
        assert_ptr_equal(ledger_group(l, 1000), &l->group[6]);
        assert_true(epoch_none(ledger_group_sealed(&l->group[6])));
        for (size_t i = 0; i < LEDGER_ADDRESSES_MAX; i++) {
                ip.bytes[2] = (uint8_t)(i >> 8);
                ip.bytes[3] = (uint8_t)i;
                assert_non_null(ledger_address_hold(l, &ip, 24, 1));
        }
        ip.bytes[0] = 1;
        assert_null(ledger_address_hold(l, &ip, 24, 1));
        ledger_unmap(l);
        close(fd);
}

static void two_processes_see_one_ledger(void **state)
{
        int fd;
        struct ledger *l = fresh(&fd), *other;

        assert_int_equal(ledger_map(fd, &other), 0);
        assert_int_equal(other->boot, 7);
        assert_true(other->last_answer_us > 0); /* may have promised until now */
        ledger_lease_set(other, (instant){123456});
        assert_int_equal(ledger_lease_end(l).us, 123456);
        assert_int_equal(ftruncate(fd, 100), -1); /* sealed */
        ledger_unmap(other);
        l->version = LEDGER_VERSION + 1;
        assert_int_equal(ledger_map(fd, &other), -EBADMSG);
        ledger_unmap(l);
        close(fd);

        fd = memfd_create("short", MFD_CLOEXEC);
        assert_int_equal(ledger_map(fd, &other), -EBADMSG);
        close(fd);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_group_changes_only_as_the_table_says),
                cmocka_unit_test(an_address_changes_only_as_the_table_says),
                cmocka_unit_test(a_released_epoch_is_never_held_again),
                cmocka_unit_test(a_release_counts_as_sealed_before_the_seal_is_written),
                cmocka_unit_test(a_hold_wakes_the_supervisor),
                cmocka_unit_test(a_full_ledger_refuses),
                cmocka_unit_test(two_processes_see_one_ledger),
        };

        return cmocka_run_group_tests_name("ledger", tests, NULL, NULL);
}
