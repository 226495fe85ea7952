/* What a witness tells of itself, for `haven status`. */
#include "witness/witness.h"

#include <assert.h>
#include <jansson.h>
#include <stdio.h>
#include <unistd.h>

static json_t *report_cluster(const struct served *s, instant now)
{
        const struct witness_kept *k = &s->witness.kept;
        char document[40];

        snprintf(document, sizeof(document), "%u.%u.%u", k->version.term, k->version.author, k->version.n);
        json_t *cluster = json_pack(
                "{s:s, s:s, s:s, s:I, s:s, s:I, s:I, s:I, s:I}", "name", s->name, "state",
                k->voter ? "voter" : "lost", "text",
                s->trouble[0] ? s->trouble
                : k->voter
                        ? ""
                        : "has no state: votes again when a leader that does not need it has readmitted it",
                "term", (json_int_t)k->term, "document", document, "asked", (json_int_t)s->asked, "overtaken",
                (json_int_t)s->old, "too_many", (json_int_t)s->too_many, "silent_us",
                (json_int_t)(s->last.us ? span_between(s->last, now).us : -1));
        assert(cluster);
        return cluster;
}

json_t *witness_report(void *user)
{
        const struct witness_process *p = user;
        json_t *clusters = json_array(), *refused = json_array();
        char host[256] = "";

        gethostname(host, sizeof(host) - 1);
        for (size_t i = 0; i < p->served_count; i++)
                json_array_append_new(clusters, report_cluster(&p->served[i], instant_now()));
        for (int why = PACKET_ACCEPTED + 1; why < PACKET_REFUSALS; why++)
                if (p->refused[why].count)
                        json_array_append_new(refused,
                                              json_pack("{s:s, s:I, s:s}", "reason",
                                                        packet_refusal_name((enum packet_refusal)why),
                                                        "count", (json_int_t)p->refused[why].count,
                                                        "last_from", p->refused[why].from));
        json_t *report = json_pack("{s:s, s:i, s:o, s:o}", "self", host, "port", (int)p->config.port,
                                   "clusters", clusters, "refused", refused);
        assert(report);
        return report;
}
