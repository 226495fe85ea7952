/* Fence agents, played by a shell script that keeps the power of a node in a file: what they are told, what
 * is believed, and what happens when they fail. */
#include "base/text.h"
#include "fence/agent.h"
#include "fence/fencer.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* Options it obeys: fail=ACTION, lie=1 (says that off worked, and leaves it on), slow=1. */
static const char script[] =
        "#!/bin/sh\n"
        "cd \"${0%/*}\" || exit 9\n"
        "name=${0##*/}\n"
        "while IFS= read -r line; do\n"
        "    echo \"$line\" >> \"$name.heard\"\n"
        "    case $line in action=*) action=${line#*=};; fail=*) fail=${line#*=};; lie=*) lie=1;; slow=*) "
        "slow=1;; esac\n"
        "done\n"
        "echo \"$name $action $#\" >> calls\n"
        "[ \"$slow\" ] && sleep 60\n"
        "[ \"$fail\" = \"$action\" ] && { echo 'starting'; echo 'Unable to connect/login' >&2; exit 1; }\n"
        "power=on; [ -f \"$name.off\" ] && power=off\n"
        "case $action in\n"
        "off) [ \"$lie\" ] || : > \"$name.off\"; exit 0;;\n"
        "on) rm -f \"$name.off\"; exit 0;;\n"
        "status) [ $power = off ] && exit 2; exit 0;;\n"
        "esac\n"
        "exit 1\n";

struct bench {
        uv_loop_t loop;
        char dir[64];
        struct fencer *fencer;
        bool told, off;
        char text[FENCER_TEXT];
};

static void write_file(const char *dir, const char *name, const char *text, mode_t mode)
{
        char path[256];

        snprintf(path, sizeof(path), "%s/%s", dir, name);
        FILE *f = fopen(path, "w");
        assert_non_null(f);
        fputs(text, f);
        fclose(f);
        assert_int_equal(chmod(path, mode), 0);
}

/* "" if there is none. */
static const char *read_text(const struct bench *b, const char *name)
{
        static char text[4096];
        char path[256];

        snprintf(path, sizeof(path), "%s/%s", b->dir, name);
        FILE *f = fopen(path, "r");
        size_t n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;
        if (f)
                fclose(f);
        text[n] = '\0';
        return text;
}

static void on_end(void *user, int node, bool off, instant asked, const char *text)
{
        struct bench *b = user;

        assert_false(b->told);
        assert_true(asked.us > 0);
        b->told = true;
        b->off = off;
        text_copy(b->text, sizeof(b->text), text);
}

static int setup(void **state)
{
        struct bench *b = calloc(1, sizeof(*b));

        assert_non_null(b);
        strcpy(b->dir, "/tmp/haven-fence-XXXXXX");
        assert_non_null(mkdtemp(b->dir));
        assert_int_equal(chmod(b->dir, 0755), 0);
        write_file(b->dir, "one", script, 0755);
        write_file(b->dir, "two", script, 0755);
        uv_loop_init(&b->loop);
        assert_int_equal(fencer_new(&b->loop, on_end, b, &b->fencer), 0);
        *state = b;
        return 0;
}

static int teardown(void **state)
{
        struct bench *b = *state;
        char command[128];

        fencer_free(b->fencer);
        uv_run(&b->loop, UV_RUN_DEFAULT);
        assert_int_equal(uv_loop_close(&b->loop), 0);
        snprintf(command, sizeof(command), "rm -r %s", b->dir);
        assert_int_equal(system(command), 0);
        free(b);
        return 0;
}

static void on_mistake(void *user, const char *file, int line, const char *text)
{
        fail_msg("%s:%d: %s", file, line, text);
}

/* `fences` with %1$s for the directory. */
static struct config *config_of(const struct bench *b, const char *fences)
{
        char text[4096];
        size_t n = (size_t)snprintf(text, sizeof(text),
                                    "cluster c { }\nnode alpha { address = 10.0.0.1 }\n"
                                    "node beta { address = 10.0.0.2 }\n"
                                    "group g { nodes = {alpha, beta}  address 10.0.0.9/24 { } }\n");

        for (const char *c = fences; *c && n < sizeof(text) - 64; c++) {
                if (*c == '@')
                        n += (size_t)snprintf(text + n, sizeof(text) - n, "%s", b->dir);
                else
                        text[n++] = *c;
        }
        text[n] = '\0';
        struct config *config = config_parse(text, "test", on_mistake, NULL);
        assert_non_null(config);
        return config;
}

static void fence_beta(struct bench *b, const char *fences)
{
        struct config *c = config_of(b, fences);

        assert_int_equal(fencer_off(b->fencer, c, 1), 0);
        assert_int_equal(fencer_off(b->fencer, c, 1), -EALREADY);
        config_free(c); /* a reload may happen meanwhile */
        uv_run(&b->loop, UV_RUN_DEFAULT);
        assert_true(b->told);
}

static void off_is_confirmed_by_a_query_and_then_it_is_switched_on(void **state)
{
        struct bench *b = *state;

        fence_beta(b, "fence bmc { agent = @/one  node = beta }\n");
        assert_true(b->off);
        assert_string_equal(b->text, "by fence bmc, its status says off");
        assert_string_equal(read_text(b, "calls"), "one off 0\none status 0\none on 0\n");
}

static void with_action_off_it_stays_off(void **state)
{
        struct bench *b = *state;

        fence_beta(b, "fence bmc { agent = @/one  node = beta  action = off }\n");
        assert_true(b->off);
        assert_string_equal(read_text(b, "calls"), "one off 0\none status 0\n");
}

static void all_that_it_is_to_know_comes_by_standard_input(void **state)
{
        struct bench *b = *state;

        write_file(b->dir, "secret", "pass word=x\nsecond line\n", 0600);
        fence_beta(b,
                   "fence bmc { agent = @/one  node = {alpha, beta}  action = off  confirm = no\n"
                   "option = {\"ip=10.0.0.3\", \"community=a = b # c\"}  plug = {\"alpha=1\", \"beta=2\"}\n"
                   "password-file = @/secret }\n");
        assert_true(b->off);
        assert_string_equal(read_text(b, "one.heard"),
                            "action=off\nip=10.0.0.3\ncommunity=a = b # c\nplug=2\nnodename=beta\n"
                            "password=pass word=x\n");
        assert_string_equal(b->text, "by fence bmc, not confirmed by a status query");
}

static void off_is_not_believed_while_the_status_says_on(void **state)
{
        struct bench *b = *state;

        fence_beta(b, "fence bmc { agent = @/one  node = beta  option = \"lie=1\" }\n");
        assert_false(b->off);
        assert_string_equal(b->text, "fence bmc: off was said to have worked, but its status says on");
}

static void nor_while_its_status_cannot_be_had(void **state)
{
        struct bench *b = *state;

        fence_beta(b, "fence bmc { agent = @/one  node = beta  option = \"fail=status\" }\n");
        assert_false(b->off);
        assert_string_equal(b->text, "fence bmc: exit status 1: Unable to connect/login");
}

static void the_next_level_is_tried_when_one_failed(void **state)
{
        struct bench *b = *state;

        fence_beta(b, "fence bmc { agent = @/one  node = beta  option = \"fail=off\" }\n"
                      "fence pdu { agent = @/two  node = beta  level = 3  action = off }\n");
        assert_true(b->off);
        assert_string_equal(b->text, "by fence pdu, its status says off");
        assert_string_equal(read_text(b, "calls"), "one off 0\ntwo off 0\ntwo status 0\n");
}

/* Two power supplies: one that is off is not enough. */
static void all_devices_of_a_level_must_be_off(void **state)
{
        struct bench *b = *state;

        fence_beta(b, "fence a { agent = @/one  node = beta  action = off }\n"
                      "fence b { agent = @/two  node = beta  option = \"fail=off\" }\n");
        assert_false(b->off);
        assert_string_equal(b->text, "fence b: exit status 1: Unable to connect/login");
}

static void an_agent_that_does_not_answer_is_ended_and_has_failed(void **state)
{
        struct bench *b = *state;

        fence_beta(b, "fence bmc { agent = @/one  node = beta  timeout = 1s  option = \"slow=1\" }\n");
        assert_false(b->off);
        assert_string_equal(b->text, "fence bmc: no answer within 1s");
}

static void an_agent_that_is_not_there_has_failed(void **state)
{
        struct bench *b = *state;

        fence_beta(b, "fence bmc { agent = fence_of_nobody  node = beta }\n");
        assert_false(b->off);
        assert_non_null(strstr(b->text, "/usr/sbin/fence_of_nobody: No such file"));
}

static void a_password_that_others_may_read_is_refused(void **state)
{
        struct bench *b = *state;

        write_file(b->dir, "secret", "x\n", 0644);
        fence_beta(b, "fence bmc { agent = @/one  node = beta  password-file = @/secret }\n");
        assert_false(b->off);
        assert_non_null(strstr(b->text, "mode 644: chown root and chmod 600 it"));
        assert_string_equal(read_text(b, "calls"), "");
}

static void a_node_without_a_device_cannot_be_switched(void **state)
{
        struct bench *b = *state;
        struct config *c = config_of(b, "fence bmc { agent = @/one  node = alpha }\n");

        assert_int_equal(fencer_off(b->fencer, c, 1), -ENODEV);
        config_free(c);
}

static void a_fencer_can_be_ended_in_the_middle(void **state)
{
        struct bench *b = *state;
        struct config *c = config_of(b, "fence bmc { agent = @/one  node = beta  option = \"slow=1\" }\n");

        assert_int_equal(fencer_off(b->fencer, c, 1), 0);
        config_free(c);
        uv_run(&b->loop, UV_RUN_NOWAIT);
        uv_run(&b->loop, UV_RUN_NOWAIT); /* by now it is started */
        fencer_free(b->fencer);
        b->fencer = NULL;
        uv_run(&b->loop, UV_RUN_DEFAULT);
        assert_false(b->told);
}

/* Debian's package fence-agents, if it is there; FENCE_DUMMY names it elsewhere. */
static void a_real_agent_is_understood(void **state)
{
        struct bench *b = *state;
        const char *agent = getenv("FENCE_DUMMY");
        char text[512];

        agent = agent ? agent : "/usr/sbin/fence_dummy";
        if (access(agent, X_OK) == -1) {
                print_message("no %s (Debian: fence-agents)\n", agent);
                skip();
        }
        write_file(b->dir, "power", "on", 0644);
        snprintf(text, sizeof(text),
                 "fence dummy { agent = \"%s\"  node = beta  action = off\n"
                 "option = {\"type=file\", \"status_file=@/power\"} }\n",
                 agent);
        fence_beta(b, text);
        assert_true(b->off);
        assert_string_equal(b->text, "by fence dummy, its status says off");
        assert_string_equal(read_text(b, "power"), "off");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        const struct CMUnitTest tests[] = {
                TEST(off_is_confirmed_by_a_query_and_then_it_is_switched_on),
                TEST(with_action_off_it_stays_off),
                TEST(all_that_it_is_to_know_comes_by_standard_input),
                TEST(off_is_not_believed_while_the_status_says_on),
                TEST(nor_while_its_status_cannot_be_had),
                TEST(the_next_level_is_tried_when_one_failed),
                TEST(all_devices_of_a_level_must_be_off),
                TEST(an_agent_that_does_not_answer_is_ended_and_has_failed),
                TEST(an_agent_that_is_not_there_has_failed),
                TEST(a_password_that_others_may_read_is_refused),
                TEST(a_node_without_a_device_cannot_be_switched),
                TEST(a_fencer_can_be_ended_in_the_middle),
                TEST(a_real_agent_is_understood),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
