#include "heartbeat/transport.h"

#include "base/text.h"
#include "heartbeat/medium.h"
#include "heartbeat/seal.h"
#include "heartbeat/window.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static_assert(WINDOW_LINKS == LINKS_MAX, "a window for every link");

/* Who is refused sixty times a second, or replays as often, does not fill the log. */
#define TELL_AGAIN span_s(60)

static const struct medium_kind *const media[] = {&medium_udp, &medium_serial, &medium_relay};
#define MEDIA (sizeof(media) / sizeof(media[0]))

struct sender {
        struct window window;
        instant told[PACKET_REFUSALS]; /* when each was last reported */
        struct transport_link link[LINKS_MAX];
};

struct transport {
        struct medium *medium[MEDIA]; /* NULL: no link needs it */
        int link_count;
        struct {
                struct medium *medium;
                bool to_all;    /* what is for another node comes here too */
                bool carries;   /* posts too: the others are slow */
                uint32_t peers; /* of ours: bit i, node i */
        } link[LINKS_MAX];
        struct transport_hooks hooks;
        int self;
        int node_count;
        uint32_t members;
        uint32_t id[NODES_MAX]; /* text_id of their names */
        char cluster[NAME_SIZE];
        struct seal seal;
        struct sender sender[NODES_MAX];
        instant told_of_strangers;
        struct transport_refusal refusal[PACKET_REFUSALS];
        struct message in;
        size_t body_n;
        uint8_t body[PACKET_BODY_MAX];
        uint8_t packet[PACKET_MAX];
        uint8_t laden[PACKET_MAX]; /* the same with a post */
};

/* Receiving */

static void count(struct transport *t, enum packet_refusal why, int link, const struct ip *from, instant at)
{
        struct transport_refusal *r = &t->refusal[why];

        r->count++;
        r->from = from ? *from : (struct ip){0};
        r->link = link;
        r->at = at;
}

static void refuse(struct transport *t, int node, int link, enum packet_refusal why, const struct ip *from,
                   instant at)
{
        instant *told = node == -1 ? &t->told_of_strangers : &t->sender[node].told[why];

        count(t, why, link, from, at);
        if (told->us != 0 && !instant_reached(at, instant_add(*told, TELL_AGAIN)))
                return;
        *told = at;
        if (t->hooks.on_refused)
                t->hooks.on_refused(t->hooks.user, node, link, why, from);
}

static enum packet_refusal check_indices(const struct transport *t, const struct message *m, int node)
{
        if (m->from == t->self)
                return PACKET_FROM_SELF;
        if (m->from >= t->node_count)
                return PACKET_UNKNOWN_SENDER;
        if (m->from != node)
                return PACKET_WRONG_SENDER;
        return m->to == t->self ? PACKET_ACCEPTED : PACKET_NOT_FOR_US;
}

/* Genuine it is; is it from that node, to us? Of another membership nothing counts but that the node lives,
 * which src/cluster wants to know; that much can be said while both lists agree on the two of us. */
static enum packet_refusal check_ends(const struct transport *t, struct message *m, int node)
{
        if (m->from_id != 0) { /* it may number nodes otherwise, as long as one of us is about to join */
                if (m->from_id == t->id[t->self])
                        return PACKET_FROM_SELF;
                if (m->from_id != t->id[node])
                        return PACKET_WRONG_SENDER;
                if (m->to_id != t->id[t->self])
                        return PACKET_NOT_FOR_US;
                m->from = (uint8_t)node;
                m->to = (uint8_t)t->self;
                return PACKET_ACCEPTED;
        }
        enum packet_refusal why = check_indices(t, m, node);

        if (why != PACKET_ACCEPTED && m->members != t->members)
                return PACKET_OTHER_MEMBERSHIP; /* its indices mean nothing here */
        return why;
}

static enum packet_refusal judge(struct transport *t, int node, int link, const uint8_t *bytes, size_t n,
                                 bool *ret_copy)
{
        size_t body_n = 0;
        enum packet_refusal why = seal_open(&t->seal, bytes, n, t->body, &body_n);

        t->body_n = body_n;
        if (why == PACKET_ACCEPTED)
                why = packet_decode(t->body, body_n, &t->in);
        if (why == PACKET_ACCEPTED)
                why = check_ends(t, &t->in, node);
        if (why != PACKET_ACCEPTED)
                return why;
        switch (window_hear(&t->sender[node].window, (unsigned)link, t->in.incarnation, t->in.seq)) {
        case WINDOW_NEW: *ret_copy = false; return PACKET_ACCEPTED;
        case WINDOW_COPY: *ret_copy = true; return PACKET_ACCEPTED;
        case WINDOW_OLD_INCARNATION: return PACKET_OLD_INCARNATION;
        case WINDOW_REPLAYED: return PACKET_REPLAYED;
        }
        assert(!"a verdict");
        return PACKET_REPLAYED;
}

/* Every copy has its own: one that came over a slow link has none. */
static void take_post(struct transport *t, int node)
{
        size_t n;
        const uint8_t *post = t->hooks.on_post ? packet_post(t->body, t->body_n, &n) : NULL;

        if (post)
                t->hooks.on_post(t->hooks.user, node, post, n);
}

static void on_packet(void *user, int node, int link, const struct ip *from, const uint8_t *bytes, size_t n,
                      instant received)
{
        struct transport *t = user;
        struct sender *s = &t->sender[node];
        bool copy = false;

        enum packet_refusal why = judge(t, node, link, bytes, n, &copy);
        if (why == PACKET_NOT_FOR_US && t->link[link].to_all)
                return;
        if (why != PACKET_ACCEPTED) {
                refuse(t, node, link, why, from, received);
                return;
        }
        count(t, PACKET_ACCEPTED, link, from, received);
        s->link[link].received++;
        take_post(t, node);
        if (!copy) {
                t->hooks.on_message(t->hooks.user, &t->in, link, received);
                return;
        }
        s->link[link].copies++;
        if (t->hooks.on_copy)
                t->hooks.on_copy(t->hooks.user, node, link, received);
}

static void on_refused(void *user, int node, int link, enum packet_refusal why, const struct ip *from,
                       instant received)
{
        refuse(user, node, link, why, from, received);
}

static void on_unreachable(void *user, int node, int link)
{
        struct transport *t = user;

        if (t->hooks.on_hint && node != t->self)
                t->hooks.on_hint(t->hooks.user, node, link);
}

static void on_change(void *user, int node, int link, int error)
{
        struct transport *t = user;

        if (t->hooks.on_link)
                t->hooks.on_link(t->hooks.user, node, link, error);
}

/* Life */

static void free_media(struct transport *t)
{
        for (size_t i = 0; i < MEDIA; i++)
                if (t->medium[i])
                        media[i]->free(t->medium[i]);
}

static unsigned kinds_of(const struct config *config)
{
        unsigned kinds = 0;

        for (size_t l = 0; l < config->link_count; l++)
                kinds |= 1U << config->link[l].kind;
        return kinds;
}

static int open_media(struct transport *t, uv_loop_t *loop, const struct config *config)
{
        const struct medium_hooks hooks = {.on_packet = on_packet,
                                           .on_refused = on_refused,
                                           .on_unreachable = on_unreachable,
                                           .on_change = on_change,
                                           .user = t,
                                           .most = PACKET_MAX};

        t->link_count = (int)config->link_count;
        for (size_t i = 0; i < MEDIA; i++) {
                if (!(media[i]->carries & kinds_of(config)))
                        continue;
                int error = media[i]->create(loop, config, t->self, &hooks, &t->medium[i]);
                if (error)
                        return error;
                for (int l = 0; l < t->link_count; l++) {
                        if (!(media[i]->carries & 1U << config->link[l].kind))
                                continue;
                        t->link[l].medium = t->medium[i];
                        t->link[l].to_all = config->link[l].kind == LINK_MULTICAST ||
                                            config->link[l].kind == LINK_BROADCAST;
                        t->link[l].carries = media[i] == &medium_udp;
                        t->link[l].peers = config->link[l].peers[t->self];
                }
        }
        return 0;
}

int transport_new(uv_loop_t *loop, const struct config *config, int self, const struct keyring *keys,
                  const struct transport_hooks *hooks, struct transport **ret_transport)
{
        assert(self >= 0 && (size_t)self < config->node_count && config->node_count <= NODES_MAX);
        struct transport *t = calloc(1, sizeof(*t));

        if (!t)
                return -ENOMEM;
        t->hooks = *hooks;
        t->self = self;
        t->node_count = (int)config->node_count;
        t->members = config->members_digest;
        for (size_t i = 0; i < config->node_count; i++)
                t->id[i] = text_id(config->node[i].name);
        memcpy(t->cluster, config->cluster, sizeof(t->cluster));
        seal_init(&t->seal, t->cluster, keys);
        int error = open_media(t, loop, config);
        if (error) {
                transport_free(t);
                return error;
        }
        *ret_transport = t;
        return 0;
}

void transport_free(struct transport *t)
{
        if (!t)
                return;
        free_media(t);
        seal_done(&t->seal);
        free(t);
}

struct medium *transport_relay(struct transport *t)
{
        for (size_t i = 0; i < MEDIA; i++)
                if (media[i] == &medium_relay)
                        return t->medium[i];
        return NULL;
}

bool transport_set_keys(struct transport *t, const struct keyring *keys)
{
        struct seal fresh;

        seal_init(&fresh, t->cluster, keys);
        bool others = !seal_equal(&fresh, &t->seal);
        t->seal = fresh;
        seal_done(&fresh);
        return others;
}

/* Sending */

static bool is_shared(const struct transport *t, int node, int link)
{
        return t->link[link].peers & 1U << node;
}

/* The packet with what rides along, in t->laden; 0: nothing does. */
static size_t make_laden(struct transport *t, int node, uint8_t *body, size_t n)
{
        uint8_t post[POST_MAX];
        size_t post_n = t->hooks.post ? t->hooks.post(t->hooks.user, node, post, sizeof(post)) : 0;

        if (post_n == 0)
                return 0;
        size_t laden = packet_post_add(body, n, PACKET_BODY_MAX, post, post_n);
        if (laden == n)
                return 0;
        int sealed = seal_close(&t->seal, body, laden, t->laden, sizeof(t->laden));
        assert(sealed > 0);
        return (size_t)sealed;
}

int transport_send(struct transport *t, int node, const struct message *message)
{
        uint8_t body[PACKET_BODY_MAX]; /* not t->body: a hook that is reading it may be sending */
        int result = -ENETUNREACH;     /* no link is shared */

        int length = packet_encode(message, body, sizeof(body));
        assert(length > 0); /* PACKET_BODY_MAX holds the longest message */
        int n = seal_close(&t->seal, body, (size_t)length, t->packet, sizeof(t->packet));
        assert(n > 0);
        size_t laden = make_laden(t, node, body, (size_t)length);
        for (int link = 0; link < t->link_count; link++) {
                if (!is_shared(t, node, link))
                        continue;
                struct medium *m = t->link[link].medium;
                bool heavy = laden > 0 && t->link[link].carries;
                int error =
                        m->kind->send(m, node, link, heavy ? t->laden : t->packet, heavy ? laden : (size_t)n);
                struct transport_link *l = &t->sender[node].link[link];
                if (error)
                        l->errors++;
                else
                        l->sent++;
                if (error == 0 || result != 0)
                        result = error;
        }
        return result;
}

/* Figures */

const struct transport_refusal *transport_refusals(const struct transport *t)
{
        return t->refusal;
}

void transport_link(const struct transport *t, int node, int link, struct transport_link *ret_link)
{
        assert(link >= 0 && link < t->link_count && is_shared(t, node, link));
        const struct medium *m = t->link[link].medium;

        *ret_link = t->sender[node].link[link];
        ret_link->error = m->kind->error(m, node, link);
}
