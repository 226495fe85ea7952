#include "director/ipvs/ipvs.h"

#include "director/ipvs/attributes.h"

#include <assert.h>
#include <errno.h>
#include <linux/genetlink.h>
#include <linux/ip_vs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPLY_SIZE   32768 /* libmnl's advice for dumps; larger is fewer calls */
#define REQUEST_SIZE 512   /* the largest, a service with all it can have, takes 200 */
/* Refusals of all requests of one portion must fit the socket's buffer, or the kernel drops answers. */
#define PORTION 128

static struct nlmsghdr *begin(struct ipvs *k, void *buffer, uint16_t type, uint8_t command, uint16_t flags)
{
        struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
        struct genlmsghdr *head = mnl_nlmsg_put_extra_header(request, sizeof(*head));

        request->nlmsg_type = type;
        request->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
        request->nlmsg_seq = ++k->sequence;
        head->cmd = command;
        head->version = IPVS_GENL_VERSION;
        return request;
}

/* Until the acknowledgement or the end of the dump. */
static int run(struct ipvs *k, const struct nlmsghdr *request, mnl_cb_t on_message, void *user)
{
        char reply[REPLY_SIZE];
        int r;

        if (mnl_socket_sendto(k->socket, request, request->nlmsg_len) == -1)
                return -errno;
        do {
                ssize_t size = mnl_socket_recvfrom(k->socket, reply, sizeof(reply));
                if (size == -1 && errno == EINTR) {
                        r = MNL_CB_OK;
                        continue;
                }
                if (size == -1)
                        return -errno;
                r = mnl_cb_run(reply, (size_t)size, request->nlmsg_seq, k->port, on_message, user);
                if (r == MNL_CB_ERROR && errno == EPROTO)
                        r = MNL_CB_OK; /* an answer to an earlier request that was given up */
        } while (r > MNL_CB_STOP);
        return r == MNL_CB_ERROR ? -errno : 0;
}

static int on_family(const struct nlmsghdr *message, void *user)
{
        uint16_t *family = user;
        const struct nlattr *attribute;

        mnl_attr_for_each(attribute, message, sizeof(struct genlmsghdr)) if (mnl_attr_get_type(attribute) ==
                                                                             CTRL_ATTR_FAMILY_ID) *family =
                mnl_attr_get_u16(attribute);
        return MNL_CB_OK;
}

int ipvs_open(struct ipvs *k)
{
        char buffer[REQUEST_SIZE];
        int on = 1, error = 0;

        *k = (struct ipvs){.socket = mnl_socket_open2(NETLINK_GENERIC, SOCK_CLOEXEC)};
        if (!k->socket)
                return -errno;
        if (mnl_socket_bind(k->socket, 0, MNL_SOCKET_AUTOPID) == -1)
                error = -errno;
        if (!error) {
                /* best effort: an old kernel sends every refused request back, whole */
                mnl_socket_setsockopt(k->socket, NETLINK_CAP_ACK, &on, sizeof(on));
                k->port = mnl_socket_get_portid(k->socket);
                struct nlmsghdr *request = begin(k, buffer, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, NLM_F_ACK);
                mnl_attr_put_strz(request, CTRL_ATTR_FAMILY_NAME, IPVS_GENL_NAME);
                error = run(k, request, on_family, &k->family);
        }
        if (!error && !k->family)
                error = -ENOENT;
        if (error)
                ipvs_close(k);
        return error;
}

void ipvs_close(struct ipvs *k)
{
        if (k->socket)
                mnl_socket_close(k->socket);
        k->socket = NULL;
}

static int on_service(const struct nlmsghdr *message, void *user)
{
        struct table *t = user;
        struct virtual_service s;

        if (!service_get(message, &s))
                return MNL_CB_OK; /* of a family that we do not know */
        if (table_add(t, &s))
                return MNL_CB_OK;
        errno = ENOMEM;
        return MNL_CB_ERROR;
}

int ipvs_read_services(struct ipvs *k, struct table *ret_table)
{
        char buffer[REQUEST_SIZE];
        const struct virtual_service *twin;
        int error;

        *ret_table = (struct table){0};
        error = run(k, begin(k, buffer, k->family, IPVS_CMD_GET_SERVICE, NLM_F_DUMP), on_service, ret_table);
        if (!error && !table_sort(ret_table, &twin))
                error = -EINTR; /* changed while it was read */
        if (error)
                table_free(ret_table);
        return error;
}

static int on_server(const struct nlmsghdr *message, void *user)
{
        struct virtual_service *s = user;
        struct real_server r;

        if (!server_get(message, s->key.family, &r))
                return MNL_CB_OK;
        uint16_t port = r.port;
        if (service_add(s, &r) == 0) {
                s->server[s->count - 1].port = port; /* as it is, whatever we would make of it */
                return MNL_CB_OK;
        }
        errno = ENOMEM;
        return MNL_CB_ERROR;
}

int ipvs_read_servers(struct ipvs *k, struct virtual_service *s)
{
        char buffer[REQUEST_SIZE];
        struct nlmsghdr *request = begin(k, buffer, k->family, IPVS_CMD_GET_DEST, NLM_F_DUMP);
        int error;

        s->count = 0;
        service_put_key(request, &s->key);
        error = run(k, request, on_server, s);
        if (!error && !service_sort(s))
                error = -EINTR;
        if (error)
                s->count = 0;
        return error;
}

int ipvs_read(struct ipvs *k, struct table *ret_table)
{
        int error = ipvs_read_services(k, ret_table);

        for (size_t i = 0; i < ret_table->count && !error; i++)
                error = ipvs_read_servers(k, &ret_table->service[i]);
        if (error)
                table_free(ret_table);
        return error;
}

static uint8_t command_of(enum change_kind kind)
{
        static const uint8_t command[] = {
                [CHANGE_SERVICE_ADD] = IPVS_CMD_NEW_SERVICE, [CHANGE_SERVICE_SET] = IPVS_CMD_SET_SERVICE,
                [CHANGE_SERVER_ADD] = IPVS_CMD_NEW_DEST,     [CHANGE_SERVER_SET] = IPVS_CMD_SET_DEST,
                [CHANGE_SERVER_REMOVE] = IPVS_CMD_DEL_DEST,  [CHANGE_SERVICE_REMOVE] = IPVS_CMD_DEL_SERVICE,
        };

        return command[kind];
}

static void put_change(struct nlmsghdr *request, const struct change *c)
{
        switch (c->kind) {
        case CHANGE_SERVICE_ADD:
        case CHANGE_SERVICE_SET: service_put(request, c->service); break;
        case CHANGE_SERVICE_REMOVE: service_put_key(request, &c->service->key); break;
        case CHANGE_SERVER_ADD:
        case CHANGE_SERVER_SET:
                service_put_key(request, &c->service->key);
                server_put(request, c->server);
                break;
        case CHANGE_SERVER_REMOVE:
                service_put_key(request, &c->service->key);
                server_put_key(request, c->server);
                break;
        }
}

/* Begins what is sent last: a request for nothing but an answer. The kernel says nothing of a request that
 * ended in EINTR (netlink_rcv_skb), as the end of a sync daemon does that has not run yet; without this one
 * we would wait. */
static void put_end(struct ipvs *k, void *buffer)
{
        struct nlmsghdr *end = mnl_nlmsg_put_header(buffer);

        end->nlmsg_type = NLMSG_NOOP;
        end->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
        end->nlmsg_seq = ++k->sequence;
}

typedef void error_fn(void *user, size_t i, int error);

/* Sends requests whose numbers run from `first` on; the one after the `count`-th is the end. Tells which of
 * them were refused. */
static int exchange(struct ipvs *k, struct mnl_nlmsg_batch *batch, uint32_t first, size_t count,
                    error_fn *on_error, void *user)
{
        char reply[REPLY_SIZE];
        bool ended = false;

        if (mnl_socket_sendto(k->socket, mnl_nlmsg_batch_head(batch), mnl_nlmsg_batch_size(batch)) == -1)
                return -errno;
        while (!ended) {
                ssize_t size = mnl_socket_recvfrom(k->socket, reply, sizeof(reply));
                if (size == -1 && errno == EINTR)
                        continue;
                if (size == -1)
                        return -errno;
                int left = (int)size;
                for (const struct nlmsghdr *m = (void *)reply; mnl_nlmsg_ok(m, left);
                     m = mnl_nlmsg_next(m, &left)) {
                        const struct nlmsgerr *answer = mnl_nlmsg_get_payload(m);
                        uint32_t i = m->nlmsg_seq - first;
                        if (m->nlmsg_type != NLMSG_ERROR || i > count)
                                continue; /* left of an earlier request that was given up */
                        ended |= i == count;
                        if (i < count && answer->error)
                                on_error(user, i, answer->error);
                }
        }
        return 0;
}

struct portion {
        const struct change *change;
        ipvs_refused_fn *on_refused;
        void *user;
};

static void on_refusal(void *user, size_t i, int error)
{
        const struct portion *p = user;

        p->on_refused(p->user, &p->change[i], error);
}

/* All in one send; requests that the kernel takes are not answered. */
static int make_portion(struct ipvs *k, struct portion *p, size_t count)
{
        char requests[(PORTION + 1) * REQUEST_SIZE];
        struct mnl_nlmsg_batch *batch = mnl_nlmsg_batch_start(requests, sizeof(requests));
        uint32_t first = k->sequence + 1;

        if (!batch)
                return -ENOMEM;
        for (size_t i = 0; i < count; i++) {
                put_change(
                        begin(k, mnl_nlmsg_batch_current(batch), k->family, command_of(p->change[i].kind), 0),
                        &p->change[i]);
                mnl_nlmsg_batch_next(batch);
        }
        put_end(k, mnl_nlmsg_batch_current(batch));
        bool fits = mnl_nlmsg_batch_next(batch);
        assert(fits);
        int error = exchange(k, batch, first, count, on_refusal, p);
        mnl_nlmsg_batch_stop(batch);
        return error;
}

int ipvs_make(struct ipvs *k, const struct change *change, size_t count, ipvs_refused_fn *on_refused,
              void *user)
{
        int error = 0;

        for (size_t done = 0; done < count && !error; done += PORTION) {
                struct portion p = {.change = change + done, .on_refused = on_refused, .user = user};
                error = make_portion(k, &p, count - done < PORTION ? count - done : PORTION);
        }
        return error;
}

const char *ipvs_why(const struct change *c, int error, char text[static IPVS_WHY])
{
        bool service = c->kind == CHANGE_SERVICE_ADD || c->kind == CHANGE_SERVICE_SET;

        if (service && error == -ENOENT)
                snprintf(text, IPVS_WHY, "this kernel has no scheduler '%s' (module ip_vs_%s)",
                         c->service->scheduler, c->service->scheduler);
        else if (error == -EEXIST)
                snprintf(text, IPVS_WHY, "somebody else has added it meanwhile");
        else if (error == -ESRCH || error == -ENOENT)
                snprintf(text, IPVS_WHY, "somebody else has removed it meanwhile");
        else if (error == -EAFNOSUPPORT)
                snprintf(text, IPVS_WHY, "this kernel has no IPv6 in IPVS");
        else if (error == -EPERM)
                snprintf(text, IPVS_WHY, "not permitted: IPVS needs root (CAP_NET_ADMIN)");
        else
                snprintf(text, IPVS_WHY, "%s", strerror(-error));
        return text;
}

static int on_sync(const struct nlmsghdr *message, void *user)
{
        sync_get(message, user);
        return MNL_CB_OK;
}

int ipvs_sync_read(struct ipvs *k, struct sync_daemon ret_daemon[static 2])
{
        char buffer[REQUEST_SIZE];

        memset(ret_daemon, 0, 2 * sizeof(*ret_daemon));
        return run(k, begin(k, buffer, k->family, IPVS_CMD_GET_DAEMON, NLM_F_DUMP), on_sync, ret_daemon);
}

static void keep_error(void *user, size_t i, int error)
{
        *(int *)user = error;
}

static int order_sync(struct ipvs *k, uint8_t command, enum sync_role role, const struct sync_daemon *d)
{
        char requests[2 * REQUEST_SIZE];
        struct mnl_nlmsg_batch *batch = mnl_nlmsg_batch_start(requests, sizeof(requests));
        uint32_t first = k->sequence + 1;
        int refused = 0;

        if (!batch)
                return -ENOMEM;
        sync_put(begin(k, mnl_nlmsg_batch_current(batch), k->family, command, 0), role, d);
        mnl_nlmsg_batch_next(batch);
        put_end(k, mnl_nlmsg_batch_current(batch));
        mnl_nlmsg_batch_next(batch);
        int error = exchange(k, batch, first, 1, keep_error, &refused);
        mnl_nlmsg_batch_stop(batch);
        return error ? error : refused;
}

int ipvs_sync_start(struct ipvs *k, enum sync_role role, const struct sync_daemon *d)
{
        return order_sync(k, IPVS_CMD_NEW_DAEMON, role, d);
}

int ipvs_sync_stop(struct ipvs *k, enum sync_role role)
{
        return order_sync(k, IPVS_CMD_DEL_DAEMON, role, NULL);
}

static int on_info(const struct nlmsghdr *message, void *user)
{
        struct ipvs_info *info = user;
        const struct nlattr *a;

        mnl_attr_for_each(a, message, sizeof(struct genlmsghdr))
        {
                if (mnl_attr_get_type(a) == IPVS_INFO_ATTR_VERSION)
                        info->version = mnl_attr_get_u32(a);
                else if (mnl_attr_get_type(a) == IPVS_INFO_ATTR_CONN_TAB_SIZE)
                        info->connection_table_size = mnl_attr_get_u32(a);
        }
        return MNL_CB_OK;
}

int ipvs_info(struct ipvs *k, struct ipvs_info *ret_info)
{
        char buffer[REQUEST_SIZE];

        *ret_info = (struct ipvs_info){0};
        return run(k, begin(k, buffer, k->family, IPVS_CMD_GET_INFO, NLM_F_ACK), on_info, ret_info);
}

static int on_timeouts(const struct nlmsghdr *message, void *user)
{
        struct ipvs_timeouts *t = user;
        const struct nlattr *a;

        mnl_attr_for_each(a, message, sizeof(struct genlmsghdr))
        {
                if (mnl_attr_get_type(a) == IPVS_CMD_ATTR_TIMEOUT_TCP)
                        t->tcp_s = mnl_attr_get_u32(a);
                else if (mnl_attr_get_type(a) == IPVS_CMD_ATTR_TIMEOUT_TCP_FIN)
                        t->tcp_fin_s = mnl_attr_get_u32(a);
                else if (mnl_attr_get_type(a) == IPVS_CMD_ATTR_TIMEOUT_UDP)
                        t->udp_s = mnl_attr_get_u32(a);
        }
        return MNL_CB_OK;
}

int ipvs_timeouts_read(struct ipvs *k, struct ipvs_timeouts *ret_timeouts)
{
        char buffer[REQUEST_SIZE];

        *ret_timeouts = (struct ipvs_timeouts){0};
        return run(k, begin(k, buffer, k->family, IPVS_CMD_GET_CONFIG, NLM_F_ACK), on_timeouts, ret_timeouts);
}

int ipvs_timeouts_set(struct ipvs *k, const struct ipvs_timeouts *t)
{
        char buffer[REQUEST_SIZE];
        struct nlmsghdr *request = begin(k, buffer, k->family, IPVS_CMD_SET_CONFIG, NLM_F_ACK);

        mnl_attr_put_u32(request, IPVS_CMD_ATTR_TIMEOUT_TCP, t->tcp_s);
        mnl_attr_put_u32(request, IPVS_CMD_ATTR_TIMEOUT_TCP_FIN, t->tcp_fin_s);
        mnl_attr_put_u32(request, IPVS_CMD_ATTR_TIMEOUT_UDP, t->udp_s);
        return run(k, request, NULL, NULL);
}
