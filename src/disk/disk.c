#include "disk/disk.h"

#include "base/text.h"
#include "child/child.h"
#include "child/talk.h"
#include "disk/exchange.h"

#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define RETRY_MS     1000 /* before haven-disk is started again */
#define LEAVE_MS     60000
#define SLOW_TICK_MS 250 /* how often an operation under way is looked at */
/* So long a disk may be silent before people are told; what it decides is decided by the leases. */
#define SILENCE_TOLD span_s(2)

enum disk_phase { DISK_ABSENT, DISK_STARTING, DISK_IDLE, DISK_BUSY };

struct disk {
        struct disk_setup setup;
        char program[256], device[256], lock[256], cluster[DISK_CLUSTER];
        struct exchange *x;
        int memory;
        struct disk_voter voter;

        enum disk_phase phase;
        struct child *child;
        struct child_talk talk; /* with it */
        uv_timer_t *timer;
        uint32_t number; /* of the operation under way or done last */
        instant began;   /* it; or when the process was started */
        bool works, told, started;
        uint8_t slots; /* of the area; 0: not opened yet */
        char text[AREA_TEXT + 64];

        bool mail_waits[DISK_NODES_MAX];
        uint16_t mail_n[DISK_NODES_MAX];
        uint8_t mail[DISK_NODES_MAX][DISK_MAIL_MAX];
        uint64_t mail_number;
        uint64_t got_number[DISK_NODES_MAX];
        instant mail_due; /* mail waits until then, so that a burst becomes one write */
};

static void process_start(struct disk *d);
static void settle(struct disk *d);

static void set_state(struct disk *d, bool works, const char *text)
{
        bool same = d->told && d->works == works && strcmp(d->text, text) == 0;

        d->works = works;
        text_copy(d->text, sizeof(d->text), text);
        d->told = true;
        if (!same)
                d->setup.on_state(d->setup.user, works, d->text);
}

/* --- the process --- */

static void process_forget(struct disk *d)
{
        child_talk_close(&d->talk);
        d->phase = DISK_ABSENT;
        d->number++;
}

static void on_timer(uv_timer_t *timer)
{
        struct disk *d = timer->data;

        if (d->phase == DISK_ABSENT)
                process_start(d);
        else
                settle(d);
}

static void wait_ms(struct disk *d, uint64_t ms)
{
        uv_timer_start(d->timer, on_timer, ms, 0);
}

static void on_exit_of(void *user, int status)
{
        struct disk *d = user;
        char how[CHILD_STATUS_TEXT], text[CHILD_STATUS_TEXT + 64];

        d->child = NULL;
        bool refused = d->phase == DISK_STARTING && d->x->why[0];
        process_forget(d);
        if (!refused) {
                snprintf(text, sizeof(text), "haven-disk ended: %s", child_status_format(status, how));
                set_state(d, false, text);
        }
        wait_ms(d, RETRY_MS);
}

static void on_socket(uv_poll_t *poll, int status, int events);

static int process_run(struct disk *d, int child_socket)
{
        char nodes[8], self[8];
        char *argv[] = {d->program, d->device, d->lock, d->cluster, nodes, self, NULL};
        char *environment[] = {NULL};
        struct child_setup setup = {.loop = d->setup.loop,
                                    .argv = argv,
                                    .environment = environment,
                                    .stdin_fd = d->memory,
                                    .extra_fd = child_socket,
                                    .on_exit = on_exit_of,
                                    .user = d};

        snprintf(nodes, sizeof(nodes), "%u", d->setup.node_count);
        snprintf(self, sizeof(self), "%u", d->setup.self);
        return child_start(&setup, &d->child);
}

static int process_open(struct disk *d)
{
        int child_end;
        int error = child_talk_open(&d->talk, d->setup.loop, on_socket, d, &child_end);

        if (error)
                return error;
        error = process_run(d, child_end);
        close(child_end);
        return error;
}

static void process_start(struct disk *d)
{
        d->x->why[0] = '\0';
        d->phase = DISK_STARTING;
        d->began = instant_now();
        /* an operation that the process before did not finish: nothing of it counts */
        disk_voter_init(&d->voter, d->setup.self, d->setup.node_count, d->setup.writer, d->setup.interval,
                        d->began);
        int error = process_open(d);
        if (!error)
                return;
        process_forget(d);
        char text[128];
        snprintf(text, sizeof(text), "haven-disk cannot be started: %s", strerror(-error));
        set_state(d, false, text);
        wait_ms(d, RETRY_MS);
}

/* --- operations --- */

static size_t record_encode(struct disk *d, struct disk_record *r)
{
        r->written = (uint64_t)time(NULL);
        return disk_record_encode(r, d->x->header.uuid, &d->setup.keys, d->x->write);
}

static void fill_mail(struct disk *d)
{
        struct exchange *x = d->x;

        for (uint8_t i = 0; i < d->setup.node_count; i++) {
                x->mail_n[i] = 0;
                if (!d->mail_waits[i])
                        continue;
                x->mail_n[i] = (uint32_t)disk_mail_encode(++d->mail_number, x->header.uuid, d->mail[i],
                                                          d->mail_n[i], x->mail[i]);
                d->mail_waits[i] = false;
        }
}

static bool mail_is_due(const struct disk *d, instant now)
{
        for (uint8_t i = 0; i < d->setup.node_count; i++)
                if (d->mail_waits[i])
                        return instant_reached(now, d->mail_due);
        return false;
}

static bool operation_begin(struct disk *d)
{
        struct voter_operation op;
        instant now = instant_now();

        if (mail_is_due(d, now))
                disk_voter_wake(&d->voter, now);
        if (!disk_voter_begin(&d->voter, now, &op))
                return false;
        d->began = now;
        d->phase = DISK_BUSY;
        d->number++;
        d->x->write_which = op.which;
        d->x->write_n = op.write ? (uint32_t)record_encode(d, &op.record) : 0;
        fill_mail(d);
        if (send(d->talk.socket, &d->number, sizeof(d->number), MSG_NOSIGNAL) == -1)
                return false; /* it is dead: its exit is told by itself */
        return true;
}

static void settle(struct disk *d)
{
        instant now = instant_now();
        char text[64], silent[SPAN_TEXT];

        if (d->phase == DISK_IDLE && !operation_begin(d)) {
                instant due = disk_voter_deadline(&d->voter);
                for (uint8_t i = 0; i < d->setup.node_count; i++)
                        if (d->mail_waits[i])
                                due = instant_min(due, d->mail_due);
                wait_ms(d, (uint64_t)span_to_ms(span_between(now, due)));
                return;
        }
        if (d->phase != DISK_BUSY)
                return;
        if (span_between(d->began, now).us > SILENCE_TOLD.us && d->works) {
                snprintf(text, sizeof(text), "has not answered for %s",
                         span_format(span_s(span_between(d->began, now).us / 1000000), silent));
                set_state(d, false, text);
        }
        wait_ms(d, SLOW_TICK_MS);
}

static void deliver_mail(struct disk *d)
{
        struct exchange *x = d->x;
        instant received = instant_now();
        const uint8_t *packet;
        uint64_t number;
        size_t n;

        for (uint8_t i = 0; i < d->setup.node_count && d->setup.on_mail; i++) {
                if (i == d->setup.self || x->got_n[i] < DISK_BLOCK || x->got_n[i] > DISK_MAIL ||
                    disk_mail_decode(x->got[i], x->got_n[i], x->header.uuid, &number, &packet, &n) !=
                            DISK_OK ||
                    number == d->got_number[i])
                        continue;
                d->got_number[i] = number;
                d->setup.on_mail(d->setup.user, i, packet, n, received);
        }
}

static void find_records(struct disk *d, struct voter_result *r)
{
        struct exchange *x = d->x;

        for (uint8_t i = 0; i < d->voter.node_count; i++) {
                const uint8_t *bytes[2] = {x->read[i], x->read[i] + DISK_RECORD};
                size_t n[2] = {x->read_n[i][0], x->read_n[i][1]};
                bool sane = n[0] >= DISK_BLOCK && n[0] <= DISK_RECORD && n[1] >= DISK_BLOCK &&
                            n[1] <= DISK_RECORD;
                r->found[i].is = sane ? disk_newest(bytes, n, x->header.uuid, i, &d->setup.keys,
                                                    &r->found[i].record, &r->found[i].which)
                                      : DISK_BAD;
        }
}

/* A key that is to go seals a record of ours still: nobody could read that without it. */
static bool own_is_stale(const struct disk *d)
{
        const struct exchange *x = d->x;
        struct disk_keys first = {.count = 1};
        struct disk_record r;
        bool stale = false;

        if (d->setup.keys.count < 2)
                return false;
        memcpy(first.key[0], d->setup.keys.key[0], sizeof(first.key[0]));
        for (unsigned i = 0; i < 2; i++)
                stale |= disk_record_decode(x->read[d->setup.self] + i * (size_t)DISK_RECORD,
                                            x->read_n[d->setup.self][i], x->header.uuid, d->setup.self,
                                            &first, &r) == DISK_FORGED;
        sodium_memzero(&first, sizeof(first));
        return stale;
}

static const char *failure(const struct disk *d, char *text, size_t size)
{
        const struct exchange *x = d->x;

        if (x->read_error == -ESTALE)
                snprintf(text, size, "was prepared anew (haven disk init) while we used it: restart havend");
        else if (x->write_error || x->mail_error)
                snprintf(text, size, "cannot be written: %s",
                         strerror(x->write_error ? -x->write_error : -x->mail_error));
        else if (x->read_error)
                snprintf(text, size, "cannot be read: %s", strerror(-x->read_error));
        else
                text_copy(text, size, d->voter.text);
        return text;
}

static void operation_done(struct disk *d)
{
        static struct voter_result r; /* large, and of one thread */
        struct exchange *x = d->x;
        struct arbiter_answer answer;
        char text[VOTER_TEXT + 64];
        instant asked;

        r.wrote = x->write_n && x->write_error == 0;
        r.read = x->read_error == 0;
        r.read_began = (instant){x->read_began_us};
        r.read_ended = (instant){x->read_ended_us};
        if (r.read)
                find_records(d, &r);
        r.own_stale = r.read && r.found[d->setup.self].is == DISK_OK && own_is_stale(d);
        bool answered = disk_voter_done(&d->voter, &r, &answer, &asked);
        bool works = r.read && x->write_error == 0 && x->mail_error == 0 && d->voter.usable;
        set_state(d, works, works ? "works" : failure(d, text, sizeof(text)));
        if (answered)
                d->setup.on_answer(d->setup.user, &answer, asked, d->voter.text);
        if (r.read)
                deliver_mail(d);
        d->phase =
                DISK_IDLE; /* only now: what the callbacks ask for must not overwrite what they were given */
}

static void on_word(struct disk *d, const struct exchange_word *word)
{
        switch (word->state) {
        case EXCHANGE_WAITING: set_state(d, false, "waits for the write of the process before to end"); break;
        case EXCHANGE_REFUSED: set_state(d, false, d->x->why); break;
        case EXCHANGE_OPEN:
                if (d->phase != DISK_STARTING)
                        break;
                d->phase = DISK_IDLE;
                d->slots =
                        d->x->header.node_count < DISK_NODES_MAX ? d->x->header.node_count : DISK_NODES_MAX;
                if (d->slots > d->voter.node_count)
                        disk_voter_widen(&d->voter, d->slots);
                break;
        case EXCHANGE_DONE:
                if (d->phase == DISK_BUSY && word->number == d->number)
                        operation_done(d);
                break;
        default: break;
        }
}

static void on_socket(uv_poll_t *poll, int status, int events)
{
        struct disk *d = poll->data;
        struct exchange_word word;

        ssize_t n = recv(d->talk.socket, &word, sizeof(word), MSG_DONTWAIT);
        if (n == 0 || (n == -1 && errno != EAGAIN && errno != EINTR)) {
                uv_poll_stop(poll); /* its exit is told by itself */
                return;
        }
        if (n == (ssize_t)sizeof(word))
                on_word(d, &word);
        settle(d);
}

/* --- for the core --- */

static void on_timer_closed(uv_handle_t *handle)
{
        free(handle);
}

static int allocate(struct disk *d, uv_loop_t *loop)
{
        d->memory = memfd_create("haven-disk", MFD_CLOEXEC);
        if (d->memory == -1 || ftruncate(d->memory, sizeof(*d->x)) == -1)
                return -errno;
        d->x = mmap(NULL, sizeof(*d->x), PROT_READ | PROT_WRITE, MAP_SHARED, d->memory, 0);
        if (d->x == MAP_FAILED)
                return -errno;
        d->timer = malloc(sizeof(*d->timer));
        if (!d->timer)
                return -ENOMEM;
        d->timer->data = d;
        return uv_timer_init(loop, d->timer);
}

int disk_new(const struct disk_setup *setup, struct disk **ret_disk)
{
        struct disk *d = calloc(1, sizeof(*d));

        if (!d)
                return -ENOMEM;
        d->setup = *setup;
        d->talk = CHILD_TALK_NONE;
        d->memory = -1;
        d->x = MAP_FAILED;
        text_copy(d->program, sizeof(d->program), setup->program);
        text_copy(d->device, sizeof(d->device), setup->device);
        text_copy(d->lock, sizeof(d->lock), setup->lock);
        text_copy(d->cluster, sizeof(d->cluster), setup->cluster);
        randombytes_buf(&d->mail_number, sizeof(d->mail_number));
        int error = allocate(d, setup->loop);
        if (error) {
                free(d->timer);
                d->timer = NULL;
                disk_free(d);
                return error;
        }
        *ret_disk = d;
        return 0;
}

void disk_start(struct disk *d)
{
        if (d->started)
                return;
        d->started = true;
        process_start(d);
}

uint8_t disk_slots(const struct disk *d)
{
        return d->slots;
}

void disk_free(struct disk *d)
{
        if (!d)
                return;
        if (d->child)
                child_forget(d->child, LEAVE_MS); /* it ends when it sees the socket closed */
        process_forget(d);
        if (d->timer)
                uv_close((uv_handle_t *)d->timer, on_timer_closed);
        if (d->x != MAP_FAILED)
                munmap(d->x, sizeof(*d->x));
        if (d->memory != -1)
                close(d->memory);
        sodium_memzero(&d->setup.keys, sizeof(d->setup.keys));
        free(d);
}

void disk_set_interval(struct disk *d, span interval)
{
        d->setup.interval = d->voter.interval = interval;
}

void disk_set_keys(struct disk *d, const struct disk_keys *keys)
{
        d->setup.keys = *keys;
}

void disk_ask(struct disk *d, const struct arbiter_question *question)
{
        disk_voter_ask(&d->voter, question);
        settle(d);
}

int disk_mail(struct disk *d, uint8_t to, const uint8_t *bytes, size_t n)
{
        if (n > DISK_MAIL_MAX)
                return -EMSGSIZE;
        memcpy(d->mail[to], bytes, n);
        d->mail_n[to] = (uint16_t)n;
        d->mail_waits[to] = true;
        /* the first goes at once; what follows within a quarter of an interval goes together */
        d->mail_due = instant_add(d->began, span_us(d->setup.interval.us / 4));
        settle(d);
        return d->works ? 0 : -EIO;
}

bool disk_works(const struct disk *d)
{
        return d->works;
}

const char *disk_describe(const struct disk *d, char *text, size_t size)
{
        char took[SPAN_TEXT];

        if (d->works)
                snprintf(text, size, "%s answers in %s", d->device,
                         span_format(span_us(d->voter.took.us / 100 * 100), took));
        else
                snprintf(text, size, "%s %s", d->device, d->text);
        return text;
}
