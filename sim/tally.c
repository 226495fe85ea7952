#include "tally.h"

#include <string.h>

#define END_LINES 60

void tally_add(struct tally *t, const struct schedule_result *r)
{
        t->schedules++;
        t->failed += r->failed;
        t->admitted += r->admitted;
        t->moves += r->moves;
        t->steps += r->steps;
        t->virtual_s += (double)r->virtual_us / 1e6;
        for (int v = 0; v < VIOLATION_COUNT; v++)
                t->violated[v] += r->violated[v];
        if (r->admitted_us > t->admitted_most_us)
                t->admitted_most_us = r->admitted_us;
        if (r->said_most > t->said_most)
                t->said_most = r->said_most;
        if (r->takeover_us < 0)
                return;
        t->takeovers++;
        if (r->takeover_us > t->takeover_most_us)
                t->takeover_most_us = r->takeover_us;
        int64_t bin = r->takeover_us / 1000;
        t->took[bin < TALLY_BINS ? bin : TALLY_BINS - 1]++;
}

void tally_merge(struct tally *t, const struct tally *other)
{
        t->schedules += other->schedules;
        t->failed += other->failed;
        t->admitted += other->admitted;
        t->moves += other->moves;
        t->steps += other->steps;
        t->takeovers += other->takeovers;
        t->virtual_s += other->virtual_s;
        for (int v = 0; v < VIOLATION_COUNT; v++)
                t->violated[v] += other->violated[v];
        for (int i = 0; i < TALLY_BINS; i++)
                t->took[i] += other->took[i];
        if (other->takeover_most_us > t->takeover_most_us)
                t->takeover_most_us = other->takeover_most_us;
        if (other->admitted_most_us > t->admitted_most_us)
                t->admitted_most_us = other->admitted_most_us;
        if (other->said_most > t->said_most)
                t->said_most = other->said_most;
}

/* The millisecond in which the share of all takeovers is reached. */
static int within(const struct tally *t, double share)
{
        uint64_t count = 0;

        for (int i = 0; i < TALLY_BINS; i++) {
                count += t->took[i];
                if (count > 0 && (double)count >= share * (double)t->takeovers)
                        return i + 1;
        }
        return 0;
}

void tally_print(const struct tally *t, uint64_t first_seed, double wall_s, FILE *out)
{
        fprintf(out,
                "from seed %llu: %llu schedules, %.2f virtual hours in %.1f s (%.0f times real time, %.2f "
                "million "
                "steps a second), %llu changes of holder\n",
                (unsigned long long)first_seed, (unsigned long long)t->schedules, t->virtual_s / 3600, wall_s,
                t->virtual_s / wall_s, (double)t->steps / wall_s / 1e6, (unsigned long long)t->moves);
        fprintf(out, "takeovers measured in calm: %llu, median %d ms, p99 %d ms, slowest %.1f ms\n",
                (unsigned long long)t->takeovers, within(t, 0.5), within(t, 0.99),
                (double)t->takeover_most_us / 1000);
        fprintf(out,
                "at most %u messages to one node in a second; a split admitted to a weak arbiter in %llu, at "
                "most %.1f s at once\n",
                t->said_most, (unsigned long long)t->admitted, (double)t->admitted_most_us / 1e6);
        fprintf(out, "%llu schedules violated:", (unsigned long long)t->failed);
        for (int v = 0; v < VIOLATION_COUNT; v++)
                fprintf(out, "%s %s %llu", v ? "," : "", violation_name((enum violation)v),
                        (unsigned long long)t->violated[v]);
        fputs("\n", out);
}

void tally_print_end_of_story(const char *story, FILE *out)
{
        const char *end = strstr(story, "VIOLATION"), *from;
        int lines = 0;

        end = end ? strchr(end, '\n') : NULL;
        end = end ? end : story + strlen(story);
        for (from = end; from > story && lines < END_LINES; from--)
                lines += from[-1] == '\n' && from != end;
        fprintf(out, "    ...\n%.*s\n", (int)(end - from), from);
}
