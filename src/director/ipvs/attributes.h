/* attributes.h - tables as the attributes of IPVS' netlink messages, and back. For ipvs.c only. */
#pragma once

#include "director/ipvs/ipvs.h"

void service_put_key(struct nlmsghdr *request, const struct virtual_key *key);
void service_put(struct nlmsghdr *request, const struct virtual_service *s);
void server_put_key(struct nlmsghdr *request, const struct real_server *r);
void server_put(struct nlmsghdr *request, const struct real_server *r);
/* `d` NULL: only which of the two. */
void sync_put(struct nlmsghdr *request, enum sync_role role, const struct sync_daemon *d);

/* False: it holds none that we could show. */
bool service_get(const struct nlmsghdr *message, struct virtual_service *ret_service);
/* `family`: of an old kernel's server, which does not say its own. */
bool server_get(const struct nlmsghdr *message, sa_family_t family, struct real_server *ret_server);
/* Into the one of the two that it is about. */
void sync_get(const struct nlmsghdr *message, struct sync_daemon daemon[static 2]);
