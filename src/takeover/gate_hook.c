#include "takeover/gate_hook.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>

/* First of all filters: one before us that says "accept" would pass what we must drop. */
#define PRIORITY 1

/* The lowest bit of a handle: the clsact is ours. */
#define OTHERS_CLSACT 0U
#define OUR_CLSACT    1U

static const char *const names[GATE_WAYS] = {[GATE_IN] = "haven_gate_in", [GATE_OUT] = "haven_gate_out"};

static uint32_t parent_of(enum gate_way way)
{
        return TC_H_MAKE(TC_H_CLSACT, way == GATE_IN ? TC_H_MIN_INGRESS : TC_H_MIN_EGRESS);
}

static uint32_t handle_of(uint32_t instance, uint32_t whose)
{
        uint32_t handle = (instance & ~1U) | whose;

        return handle > 1 ? handle : 2 | whose; /* 0 asks the kernel to choose one */
}

static struct nlmsghdr *begin(struct netlink *n, void *buffer, uint16_t type, uint16_t flags,
                              const struct tcmsg *place)
{
        struct nlmsghdr *request = netlink_begin(n, buffer, type, (uint16_t)(NLM_F_ACK | flags));
        struct tcmsg *head = mnl_nlmsg_put_extra_header(request, sizeof(*head));

        *head = *place;
        return request;
}

static int clsact_request(struct netlink *n, uint16_t type, uint16_t flags, unsigned ifindex)
{
        const struct tcmsg place = {.tcm_ifindex = (int)ifindex,
                                    .tcm_parent = TC_H_CLSACT,
                                    .tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0)};
        char buffer[NETLINK_REQUEST_SIZE];
        struct nlmsghdr *request = begin(n, buffer, type, flags, &place);

        mnl_attr_put_strz(request, TCA_KIND, "clsact");
        return netlink_run(n, request, NULL, NULL);
}

static struct tcmsg filter_place(unsigned ifindex, enum gate_way way, uint32_t handle)
{
        return (struct tcmsg){.tcm_ifindex = (int)ifindex,
                              .tcm_parent = parent_of(way),
                              .tcm_handle = handle,
                              .tcm_info = TC_H_MAKE(PRIORITY << 16, htons(ETH_P_ALL))};
}

static int filter_set(struct netlink *n, unsigned ifindex, enum gate_way way, uint32_t handle, int program)
{
        const struct tcmsg place = filter_place(ifindex, way, handle);
        char buffer[NETLINK_REQUEST_SIZE];
        struct nlmsghdr *request = begin(n, buffer, RTM_NEWTFILTER, NLM_F_CREATE, &place);

        mnl_attr_put_strz(request, TCA_KIND, "bpf");
        struct nlattr *options = mnl_attr_nest_start(request, TCA_OPTIONS);
        mnl_attr_put_u32(request, TCA_BPF_FD, (uint32_t)program);
        mnl_attr_put_strz(request, TCA_BPF_NAME, names[way]);
        mnl_attr_put_u32(request, TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT);
        mnl_attr_nest_end(request, options);
        return netlink_run(n, request, NULL, NULL);
}

static int on_filter(const struct nlmsghdr *message, void *user)
{
        const struct nlattr *attribute, *option;
        uint32_t *id = user;

        if (message->nlmsg_type != RTM_NEWTFILTER)
                return MNL_CB_OK;
        mnl_attr_for_each(attribute, message, sizeof(struct tcmsg))
        {
                if (mnl_attr_get_type(attribute) != TCA_OPTIONS)
                        continue;
                mnl_attr_for_each_nested(option, attribute)
                {
                        if (mnl_attr_get_type(option) == TCA_BPF_ID &&
                            mnl_attr_validate(option, MNL_TYPE_U32) == 0)
                                *id = mnl_attr_get_u32(option);
                }
        }
        return MNL_CB_OK;
}

static int filter_get(struct netlink *n, unsigned ifindex, enum gate_way way, uint32_t handle,
                      uint32_t *ret_id)
{
        const struct tcmsg place = filter_place(ifindex, way, handle);
        char buffer[NETLINK_REQUEST_SIZE];
        struct nlmsghdr *request = begin(n, buffer, RTM_GETTFILTER, 0, &place);

        *ret_id = 0;
        mnl_attr_put_strz(request, TCA_KIND, "bpf");
        int r = netlink_run(n, request, on_filter, ret_id);
        return r < 0 || *ret_id == 0 ? -ENOENT : 0;
}

int gate_hook_find(struct netlink *n, unsigned ifindex, uint32_t instance, enum gate_way way,
                   uint32_t *ret_id)
{
        int r = filter_get(n, ifindex, way, handle_of(instance, OUR_CLSACT), ret_id);

        return r == 0 ? 0 : filter_get(n, ifindex, way, handle_of(instance, OTHERS_CLSACT), ret_id);
}

int gate_hook_hang(struct netlink *n, unsigned ifindex, uint32_t instance,
                   const int program[static GATE_WAYS])
{
        uint32_t whose = OUR_CLSACT, id;
        int r = clsact_request(n, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, ifindex);

        if (r == -EEXIST) {
                /* "change it in no way": refused for another kind than the one that is there */
                r = clsact_request(n, RTM_NEWQDISC, NLM_F_CREATE, ifindex);
                if (r == -EINVAL)
                        return -EMEDIUMTYPE;
                if (filter_get(n, ifindex, GATE_IN, handle_of(instance, OUR_CLSACT), &id) < 0)
                        whose = OTHERS_CLSACT;
        }
        for (enum gate_way way = 0; r == 0 && way < GATE_WAYS; way++)
                r = filter_set(n, ifindex, way, handle_of(instance, whose), program[way]);
        return r;
}

static int count_filters(const struct nlmsghdr *message, void *user)
{
        unsigned *count = user;

        *count += message->nlmsg_type == RTM_NEWTFILTER;
        return MNL_CB_OK;
}

static bool is_empty(struct netlink *n, unsigned ifindex)
{
        unsigned count = 0;
        int r = 0;

        for (enum gate_way way = 0; r == 0 && way < GATE_WAYS; way++) {
                const struct tcmsg place = {.tcm_ifindex = (int)ifindex, .tcm_parent = parent_of(way)};
                char buffer[NETLINK_REQUEST_SIZE];
                struct nlmsghdr *request = begin(n, buffer, RTM_GETTFILTER, NLM_F_DUMP, &place);
                r = netlink_run(n, request, count_filters, &count);
        }
        return r == 0 && count == 0;
}

int gate_hook_take_off(struct netlink *n, unsigned ifindex, uint32_t instance)
{
        int result = 0;

        for (uint32_t whose = OTHERS_CLSACT; whose <= OUR_CLSACT; whose++) {
                bool was_there = false;
                for (enum gate_way way = 0; way < GATE_WAYS; way++) {
                        uint32_t id, handle = handle_of(instance, whose);
                        const struct tcmsg place = filter_place(ifindex, way, handle);
                        char buffer[NETLINK_REQUEST_SIZE];
                        if (filter_get(n, ifindex, way, handle, &id) < 0)
                                continue;
                        was_there = true;
                        struct nlmsghdr *request = begin(n, buffer, RTM_DELTFILTER, 0, &place);
                        mnl_attr_put_strz(request, TCA_KIND, "bpf");
                        int r = netlink_run(n, request, NULL, NULL);
                        if (r < 0)
                                result = r;
                }
                if (was_there && whose == OUR_CLSACT && is_empty(n, ifindex))
                        clsact_request(n, RTM_DELQDISC, 0, ifindex); /* empty, it harms nobody */
        }
        return result;
}
