/* haven disk measure: how long the arbiter's disk takes, beside how long it may. */
#include "cli/offline.h"

#include "cluster/timing.h"
#include "disk/area.h"

#include <stdlib.h>
#include <string.h>

#define TIMES_MAX 200
#define LASTS     span_s(10)

struct sample {
        size_t count;
        span took[TIMES_MAX]; /* a write and a reading of all */
        span wrote[TIMES_MAX];
};

static span whole_ms(span s)
{
        return span_ms(s.us > 0 ? s.us / 1000 : 0);
}

struct disk_needs offline_disk_needs(const struct config *c)
{
        struct timing t = timing_derive(c->heartbeat, c->dead);
        span lease = timing_arbiter_lease(&t, config_disk_dead(c));

        /* a leader without answers asks after one and a half heartbeats; its lease is what is left then */
        return (struct disk_needs){.dead = span_max(c->dead, config_disk_dead(c)),
                                   .first = whole_ms(span_sub(t.lease, span_us(c->heartbeat.us * 3 / 2))),
                                   .each = whole_ms(span_us(span_sub(lease, c->heartbeat).us / 2))};
}

/* As haven-disk does it, but for the place of the write. */
static int operate(const struct area *a, const struct disk_header *h, span *ret_wrote)
{
        static _Alignas(DISK_BLOCK) uint8_t scratch[DISK_BLOCK], bytes[2 * DISK_RECORD], mail[DISK_MAIL];
        instant began = instant_now();
        size_t n[2];
        int error = area_write(a, DISK_SCRATCH, scratch, sizeof(scratch));

        *ret_wrote = span_between(began, instant_now());
        for (uint8_t i = 0; i < h->node_count && !error; i++) {
                error = area_read_records(a, h, i, bytes, n);
                if (!error)
                        error = area_read_mail(a, i, 0, mail, n);
        }
        return error;
}

static int take(const struct area *a, const struct disk_header *h, struct sample *s)
{
        instant from = instant_now();

        while (s->count < TIMES_MAX && span_between(from, instant_now()).us < LASTS.us) {
                instant began = instant_now();
                int error = operate(a, h, &s->wrote[s->count]);
                if (error)
                        return error;
                s->took[s->count++] = span_between(began, instant_now());
        }
        return 0;
}

static int by_length(const void *x, const void *y)
{
        const span *a = x, *b = y;

        return (a->us > b->us) - (a->us < b->us);
}

/* Of a sorted sample. */
static span share(const span *of, size_t count, size_t percent)
{
        size_t i = count * percent / 100;

        return of[i < count ? i : count - 1];
}

static void print_line(const char *what, const span *of, size_t count)
{
        char half[SPAN_TEXT], most[SPAN_TEXT], slowest[SPAN_TEXT];

        printf("%s: half within %s, 99 of 100 within %s, the slowest %s\n", what,
               span_format(span_us(of[count / 2].us / 10 * 10), half),
               span_format(span_us(share(of, count, 99).us / 10 * 10), most),
               span_format(span_us(of[count - 1].us / 10 * 10), slowest));
}

/* So that a renewal may take twice what the slowest did. */
static enum cli_status judge(const struct config *c, span slowest)
{
        struct disk_needs need = offline_disk_needs(c);
        char first[SPAN_TEXT], each[SPAN_TEXT], took[SPAN_TEXT], better[SPAN_TEXT];
        span twice = span_times(slowest, 2);

        span_format(span_ms(span_to_ms(slowest)), took);
        printf("%s leaves it %s when a vote is first missing, then %s each time\n", c->path,
               span_format(need.first, first), span_format(need.each, each));
        if (need.first.us < slowest.us)
                return cli_fail(
                        "the slowest took %s: what runs stops for as long when a node is lost; cluster: "
                        "dead = %s or more",
                        took,
                        span_format(span_ms(span_to_ms(span_add(span_us(c->heartbeat.us * 2),
                                                                span_us(twice.us * 5 / 4)))),
                                    better));
        if (need.each.us < twice.us)
                return cli_fail(
                        "the slowest took %s: what runs stops when one takes more than twice that; arbiter "
                        "disk: dead = %s or more",
                        took,
                        span_format(span_s((twice.us * 5 / 2 + c->heartbeat.us) / 1000000 + 1), better));
        return CLI_DONE;
}

static void print_json(const char *path, const struct sample *s)
{
        json_t *j = json_pack("{s:s, s:I, s:I, s:I, s:I, s:I}", "device", path, "count", (json_int_t)s->count,
                              "write_us_half", (json_int_t)s->wrote[s->count / 2].us, "half_us",
                              (json_int_t)s->took[s->count / 2].us, "most_us",
                              (json_int_t)share(s->took, s->count, 99).us, "slowest_us",
                              (json_int_t)s->took[s->count - 1].us);

        json_dumpf(j, stdout, JSON_INDENT(2));
        putchar('\n');
        json_decref(j);
}

static enum cli_status measure(const struct arguments *a, const struct config *c, const char *path)
{
        static struct sample s;
        struct disk_header h;
        char why[AREA_TEXT];
        struct area area;

        if (area_open(&area, path, true, why) != 0)
                return cli_fail("%s %s", path, why);
        if (area_identify(&area, c->cluster, (uint8_t)c->node_count, &h, why) != 0) {
                area_close(&area);
                return cli_fail("%s %s", path, why);
        }
        int error = take(&area, &h, &s);
        area_close(&area);
        if (error || s.count == 0)
                return cli_fail("%s: cannot be written and read: %s", path, strerror(-error));
        qsort(s.took, s.count, sizeof(s.took[0]), by_length);
        qsort(s.wrote, s.count, sizeof(s.wrote[0]), by_length);
        if (a->given[OPTION_JSON]) {
                print_json(path, &s);
                return CLI_DONE;
        }
        printf("%s: written and read %zu times%s\n", path, s.count,
               area.direct ? "" : ", through the page cache: good for this kernel alone");
        print_line("a write", s.wrote, s.count);
        print_line("a write, and all read", s.took, s.count);
        return judge(c, s.took[s.count - 1]);
}

enum cli_status disk_measure(const struct arguments *a, const char *path)
{
        struct config *c = offline_config_at(a->given[OPTION_CONFIG] ? a->value[OPTION_CONFIG] : CLI_CONFIG);

        if (!c)
                return CLI_NOT_DONE;
        enum cli_status status = measure(a, c, path);
        config_free(c);
        return status;
}
