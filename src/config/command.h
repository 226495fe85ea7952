/* command.h - a command as one text, split into words as a shell does, and put together again.
 *
 * Blanks part words; '...' and "..." keep them together; a backslash takes the next character as it is.
 * No shell runs: what only a shell could do (variables, pipes, redirections) is refused, not passed on. */
#pragma once

#include <stddef.h>

/* The words, NULL-terminated; free with command_free(). NULL, and what would be right, if it is none. */
char **command_split(const char *text, char *why, size_t why_size);
void command_free(char **argv);
/* A text that command_split() splits into the same words. The caller frees it. */
char *command_join(char *const *argv);
