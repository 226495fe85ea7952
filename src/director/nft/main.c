/* main.c - haven-nft TABLE WHAT: speaks to nftables for the core, one call each, since a transaction, a
 * listing or a walk through all connections takes the time it takes.
 *
 *   apply    makes the table so, all or nothing, as standard input says; then as look. Its first line is
 *            "nothing", "whole" or "changes", and whether to masquerade, 1 or 0; then comes the table that is
 *            wanted, and for changes the one that is there (wire.h)
 *   look     "digest HEX GENERATION": what is in the table, and when (digest.h); "none"
 *   counts   "NAME CONNECTIONS ACTIVE INACTIVE" for each server (name.h)
 *
 * What is wrong is said on standard output in one line, with exit status 1. */
#include "director/nft/connections.h"
#include "director/nft/digest.h"
#include "director/nft/text.h"
#include "director/nft/wire.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <nftables/libnftables.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FORGET      "forget "
#define COMMAND_MAX 512

struct forgotten {
        struct nft_connections *list;
        size_t count, room;
};

static int fail(const char *what, const char *why)
{
        printf("%s: %.*s\n", what, (int)strcspn(why, "\n"), why);
        return EXIT_FAILURE;
}

static int compare_names(const void *a, const void *b)
{
        return strcmp(((const struct nft_connections *)a)->name, ((const struct nft_connections *)b)->name);
}

/* "netlink: Error: ..." is all that is left of a place in text that nobody has seen. */
static int run(struct nft_ctx *nft, const char *text, const char *what)
{
        if (nft_run_cmd_from_buffer(nft, text) == 0)
                return 0;
        const char *why = nft_ctx_get_error_buffer(nft), *error = strstr(why, "Error: ");

        return fail(what, error ? error + strlen("Error: ") : why);
}

/* --- look --- */

static int look(const char *table)
{
        uint32_t generation;
        uint64_t digest;
        int error = nft_digest(table, &digest, &generation);

        if (error == -ENOENT)
                puts("none");
        else if (error)
                return fail("the table cannot be read", strerror(-error));
        else
                printf("digest %016" PRIx64 " %" PRIu32 "\n", digest, generation);
        return EXIT_SUCCESS;
}

/* --- apply --- */

static int put_commands(const struct nft_style *style, const char *how, FILE *to)
{
        struct table wanted = {0}, actual = {0};
        bool changes = strcmp(how, "changes") == 0;
        int error = nft_wire_get(stdin, &wanted);

        if (!error && changes)
                error = nft_wire_get(stdin, &actual);
        if (!error && changes)
                nft_put_changes(style, &wanted, &actual, to);
        else if (!error)
                nft_put_whole(style, &wanted, to);
        table_free(&wanted);
        table_free(&actual);
        return error;
}

/* NULL: the input makes no sense, or there is no memory. */
static char *commands(const char *table)
{
        struct nft_style style = {.table = table};
        unsigned masquerade = 0;
        char how[16], *text = NULL;
        size_t n = 0;
        FILE *to = open_memstream(&text, &n);
        int error = to && scanf("%15s %u\n", how, &masquerade) == 2 ? 0 : -EBADMSG;

        style.masquerade = masquerade != 0;
        if (!error && strcmp(how, "nothing") == 0)
                nft_put_nothing(&style, to);
        else if (!error)
                error = put_commands(&style, how, to);
        if (to && fclose(to) == EOF)
                error = -ENOMEM;
        if (!error)
                return text;
        free(text);
        return NULL;
}

/* Takes the lines that are ours out of the text. */
static bool take_forgotten(char *text, struct forgotten *f)
{
        char *to = text;

        for (char *line = text; *line;) {
                size_t n = strcspn(line, "\n"), whole = n + (line[n] == '\n');
                if (strncmp(line, FORGET, strlen(FORGET)) != 0) {
                        memmove(to, line, whole);
                        to += whole;
                } else {
                        if (f->count == f->room) {
                                f->room = 2 * f->room + 16;
                                f->list = reallocarray(f->list, f->room, sizeof(*f->list));
                                if (!f->list)
                                        return false;
                        }
                        struct nft_connections *c = &f->list[f->count++];
                        *c = (struct nft_connections){.forget = true};
                        snprintf(c->name, sizeof(c->name), "%.*s", (int)(n - strlen(FORGET)),
                                 line + strlen(FORGET));
                }
                line += whole;
        }
        *to = '\0';
        return true;
}

static int apply(struct nft_ctx *nft, const char *table)
{
        struct forgotten f = {0};
        char *text = commands(table);
        int error = text && take_forgotten(text, &f) ? 0 : fail("the table", "it cannot be understood");

        if (!error)
                error = run(nft, text, "nftables");
        free(text);
        if (!error && f.count) {
                qsort(f.list, f.count, sizeof(*f.list), compare_names);
                /* without conntrack there are none */
                (void)nft_connections_walk(f.list, f.count);
        }
        free(f.list);
        return error ? error : look(table);
}

/* --- counts --- */

/* The counters are what names the servers. */
static size_t take_counters(const json_t *all, const char *table, struct nft_connections *list,
                            unsigned long *made)
{
        const json_t *object, *counter;
        size_t i, count = 0;

        json_array_foreach(all, i, object)
        {
                counter = json_object_get(object, "counter");
                const char *in = json_string_value(json_object_get(counter, "table")),
                           *name = json_string_value(json_object_get(counter, "name"));
                if (!in || !name || strcmp(in, table) != 0)
                        continue;
                list[count] = (struct nft_connections){0};
                snprintf(list[count].name, sizeof(list[count].name), "%s", name);
                made[count++] = (unsigned long)json_integer_value(json_object_get(counter, "packets"));
        }
        return count;
}

static int tell_counts(const json_t *all, const char *table)
{
        size_t room = json_array_size(all) + 1;
        struct nft_connections *list = calloc(room, sizeof(*list)), *sorted = calloc(room, sizeof(*sorted));
        unsigned long *made = calloc(room, sizeof(*made));
        int error = list && sorted && made ? 0 : fail("the table", strerror(ENOMEM));

        if (!error) {
                size_t count = take_counters(all, table, list, made);
                memcpy(sorted, list, count * sizeof(*list));
                qsort(sorted, count, sizeof(*sorted), compare_names);
                (void)nft_connections_walk(sorted, count);
                for (size_t i = 0; i < count; i++) {
                        const struct nft_connections *c =
                                bsearch(&list[i], sorted, count, sizeof(*sorted), compare_names);
                        printf("%s %lu %lu %lu\n", c->name, made[i], c->active, c->inactive);
                }
        }
        free(list);
        free(sorted);
        free(made);
        return error;
}

static int tell(struct nft_ctx *nft, const char *table)
{
        json_t *all;

        nft_ctx_output_set_flags(nft, NFT_CTX_OUTPUT_JSON);
        int error = run(nft, "list counters", "the counters cannot be read");
        if (error)
                return error;
        all = json_loads(nft_ctx_get_output_buffer(nft), 0, NULL);
        error = tell_counts(json_object_get(all, "nftables"), table);
        json_decref(all);
        return error;
}

int main(int argc, char **argv)
{
        struct nft_ctx *nft = nft_ctx_new(NFT_CTX_DEFAULT);
        int status = EXIT_FAILURE;

        if (argc != 3 || !nft || nft_ctx_buffer_output(nft) != 0 || nft_ctx_buffer_error(nft) != 0)
                puts("usage: haven-nft TABLE apply|look|counts");
        else if (strcmp(argv[2], "apply") == 0)
                status = apply(nft, argv[1]);
        else if (strcmp(argv[2], "look") == 0)
                status = look(argv[1]);
        else if (strcmp(argv[2], "counts") == 0)
                status = tell(nft, argv[1]);
        if (nft)
                nft_ctx_free(nft);
        return status;
}
