/* The table in nftables. haven-nft reads and changes it, one call at a time; meanwhile the director waits,
 * and what is ordered in between is done next. Whether somebody else has changed it is told by a digest of
 * what the kernel lists. */
#include "director/director_inside.h"

#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "director/nft/digest.h"
#include "director/nft/name.h"
#include "director/nft/text.h"
#include "director/nft/wire.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROGRAM    "haven-nft"
#define COUNT_EACH span_s(1) /* while somebody asks, and for so long after: */
#define ASKED_FOR  span_s(5)

/* What the next daemon of this boot must know: what was listed after the last change, and what for. */
struct kept {
        char digest[NFT_DIGEST];
        uint64_t text;
};

static void init(struct director *d)
{
        const char *name = strrchr(d->keep_path, '/'), *end = strrchr(d->checker_path, '/');

        name = name ? name + 1 : d->keep_path;
        snprintf(d->nft.table, sizeof(d->nft.table), "haven.%s",
                 strncmp(name, "director.", 9) == 0 ? name + 9 : name);
        /* it stands beside haven-checker */
        snprintf(d->nft.program, sizeof(d->nft.program), "%.*s%s", end ? (int)(end + 1 - d->checker_path) : 0,
                 d->checker_path, PROGRAM);
}

/* --- what is kept --- */

static bool kept_read(const struct director *d, struct kept *ret_kept)
{
        char path[DIRECTOR_PATH], text[64];
        ssize_t n = file_read(director_file(d, "nft", path), text, sizeof(text) - 1);

        *ret_kept = (struct kept){0};
        if (n < 0)
                return false;
        text[n] = '\0';
        sscanf(text, "%16s %" SCNx64, ret_kept->digest, &ret_kept->text);
        return true;
}

static uint64_t digest_of(const char *text, size_t n)
{
        uint64_t digest = UINT64_C(0xcbf29ce484222325);

        for (size_t i = 0; i < n; i++)
                digest = (digest ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3); /* FNV-1a */
        return digest;
}

static uint64_t digest_of_table(const struct table *t)
{
        char *text = NULL;
        size_t n = 0;
        FILE *to = open_memstream(&text, &n);

        if (!to)
                return 0;
        nft_wire_put(t, to);
        uint64_t digest = fclose(to) == 0 ? digest_of(text, n) : 0;
        free(text);
        return digest;
}

static void keep(struct director *d)
{
        char path[DIRECTOR_PATH], text[64];
        int n = snprintf(text, sizeof(text), "%s %016" PRIx64 "\n", d->nft.digest[0] ? d->nft.digest : "-",
                         digest_of_table(&d->actual));

        if (file_replace(director_file(d, "nft", path), text, (size_t)n, 0600) < 0)
                log_warning("director: %s cannot be written: the next daemon sets up the table anew", path);
}

bool backend_nft_was_used(const struct director *d)
{
        struct kept kept;

        return kept_read(d, &kept);
}

/* --- calls --- */

static void on_end(void *user, int error, const char *text);

static void call(struct director *d, enum nft_what what, const char *text, size_t n)
{
        int error = nft_job_start(d->setup.loop, d->nft.program, d->nft.table, what, text, n, on_end, d,
                                  &d->nft.job);

        d->nft.what = what;
        d->nft.order = d->order;
        if (error && what == NFT_COUNTS)
                d->counted = instant_now(); /* there will be another question */
        else if (error == -ENOENT && d->task == TASK_STOP && d->actual.count == 0)
                director_end(d, DIRECTOR_EV_STOPPED, ""); /* it has never set up anything */
        else if (error == -ENOENT)
                director_failed(d, PROGRAM " is missing: this haven was built without libnftables");
        else if (error)
                director_failed(d, strerror(-error));
}

/* What haven-nft reads: the table that is wanted, and with "changes" the one that is there. */
static void apply(struct director *d, const char *how)
{
        char path[DIRECTOR_PATH], *text = NULL;
        struct kept kept;
        size_t n = 0;
        FILE *to = open_memstream(&text, &n);

        if (to) {
                fprintf(to, "%s %d\n", how, d->setup.masquerade);
                nft_wire_put(&d->wanted, to);
                if (strcmp(how, "changes") == 0)
                        nft_wire_put(&d->actual, to);
        }
        if (!to || fclose(to) != 0) {
                director_failed(d, strerror(ENOMEM));
        } else {
                if (d->task == TASK_START && !kept_read(d, &kept))
                        /* whoever comes after a crash knows that there may be something */
                        file_replace(director_file(d, "nft", path), "-\n", 2, 0600);
                call(d, NFT_APPLY, text, n);
        }
        free(text);
}

static bool can_all(struct director *d)
{
        char why[NFT_WHY];

        for (size_t i = 0; i < d->wanted.count; i++)
                if (!nft_can(&d->wanted.service[i], why)) {
                        director_failed(d, why);
                        return false;
                }
        return true;
}

static bool want(struct director *d)
{
        int error = director_want(d);

        if (error)
                director_failed(d, strerror(-error));
        return !error && can_all(d);
}

/* --- it is done --- */

/* What was counted goes on with the server. */
static void carry_counts(const struct table *from, struct table *to)
{
        for (size_t i = 0; i < to->count; i++) {
                const struct virtual_service *old = table_service(from, &to->service[i].key);
                for (size_t k = 0; old && k < to->service[i].count; k++) {
                        struct real_server *r = &to->service[i].server[k];
                        const struct real_server *was = service_server(old, &r->ip, r->port);
                        if (!was)
                                continue;
                        r->active = was->active;
                        r->inactive = was->inactive;
                        r->traffic = was->traffic;
                }
        }
}

static void now_it_is(struct director *d)
{
        carry_counts(&d->actual, &d->wanted);
        table_free(&d->actual);
        d->actual = d->wanted;
        d->wanted = (struct table){0};
        d->nft.known = true;
}

static void made(struct director *d)
{
        char path[DIRECTOR_PATH];

        d->trouble[0] = '\0';
        d->renewed = false;
        d->look_again = instant_add(instant_now(), LOOK_AGAIN);
        if (d->task == TASK_STOP) {
                unlink(director_file(d, "nft", path));
                table_free(&d->actual);
                d->nft.known = false;
                director_end(d, DIRECTOR_EV_STOPPED, "");
                return;
        }
        now_it_is(d);
        keep(d);
        if (d->task == TASK_START) {
                d->active = d->more = true;
                director_end(d, DIRECTOR_EV_STARTED, "");
        } else {
                director_begin(d, TASK_NONE);
        }
}

static void make_changes(struct director *d)
{
        struct changes c = {0};
        int error = changes_between(&d->wanted, &d->actual, &d->actual, false, &c);

        if (error) {
                director_failed(d, strerror(-error));
        } else if (c.count) {
                director_tell(d, &c);
                apply(d, "changes");
        } else {
                made(d);
        }
        changes_free(&c);
}

/* Nobody has changed a rule in this kernel, ours or another, since the table was looked at. */
static bool is_untouched(const struct director *d)
{
        uint32_t now;

        return d->nft.known && nft_generation(&now) == 0 && now == d->nft.generation;
}

/* What is listed, "" for no table, is what there is. */
static void looked(struct director *d, const char *digest)
{
        struct kept kept;
        bool known = d->nft.known && strcmp(digest, d->nft.digest) == 0;

        if (d->task == TASK_LOOK && !digest[0]) {
                director_end(d, DIRECTOR_EV_ABSENT, "its table is not in nftables");
                return;
        }
        if (d->task == TASK_LOOK) {
                d->active = d->renewed = true;
                d->task = TASK_VERIFY;
                d->setup.on_event(d->setup.user, DIRECTOR_EV_PRESENT, "");
        }
        if (!want(d))
                return;
        if (!d->nft.known && kept_read(d, &kept) && strcmp(digest, kept.digest) == 0 &&
            digest_of_table(&d->wanted) == kept.text) {
                text_copy(d->nft.digest, sizeof(d->nft.digest), digest);
                made(d);
        } else if (known) {
                make_changes(d);
        } else {
                if (!d->renewed && d->nft.known)
                        d->setup.on_event(d->setup.user, DIRECTOR_EV_NOTE,
                                          "the table in nftables was not as it was left: it was restored");
                apply(d, "whole");
        }
}

/* "digest HEX GENERATION", or "none". */
static const char *digest_in(const char *text, char digest[static NFT_DIGEST], uint32_t *ret_generation)
{
        digest[0] = '\0';
        *ret_generation = 0;
        sscanf(text, "digest %16s %" SCNu32, digest, ret_generation);
        return digest;
}

/* --- counts --- */

struct named {
        char name[NFT_NAME];
        struct real_server *server;
};

static int compare_named(const void *a, const void *b)
{
        return strcmp(((const struct named *)a)->name, ((const struct named *)b)->name);
}

static int by_name(const void *name, const void *one)
{
        return strcmp(name, ((const struct named *)one)->name);
}

static struct named *name_all(struct table *t, size_t *ret_count)
{
        size_t count = 0, n = 0;

        for (size_t i = 0; i < t->count; i++)
                count += t->service[i].count;
        struct named *all = calloc(count + 1, sizeof(*all));
        for (size_t i = 0; all && i < t->count; i++)
                for (size_t k = 0; k < t->service[i].count; k++) {
                        struct virtual_service *s = &t->service[i];
                        struct real_server *r = &s->server[k];
                        all[n].server = r;
                        nft_server_name(&s->key, &r->ip, r->port ? r->port : s->key.port, all[n++].name);
                }
        if (all)
                qsort(all, n, sizeof(*all), compare_named);
        *ret_count = n;
        return all;
}

static void count_one(const struct named *all, size_t count, const char *line, uint64_t ms)
{
        char name[NFT_NAME];
        unsigned long long made;
        unsigned active, inactive;

        if (sscanf(line, "%127s %llu %u %u", name, &made, &active, &inactive) != 4)
                return;
        const struct named *one = bsearch(name, all, count, sizeof(*all), by_name);
        if (!one)
                return;
        struct traffic *t = &one->server->traffic;
        t->connections_s = ms && made >= t->connections ? (made - t->connections) * 1000 / ms : 0;
        t->connections = made;
        one->server->active = active;
        one->server->inactive = inactive;
}

static void counted(struct director *d, const char *text)
{
        instant now = instant_now();
        size_t count;
        struct named *all = name_all(&d->actual, &count);
        bool first = d->counted.us == INSTANT_LONG_AGO.us;
        uint64_t ms = first ? 0 : (uint64_t)span_to_ms(span_between(d->counted, now));

        for (const char *line = text; all && *line; line += strcspn(line, "\n") + 1) {
                count_one(all, count, line, ms);
                if (!strchr(line, '\n'))
                        break;
        }
        for (size_t i = 0; i < d->actual.count; i++) {
                struct virtual_service *s = &d->actual.service[i];
                s->traffic = (struct traffic){0};
                for (size_t k = 0; k < s->count; k++) {
                        s->traffic.connections += s->server[k].traffic.connections;
                        s->traffic.connections_s += s->server[k].traffic.connections_s;
                }
        }
        free(all);
        d->counted = now;
}

/* --- turns --- */

static void on_end(void *user, int error, const char *text)
{
        struct director *d = user;
        bool late = d->nft.order != d->order;
        char digest[NFT_DIGEST];

        d->now = instant_now();
        d->nft.job = NULL;
        if (d->nft.what == NFT_COUNTS) {
                if (!error)
                        counted(d, text);
                else
                        d->counted = instant_now();
        } else if (late) {
                /* meanwhile something else was ordered, which begins with looking at what there is */
                d->nft.known = d->nft.known && d->nft.what == NFT_LOOK;
        } else if (error) {
                d->nft.known = false;
                director_failed(d, text);
        } else if (d->nft.what == NFT_LOOK) {
                looked(d, digest_in(text, digest, &d->nft.generation));
        } else {
                digest_in(text, d->nft.digest, &d->nft.generation);
                made(d);
        }
        director_turn_soon(d);
}

/* Task after task; nothing while a call is under way. */
static void turn(struct director *d)
{
        switch (d->task) {
        case TASK_START:
                if (want(d))
                        apply(d, "whole");
                break;
        case TASK_STOP: apply(d, "nothing"); break;
        case TASK_LOOK: call(d, NFT_LOOK, NULL, 0); break;
        case TASK_VERIFY:
                if (!is_untouched(d))
                        call(d, NFT_LOOK, NULL, 0);
                else if (want(d))
                        make_changes(d);
                break;
        case TASK_NONE: break;
        }
}

static bool busy(const struct director *d)
{
        return d->nft.job != NULL;
}

static instant counts_due(const struct director *d)
{
        instant end = instant_add(d->nft.asked, ASKED_FOR), due = instant_add(d->counted, COUNT_EACH);

        if (!d->nft.known || !instant_reached(end, due))
                return INSTANT_NEVER;
        return due;
}

static void tend(struct director *d)
{
        instant now = instant_now();
        bool changed = false;

        while (farm_next_changed(d->farm) != SIZE_MAX)
                changed = true;
        if (instant_reached(now, d->look_again) || (changed && !d->nft.known)) {
                director_begin(d, TASK_VERIFY);
        } else if (changed) {
                director_begin(d, TASK_VERIFY);
                if (want(d))
                        make_changes(d);
        } else if (instant_reached(now, counts_due(d))) {
                call(d, NFT_COUNTS, NULL, 0);
        }
}

/* They are counted while somebody asks. */
static int read_table(struct director *d, struct table *ret_table, size_t *ret_foreign, span *ret_age)
{
        instant now = instant_now();
        int error = 0;

        *ret_foreign = 0;
        *ret_age = span_between(d->counted, now);
        if (ret_age->us > span_s(1).us)
                d->nft.asked = now;

        for (size_t i = 0; i < d->actual.count && !error; i++) {
                const struct virtual_service *s = &d->actual.service[i];
                struct virtual_service *copy = table_add(ret_table, s);
                error = copy ? 0 : -ENOMEM;
                for (size_t k = 0; k < s->count && !error; k++)
                        error = service_add(copy, &s->server[k]);
        }
        return error;
}

static void done(struct director *d)
{
        nft_job_free(d->nft.job);
}

static void stand_by(struct director *d)
{
        (void)d;
}

static void withdraw(struct director *d)
{
        (void)d; /* there is nothing on standby */
}

const struct backend backend_nft = {
        .name = "nft",
        .counts_bytes = false,
        .init = init,
        .free = done,
        .stand_by = stand_by,
        .withdraw = withdraw,
        .turn = turn,
        .tend = tend,
        .busy = busy,
        .due = counts_due,
        .read = read_table,
};
