#include "director/nft/slots.h"

#include <assert.h>
#include <stdlib.h>

#define NOBODY UINT16_MAX

static uint32_t divisor(uint32_t a, uint32_t b)
{
        while (b) {
                uint32_t rest = a % b;
                a = b;
                b = rest;
        }
        return a;
}

/* The weights in their smallest terms, and so that there are at most `most` slots. Their sum. */
static uint32_t reduce(const uint32_t *weight, size_t count, uint32_t most, uint32_t *reduced)
{
        uint32_t common = 0;
        uint64_t sum = 0;
        uint32_t total = 0;

        for (size_t i = 0; i < count; i++)
                common = divisor(weight[i], common);
        for (size_t i = 0; i < count; i++)
                sum += common ? weight[i] / common : 0;
        for (size_t i = 0; i < count; i++) {
                uint64_t w = common ? weight[i] / common : 0;
                if (sum > most && w) {
                        w = w * (most - count) / sum + 1; /* whoever has a weight has a slot */
                }
                reduced[i] = (uint32_t)w;
                total += reduced[i];
        }
        return total;
}

size_t slots_in_turn(const uint32_t *weight, size_t count, uint16_t slot[static SLOTS_MAX])
{
        uint32_t *w = calloc(count + 1, sizeof(*w));
        int64_t *credit = calloc(count + 1, sizeof(*credit));
        size_t total = 0;

        assert(count < SLOTS_MAX);
        if (w && credit)
                total = reduce(weight, count, SLOTS_MAX, w);
        for (size_t s = 0; s < total; s++) {
                size_t best = 0;
                for (size_t i = 0; i < count; i++) {
                        credit[i] += w[i];
                        if (credit[i] > credit[best])
                                best = i;
                }
                credit[best] -= (int64_t)total;
                slot[s] = (uint16_t)best;
        }
        free(w);
        free(credit);
        return total;
}

static uint32_t mix(uint32_t x)
{
        x ^= x >> 16;
        x *= 0x7feb352du;
        x ^= x >> 15;
        x *= 0x846ca68bu;
        return x ^ x >> 16;
}

size_t slots_by_hash(const uint32_t *weight, const uint32_t *seed, size_t count,
                     uint16_t slot[static SLOTS_MAX])
{
        uint32_t *w = calloc(count + 1, sizeof(*w)), *next = calloc(count + 1, sizeof(*next));
        size_t left = HASH_SLOTS;
        uint32_t total = 0;

        assert(count < HASH_SLOTS);
        if (w && next)
                total = reduce(weight, count, HASH_SLOTS, w);
        for (size_t s = 0; s < HASH_SLOTS; s++)
                slot[s] = NOBODY;
        for (size_t i = 0; total && i < count; i++)
                next[i] = mix(seed[i]) % HASH_SLOTS;
        /* each takes in turn, as often as its weight says, the next free slot of an order of its own */
        while (total && left)
                for (size_t i = 0; i < count && left; i++)
                        for (uint32_t n = 0; n < w[i] && left; n++) {
                                uint32_t step = 1 + mix(seed[i] ^ 0x9e3779b9u) % (HASH_SLOTS - 1);
                                while (slot[next[i]] != NOBODY)
                                        next[i] = (next[i] + step) % HASH_SLOTS;
                                slot[next[i]] = (uint16_t)i;
                                left--;
                        }
        free(w);
        free(next);
        return total ? HASH_SLOTS : 0;
}
