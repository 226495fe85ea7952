/* files.h - what the tests of the configuration share: a file in, what was said about it out. */
#pragma once

#include "config/config.h"

/* One that collects mistakes as FILE:LINE: TEXT, as `haven check` writes them. `user` is a FILE. */
void mistakes_to(void *user, const char *file, int line, const char *text);
/* The whole file as text. The caller frees it. */
char *file_text(const char *path);
/* The canonical print. The caller frees it. */
char *printed(const struct config *c);
/* What must be right; a mistake fails the test, with all that was said. */
struct config *parsed(const char *text);
struct config *loaded(const char *path);
