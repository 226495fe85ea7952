/* command_host.h - who runs the commands of checks: a process of its own, forked before the checker gives up
 * all that a command may need.
 *
 * The checker can never gain a privilege again (no_new_privs), and nothing that it starts could: `ping` with
 * its file capability would fail. So commands are started here: by the same unprivileged user, without a
 * capability, but able to gain one by a program's own file, and that CAP_NET_RAW alone. It parses nothing
 * that comes from outside. It ends when the checker does, and every command with it.
 *
 * To run one the checker sends a request with two descriptors: where the output goes, and a socket on which
 * the end is told. Closing the other end of that socket means that nobody wants it any more: SIGTERM to the
 * command's session, SIGKILL a second later. What a command leaves behind is killed in any case. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define COMMAND_REQUEST_MAX ((size_t)24 * 1024)

/* Followed by `arguments` + `settings` texts with their ends; SOCK_SEQPACKET keeps it in one piece. */
struct command_request {
        uint64_t key;       /* one command of a key at a time */
        uint16_t arguments; /* the first is the program, by its absolute path */
        uint16_t settings;  /* NAME=VALUE, its whole environment */
};

enum command_end {
        COMMAND_ENDED,      /* value: as from waitpid(2) */
        COMMAND_NOT_RUN,    /* value: errno */
        COMMAND_STILL_THERE /* the one before, of the same key, cannot be killed; not run */
};

struct command_status {
        int32_t end; /* enum command_end */
        int32_t value;
};

/* Forks it. Its socket, for requests; or a negative errno. */
int command_host_start(void);
