/* haven-fence-disk, with this test in the place of the node that it gives a pill. */
#include "disk/area.h"
#include "disk/pill.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define TARGET 1

static char path[] = "/tmp/haven-pill-XXXXXX", lock[64];
static struct area area;
static struct disk_header header = {.uuid = {7}, .cluster = "shop", .node_count = 2};
static struct disk_keys keys = {.count = 1, .key = {{42}}};
static struct disk_life life;
static _Alignas(DISK_BLOCK) uint8_t block[DISK_BLOCK];

static int make_area(void **state)
{
        char why[AREA_TEXT];
        int fd = mkstemp(path);

        if (fd == -1 || ftruncate(fd, (off_t)DISK_BYTES(2)) == -1)
                return -1;
        close(fd);
        snprintf(lock, sizeof(lock), "%s.lock", path);
        if (area_open(&area, path, true, why) != 0)
                return -1;
        disk_header_encode(&header, block);
        return area_write(&area, 0, block, sizeof(block));
}

static int remove_area(void **state)
{
        area_close(&area);
        unlink(path);
        unlink(lock);
        return 0;
}

static void live(span watchdog, uint64_t taken, uint8_t boot)
{
        life = (struct disk_life){.node = TARGET,
                                  .boot = {boot},
                                  .count = life.count + 1,
                                  .watchdog = watchdog,
                                  .taken = taken};
        disk_life_encode(&life, header.uuid, &keys, block);
        assert_int_equal(area_write(&area, disk_life_place(TARGET), block, sizeof(block)), 0);
}

static struct disk_pill given(void)
{
        struct disk_pills pills;

        assert_int_equal(area_read(&area, disk_pills_place(0), block, sizeof(block)), 0);
        if (disk_pills_decode(block, header.uuid, 0, &keys, &pills) != DISK_OK)
                return (struct disk_pill){.number = 0};
        return pills.to[TARGET];
}

/* The agent at work; its last words go to `said`. */
static FILE *begin(int timeout_ms)
{
        char command[1024], hex[2 * DISK_KEY + 1] = "2a";

        memset(hex + 2, '0', sizeof(hex) - 3);
        snprintf(
                command, sizeof(command),
                "printf 'action=off\ndevice=%s\ncluster=shop\nnodes=2\nself=0\nslot=%d\nlock=%s\nreset_ms=0\n"
                "timeout_ms=%d\nseal=%s\nnodename=beta\n' | " PROGRAM,
                path, TARGET, lock, timeout_ms, hex);
        return popen(command, "r");
}

static int end(FILE *agent, char said[static 256])
{
        said[0] = '\0';
        while (fgets(said, 256, agent))
                ;
        return WEXITSTATUS(pclose(agent));
}

static void wait_for_the_pill(void)
{
        for (int i = 0; i < 3000 && given().number == 0; i++)
                nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
        assert_int_not_equal(given().number, 0);
        assert_memory_equal(given().boot, life.boot, PILL_BOOT);
}

static void what_was_taken_is_believed_when_the_watchdog_has_had_its_time(void **state)
{
        char said[256];

        live(span_s(1), 0, 1);
        FILE *agent = begin(60000);
        wait_for_the_pill();
        instant taken = instant_now();
        live(span_s(1), given().number, 1);
        assert_int_equal(end(agent, said), 0);
        assert_non_null(strstr(said, "its watchdog has had its time"));
        assert_true(span_between(taken, instant_now()).us >= span_s(1).us);
}

static void another_boot_is_believed_at_once(void **state)
{
        char said[256];

        live(span_s(1000), 0, 2);
        FILE *agent = begin(3000000);
        wait_for_the_pill();
        live(span_s(1000), 0, 2);
        nanosleep(&(struct timespec){.tv_sec = 1}, NULL); /* it looks five times */
        live(span_s(1000), 0, 3);
        assert_int_equal(end(agent, said), 0);
        assert_non_null(strstr(said, "booted since"));
}

/* What stands there may be of a boot before the one that runs: that it took a pill says nothing of now. */
static void what_an_earlier_boot_took_is_not_believed(void **state)
{
        char said[256];

        live(span_s(1), 7, 6);
        assert_int_equal(end(begin(8200), said), 1);
        assert_non_null(strstr(said, "does not take the pill"));
}

/* Its watchdog was lost after the pill was given. */
static void what_is_taken_without_a_watchdog_proves_nothing(void **state)
{
        char said[256];

        live(span_s(1), 0, 9);
        FILE *agent = begin(8500);
        wait_for_the_pill();
        live(SPAN_ZERO, given().number, 9);
        assert_int_equal(end(agent, said), 1);
}

/* Nor does the first word of a boot that may have run all the time. */
static void a_boot_that_just_finds_the_disk_is_no_proof(void **state)
{
        char said[256];

        live(span_s(1), 0, 7);
        FILE *agent = begin(60000);
        wait_for_the_pill();
        live(span_s(1), 0, 8);
        assert_int_equal(end(agent, said), 1);
        assert_non_null(strstr(said, "another boot"));
        assert_int_equal(given().number, 0);
}

/* Silence proves nothing. */
static void what_is_not_taken_is_taken_back(void **state)
{
        char said[256];

        live(span_s(1), 0, 4);
        assert_int_equal(end(begin(8200), said), 1);
        assert_non_null(strstr(said, "does not take the pill"));
        assert_int_equal(given().number, 0);
}

static void without_a_watchdog_none_is_given(void **state)
{
        char said[256];

        live(SPAN_ZERO, 0, 5);
        assert_int_equal(end(begin(60000), said), 1);
        assert_non_null(strstr(said, "no watchdog armed"));
        live(span_s(100), 0, 5);
        assert_int_equal(end(begin(60000), said), 1);
        assert_non_null(strstr(said, "timeout must be"));
        assert_int_equal(given().number, 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(without_a_watchdog_none_is_given),
                cmocka_unit_test(what_was_taken_is_believed_when_the_watchdog_has_had_its_time),
                cmocka_unit_test(what_is_not_taken_is_taken_back),
                cmocka_unit_test(another_boot_is_believed_at_once),
                cmocka_unit_test(what_an_earlier_boot_took_is_not_believed),
                cmocka_unit_test(what_is_taken_without_a_watchdog_proves_nothing),
                cmocka_unit_test(a_boot_that_just_finds_the_disk_is_no_proof),
        };

        return cmocka_run_group_tests(tests, make_area, remove_area);
}
