/* radius.c - a login at a RADIUS server. What is not signed by the secret is passed over, as RFC 2865 3 has
 * it, and told when nothing better has come. */
#include "monitor/kinds/question.h"
#include "monitor/kinds/radius_packet.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

struct probe {
        const struct config_check *check;
        struct question *question;
        probe_done_fn *on_done;
        void *user;
        bool unsigned_came;
        struct radius_request request;
};

static bool on_heard(void *user, const uint8_t *bytes, size_t n, struct ending *e)
{
        struct probe *p = user;
        char said[RADIUS_SAID];

        switch (radius_answer_read(&p->request, p->check->radius.secret, bytes, n, said)) {
        case RADIUS_ACCEPT:
                e->reason = REASON_WORKS;
                ending_say(e, "%s", said);
                return true;
        case RADIUS_REJECT:
                e->reason = REASON_DENIED;
                ending_say(e, "%s", said);
                return true;
        case RADIUS_CHALLENGE:
                e->reason = REASON_DENIED;
                ending_say(e, "it wants more than a password");
                return true;
        case RADIUS_UNSIGNED: p->unsigned_came = true; return false;
        case RADIUS_FOREIGN: return false;
        }
        return false;
}

static void on_done(void *user, const struct ending *e)
{
        struct probe *p = user;
        probe_done_fn *told = p->on_done;
        void *whose = p->user;

        free(p);
        told(whose, e);
}

static void cut(struct probe *p, struct ending *ret_ending)
{
        ret_ending->reason = p->unsigned_came ? REASON_BAD_ANSWER : REASON_SILENT;
        if (p->unsigned_came)
                ending_say(ret_ending, "it is not signed by this secret");
        question_free(p->question);
        free(p);
}

static int begin(void *shared, const struct probe_house *house, const struct config_check *check,
                 probe_done_fn *told, void *user, struct probe **ret_probe)
{
        struct probe *p = calloc(1, sizeof(*p));
        const struct question_setup setup = {
                .check = check, .on_heard = on_heard, .on_done = on_done, .user = p};
        int r;

        if (p == NULL)
                return -ENOMEM;
        p->check = check;
        p->on_done = told;
        p->user = user;
        bool random = getrandom(p->request.authenticator, sizeof(p->request.authenticator), 0) ==
                              sizeof(p->request.authenticator) &&
                      getrandom(&p->request.id, sizeof(p->request.id), 0) == sizeof(p->request.id);
        r = random ? radius_request_write(&p->request, &check->radius) : -EIO;
        if (r == 0)
                r = question_new(house->loop, &setup, &p->question);
        if (r != 0) {
                free(p);
                return r;
        }
        question_ask(p->question, p->request.bytes, p->request.n);
        *ret_probe = p;
        return 0;
}

PROBE_EXPORT extern const struct probe_kind probe_radius;
const struct probe_kind probe_radius = {.begin = begin, .cut = cut};
