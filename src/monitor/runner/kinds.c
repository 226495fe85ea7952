/* kinds.c - where the probe of each kind of check lives. */
#include "monitor/probe.h"
#include "monitor/runner/lookup.h"

#include "base/log.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>

static const struct {
        const struct probe_kind *here; /* NULL, or unsuited: in the object, under the name probe_KIND */
        const char *object;
} homes[CHECK_KINDS] = {
        [CHECK_TCP] = {.here = &probe_tcp},
        [CHECK_ICMP] = {.here = &probe_icmp},
        [CHECK_TLS] = {.object = "haven-check-tls.so"},
        [CHECK_DNS] = {.object = "haven-check-dns.so"},
        [CHECK_COMMAND] = {.here = &probe_command},
        [CHECK_FILE] = {.here = &probe_local},
        [CHECK_DISK] = {.here = &probe_local},
        [CHECK_LOAD] = {.here = &probe_local},
        [CHECK_PROCESS] = {.here = &probe_local},
        [CHECK_FTP] = {.object = "haven-check-curl.so"},
        [CHECK_SMTP] = {.object = "haven-check-curl.so"},
        [CHECK_IMAP] = {.object = "haven-check-curl.so"},
        [CHECK_POP3] = {.object = "haven-check-curl.so"},
        [CHECK_LDAP] = {.object = "haven-check-curl.so"},
        [CHECK_REDIS] = {.here = &probe_redis},
        [CHECK_POSTGRESQL] = {.here = &probe_local},
        [CHECK_MYSQL] = {.here = &probe_local},
        [CHECK_TRAP] = {.here = &probe_trap},
        [CHECK_SIP] = {.here = &probe_sip},
        [CHECK_RADIUS] = {.object = "haven-check-radius.so"},
#ifdef HAVE_HTTP_PARSER
        [CHECK_HTTP] = {.here = &probe_web, .object = "haven-check-curl.so"},
#else
        [CHECK_HTTP] = {.object = "haven-check-curl.so"},
#endif
};

int probe_kind_find_other(const struct config_check *check, const char *object_dir,
                          const struct probe_kind **ret_kind)
{
        enum check_kind kind = check->kind;
        static bool complained[CHECK_KINDS];
        char path[512], symbol[64];
        void *object;

        snprintf(path, sizeof(path), "%s/%s", object_dir, homes[kind].object);
        snprintf(symbol, sizeof(symbol), "probe_%s", check_kind_name(kind));
        object = dlopen(path, RTLD_NOW | RTLD_LOCAL); /* once loaded, the same again */
        *ret_kind = object == NULL ? NULL : dlsym(object, symbol);
        if (*ret_kind != NULL)
                return 0;
        if (!complained[kind])
                log_error("checker: no %s checks possible: %s", check_kind_name(kind), dlerror());
        complained[kind] = true;
        return -ELIBACC;
}

int probe_kind_find(const struct config_check *check, const char *object_dir,
                    const struct probe_kind **ret_kind)
{
        const struct probe_kind *here = homes[check->kind].here;

        if (here == NULL || (here->suits != NULL && !here->suits(check)))
                return probe_kind_find_other(check, object_dir, ret_kind);
        *ret_kind = here;
        return 0;
}

int lookup_kind_find(const char *object_dir, const struct lookup_kind **ret_kind)
{
        static bool complained;
        char path[512];
        void *object;

        snprintf(path, sizeof(path), "%s/haven-check-dns.so", object_dir);
        object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
        *ret_kind = object == NULL ? NULL : dlsym(object, "lookup_names");
        if (*ret_kind != NULL)
                return 0;
        if (!complained)
                log_error("checker: no names can be looked up: %s", dlerror());
        complained = true;
        return -ELIBACC;
}
