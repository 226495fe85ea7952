#include "director/nft/job.h"

#include "child/child.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* A thousand services that pick by a hash take it less than ten seconds, others less than two. */
#define JOB_MS     60000
#define OUTPUT_MAX (8 << 20)

struct nft_job {
        struct child *child;
        uv_timer_t *timer;
        int output;
        nft_job_fn *on_end;
        void *user;
};

static void on_closed(uv_handle_t *handle)
{
        free(handle);
}

static void done(struct nft_job *job)
{
        if (job->timer)
                uv_close((uv_handle_t *)job->timer, on_closed);
        if (job->output != -1)
                close(job->output);
        free(job);
}

/* All that was said, with its end. NULL: no memory, or too much. */
static char *said(int fd)
{
        struct stat status;
        char *text = NULL;

        if (fstat(fd, &status) == -1 || status.st_size > OUTPUT_MAX)
                return NULL;
        text = calloc(1, (size_t)status.st_size + 1);
        if (text && pread(fd, text, (size_t)status.st_size, 0) != status.st_size) {
                free(text);
                return NULL;
        }
        return text;
}

static void on_exit_of(void *user, int status)
{
        struct nft_job *job = user;
        nft_job_fn *on_end = job->on_end;
        void *to = job->user;
        char *text = said(job->output), how[CHILD_STATUS_TEXT], whole[CHILD_STATUS_TEXT + 16];

        snprintf(whole, sizeof(whole), "haven-nft: %s", child_status_format(status, how));
        done(job);
        if (status == 0 && text)
                on_end(to, 0, text);
        else if (text && text[0]) {
                text[strcspn(text, "\n")] = '\0';
                on_end(to, -EREMOTEIO, text);
        } else
                on_end(to, -EREMOTEIO, whole);
        free(text);
}

static void on_late(uv_timer_t *timer)
{
        struct nft_job *job = timer->data;
        nft_job_fn *on_end = job->on_end;
        void *to = job->user;

        child_forget(job->child, 0);
        done(job);
        on_end(to, -ETIMEDOUT, "haven-nft takes longer than a minute, and was ended");
}

/* Memory that reads like a file: no pipe that could be full. */
static int memory_file(const char *bytes, size_t n)
{
        int fd = memfd_create("haven-nft", MFD_CLOEXEC);

        if (fd == -1)
                return -errno;
        if (n && (write(fd, bytes, n) != (ssize_t)n || lseek(fd, 0, SEEK_SET) == -1)) {
                close(fd);
                return -EIO;
        }
        return fd;
}

static int run(struct nft_job *job, uv_loop_t *loop, const char *program, const char *table, const char *word,
               int input)
{
        char *argv[] = {(char *)program, (char *)table, (char *)word, NULL};
        char *environment[] = {"LC_ALL=C", NULL};
        struct child_setup setup = {.loop = loop,
                                    .argv = argv,
                                    .environment = environment,
                                    .stdin_fd = input,
                                    .output_fd = job->output,
                                    .extra_fd = -1,
                                    .on_exit = on_exit_of,
                                    .user = job};

        return child_start(&setup, &job->child);
}

int nft_job_start(uv_loop_t *loop, const char *program, const char *table, enum nft_what what,
                  const char *input, size_t n, nft_job_fn *on_end, void *user, struct nft_job **ret_job)
{
        static const char *const words[] = {
                [NFT_APPLY] = "apply", [NFT_LOOK] = "look", [NFT_COUNTS] = "counts"};
        struct nft_job *job = calloc(1, sizeof(*job));
        int in = -1, error = job ? 0 : -ENOMEM;

        if (!job)
                return error;
        *job = (struct nft_job){.output = memory_file(NULL, 0), .on_end = on_end, .user = user};
        job->timer = malloc(sizeof(*job->timer));
        if (job->timer) {
                uv_timer_init(loop, job->timer);
                job->timer->data = job;
        }
        in = memory_file(input, n);
        if (job->output < 0 || in < 0 || !job->timer)
                error = -ENOMEM;
        if (!error)
                error = run(job, loop, program, table, words[what], in);
        if (in >= 0)
                close(in);
        if (error) {
                job->output = job->output < 0 ? -1 : job->output;
                done(job);
                return error;
        }
        uv_timer_start(job->timer, on_late, JOB_MS, 0);
        *ret_job = job;
        return 0;
}

void nft_job_free(struct nft_job *job)
{
        if (!job)
                return;
        child_release(job->child);
        done(job);
}
