#include "api/request.h"

#include "base/text.h"

#include <assert.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

/* what a request may name; bits */
enum part {
        PART_GROUP = 1U << 0,
        PART_NODE = 1U << 1,
        PART_FOR = 1U << 2,
        PART_TEXT = 1U << 3,
        PART_ON = 1U << 4,
        PART_FOLLOW = 1U << 5,
        PART_COUNT = 1U << 6,
        PART_AFTER = 1U << 7,
        PART_ABOUT = 1U << 8,
        PART_WHO = 1U << 9,
        PART_SERVER = 1U << 10,
};

static const char *const part_names[] = {"group", "node",  "for",   "text", "on",    "follow",
                                         "count", "after", "about", "who",  "server"};

static const struct {
        const char *name;
        unsigned must;
        unsigned may;
} kinds[] = {
        [REQUEST_STATUS] = {"status", 0, 0},
        [REQUEST_WATCH] = {"watch", 0, 0},
        [REQUEST_EVENTS] = {"events", 0, PART_FOLLOW | PART_COUNT | PART_AFTER},
        [REQUEST_EXPLAIN] = {"explain", PART_GROUP, 0},
        [REQUEST_MOVE] = {"move", PART_GROUP, PART_NODE},
        [REQUEST_STOP] = {"stop", PART_GROUP, 0},
        [REQUEST_START] = {"start", PART_GROUP, 0},
        [REQUEST_CLEAR] = {"clear", PART_GROUP, 0},
        [REQUEST_STANDBY] = {"standby", PART_NODE, PART_FOR},
        [REQUEST_ONLINE] = {"online", PART_NODE, 0},
        [REQUEST_MAINTENANCE] = {"maintenance", PART_ON, PART_FOR | PART_TEXT},
        [REQUEST_RELOAD] = {"reload", 0, PART_FOR},
        [REQUEST_CONFIRM] = {"confirm", 0, 0},
        [REQUEST_FENCE] = {"fence", PART_NODE, PART_TEXT},
        [REQUEST_CONFIRM_OFF] = {"confirm-off", PART_NODE, PART_TEXT},
        [REQUEST_RESTART] = {"restart", 0, 0},
        [REQUEST_ACK] = {"ack", PART_ABOUT, PART_TEXT | PART_WHO},
        [REQUEST_SILENCE] = {"silence", PART_ABOUT | PART_FOR, PART_TEXT | PART_WHO},
        [REQUEST_DISABLE] = {"disable", PART_ABOUT, PART_TEXT | PART_WHO},
        [REQUEST_ENABLE] = {"enable", PART_ABOUT, PART_WHO},
        [REQUEST_CHECKS] = {"checks", 0, 0},
        [REQUEST_LVS] = {"lvs", 0, 0},
        [REQUEST_DRAIN] = {"drain", PART_SERVER, 0},
        [REQUEST_UNDRAIN] = {"undrain", PART_SERVER, 0},
};

static int find_kind(const char *name)
{
        for (size_t i = 0; i < COUNT(kinds); i++)
                if (strcmp(kinds[i].name, name) == 0)
                        return (int)i;
        return -1;
}

static int find_part(const char *name)
{
        for (size_t i = 0; i < COUNT(part_names); i++)
                if (strcmp(part_names[i], name) == 0)
                        return (int)i;
        return -1;
}

/* NULL, or what would have been right. */
static const char *take_name(const json_t *value, char name[NAME_SIZE])
{
        const char *text = json_string_value(value);

        if (!text || !text_is_name(text) || !text_copy(name, NAME_SIZE, text))
                return "a name of up to 31 letters, digits, '.', '_' and '-'";
        return NULL;
}

static const char *take_span(const json_t *value, span *lasts)
{
        const char *text = json_string_value(value);

        if (!text || span_parse(text, lasts) != 0 || lasts->us <= 0)
                return "a duration such as \"90s\", \"20m\" or \"2h\"";
        return NULL;
}

static const char *take_text(const json_t *value, char *text, size_t size)
{
        const char *string = json_string_value(value);

        return string && text_copy(text, size, string) ? NULL : "a text of up to 63 bytes";
}

static const char *take_about(const json_t *value, char *text, size_t size)
{
        const char *string = json_string_value(value);

        return string && string[0] && text_copy(text, size, string)
                       ? NULL
                       : "something watched: WATCH, WATCH:SERVICE, WATCH:SERVICE@HOST or @HOST";
}

static const char *take_who(const json_t *value, char *text, size_t size)
{
        const char *string = json_string_value(value);

        return string && text_copy(text, size, string) ? NULL : "a name of up to 31 bytes";
}

static const char *take_bool(const json_t *value, bool *ret_bool)
{
        *ret_bool = json_is_true(value);
        return json_is_boolean(value) ? NULL : "true or false";
}

static const char *take_count(const json_t *value, int *count)
{
        json_int_t n = json_integer_value(value);

        if (!json_is_integer(value) || n < 0 || n > 1000)
                return "a number from 0 to 1000";
        *count = (int)n;
        return NULL;
}

static const char *take_after(const json_t *value, uint64_t *after)
{
        json_int_t n = json_integer_value(value);

        if (!json_is_integer(value) || n < 0)
                return "an event's number";
        *after = (uint64_t)n;
        return NULL;
}

static const char *take(enum part part, const json_t *value, struct request *r)
{
        switch (part) {
        case PART_GROUP: return take_name(value, r->group);
        case PART_NODE: return take_name(value, r->node);
        case PART_FOR: return take_span(value, &r->lasts);
        case PART_TEXT: return take_text(value, r->text, sizeof(r->text));
        case PART_ON: return take_bool(value, &r->on);
        case PART_FOLLOW: return take_bool(value, &r->follow);
        case PART_COUNT: return take_count(value, &r->count);
        case PART_AFTER: return take_after(value, &r->after);
        case PART_ABOUT: return take_about(value, r->about, sizeof(r->about));
        case PART_WHO: return take_who(value, r->who, sizeof(r->who));
        case PART_SERVER: return take_text(value, r->server, sizeof(r->server));
        }
        assert(!"a part of a request");
        return NULL;
}

static int take_parts(json_t *json, struct request *r, char *error)
{
        unsigned seen = 0;
        const char *key, *right;
        json_t *value;

        json_object_foreach(json, key, value)
        {
                if (strcmp(key, "command") == 0)
                        continue;
                int i = find_part(key);
                unsigned bit = i == -1 ? 0 : 1U << i;
                if (!(bit & (kinds[r->kind].must | kinds[r->kind].may))) {
                        snprintf(error, REQUEST_ERROR_SIZE, "%s takes no member '%.40s'", kinds[r->kind].name,
                                 key);
                        return -EINVAL;
                }
                right = take((enum part)bit, value, r);
                if (right) {
                        snprintf(error, REQUEST_ERROR_SIZE, "the member '%s' of %s must be %s", key,
                                 kinds[r->kind].name, right);
                        return -EINVAL;
                }
                seen |= bit;
        }
        for (size_t i = 0; i < COUNT(part_names); i++) {
                if (!(kinds[r->kind].must & ~seen & 1U << i))
                        continue;
                snprintf(error, REQUEST_ERROR_SIZE, "%s needs the member '%s'", kinds[r->kind].name,
                         part_names[i]);
                return -EINVAL;
        }
        return 0;
}

int request_parse(const char *line, size_t n, struct request *ret_request, char error[REQUEST_ERROR_SIZE])
{
        struct request r = {.count = REQUEST_EVENTS_DEFAULT};
        json_error_t why;
        json_t *json = json_loadb(line, n, JSON_REJECT_DUPLICATES, &why);
        int result = -EINVAL;

        const char *name = json_string_value(json_object_get(json, "command"));
        int kind = name ? find_kind(name) : -1;
        if (!json) {
                snprintf(error, REQUEST_ERROR_SIZE, "this is not JSON: %s at column %d", why.text,
                         why.column);
        } else if (!name) {
                snprintf(error, REQUEST_ERROR_SIZE,
                         "a request is an object with a member 'command', such as {\"command\": \"status\"}");
        } else if (kind == -1) {
                snprintf(error, REQUEST_ERROR_SIZE,
                         "unknown command '%.40s'; this havend knows: status watch "
                         "events explain move stop start clear standby online maintenance reload confirm "
                         "fence confirm-off restart ack silence disable enable checks lvs drain undrain",
                         name);
        } else {
                r.kind = (enum request_kind)kind;
                result = take_parts(json, &r, error);
        }
        json_decref(json);
        if (!result)
                *ret_request = r;
        return result;
}
