/* An ldirectord.cf of any bytes. Either the mistake is told, with words, or what was read is a plan whose
 * table is whole. */
#include "director/farm.h"
#include "director/ldirectord/ldirectord.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static int host(void *user, const char *name, sa_family_t family, struct ip *ret_ip)
{
        return name[0] == 'w' && family == AF_INET ? ip_parse("192.0.2.77", ret_ip) : -ENOENT;
}

static int port(void *user, const char *name, uint8_t protocol, uint16_t *ret_port)
{
        *ret_port = 80;
        return name[0] == 'h' ? 0 : -ENOENT;
}

static int append(void *user, const char *path)
{
        return strlen(path) % 2 ? 0 : -EACCES;
}

static void warn(void *user, int line, const char *text)
{
        assert(line >= 0 && text[0] != '\0');
}

static void try_plan(const struct plan *p)
{
        struct farm *farm = farm_new(p);
        instant now = {1000000};
        struct table table;

        assert(farm);
        for (size_t i = 0; i < p->check_count; i++)
                farm_hear(farm, i, i % 2 ? VERDICT_UP : VERDICT_DOWN, now);
        assert(farm_table(farm, now, &table) == 0);
        assert(table.count == p->service_count);
        table_free(&table);
        farm_free(farm);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        const struct ldirectord_lookup lookup = {.host = host, .port = port, .append = append, .warn = warn};
        struct ldirectord_mistake mistake = {0};
        struct ldirectord_file file;
        struct plan plan = {0};
        char *text = strndup((const char *)data, n);

        assert(text);
        int error = ldirectord_read(text, &lookup, &file, &mistake);
        if (!error)
                error = ldirectord_plan(&file, &lookup, &plan, &mistake);
        assert(error == 0 || (error == -EINVAL && mistake.line > 0 && mistake.text[0] != '\0'));
        if (!error)
                try_plan(&plan);
        plan_free(&plan);
        ldirectord_free(&file);
        free(text);
        return 0;
}
