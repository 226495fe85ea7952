/* http_judge.h - what an HTTP answer is worth to a check, however it was fetched. */
#pragma once

#include "monitor/probe.h"

#define HTTP_BODY_MAX    ((size_t)64 * 1024) /* of a body, that is read and matched */
#define HTTP_HEADERS_MAX ((size_t)64 * 1024) /* of all header lines together */

/* `body` ends with a NUL and may be NULL where nothing is expected of it, or nothing came. */
void http_judge(const struct check_http *check, int status, const char *body, size_t body_size,
                struct ending *ret_ending);
