#include "cli/offline.h"

#include "cluster/timing.h"

#include <string.h>
#include <time.h>

static void on_mistake(void *user, const char *file, int line, const char *text)
{
        config_print_mistake(stderr, file, line, text);
}

struct config *offline_config_at(const char *path)
{
        return config_load(path, on_mistake, NULL);
}

struct config *offline_config(const struct arguments *a)
{
        return offline_config_at(a->count ? a->word[0] : CLI_CONFIG);
}

static void print_span(const char *before, span s)
{
        char text[SPAN_TEXT];

        printf("%s%s", before, span_format(s, text));
}

/* How data gets away from a node that says nothing any more. */
static const char *what_frees(const struct config *c, const struct config_group *g)
{
        bool all_fenced = true, weak = c->node_count % 2 == 0 && !arbiter_kind_is_strong(c->arbiter.kind);

        for (size_t i = 0; i < g->node_count; i++)
                all_fenced &= config_can_fence(c, g->node[i]);
        if (g->accept_split && weak)
                return "it starts elsewhere at once, which a split makes two";
        if (all_fenced)
                return "it starts elsewhere once the node's power is off";
        if (c->watchdog.present && !weak)
                return "it starts elsewhere once the node's watchdog has reset it";
        return "it is blocked until 'haven confirm-off NODE' or the node is back";
}

/* What the few words about a group mean, in a sentence. */
static void print_group(const struct config *c, const struct config_group *g)
{
        printf("group %s: ", g->name);
        for (size_t i = 0; i < g->node_count; i++)
                printf("%s%s", i ? ", then " : "", c->node[g->node[i]].name);
        if (g->node_count > 1) {
                switch (g->failback) {
                case FAILBACK_AUTO:
                        printf("; returns by itself as soon as %s is well", c->node[g->node[0]].name);
                        break;
                case FAILBACK_MANUAL: printf("; stays where it is until 'haven move %s'", g->name); break;
                case FAILBACK_AFTER:
                        printf("; returns by itself when %s has been well for", c->node[g->node[0]].name);
                        print_span(" ", g->failback_after);
                        break;
                }
        }
        switch (g->exclusive) {
        case EXCLUSIVE_ADDRESS: printf("; exclusive in its address"); break;
        case EXCLUSIVE_DATA:
                printf("; exclusive in its data, after a silent death %s", what_frees(c, g));
                break;
        }
        putchar('\n');
}

/* What this set of nodes can promise, in the words that `haven status` has; and what their number asks for.
 */
static void print_promise(const struct config *c)
{
        const char *kind = arbiter_kind_name(c->arbiter.kind);

        if (c->node_count < 2)
                return;
        if (c->node_count % 2)
                printf("a majority of the nodes decides: never two owners; an even number of them wants an "
                       "arbiter, named while havend is stopped on all\n");
        else if (arbiter_kind_is_strong(c->arbiter.kind))
                printf("arbiter %s (strong): a majority of nodes and arbiter decides: never two owners; an "
                       "odd "
                       "number of nodes has none, left out while havend is stopped on all\n",
                       kind);
        else if (c->arbiter.kind == ARBITER_NONE)
                printf("arbiter none (weak): a network split can run both; an arbiter witness, disk, etcd or "
                       "fence, or a third node, rules that out\n");
        else
                printf("arbiter %s (weak): a network split can run both\n", kind);
}

/* What the arbiter's disk must be able to, and what a takeover by it costs. */
static void print_disk(const struct config *c)
{
        struct disk_needs need = offline_disk_needs(c);

        if (c->arbiter.kind != ARBITER_DISK)
                return;
        printf("disk %s: when a vote is first missing, what runs stops unless a write and a reading of it "
               "take "
               "less than",
               c->arbiter.device);
        print_span(" ", need.first);
        print_span("; as long as it is missing, each may take ", need.each);
        print_span("; a takeover takes up to ", span_add(c->dead, c->heartbeat));
        print_span(" and two or three such operations, from who led by the disk ", need.dead);
        putchar('\n');
}

/* What each serial line can carry: the one link that a heartbeat can fill. */
static void print_lines(const struct config *c)
{
        for (int l = 0; l < (int)c->link_count; l++)
                for (int n = 0; n < (int)c->node_count; n++)
                        for (int m = n + 1; m < (int)c->node_count; m++) {
                                if (c->link[l].kind != LINK_SERIAL || !config_link_shared(c, l, n, m))
                                        continue;
                                const struct config_serial *s = config_link_serial(c, l, n, m);
                                span takes = config_serial_time(c, s->baud);
                                printf("serial line %s %s to %s %s, %d baud: a heartbeat takes",
                                       c->node[n].name, s->device, c->node[m].name,
                                       config_link_serial(c, l, m, n)->device, s->baud);
                                print_span(" ", span_us(takes.us / 1000 * 1000));
                                if (takes.us > c->heartbeat.us)
                                        printf(", more than heartbeat: only some of them fit, the newest "
                                               "ones");
                                putchar('\n');
                        }
}

static void print_depends(const char *before, char *const *depends)
{
        for (; depends && *depends; depends++, before = ", ")
                printf("%s%s", before, *depends);
}

/* "http page every 5s, down within 16s": of a death just after a look, noticed by `fall` looks that time out.
 */
static void print_watch_check(const struct config_watch_check *w)
{
        const struct config_check *k = w->check[0];
        const char *kind = check_kind_name(k->kind);
        bool named = strcmp(w->name, kind) != 0;

        printf("%s%s%s", kind, named ? " " : "", named ? w->name : "");
        print_span(" every ", k->interval);
        print_span(", down within ",
                   span_add(span_add(k->interval, span_times(k->quick, k->fall - 1)), k->timeout));
}

static void print_service(const struct config_watch *w, const struct config_service *s)
{
        char period[PERIOD_TEXT];

        printf("  %s: ", s->name);
        for (size_t i = 0; w->host_count > 0 && i < s->check_count; i++) {
                printf("%s", i ? "; " : "");
                print_watch_check(&s->check[i]);
        }
        for (size_t i = 0; i < s->period_count; i++)
                printf("%s%s", i ? ", " : "; told ", period_format(&s->period[i], period));
        print_depends("; quiet while one of these is down: ", s->depends);
        putchar('\n');
}

/* What is looked at, from where, and whether anybody is told. */
static void print_watch(const struct config_watch *w)
{
        printf("watch %s: %zu host%s, from ", w->name, w->host_count, w->host_count == 1 ? "" : "s");
        if (w->group[0])
                printf("where group %s runs", w->group);
        else
                printf("the leader");
        print_depends("; quiet while one of these is down: ", w->depends);
        putchar('\n');
        for (size_t i = 0; i < w->service_count; i++)
                print_service(w, &w->service[i]);
}

static void print_watches(const struct config *c)
{
        for (size_t i = 0; i < c->watch_count; i++)
                print_watch(&c->watch[i]);
        if (c->watch_count > 0 && c->alert_count == 0)
                printf("there is no alert: who does not look at haven status hears of nothing\n");
}

#define HOLDS_LITTLE span_ms(100)

/* The core takes a new file over in one turn of its loop, in which no heartbeat leaves it. What reading the
 * files has cost here, it costs there, and about as much again to compare and change what runs. */
static void print_reload(const struct config *c)
{
        struct timespec used;

        if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) == -1)
                return;
        span holds = span_times(span_ms(used.tv_sec * 1000 + used.tv_nsec / 1000000), 2);
        if (holds.us < HOLDS_LITTLE.us || 2 * holds.us < c->dead.us)
                return;
        print_span("a reload of so much holds a node's heartbeats up for about ", holds);
        print_span(", and a node is dead after ", c->dead);
        print_span(": let dead be ", span_times(holds, 2));
        printf(" or longer\n");
}

enum cli_status command_check(const struct command *command, const struct arguments *a)
{
        struct config *c = offline_config(a);

        if (!c)
                return CLI_NOT_DONE;
        bool good = a->given[OPTION_PRINT] || check_director_files(c);
        if (!good) {
                config_free(c);
                return CLI_NOT_DONE;
        }
        if (a->given[OPTION_PRINT]) {
                config_print(c, stdout);
        } else {
                printf("%s is good: cluster %s, %zu node%s, %zu group%s", c->path, c->cluster, c->node_count,
                       c->node_count == 1 ? "" : "s", c->group_count, c->group_count == 1 ? "" : "s");
                print_span("; heartbeat ", c->heartbeat);
                print_span(", dead after ", c->dead);
                putchar('\n');
                print_promise(c);
                print_lines(c);
                print_disk(c);
                for (size_t i = 0; i < c->group_count; i++) {
                        print_group(c, &c->group[i]);
                        check_print_directors(&c->group[i]);
                }
                print_watches(c);
                print_reload(c);
        }
        config_free(c);
        return CLI_DONE;
}
