/* Values of the words that say where connections go. */
#include "config/words.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int endpoint_set(const struct word *w, const struct target *to, const char *text, char *why,
                        size_t size)
{
        struct config_real *r = FIELD(struct config_real, w, to);

        if (ip_parse_endpoint(text, &r->ip, &r->port) < 0) {
                snprintf(why, size,
                         "is no address with a port: write it as 10.0.0.11:80, or \"[fd00::2]:80\"");
                return -EINVAL;
        }
        return 0;
}

static void endpoint_put(const struct word *w, const struct target *from, struct texts *to)
{
        const struct config_real *r = FIELD(const struct config_real, w, from);
        char text[IP_TEXT];

        if (r->ip.family == 0)
                texts_add(to, "%s", "");
        else if (r->port == 0)
                texts_add(to, "%s", ip_format(&r->ip, text));
        else
                texts_add(to, r->ip.family == AF_INET6 ? "[%s]:%u" : "%s:%u", ip_format(&r->ip, text),
                          r->port);
}

const struct value_type type_endpoint = {"an address and port", endpoint_set, endpoint_put};
