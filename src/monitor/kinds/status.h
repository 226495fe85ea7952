/* status.h - whether a status code, of HTTP or SIP, is among those that are good. */
#pragma once

#include "config/check.h"

static inline bool status_is_good(const struct status_ranges *good, int status)
{
        for (size_t i = 0; i < good->count; i++)
                if (status >= good->range[i].from && status <= good->range[i].to)
                        return true;
        return false;
}
