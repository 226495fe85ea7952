#include "api/view.h"

#include <string.h>

const struct view_node *view_find_node(const struct view *v, const char *name)
{
        for (int i = 0; i < v->node_count; i++)
                if (strcmp(v->node[i].name, name) == 0)
                        return &v->node[i];
        return NULL;
}

const struct view_group *view_find_group(const struct view *v, const char *name)
{
        for (int i = 0; i < v->group_count; i++)
                if (strcmp(v->group[i].name, name) == 0)
                        return &v->group[i];
        return NULL;
}
