/* radius_packet.h - a RADIUS question and its answers (RFC 2865): a login by user and password (PAP), signed
 * by a secret that both sides know. No socket, no allocation. */
#pragma once

#include "config/check.h"

#include <stddef.h>
#include <stdint.h>

#define RADIUS_PACKET_MAX 4096 /* RFC 2865 3 */
#define RADIUS_SIGNATURE  16
#define RADIUS_SAID       128

struct radius_request {
        uint8_t authenticator[RADIUS_SIGNATURE]; /* random, of the caller */
        uint8_t id;                              /* likewise */
        size_t n;
        uint8_t bytes[RADIUS_PACKET_MAX];
};

enum radius_answer {
        RADIUS_ACCEPT,
        RADIUS_REJECT,
        RADIUS_CHALLENGE, /* it wants more than a password */
        RADIUS_UNSIGNED,  /* to this question, but not by this secret */
        RADIUS_FOREIGN,   /* no answer to it, or none at all */
};

/* Its bytes. 0, or -ENOTSUP: this machine has no MD5. */
int radius_request_write(struct radius_request *r, const struct check_radius *check);
/* `said` is what the server has to say to the user, if anything. */
enum radius_answer radius_answer_read(const struct radius_request *r, const char *secret,
                                      const uint8_t *bytes, size_t n, char said[static RADIUS_SAID]);
