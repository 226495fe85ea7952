#include "api/journal.h"

#include "api/view_json.h"
#include "base/file.h"
#include "base/text.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* An event as JSON: each byte of its text may become six ("\u001f"). */
#define LINE_SIZE_MAX 4096
/* A file may pass its limit by the line that finds it full. */
#define FILE_SIZE_MAX (JOURNAL_SIZE_MAX + LINE_SIZE_MAX)

struct journal {
        char path[PATH_MAX];
        char old_path[PATH_MAX];
        int fd;
        off_t size;
        uint64_t last;    /* number of the last event */
        bool broken_line; /* the file does not end with a whole line: begin a new one */
        char *buffer;     /* FILE_SIZE_MAX, to read a file into */
};

/* Walks the lines of one file from the last to the first. */
struct backwards {
        const char *start;
        const char *end; /* of the part not yet seen */
};

static struct backwards backwards_over(const char *bytes, size_t n)
{
        /* what follows the last newline is a line that a power cut left unfinished */
        const char *newline = n ? memrchr(bytes, '\n', n) : NULL;

        return (struct backwards){bytes, newline ? newline + 1 : bytes};
}

/* The next whole event going back; what is no event is passed over. */
static bool backwards_next(struct backwards *b, struct view_event *ret_event)
{
        while (b->end > b->start) {
                const char *stop = b->end - 1; /* its newline */
                const char *newline =
                        stop > b->start ? memrchr(b->start, '\n', (size_t)(stop - b->start)) : NULL;
                const char *line = newline ? newline + 1 : b->start;

                b->end = line;
                json_t *json = json_loadb(line, (size_t)(stop - line), 0, NULL);
                int error = json ? view_event_from_json(json, ret_event) : -EBADMSG;
                json_decref(json);
                if (!error)
                        return true;
        }
        return false;
}

/* Bytes read into the buffer, 0 if the file is not there, or a negative errno. */
static ssize_t read_whole(struct journal *j, const char *path)
{
        ssize_t n = file_read(path, j->buffer, FILE_SIZE_MAX);

        return n == -ENOENT ? 0 : n;
}

/* Finds the last number in use, in the current file or, when that is empty or damaged, in the old one. */
static int find_last(struct journal *j)
{
        const char *const paths[] = {j->path, j->old_path};
        struct view_event e;

        for (size_t i = 0; i < COUNT(paths); i++) {
                ssize_t n = read_whole(j, paths[i]);
                if (n == -EFBIG)
                        continue; /* not written by us: it will be rotated away */
                if (n < 0)
                        return (int)n;
                struct backwards b = backwards_over(j->buffer, (size_t)n);
                if (i == 0 && n > 0)
                        j->broken_line = j->buffer[n - 1] != '\n';
                if (j->last == 0 && backwards_next(&b, &e))
                        j->last = e.number;
        }
        return 0;
}

static int open_file(struct journal *j)
{
        struct stat st;

        j->fd = open(j->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
        if (j->fd == -1)
                return -errno;
        j->size = fstat(j->fd, &st) == 0 ? st.st_size : 0;
        return 0;
}

int journal_open(const char *path, struct journal **ret_journal)
{
        struct journal *j = calloc(1, sizeof(*j));
        int error = 0;

        assert(j);
        j->fd = -1;
        j->buffer = malloc(FILE_SIZE_MAX);
        assert(j->buffer);
        if (!text_copy(j->path, sizeof(j->path), path) ||
            (size_t)snprintf(j->old_path, sizeof(j->old_path), "%s.old", path) >= sizeof(j->old_path))
                error = -ENAMETOOLONG;
        if (!error)
                error = find_last(j);
        if (!error)
                error = open_file(j);
        if (error) {
                journal_close(j);
                return error;
        }
        *ret_journal = j;
        return 0;
}

void journal_close(struct journal *j)
{
        if (!j)
                return;
        if (j->fd != -1)
                close(j->fd);
        free(j->buffer);
        free(j);
}

static int rotate(struct journal *j)
{
        if (rename(j->path, j->old_path) == -1)
                return -errno;
        close(j->fd);
        j->fd = -1;
        j->broken_line = false;
        return open_file(j);
}

static int write_line(struct journal *j, const char *line, size_t n)
{
        /* tried again on each event: a disk that was full or read-only may be well again */
        int error = j->fd == -1 ? open_file(j) : 0;

        if (!error && j->size + (off_t)n > JOURNAL_SIZE_MAX)
                error = rotate(j);
        if (error)
                return error;
        if (j->broken_line) {
                if (write(j->fd, "\n", 1) != 1)
                        return -errno;
                j->size++;
                j->broken_line = false;
        }
        ssize_t r = write(j->fd, line, n);
        if (r == -1)
                return -errno;
        j->size += r;
        j->broken_line = (size_t)r < n;
        return j->broken_line ? -ENOSPC : 0;
}

int journal_append(struct journal *j, int64_t wall_us, const char *kind, const char *subject,
                   const char *text, struct view_event *ret_event)
{
        struct view_event *e = ret_event;
        char line[LINE_SIZE_MAX];

        memset(e, 0, sizeof(*e));
        e->number = ++j->last;
        e->wall_us = wall_us;
        text_copy(e->kind, sizeof(e->kind), kind);
        text_copy(e->subject, sizeof(e->subject), subject);
        text_copy(e->text, sizeof(e->text), text);

        json_t *json = view_event_to_json(e);
        size_t n = json_dumpb(json, line, sizeof(line) - 1, JSON_COMPACT);
        json_decref(json);
        assert(n > 0 && n < sizeof(line));
        line[n++] = '\n';
        return write_line(j, line, n);
}

/* Reads up to `count` events numbered above `after` from the end of `path` into the end of `events`. */
static int collect(struct journal *j, const char *path, uint64_t after, int count, struct view_event *events)
{
        ssize_t n = read_whole(j, path);
        int found = 0;

        if (n < 0)
                return (int)n;
        struct backwards b = backwards_over(j->buffer, (size_t)n);
        while (found < count && backwards_next(&b, &events[count - found - 1])) {
                if (events[count - found - 1].number <= after)
                        break;
                found++;
        }
        return found;
}

int journal_read(struct journal *j, uint64_t after, int count, journal_read_fn *on_event, void *user)
{
        const char *const paths[] = {j->path, j->old_path};
        int left = count > JOURNAL_READ_MAX ? JOURNAL_READ_MAX : count < 0 ? 0 : count;
        struct view_event *events = calloc((size_t)left + 1, sizeof(*events));
        int room = left;
        int error = 0;

        assert(events);
        for (size_t i = 0; i < COUNT(paths) && left > 0 && !error; i++) {
                int found = collect(j, paths[i], after, left, events);
                if (found < 0)
                        error = found;
                else
                        left -= found;
        }
        for (int i = left; i < room && !error; i++)
                on_event(user, &events[i]);
        free(events);
        return error;
}
