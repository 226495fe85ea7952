#include "config/tree.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void *memory_new(size_t count, size_t size)
{
        void *p = calloc(count ? count : 1, size);

        assert(p);
        return p;
}

void *memory_grow(void *array, size_t count, size_t size)
{
        void *p = reallocarray(array, count, size);

        assert(p);
        return p;
}

char *memory_text(const char *text)
{
        char *p = strdup(text);

        assert(p);
        return p;
}

void tree_init(struct tree *t)
{
        *t = (struct tree){.root = entry_new("", NULL, (struct config_place){0})};
}

void tree_done(struct tree *t)
{
        entry_free(t->root);
        for (size_t i = 0; i < t->file_count; i++)
                free(t->file[i]);
        for (size_t i = 0; i < t->mistake_count; i++)
                free(t->mistake[i].text);
        free(t->mistake);
        *t = (struct tree){0};
}

int tree_add_file(struct tree *t, const char *name)
{
        if (t->file_count == CONFIG_FILES_MAX)
                return -1;
        t->file[t->file_count] = memory_text(name);
        return (int)t->file_count++;
}

void tree_mistake(struct tree *t, struct config_place where, const char *format, ...)
{
        struct mistake *m;
        va_list args;

        t->mistake = memory_grow(t->mistake, t->mistake_count + 1, sizeof(*t->mistake));
        m = &t->mistake[t->mistake_count];
        *m = (struct mistake){.place = where, .order = t->mistake_count};
        va_start(args, format);
        int n = vasprintf(&m->text, format, args);
        va_end(args);
        assert(n != -1);
        t->mistake_count++;
}

const char *tree_place(const struct tree *t, int from, struct config_place where,
                       char text[static PLACE_TEXT])
{
        bool elsewhere = where.file != from;

        snprintf(text, PLACE_TEXT, "line %d%s%s", where.line, elsewhere ? " of " : "",
                 elsewhere ? t->file[where.file] : "");
        return text;
}

static int compare_mistakes(const void *a, const void *b)
{
        const struct mistake *x = a, *y = b;

        if (x->place.file != y->place.file)
                return x->place.file < y->place.file ? -1 : 1;
        if (x->place.line != y->place.line)
                return x->place.line < y->place.line ? -1 : 1;
        return x->order < y->order ? -1 : 1;
}

void tree_report(struct tree *t, config_mistake_fn *on_mistake, void *user)
{
        if (t->mistake_count > 1)
                qsort(t->mistake, t->mistake_count, sizeof(*t->mistake), compare_mistakes);
        for (size_t i = 0; i < t->mistake_count; i++)
                on_mistake(user, t->file[t->mistake[i].place.file], t->mistake[i].place.line,
                           t->mistake[i].text);
}

struct entry *entry_new(const char *word, const char *title, struct config_place where)
{
        struct entry *e = memory_new(1, sizeof(*e));

        e->word = memory_text(word);
        e->title = title ? memory_text(title) : NULL;
        e->place = where;
        return e;
}

void entry_free(struct entry *e)
{
        if (!e)
                return;
        for (size_t i = 0; i < e->value_count; i++)
                free(e->value[i].text);
        for (size_t i = 0; i < e->child_count; i++)
                entry_free(e->child[i]);
        free(e->value);
        free(e->child);
        free(e->word);
        free(e->title);
        free(e);
}

void entry_add(struct entry *parent, struct entry *child)
{
        parent->child = memory_grow(parent->child, parent->child_count + 1, sizeof(struct entry *));
        parent->child[parent->child_count++] = child;
}

void entry_add_value(struct entry *e, const char *text, int line)
{
        e->value = memory_grow(e->value, e->value_count + 1, sizeof(*e->value));
        e->value[e->value_count++] = (struct value){.text = memory_text(text), .line = line};
}

const struct entry *entry_find(const struct entry *e, const char *word)
{
        for (size_t i = 0; i < e->child_count; i++)
                if (strcmp(e->child[i]->word, word) == 0)
                        return e->child[i];
        return NULL;
}

size_t entry_count(const struct entry *e, const char *word)
{
        size_t n = 0;

        for (size_t i = 0; i < e->child_count; i++)
                n += strcmp(e->child[i]->word, word) == 0;
        return n;
}
