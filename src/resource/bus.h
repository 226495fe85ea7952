/* bus.h - the connection to systemd's manager over D-Bus, for the kind `service`.
 *
 * libsystemd is loaded with the first service and not before: a node without services does not carry it. One
 * connection serves all services of an engine. When it breaks it is made again, and every unit is told so
 * that it asks anew.
 *
 * Interface: org.freedesktop.systemd1(5). HAVEN_SYSTEMD_BUS in the environment names another address than the
 * system bus. Without a system bus, systemd's own socket is tried, which has no broker. */
#pragma once

#include <stdbool.h>
#include <uv.h>

struct bus;
struct bus_unit;

enum bus_question {
        BUS_STATE, /* answer: the unit's ActiveState */
        BUS_JOB,   /* answer: the path of the job that is queued for it, "" if none */
        BUS_START, /* answer: the path of the job */
        BUS_STOP,  /* answer: the path of the job */
        BUS_KILL,  /* SIGKILL to all its processes; answer: "" */
};

struct bus_unit_events {
        /* `error` is NULL, or what systemd says against it; `unknown`: it knows no such unit. */
        void (*on_answer)(void *user, enum bus_question question, const char *text, const char *error,
                          bool unknown);
        /* Some property of it changed: ask for the state. */
        void (*on_changed)(void *user);
        /* A job of it has ended: done, failed, canceled, timeout, dependency, skipped, ... */
        void (*on_job)(void *user, const char *job, const char *result);
        /* The connection was lost and is there again: what was asked before gets no answer any more. */
        void (*on_again)(void *user);
};

/* NULL: no memory. Connects with the first unit. */
struct bus *bus_new(uv_loop_t *loop);
/* After its units. */
void bus_free(struct bus *b);

/* Listens to a unit; `events` must outlive it. NULL: no memory. */
struct bus_unit *bus_unit_new(struct bus *b, const char *unit, const struct bus_unit_events *events,
                              void *user);
void bus_unit_free(struct bus_unit *u);

/* Asks; a question that has no answer yet is forgotten. 0, or a negative errno: there is no connection at
 * present (bus_trouble() says why) and on_again will come when there is. */
int bus_ask(struct bus_unit *u, enum bus_question question);
const char *bus_trouble(const struct bus *b);
