/* farm.h - which real servers work, and what the kernel's table is to hold because of that.
 *
 * Pure: verdicts, drains and the time go in, the wanted table comes out. Nothing is allocated while it runs
 * but what is handed out. A server nobody has an opinion of yet is used: a director that takes over must
 * serve before its first checks are back, and a server that is down then is found out by them. */
#pragma once

#include "base/instant.h"
#include "director/plan.h"
#include "monitor/verdict.h"

struct farm;

/* Why a server is in the table the way it is. */
enum server_state {
        SERVER_UNKNOWN, /* not checked yet, and used */
        SERVER_UP,
        SERVER_SLOW_START, /* up again; its weight still rises */
        SERVER_DOWN,
        SERVER_DRAINED, /* weight 0, as somebody has asked for */
        SERVER_OFF,     /* never used */
};

/* `plan` must live as long. NULL: no memory. */
struct farm *farm_new(const struct plan *plan);
void farm_free(struct farm *f);
const struct plan *farm_plan(const struct farm *f);

/* What check `check` of the plan says. True: a server changed its state, and services have to be looked at.
 */
bool farm_hear(struct farm *f, size_t check, enum verdict_state verdict, instant now);
/* This is what the kernel has already, the servers in order: what stands there with a weight, and has to be
 * found up before it is used, has been, by whoever put it there, and is used until a check says otherwise. */
void farm_find(struct farm *f, const struct table *actual);
/* The server that check `check` looks at gets so much of its weight, 0 to 100 percent; of several such checks
 * the least counts. True: that is new. */
bool farm_weigh(struct farm *f, size_t check, uint8_t percent);
/* Drains the server, or no longer, wherever it stands; port 0: whatever its port. How many places that
 * concerns. */
size_t farm_drain(struct farm *f, const struct ip *ip, uint16_t port, bool drain);
/* The server is down whatever its checks say, or no longer. True: that is new. */
bool farm_close(struct farm *f, size_t service, size_t server, bool closed);
/* Time has passed: servers in their slow start get their next weight. */
void farm_tick(struct farm *f, instant now);
/* When farm_tick() has something to do next. */
instant farm_due(const struct farm *f, instant now);

/* The next service of which farm_service() gives something new since it was last asked here, or SIZE_MAX. */
size_t farm_next_changed(struct farm *f);
/* The table's entry of service i; the servers are the caller's to free. 0, or -ENOMEM. */
int farm_service(const struct farm *f, size_t i, instant now, struct virtual_service *ret_service);
/* All of it, sorted. 0, or -ENOMEM. */
int farm_table(const struct farm *f, instant now, struct table *ret_table);

bool farm_service_up(const struct farm *f, size_t service);
/* How many of its servers are in use. */
size_t farm_working(const struct farm *f, size_t service);
enum server_state farm_server(const struct farm *f, size_t service, size_t server);
const char *server_state_name(enum server_state state); /* "unknown", "up", "slow-start", ... */
