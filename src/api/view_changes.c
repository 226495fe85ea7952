#include "api/view_text.h"

#include <string.h>

static const char *or_none(const char *text)
{
        return text[0] ? text : "none";
}

static int print_node_changes(const struct view_node *old, const struct view_node *now, FILE *to)
{
        int n = 0;

        if (!old || strcmp(old->state, now->state) != 0) {
                fprintf(to, "node %s: %s%s%s\n", now->name, now->state, now->text[0] ? ", " : "", now->text);
                n++;
        }
        for (int i = 0; i < now->link_count; i++) {
                if (old && i < old->link_count && strcmp(old->link[i].state, now->link[i].state) == 0)
                        continue;
                fprintf(to, "link to %s, %s: %s\n", now->name, now->link[i].name, now->link[i].state);
                n++;
        }
        return n;
}

static int print_group_changes(const struct view_group *old, const struct view_group *now, FILE *to)
{
        if (old && strcmp(old->state, now->state) == 0 && strcmp(old->node, now->node) == 0 &&
            strcmp(old->text, now->text) == 0)
                return 0;
        fprintf(to, "group %s: %s", now->name, now->state);
        if (now->node[0])
                fprintf(to, " on %s", now->node);
        fprintf(to, "%s%s\n", now->text[0] ? "; " : "", now->text);
        return 1;
}

int view_print_changes(const struct view *old, const struct view *now, FILE *to)
{
        int n = 0;

        if (strcmp(old->leader, now->leader) != 0) {
                fprintf(to, "leader: %s, term %u\n", or_none(now->leader), now->term);
                n++;
        }
        if (old->quorum_held != now->quorum_held) {
                fprintf(to, "quorum: %s\n", now->quorum_held ? "held" : "lost");
                n++;
        }
        if (old->maintenance != now->maintenance) {
                fprintf(to, "maintenance: %s\n", now->maintenance ? "on" : "off");
                n++;
        }
        for (int i = 0; i < now->node_count; i++)
                n += print_node_changes(view_find_node(old, now->node[i].name), &now->node[i], to);
        for (int i = 0; i < now->group_count; i++)
                n += print_group_changes(view_find_group(old, now->group[i].name), &now->group[i], to);
        return n;
}
