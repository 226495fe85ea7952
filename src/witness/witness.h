/* witness.h - the process of a witness: it serves many clusters, runs nothing, and is nobody in particular.
 *
 * src/cluster/witness.c judges; this opens seals, keeps what was promised on disk before an answer leaves,
 * counts what it refuses, and tells about itself on a control socket. For the files witness*.c only. */
#pragma once

#include "api/api.h"
#include "cluster/witness.h"
#include "config/witness_config.h"
#include "heartbeat/inquiry.h"
#include "heartbeat/seal.h"
#include "main/paths.h"

#include <uv.h>

#define WITNESS_RATE                                                                                         \
        500 /* questions a second of one cluster: sixteen nodes of the quickest profile ask less */
#define WITNESS_BURST 200

/* Packets that were not judged. */
struct witness_refused {
        uint64_t count;
        char from[IP_TEXT]; /* the last one */
};

#define WITNESS_FILE_HASH  16
#define WITNESS_FILE_BYTES (64 + DOCUMENT_BYTES_MAX + WITNESS_FILE_HASH)
#define WITNESS_FILE_NAME  (NAME_SIZE + 8)

/* What is being written to a cluster's file, in a thread: the loop goes on with the other clusters. */
struct witness_writing {
        uv_work_t work;
        bool busy; /* all below is the thread's */
        char name[WITNESS_FILE_NAME];
        size_t n;
        uint8_t bytes[WITNESS_FILE_BYTES];
        int error;
};

/* Questions that came while the answer to another of their cluster was not on disk. More of them are asked
 * again. */
#define WITNESS_WAITING_MAX 4

struct witness_waiting {
        uv_udp_t *udp;
        struct sockaddr_storage from;
        size_t n;
        uint8_t *body; /* sealed no more; ours to free */
};

struct served {
        char name[NAME_SIZE];
        struct seal seal;
        struct witness witness;
        char trouble[128]; /* with its file; "" none */
        uint64_t asked, old, too_many;
        instant last; /* question */
        instant refilled;
        int64_t tokens_us; /* room for questions, in microseconds of the rate */
        struct witness_process *process;
        struct witness_writing writing;
        void (*written)(struct served *s, int error);
        struct { /* what it promises once it is written */
                uv_udp_t *udp;
                struct sockaddr_storage to;
                size_t n;
                uint8_t packet[PACKET_MAX];
                bool was_voter;
                uint32_t was_term, was_vote;
        } answer;
        size_t waiting_count;
        struct witness_waiting waiting[WITNESS_WAITING_MAX];
};

struct witness_process {
        uv_loop_t *loop;
        char config_path[PATH_SIZE], run_dir[PATH_SIZE], state_dir[PATH_SIZE];
        bool foreground;
        struct witness_config config;
        size_t served_count;
        struct served *served;
        size_t udp_count;
        uv_udp_t udp[WITNESS_ADDRESSES_MAX];
        uv_signal_t term, interrupt;
        struct api *api;
        struct witness_refused refused[PACKET_REFUSALS];
        uint8_t body[PACKET_BODY_MAX], answer[PACKET_BODY_MAX], input[PACKET_MAX];
};

/* serve.c */
int witness_listen(struct witness_process *p);
/* When no write is under way any more. */
void witness_serve_end(struct served *s);

/* file.c */
/* What stands on disk for this cluster; all zero, with the reason in s->trouble, if that is nothing valid. */
void witness_file_load(struct witness_process *p, struct served *s);
/* Begins to write what is to be kept; `done` is called from the loop, with 0 or a negative errno (then the
 * reason is in s->trouble). Not while a write of this cluster is under way. */
void witness_file_save(struct witness_process *p, struct served *s,
                       void (*done)(struct served *s, int error));

/* view.c */
json_t *witness_report(void *user);
