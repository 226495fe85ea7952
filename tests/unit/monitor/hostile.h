/* hostile.h - the servers of hostile.py, for a group of tests. */
#pragma once

extern const char *hostile_python, *hostile_script; /* to be set before */

/* Setup and teardown of the group. */
int hostile_start(void **state);
int hostile_stop(void **state);
/* Where the one of this name listens; "gone": where nobody does. */
int hostile_port(const char *name);
