/* command_words.h - what is run for a check: the program, its arguments and its environment, as they are sent
 * to who runs it (command_host.h). */
#pragma once

#include "config/check.h"
#include "monitor/kinds/command_past.h"
#include "monitor/runner/command_host.h"

struct command_words {
        struct command_request head; /* and `bytes` right behind it, as it is sent */
        char bytes[COMMAND_REQUEST_MAX - sizeof(struct command_request)];
        size_t n; /* of them; beyond their number: it did not fit */
};

/* `directory` is where haven-look and its like lie; `past` may be NULL where the style does not ask for it.
 */
void command_words_of(const struct config_check *check, const struct command_past *past,
                      const char *directory, struct command_words *ret_words);
/* What is to be sent of it; above COMMAND_REQUEST_MAX: it is too long. */
size_t command_words_size(const struct command_words *w);
