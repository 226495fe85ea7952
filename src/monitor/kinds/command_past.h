/* command_past.h - what mon's monitors are told of their earlier results, in MON_LAST_SUMMARY and its like.
 */
#pragma once

#include "config/check.h"

struct command_past; /* of all checks that have one */

int command_past_new(struct command_past **ret_past);
void command_past_free(struct command_past *past);

/* A result: its first line, and all of its output, or NULL. Without memory it is as if there were none. */
void command_past_add(struct command_past *past, const struct config_check *check, bool good,
                      const char *summary, const char *output);
/* The i-th setting that follows from it, "NAME=VALUE", until the next call; NULL past the end. */
const char *command_past_setting(const struct command_past *past, const struct config_check *check, size_t i);
void command_past_forget(struct command_past *past, const struct config_check *check);
