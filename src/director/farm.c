#include "director/farm.h"

#include "director/places.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A weight that rises does so in steps no shorter than this: each is a change in the kernel's table. */
#define STEP span_s(1)

struct server {
        enum server_state state; /* but for SERVER_DRAINED */
        bool drained;
        bool closed;      /* is down whatever its checks say */
        instant up_since; /* in SERVER_SLOW_START */
};

struct service {
        struct server *server;
        bool up;
        bool changed;
};

/* Where a check counts. */
struct use {
        size_t check, service, server;
};

struct farm {
        const struct plan *plan;
        struct service *service;
        enum verdict_state *verdict; /* by check */
        uint8_t *share;              /* by check: percent of a server's weight */
        size_t use_count;
        struct use *use; /* by check */
        struct places places;
        size_t rising;         /* servers in their slow start */
        size_t first, waiting; /* services that have changed, in the ring below */
        size_t *ring;          /* of as many as there are services */
};

static int compare_uses(const void *one, const void *two)
{
        const struct use *a = one, *b = two;

        return a->check < b->check ? -1 : a->check > b->check;
}

static bool list_uses(struct farm *f)
{
        const struct plan *p = f->plan;
        size_t count = 0;

        for (size_t i = 0; i < p->service_count; i++)
                for (size_t j = 0; j < p->service[i].server_count; j++)
                        count += p->service[i].server[j].check_count;
        f->use = calloc(count + 1, sizeof(*f->use));
        for (size_t i = 0; f->use && i < p->service_count; i++)
                for (size_t j = 0; j < p->service[i].server_count; j++) {
                        const struct plan_server *s = &p->service[i].server[j];
                        for (size_t k = 0; k < s->check_count; k++)
                                f->use[f->use_count++] = (struct use){s->check[k], i, j};
                }
        if (f->use)
                qsort(f->use, f->use_count, sizeof(*f->use), compare_uses);
        return f->use;
}

/* Somebody has to look at the service; one that waits already does so once. */
static void set_changed(struct farm *f, size_t service)
{
        if (f->service[service].changed)
                return;
        f->service[service].changed = true;
        f->ring[(f->first + f->waiting++) % f->plan->service_count] = service;
}

static void set_state(struct farm *f, struct server *s, enum server_state state)
{
        f->rising += state == SERVER_SLOW_START;
        f->rising -= s->state == SERVER_SLOW_START;
        s->state = state;
}

static enum server_state state_of(const struct server *s)
{
        return s->closed && s->state != SERVER_OFF ? SERVER_DOWN : s->state;
}

static size_t working(const struct farm *f, size_t service)
{
        size_t n = 0;

        for (size_t j = 0; j < f->plan->service[service].server_count; j++) {
                const struct server *s = &f->service[service].server[j];
                n += !s->drained && state_of(s) != SERVER_DOWN && s->state != SERVER_OFF;
        }
        return n;
}

static void judge_service(struct farm *f, size_t service)
{
        const struct plan_service *p = &f->plan->service[service];
        struct service *s = &f->service[service];
        size_t n = working(f, service);

        if (n >= p->quorum)
                s->up = true;
        else if (n < p->quorum_down)
                s->up = false;
}

struct farm *farm_new(const struct plan *plan)
{
        struct farm *f = calloc(1, sizeof(*f));
        bool whole = f;

        if (!f)
                return NULL;
        f->plan = plan;
        f->service = calloc(plan->service_count + 1, sizeof(*f->service));
        f->verdict = calloc(plan->check_count + 1, sizeof(*f->verdict));
        f->share = malloc(plan->check_count + 1);
        f->ring = calloc(plan->service_count + 1, sizeof(*f->ring));
        whole = f->service && f->verdict && f->share && f->ring && list_uses(f) &&
                places_list(plan, &f->places) == 0;
        if (f->share)
                memset(f->share, 100, plan->check_count + 1);
        for (size_t i = 0; whole && i < plan->service_count; i++) {
                const struct plan_service *p = &plan->service[i];
                f->service[i].server = calloc(p->server_count + 1, sizeof(struct server));
                whole = f->service[i].server;
                for (size_t j = 0; whole && j < p->server_count; j++) {
                        const struct plan_server *s = &p->server[j];
                        bool always = s->use == USE_ALWAYS || s->check_count == 0;
                        f->service[i].server[j].state = s->use == USE_NEVER    ? SERVER_OFF
                                                        : always               ? SERVER_UP
                                                        : s->use == USE_PROVEN ? SERVER_DOWN
                                                                               : SERVER_UNKNOWN;
                }
                if (whole)
                        judge_service(f, i);
        }
        if (whole)
                return f;
        farm_free(f);
        return NULL;
}

void farm_free(struct farm *f)
{
        if (!f)
                return;
        for (size_t i = 0; f->service && i < f->plan->service_count; i++)
                free(f->service[i].server);
        free(f->service);
        free(f->verdict);
        free(f->share);
        free(f->use);
        free(f->ring);
        places_free(&f->places);
        free(f);
}

/* Who has been down comes back slowly; who was never seen down has been at work all along. */
static enum server_state state_after(const struct plan_service *p, enum server_state before,
                                     enum verdict_state said)
{
        switch (said) {
        case VERDICT_DOWN: return SERVER_DOWN;
        case VERDICT_UNKNOWN: return before;
        case VERDICT_UP: break;
        }
        if (before == SERVER_DOWN && p->slow_start.us > 0)
                return SERVER_SLOW_START;
        return before == SERVER_SLOW_START ? SERVER_SLOW_START : SERVER_UP;
}

/* One that is down is enough; being up takes all. */
static enum verdict_state verdict_of(const struct farm *f, const struct plan_server *s)
{
        enum verdict_state said = VERDICT_UP;

        for (size_t k = 0; k < s->check_count; k++) {
                enum verdict_state one = f->verdict[s->check[k]];
                if (one == VERDICT_DOWN)
                        return VERDICT_DOWN;
                if (one == VERDICT_UNKNOWN)
                        said = VERDICT_UNKNOWN;
        }
        return said;
}

static bool hear_for(struct farm *f, const struct use *u, instant now)
{
        const struct plan_service *p = &f->plan->service[u->service];
        struct server *s = &f->service[u->service].server[u->server];
        enum server_state state;

        if (p->server[u->server].use == USE_ALWAYS || p->server[u->server].use == USE_NEVER)
                return false;
        state = state_after(p, s->state, verdict_of(f, &p->server[u->server]));
        if (state == s->state)
                return false;
        set_state(f, s, state);
        s->up_since = now;
        set_changed(f, u->service);
        judge_service(f, u->service);
        return true;
}

/* NULL: it counts nowhere. */
static const struct use *first_use(const struct farm *f, size_t check)
{
        struct use sought = {.check = check};
        const struct use *u =
                f->use_count ? bsearch(&sought, f->use, f->use_count, sizeof(*f->use), compare_uses) : NULL;

        while (u && u > f->use && u[-1].check == check)
                u--;
        return u;
}

static const struct use *next_use(const struct farm *f, const struct use *u)
{
        return u + 1 < f->use + f->use_count && u[1].check == u->check ? u + 1 : NULL;
}

bool farm_hear(struct farm *f, size_t check, enum verdict_state verdict, instant now)
{
        bool changed = false;

        if (f->verdict[check] == verdict)
                return false;
        f->verdict[check] = verdict;
        for (const struct use *u = first_use(f, check); u; u = next_use(f, u))
                changed |= hear_for(f, u, now);
        return changed;
}

static void find_in(struct farm *f, size_t service, const struct virtual_service *actual)
{
        const struct plan_service *p = &f->plan->service[service];

        for (size_t j = 0; j < p->server_count; j++) {
                const struct plan_server *planned = &p->server[j];
                struct server *s = &f->service[service].server[j];
                if (planned->use != USE_PROVEN || s->state != SERVER_DOWN ||
                    verdict_of(f, planned) != VERDICT_UNKNOWN)
                        continue;
                const struct real_server *r = service_server(actual, &planned->real.ip, planned->real.port);
                if (!r || r->weight == 0)
                        continue;
                set_state(f, s, SERVER_UNKNOWN);
                set_changed(f, service);
        }
        judge_service(f, service);
}

void farm_find(struct farm *f, const struct table *actual)
{
        for (size_t i = 0; i < f->plan->service_count; i++) {
                const struct virtual_service *s = table_service(actual, &f->plan->service[i].service.key);
                if (s)
                        find_in(f, i, s);
        }
}

bool farm_weigh(struct farm *f, size_t check, uint8_t percent)
{
        if (f->share[check] == percent)
                return false;
        f->share[check] = percent;
        for (const struct use *u = first_use(f, check); u; u = next_use(f, u))
                set_changed(f, u->service);
        return true;
}

size_t farm_drain(struct farm *f, const struct ip *ip, uint16_t port, bool drain)
{
        size_t places;
        const struct place *at = places_find(&f->places, ip, port, &places);

        for (size_t n = 0; n < places; n++, at++) {
                struct server *s = &f->service[at->service].server[at->server];
                if (s->drained == drain)
                        continue;
                s->drained = drain;
                set_changed(f, at->service);
                judge_service(f, at->service);
        }
        return places;
}

bool farm_close(struct farm *f, size_t service, size_t server, bool closed)
{
        struct server *s = &f->service[service].server[server];

        if (s->closed == closed)
                return false;
        s->closed = closed;
        set_changed(f, service);
        judge_service(f, service);
        return true;
}

/* Of what its checks leave it; nothing only if one of them says so. */
static uint32_t full_weight(const struct farm *f, const struct plan_server *planned)
{
        uint32_t share = 100;

        for (size_t k = 0; k < planned->check_count; k++)
                if (f->share[planned->check[k]] < share)
                        share = f->share[planned->check[k]];
        return (uint32_t)(((uint64_t)planned->real.weight * share + 99) / 100);
}

static uint32_t weight_of(const struct farm *f, const struct plan_service *p,
                          const struct plan_server *planned, const struct server *s, instant now)
{
        uint32_t full = full_weight(f, planned);
        int64_t passed = span_between(s->up_since, now).us;

        if (s->drained || state_of(s) == SERVER_DOWN || s->state == SERVER_OFF)
                return 0;
        if (s->state != SERVER_SLOW_START || passed >= p->slow_start.us || full == 0)
                return full;
        uint32_t weight = (uint32_t)((double)full * (double)passed / (double)p->slow_start.us);
        return weight ? weight : 1;
}

/* From one step of a rising weight to the next. */
static span step_of(const struct plan_service *p, const struct plan_server *planned)
{
        uint32_t full = planned->real.weight ? planned->real.weight : 1;

        return span_max(STEP, span_us(p->slow_start.us / full));
}

void farm_tick(struct farm *f, instant now)
{
        for (size_t i = 0; f->rising && i < f->plan->service_count; i++) {
                const struct plan_service *p = &f->plan->service[i];
                for (size_t j = 0; j < p->server_count && p->slow_start.us > 0; j++) {
                        struct server *s = &f->service[i].server[j];
                        if (s->state != SERVER_SLOW_START)
                                continue;
                        set_changed(f, i);
                        if (instant_reached(now, instant_add(s->up_since, p->slow_start)))
                                set_state(f, s, SERVER_UP);
                }
        }
}

instant farm_due(const struct farm *f, instant now)
{
        instant due = INSTANT_NEVER;

        for (size_t i = 0; f->rising && i < f->plan->service_count; i++) {
                const struct plan_service *p = &f->plan->service[i];
                for (size_t j = 0; j < p->server_count && p->slow_start.us > 0; j++) {
                        const struct server *s = &f->service[i].server[j];
                        if (s->state != SERVER_SLOW_START)
                                continue;
                        instant end = instant_add(s->up_since, p->slow_start);
                        due = instant_min(due, instant_min(end, instant_add(now, step_of(p, &p->server[j]))));
                }
        }
        return due;
}

size_t farm_next_changed(struct farm *f)
{
        if (!f->waiting)
                return SIZE_MAX;
        size_t service = f->ring[f->first];
        f->first = (f->first + 1) % f->plan->service_count;
        f->waiting--;
        f->service[service].changed = false;
        return service;
}

/* Whether the server has a place in the table at all. */
static bool stands(const struct plan_service *p, const struct server *s)
{
        return (state_of(s) != SERVER_DOWN && s->state != SERVER_OFF) || p->failed == FAILED_QUIESCE;
}

int farm_service(const struct farm *f, size_t i, instant now, struct virtual_service *ret_service)
{
        const struct plan_service *p = &f->plan->service[i];
        const struct service *s = &f->service[i];
        bool fallback = !s->up && p->has_fallback;
        int error = 0;

        *ret_service = p->service;
        ret_service->count = 0;
        ret_service->room = p->server_count + 1;
        ret_service->server = calloc(ret_service->room, sizeof(*ret_service->server));
        error = ret_service->server ? 0 : -ENOMEM;
        for (size_t j = 0; j < p->server_count && !error; j++) {
                struct real_server r = p->server[j].real;
                if (!stands(p, &s->server[j]))
                        continue;
                /* too few of them would drown: they finish what they have, the fallback gets what is new */
                r.weight = fallback ? 0 : weight_of(f, p, &p->server[j], &s->server[j], now);
                error = service_add(ret_service, &r);
        }
        if (!error && fallback)
                error = service_add(ret_service, &p->fallback);
        if (error)
                service_done(ret_service);
        else
                service_sort(ret_service);
        return error;
}

const struct plan *farm_plan(const struct farm *f)
{
        return f->plan;
}

int farm_table(const struct farm *f, instant now, struct table *ret_table)
{
        const struct virtual_service *twin;
        int error = 0;

        *ret_table = (struct table){0};
        for (size_t i = 0; i < f->plan->service_count && !error; i++) {
                struct virtual_service s;
                error = farm_service(f, i, now, &s);
                if (!error)
                        error = table_add_whole(ret_table, &s);
        }
        if (error)
                table_free(ret_table);
        else
                table_sort(ret_table, &twin);
        return error;
}

bool farm_service_up(const struct farm *f, size_t service)
{
        return f->service[service].up;
}

size_t farm_working(const struct farm *f, size_t service)
{
        return working(f, service);
}

enum server_state farm_server(const struct farm *f, size_t service, size_t server)
{
        const struct server *s = &f->service[service].server[server];

        return s->drained && s->state != SERVER_OFF ? SERVER_DRAINED : state_of(s);
}

const char *server_state_name(enum server_state state)
{
        static const char *const names[] = {
                [SERVER_UNKNOWN] = "unknown",       [SERVER_UP] = "up",
                [SERVER_SLOW_START] = "slow-start", [SERVER_DOWN] = "down",
                [SERVER_DRAINED] = "drained",       [SERVER_OFF] = "off",
        };

        return names[state];
}
