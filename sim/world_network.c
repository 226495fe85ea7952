#include "world_inside.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void world_send(struct world *w, uint8_t from, uint8_t to, uint8_t link, const struct message *m)
{
        struct happening h = {.kind = HAPPEN_PACKET, .node = to, .from = from, .link = link};

        if (w->cut[from][to][link] || world_chance(w, w->config.loss))
                return;
        for (int copies = world_chance(w, w->config.duplicate) ? 2 : 1; copies > 0; copies--) {
                h.message = malloc(m->has_document ? sizeof(*m) : offsetof(struct message, document));
                assert(h.message);
                memcpy(h.message, m, m->has_document ? sizeof(*m) : offsetof(struct message, document));
                world_happen(w,
                             span_add(world_random_span(w, w->config.delay_min, w->config.delay_max),
                                      w->delay[from][to]),
                             h);
        }
}

bool world_cut_off(const struct world *w, uint8_t from, uint8_t to)
{
        for (uint8_t l = 0; l < w->config.links; l++)
                if (!w->cut[from][to][l])
                        return false;
        return true;
}

void world_cut(struct world *w, uint8_t from, uint8_t to, uint8_t link, bool cut)
{
        world_note_apart(w);
        w->cut[from][to][link] = cut;
}

void world_cut_pair(struct world *w, uint8_t a, uint8_t b, bool cut)
{
        world_note_apart(w);
        for (uint8_t l = 0; l < w->config.links; l++)
                w->cut[a][b][l] = w->cut[b][a][l] = cut;
}

void world_isolate(struct world *w, uint8_t node, bool cut)
{
        for (uint8_t i = 0; i < w->config.nodes; i++)
                if (i != node)
                        world_cut_pair(w, node, i, cut);
}

void world_delay(struct world *w, uint8_t from, uint8_t to, span more)
{
        w->delay[from][to] = more;
}
