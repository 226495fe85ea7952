/* sip_answer.h - reads the head of what a SIP server answers (RFC 3261 7.2). No socket, no allocation. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define SIP_HEAD_MAX 4096 /* an answer to OPTIONS has some hundred */
#define SIP_BRANCH   32

struct sip_answer {
        int status;      /* 100 to 699 */
        char phrase[64]; /* the words beside it */
        bool ours;       /* to the OPTIONS with that branch */
        size_t size;     /* of it all, body included */
};

/* 0; -EAGAIN: its head has not come whole; -EBADMSG: it is no answer of SIP. */
int sip_answer_read(const char *bytes, size_t n, const char *branch, struct sip_answer *ret_answer);
