#include "config/read.h"

#include "base/file.h"
#include "base/text.h"
#include "config/scan.h"
#include "config/words.h"

#include <assert.h>
#include <confuse.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* So that no slip takes all memory: a thousand virtual services of ten servers each have 650 KiB, and with
 * all their defaults, as config_print() writes them, 3.7 MiB. */
#define FILE_SIZE_MAX (8 * 1024 * 1024)
#define LEARNED_MAX   64
#define OPEN_MAX      (SCAN_DEPTH_MAX + 2)

/* A section's first, hidden option. Its default is read when the section opens, which is the only sign
 * libconfuse gives of that. Nobody can write this name: control characters are refused, and so are escapes.
 */
#define OPENED "\001"

/* What an unknown word turned out to be. */
enum shape { SHAPE_SETTING, SHAPE_SECTION, SHAPE_TITLED };

struct learned {
        char section[NAME_SIZE]; /* "root" at the top */
        char *word;
        enum shape shape;
};

/* One file being read. */
struct reading {
        struct tree *tree;
        int file;
        const char *text; /* without its comments */
        struct entry *root;
        int depth; /* of open sections, the root is the first */
        struct {
                const cfg_t *cfg;
                struct entry *entry;
        } open[OPEN_MAX];
        size_t learned_count;
        struct learned learned[LEARNED_MAX];
        bool again; /* a word was learned: worth another try */
        bool failed;
        int failed_line;
        char failure[512];
};

static struct reading *reading; /* libconfuse's callbacks carry no pointer of ours */

static const struct learned *find_learned(const char *section, const char *word)
{
        for (size_t i = 0; i < reading->learned_count; i++)
                if (strcmp(reading->learned[i].section, section) == 0 &&
                    strcmp(reading->learned[i].word, word) == 0)
                        return &reading->learned[i];
        return NULL;
}

static bool learn(const char *section, const char *word)
{
        struct learned *l = &reading->learned[reading->learned_count];

        if (reading->learned_count == LEARNED_MAX || find_learned(section, word) || strchr(word, '|'))
                return false;
        text_copy(l->section, sizeof(l->section), section);
        l->word = memory_text(word);
        l->shape = SHAPE_SETTING;
        reading->learned_count++;
        return true;
}

/* The word was not of shape `was` after all. */
static bool learn_more(const char *section, const char *word, enum shape was)
{
        struct learned *l = (struct learned *)find_learned(section, word);

        if (!l || l->shape != was)
                return false;
        l->shape = was + 1;
        return true;
}

/* The section's name in the table of words, which depends on where it stands. */
static const char *section_of(const cfg_t *cfg)
{
        const cfg_t *parent = reading->open[reading->depth - 1].cfg;

        for (int i = 1; i < reading->depth; i++)
                if (reading->open[i].cfg == cfg)
                        parent = reading->open[i - 1].cfg;
        return section_inside(parent->name, cfg->name);
}

static struct config_place here(const cfg_t *cfg)
{
        return (struct config_place){reading->file, cfg->line};
}

static struct entry *current(void)
{
        return reading->open[reading->depth - 1].entry;
}

/* parsecb of OPENED. */
static int on_open(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
        struct entry *e;

        *(const char **)result = value;
        if (reading->depth == OPEN_MAX)
                return -1;
        e = entry_new(cfg->name, cfg->title, here(cfg));
        e->section = true;
        if (find_learned(section_of(reading->open[reading->depth - 1].cfg), cfg->name)) {
                e->unknown = true;
                cfg->flags |= CFGF_IGNORE_UNKNOWN; /* one complaint about the whole section is enough */
        }
        entry_add(current(), e);
        reading->open[reading->depth].cfg = cfg;
        reading->open[reading->depth++].entry = e;
        return 0;
}

/* The last line from `least` to `most` that holds this word, or `most`. libconfuse tells the line it has come
 * to, which may be beyond. */
static int line_of_word(const char *word, int least, int most)
{
        size_t n = strlen(word);
        int line = 1, found = most;

        for (const char *c = reading->text; *c && line <= most; c++) {
                bool begins = c == reading->text || strchr(" \t\r\n{}=,\"", c[-1]);
                if (line >= least && begins && strncmp(c, word, n) == 0 && strchr(" \t\r\n{}=,\"", c[n]))
                        found = line;
                line += *c == '\n';
        }
        return found;
}

/* An empty list brings no callback; its option is found afterwards. */
static void note_empty_lists(const cfg_t *cfg, struct entry *e)
{
        for (cfg_opt_t *o = cfg->opts; o && o->name; o++) {
                if (o->type != CFGT_STR || !(o->flags & CFGF_MODIFIED) || o->nvalues > 0)
                        continue;
                struct config_place place = {e->place.file, line_of_word(o->name, e->place.line, cfg->line)};
                struct entry *empty = entry_new(o->name, NULL, place);
                empty->unknown = find_learned(section_of(cfg), o->name) != NULL;
                entry_add(e, empty);
        }
}

/* validcb of a section: it is closed. */
static int on_close(cfg_t *cfg, cfg_opt_t *opt)
{
        assert(reading->depth > 1);
        reading->depth--;
        note_empty_lists(reading->open[reading->depth].cfg, reading->open[reading->depth].entry);
        return 0;
}

/* parsecb of a setting, once for each of its values. */
static int on_value(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
        struct entry *parent = current();
        struct entry *e = parent->child_count ? parent->child[parent->child_count - 1] : NULL;

        *(const char **)result = value;
        if (opt->nvalues == 1 || !e || e->section || strcmp(e->word, opt->name) != 0) {
                e = entry_new(opt->name, NULL, here(cfg));
                e->unknown = find_learned(section_of(cfg), opt->name) != NULL;
                entry_add(parent, e);
        }
        entry_add_value(e, value, cfg->line);
        return 0;
}

static int on_include(cfg_t *cfg, cfg_opt_t *opt, int argc, const char **argv)
{
        struct entry *e = entry_new("include", NULL, here(cfg));

        for (int i = 0; i < argc; i++)
                entry_add_value(e, argv[i], cfg->line);
        entry_add(reading->root, e);
        return 0;
}

static void explain_token(const char *token, char *to, size_t size)
{
        if (strcmp(token, ",") == 0)
                snprintf(to, size, "unexpected ',': several values stand in braces, as in {a, b}");
        else if (strcmp(token, "=") == 0)
                snprintf(to, size,
                         "unexpected '=': the value before it is missing, or it is part of a value and that "
                         "needs quotes");
        else if (strcmp(token, "}") == 0 || strcmp(token, "{") == 0)
                snprintf(to, size, "unexpected '%s': the value before it is missing", token);
        else
                snprintf(to, size,
                         "unexpected '%s': values in a list are parted by commas, and a value with blanks "
                         "needs quotes",
                         token);
}

/* Says in our words what libconfuse found wrong with `what`. */
static void explain(const char *message, const char *section, const char *what)
{
        char *to = reading->failure;
        size_t size = sizeof(reading->failure);
        bool known = !find_learned(section, what);

        if (strcmp(what, "include") == 0) {
                snprintf(to, size, "include stands outside of all sections and is written include(\"FILE\")");
        } else if (!known) {
                reading->failed_line = line_of_word(what, reading->failed_line - 1, reading->failed_line);
                snprintf(
                        to, size,
                        "'%s' is unknown here, and so is what follows; a value of several words needs quotes",
                        what);
        } else if (strstr(message, "equal sign")) {
                snprintf(to, size, "%s is a setting and needs an '=': write %s = VALUE", what, what);
        } else if (strstr(message, "missing title")) {
                snprintf(to, size, "%s needs a name or kind: write %s NAME { ... }", what, what);
        } else if (strstr(message, "opening brace")) {
                snprintf(to, size,
                         "%s is a section, and here or before its '{' is missing: write %s NAME { ... }",
                         what, what);
        } else if (strstr(message, "unexpected token")) {
                explain_token(what, to, size);
        } else if (strstr(message, "premature end")) {
                snprintf(to, size, "the file ends in the middle of a setting");
        } else {
                snprintf(to, size, "what stands at '%s' cannot be read", what);
        }
}

static void on_error(cfg_t *cfg, const char *format, va_list args)
{
        bool has_word = strstr(format, "%s") != NULL;
        const char *word = has_word ? va_arg(args, const char *) : "";
        const char *section = section_of(cfg);

        if (reading->again || reading->failed)
                return;
        if (strcmp(format, "no such option '%s'") == 0)
                reading->again = learn(section, word);
        else if (strcmp(format, "missing equal sign after option '%s'") == 0)
                reading->again = learn_more(section, word, SHAPE_SETTING);
        else if (strcmp(format, "missing opening brace for section '%s'") == 0)
                reading->again = learn_more(section, word, SHAPE_SECTION);
        if (reading->again)
                return;
        reading->failed = true;
        reading->failed_line = cfg->line;
        explain(format, section, word);
}

static cfg_opt_t setting_option(const char *word)
{
        return (cfg_opt_t){
                .name = word, .type = CFGT_STR, .flags = CFGF_LIST | CFGF_NODEFAULT, .parsecb = on_value};
}

static cfg_opt_t opened_option(void)
{
        return (cfg_opt_t){.name = OPENED, .type = CFGT_STR, .def.parsed = (char *)"x", .parsecb = on_open};
}

static cfg_opt_t section_option(const char *word, bool titled, cfg_opt_t *inside)
{
        return (cfg_opt_t){.name = word,
                           .type = CFGT_SEC,
                           .flags = CFGF_MULTI | (titled ? CFGF_TITLE : 0),
                           .subopts = inside,
                           .validcb = on_close};
}

static void options_add(cfg_opt_t **options, size_t *count, cfg_opt_t o)
{
        *options = memory_grow(*options, *count + 2, sizeof(o));
        (*options)[(*count)++] = o;
        (*options)[*count] = (cfg_opt_t)CFG_END();
}

static cfg_opt_t *options_new(const char *section);

static void add_known(const char *section, cfg_opt_t **options, size_t *count)
{
        const char *names[WORDS_MAX];
        size_t n = words_of(section, names);

        for (size_t i = 0; i < n; i++)
                options_add(options, count, setting_option(names[i]));
        n = sections_of(section, names);
        for (size_t i = 0; i < n; i++)
                options_add(options, count,
                            section_option(names[i], section_has_title(names[i]),
                                           options_new(section_inside(section, names[i]))));
}

static void add_learned(const char *section, cfg_opt_t **options, size_t *count)
{
        for (size_t i = 0; i < reading->learned_count; i++) {
                const struct learned *l = &reading->learned[i];
                if (strcmp(l->section, section) != 0)
                        continue;
                if (l->shape == SHAPE_SETTING) {
                        options_add(options, count, setting_option(l->word));
                        continue;
                }
                cfg_opt_t *inside = NULL;
                size_t inside_count = 0;
                options_add(&inside, &inside_count, opened_option());
                options_add(options, count, section_option(l->word, l->shape == SHAPE_TITLED, inside));
        }
}

/* What libconfuse is to know of a section. */
static cfg_opt_t *options_new(const char *section)
{
        cfg_opt_t *options = NULL;
        size_t count = 0;

        if (strcmp(section, "root") == 0)
                options_add(&options, &count, (cfg_opt_t)CFG_FUNC("include", on_include));
        else
                options_add(&options, &count, opened_option());
        add_known(section, &options, &count);
        add_learned(section, &options, &count);
        return options;
}

static void options_free(cfg_opt_t *options)
{
        for (cfg_opt_t *o = options; o->name; o++)
                if (o->subopts)
                        options_free(o->subopts);
        free(options);
}

/* Reads it once, with what has been learned so far. */
static void parse_once(struct reading *r)
{
        cfg_opt_t *options = options_new("root");
        cfg_t *cfg = cfg_init(options, CFGF_NONE);

        assert(cfg);
        entry_free(r->root);
        r->root = entry_new("", NULL, (struct config_place){r->file, 1});
        r->again = r->failed = false;
        r->depth = 1;
        r->open[0].cfg = cfg;
        r->open[0].entry = r->root;
        cfg_set_error_function(cfg, on_error);
        if (cfg_parse_buf(cfg, r->text) != CFG_SUCCESS && !r->again && !r->failed) {
                r->failed = true;
                r->failed_line = cfg->line;
                snprintf(r->failure, sizeof(r->failure), "this cannot be read");
        }
        if (!r->again)
                note_empty_lists(cfg, r->root);
        cfg_free(cfg);
        options_free(options);
}

static void read_include(struct tree *t, const struct entry *e);

/* Moves what one file held into the tree, includes taking the place where they stand. */
static void keep(struct tree *t, struct entry *root)
{
        for (size_t i = 0; i < root->child_count; i++) {
                if (strcmp(root->child[i]->word, "include") == 0) {
                        read_include(t, root->child[i]);
                        entry_free(root->child[i]);
                } else {
                        entry_add(t->root, root->child[i]);
                }
        }
        root->child_count = 0;
        entry_free(root);
}

static void read_file_text(struct tree *t, int file, const char *text)
{
        char *copy = memory_text(text);
        struct reading r = {.tree = t, .file = file, .text = copy};

        if (scan(copy, t, file)) {
                reading = &r;
                do
                        parse_once(&r);
                while (r.again);
                reading = NULL;
        } else {
                t->cut_short = true;
        }
        free(copy);
        for (size_t i = 0; i < r.learned_count; i++)
                free(r.learned[i].word);
        if (r.failed) {
                tree_mistake(t, (struct config_place){file, r.failed_line}, "%s", r.failure);
                t->cut_short = true;
        }
        if (r.root)
                keep(t, r.root);
}

void read_text(struct tree *t, const char *name, const char *text)
{
        int file = tree_add_file(t, name);

        assert(file >= 0);
        read_file_text(t, file, text);
}

/* The whole file as text; NULL, and why, if it cannot be had. */
static char *load(const char *path, char *why, size_t why_size)
{
        struct stat st;
        char *text;
        ssize_t n;

        if (stat(path, &st) == -1) {
                snprintf(why, why_size, "%s", strerror(errno));
                return NULL;
        }
        if (!S_ISREG(st.st_mode)) {
                snprintf(why, why_size, "it is no regular file");
                return NULL;
        }
        if (st.st_size > FILE_SIZE_MAX) {
                snprintf(why, why_size, "it is larger than %d MiB", FILE_SIZE_MAX >> 20);
                return NULL;
        }
        text = memory_new((size_t)st.st_size + 1, 1);
        n = file_read(path, text, (size_t)st.st_size);
        if (n >= 0 && !memchr(text, '\0', (size_t)n))
                return text;
        snprintf(why, why_size, "%s",
                 n == -EFBIG ? "somebody is writing to it"
                 : n < 0     ? strerror((int)-n)
                             : "it holds a NUL byte and is not a text file");
        free(text);
        return NULL;
}

void read_path(struct tree *t, const char *path)
{
        char why[128];
        char *text = load(path, why, sizeof(why));

        if (text) {
                read_text(t, path, text);
                free(text);
                return;
        }
        tree_add_file(t, path);
        tree_mistake(t, (struct config_place){0}, "cannot read this file: %s", why);
        t->cut_short = true;
}

/* Resolves a relative path from where the including file lies. */
static void include_path(const char *from, const char *path, char *to, size_t size)
{
        const char *slash = strrchr(from, '/');

        if (path[0] == '/' || !slash)
                snprintf(to, size, "%s", path);
        else
                snprintf(to, size, "%.*s/%s", (int)(slash - from), from, path);
}

static bool is_same_file(const char *a, const char *b)
{
        struct stat x, y;

        if (strcmp(a, b) == 0)
                return true;
        return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static void read_include(struct tree *t, const struct entry *e)
{
        char path[PATH_MAX];
        char why[128];
        char *text;
        int file;

        if (e->value_count != 1) {
                tree_mistake(t, e->place, "include takes one file: include(\"/etc/haven/groups.conf\")");
                return;
        }
        include_path(t->file[e->place.file], e->value[0].text, path, sizeof(path));
        for (size_t i = 0; i < t->file_count; i++) {
                if (is_same_file(t->file[i], path)) {
                        tree_mistake(t, e->place, "%s is part of this configuration already: include it once",
                                     e->value[0].text);
                        return;
                }
        }
        text = load(path, why, sizeof(why));
        if (!text) {
                tree_mistake(t, e->place, "cannot include %s: %s", path, why);
                t->cut_short = true;
                return;
        }
        file = tree_add_file(t, path);
        if (file < 0)
                tree_mistake(t, e->place, "more than %d files", CONFIG_FILES_MAX);
        else
                read_file_text(t, file, text);
        free(text);
}
