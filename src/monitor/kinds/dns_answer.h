/* dns_answer.h - the records of one type in a DNS message (RFC 1035), as people write them. */
#pragma once

#include "config/check.h"

#include <stddef.h>
#include <stdint.h>

#define DNS_RECORDS_MAX 64
#define DNS_RECORD_TEXT 288

struct dns_answer {
        size_t count; /* no more than DNS_RECORDS_MAX are read */
        char text[DNS_RECORDS_MAX][DNS_RECORD_TEXT];
};

/* 0, or -EBADMSG for what is no DNS message. The bytes come from a stranger. */
int dns_answer_read(const uint8_t *bytes, size_t size, enum dns_type type, struct dns_answer *ret_answer);
/* The number of a type on the wire. */
int dns_type_number(enum dns_type type);
