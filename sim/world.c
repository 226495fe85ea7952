#include "world.h"

#include "base/text.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define EVENTS_MAX 16384
#define STORY_MAX  (64 * 1024)

enum happening_kind {
        HAPPEN_PACKET,
        HAPPEN_SAVED,
        HAPPEN_GROUP,
        HAPPEN_CORE_BACK,
        HAPPEN_RESUME,
        HAPPEN_WATCHDOG
};

struct happening {
        int64_t at; /* true time */
        uint64_t order;
        enum happening_kind kind;
        uint8_t node, from, link;
        uint64_t life; /* of the core it is meant for */
        struct message *message;
        uint32_t serial;
        uint8_t group;
        struct epoch epoch;
        enum cluster_event_kind result;
};

struct held {
        bool exclusive; /* holds in truth */
        bool starting, stopping;
        struct epoch epoch;
        uint64_t job; /* the newest action; results of older ones are dropped */
};

struct machine {
        bool powered, core_up, paused;
        int64_t clock_offset;
        double clock_rate;
        uint64_t boot;
        uint32_t core;
        uint64_t life; /* counts cores over all boots: packets and results are for one of them */
        struct cluster *brain;
        bool state_valid;
        struct cluster_state disk, writing;
        bool writes;
        struct cluster_promise ledger;
        struct held held[WORLD_GROUPS];
        bool unfit[WORLD_GROUPS];
        int64_t due; /* true time of the next CLUSTER_EV_TIME */
        bool exiting;
        struct cluster_state kept; /* a copy of its disk, */
        uint64_t kept_boot;        /* and of the count of boots on it */
};

struct world {
        struct world_config config;
        struct cluster_settings settings[WORLD_NODES];
        uint64_t random;
        int64_t now;
        uint64_t order;
        struct machine machine[WORLD_NODES];
        bool cut[WORLD_NODES][WORLD_NODES][WORLD_LINKS];
        span delay[WORLD_NODES][WORLD_NODES];
        int64_t apart; /* when somebody was last cut off from another, or stood still */
        bool probes_see;
        size_t event_count;
        struct happening event[EVENTS_MAX]; /* a heap, earliest first */
        int64_t accounted;
        int64_t unheld[WORLD_GROUPS], both[WORLD_GROUPS], closed[WORLD_GROUPS];
        uint32_t moves[WORLD_GROUPS];
        uint8_t last_holder[WORLD_GROUPS];
        uint32_t violations[VIOLATION_COUNT], admitted;
        char violation[256];
        char *story;
        size_t story_length;
        struct todo todo;
};

/* --- chance: xorshift64*, good enough to make trouble --- */

static uint64_t random_next(struct world *w)
{
        w->random ^= w->random >> 12;
        w->random ^= w->random << 25;
        w->random ^= w->random >> 27;
        return w->random * 2685821657736338717ULL;
}

uint32_t world_random(struct world *w, uint32_t below)
{
        return below ? (uint32_t)((random_next(w) >> 33) % below) : 0;
}

static bool chance(struct world *w, double p)
{
        return p > 0 && (double)(random_next(w) >> 11) / 9007199254740992.0 < p;
}

static span random_span(struct world *w, span from, span to)
{
        return span_us(from.us + (to.us > from.us ? world_random(w, (uint32_t)(to.us - from.us)) : 0));
}

/* --- clocks --- */

static instant local(const struct world *w, const struct machine *m)
{
        return (instant){m->clock_offset + (int64_t)((double)w->now * m->clock_rate)};
}

static int64_t truth(const struct machine *m, instant t)
{
        double at = ((double)(t.us - m->clock_offset)) / m->clock_rate + 1;

        return at > 4e18 ? INT64_MAX : (int64_t)at;
}

/* --- the heap of what will happen --- */

static bool earlier(const struct happening *a, const struct happening *b)
{
        return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void happen(struct world *w, span in, struct happening h)
{
        size_t i = w->event_count++;

        assert(w->event_count < EVENTS_MAX);
        h.at = w->now + in.us;
        h.order = w->order++;
        while (i > 0 && earlier(&h, &w->event[(i - 1) / 2])) {
                w->event[i] = w->event[(i - 1) / 2];
                i = (i - 1) / 2;
        }
        w->event[i] = h;
}

static struct happening next_happening(struct world *w)
{
        struct happening top = w->event[0], last = w->event[--w->event_count];
        size_t i = 0;

        for (;;) {
                size_t child = 2 * i + 1;
                if (child >= w->event_count)
                        break;
                if (child + 1 < w->event_count && earlier(&w->event[child + 1], &w->event[child]))
                        child++;
                if (!earlier(&w->event[child], &last))
                        break;
                w->event[i] = w->event[child];
                i = child;
        }
        w->event[i] = last;
        return top;
}

/* --- the truth, and what must never be --- */

static const char *name(const struct world *w, uint8_t node)
{
        return node < w->config.nodes ? w->settings[0].node_name[node] : "nobody";
}

static void violate(struct world *w, enum violation v, const char *what, uint8_t a, uint8_t b)
{
        if (w->violations[v]++ == 0 && !w->violation[0])
                snprintf(w->violation, sizeof(w->violation), "seed %llu at %.3fms: %s: %s and %s",
                         (unsigned long long)w->config.seed, (double)w->now / 1000, what, name(w, a),
                         name(w, b));
        if (w->config.trace)
                fprintf(w->config.trace, "[%10.3f] VIOLATION %s: %s and %s\n", (double)w->now / 1000, what,
                        name(w, a), name(w, b));
}

static int holders(const struct world *w, uint8_t g, uint8_t *ret_first, uint8_t *ret_second)
{
        int n = 0;

        for (uint8_t i = 0; i < w->config.nodes; i++) {
                if (!w->machine[i].powered || !w->machine[i].held[g].exclusive)
                        continue;
                *(n == 0 ? ret_first : ret_second) = i;
                n++;
        }
        return n;
}

/* How long, up to `until`, this node held the group with its gate closed. */
static int64_t closed_since_accounted(const struct world *w, const struct machine *m, uint8_t g,
                                      int64_t until)
{
        int64_t from = m->powered && m->held[g].exclusive ? truth(m, m->ledger.lease_end) : INT64_MAX;

        from = from > w->accounted ? from : w->accounted;
        return from < until ? until - from : 0;
}

static void account(struct world *w, int64_t until)
{
        if (until == w->accounted)
                return;
        for (uint8_t g = 0; g < w->config.groups; g++) {
                uint8_t a, b;
                int n = holders(w, g, &a, &b);
                if (n == 0)
                        w->unheld[g] += until - w->accounted;
                else if (n > 1)
                        w->both[g] += until - w->accounted;
                for (uint8_t i = 0; i < w->config.nodes; i++)
                        w->closed[g] += closed_since_accounted(w, &w->machine[i], g, until);
        }
        w->accounted = until;
}

static bool cut_off(const struct world *w, uint8_t from, uint8_t to)
{
        for (uint8_t l = 0; l < w->config.links; l++)
                if (!w->cut[from][to][l])
                        return false;
        return true;
}

static bool somebody_apart(const struct world *w)
{
        for (uint8_t i = 0; i < w->config.nodes; i++) {
                if (w->machine[i].powered && (w->machine[i].paused || !w->machine[i].core_up))
                        return true;
                for (uint8_t j = 0; j < w->config.nodes; j++)
                        if (i != j && cut_off(w, i, j))
                                return true;
        }
        return false;
}

/* To be called before a fault ends. */
static void note_apart(struct world *w)
{
        if (somebody_apart(w))
                w->apart = w->now;
}

/* What a weak arbiter cannot know: whether who is silent is dead, cut off, or stands still. */
static bool weak_admits(struct world *w)
{
        note_apart(w);
        return w->settings[0].arbiter == CLUSTER_ARBITER_WEAK && w->apart >= 0 &&
               w->now - w->apart <= w->config.dead.us;
}

static void check_holders(struct world *w, uint8_t g)
{
        uint8_t a = NODE_NONE, b = NODE_NONE;
        int n = holders(w, g, &a, &b);

        if (n > 1 && weak_admits(w))
                w->admitted++;
        else if (n > 1)
                violate(w, VIOLATION_TWO_OWNERS, w->settings[0].group[g].name, a, b);
        if (n >= 1 && w->last_holder[g] != a) {
                w->last_holder[g] = a;
                w->moves[g]++;
        }
}

/* A weak arbiter may elect two after a split: that is what makes it weak. */
static void check_leaders(struct world *w)
{
        if (w->settings[0].arbiter == CLUSTER_ARBITER_WEAK)
                return;
        for (uint8_t i = 0; i < w->config.nodes; i++)
                for (uint8_t j = i + 1; j < w->config.nodes; j++) {
                        const struct machine *a = &w->machine[i], *b = &w->machine[j];
                        if (a->core_up && b->core_up && a->ledger.leading && b->ledger.leading &&
                            a->ledger.term == b->ledger.term)
                                violate(w, VIOLATION_TWO_LEADERS, "two leaders of one term", i, j);
                }
}

static void set_exclusive(struct world *w, struct machine *m, uint8_t g, bool held)
{
        account(w, w->now);
        m->held[g].exclusive = held;
        check_holders(w, g);
}

/* --- one node --- */

static void do_todo(struct world *w, struct machine *m);

static uint8_t index_of(const struct world *w, const struct machine *m)
{
        return (uint8_t)(m - w->machine);
}

static void step(struct world *w, struct machine *m, struct cluster_event ev)
{
        if (!m->core_up || m->paused)
                return;
        ev.now = local(w, m);
        cluster_step(m->brain, &ev, &w->todo);
        do_todo(w, m);
}

static void tell(struct world *w, const struct machine *m, const struct note *n)
{
        size_t room = STORY_MAX - w->story_length;
        int length = snprintf(w->story + w->story_length, room, "%s %s %s: %s\n", name(w, index_of(w, m)),
                              note_kind_name(n->kind), n->subject, n->text);

        if (length > 0 && (size_t)length < room)
                w->story_length += (size_t)length;
        if (w->config.trace)
                fprintf(w->config.trace, "[%10.3f] %s > %s %s: %s\n", (double)w->now / 1000,
                        name(w, index_of(w, m)), note_kind_name(n->kind), n->subject, n->text);
}

static void send(struct world *w, uint8_t from, uint8_t to, uint8_t link, const struct message *m)
{
        struct happening h = {.kind = HAPPEN_PACKET, .node = to, .from = from, .link = link};

        if (w->cut[from][to][link] || chance(w, w->config.loss))
                return;
        for (int copies = chance(w, w->config.duplicate) ? 2 : 1; copies > 0; copies--) {
                h.message = malloc(m->has_document ? sizeof(*m) : offsetof(struct message, document));
                assert(h.message);
                memcpy(h.message, m, m->has_document ? sizeof(*m) : offsetof(struct message, document));
                happen(w,
                       span_add(random_span(w, w->config.delay_min, w->config.delay_max), w->delay[from][to]),
                       h);
        }
}

static void speak(struct world *w, struct machine *m, uint64_t to_mask)
{
        struct message msg;

        for (uint8_t to = 0; to < w->config.nodes; to++) {
                if (!(to_mask & 1ULL << to))
                        continue;
                cluster_speak(m->brain, local(w, m), to, &msg);
                for (uint8_t l = 0; l < w->config.links; l++)
                        send(w, index_of(w, m), to, l, &msg);
        }
}

static void begin_save(struct world *w, struct machine *m)
{
        struct happening h = {.kind = HAPPEN_SAVED, .node = index_of(w, m), .life = m->life};

        if (m->writes)
                return;
        m->writes = true;
        cluster_state_to_save(m->brain, &m->writing, &h.serial);
        happen(w, random_span(w, w->config.save_min, w->config.save_max), h);
}

static void group_result(struct world *w, struct machine *m, uint8_t g, span in,
                         enum cluster_event_kind result)
{
        happen(w, in,
               (struct happening){.kind = HAPPEN_GROUP,
                                  .node = index_of(w, m),
                                  .life = m->held[g].job,
                                  .group = g,
                                  .epoch = m->held[g].epoch,
                                  .result = result});
}

static bool other_holds(const struct world *w, const struct machine *m, uint8_t g)
{
        for (uint8_t i = 0; i < w->config.nodes; i++)
                if (&w->machine[i] != m && w->machine[i].powered && w->machine[i].held[g].exclusive)
                        return true;
        return false;
}

static void start_group(struct world *w, struct machine *m, const struct cluster_action *a)
{
        struct held *h = &m->held[a->group];
        span took = random_span(w, span_us(100), w->config.start_max);

        if (a->probe && w->probes_see && other_holds(w, m, a->group)) {
                group_result(w, m, a->group, span_ms(60), CLUSTER_EV_REFUSED);
                return;
        }
        h->starting = true;
        set_exclusive(w, m, a->group, true);
        group_result(w, m, a->group, took,
                     chance(w, w->config.start_fails) ? CLUSTER_EV_START_FAILED : CLUSTER_EV_STARTED);
}

static void do_action(struct world *w, struct machine *m, const struct cluster_action *a)
{
        struct held *h = &m->held[a->group];

        h->job = ++w->order;
        h->epoch = a->epoch;
        switch (a->kind) {
        case ACTION_WARM:
                group_result(w, m, a->group, random_span(w, SPAN_ZERO, w->config.start_max),
                             CLUSTER_EV_WARMED);
                break;
        case ACTION_START: start_group(w, m, a); break;
        case ACTION_ADOPT:
                group_result(w, m, a->group, span_us(500),
                             h->exclusive ? CLUSTER_EV_STARTED : CLUSTER_EV_START_FAILED);
                break;
        case ACTION_STOP:
                h->stopping = true;
                group_result(w, m, a->group, random_span(w, span_us(50), w->config.stop_max),
                             CLUSTER_EV_STOPPED);
                break;
        case ACTION_ANNOUNCE:
        case ACTION_ASK: break;
        }
}

static void do_todo(struct world *w, struct machine *m)
{
        const struct todo *todo = &w->todo; /* until the last line: the arbiter's answer is the next step */

        account(w, w->now);
        m->ledger = *cluster_promise(m->brain);
        check_leaders(w);
        for (uint8_t i = 0; i < todo->note_count; i++)
                tell(w, m, &todo->note[i]);
        for (uint8_t i = 0; i < todo->action_count; i++)
                do_action(w, m, &todo->action[i]);
        speak(w, m, todo->speak_to);
        if (todo->save)
                begin_save(w, m);
        if (todo->exit) {
                m->exiting = true;
                m->core_up = false;
                m->powered = false;
                account(w, w->now);
                return;
        }
        m->due = truth(m, cluster_deadline(m->brain));
        if (todo->ask_arbiter)
                step(w, m,
                     (struct cluster_event){.kind = CLUSTER_EV_ARBITER, .asked = local(w, m), .yes = true});
}

static void boot_core(struct world *w, struct machine *m, bool first)
{
        struct cluster_start start = {
                .incarnation = {.boot = m->boot, .core = ++m->core},
                .state_valid = m->state_valid,
                .state = m->disk,
                .first_core = first,
                .promise = m->ledger,
                .now = local(w, m),
        };

        note_apart(w);
        m->life++;
        m->core_up = true;
        m->paused = m->writes = false;
        cluster_init(m->brain, &w->settings[index_of(w, m)], &start, &w->todo);
        do_todo(w, m);
}

static void boot_machine(struct world *w, struct machine *m)
{
        m->powered = true;
        m->exiting = false;
        m->boot++;
        m->core = 0;
        memset(m->held, 0, sizeof(m->held));
        m->ledger = (struct cluster_promise){.last_answer = local(w, m)};
        boot_core(w, m, true);
}

/* The supervisor: what is still held a little after the lease is released, whatever the core does. */
static void supervise(struct world *w, struct machine *m)
{
        const struct timing *t = &w->settings[0].timing;
        instant limit = instant_add(m->ledger.lease_end, span_us(t->margin.us / 2));

        if (!m->powered || !instant_reached(local(w, m), limit))
                return;
        for (uint8_t g = 0; g < w->config.groups; g++) {
                if (!m->held[g].exclusive)
                        continue;
                set_exclusive(w, m, g, false);
                for (uint8_t i = 0; i < m->ledger.tenure_count; i++)
                        if (m->ledger.tenure[i].group == world_group_id(g)) {
                                m->ledger.tenure[i].hold = HOLD_STOPPING;
                                m->ledger.tenure[i].sealed = m->ledger.tenure[i].epoch;
                        }
        }
}

/* --- what happens --- */

static void on_packet(struct world *w, struct machine *m, struct happening *h)
{
        if (m->core_up && !m->paused && !w->cut[h->from][h->node][h->link])
                step(w, m,
                     (struct cluster_event){
                             .kind = CLUSTER_EV_MESSAGE, .message = h->message, .link = h->link});
        if (m->core_up && !m->paused && !w->cut[h->from][h->node][h->link])
                step(w, m, (struct cluster_event){.kind = CLUSTER_EV_COPY, .from = h->from, .link = h->link});
        free(h->message);
}

static void on_saved(struct world *w, struct machine *m, const struct happening *h)
{
        if (!m->powered || h->life != m->life)
                return;
        if (m->paused) {
                happen(w, span_ms(1), *h);
                return;
        }
        m->disk = m->writing;
        m->state_valid = m->state_valid || m->writing.term > 0;
        m->writes = false;
        step(w, m, (struct cluster_event){.kind = CLUSTER_EV_SAVED, .serial = h->serial});
}

static void on_group(struct world *w, struct machine *m, const struct happening *h)
{
        struct held *held = &m->held[h->group];

        if (!m->powered || h->life != held->job)
                return;
        if (m->paused) { /* the core cannot carry it on; it will when it resumes */
                happen(w, span_ms(1), *h);
                return;
        }
        if (!m->core_up)
                return;
        if (h->result == CLUSTER_EV_STOPPED || h->result == CLUSTER_EV_START_FAILED)
                set_exclusive(w, m, h->group, false);
        held->starting = held->stopping = false;
        step(w, m,
             (struct cluster_event){
                     .kind = h->result, .group = h->group, .epoch = h->epoch, .text = "in the simulator"});
}

static void dispatch(struct world *w, struct happening *h)
{
        struct machine *m = &w->machine[h->node];

        switch (h->kind) {
        case HAPPEN_PACKET: on_packet(w, m, h); break;
        case HAPPEN_SAVED: on_saved(w, m, h); break;
        case HAPPEN_GROUP: on_group(w, m, h); break;
        case HAPPEN_CORE_BACK:
                if (m->powered && !m->core_up && h->life == m->life)
                        boot_core(w, m, false);
                break;
        case HAPPEN_RESUME:
                if (h->life != m->life || !m->paused)
                        break;
                note_apart(w);
                m->paused = false;
                step(w, m, (struct cluster_event){.kind = CLUSTER_EV_TIME});
                break;
        case HAPPEN_WATCHDOG: break;
        }
}

static int64_t next_time(const struct world *w)
{
        int64_t at = w->event_count ? w->event[0].at : INT64_MAX;

        for (uint8_t i = 0; i < w->config.nodes; i++) {
                const struct machine *m = &w->machine[i];
                if (m->core_up && !m->paused && m->due < at)
                        at = m->due;
                if (m->powered && (!m->core_up || m->paused)) {
                        int64_t lease = truth(m, instant_add(m->ledger.lease_end,
                                                             span_us(w->settings[0].timing.margin.us / 2)));
                        if (lease > w->now && lease < at)
                                at = lease;
                }
        }
        return at;
}

void world_run(struct world *w, span length)
{
        int64_t end = w->now + length.us;

        for (;;) {
                int64_t at = next_time(w);
                if (at > end)
                        break;
                w->now = at > w->now ? at : w->now;
                if (w->event_count && w->event[0].at <= w->now) {
                        struct happening h = next_happening(w);
                        dispatch(w, &h);
                }
                for (uint8_t i = 0; i < w->config.nodes; i++) {
                        struct machine *m = &w->machine[i];
                        supervise(w, m);
                        if (m->core_up && !m->paused && m->due <= w->now)
                                step(w, m, (struct cluster_event){.kind = CLUSTER_EV_TIME});
                }
        }
        w->now = end;
        account(w, end);
}

/* --- making and ending a world --- */

uint32_t world_group_id(uint8_t group)
{
        char text[8] = "group0";

        text[5] = (char)('0' + group);
        return text_id(text);
}

static void make_settings(struct world *w, struct cluster_settings *s, uint8_t self)
{
        const struct world_config *c = &w->config;
        static const char *const names[] = {"alpha", "beta", "gamma", "delta", "epsilon",
                                            "zeta",  "eta",  "theta", "iota"};

        s->self = self;
        s->node_count = c->nodes;
        s->link_count = c->links;
        s->timing = timing_derive(c->heartbeat, c->dead);
        s->warn = span_us(c->dead.us * 6 / 10);
        s->start_wait = span_s(2);
        s->members = 1;
        s->config = 1;
        s->arbiter = c->nodes % 2 ? CLUSTER_ARBITER_ABSENT : c->arbiter;
        s->group_count = c->groups;
        for (uint8_t i = 0; i < c->nodes; i++)
                text_copy(s->node_name[i], CLUSTER_NAME, names[i]);
        for (uint8_t g = 0; g < c->groups; g++) {
                struct cluster_group *group = &s->group[g];
                snprintf(group->name, sizeof(group->name), "group%u", g);
                group->id = text_id(group->name);
                group->node_count = c->nodes;
                for (uint8_t i = 0; i < c->nodes; i++)
                        group->node[i] = (uint8_t)((g + i) % c->nodes);
                group->failback = g % 2 ? FAILBACK_NEVER : FAILBACK_AT_ONCE;
                group->forgive_after = c->unforgiving ? SPAN_ZERO : span_s(5);
                group->data = c->data;
        }
}

struct world *world_new(const struct world_config *config)
{
        struct world *w = calloc(1, sizeof(*w));

        assert(w && config->nodes <= WORLD_NODES && config->groups <= WORLD_GROUPS);
        w->config = *config;
        w->random = config->seed * 0x9e3779b97f4a7c15ULL + 1;
        w->story = calloc(1, STORY_MAX);
        assert(w->story);
        w->apart = -1;
        memset(w->last_holder, NODE_NONE, sizeof(w->last_holder));
        for (uint8_t i = 0; i < config->nodes; i++) {
                struct machine *m = &w->machine[i];
                make_settings(w, &w->settings[i], i);
                m->brain = malloc(cluster_size());
                assert(m->brain);
                m->state_valid = true;
                m->disk = (struct cluster_state){.voted_for = NODE_NONE};
                m->disk.document.members = 1;
                m->boot = 1000;
                m->clock_offset = 1000000 + world_random(w, 100000000);
                m->clock_rate = 1 + config->drift * ((double)world_random(w, 2001) / 1000 - 1);
                if (config->clock[i] != 0)
                        m->clock_rate = 1 + config->clock[i];
        }
        for (uint8_t i = 0; i < config->nodes; i++)
                boot_machine(w, &w->machine[i]);
        return w;
}

void world_free(struct world *w)
{
        while (w->event_count) {
                struct happening h = next_happening(w);
                if (h.kind == HAPPEN_PACKET)
                        free(h.message);
        }
        for (uint8_t i = 0; i < w->config.nodes; i++)
                free(w->machine[i].brain);
        free(w->story);
        free(w);
}

/* --- faults --- */

void world_cut(struct world *w, uint8_t from, uint8_t to, uint8_t link, bool cut)
{
        note_apart(w);
        w->cut[from][to][link] = cut;
}

void world_cut_pair(struct world *w, uint8_t a, uint8_t b, bool cut)
{
        note_apart(w);
        for (uint8_t l = 0; l < w->config.links; l++)
                w->cut[a][b][l] = w->cut[b][a][l] = cut;
}

void world_isolate(struct world *w, uint8_t node, bool cut)
{
        for (uint8_t i = 0; i < w->config.nodes; i++)
                if (i != node)
                        world_cut_pair(w, node, i, cut);
}

void world_power_off(struct world *w, uint8_t node)
{
        struct machine *m = &w->machine[node];

        account(w, w->now);
        note_apart(w);
        m->powered = m->core_up = m->paused = m->writes = false;
        m->life++;
        memset(m->held, 0, sizeof(m->held));
}

void world_power_on(struct world *w, uint8_t node)
{
        if (!w->machine[node].powered)
                boot_machine(w, &w->machine[node]);
}

void world_lose_state(struct world *w, uint8_t node)
{
        w->machine[node].state_valid = false;
        w->machine[node].disk = (struct cluster_state){.voted_for = NODE_NONE};
}

void world_keep_state(struct world *w, uint8_t node)
{
        struct machine *m = &w->machine[node];

        m->kept = m->disk;
        m->kept_boot = m->boot;
}

void world_restore_state(struct world *w, uint8_t node)
{
        struct machine *m = &w->machine[node];

        m->disk = m->kept;
        m->boot = m->kept_boot;
}

void world_delay(struct world *w, uint8_t from, uint8_t to, span more)
{
        w->delay[from][to] = more;
}

void world_kill_core(struct world *w, uint8_t node, span back_after)
{
        struct machine *m = &w->machine[node];

        if (!m->core_up)
                return;
        m->core_up = m->paused = m->writes = false;
        m->life++;
        for (uint8_t g = 0; g < w->config.groups; g++)
                m->held[g].job = ++w->order; /* nobody waits for what was under way */
        happen(w, back_after, (struct happening){.kind = HAPPEN_CORE_BACK, .node = node, .life = m->life});
}

void world_pause_core(struct world *w, uint8_t node, span length)
{
        struct machine *m = &w->machine[node];

        if (!m->core_up || m->paused)
                return;
        m->paused = true;
        happen(w, length, (struct happening){.kind = HAPPEN_RESUME, .node = node, .life = m->life});
}

void world_leave(struct world *w, uint8_t node)
{
        step(w, &w->machine[node], (struct cluster_event){.kind = CLUSTER_EV_LEAVE});
}

void world_break_group(struct world *w, uint8_t node, uint8_t group)
{
        struct machine *m = &w->machine[node];

        if (!m->held[group].exclusive || m->held[group].starting || m->held[group].stopping)
                return;
        step(w, m,
             (struct cluster_event){.kind = CLUSTER_EV_FAILED,
                                    .group = group,
                                    .epoch = m->held[group].epoch,
                                    .text = "broken"});
}

void world_unfit(struct world *w, uint8_t node, uint8_t group, bool unfit)
{
        w->machine[node].unfit[group] = unfit;
        step(w, &w->machine[node],
             (struct cluster_event){
                     .kind = CLUSTER_EV_FIT, .group = group, .yes = !unfit, .text = "carrier"});
}

void world_refuse_probe(struct world *w, bool refuse)
{
        w->probes_see = refuse;
}

void world_order(struct world *w, uint8_t node, struct order order)
{
        step(w, &w->machine[node], (struct cluster_event){.kind = CLUSTER_EV_ORDER, .order = order});
}

/* --- questions --- */

span world_now(const struct world *w)
{
        return span_us(w->now);
}

bool world_paused(const struct world *w, uint8_t node)
{
        return w->machine[node].paused;
}

bool world_up(const struct world *w, uint8_t node)
{
        return w->machine[node].powered;
}

uint8_t world_holder(const struct world *w, uint8_t group)
{
        uint8_t a = NODE_NONE, b;

        holders(w, group, &a, &b);
        return a;
}

uint8_t world_leader(const struct world *w)
{
        for (uint8_t i = 0; i < w->config.nodes; i++)
                if (w->machine[i].core_up && !w->machine[i].paused && w->machine[i].ledger.leading &&
                    instant_before(local(w, &w->machine[i]), w->machine[i].ledger.lease_end))
                        return i;
        return NODE_NONE;
}

const struct cluster *world_brain(const struct world *w, uint8_t node)
{
        return w->machine[node].core_up ? w->machine[node].brain : NULL;
}

struct epoch world_epoch(const struct world *w, uint8_t node, uint8_t group)
{
        return w->machine[node].held[group].epoch;
}

span world_gate_closed(const struct world *w, uint8_t group)
{
        return span_us(w->closed[group]);
}

span world_unheld(const struct world *w, uint8_t group)
{
        return span_us(w->unheld[group]);
}

span world_both_held(const struct world *w, uint8_t group)
{
        return span_us(w->both[group]);
}

uint32_t world_moves(const struct world *w, uint8_t group)
{
        return w->moves[group];
}

void world_reset_figures(struct world *w)
{
        account(w, w->now);
        memset(w->unheld, 0, sizeof(w->unheld));
        memset(w->both, 0, sizeof(w->both));
        memset(w->closed, 0, sizeof(w->closed));
        memset(w->moves, 0, sizeof(w->moves));
}

static bool settled(const struct world *w)
{
        for (uint8_t g = 0; g < w->config.groups; g++) {
                uint8_t a = NODE_NONE, b;
                if (holders(w, g, &a, &b) != 1 || w->machine[a].held[g].starting ||
                    w->machine[a].held[g].stopping)
                        return false;
        }
        return true;
}

bool world_settle(struct world *w, span most)
{
        int64_t end = w->now + most.us;

        if (settled(w))
                return true;
        while (w->now < end) {
                world_run(w, span_ms(10));
                if (settled(w))
                        return true;
        }
        return false;
}

uint32_t world_admitted(const struct world *w)
{
        return w->admitted;
}

uint32_t world_violations(const struct world *w, enum violation v)
{
        return w->violations[v];
}

const char *world_violation_text(const struct world *w)
{
        return w->violation;
}

const char *world_story(struct world *w)
{
        w->story[w->story_length] = '\0';
        w->story_length = 0;
        return w->story;
}
