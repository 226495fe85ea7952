/* main.c - haven-look: one look at this machine, for the checks file, disk, load and process.
 *
 * A program of its own because a path may lie on a file server that is dead: who looks there may hang for
 * ever, and then it is this one, which the checker gives up like any other command.
 *
 *      haven-look file PATH AGE SIZE           haven-look disk PATH FREE INODES
 *      haven-look load - PERCENT MINUTES       haven-look process PROGRAM LEAST -
 *
 * Exit status as below; the first line of output says what was seen. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

enum finding { GOOD = 0, BEYOND_LIMIT = 1, NOT_THERE = 2, CANNOT_LOOK = 3 };

/* Who may not look there knows nothing about it. */
static enum finding cannot(const char *path)
{
        int error = errno;

        printf("%s: %s\n", path, strerror(error));
        return error == ENOENT || error == ENOTDIR ? NOT_THERE : CANNOT_LOOK;
}

static enum finding look_file(const char *path, long long age_max, long long size_min)
{
        struct stat st;

        if (stat(path, &st) == -1)
                return cannot(path);
        long long age = (long long)(time(NULL) - st.st_mtime);
        printf("changed %llds ago, %lld bytes\n", age, (long long)st.st_size);
        return (age_max > 0 && age > age_max) || st.st_size < size_min ? BEYOND_LIMIT : GOOD;
}

/* Rounded down: 4.9 % free is less than 5 %. */
static unsigned long long percent(unsigned long long part, unsigned long long whole)
{
        return whole == 0 ? 100 : (unsigned long long)((__extension__(unsigned __int128) part * 100) / whole);
}

static enum finding look_disk(const char *path, long long free_min, long long inodes_min)
{
        struct statvfs fs;

        if (statvfs(path, &fs) == -1)
                return cannot(path);
        /* As df counts: what only root may take is neither used nor free. */
        unsigned long long space = percent(fs.f_bavail, fs.f_blocks - fs.f_bfree + fs.f_bavail);
        unsigned long long inodes = percent(fs.f_favail, fs.f_files - fs.f_ffree + fs.f_favail);
        printf("%llu%% of space and %llu%% of inodes free%s\n", space, inodes,
               (fs.f_flag & ST_RDONLY) != 0 ? ", read-only" : "");
        return space < (unsigned long long)free_min || inodes < (unsigned long long)inodes_min ? BEYOND_LIMIT
                                                                                               : GOOD;
}

static enum finding look_load(long long percent_max, long long which)
{
        static const int minutes[] = {1, 5, 15};
        double load[3];
        long processors = sysconf(_SC_NPROCESSORS_ONLN);

        if (which < 0 || which > 2 || processors < 1 || getloadavg(load, 3) != 3) {
                printf("the load is not known\n");
                return CANNOT_LOOK;
        }
        double used = load[which] * 100 / (double)processors;
        printf("%.0f%% of %ld processors over %d min\n", used, processors, minutes[which]);
        return used > (double)percent_max ? BEYOND_LIMIT : GOOD;
}

/* A small file of a process as one text; its length, or -1. */
static ssize_t read_of(const char *pid, const char *name, char *text, size_t size)
{
        char path[300];
        ssize_t n;
        int fd;

        snprintf(path, sizeof(path), "/proc/%s/%s", pid, name);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd == -1)
                return -1;
        n = read(fd, text, size - 1);
        close(fd);
        if (n >= 0)
                text[n] = '\0';
        return n;
}

static const char *base_of(const char *path)
{
        const char *slash = strrchr(path, '/');

        return slash == NULL ? path : slash + 1;
}

/* State of a process: the letter behind its name, which may hold anything. */
static char state_of(const char *pid)
{
        char text[512];
        const char *end;

        if (read_of(pid, "stat", text, sizeof(text)) <= 0 || (end = strrchr(text, ')')) == NULL ||
            end[1] != ' ')
                return '?';
        return end[2];
}

/* By the kernel's name for it (its first 15 characters), or the program or script it was started as. */
static int is_program(const char *pid, const char *program)
{
        char text[4096];
        ssize_t n = read_of(pid, "comm", text, sizeof(text));

        if (n > 0 && strcspn(text, "\n") < 15 && strlen(program) == strcspn(text, "\n") &&
            strncmp(text, program, strcspn(text, "\n")) == 0)
                return 1;
        n = read_of(pid, "cmdline", text, sizeof(text));
        if (n <= 0)
                return 0;
        if (strcmp(base_of(text), program) == 0 || strcmp(text, program) == 0)
                return 1;
        /* "python3 /usr/bin/service", "nginx: master process ..." */
        const char *second = text + strlen(text) + 1;
        if (strncmp(text, program, strlen(program)) == 0 && text[strlen(program)] == ':')
                return 1;
        return second < text + n && second[0] == '/' &&
               (strcmp(base_of(second), program) == 0 || strcmp(second, program) == 0);
}

static enum finding look_process(const char *program, long long least)
{
        DIR *all = opendir("/proc");
        const struct dirent *entry;
        char own[24];
        long long count = 0, dead = 0;

        if (all == NULL)
                return cannot("/proc");
        snprintf(own, sizeof(own), "%d", (int)getpid());
        while ((entry = readdir(all)) != NULL) {
                if (!isdigit((unsigned char)entry->d_name[0]) || strcmp(entry->d_name, own) == 0 ||
                    !is_program(entry->d_name, program))
                        continue;
                char state = state_of(entry->d_name);
                if (state == 'Z' || state == 'X' || state == '?')
                        dead++;
                else
                        count++;
        }
        closedir(all);
        printf("%lld of them, at least %lld wanted%s\n", count, least,
               dead > 0 ? ", not counting dead ones" : "");
        return count == 0 ? NOT_THERE : count < least ? BEYOND_LIMIT : GOOD;
}

int main(int argc, char **argv)
{
        if (argc == 5) {
                const char *of = argv[2];
                long long first = atoll(argv[3]), second = atoll(argv[4]);
                if (strcmp(argv[1], "file") == 0)
                        return look_file(of, first, second);
                if (strcmp(argv[1], "disk") == 0)
                        return look_disk(of, first, second);
                if (strcmp(argv[1], "load") == 0)
                        return look_load(first, second);
                if (strcmp(argv[1], "process") == 0)
                        return look_process(of, first);
        }
        fprintf(stderr, "haven-look is started by haven-checker, not by hand\n");
        return CANNOT_LOOK;
}
