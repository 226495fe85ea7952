/* What `haven check` says of directors: whether the files that they follow are right, and what becomes of
 * established connections when another node takes over. */
#include "cli/offline.h"
#include "director/plan.h"

#include <errno.h>
#include <string.h>

/* A connection in use is told of every ten seconds. */
#define TOLD_AGAIN span_s(15) /* with something to spare */

static bool files_are_right(const struct config_director *d)
{
        char why[PLAN_WHY];
        struct plan plan;
        int error = plan_from_config(d, &plan, why);

        if (error == -ENOENT)
                fprintf(stderr, "%s, on this machine\n", why);
        else if (error)
                fprintf(stderr, "%s\n", why);
        plan_free(&plan);
        return error == 0 || error == -ENOENT;
}

bool check_director_files(const struct config *c)
{
        bool good = true;

        for (size_t i = 0; i < c->group_count; i++)
                for (size_t k = 0; k < c->group[i].resource_count; k++) {
                        const struct config_director *d = c->group[i].resource[k].director;
                        if (d && d->ldirectord)
                                good = files_are_right(d) && good;
                }
        return good;
}

/* How many of its services find a client's server by a hash, which is the same on each node. */
static size_t hashed(const struct config_director *d)
{
        size_t n = 0;

        for (size_t i = 0; i < d->virtual_count; i++)
                n += strcmp(d->virtual[i].scheduler, "sh") == 0 || strcmp(d->virtual[i].scheduler, "mh") == 0;
        return n;
}

static void print_told(const struct config_group *g, const struct config_director *d)
{
        bool early = g->failback == FAILBACK_AUTO ||
                     (g->failback == FAILBACK_AFTER && g->failback_after.us < TOLD_AGAIN.us);

        printf("established connections go on at another node, which is told of them on %s",
               d->sync_interface);
        if (early)
                printf("; when a node comes back, all of them with failback = \"after 15s\" only");
}

static void print_untold(const struct config_director *d)
{
        if (d->virtual_count > 0 && hashed(d) == d->virtual_count)
                printf("established TCP connections go on at another node, by the hash of their client");
        else
                printf("established connections end when another node takes over%s: no sync-interface",
                       hashed(d) ? ", but for TCP with scheduler sh or mh" : "");
}

static void print_nft(const struct config_director *d)
{
        if (d->masquerade)
                printf("by nftables; established connections end when another node takes over");
        else if (d->virtual_count > 0 && hashed(d) == d->virtual_count)
                printf("by nftables; established TCP connections mostly go on at another node");
        else
                printf("by nftables; of established TCP connections only those go on at another node whose "
                       "server is heard before the client, or whose scheduler is sh or mh");
}

void check_print_directors(const struct config_group *g)
{
        for (size_t i = 0; i < g->resource_count && g->node_count > 1 && !g->everywhere; i++) {
                const struct config_director *d = g->resource[i].director;
                if (!d)
                        continue;
                printf("director %s of group %s: ", g->resource[i].name, g->name);
                if (d->backend == BACKEND_NFT)
                        print_nft(d);
                else if (d->sync_interface[0])
                        print_told(g, d);
                else
                        print_untold(d);
                putchar('\n');
        }
}
