#include "base/text.h"

#include <ctype.h>
#include <string.h>

bool text_copy(char *to, size_t size, const char *from)
{
        size_t n = strnlen(from, size);
        bool whole = n < size;

        if (!whole)
                n = size - 1;
        memcpy(to, from, n);
        to[n] = '\0';
        return whole;
}

bool text_is_name(const char *text)
{
        if (!isalnum((unsigned char)text[0]))
                return false;
        for (; *text; text++)
                if (!isalnum((unsigned char)*text) && !strchr("._-", *text))
                        return false;
        return true;
}

uint32_t text_id(const char *text)
{
        uint32_t hash = 2166136261u;

        for (; *text; text++)
                hash = (hash ^ (uint8_t)*text) * 16777619u;
        return hash;
}
