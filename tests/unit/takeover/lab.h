/* lab.h - two hosts joined by a cable, in network namespaces of this test alone: "v0" here, "v1" at the peer.
 *
 * Both namespaces are nameless and go with the processes that live in them, however those end. */
#pragma once

#include "takeover/takeover.h"

#include <stdbool.h>

/* False when namespaces are not permitted: the test is then skipped, with this word. */
bool lab_open(const char **ret_why);
void lab_close(void);

#define LAB_OUR_MAC  "02:00:00:00:00:11"
#define LAB_PEER_MAC "02:00:00:00:00:77"

/* A fresh cable: 10.9.0.1/24 and fd09::1/64 here, .2 and ::2 at the peer. */
void lab_plug(void);
void lab_unplug(void);

/* Runs a shell line here or at the peer; fails the test when it fails. */
void here(const char *format, ...) __attribute__((format(printf, 1, 2)));
void peer(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Whether it succeeds. */
bool here_is(const char *format, ...) __attribute__((format(printf, 1, 2)));
bool peer_is(const char *format, ...) __attribute__((format(printf, 1, 2)));
