#include "director/nft/digest.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define TRIES        5
#define REPLY_SIZE   (1 << 16)
#define SETS_AT_ONCE 64
#define ATTRIBUTES   32 /* of a chain, a rule, a set or an element, no more are of use */

struct set {
        char name[256]; /* NFT_SET_MAXNAMELEN */
};

struct walk {
        struct mnl_socket *socket;
        const char *table;
        uint32_t sequence;
        uint64_t sum;   /* of what was found: in no order, as elements have none */
        uint64_t chain; /* that the last rule was in, */
        uint64_t place; /* and which of its rules it was */
        bool found;     /* the table is there */
        struct set *set;
        size_t set_count, set_room;
        uint64_t set_name; /* whose elements come */
};

/* FNV-1a, and then mixed (Murmur3), for sums of it. */
static uint64_t hash(uint64_t digest, const void *bytes, size_t n)
{
        for (size_t i = 0; i < n; i++)
                digest = (digest ^ ((const unsigned char *)bytes)[i]) * UINT64_C(0x100000001b3);
        return digest;
}

static uint64_t mix(uint64_t x)
{
        x = (x ^ x >> 33) * UINT64_C(0xff51afd7ed558ccd);
        x = (x ^ x >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
        return x ^ x >> 33;
}

static uint64_t hash_attribute(uint64_t digest, const struct nlattr *a)
{
        uint16_t type;

        if (!a)
                return hash(digest, "", 1);
        type = mnl_attr_get_type(a);
        digest = hash(digest, &type, sizeof(type));
        return hash(digest, mnl_attr_get_payload(a), mnl_attr_get_payload_len(a));
}

/* --- what comes --- */

static void by_type(const struct nlmsghdr *message, const struct nlattr *by[static ATTRIBUTES])
{
        const struct nlattr *a;

        for (size_t i = 0; i < ATTRIBUTES; i++)
                by[i] = NULL;
        mnl_attr_for_each(a, message, sizeof(struct nfgenmsg))
        {
                if (mnl_attr_get_type(a) < ATTRIBUTES)
                        by[mnl_attr_get_type(a)] = a;
        }
}

static bool is_ours(const struct walk *w, const struct nlattr *table)
{
        return table && strcmp(mnl_attr_get_str(table), w->table) == 0;
}

static int on_chain(const struct nlmsghdr *message, void *user)
{
        static const unsigned counts[] = {NFTA_CHAIN_NAME, NFTA_CHAIN_HOOK, NFTA_CHAIN_POLICY,
                                          NFTA_CHAIN_TYPE, NFTA_CHAIN_FLAGS};
        const struct nlattr *by[ATTRIBUTES];
        struct walk *w = user;
        uint64_t digest = 1;

        by_type(message, by);
        if (!is_ours(w, by[NFTA_CHAIN_TABLE]))
                return MNL_CB_OK;
        for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
                digest = hash_attribute(digest, by[counts[i]]);
        w->sum += mix(digest);
        w->found = true;
        return MNL_CB_OK;
}

/* A chain's rules come in their order. */
static int on_rule(const struct nlmsghdr *message, void *user)
{
        const struct nlattr *by[ATTRIBUTES];
        struct walk *w = user;

        by_type(message, by);
        if (!is_ours(w, by[NFTA_RULE_TABLE]))
                return MNL_CB_OK;
        uint64_t chain = hash_attribute(2, by[NFTA_RULE_CHAIN]);
        w->place = chain == w->chain ? w->place + 1 : 0;
        w->chain = chain;
        chain = hash(chain, &w->place, sizeof(w->place));
        w->sum += mix(hash_attribute(chain, by[NFTA_RULE_EXPRESSIONS]));
        return MNL_CB_OK;
}

static int on_set(const struct nlmsghdr *message, void *user)
{
        static const unsigned counts[] = {NFTA_SET_NAME,    NFTA_SET_FLAGS,     NFTA_SET_KEY_TYPE,
                                          NFTA_SET_KEY_LEN, NFTA_SET_DATA_TYPE, NFTA_SET_DATA_LEN,
                                          NFTA_SET_TIMEOUT};
        const struct nlattr *by[ATTRIBUTES];
        struct walk *w = user;
        uint64_t digest = 3;

        by_type(message, by);
        if (!is_ours(w, by[NFTA_SET_TABLE]) || !by[NFTA_SET_NAME])
                return MNL_CB_OK;
        for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
                digest = hash_attribute(digest, by[counts[i]]);
        w->sum += mix(digest);
        if (by[NFTA_SET_FLAGS] && ntohl(mnl_attr_get_u32(by[NFTA_SET_FLAGS])) & NFT_SET_EVAL)
                return MNL_CB_OK; /* packets put into it whom they like */
        if (w->set_count == w->set_room) {
                size_t room = 2 * w->set_room + SETS_AT_ONCE;
                struct set *grown = reallocarray(w->set, room, sizeof(*grown));
                if (!grown)
                        return MNL_CB_ERROR;
                w->set = grown;
                w->set_room = room;
        }
        struct set *s = &w->set[w->set_count++];
        strncpy(s->name, mnl_attr_get_str(by[NFTA_SET_NAME]), sizeof(s->name) - 1);
        s->name[sizeof(s->name) - 1] = '\0';
        return MNL_CB_OK;
}

static void take_element(struct walk *w, const struct nlattr *element)
{
        uint64_t digest = w->set_name;
        const struct nlattr *a;

        mnl_attr_for_each_nested(a, element)
        {
                switch (mnl_attr_get_type(a)) {
                case NFTA_SET_ELEM_KEY:
                case NFTA_SET_ELEM_KEY_END:
                case NFTA_SET_ELEM_DATA:
                case NFTA_SET_ELEM_FLAGS: digest = hash_attribute(digest, a); break;
                default: break;
                }
        }
        w->sum += mix(digest);
}

static int on_elements(const struct nlmsghdr *message, void *user)
{
        const struct nlattr *list, *element;
        struct walk *w = user;

        mnl_attr_for_each(list, message, sizeof(struct nfgenmsg))
        {
                if (mnl_attr_get_type(list) != NFTA_SET_ELEM_LIST_ELEMENTS)
                        continue;
                mnl_attr_for_each_nested(element, list)
                {
                        take_element(w, element);
                }
        }
        return MNL_CB_OK;
}

static int on_generation(const struct nlmsghdr *message, void *user)
{
        const struct nlattr *a;

        mnl_attr_for_each(a, message, sizeof(struct nfgenmsg))
        {
                if (mnl_attr_get_type(a) == NFTA_GEN_ID)
                        *(uint32_t *)user = ntohl(mnl_attr_get_u32(a));
        }
        return MNL_CB_OK;
}

/* --- questions --- */

static struct nlmsghdr *begin(struct walk *w, void *buffer, int what, uint16_t flags)
{
        struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
        struct nfgenmsg *head = mnl_nlmsg_put_extra_header(request, sizeof(*head));

        request->nlmsg_type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | what);
        request->nlmsg_flags = NLM_F_REQUEST | flags;
        request->nlmsg_seq = ++w->sequence;
        head->nfgen_family = NFPROTO_INET;
        head->version = NFNETLINK_V0;
        return request;
}

static int ask(struct walk *w, const struct nlmsghdr *request, mnl_cb_t on_message, void *user)
{
        static char reply[REPLY_SIZE];
        unsigned port = mnl_socket_get_portid(w->socket);
        int r = MNL_CB_OK;

        if (mnl_socket_sendto(w->socket, request, request->nlmsg_len) == -1)
                return -errno;
        while (r > MNL_CB_STOP) {
                ssize_t n = mnl_socket_recvfrom(w->socket, reply, sizeof(reply));
                if (n == -1)
                        return -errno;
                r = mnl_cb_run(reply, (size_t)n, request->nlmsg_seq, port, on_message, user);
        }
        return r == MNL_CB_ERROR ? -errno : 0;
}

static int ask_generation(struct walk *w, uint32_t *ret_generation)
{
        char buffer[256];

        return ask(w, begin(w, buffer, NFT_MSG_GETGEN, NLM_F_ACK), on_generation, ret_generation);
}

static int dump(struct walk *w, int what, unsigned table_attribute, mnl_cb_t on_message)
{
        char buffer[512];
        struct nlmsghdr *request = begin(w, buffer, what, NLM_F_DUMP);

        mnl_attr_put_strz(request, (uint16_t)table_attribute, w->table);
        return ask(w, request, on_message, w);
}

static int dump_elements(struct walk *w, const char *set)
{
        char buffer[1024];
        struct nlmsghdr *request = begin(w, buffer, NFT_MSG_GETSETELEM, NLM_F_DUMP);

        mnl_attr_put_strz(request, NFTA_SET_ELEM_LIST_TABLE, w->table);
        mnl_attr_put_strz(request, NFTA_SET_ELEM_LIST_SET, set);
        w->set_name = hash(4, set, strlen(set));
        return ask(w, request, on_elements, w);
}

static int read_once(struct walk *w)
{
        int error;

        w->sum = w->chain = w->place = 0;
        w->set_count = 0;
        w->found = false;
        error = dump(w, NFT_MSG_GETCHAIN, NFTA_CHAIN_TABLE, on_chain);
        if (!error && !w->found)
                return -ENOENT;
        if (!error)
                error = dump(w, NFT_MSG_GETRULE, NFTA_RULE_TABLE, on_rule);
        if (!error)
                error = dump(w, NFT_MSG_GETSET, NFTA_SET_TABLE, on_set);
        for (size_t i = 0; i < w->set_count && !error; i++)
                error = dump_elements(w, w->set[i].name);
        return error;
}

/* --- answers --- */

static int open_socket(struct walk *w)
{
        w->socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
        if (!w->socket)
                return -errno;
        return mnl_socket_bind(w->socket, 0, MNL_SOCKET_AUTOPID) == -1 ? -errno : 0;
}

static void close_socket(struct walk *w)
{
        if (w->socket)
                mnl_socket_close(w->socket);
        w->socket = NULL;
}

int nft_generation(uint32_t *ret_generation)
{
        struct walk w = {0};
        int error = open_socket(&w);

        *ret_generation = 0;
        if (!error)
                error = ask_generation(&w, ret_generation);
        close_socket(&w);
        return error;
}

/* -EAGAIN: it became another while it was read. */
static int try_digest(struct walk *w, uint32_t *ret_generation)
{
        uint32_t after = 0;
        int error = open_socket(w), read;

        if (!error)
                error = ask_generation(w, ret_generation);
        if (error)
                return error;
        read = read_once(w);
        close_socket(w); /* with what is left of a walk that was broken off */
        error = open_socket(w);
        if (!error)
                error = ask_generation(w, &after);
        if (!error && after != *ret_generation)
                error = -EAGAIN;
        return error ? error : read;
}

int nft_digest(const char *table, uint64_t *ret_digest, uint32_t *ret_generation)
{
        struct walk w = {.table = table};
        int error = -EAGAIN;

        for (int i = 0; i < TRIES && error == -EAGAIN; i++) {
                error = try_digest(&w, ret_generation);
                close_socket(&w);
        }
        *ret_digest = w.sum;
        free(w.set);
        return error;
}
