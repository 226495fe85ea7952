/* Values of the words that say by what nodes hear each other. */
#include "config/words.h"

#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const int bauds[] = {1200,  2400,   4800,   9600,   19200,  38400,
                            57600, 115200, 230400, 460800, 921600, 1000000};

static bool is_baud(int baud)
{
        for (size_t i = 0; i < COUNT(bauds); i++)
                if (bauds[i] == baud)
                        return true;
        return false;
}

/* "DEVICE [BAUD] [NODE]" */
static int serial_read(const char *text, struct config_serial *s, char *why, size_t size)
{
        char copy[128];
        char *rest = copy;

        *s = (struct config_serial){.baud = SERIAL_BAUD, .peer = -1};
        if (!text_copy(copy, sizeof(copy), text)) {
                snprintf(why, size, "is too long: write a device, its speed, and the node at the other end");
                return -EINVAL;
        }
        const char *device = strsep(&rest, " \t");
        if (device[0] != '/' || !text_copy(s->device, sizeof(s->device), device)) {
                snprintf(why, size, "does not begin with a device: write it as in \"/dev/ttyS0 115200\"");
                return -EINVAL;
        }
        for (const char *w; (w = strsep(&rest, " \t"));) {
                if (w[0] == '\0')
                        continue;
                if (s->peer_name[0] == '\0' && s->baud == SERIAL_BAUD && w[strspn(w, "0123456789")] == '\0') {
                        s->baud = atoi(w);
                } else if (s->peer_name[0] != '\0' || !text_is_name(w) ||
                           !text_copy(s->peer_name, sizeof(s->peer_name), w)) {
                        snprintf(why, size,
                                 "holds too much: after the device there may stand its speed and the node at "
                                 "the other end");
                        return -EINVAL;
                }
        }
        if (!is_baud(s->baud)) {
                snprintf(why, size,
                         "has a speed that lines do not have: 9600, 19200, 38400, 57600, 115200, ...");
                return -EINVAL;
        }
        return 0;
}

static int serials_set(const struct word *w, const struct target *to, const char *text, char *why,
                       size_t size)
{
        struct config_node *n = to->object;
        struct config_serial s;

        if (serial_read(text, &s, why, size) < 0)
                return -EINVAL;
        for (size_t i = 0; i < n->serial_count; i++)
                if (strcmp(n->serial[i].device, s.device) == 0) {
                        snprintf(why, size, "is named twice: one device is one line");
                        return -EINVAL;
                }
        if (n->serial_count == (size_t)w->most) {
                snprintf(why, size, "is one too many: there may be %lld", (long long)w->most);
                return -EINVAL;
        }
        n->serial[n->serial_count++] = s;
        return 0;
}

static void serials_put(const struct word *w, const struct target *from, struct texts *to)
{
        const struct config_node *n = from->object;

        for (size_t i = 0; i < n->serial_count; i++)
                texts_add(to, "%s %d%s%s", n->serial[i].device, n->serial[i].baud,
                          n->serial[i].peer_name[0] ? " " : "", n->serial[i].peer_name);
}

const struct value_type type_serials = {"serial lines", serials_set, serials_put};

/* "ADDRESS/BITS": what all in the network listen to follows from it. */
static int broadcasts_set(const struct word *w, const struct target *to, const char *text, char *why,
                          size_t size)
{
        struct config_node *n = to->object;
        struct ip ip;
        uint8_t bits;

        if (!strchr(text, '/') || ip_parse_prefix(text, &ip, &bits) < 0 || ip.family != AF_INET ||
            bits == 0 || bits > 30) {
                snprintf(why, size,
                         "is no IPv4 address of this machine with its prefix: write it as in 192.168.7.1/24");
                return -EINVAL;
        }
        if (n->broadcast_count == (size_t)w->most) {
                snprintf(why, size, "is one too many: there may be %lld", (long long)w->most);
                return -EINVAL;
        }
        n->broadcast_bits[n->broadcast_count] = bits;
        n->broadcast[n->broadcast_count++] = ip;
        return 0;
}

static void broadcasts_put(const struct word *w, const struct target *from, struct texts *to)
{
        const struct config_node *n = from->object;
        char text[IP_TEXT];

        for (size_t i = 0; i < n->broadcast_count; i++)
                texts_add(to, "%s/%u", ip_format(&n->broadcast[i], text), n->broadcast_bits[i]);
}

const struct value_type type_broadcasts = {"addresses with their prefix", broadcasts_set, broadcasts_put};

static int hops_set(const struct word *w, const struct target *to, const char *text, char *why, size_t size)
{
        return type_int.set(w, to, text, why, size);
}

/* Means nothing where nothing is multicast, and is not written there. */
static void hops_put(const struct word *w, const struct target *from, struct texts *to)
{
        for (size_t i = 0; i < from->config->node_count; i++)
                if (from->config->node[i].multicast_count) {
                        type_int.put(w, from, to);
                        return;
                }
}

const struct value_type type_hops = {"a number", hops_set, hops_put};
