#include "director/ipvs/sync.h"

#include "base/log.h"
#include "director/director_inside.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void set_sysctl(const char *name, const char *value)
{
        char path[96];

        snprintf(path, sizeof(path), "/proc/sys/net/ipv4/vs/%s", name);
        FILE *file = fopen(path, "we");
        if (!file || fputs(value, file) == EOF || fclose(file) == EOF)
                log_warning("director: %s cannot be set to %s: %s", path, value, strerror(errno));
}

/* The kernel tells of a connection with its third packet, and that is by counting: one packet twice, and it
 * is the 53rd. So that the youngest survive too, each is told of once it is made, once more soon after, since
 * multicast may be lost, and then every ten seconds while it is in use (ip_vs_sync_conn_needed()). */
static void set_when_told(void)
{
        set_sysctl("sync_refresh_period", "10");
        set_sysctl("sync_retries", "1");
        set_sysctl("sync_threshold", "0\t0");
}

void director_sync(struct director *d, enum sync_role role, bool run)
{
        struct sync_daemon there[2];
        int error;

        if (!d->setup.sync.interface[0] || !d->ipvs.kernel.socket || d->setup.idle)
                return;
        error = ipvs_sync_read(&d->ipvs.kernel, there);
        if (!error && run != there[role].running) {
                if (run)
                        set_when_told();
                error = run ? ipvs_sync_start(&d->ipvs.kernel, role, &d->setup.sync)
                            : ipvs_sync_stop(&d->ipvs.kernel, role);
        }
        if (error && error != d->ipvs.sync_error[role])
                log_warning("director: connections are not %s on %s: %s",
                            role == SYNC_MASTER ? "told to the standby" : "heard of from the active director",
                            d->setup.sync.interface, strerror(-error));
        d->ipvs.sync_error[role] = error;
}

/* By a hash of the client, who takes over finds the server that the client has, told of it or not; if only
 * the kernel takes a packet in the midst of a connection for a reason to look. */
void director_take_up(const struct director *d)
{
        bool hashed = false;

        for (size_t i = 0; i < d->plan->service_count; i++) {
                const struct virtual_service *s = &d->plan->service[i].service;
                hashed = hashed || strcmp(s->scheduler, "sh") == 0 || strcmp(s->scheduler, "mh") == 0;
        }
        if (!hashed)
                return;
        set_sysctl("sloppy_tcp", "1");
        set_sysctl("sloppy_sctp", "1");
}
