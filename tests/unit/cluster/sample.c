#include "sample.h"

#include "base/text.h"
#include "cluster/message.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint64_t sample_number(uint64_t *seed)
{
        uint64_t z = *seed += 0x9e3779b97f4a7c15;

        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
        z = (z ^ z >> 27) * 0x94d049bb133111eb;
        return z ^ z >> 31;
}

static uint64_t below(uint64_t *seed, uint64_t n)
{
        return sample_number(seed) % n;
}

static struct epoch random_epoch(uint64_t *seed)
{
        return (struct epoch){(uint32_t)sample_number(seed), (uint32_t)sample_number(seed)};
}

void sample_document(struct document *ret_document)
{
        struct document d = {
                .version = {3, 1, 7}, .members = 0x01020304, .feature_level = 1, .member_count = 2};

        d.member[0].boot = 11;
        d.member[1] = (struct member){.boot = 12, .standby = true, .standby_left = span_s(60)};
        struct assignment *web = document_add_group(&d, text_id("web"));
        web->owner = 0;
        web->owner_boot = 11;
        web->epoch = (struct epoch){3, 2};
        struct assignment *db = document_add_group(&d, text_id("db"));
        db->owner = 0;
        db->owner_boot = 11;
        db->epoch = (struct epoch){3, 3};
        db->from = 1;
        db->from_epoch = (struct epoch){2, 9};
        db->wanted = 0;
        db->failed = 2;
        db->debt_count = 1;
        db->debt[0] = (struct debt){.node = 1, .boot = 10, .epoch = {1, 4}};
        *ret_document = d;
}

static void random_assignment(uint64_t *seed, struct assignment *a)
{
        a->owner = below(seed, 4) ? (uint8_t)below(seed, DOCUMENT_NODES_MAX) : NODE_NONE;
        a->owner_boot = sample_number(seed);
        a->epoch = random_epoch(seed);
        if (below(seed, 2)) {
                a->from = (uint8_t)below(seed, DOCUMENT_NODES_MAX);
                a->from_epoch = random_epoch(seed);
        }
        if (below(seed, 2))
                a->wanted = (uint8_t)below(seed, DOCUMENT_NODES_MAX);
        a->failed = below(seed, 2) ? sample_number(seed) : 0;
        a->admin = below(seed, 2) ? GROUP_DISABLED : GROUP_ENABLED;
        a->spread = (enum group_spread)below(seed, GROUP_SPREADS);
        a->debt_count = (uint8_t)(below(seed, 2) ? below(seed, DOCUMENT_DEBTS_MAX + 1) : 0);
        for (size_t i = 0; i < a->debt_count; i++)
                a->debt[i] = (struct debt){.node = (uint8_t)below(seed, DOCUMENT_NODES_MAX),
                                           .boot = sample_number(seed),
                                           .epoch = random_epoch(seed)};
}

void sample_random_document(uint64_t *seed, struct document *ret_document)
{
        struct document *d = ret_document;
        size_t groups = below(seed, DOCUMENT_GROUPS_MAX + 1);

        *d = (struct document){.version = {(uint32_t)sample_number(seed),
                                           (uint8_t)below(seed, DOCUMENT_NODES_MAX),
                                           (uint32_t)sample_number(seed)},
                               .members = (uint32_t)sample_number(seed),
                               .feature_level = (uint8_t)sample_number(seed),
                               .maintenance = below(seed, 2) == 1,
                               .member_count = (uint8_t)below(seed, DOCUMENT_NODES_MAX + 1)};
        if (below(seed, 2)) {
                span dead = span_ms(500 + (int64_t)below(seed, 1000));
                d->timing = (struct document_timing){span_ms(50), dead, span_ms(500)};
        }
        if (d->maintenance)
                d->maintenance_left = span_us(below(seed, 2) ? (int64_t)below(seed, INT64_MAX / 4) : 0);
        for (size_t i = 0; i < d->member_count; i++) {
                d->member[i] = (struct member){.boot = sample_number(seed), .standby = below(seed, 2) == 1};
                if (d->member[i].standby)
                        d->member[i].standby_left = span_us((int64_t)below(seed, 3) * 1000);
                d->member[i].watchdog = span_us((int64_t)below(seed, 3) * 1000);
                d->member[i].fencing = below(seed, 2) == 1;
                d->member[i].fenced = below(seed, 2) * sample_number(seed);
        }
        for (size_t i = 0; i < groups; i++)
                random_assignment(seed, document_add_group(d, (uint32_t)(i * 0x01010101U)));
}

void sample_largest_document(struct document *ret_document)
{
        struct document *d = ret_document;

        *d = (struct document){.member_count = DOCUMENT_NODES_MAX, .maintenance = true};
        for (size_t i = 0; i < DOCUMENT_NODES_MAX; i++)
                d->member[i] = (struct member){
                        .standby = true, .watchdog = span_us(1), .fencing = true, .fenced = 1};
        for (size_t i = 0; i < DOCUMENT_GROUPS_MAX; i++) {
                struct assignment *a = document_add_group(d, (uint32_t)i + 1);
                a->from = a->wanted = 0;
                a->admin = GROUP_DISABLED;
                a->spread = GROUP_ENDING;
                a->failed = 1;
                a->debt_count = DOCUMENT_DEBTS_MAX;
        }
}

static bool assignments_equal(const struct assignment *a, const struct assignment *b)
{
        if (a->group != b->group || a->owner != b->owner || a->owner_boot != b->owner_boot ||
            !epoch_equal(a->epoch, b->epoch) || a->from != b->from || a->admin != b->admin ||
            a->wanted != b->wanted || a->failed != b->failed || a->spread != b->spread ||
            a->debt_count != b->debt_count)
                return false;
        if (a->from != NODE_NONE && !epoch_equal(a->from_epoch, b->from_epoch))
                return false;
        for (size_t i = 0; i < a->debt_count; i++)
                if (a->debt[i].node != b->debt[i].node || a->debt[i].boot != b->debt[i].boot ||
                    !epoch_equal(a->debt[i].epoch, b->debt[i].epoch))
                        return false;
        return true;
}

bool sample_documents_equal(const struct document *a, const struct document *b)
{
        if (!version_equal(a->version, b->version) || a->members != b->members ||
            a->feature_level != b->feature_level || a->maintenance != b->maintenance ||
            a->maintenance_left.us != b->maintenance_left.us ||
            a->timing.heartbeat.us != b->timing.heartbeat.us || a->timing.dead.us != b->timing.dead.us ||
            a->timing.lease_dead.us != b->timing.lease_dead.us || a->member_count != b->member_count ||
            a->group_count != b->group_count)
                return false;
        for (size_t i = 0; i < a->member_count; i++)
                if (a->member[i].boot != b->member[i].boot || a->member[i].standby != b->member[i].standby ||
                    a->member[i].standby_left.us != b->member[i].standby_left.us ||
                    a->member[i].watchdog.us != b->member[i].watchdog.us ||
                    a->member[i].fencing != b->member[i].fencing ||
                    a->member[i].fenced != b->member[i].fenced)
                        return false;
        if (a->kept_bytes != b->kept_bytes || memcmp(a->kept, b->kept, a->kept_bytes) != 0)
                return false;
        for (size_t i = 0; i < a->group_count; i++)
                if (!assignments_equal(&a->group[i], &b->group[i]))
                        return false;
        return true;
}

size_t sample_golden(const char *path, uint8_t *bytes, size_t size)
{
        FILE *f = fopen(path, "re");
        char line[256];
        size_t n = 0;

        if (!f) {
                fprintf(stderr, "golden file %s: cannot be read\n", path);
                abort();
        }
        while (fgets(line, sizeof(line), f)) {
                line[strcspn(line, "#\n")] = '\0';
                for (const char *p = line; isxdigit((unsigned char)p[0]) && n < size; n++) {
                        unsigned byte;
                        if (sscanf(p, "%2x", &byte) != 1)
                                abort();
                        bytes[n] = (uint8_t)byte;
                        p += 2 + strspn(p + 2, " ");
                }
        }
        fclose(f);
        return n;
}
