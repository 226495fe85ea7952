/* The configuration in force, kept in the run directory. A core that follows one that died reads the file
 * anew, and the file may have lost a group meanwhile that runs here, or have another `everywhere` for it.
 * `haven reload` and `haven restart` refuse such a file; where nobody was asked, the next core goes on with
 * the configuration before it, which can name what it adopts and stop it. */
#include "core/core.h"

#include "base/file.h"
#include "base/log.h"
#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void on_mistake(void *user, const char *file, int line, const char *text)
{
        log_error("%s:%d: %s", file, line, text);
}

/* What is held has an owner; what runs without being held runs everywhere. */
static bool names(const struct config *c, struct ledger_group *g)
{
        for (size_t i = 0; i < c->group_count; i++)
                if (c->group[i].id == g->group)
                        return c->group[i].everywhere == (ledger_state(&g->state) == LEDGER_FREE);
        return false;
}

static bool names_what_runs(const struct config *c, struct ledger *l)
{
        for (size_t i = 0; i < GROUPS_MAX; i++)
                if (l->group[i].group && l->group[i].hold > HOLD_WARM && !names(c, &l->group[i]))
                        return false;
        return true;
}

void core_before_choose(struct core *core)
{
        struct ledger *l = core->inherited.ledger;
        char path[PATH_SIZE];

        if (l->core <= 1 || names_what_runs(core->config, l) ||
            path_join(core->options.run_dir, PATH_RUNNING, path) < 0)
                return;
        struct config *before = config_load(path, on_mistake, NULL);
        int self = before ? config_find_node(before, core->options.node) : -1;
        if (self < 0 || !names_what_runs(before, l)) {
                config_free(before);
                return; /* the file's it is: what it does not name, the supervisor ends with the lease */
        }
        text_copy(before->path, sizeof(before->path), core->config->path);
        config_free(core->config);
        core->config = before;
        core->self = self;
        core->file_refused = true;
}

void core_before_keep(struct core *core)
{
        char path[PATH_SIZE], *text = NULL;
        size_t n = 0;
        FILE *memory = open_memstream(&text, &n);
        int error = memory ? path_join(core->options.run_dir, PATH_RUNNING, path) : -ENOMEM;

        if (memory) {
                config_print(core->config, memory);
                fclose(memory);
        }
        if (!error)
                error = file_replace(path, text, n, 0600);
        if (error)
                log_warning("%s in %s: cannot be written: %s", PATH_RUNNING, core->options.run_dir,
                            strerror(-error));
        free(text);
}

void core_before_tell(struct core *core)
{
        char text[2 * PATH_SIZE];

        if (!core->file_refused)
                return;
        core->file_refused = false;
        snprintf(text, sizeof(text),
                 "%s does not name what runs here, or has another 'everywhere' for it -> the core goes on "
                 "with "
                 "the configuration before it; 'haven reload' says which group, 'haven stop' ends it",
                 core->config->path);
        core_tell(core, "config", "", ALERT_BLOCKED, text);
}
