/* job.h - one call of haven-nft (main.c), beside the loop. */
#pragma once

#include <stddef.h>
#include <uv.h>

struct nft_job;

enum nft_what { NFT_APPLY, NFT_LOOK, NFT_COUNTS };

/* `error` is 0 and `text` what it said, or a negative errno and why, for people. The job has ended. */
typedef void nft_job_fn(void *user, int error, const char *text);

/* `program` is the absolute path of haven-nft, `input` (`n` bytes) the commands of NFT_APPLY. 0, or a
 * negative errno; then there is no callback. */
int nft_job_start(uv_loop_t *loop, const char *program, const char *table, enum nft_what what,
                  const char *input, size_t n, nft_job_fn *on_end, void *user, struct nft_job **ret_job);
/* Forgets it: no callback; what it has begun, it ends. */
void nft_job_free(struct nft_job *job);
