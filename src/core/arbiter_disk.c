/* The disk arbiter in the core: its questions and answers, and its mail as a link of the heartbeat. */
#include "core/core.h"

#include "base/log.h"
#include "base/text.h"
#include "heartbeat/relay.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

static void on_answer(void *user, const struct arbiter_answer *a, instant asked, const char *text)
{
        struct core *core = user;

        if (a->ask != ARBITER_WATCH)
                snprintf(core->arbiter_text, sizeof(core->arbiter_text), "%s to a %s of term %u, %.80s",
                         a->yes ? "yes" : "no", arbiter_ask_name(a->ask), a->term, text);
        core_event(core, &(struct cluster_event){
                                 .kind = CLUSTER_EV_ARBITER, .asked = asked, .arbiter = a, .text = text});
}

static void on_mail(void *user, uint8_t from, const uint8_t *bytes, size_t n, instant received)
{
        struct core *core = user;
        struct medium *relay = transport_relay(core->transport);

        if (relay)
                relay_receive(relay, from, bytes, n, received);
}

static void on_state(void *user, bool works, const char *text)
{
        struct core *core = user;
        struct medium *relay = transport_relay(core->transport);

        if (works)
                log_info("disk %s: works", core->config->arbiter.device);
        else
                log_warning("disk %s: %s", core->config->arbiter.device, text);
        if (relay)
                relay_changed(relay, works ? 0 : -EIO);
}

static int send_mail(void *user, int node, const uint8_t *bytes, size_t n)
{
        struct core *core = user;

        return core->disk ? disk_mail(core->disk, (uint8_t)node, bytes, n) : -EIO;
}

static void derive_keys(const struct config *config, const struct keyring *keys, struct disk_keys *ret_keys)
{
        *ret_keys = (struct disk_keys){.count = keys->count};
        for (size_t i = 0; i < keys->count; i++)
                disk_key_derive(keys->key[i].secret, config->cluster, ret_keys->key[i]);
}

void core_arbiter_disk_keys(struct core *core, const struct keyring *keys)
{
        struct disk_keys derived;

        derive_keys(core->config, keys, &derived);
        if (core->disk)
                disk_set_keys(core->disk, &derived);
        sodium_memzero(&derived, sizeof(derived));
}

/* Until the cluster's document has given us our number, a slot of that number may be another node's. Who
 * founds a cluster with others is numbered by the file that all of them have. */
bool core_numbered(const struct core *core)
{
        const struct document *d = cluster_document(core->brain);

        if (d->version.n == 0)
                return core->founds;
        return core->self < d->member_count &&
               d->member[core->self].name == core->config->node[core->self].id;
}

int core_arbiter_disk_open(struct core *core, const struct keyring *keys)
{
        const struct config *config = core->config;
        const struct ledger *l = core->inherited.ledger;
        char program[PATH_SIZE], lock[PATH_SIZE];
        struct disk_setup setup = {.loop = core->loop,
                                   .program = program,
                                   .device = config->arbiter.device,
                                   .lock = lock,
                                   .cluster = config->cluster,
                                   .self = (uint8_t)core->self,
                                   .node_count = (uint8_t)config->node_count,
                                   .writer = {.boot = l->boot, .core = l->core},
                                   .interval = config->heartbeat,
                                   .on_answer = on_answer,
                                   .on_mail = on_mail,
                                   .on_state = on_state,
                                   .user = core};
        int error = path_program("haven-disk", program);

        if (!error)
                error = path_join(core->options.run_dir, "disk.lock", lock);
        if (error)
                return error;
        derive_keys(config, keys, &setup.keys);
        error = disk_new(&setup, &core->disk);
        sodium_memzero(&setup.keys, sizeof(setup.keys));
        struct medium *relay = transport_relay(core->transport);
        if (!error && relay)
                relay_bind(relay, send_mail, core);
        return error;
}

void core_arbiter_disk_ask(struct core *core, const struct arbiter_question *q)
{
        if (!core->disk)
                return;
        if (core_numbered(core))
                disk_start(core->disk);
        if (!disk_works(core->disk)) {
                char text[128];
                core_event(core,
                           &(struct cluster_event){.kind = CLUSTER_EV_ARBITER,
                                                   .asked = instant_now(),
                                                   .text = disk_describe(core->disk, text, sizeof(text))});
        }
        disk_set_interval(core->disk, core->config->heartbeat); /* a reload may have changed it */
        disk_ask(core->disk, q);
}

void core_arbiter_disk_view(const struct core *core, char *text, size_t size)
{
        char disk[96];

        snprintf(text, size, "%s; %s", core->arbiter_text[0] ? core->arbiter_text : "not needed yet",
                 disk_describe(core->disk, disk, sizeof(disk)));
}
