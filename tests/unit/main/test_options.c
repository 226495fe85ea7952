#include "main/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>
#include <unistd.h>

#define ARGS_MAX 12

struct run {
        enum options_result result;
        struct options options;
        char out[2048];
        char errors[512];
};

static struct run parse(const char *const *args)
{
        struct run r = {0};
        char *argv[ARGS_MAX + 2] = {(char *)"havend"};
        int argc = 1;

        while (args[argc - 1]) {
                argv[argc] = (char *)args[argc - 1];
                argc++;
        }
        FILE *out = fmemopen(r.out, sizeof(r.out), "w"), *errors = fmemopen(r.errors, sizeof(r.errors), "w");
        r.result = options_parse(argc, argv, out, errors, &r.options);
        fclose(out);
        fclose(errors);
        return r;
}

static void every_option_is_taken_and_handed_on(void **state)
{
        const char *const args[] = {"-c", "/a/b",           "-n", "beta", "-f", "--run-dir",
                                    "/r", "--state-dir=/s", NULL};
        char *handed[OPTIONS_ARGV];
        struct run r = parse(args);

        assert_int_equal(r.result, OPTIONS_RUN);
        assert_string_equal(r.options.config, "/a/b");
        assert_string_equal(r.options.node, "beta");
        assert_true(r.options.foreground);
        assert_string_equal(r.options.run_dir, "/r");
        assert_string_equal(r.options.state_dir, "/s");

        options_argv(&r.options, "havend", handed);
        struct run again = parse((const char *const *)handed + 1);
        assert_memory_equal(&again.options, &r.options, sizeof(r.options));
}

static void the_defaults_are_the_hosts_name_and_the_usual_places(void **state)
{
        const char *const args[] = {NULL};
        char host[256] = "";
        struct run r = parse(args);

        gethostname(host, sizeof(host) - 1);
        if (r.result == OPTIONS_WRONG) { /* this host's name cannot be a node's: then it must say so */
                assert_non_null(strstr(r.errors, "-n"));
                return;
        }
        assert_string_equal(r.options.node, host);
        assert_string_equal(r.options.config, PATH_CONFIG_DEFAULT);
        assert_string_equal(r.options.run_dir, PATH_RUN_DEFAULT);
        assert_string_equal(r.options.state_dir, PATH_STATE_DEFAULT);
        assert_false(r.options.foreground);
}

static void a_relative_path_becomes_absolute(void **state)
{
        const char *const args[] = {"-n", "a", "-c", "my.conf", NULL};
        char here[200], expected[PATH_SIZE];
        struct run r = parse(args);

        assert_non_null(getcwd(here, sizeof(here)));
        snprintf(expected, sizeof(expected), "%s/my.conf", here);
        assert_string_equal(r.options.config, expected);
}

static void wrong_command_lines_are_refused_with_the_culprit(void **state)
{
        static const struct {
                const char *args[4];
                const char *says;
        } rows[] = {
                {{"-n", "a b", NULL}, "'a b'"},
                {{"-n", "-x", NULL}, "'-x'"},
                {{"-n", "abcdefghijklmnopqrstuvwxyz0123456789", NULL}, "31 letters"},
                {{"-c", NULL}, "'-c' wants a value"},
                {{"-c", "", NULL}, "configuration ''"},
                {{"--run-dri", "x", NULL}, "unknown option '--run-dri'"},
                {{"-z", NULL}, "unknown option '-z'"},
                {{"-f", "web", NULL}, "unexpected 'web'"},
        };

        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                struct run r = parse(rows[i].args);
                assert_int_equal(r.result, OPTIONS_WRONG);
                if (!strstr(r.errors, rows[i].says))
                        fail_msg("expected '%s' in: %s", rows[i].says, r.errors);
        }
}

static void help_and_version_are_answered(void **state)
{
        const char *const help[] = {"--help", NULL}, *const version[] = {"--version", NULL};
        struct run r = parse(help);

        assert_int_equal(r.result, OPTIONS_DONE);
        assert_non_null(strstr(r.out, "--state-dir"));
        r = parse(version);
        assert_int_equal(r.result, OPTIONS_DONE);
        assert_string_equal(r.out, "havend " HAVEN_VERSION "\n");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_option_is_taken_and_handed_on),
                cmocka_unit_test(the_defaults_are_the_hosts_name_and_the_usual_places),
                cmocka_unit_test(a_relative_path_becomes_absolute),
                cmocka_unit_test(wrong_command_lines_are_refused_with_the_culprit),
                cmocka_unit_test(help_and_version_are_answered),
        };

        return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
