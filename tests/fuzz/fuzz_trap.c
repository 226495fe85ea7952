/* A trap of mon: any bytes. Nothing is read out of bounds, and what is taken has its ends. */
#include "monitor/kinds/trap_read.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        struct trap t;

        if (trap_read((const char *)data, n, &t) != 0)
                return 0;
        assert(strnlen(t.group, TRAP_NAME) < TRAP_NAME && strnlen(t.service, TRAP_NAME) < TRAP_NAME);
        assert(strnlen(t.user, TRAP_NAME) < TRAP_NAME && strnlen(t.password, TRAP_NAME) < TRAP_NAME);
        assert(strnlen(t.summary, SAID_TEXT) < SAID_TEXT && strpbrk(t.summary, "\r\n") == NULL);
        assert(t.status >= 0 && t.status <= 255);
        return 0;
}
