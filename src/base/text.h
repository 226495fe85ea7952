/* text.h - the few things about strings that every room needs. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Copies as much as fits and always ends the string. False if something was cut. */
bool text_copy(char *to, size_t size, const char *from);

/* A name of a node, group, cluster or resource: letters, digits, '.', '_', '-', not starting with a sign. */
bool text_is_name(const char *text);

/* FNV-1a, 32 bits: the identity under which a name travels. Stable across machines and releases. */
uint32_t text_id(const char *text);
