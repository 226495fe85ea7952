/* tty.h - a serial device for us alone: opened, locked, raw, at its speed (termios(3), ioctl_tty(2)). */
#pragma once

#include <stddef.h>

/* Opens it for reading and writing without blocking, without modem lines and without becoming its terminal.
 * The descriptor, or a negative errno: -EBUSY when another program has locked it, -ENOTTY when it is no
 * serial device. `owner` names another program that has it open ("minicom (pid 812)"), or is empty: also when
 * we got it, for a getty locks nothing and takes half of what arrives. */
#define TTY_OWNER 64
int tty_open(const char *path, int baud, char owner[static TTY_OWNER]);
