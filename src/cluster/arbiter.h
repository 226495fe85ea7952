/* arbiter.h - what a strong arbiter (witness, disk, etcd, fence) is asked, and what its answers promise.
 *
 * To the brain a strong arbiter is one more voter that never leads: it votes, a leader's lease may rest on
 * it, and it keeps the document, as a node does (rules.md rules 1, 4, 6, 7, 20-24). The brain asks by
 * todo.question; the edge carries the question to the arbiter and brings the answer back as
 * CLUSTER_EV_ARBITER. No answer has to come: the question is asked anew each heartbeat while it stands.
 *
 * What an arbiter must do, in whatever way it can; `known` is the highest term it has ever been shown in a
 * VOTE that it granted or a RENEW that it answered yes:
 *
 * WATCH: promises nothing. In peace every node asks so once in a while, to see that the arbiter is there.
 *
 * PREVOTE: promises nothing, changes nothing. Yes if it would vote for the asker in `term`.
 *
 * VOTE: yes to one candidate of a term only, for ever: it stands where a restart finds it before the answer
 * leaves. To the same candidate again yes (its answer was lost). No, if `known` is higher; if `term` is not
 * higher than `known` and the vote of it is another's; if the arbiter renewed another node's lease less than
 * `election` ago (the leader is near; on its own clock, or as the asker has seen it by its own); if it keeps
 * a newer document than `newest`. `age` is the time since it last renewed anybody's lease or started, no
 * more, by any clock: of an arbiter without a clock, how long the asker itself has watched it unchanged. A
 * promise lasts `dead`, or as long as the `promise` that stood in the question it was made for; who was shown
 * a longer one says with `left` how much of it there is still.
 *
 * RENEW: yes if `known` is not higher than `term`; it then is `term`, written down before the answer leaves,
 * and the vote of that term, if not given yet, is the asker's. The lease counts from `asked`, which the edge
 * reads before anything of the question leaves (before a write, before a request). With a document: a yes
 * says that it is kept, unless the arbiter has a newer one; `stored` says which.
 *
 * Whenever the arbiter's document is newer than the asker's `newest`, the answer brings it (rule 7).
 * An arbiter that lost what it had written down says no to all but WATCH, and `lost`. It keeps silence for
 * `dead` from its start, then a question with `without`, asked after that, gives it term, vote and document
 * anew (rule 6). So does one whose `known` or document is older than what it has told the asker before: an
 * older copy of its memory was put back. An arbiter that cannot keep documents (fence) gives the asker's
 * `newest` as `stored`, and docs/ says what that costs. */
#pragma once

#include "base/instant.h"
#include "cluster/document.h"

#include <stdbool.h>
#include <stdint.h>

enum arbiter_ask {
        ARBITER_NOTHING, /* no question */
        ARBITER_WATCH,
        ARBITER_PREVOTE,
        ARBITER_VOTE,
        ARBITER_RENEW,
};
const char *arbiter_ask_name(enum arbiter_ask ask);

/* What an arbiter has told of what it has written down: that only grows. */
struct arbiter_memory {
        uint32_t term;
        struct version version; /* of its document */
};

struct arbiter_question {
        enum arbiter_ask ask;
        uint32_t term; /* PREVOTE: that it would campaign in; VOTE: campaigns in; RENEW: leads; WATCH: its own
                        */
        struct version newest; /* of the document that the asker has on disk */
        bool without; /* the asker leads `term` and has its lease without the arbiter: it may readmit it */
        const struct document *document; /* to be kept, or NULL: as far as is known the arbiter has it.
                                            With RENEW and with `without`. Valid until the next step. */
        struct arbiter_memory told;      /* the asker, by its answers so far; 0: nothing */
        span election, dead;             /* E and D of this cluster */
        span promise; /* how long a lease that it renews may bind it: D, or longer if it is slow */
};

struct arbiter_answer {
        enum arbiter_ask ask; /* of the question, */
        uint32_t term;        /* and its term */
        bool yes;
        bool lost;      /* it has no state and waits to be readmitted, */
        bool older;     /* for it was older than what it had told */
        uint32_t known; /* highest term it knows; 0: none */
        span age;       /* VOTE, yes */
        span left; /* VOTE, yes: what it promised may last so long still, where that is more than D - age */
        struct version stored; /* document that it keeps */
        const struct document
                *document; /* it, where newer than the asker's; else NULL. Copied by the step. */
};
