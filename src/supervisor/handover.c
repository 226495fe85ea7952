/* One supervisor program replaces another in the same process: process id, children, ledger, locks and pipes
 * stay, so that neither the core's services nor systemd notice. What the next program needs to know it finds
 * in the environment, as words "name=number"; words that it does not know it passes over. */
#include "supervisor/supervisor.h"

#include "base/log.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HANDOVER        "HAVEN_TAKE_OVER"
#define HANDOVER_FAILED "HAVEN_TAKE_OVER_FAILED" /* the later program could not: we are back */
#define HANDOVER_WORDS  512
/* A core that does not end when it is told to: its lease runs on meanwhile, and the next one adopts. */
#define HANDOVER_PATIENCE span_ms(200)

/* Descriptors that outlive the change of program; one that is not there is -1. A room that gives the
 * supervisor another adds a line here. Those that are not named are made anew: signals, timer. */
static const struct {
        const char *name;
        size_t at;
} descriptors[] = {
        {"lock", offsetof(struct supervisor, lock)},
        {"state_lock", offsetof(struct supervisor, state_lock)},
        {"watch", offsetof(struct supervisor, watch)},
        {"life_read", offsetof(struct supervisor, life_read)},
        {"life_write", offsetof(struct supervisor, life_write)},
        {"ledger", offsetof(struct supervisor, ledger_fd)},
        {"control", offsetof(struct supervisor, control)},
        {"watchdog",
         offsetof(struct supervisor, watchdog)}, /* never closed: it would bite if not opened again */
        {"former_core", offsetof(struct supervisor, former_core)},
        {"former", offsetof(struct supervisor, former)},
};

static int *descriptor(struct supervisor *s, size_t i)
{
        return (int *)(void *)((char *)s + descriptors[i].at);
}

static void inherit(struct supervisor *s, bool on)
{
        for (size_t i = 0; i < COUNT(descriptors); i++)
                if (*descriptor(s, i) != -1)
                        fcntl(*descriptor(s, i), F_SETFD, on ? 0 : FD_CLOEXEC);
}

static void describe(struct supervisor *s, char *text, size_t size)
{
        int n = snprintf(text, size, "core=%d started=%" PRId64 " oom=%s", (int)s->core, s->core_started.us,
                         s->oom_adjust[0] ? s->oom_adjust : "none");

        for (size_t i = 0; i < COUNT(descriptors) && n > 0 && (size_t)n < size; i++)
                n += snprintf(text + n, size - (size_t)n, " %s=%d", descriptors[i].name, *descriptor(s, i));
}

/* Opened before the files may be replaced: what runs now can be gone back to. */
static void former_open(struct supervisor *s)
{
        char path[64];

        if (s->former_core != -1)
                close(s->former_core);
        snprintf(path, sizeof(path), "/proc/%d/exe", (int)s->core);
        s->former_core = open(path, O_RDONLY | O_CLOEXEC);
        s->former = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
}

void handover(struct supervisor *s)
{
        char *argv[OPTIONS_ARGV];
        char text[HANDOVER_WORDS];

        if (s->stopping || s->clearing || s->handing_over || s->reset_begun || s->watchdog_hungry ||
            !s->core || !s->core_ready) {
                log_warning("restart: not now, something else is under way");
                return;
        }
        former_open(s);
        describe(s, text, sizeof(text));
        options_argv(&s->options, s->program, argv);
        log_info("restart: going on as %s", s->program);
        setenv(HANDOVER, text, 1);
        inherit(s, true);
        execv(s->program, argv);
        log_error("restart: cannot run %s: %s; going on as before", s->program, strerror(errno));
        inherit(s, false);
        unsetenv(HANDOVER);
        close(s->former);
        s->former = -1;
}

int handover_rehearse(struct supervisor *s)
{
        char *argv[OPTIONS_ARGV];
        int error = path_program("haven-core", s->core_program);

        if (error)
                fprintf(stderr, "havend %s: %s: %s: it is not installed completely\n", HAVEN_VERSION,
                        s->core_program, strerror(-error));
        else if (s->options.ledger_layout > LEDGER_VERSION)
                fprintf(stderr,
                        "havend %s is older than the one that runs, and cannot read its ledger (layout %d, "
                        "not "
                        "%u): stop and start havend instead, which moves its groups first\n",
                        HAVEN_VERSION, LEDGER_VERSION, s->options.ledger_layout);
        if (error || s->options.ledger_layout > LEDGER_VERSION)
                return HAVEND_EXIT_FAILURE;
        options_argv(&s->options, s->core_program, argv);
        execv(s->core_program, argv);
        fprintf(stderr, "%s: cannot be run: %s\n", s->core_program, strerror(errno));
        return HAVEND_EXIT_FAILURE;
}

bool handover_found(void)
{
        return getenv(HANDOVER) != NULL;
}

static bool take_word(struct supervisor *s, const char *word)
{
        const char *value = strchr(word, '=');
        long long number;
        char *end;

        if (!value++)
                return false;
        size_t n = (size_t)(value - 1 - word);
        if (strncmp(word, "oom", n) == 0 && n == 3) {
                text_copy(s->oom_adjust, sizeof(s->oom_adjust), strcmp(value, "none") == 0 ? "" : value);
                return true;
        }
        number = strtoll(value, &end, 10);
        if (*value == '\0' || *end != '\0')
                return false;
        if (strncmp(word, "core", n) == 0 && n == 4)
                s->core = (pid_t)number;
        else if (strncmp(word, "started", n) == 0 && n == 7)
                s->core_started = (instant){number};
        for (size_t i = 0; i < COUNT(descriptors); i++)
                if (strlen(descriptors[i].name) == n && strncmp(word, descriptors[i].name, n) == 0)
                        *descriptor(s, i) = (int)number;
        return true;
}

/* The program before us goes on, in the same way in which we came. Returns only if that fails too. */
static void go_back(struct supervisor *s, const char *words)
{
        char *argv[OPTIONS_ARGV];

        options_argv(&s->options, s->program, argv);
        setenv(HANDOVER, words, 1);
        setenv(HANDOVER_FAILED, "1", 1);
        fexecve(s->former, argv, environ);
}

static int resume(struct supervisor *s, char *words)
{
        char *rest = NULL;

        s->lock = s->state_lock = s->watch = s->life_read = s->life_write = s->ledger_fd = -1;
        for (char *word = strtok_r(words, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
                if (!take_word(s, word))
                        return -EINVAL;
        if (s->core <= 0 || s->lock < 0 || s->watch < 0 || s->life_read < 0 || s->life_write < 0 ||
            s->ledger_fd < 0 || s->control < 0)
                return -EINVAL;
        int error = path_program("haven-core", s->core_program);
        if (!error)
                error = ledger_map(s->ledger_fd, &s->ledger);
        if (!error)
                error = signals_open(s);
        if (error)
                return error;
        inherit(s, false);
        return 0;
}

void handover_resume(struct supervisor *s)
{
        char words[HANDOVER_WORDS], parsed[HANDOVER_WORDS], oom[sizeof(s->oom_adjust)];
        bool failed = getenv(HANDOVER_FAILED) != NULL;

        text_copy(words, sizeof(words), getenv(HANDOVER));
        memcpy(parsed, words, sizeof(parsed));
        unsetenv(HANDOVER);
        unsetenv(HANDOVER_FAILED);
        s->core_ready = s->ready_once = true;
        log_open("havend", s->options.foreground, LOG_LEVEL_INFO);
        int error = resume(s, parsed);
        if (error) {
                log_error("restart: cannot take over: %s%s", strerror(-error),
                          failed ? "" : "; back to the program before");
                if (!failed && s->former != -1)
                        go_back(s, words);
                exit(HAVEND_EXIT_FAILURE);
        }
        text_copy(oom, sizeof(oom), s->oom_adjust);
        privileges_take(s);
        text_copy(s->oom_adjust, sizeof(s->oom_adjust), oom); /* by now it reads what we have set ourselves */
        if (s->former != -1)
                close(s->former);
        s->former = -1;
        watchdog_resume(s, instant_now());
        if (failed)
                return;
        log_info("restart: havend %s has taken over; its core comes next", HAVEN_VERSION);
        s->handing_over = true;
        s->handover_until = instant_add(instant_now(), HANDOVER_PATIENCE);
        kill(s->core, SIGUSR2);
}
