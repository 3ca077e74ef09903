/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Stands in for espdfu-engine where the daemon is what is measured: its command line, its messages at its pace
 * (engine/channel.c), its answer to SIGTERM and to a daemon that is gone, and no USB. It plays one download:
 *
 *      ENGINE_REPLAY_BYTES        how much; default: the image without its suffix
 *      ENGINE_REPLAY_RATE         bytes per second; default: 60000
 *      ENGINE_REPLAY_VERIFY_MSEC  default: 200
 *      ENGINE_REPLAY_VERDICT      a word of core/verdict.c; default: flashed
 *
 * A board in run-time mode is not detached: plug in boards that are in DFU mode.
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <time.h>

#include "core/dfu-suffix.h"
#include "engine/channel.h"

#define BLOCK        64u
#define STATUS_EVERY 256u /* blocks, as the engine has it */

struct replay {
        struct channel channel;
        int signal_fd;
        uint64_t bytes, rate, verify_usec;
        enum verdict verdict;
};

static uint64_t now_usec(void)
{
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t)ts.tv_sec * USEC_PER_SEC + (uint64_t)ts.tv_nsec / 1000;
}

static uint64_t number_of(const char *name, uint64_t otherwise)
{
        const char *text = getenv(name);

        return text ? strtoull(text, NULL, 10) : otherwise;
}

static int number(const char *text)
{
        return (int)strtol(text, NULL, 10);
}

/* The value that stands behind --NAME, or NULL. */
static const char *option(int argc, char **argv, const char *name)
{
        for (int i = 1; i + 1 < argc; i++)
                if (streq(argv[i], name))
                        return argv[i + 1];
        return NULL;
}

static int open_signals(void)
{
        sigset_t set;

        sigemptyset(&set);
        sigaddset(&set, SIGTERM);
        sigaddset(&set, SIGINT);
        sigprocmask(SIG_BLOCK, &set, NULL);
        return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int prepare(int argc, char **argv, struct replay *ret)
{
        const char *channel = option(argc, argv, "--channel-fd"), *image = option(argc, argv, "--image-fd"),
                   *verdict = getenv("ENGINE_REPLAY_VERDICT");
        struct stat st;
        int v = verdict ? verdict_from_string(verdict) : VERDICT_FLASHED;

        if (!channel || !image || !option(argc, argv, "--node") || v < 0 || fstat(number(image), &st) < 0 ||
            st.st_size <= DFU_SUFFIX_SIZE || channel_init(&ret->channel, number(channel)) < 0) {
                fprintf(stderr, "engine-replay: expected what espdfud tells espdfu-engine\n");
                return -EINVAL;
        }
        ret->verdict = (enum verdict)v;
        ret->bytes = number_of("ENGINE_REPLAY_BYTES", (uint64_t)st.st_size - DFU_SUFFIX_SIZE);
        ret->rate = MAX(number_of("ENGINE_REPLAY_RATE", 60000), 1u);
        ret->verify_usec = number_of("ENGINE_REPLAY_VERIFY_MSEC", 200) * USEC_PER_MSEC;
        ret->signal_fd = open_signals();
        return ret->signal_fd < 0 ? -errno : 0;
}

/* Where the download stands so long after its begin. Returns whether it is over. */
static bool look(const struct replay *replay, uint64_t elapsed_usec, struct engine_message *ret)
{
        uint64_t sent_usec = replay->bytes * USEC_PER_SEC / replay->rate;
        uint64_t done = elapsed_usec >= sent_usec
                                ? replay->bytes
                                : elapsed_usec * replay->rate / USEC_PER_SEC / BLOCK * BLOCK;
        uint64_t blocks = (done + BLOCK - 1) / BLOCK;

        *ret = (struct engine_message){
                .phase = done < replay->bytes ? PHASE_DOWNLOADING : PHASE_VERIFYING,
                .bytes_done = done,
                .bytes_total = replay->bytes,
                .transfers = 1 + blocks + blocks / STATUS_EVERY,
                .quiet_usec = CHANNEL_QUIET_MARGIN,
        };
        return elapsed_usec >= sent_usec + replay->verify_usec;
}

/* Whether somebody told it to stop, within the time that one message has. */
static bool is_stopped(const struct replay *replay)
{
        struct pollfd fds[] = { { .fd = replay->signal_fd, .events = POLLIN },
                                { .fd = replay->channel.fd, .events = POLLIN } };

        return poll(fds, ARRAY_SIZE(fds), CHANNEL_INTERVAL / USEC_PER_MSEC) > 0;
}

static enum verdict play(struct replay *replay, struct engine_message *message)
{
        uint64_t start = now_usec();

        for (;;) {
                uint64_t now = now_usec();

                if (look(replay, now - start, message))
                        return replay->verdict;
                channel_progress(&replay->channel, message, now);
                if (is_stopped(replay))
                        return VERDICT_CANCELLED;
        }
}

int main(int argc, char **argv)
{
        struct engine_message message = { 0 };
        struct replay replay = { 0 };

        if (prepare(argc, argv, &replay) < 0)
                return 2;
        message.verdict = play(&replay, &message);
        if (channel_verdict(&replay.channel, &message) < 0)
                return 1;
        return message.verdict == VERDICT_FLASHED ? 0 : 1;
}
