/* standin.h - haven-ldirectord: what ldirectord is called with, done by haven's director without a cluster.
 *
 * main.c     the command line, and what each command does to the daemon that runs
 * run.c      the daemon: a director, the file it follows, and signals
 * say.c      its log, in ldirectord's words
 * mail.c     the mails that the file asks for
 * watched.c  the files that are kept of checks
 * cluster.c  whether havend runs this file as a director of its own
 */
#pragma once

#include "director/director.h"
#include "director/ldirectord/ldirectord.h"

#include <stdbool.h>
#include <stdio.h>

#define STANDIN_PATH 256

struct standin {
        char config[STANDIN_PATH]; /* as it was found, absolute */
        char name[64];             /* its last part: of the pid file and the log's lines */
        char pid_path[STANDIN_PATH];
        bool debug;                  /* -d: in the foreground, and its log on standard error */
        struct ldirectord_file file; /* what the file says, */
        struct plan plan;            /* and asks for; a director takes it */
        uint32_t digest;             /* of the file's text */
};

/* Reads the file as it is now, instead of what was read. 0; -EINVAL, and it has said why: on standard error
 * with `loud`, else in the log; then all is as it was. */
int standin_read(struct standin *s, bool loud);
/* Of the file's text as it is now; 0: it cannot be read. */
uint32_t standin_digest(const struct standin *s);
/* The daemon. `ready` is a pipe of who started it, which gets a byte once the table is set up; -1: nobody
 * waits. Returns the exit status. */
int standin_run(struct standin *s, int ready);
/* The same command for another ldirectord, one that `execute` names: what came of it, as by system(3). */
int standin_execute(const char *config, const char *command);
void standin_execute_all(const struct ldirectord_file *f, const char *command);

/* --- say.c --- */

/* Where lines go: standard error with `debug`, standard output when supervised, else the file or the facility
 * that `logfile` names. Again after each read. */
void say_open(const struct standin *s);
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Lines for a file are gathered, and written now: before the process waits, calls another or ends. */
void say_all(void);
/* "Added real server: 192.0.2.11:80 (192.0.2.240:80) (Weight set to 1)"; "" for what ldirectord has no words.
 */
#define SAY_CHANGE 256
const char *say_change(const struct change *c, const struct plan *p, const char *tag,
                       char text[static SAY_CHANGE]);
/* "192.0.2.240:80", "7": as ldirectord names a service. */
const char *say_virtual(const struct virtual_key *k, char text[static VIRTUAL_TEXT]);

/* --- mail.c --- */

enum standin_state { STANDIN_STARTING, STANDIN_RUNNING, STANDIN_STOPPING, STANDIN_RELOADING };

/* What happened to a server of that service, for those whom the file names. A server that went away is told
 * of again and again, if the file says so, until it is `back` or no longer in the file. */
void mail_change(uv_loop_t *loop, const struct ldirectord_file *f, const struct ldirectord_service *v,
                 enum standin_state state, const struct real_server *server, const char *subject, bool back);
/* Time has passed. */
void mail_again(uv_loop_t *loop, const struct ldirectord_file *f, enum standin_state state);

/* --- watched.c --- */

/* A line in the service's `monitorfile`, of what the check of that server has to say. */
void watched_look(const struct ldirectord_service *v, const struct plan_server *planned,
                  const struct check_result *result);

/* --- cluster.c --- */

enum cluster_answer { CLUSTER_NONE, CLUSTER_STANDBY, CLUSTER_ACTIVE };
/* Whether a director of this machine's havend follows the file, and its "director web of group shop". */
enum cluster_answer cluster_ask(const char *config, char who[static 128]);
