#include "monitor/kinds/redis_answer.h"

#include <string.h>

static bool decide(struct ending *e, enum reason reason, const char *said)
{
        e->reason = reason;
        ending_say(e, "%.120s", said);
        return true;
}

/* One line without its end. */
static bool on_line(struct redis_answer *a, const char *line, struct ending *e)
{
        if (a->login && strcmp(line, "+OK") == 0) {
                a->login = false;
                return false;
        }
        if (!a->login && strcmp(line, "+PONG") == 0)
                return decide(e, REASON_WORKS, "");
        if (line[0] == '-' &&
            (a->login || strncmp(line, "-NOAUTH", 7) == 0 || strncmp(line, "-NOPERM", 7) == 0))
                return decide(e, REASON_DENIED, line + 1);
        if (line[0] == '-')
                return decide(e, REASON_MISMATCH, line + 1);
        return decide(e, REASON_BAD_ANSWER, "it does not speak as Redis does");
}

bool redis_answer_read(struct redis_answer *a, const char *bytes, size_t n, struct ending *ret_ending)
{
        for (size_t i = 0; i < n; i++) {
                if (bytes[i] == '\0')
                        return decide(ret_ending, REASON_BAD_ANSWER, "it does not speak as Redis does");
                if (a->n == REDIS_LINE_MAX)
                        return decide(ret_ending, REASON_BAD_ANSWER, "a line without end");
                a->line[a->n++] = bytes[i];
                if (bytes[i] != '\n' || a->n < 2 || a->line[a->n - 2] != '\r')
                        continue;
                a->line[a->n - 2] = '\0';
                a->n = 0;
                if (on_line(a, a->line, ret_ending))
                        return true;
        }
        return false;
}
