#include "monitor/kinds/http_judge.h"

#include "monitor/kinds/pattern.h"
#include "monitor/kinds/status.h"

#include <stdio.h>
#include <string.h>

static void say_wanted(const struct status_ranges *good, struct ending *e)
{
        char text[SAID_TEXT] = "wanted";
        size_t n = strlen(text);

        for (size_t i = 0; i < good->count && n < sizeof(text); i++)
                n += (size_t)snprintf(text + n, sizeof(text) - n,
                                      good->range[i].from == good->range[i].to ? " %u" : " %u-%u",
                                      good->range[i].from, good->range[i].to);
        ending_say(e, "%s", text);
}

void http_judge(const struct check_http *check, int status, const char *body, size_t body_size,
                struct ending *ret_ending)
{
        if (!status_is_good(&check->status, status)) {
                ret_ending->reason = REASON_BAD_STATUS;
                ret_ending->detail = status;
                say_wanted(&check->status, ret_ending);
        } else if (check->expect != NULL &&
                   !pattern_matches(check->expect, body != NULL ? body : "", body_size)) {
                ret_ending->reason = REASON_MISMATCH;
                ending_say(ret_ending, "the first 64 KiB of the body do not match '%.128s'", check->expect);
        } else {
                ret_ending->reason = REASON_WORKS;
                ret_ending->detail = status;
        }
}
