/* sandbox.h - gives up what the checker does not need, before it reads its first byte. */
#pragma once

#include <sys/types.h>

/* Becomes `haven`, else `nobody`, when started as root; drops every capability and what could give one back;
 * an ordinary process for the scheduler. The user is looked up in /etc/passwd alone: a directory service that
 * hangs must not keep checks from running. 0, or a negative errno: then nothing must be run. */
int sandbox_enter(void);

/* The same for who runs the commands of checks: what a program's file grants is still gained, CAP_NET_RAW at
 * most.
 */
int sandbox_enter_for_commands(void);

/* Whom sandbox_enter() will become, so that root can give away what that one needs. 0, or a negative errno.
 */
int sandbox_user(uid_t *ret_uid, gid_t *ret_gid);
