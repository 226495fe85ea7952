/* checker_saved.c - the verdicts in a small JSON file, from one core to the next of the same boot. */
#include "monitor/checker_inside.h"

#include "base/file.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define SAVED_VERSION 1
#define BOOT_ID_TEXT  40

/* Instants count from the boot: of another one they mean nothing. */
static int read_boot_id(char text[static BOOT_ID_TEXT])
{
        ssize_t n = file_read("/proc/sys/kernel/random/boot_id", text, BOOT_ID_TEXT - 1);

        if (n < 0)
                return (int)n;
        text[n] = '\0';
        text[strcspn(text, "\n")] = '\0';
        return 0;
}

static json_t *check_to_json(const struct wanted *w)
{
        char identity[TARGET_TEXT], history[20];

        /* as text: JSON's integers are signed */
        snprintf(history, sizeof(history), "%llx", (unsigned long long)w->verdict.history);
        return json_pack("{s:I, s:s, s:s, s:I, s:s, s:i}", "id", (json_int_t)w->id, "target",
                         check_identity(&w->check, identity), "state", verdict_name(w->verdict.state),
                         "since_us", (json_int_t)w->verdict.since.us, "history", history, "known",
                         (int)w->verdict.known);
}

int checker_save(const struct checker *c, const char *path)
{
        char boot[BOOT_ID_TEXT];
        json_t *checks = json_array(), *root;
        struct wanted *w;
        char *text;
        int r = read_boot_id(boot);

        for (uint32_t id = 0; r == 0 && (w = table_next(&c->wanted, &id)) != NULL; id++)
                if (json_array_append_new(checks, check_to_json(w)) != 0)
                        r = -ENOMEM;
        if (r != 0) {
                json_decref(checks);
                return r;
        }
        root = json_pack("{s:i, s:s, s:o}", "version", SAVED_VERSION, "boot", boot, "checks", checks);
        text = root == NULL ? NULL : json_dumps(root, JSON_COMPACT);
        r = text == NULL ? -ENOMEM : file_replace(path, text, strlen(text), 0600);
        free(text);
        json_decref(root);
        return r;
}

void saved_free(struct checker *c)
{
        struct saved *saved;

        for (uint32_t id = 0; (saved = table_next(&c->saved, &id)) != NULL;) {
                table_take(&c->saved, id);
                free(saved->target);
                free(saved);
        }
        table_done(&c->saved);
}

static int verdict_from_json(json_t *entry, json_int_t *ret_id, struct verdict *v, const char **ret_target)
{
        const char *state, *history;
        json_int_t since;
        int known;
        char *end;

        if (json_unpack(entry, "{s:I, s:s, s:s, s:I, s:s, s:i}", "id", ret_id, "target", ret_target, "state",
                        &state, "since_us", &since, "history", &history, "known", &known) != 0)
                return -EBADMSG;
        *v = (struct verdict){.since = {since}, .known = (uint8_t)known};
        errno = 0;
        v->history = strtoull(history, &end, 16);
        if (errno != 0 || *end != '\0' || verdict_parse(state, &v->state) != 0)
                return -EBADMSG;
        if (known < 0 || known > VERDICT_RUN_MAX || since < 0 || !instant_reached(instant_now(), v->since) ||
            *ret_id < 0 || *ret_id >= UINT32_MAX)
                return -EBADMSG;
        return 0;
}

static int take_saved(struct checker *c, json_t *entry)
{
        struct saved *saved = calloc(1, sizeof(*saved));
        const char *target;
        json_int_t id;
        int r = -ENOMEM;

        if (saved == NULL)
                return r;
        r = verdict_from_json(entry, &id, &saved->verdict, &target);
        if (r == 0 && table_find(&c->saved, (uint32_t)id) != NULL)
                r = -EBADMSG;
        if (r == 0) {
                saved->target = strdup(target);
                r = saved->target == NULL ? -ENOMEM : table_put(&c->saved, (uint32_t)id, saved);
        }
        if (r != 0) {
                free(saved->target);
                free(saved);
        }
        return r;
}

static int take_all(struct checker *c, json_t *root)
{
        char boot[BOOT_ID_TEXT];
        const char *saved_boot;
        json_t *checks, *entry;
        int version = 0;
        size_t i;
        int r = read_boot_id(boot);

        if (r != 0)
                return r;
        if (json_unpack(root, "{s:i, s:s, s:o}", "version", &version, "boot", &saved_boot, "checks",
                        &checks) != 0 ||
            version != SAVED_VERSION || !json_is_array(checks))
                return -EBADMSG;
        if (strcmp(boot, saved_boot) != 0)
                return -ESTALE;
        json_array_foreach(checks, i, entry)
        {
                r = take_saved(c, entry);
                if (r != 0)
                        return r;
        }
        return 0;
}

int checker_load(struct checker *c, const char *path)
{
        json_error_t error;
        json_t *root;
        FILE *file = fopen(path, "re");
        int r;

        saved_free(c);
        if (file == NULL)
                return -errno;
        root = json_loadf(file, 0, &error);
        fclose(file);
        if (root == NULL)
                return -EBADMSG;
        r = take_all(c, root);
        json_decref(root);
        if (r != 0)
                saved_free(c);
        return r;
}
