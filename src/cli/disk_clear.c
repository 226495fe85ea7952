/* haven disk clear: takes back the poison pills that wait for a node. */
#include "cli/offline.h"

#include "disk/area.h"
#include "disk/pill.h"
#include "heartbeat/key.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static _Alignas(DISK_BLOCK) uint8_t block[DISK_BLOCK];

static bool derive_keys(const struct config *c, struct disk_keys *ret_keys)
{
        char reason[KEY_REASON];
        struct keyring keys;

        if (key_load(c->key_path, &keys, reason) < 0) {
                cli_fail("%s", reason);
                return false;
        }
        *ret_keys = (struct disk_keys){.count = keys.count};
        for (size_t i = 0; i < keys.count; i++)
                disk_key_derive(keys.key[i].secret, c->cluster, ret_keys->key[i]);
        key_wipe(&keys);
        return true;
}

/* Those of one giver. How many there were, or a negative errno. */
static int clear_of(const struct area *a, const struct disk_header *h, const struct disk_keys *keys,
                    uint8_t giver, uint8_t to)
{
        struct disk_pills pills;
        int error = area_read(a, disk_pills_place(giver), block, sizeof(block));

        if (error)
                return error;
        if (disk_pills_decode(block, h->uuid, giver, keys, &pills) != DISK_OK || pills.to[to].number == 0)
                return 0;
        pills.to[to] = (struct disk_pill){.number = 0};
        disk_pills_encode(&pills, h->uuid, keys, block);
        error = area_write(a, disk_pills_place(giver), block, sizeof(block));
        return error ? error : 1;
}

static enum cli_status clear(const struct config *c, const char *path, int node)
{
        struct disk_header h;
        struct disk_keys keys;
        char why[AREA_TEXT];
        struct area area;
        int count = 0, n = 0;

        if (!derive_keys(c, &keys))
                return CLI_NOT_DONE;
        if (area_open(&area, path, true, why) != 0)
                return cli_fail("%s %s", path, why);
        if (area_identify(&area, c->cluster, (uint8_t)c->node_count, &h, why) != 0 || node > h.node_count) {
                area_close(&area);
                return why[0] ? cli_fail("%s %s", path, why)
                              : cli_fail("%s has room for %u nodes: there is no node %d", path, h.node_count,
                                         node);
        }
        for (uint8_t i = 0; i < h.node_count && n >= 0; i++) {
                n = clear_of(&area, &h, &keys, i, (uint8_t)(node - 1));
                count += n > 0;
        }
        area_close(&area);
        sodium_memzero(&keys, sizeof(keys));
        if (n < 0)
                return cli_fail("%s: %s", path, strerror(-n));
        printf("%s: %d pill%s taken back\n", path, count, count == 1 ? "" : "s");
        return CLI_DONE;
}

enum cli_status disk_clear(const struct arguments *a, const char *path)
{
        int node = a->count == 3 ? atoi(a->word[2]) : 0;

        if (node < 1 || node > DISK_NODES_MAX)
                return cli_fail(
                        "which node? haven disk clear DEVICE NUMBER, as haven disk show numbers them");
        struct config *c = offline_config_at(a->given[OPTION_CONFIG] ? a->value[OPTION_CONFIG] : CLI_CONFIG);
        if (!c)
                return CLI_NOT_DONE;
        enum cli_status status = clear(c, path, node);
        config_free(c);
        return status;
}
