/* pressure.h - how much this machine itself was held up lately, for beside every time-out: slow is not dead.
 *
 * Source: pressure stall information, Documentation/accounting/psi.rst of the kernel. */
#pragma once

#include <stddef.h>

/* " (held up here: cpu 23%, io 4% of the last 10 s)", or "" when there is next to none or the kernel does not
 * say. */
void pressure_text(char *text, size_t size);
