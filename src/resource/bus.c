#include "resource/bus.h"

#include "base/instant.h"
#include "base/log.h"
#include "base/text.h"
#include "resource/handle.h"

#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <time.h>

#define MANAGER         "org.freedesktop.systemd1"
#define MANAGER_PATH    "/org/freedesktop/systemd1"
#define MANAGER_METHODS "org.freedesktop.systemd1.Manager"
#define UNIT_PREFIX     "/org/freedesktop/systemd1/unit"
#define UNIT_PROPERTIES "org.freedesktop.systemd1.Unit"
#define PROPERTIES      "org.freedesktop.DBus.Properties"
#define PRIVATE_SOCKET  "unix:path=/run/systemd/private"
#define RECONNECT       span_s(1)

/* What we use of libsystemd.so.0, by its own names. */
#define SYMBOLS(X)                                                                                           \
        X(sd_bus_new)                                                                                        \
        X(sd_bus_open_system)                                                                                \
        X(sd_bus_set_address)                                                                                \
        X(sd_bus_set_bus_client)                                                                             \
        X(sd_bus_start)                                                                                      \
        X(sd_bus_close_unref)                                                                                \
        X(sd_bus_get_fd)                                                                                     \
        X(sd_bus_get_events)                                                                                 \
        X(sd_bus_get_timeout)                                                                                \
        X(sd_bus_process)                                                                                    \
        X(sd_bus_match_signal_async)                                                                         \
        X(sd_bus_call_method_async)                                                                          \
        X(sd_bus_message_read)                                                                               \
        X(sd_bus_message_get_error)                                                                          \
        X(sd_bus_path_encode)                                                                                \
        X(sd_bus_slot_unref)

struct library {
        void *handle;
/* NOLINTNEXTLINE(bugprone-macro-parentheses): it declares; a name in parentheses would be none */
#define X(name) typeof(name) *name;
        SYMBOLS(X)
#undef X
};

struct bus {
        uv_loop_t *loop;
        struct library lib;
        sd_bus *bus; /* NULL: not connected */
        sd_bus_slot *jobs;
        struct loop_watch *watch;
        struct loop_timer *timer; /* sd-bus's own deadlines; without a connection, the next try */
        bool processing;
        struct bus_unit *units;
        char trouble[160];
};

struct bus_unit {
        struct bus *b;
        struct bus_unit *next;
        const struct bus_unit_events *events;
        void *user;
        sd_bus_slot *changes;
        sd_bus_slot *call;
        enum bus_question question;
        char *path;
        char name[];
};

static int load(struct library *lib)
{
        if (lib->handle)
                return 0;
        void *handle = dlopen("libsystemd.so.0", RTLD_LAZY | RTLD_LOCAL);
        if (!handle)
                return -ENOENT;
#define X(name)                                                                                              \
        lib->name = (typeof(lib->name))dlsym(handle, #name);                                                 \
        if (!lib->name) {                                                                                    \
                dlclose(handle);                                                                             \
                return -ENOSYS;                                                                              \
        }
        SYMBOLS(X)
#undef X
        lib->handle = handle;
        return 0;
}

/* ---- the connection ---- */

static int open_address(struct bus *b, const char *address, bool brokered)
{
        sd_bus *bus = NULL;
        int r = b->lib.sd_bus_new(&bus);

        if (r < 0)
                return r;
        r = b->lib.sd_bus_set_address(bus, address);
        if (r >= 0)
                r = b->lib.sd_bus_set_bus_client(bus, brokered);
        if (r >= 0)
                r = b->lib.sd_bus_start(bus);
        if (r < 0) {
                b->lib.sd_bus_close_unref(bus);
                return r;
        }
        b->bus = bus;
        return 0;
}

static int open_bus(struct bus *b)
{
        const char *address = secure_getenv("HAVEN_SYSTEMD_BUS");
        int r;

        if (address)
                return open_address(b, address, !strstr(address, "systemd/private"));
        r = b->lib.sd_bus_open_system(&b->bus);
        if (r >= 0)
                return 0;
        b->bus = NULL;
        return open_address(b, PRIVATE_SOCKET, false) == 0 ? 0 : r;
}

static void drop(struct bus *b, int error)
{
        loop_watch_free(b->watch);
        b->watch = NULL;
        for (struct bus_unit *u = b->units; u; u = u->next) {
                u->changes = b->lib.sd_bus_slot_unref(u->changes);
                u->call = b->lib.sd_bus_slot_unref(u->call);
        }
        b->jobs = b->lib.sd_bus_slot_unref(b->jobs);
        b->bus = b->lib.sd_bus_close_unref(b->bus);
        snprintf(b->trouble, sizeof(b->trouble), "lost the connection to systemd: %s", strerror(-error));
        loop_timer_set(b->timer, RECONNECT);
}

/* Tells the loop what the connection waits for. */
static void arm(struct bus *b)
{
        uint64_t until = UINT64_MAX;
        int events = b->lib.sd_bus_get_events(b->bus);
        struct timespec now;

        loop_watch_set(b->watch, UV_READABLE | (events > 0 && (events & POLLOUT) ? UV_WRITABLE : 0));
        b->lib.sd_bus_get_timeout(b->bus, &until);
        if (until == UINT64_MAX) {
                loop_timer_clear(b->timer);
                return;
        }
        clock_gettime(CLOCK_MONOTONIC, &now); /* the clock of sd_bus_get_timeout(3) */
        loop_timer_set(b->timer,
                       span_us((int64_t)until - ((int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000)));
}

static void process(struct bus *b)
{
        int r;

        if (b->processing)
                return;
        b->processing = true;
        while ((r = b->lib.sd_bus_process(b->bus, NULL)) > 0)
                ;
        b->processing = false;
        if (r < 0)
                drop(b, r);
        else
                arm(b);
}

static void on_readable(void *user, int events)
{
        (void)events;
        process(user);
}

static int on_job_removed(sd_bus_message *m, void *user, sd_bus_error *ret_error)
{
        struct bus *b = user;
        const char *job, *name, *result;
        uint32_t id;

        (void)ret_error;
        if (b->lib.sd_bus_message_read(m, "uoss", &id, &job, &name, &result) < 0)
                return 0;
        for (struct bus_unit *u = b->units, *next; u; u = next) {
                next = u->next;
                if (!strcmp(u->name, name))
                        u->events->on_job(u->user, job, result);
        }
        return 0;
}

static int on_properties(sd_bus_message *m, void *user, sd_bus_error *ret_error)
{
        struct bus_unit *u = user;

        (void)m;
        (void)ret_error;
        u->events->on_changed(u->user);
        return 0;
}

static int listen_to_unit(struct bus_unit *u)
{
        struct bus *b = u->b;

        return b->lib.sd_bus_match_signal_async(b->bus, &u->changes, MANAGER, u->path, PROPERTIES,
                                                "PropertiesChanged", on_properties, NULL, u);
}

static int introduce(struct bus *b)
{
        int r = b->lib.sd_bus_match_signal_async(b->bus, &b->jobs, MANAGER, MANAGER_PATH, MANAGER_METHODS,
                                                 "JobRemoved", on_job_removed, NULL, b);

        /* systemd sends signals only while somebody has asked for them */
        if (r >= 0)
                r = b->lib.sd_bus_call_method_async(b->bus, NULL, MANAGER, MANAGER_PATH, MANAGER_METHODS,
                                                    "Subscribe", NULL, NULL, NULL);
        for (struct bus_unit *u = b->units; u && r >= 0; u = u->next)
                r = listen_to_unit(u);
        return r;
}

static int connect_bus(struct bus *b)
{
        int r = load(&b->lib);

        if (r < 0) {
                snprintf(b->trouble, sizeof(b->trouble), "cannot load libsystemd.so.0: %s", strerror(-r));
                return r;
        }
        r = open_bus(b);
        if (r < 0) {
                snprintf(b->trouble, sizeof(b->trouble), "no connection to systemd: %s", strerror(-r));
                loop_timer_set(b->timer, RECONNECT);
                return r;
        }
        b->watch = loop_watch_new(b->loop, b->lib.sd_bus_get_fd(b->bus), UV_READABLE, on_readable, b);
        r = b->watch ? introduce(b) : -ENOMEM;
        if (r < 0) {
                drop(b, r);
                return r;
        }
        b->trouble[0] = '\0';
        arm(b);
        return 0;
}

static void on_timer(void *user)
{
        struct bus *b = user;

        if (b->bus) {
                process(b);
                return;
        }
        if (connect_bus(b) < 0)
                return;
        /* asking anew sends, and a send that fails is found by the next process() */
        for (struct bus_unit *u = b->units, *next; u; u = next) {
                next = u->next;
                u->events->on_again(u->user);
        }
}

struct bus *bus_new(uv_loop_t *loop)
{
        struct bus *b = calloc(1, sizeof(*b));

        if (!b)
                return NULL;
        b->loop = loop;
        b->timer = loop_timer_new(loop, on_timer, b);
        if (b->timer)
                return b;
        free(b);
        return NULL;
}

void bus_free(struct bus *b)
{
        if (!b)
                return;
        if (b->bus)
                drop(b, -ESHUTDOWN);
        loop_timer_free(b->timer);
        free(b); /* the library stays: what it pulled in does not like to be unloaded */
}

const char *bus_trouble(const struct bus *b)
{
        return b->trouble;
}

/* ---- units ---- */

struct bus_unit *bus_unit_new(struct bus *b, const char *unit, const struct bus_unit_events *events,
                              void *user)
{
        struct bus_unit *u = calloc(1, sizeof(*u) + strlen(unit) + 1);

        if (!u)
                return NULL;
        u->b = b;
        u->events = events;
        u->user = user;
        strcpy(u->name, unit);
        u->next = b->units;
        b->units = u;
        return u;
}

void bus_unit_free(struct bus_unit *u)
{
        if (!u)
                return;
        if (u->b->lib.handle) {
                u->b->lib.sd_bus_slot_unref(u->changes);
                u->b->lib.sd_bus_slot_unref(u->call);
        }
        for (struct bus_unit **at = &u->b->units; *at; at = &(*at)->next)
                if (*at == u) {
                        *at = u->next;
                        break;
                }
        free(u->path);
        free(u);
}

static int read_answer(struct bus_unit *u, sd_bus_message *m, const char **ret_text)
{
        uint32_t id;

        *ret_text = "";
        switch (u->question) {
        case BUS_STATE: return u->b->lib.sd_bus_message_read(m, "v", "s", ret_text);
        case BUS_JOB:
                return u->b->lib.sd_bus_message_read(m, "v", "(uo)", &id, ret_text) < 0 ? -EBADMSG
                       : id == 0                                                        ? (*ret_text = "", 0)
                                                                                        : 0;
        case BUS_START:
        case BUS_STOP: return u->b->lib.sd_bus_message_read(m, "o", ret_text);
        case BUS_KILL: return 0;
        }
        return -EINVAL;
}

static int on_reply(sd_bus_message *m, void *user, sd_bus_error *ret_error)
{
        struct bus_unit *u = user;
        const sd_bus_error *error = u->b->lib.sd_bus_message_get_error(m);
        const char *text = "", *trouble = NULL;
        bool unknown = false;

        (void)ret_error;
        u->call = u->b->lib.sd_bus_slot_unref(u->call);
        if (error) {
                unknown = !strcmp(error->name, "org.freedesktop.systemd1.NoSuchUnit") ||
                          !strcmp(error->name, "org.freedesktop.systemd1.LoadFailed");
                trouble = error->message ? error->message : error->name;
        } else if (read_answer(u, m, &text) < 0) {
                trouble = "systemd answers in a form that is not known here";
        }
        u->events->on_answer(u->user, u->question, text, trouble, unknown);
        return 0;
}

static int send_question(struct bus_unit *u, enum bus_question question)
{
        const struct library *lib = &u->b->lib;
        sd_bus *bus = u->b->bus;

        switch (question) {
        case BUS_STATE:
                return lib->sd_bus_call_method_async(bus, &u->call, MANAGER, u->path, PROPERTIES, "Get",
                                                     on_reply, u, "ss", UNIT_PROPERTIES, "ActiveState");
        case BUS_JOB:
                return lib->sd_bus_call_method_async(bus, &u->call, MANAGER, u->path, PROPERTIES, "Get",
                                                     on_reply, u, "ss", UNIT_PROPERTIES, "Job");
        case BUS_START:
                return lib->sd_bus_call_method_async(bus, &u->call, MANAGER, MANAGER_PATH, MANAGER_METHODS,
                                                     "StartUnit", on_reply, u, "ss", u->name, "replace");
        case BUS_STOP:
                return lib->sd_bus_call_method_async(bus, &u->call, MANAGER, MANAGER_PATH, MANAGER_METHODS,
                                                     "StopUnit", on_reply, u, "ss", u->name, "replace");
        case BUS_KILL:
                return lib->sd_bus_call_method_async(bus, &u->call, MANAGER, MANAGER_PATH, MANAGER_METHODS,
                                                     "KillUnit", on_reply, u, "ssi", u->name, "all",
                                                     (int32_t)SIGKILL);
        }
        return -EINVAL;
}

/* Its object path needs the library, and its signals the connection: both come with the first question. */
static int prepare(struct bus_unit *u)
{
        struct bus *b = u->b;
        int r = b->bus ? 0 : connect_bus(b);

        if (r < 0)
                return r;
        if (!u->changes)
                r = listen_to_unit(u);
        return r;
}

int bus_ask(struct bus_unit *u, enum bus_question question)
{
        struct bus *b = u->b;
        int r = load(&b->lib);

        if (r < 0) {
                snprintf(b->trouble, sizeof(b->trouble), "cannot load libsystemd.so.0: %s", strerror(-r));
                return r;
        }
        if (!u->path && b->lib.sd_bus_path_encode(UNIT_PREFIX, u->name, &u->path) < 0)
                return -ENOMEM;
        r = prepare(u);
        if (r < 0)
                return r;
        u->call = b->lib.sd_bus_slot_unref(u->call);
        u->question = question;
        r = send_question(u, question);
        if (r < 0) {
                snprintf(b->trouble, sizeof(b->trouble), "cannot ask systemd: %s", strerror(-r));
                return r;
        }
        if (!b->processing)
                arm(b);
        return 0;
}
