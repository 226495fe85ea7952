#include "core/pressure.h"

#include "base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORTH_SAYING 10.0 /* percent; a busy machine has as much all day */

/* The share of the last ten seconds in which somebody had to wait for it. */
static double some_avg10(const char *resource)
{
        char path[64], line[512];

        snprintf(path, sizeof(path), "/proc/pressure/%s", resource);
        ssize_t n = file_read(path, line, sizeof(line) - 1);
        if (n <= 0)
                return 0;
        line[n] = '\0';
        const char *avg10 = strstr(line, "avg10=");
        return avg10 ? strtod(avg10 + strlen("avg10="), NULL) : 0;
}

void pressure_text(char *text, size_t size)
{
        static const char *const resources[] = {"cpu", "io", "memory"};
        size_t n = 0;

        text[0] = '\0';
        for (size_t i = 0; i < sizeof(resources) / sizeof(resources[0]); i++) {
                double percent = some_avg10(resources[i]);
                if (percent < WORTH_SAYING || n >= size)
                        continue;
                n += (size_t)snprintf(text + n, size - n, "%s%s %.0f%%",
                                      n ? ", " : " (held up here: ", resources[i], percent);
        }
        if (n > 0 && n < size)
                snprintf(text + n, size - n, " of the last 10 s)");
}
