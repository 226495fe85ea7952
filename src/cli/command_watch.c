#include "cli/connection.h"

#include "cli/lvs_text.h"

#include "api/view_json.h"
#include "api/view_text.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define LVS_RARELY 10   /* views, where there is no director: a reload may bring one */
#define RETRY_MS   1000 /* after havend has gone: it may be restarting */

/* alternate screen, no cursor, no line wrapping; and back */
#define SCREEN_ENTER "\033[?1049h\033[?25l\033[?7l"
#define SCREEN_LEAVE "\033[?7h\033[?25h\033[?1049l"

struct watch {
        const char *socket;
        bool screen; /* draw; otherwise print changes as lines */
        struct connection connection;
        struct view *now;
        struct view *old; /* what was printed last (lines) */
        bool seen;        /* there has been a view */

        /* What the directors do is asked for with each view that comes; where there are none, rarely. */
        struct connection asking;
        bool asked;   /* an answer is to come */
        int patience; /* so many views until the next question */
        json_t *lvs;  /* the last answer; NULL: none yet */
};

static volatile sig_atomic_t ended;

static void on_signal(int number)
{
        if (number != SIGWINCH) /* a new size only interrupts poll(), and we draw again */
                ended = 1;
}

static void write_all(const char *text, size_t n)
{
        while (n > 0) {
                ssize_t r = write(STDOUT_FILENO, text, n);
                if (r == -1 && errno != EINTR)
                        break; /* the terminal has gone; poll() will tell */
                text += r > 0 ? r : 0;
                n -= r > 0 ? (size_t)r : 0;
        }
}

/* Draws over what is there instead of clearing first, which would flicker. Lines below the screen are left
 * out. */
static void draw(const struct watch *w, const char *note)
{
        struct winsize size = {0};
        char *text = NULL, *frame = NULL;
        size_t n = 0, frame_size = 0;
        time_t wall = time(NULL);
        struct tm tm;
        char clock[16];

        ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
        if (size.ws_row == 0)
                size.ws_row = 24; /* a serial console does not know its size */
        FILE *to = open_memstream(&text, &n);
        assert(to);
        if (w->seen)
                view_print_status(w->now, cli_colour(), to);
        if (w->seen && lvs_has_directors(w->lvs)) {
                putc('\n', to);
                lvs_print(w->lvs, to);
        }
        fclose(to);

        localtime_r(&wall, &tm);
        strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
        FILE *out = open_memstream(&frame, &frame_size);
        assert(out);
        fprintf(out, "\033[H%s  %s\033[K\n\033[K\n", clock, note);
        int row = 2;
        for (const char *line = text; *line && row < size.ws_row - 1; row++) {
                const char *end = strchrnul(line, '\n');
                fprintf(out, "%.*s\033[K\n", (int)(end - line), line);
                line = *end ? end + 1 : end;
        }
        fputs("\033[J", out);
        fclose(out);
        write_all(frame, frame_size);
        free(frame);
        free(text);
}

/* Prints lines with the time before each. */
static void print_lines(char *text)
{
        time_t wall = time(NULL);
        struct tm tm;
        char clock[16];

        localtime_r(&wall, &tm);
        strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
        for (char *rest, *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
                printf("%s  %s\n", clock, line);
        fflush(stdout);
        free(text);
}

/* Prints what has changed. */
static void print_changes(struct watch *w)
{
        char *text = NULL;
        size_t n = 0;

        FILE *to = open_memstream(&text, &n);
        assert(to);
        view_print_changes(w->old, w->now, to);
        fclose(to);
        print_lines(text);
        *w->old = *w->now;
}

/* --- what the directors do --- */

static void lvs_close(struct watch *w)
{
        connection_close(&w->asking);
        w->asked = false;
}

static void lvs_ask(struct watch *w)
{
        if (w->asked || w->patience-- > 0)
                return;
        if (w->asking.fd == -1 && connection_open(&w->asking, w->socket, true) != CLI_DONE)
                return;
        w->asked = connection_send(&w->asking, json_pack("{s:s}", "command", "lvs")) == 0;
        if (!w->asked)
                lvs_close(w);
}

/* Takes over the reference. */
static void lvs_take(struct watch *w, json_t *lvs)
{
        char *text = NULL;
        size_t n = 0;

        if (!w->screen) {
                FILE *to = open_memstream(&text, &n);
                assert(to);
                lvs_print_changes(w->lvs, lvs, to);
                fclose(to);
                print_lines(text);
        }
        json_decref(w->lvs);
        w->lvs = lvs;
        w->patience = lvs_has_directors(lvs) ? 0 : LVS_RARELY;
}

/* What cannot be read is asked for again: the views tell when havend is gone. */
static void lvs_read(struct watch *w)
{
        bool bad = false;
        json_t *answer, *lvs;

        if (connection_fill(&w->asking) != 0) {
                lvs_close(w);
                return;
        }
        while ((answer = connection_next(&w->asking, &bad))) {
                lvs = json_object_get(answer, "lvs");
                if (lvs)
                        lvs_take(w, json_incref(lvs));
                json_decref(answer);
                w->asked = false;
        }
        if (bad)
                lvs_close(w);
}

/* --- views --- */

/* Takes the views that have come. CLI_DONE, or why it is over. */
static enum cli_status take_views(struct watch *w)
{
        bool bad;

        for (json_t *line; (line = connection_next(&w->connection, &bad));) {
                const char *refusal = json_string_value(json_object_get(line, "error"));
                enum cli_status status = refusal ? cli_fail("%s", refusal) : CLI_DONE;
                if (status == CLI_DONE && view_from_json(json_object_get(line, "view"), w->now) == 0) {
                        w->seen = true;
                        lvs_ask(w);
                        if (!w->screen)
                                print_changes(w);
                }
                json_decref(line);
                if (status != CLI_DONE)
                        return status;
        }
        return bad ? cli_fail("what listens on %s does not speak havend's language", w->socket) : CLI_DONE;
}

static enum cli_status connect_and_ask(struct watch *w, bool quiet)
{
        enum cli_status status = connection_open(&w->connection, w->socket, quiet);

        if (status == CLI_DONE)
                connection_send(&w->connection, json_pack("{s:s}", "command", "watch"));
        return status;
}

/* Waits for a key, a view or the time to try again. CLI_DONE, or why it is over. */
static enum cli_status watch_turn(struct watch *w)
{
        struct pollfd fds[] = {{.fd = w->connection.fd, .events = POLLIN},
                               {.fd = w->screen ? STDIN_FILENO : -1, .events = POLLIN},
                               {.fd = w->asked ? w->asking.fd : -1, .events = POLLIN}};
        char key;

        if (poll(fds, 3, w->connection.fd == -1 ? RETRY_MS : -1) == -1)
                return CLI_DONE;
        if (fds[1].revents && (read(STDIN_FILENO, &key, 1) != 1 || key == 'q' || key == 'Q' || key == 3))
                ended = 1;
        if (fds[2].revents)
                lvs_read(w);
        if (w->connection.fd == -1) {
                connect_and_ask(w, true);
                return CLI_DONE;
        }
        if (!fds[0].revents)
                return CLI_DONE;
        if (connection_fill(&w->connection) == 0)
                return take_views(w);
        connection_close(&w->connection);
        lvs_close(w);
        if (w->screen)
                return CLI_DONE;
        fprintf(stderr, "haven: havend has closed the connection: see 'systemctl status havend'\n");
        return CLI_NO_DAEMON;
}

static enum cli_status watch_loop(struct watch *w)
{
        enum cli_status status = CLI_DONE;

        while (!ended && status == CLI_DONE) {
                if (w->screen && w->connection.fd == -1)
                        draw(w, "havend does not answer, trying again; what follows was true before. q ends");
                else if (w->screen && w->seen)
                        draw(w, "q ends");
                status = watch_turn(w);
        }
        return status;
}

static enum cli_status watch_on_screen(struct watch *w)
{
        struct termios before, raw;
        bool keys = tcgetattr(STDIN_FILENO, &before) == 0;

        if (keys) {
                raw = before;
                raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
                tcsetattr(STDIN_FILENO, TCSANOW, &raw);
        }
        write_all(SCREEN_ENTER, strlen(SCREEN_ENTER));
        enum cli_status status = watch_loop(w);
        write_all(SCREEN_LEAVE, strlen(SCREEN_LEAVE));
        if (keys)
                tcsetattr(STDIN_FILENO, TCSANOW, &before);
        return status;
}

enum cli_status command_watch(const struct command *command, const struct arguments *a)
{
        struct watch w = {.socket = a->socket,
                          .screen = isatty(STDOUT_FILENO) && isatty(STDIN_FILENO),
                          .asking = {.fd = -1}};
        const struct sigaction action = {.sa_handler = on_signal}; /* no SA_RESTART: poll() must return */

        enum cli_status status = connect_and_ask(&w, false);
        if (status != CLI_DONE)
                return status;
        w.now = calloc(1, sizeof(*w.now));
        w.old = calloc(1, sizeof(*w.old));
        assert(w.now && w.old);
        sigaction(SIGINT, &action, NULL);
        sigaction(SIGTERM, &action, NULL);
        sigaction(SIGHUP, &action, NULL);
        sigaction(SIGWINCH, &action, NULL);
        status = w.screen ? watch_on_screen(&w) : watch_loop(&w);
        connection_close(&w.connection);
        lvs_close(&w);
        json_decref(w.lvs);
        free(w.now);
        free(w.old);
        return status;
}
