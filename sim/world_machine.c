#include "world_arbiter.h"

#include "base/text.h"

#include <string.h>

static void do_todo(struct world *w, struct machine *m);

/* --- what a node's configuration says --- */

uint32_t world_group_id(uint8_t group)
{
        char text[8] = "group0";

        text[5] = (char)('0' + group);
        return text_id(text);
}

static bool file_spreads(const struct world_config *c, uint32_t file, uint8_t g)
{
        return g > 0 && g == c->groups - 1 && !c->words && c->everywhere == !(file & FILE_TURNED);
}

static void make_group(const struct world_config *c, uint32_t file, uint8_t g, struct cluster_group *group)
{
        bool turned = (file & 2) && g == 0;

        *group = (struct cluster_group){.node_count = c->nodes, .everywhere = file_spreads(c, file, g)};
        group->data = c->data && !group->everywhere;
        snprintf(group->name, sizeof(group->name), "group%u", g);
        group->id = world_group_id(g);
        for (uint8_t i = 0; i < c->nodes; i++)
                group->node[i] = (uint8_t)((g + (turned ? c->nodes - i : i)) % c->nodes);
        if (group->everywhere && file & 2) /* the last one leaves the list */
                for (uint8_t i = 0, n = group->node_count--, to = 0; i < n; i++)
                        if (group->node[i] != c->nodes - 1)
                                group->node[to++] = group->node[i];
        group->failback = (g + (file & 1)) % 2 ? FAILBACK_NEVER : FAILBACK_AT_ONCE;
        group->forgive_after = c->unforgiving ? SPAN_ZERO : span_s(5);
        group->load = 1;
        if (c->words & WORDS_WITH && g < 2)
                group->with = 3;
        group->follows = c->words & WORDS_WITH && g == 1;
        if (c->words & WORDS_APART && g % 2 == 0)
                group->apart = 5 & ~(1U << g);
        if (c->words & WORDS_AFTER && g == 1)
                group->after = 1;
}

/* What a release of haven says of itself and understands: one place, for rolling upgrades. */
static void settings_of_release(uint32_t release, struct cluster_settings *s)
{
        s->feature_level = (uint8_t)(1 + release);
}

static void make_settings(const struct world *w, const struct machine *m, struct cluster_settings *s)
{
        const struct world_config *c = &w->config;
        static const char *const names[] = {"alpha", "beta", "gamma", "delta", "epsilon",
                                            "zeta",  "eta",  "theta", "iota"};

        *s = (struct cluster_settings){
                .self = machine_index(w, m),
                .node_count = c->nodes,
                .link_count = c->links,
                .timing = world_file_timing(c, m->file),
                .warn = span_us(c->dead.us * 6 / 10),
                .start_wait = span_s(2),
                .members = m->named == world_founders(w) ? 1 : 2 + (uint32_t)(m->named ^ m->named >> 32),
                .vacant = world_all_nodes(w) & ~m->named,
                .config = 1 + m->file + (m->named << 8),
                /* whoever does not know a group cannot keep others apart from it */
                .group_count = (uint8_t)(c->groups - (m->file & 4 && c->groups > 1 && !c->words)),
        };
        if (c->arbiter)
                s->arbiter = c->arbiter->kind;
        s->arbiter_dead = c->arbiter_dead;
        s->fenceable = c->fence ? world_all_nodes(w) : 0;
        for (uint8_t i = 0; i < c->nodes; i++)
                s->fence_delay[i] = span_ms(2000); /* longer than a device takes */
        for (uint8_t i = 0; i < c->nodes; i++)
                if (i < sizeof(names) / sizeof(names[0]))
                        text_copy(s->node_name[i], CLUSTER_NAME, names[i]);
                else
                        snprintf(s->node_name[i], CLUSTER_NAME, "node%u", i);
        for (uint8_t i = 0; i < c->nodes; i++)
                s->node_id[i] = text_id(s->node_name[i]);
        for (uint8_t i = 0; i < c->nodes; i++)
                s->capacity[i] = c->words & WORDS_ROOM ? 2 : 0;
        for (uint8_t g = 0; g < s->group_count; g++)
                make_group(c, m->file, g, &s->group[g]);
        if (c->arbiter && c->arbiter->settings)
                c->arbiter->settings(w, s);
        settings_of_release(m->release, s);
}

/* The world's groups are in the order of their names, and so are a node's; only the last may be missing. */
int machine_group(const struct world *w, const struct machine *m, uint8_t g)
{
        return g < machine_settings(w, m)->group_count ? g : -1;
}

void world_configure(struct world *w, uint8_t node, uint32_t file, bool reload)
{
        struct machine *m = &w->machine[node];
        struct cluster_settings *next = &w->settings[node][!m->settings_used];

        m->file = file;
        w->dead_most = span_max(w->dead_most, world_file_timing(&w->config, file).dead);
        if (!reload || !m->core_up || m->paused)
                return;
        make_settings(w, m, next);
        if (cluster_reconfigure(m->brain, next) != 0)
                return; /* a group that is held is not in it: refused, and the old one goes on */
        m->settings_used = !m->settings_used;
        m->file_used = file;
        machine_step(w, m, (struct cluster_event){.kind = CLUSTER_EV_TIME});
}

bool world_file_waits(const struct world *w, uint8_t node)
{
        const struct machine *m = &w->machine[node];

        return m->core_up && m->file_used != m->file;
}

/* --- a turn of its core --- */

void machine_step(struct world *w, struct machine *m, struct cluster_event ev)
{
        if (!m->core_up || m->paused)
                return;
        ev.now = machine_clock(w, m);
        w->steps++;
        cluster_step(m->brain, &ev, &w->todo);
        if (ev.kind != CLUSTER_EV_COPY)
                do_todo(w, m);
}

static void tell(struct world *w, const struct machine *m, const struct note *n)
{
        size_t room = STORY_MAX - w->story_length;

        if (w->story) {
                int length = snprintf(w->story + w->story_length, room, "%s %s %s: %s\n",
                                      world_name(w, machine_index(w, m)), note_kind_name(n->kind), n->subject,
                                      n->text);
                if (length > 0 && (size_t)length < room)
                        w->story_length += (size_t)length;
        }
        if (w->config.trace)
                fprintf(w->config.trace, "[%10.3f] %s > %s %s: %s\n", (double)w->now / 1000,
                        world_name(w, machine_index(w, m)), note_kind_name(n->kind), n->subject, n->text);
}

static void count_said(struct world *w, struct machine *m)
{
        if (w->now / 1000000 != m->said_second) {
                m->said_second = w->now / 1000000;
                m->said = 0;
        }
        uint32_t each = ++m->said / (w->config.nodes - 1U);
        if (each > w->said_most)
                w->said_most = each;
        if (w->config.trace && each == 150 && m->said % (w->config.nodes - 1U) == 0)
                fprintf(w->config.trace, "[%10.3f] %s says a lot\n", (double)w->now / 1000,
                        world_name(w, machine_index(w, m)));
}

static void speak(struct world *w, struct machine *m, uint64_t to_mask)
{
        instant now = machine_clock(w, m);

        for (uint8_t to = 0; to_mask; to++, to_mask >>= 1) {
                if (!(to_mask & 1))
                        continue;
                cluster_speak(m->brain, now, to, &w->message);
                count_said(w, m);
                world_send(w, machine_index(w, m), to, &w->message);
        }
}

static void begin_save(struct world *w, struct machine *m)
{
        struct happening h = {.kind = HAPPEN_SAVED, .node = machine_index(w, m), .life = m->life};

        if (m->writes)
                return;
        m->writes = true;
        cluster_state_to_save(m->brain, &m->writing, &h.serial);
        world_happen(w, span_add(world_random_span(w, w->config.save_min, w->config.save_max), m->disk_more),
                     h);
}

static void group_result(struct world *w, struct machine *m, uint8_t g, span in,
                         enum cluster_event_kind result)
{
        world_happen(w, in,
                     (struct happening){.kind = HAPPEN_GROUP,
                                        .node = machine_index(w, m),
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
        span took = span_add(world_random_span(w, span_us(100), w->config.start_max), m->trouble.start_more);
        bool fails = world_chance(w, w->config.start_fails + m->trouble.start_fails);

        if (a->probe && w->probes_see && other_holds(w, m, a->group)) {
                group_result(w, m, a->group, span_ms(60), CLUSTER_EV_REFUSED);
                return;
        }
        world_check_order(w, m, a->group);
        h->starting = true;
        h->everywhere = machine_settings(w, m)->group[a->group].everywhere;
        machine_set_exclusive(w, m, a->group, true);
        group_result(w, m, a->group, took, fails ? CLUSTER_EV_START_FAILED : CLUSTER_EV_STARTED);
}

static void stop_group(struct world *w, struct machine *m, const struct cluster_action *a)
{
        span took = span_add(world_random_span(w, span_us(50), w->config.stop_max), m->trouble.stop_more);

        m->held[a->group].stopping = m->held[a->group].releasing = true;
        supervisor_watch(w, m);
        group_result(w, m, a->group, took,
                     world_chance(w, m->trouble.stop_fails) ? CLUSTER_EV_STOP_FAILED : CLUSTER_EV_STOPPED);
}

static void do_action(struct world *w, struct machine *m, const struct cluster_action *a)
{
        struct held *h = &m->held[a->group];

        if (a->kind == ACTION_ANNOUNCE || a->kind == ACTION_ASK)
                return; /* nothing of it changes hands */
        if (a->kind == ACTION_FENCE) {
                machine_fence(w, m, a->node);
                return;
        }
        h->job = ++w->order;
        h->epoch = a->epoch;
        switch (a->kind) {
        case ACTION_WARM:
                group_result(w, m, a->group, world_random_span(w, SPAN_ZERO, w->config.start_max),
                             CLUSTER_EV_WARMED);
                break;
        case ACTION_START: start_group(w, m, a); break;
        case ACTION_ADOPT:
                group_result(w, m, a->group, span_us(500),
                             h->exclusive ? CLUSTER_EV_STARTED : CLUSTER_EV_START_FAILED);
                break;
        case ACTION_STOP: stop_group(w, m, a); break;
        case ACTION_ANNOUNCE:
        case ACTION_ASK:
        case ACTION_FENCE: break;
        }
}

static void write_ledger(struct world *w, struct machine *m)
{
        const struct cluster_promise *p = cluster_promise(m->brain);
        bool lease_moved = p->lease_end.us != m->ledger.lease_end.us;

        if (!instant_before(machine_clock(w, m), m->ledger.lease_end))
                world_account(w, w->now); /* gates are closed up to now */
        memcpy(&m->ledger, p,
               offsetof(struct cluster_promise, tenure) + p->tenure_count * sizeof(p->tenure[0]));
        for (uint8_t g = 0; g < machine_settings(w, m)->group_count; g++)
                if (p->tenure[g].hold >= HOLD_STARTING && p->tenure[g].hold != HOLD_STOPPING &&
                    p->tenure[g].hold != HOLD_STUCK)
                        m->held[g].gate = p->lease_end;
        if (lease_moved)
                supervisor_watch(w, m);
}

static void exit_core(struct world *w, struct machine *m)
{
        world_account(w, w->now);
        m->core_up = m->powered = false;
        supervisor_watch(w, m);
}

static void do_todo(struct world *w, struct machine *m)
{
        const struct todo *todo = &w->todo; /* until the last line: the arbiter's answer is the next step */
        const struct arbiter_model *arbiter = w->config.arbiter;

        write_ledger(w, m);
        for (uint8_t i = 0; i < todo->note_count; i++)
                tell(w, m, &todo->note[i]);
        for (uint8_t i = 0; i < todo->action_count; i++)
                do_action(w, m, &todo->action[i]);
        speak(w, m, todo->speak_to);
        world_check_step(w, m);
        if (todo->save)
                begin_save(w, m);
        if (todo->exit) {
                exit_core(w, m);
                return;
        }
        m->due = machine_truth(m, cluster_deadline(m->brain));
        bool asks = todo->question.ask != ARBITER_NOTHING;
        if (arbiter && arbiter->stepped)
                arbiter->stepped(w, w->arbiter_memory, machine_index(w, m));
        if (arbiter && asks)
                arbiter->asked(w, w->arbiter_memory, machine_index(w, m));
}

/* --- its starts and ends --- */

/* Whether a group that the file does not name is free in the ledger, as in src/core/turn.c: it was never
 * held, or the supervisor has let go of it. What is exclusive in its data may run outside of what that kills.
 */
static bool let_go(const struct world *w, const struct machine *m, uint8_t g, const struct cluster_tenure *t)
{
        if (t->hold == HOLD_NONE || t->hold == HOLD_WARM)
                return true;
        return !w->config.data && !m->held[g].exclusive &&
               instant_reached(machine_clock(w, m), m->ledger.lease_end);
}

static void forget_released(const struct world *w, const struct machine *m, struct cluster_promise *p)
{
        for (uint8_t i = 0; i < p->tenure_count; i++)
                for (uint8_t g = 0; g < w->config.groups; g++)
                        if (p->tenure[i].group == world_group_id(g) && machine_group(w, m, g) < 0 &&
                            let_go(w, m, g, &p->tenure[i]))
                                p->tenure[i].hold = HOLD_NONE;
}

/* What runs everywhere, no lease ends: a core whose file does not name it any more goes on with the file
 * before (src/core/before.c). */
static void choose_file(const struct world *w, struct machine *m)
{
        const struct held *last = &m->held[w->config.groups - 1];

        if (m->file & 4 && last->exclusive && last->everywhere)
                m->file = m->file_used;
        m->file_used = m->file;
}

void machine_boot_core(struct world *w, struct machine *m, bool first)
{
        struct cluster_start start = {
                .incarnation = {.boot = m->boot, .core = ++m->core},
                .state_valid = m->state_valid,
                .state = m->disk,
                .first_core = first,
                .promise = m->ledger,
                .now = machine_clock(w, m),
        };

        world_note_apart(w);
        m->life++;
        m->core_up = true;
        m->paused = m->writes = false;
        memset(m->hearing, 0, sizeof(m->hearing));
        choose_file(w, m);
        make_settings(w, m, &w->settings[machine_index(w, m)][m->settings_used]);
        forget_released(w, m, &start.promise);
        if (w->config.arbiter && w->config.arbiter->starts)
                w->config.arbiter->starts(w, w->arbiter_memory, machine_index(w, m));
        cluster_init(m->brain, machine_settings(w, m), &start, &w->todo);
        m->seen = m->disk.document.version;
        m->seen_leading = false;
        do_todo(w, m);
        if (w->config.watchdog.us) /* time, stretched as the edge does it */
                machine_step(w, m,
                             (struct cluster_event){.kind = CLUSTER_EV_WATCHDOG,
                                                    .wait = timing_stretched(w->config.watchdog)});
}

void machine_boot(struct world *w, struct machine *m)
{
        m->powered = true;
        memset(m->held, 0, sizeof(m->held));
        machine_boot_haven(w, m);
}

void machine_boot_haven(struct world *w, struct machine *m)
{
        m->supervisor_paused = false;
        m->boot++;
        m->core = 0;
        m->ledger = (struct cluster_promise){.last_answer = machine_clock(w, m)};
        machine_boot_core(w, m, true);
}

void machine_kill_core(struct world *w, struct machine *m, span back_after)
{
        uint8_t node = machine_index(w, m);

        m->core_up = m->paused = m->writes = false;
        m->life++;
        for (uint8_t g = 0; g < w->config.groups; g++)
                m->held[g].job = ++w->order; /* nobody waits for what was under way */
        supervisor_watch(w, m);
        if (w->config.arbiter && w->config.arbiter->dies)
                w->config.arbiter->dies(w, w->arbiter_memory, node, false);
        world_happen(w, back_after,
                     (struct happening){.kind = HAPPEN_CORE_BACK, .node = node, .life = m->life});
}
