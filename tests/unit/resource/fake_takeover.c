/* fake_takeover.c - addresses that exist in this file only, so that orders and reports can be tested alone.
 */
#include "stage.h"
#include "takeover/takeover.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct address {
        struct ip ip;
        enum address_state state;
        address_event_fn *on_event;
        void *user;
};

int fake_release_error;
bool fake_refuse;
char fake_log[512];

static void note(const char *verb)
{
        size_t n = strlen(fake_log);

        snprintf(fake_log + n, sizeof(fake_log) - n, "%s%s", n ? ", " : "", verb);
}

void fake_event(struct address *a, int event, const char *text)
{
        a->on_event(a->user, a, (enum address_event)event, text);
}

int address_new(struct takeover *t, const struct address_want *want, address_event_fn *on_event, void *user,
                struct address **ret_address)
{
        struct address *a = calloc(1, sizeof(*a));

        a->ip = want->ip;
        a->state = ADDRESS_ABSENT;
        a->on_event = on_event;
        a->user = user;
        *ret_address = a;
        if (want->device && !strcmp(want->device, "none0")) {
                a->state = ADDRESS_WAITING;
                on_event(user, a, ADDRESS_EV_CARRIER_LOST, "waiting for none0");
        }
        return 0;
}

void address_free(struct address *a)
{
        free(a);
}

void address_take(struct address *a, bool probe, instant lease_end)
{
        note(probe ? "probe" : "take");
        a->state = fake_refuse ? ADDRESS_FOREIGN : ADDRESS_HELD;
        if (fake_refuse)
                fake_event(a, ADDRESS_EV_REFUSED, "02:00:00:00:00:01 has it");
        else
                fake_event(a, ADDRESS_EV_TAKEN, "");
}

void address_adopt(struct address *a, instant lease_end)
{
        note("adopt");
        a->state = ADDRESS_HELD;
}

void address_renew(struct address *a, instant lease_end)
{
        note("renew");
}

void address_ask(struct address *a)
{
}

void address_announce(struct address *a)
{
        note("announce");
}

int address_release(struct address *a)
{
        note("release");
        if (fake_release_error)
                return fake_release_error;
        a->state = ADDRESS_ABSENT;
        fake_event(a, ADDRESS_EV_RELEASED, "");
        return 0;
}

enum address_state address_state(const struct address *a)
{
        return a->state;
}

const char *address_text(const struct address *a)
{
        return a->state == ADDRESS_WAITING ? "waiting for none0" : "";
}
