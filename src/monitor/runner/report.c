#include "monitor/runner/inside.h"

#include "base/text.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#define REPORT_EVERY  10   /* looks; so that the core knows how fresh an unchanged state is */
#define SAID_EVERY_MS 1000 /* a failing check whose words change is reported so often at most */

bool runner_send(struct runner *r, const struct packet *p)
{
        uint8_t bytes[PACKET_MAX];
        size_t n = checker_packet_encode(p, bytes);

        if (send(r->fd, bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL) != -1)
                return true;
        if (errno != EAGAIN && errno != ENOBUFS)
                uv_stop(r->loop); /* the core is gone */
        return false;
}

static bool look_send(struct look *l)
{
        struct packet p = {.type = PACKET_REPORT,
                           .id = l->id,
                           .generation = l->generation,
                           .verdict = l->verdict,
                           .outcome = l->outcome,
                           .at = l->at};

        if (l->outcome.said != NULL)
                text_copy(p.said, sizeof(p.said), l->outcome.said);
        if (!runner_send(l->runner, &p))
                return false;
        l->reported = l->at;
        l->unreported = 0;
        l->reworded = false;
        l->waiting = false;
        return true;
}

static void tell(struct look *l)
{
        struct runner *r = l->runner;

        if (look_send(l))
                return;
        l->waiting = true;
        if (l->id < r->waiting_from)
                r->waiting_from = l->id;
        runner_want_room(r, true);
}

/* With others that have as little to say. What a core that does not read misses, it hears ten looks later. */
static void tell_steady(struct look *l)
{
        struct packet *p = &l->runner->steady;

        p->steady[p->steady_count++] = (struct steady){
                .id = l->id, .generation = l->generation, .took = l->outcome.took, .at = l->at};
        l->unreported = 0;
        if (p->steady_count == STEADY_MAX)
                runner_send_steady(l->runner);
}

/* Whether something is new beside state and reason: a failure that is counted, the words that are a weight,
 * and now and then those of a failure. */
static bool is_news(const struct look *l)
{
        enum finding finding = reason_finding(l->outcome.reason);

        if (finding == FINDING_BROKEN && l->outcome.failures <= l->count)
                return true;
        if (!l->reworded)
                return false;
        return (l->check.kind == CHECK_COMMAND && l->check.command.weight) ||
               (finding != FINDING_WORKS && span_between(l->reported, l->at).us >= SAID_EVERY_MS * 1000);
}

/* Whether the last report is still right in all but the time: the service is up, and it works. */
static bool is_steady(const struct look *l)
{
        return l->verdict.state == VERDICT_UP && reason_finding(l->outcome.reason) == FINDING_WORKS &&
               !l->reworded;
}

void look_report(struct look *l, bool changed)
{
        bool is_due = ++l->unreported >= REPORT_EVERY;

        if (l->waiting) /* the newest is what will be sent */
                return;
        if (is_due && !changed && is_steady(l))
                tell_steady(l);
        else if (is_due || changed || is_news(l))
                tell(l);
}

void runner_send_waiting(struct runner *r)
{
        struct look *l;

        for (uint32_t id = r->waiting_from; (l = table_next(&r->checks, &id)) != NULL; id++)
                if (l->waiting && !look_send(l)) {
                        r->waiting_from = id;
                        return;
                }
        r->waiting_from = UINT32_MAX;
        runner_want_room(r, false);
}

void runner_send_steady(struct runner *r)
{
        if (r->steady.steady_count > 0)
                runner_send(r, &r->steady);
        r->steady.steady_count = 0;
}
