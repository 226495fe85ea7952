#include "director/standby.h"

#include <errno.h>

const char *standing_name(enum standing standing)
{
        static const char *const names[] = {"whole", "self", "out"};

        return names[standing];
}

/* Masquerading, the packets that come to it are addressed to itself. */
static bool serves(const struct plan_server *s, standby_own_fn *own, const void *user)
{
        return s->real.forward != FORWARD_MASQ && own(user, &s->real.ip);
}

enum standing standby_standing(const struct plan_service *p, standby_own_fn *own, const void *user)
{
        for (size_t j = 0; j < p->server_count; j++)
                if (serves(&p->server[j], own, user))
                        return STANDING_SELF;
        return p->service.key.mark == 0 && own(user, &p->service.key.ip) ? STANDING_OUT : STANDING_WHOLE;
}

/* Whether it works is for the active director to say, which sends the packets. */
static int put_self(const struct plan_service *p, standby_own_fn *own, const void *user,
                    struct virtual_service *to)
{
        int error = 0;

        for (size_t j = 0; j < p->server_count && !error; j++) {
                struct real_server r = p->server[j].real;
                if (!serves(&p->server[j], own, user))
                        continue;
                r.weight = r.weight ? r.weight : 1;
                r.upper = r.lower = 0;
                error = service_add(to, &r);
        }
        service_sort(to);
        return error;
}

int standby_service(const struct farm *f, size_t i, instant now, standby_own_fn *own, const void *user,
                    struct virtual_service *ret_service)
{
        const struct plan_service *p = &farm_plan(f)->service[i];
        enum standing standing = standby_standing(p, own, user);
        int error;

        if (standing == STANDING_WHOLE)
                return farm_service(f, i, now, ret_service);
        if (standing == STANDING_OUT)
                return -ENOENT;
        *ret_service = p->service;
        ret_service->server = NULL;
        ret_service->count = ret_service->room = 0;
        error = put_self(p, own, user, ret_service);
        if (error)
                service_done(ret_service);
        return error;
}

int standby_table(const struct farm *f, instant now, standby_own_fn *own, const void *user,
                  struct table *ret_table)
{
        const struct virtual_service *twin;
        int error = 0;

        *ret_table = (struct table){0};
        for (size_t i = 0; i < farm_plan(f)->service_count && !error; i++) {
                struct virtual_service s;
                error = standby_service(f, i, now, own, user, &s);
                if (!error)
                        error = table_add_whole(ret_table, &s);
                else if (error == -ENOENT)
                        error = 0;
        }
        if (error)
                table_free(ret_table);
        else
                table_sort(ret_table, &twin);
        return error;
}
