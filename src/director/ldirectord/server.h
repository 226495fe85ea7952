/* server.h - the three forms in which ldirectord.cf names a place: a virtual service, a server, a
 * fallback. */
#pragma once

#include "director/ldirectord/ldirectord.h"

struct ldirectord_place {
        const struct ldirectord_lookup *lookup;
        sa_family_t family;
        uint8_t protocol;
        char *why; /* of WHY_SIZE: what is wrong */
};

#define WHY_SIZE 160

/* "ADDR:PORT", "HOST:PORT" or "MARK". The port's name stays a name, until the protocol is known. */
int ldirectord_virtual(const struct ldirectord_place *at, const char *text, struct ip *ret_ip,
                       char ret_port[static 32], uint32_t *ret_mark);
/* A number, or a name. */
int ldirectord_port(const struct ldirectord_place *at, const char *text, uint16_t *ret_port);
/* "ADDR[->ADDR2][:PORT] METHOD [WEIGHT] ["REQUEST", "RECEIVE"] [l:N] [u:N]" */
int ldirectord_real(const struct ldirectord_place *at, const char *text,
                    struct ldirectord_server *ret_server);
/* "HOST[:PORT] [METHOD]" */
int ldirectord_fallback(const struct ldirectord_place *at, const char *text, struct config_real *ret_real);
/* Whatever a request is, it begins with a '/'. */
char *ldirectord_request(const char *text, size_t n);
