/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * espdfu-engine: flashes one board, or sends it from run-time mode to DFU mode, and says how that ended. Started by
 * espdfud, one process a board, so that a hub, a kernel call or a descriptor that goes wrong costs one board.
 * What it needs is open before it hears the first byte of a board, and no more than that is left to it: engine/confine.h.
 * Exit status: 0 when the verdict is `flashed` or `detached`, 1 for any other, 2 for wrong arguments.
 * With --probe it asks a board what it is and writes the answers, for espdfuctl; see engine/probe.h.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "engine/confine.h"
#include "engine/download.h"
#include "engine/probe.h"

struct arguments {
        struct board_wanted wanted;
        int image_fd, channel_fd;
        bool reset;
        bool probe, detach, upload;
};

static void print_help(void)
{
        puts("Usage: espdfu-engine --node NODE --image-fd FD --channel-fd FD [OPTION…]\n"
             "       espdfu-engine --probe --node NODE [--expect VID:PID] [--detach] [--upload]\n"
             "Flashes one board over USB DFU, or asks it what it is. Started by espdfud and espdfuctl;\n"
             "see espdfu-engine(8).\n"
             "\n"
             "  --node NODE       the board's device node, /dev/bus/usb/BBB/DDD\n"
             "  --image-fd FD     the image, a sealed memfd\n"
             "  --channel-fd FD   a SOCK_SEQPACKET socket to the daemon\n"
             "  --expect VID:PID  leave any other device on the node alone\n"
             "  --any             any DFU 1.1 device, not the mask ROM alone\n"
             "  --reset           reset the board after it was flashed\n"
             "  --probe           write nothing to the board; its answers, one a line, on stdout\n"
             "  --detach          with --probe: send a board in run-time mode to DFU mode in the end\n"
             "  --upload          with --probe: ask also what reads flash\n"
             "  --help, --version");
}

/* A descriptor number that the daemon left open, or -1. */
static int parse_fd(const char *text)
{
        char *end;
        long fd = strtol(text, &end, 10);

        return *text && !*end && fd > STDERR_FILENO && fd < 1024 ? (int)fd : -1;
}

/* Of flashing and of probing no option belongs to the other. */
static bool are_sound(const struct arguments *a)
{
        if (!a->wanted.node)
                return false;
        if (a->probe)
                return a->image_fd < 0 && a->channel_fd < 0 && !a->reset && !a->wanted.any;
        return a->image_fd >= 0 && a->channel_fd >= 0 && !a->detach && !a->upload;
}

/* Returns 0; 1 where nothing is left to do; -EINVAL. */
static int parse_arguments(int argc, char **argv, struct arguments *ret)
{
        enum {
                NODE = 256,
                IMAGE_FD,
                CHANNEL_FD,
                EXPECT,
                ANY,
                RESET,
                PROBE,
                DETACH,
                UPLOAD,
                SHOW_HELP,
                SHOW_VERSION
        };
        static const struct option options[] = {
                { "node", required_argument, NULL, NODE },
                { "image-fd", required_argument, NULL, IMAGE_FD },
                { "channel-fd", required_argument, NULL, CHANNEL_FD },
                { "expect", required_argument, NULL, EXPECT },
                { "any", no_argument, NULL, ANY },
                { "reset", no_argument, NULL, RESET },
                { "probe", no_argument, NULL, PROBE },
                { "detach", no_argument, NULL, DETACH },
                { "upload", no_argument, NULL, UPLOAD },
                { "help", no_argument, NULL, SHOW_HELP },
                { "version", no_argument, NULL, SHOW_VERSION },
                { 0 },
        };
        struct arguments a = { .image_fd = -1, .channel_fd = -1 };
        int c;

        while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
                switch (c) {
                case NODE:
                        a.wanted.node = optarg;
                        break;
                case IMAGE_FD:
                        a.image_fd = parse_fd(optarg);
                        break;
                case CHANNEL_FD:
                        a.channel_fd = parse_fd(optarg);
                        break;
                case EXPECT:
                        a.wanted.vid_pid = optarg;
                        break;
                case ANY:
                        a.wanted.any = true;
                        break;
                case RESET:
                        a.reset = true;
                        break;
                case PROBE:
                        a.probe = true;
                        break;
                case DETACH:
                        a.detach = true;
                        break;
                case UPLOAD:
                        a.upload = true;
                        break;
                case SHOW_HELP:
                        print_help();
                        return 1;
                case SHOW_VERSION:
                        puts("espdfu-engine " PACKAGE_VERSION);
                        return 1;
                default:
                        return -EINVAL;
                }
        }
        if (optind < argc || !are_sound(&a)) {
                fprintf(stderr, "espdfu-engine: expected --node, --image-fd and --channel-fd (descriptors "
                                "above 2), or --probe and --node, and nothing else; see --help\n");
                return -EINVAL;
        }
        *ret = a;
        return 0;
}

/* SIGTERM becomes readable. Returns the descriptor, or a negative errno. */
static int catch_signals(void)
{
        sigset_t set;
        int fd;

        sigemptyset(&set);
        sigaddset(&set, SIGTERM);
        sigaddset(&set, SIGINT);
        if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
                return -errno;
        fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        return fd < 0 ? -errno : fd;
}

static void reset_flashed(struct board *board, struct channel *channel, struct engine_message *message)
{
        message->phase = PHASE_RESETTING;
        channel_progress(channel, message, USEC_INFINITY);
        if (board_reset(board) < 0)
                snprintf(message->text, sizeof(message->text), "flashed, but the reset failed");
}

/* What was inherited is closed, but for what belongs to it; the image's descriptor, too, as soon as it is mapped. */
static int take_over(const struct arguments *a, struct payload *ret, char *message)
{
        const int keep[] = { a->image_fd, a->channel_fd };
        int r = confine_close_others(keep, ARRAY_SIZE(keep));

        if (r == 0)
                r = payload_map(a->image_fd, ret, message);
        close(a->image_fd);
        return r <= 0 ? r : VERDICT_IMAGE_REFUSED;
}

/* Opens what is needed, and is confined to it before the first byte of image and board. As flash(). */
static int meet(const struct arguments *a, int channel_fd, struct payload *payload, struct board **ret,
                char *message)
{
        _cleanup_(board_freep) struct board *board = NULL;
        int r = board_open(&a->wanted, &board, message);

        /* DFU 1.1 has devices that wait for a reset after their DETACH; the ROM is none. */
        if (r == 0)
                r = board_confine(board, channel_fd, -1, a->reset || a->wanted.any, payload->file_size,
                                  message);
        if (r != 0)
                return r;
        payload_plan(payload, message);
        r = board_claim(board, &a->wanted, message);
        if (r != 0)
                return r;
        *ret = take_ptr(board);
        return 0;
}

/* Returns a verdict, or a negative errno; message says more in either case. */
static int flash(const struct arguments *a, struct channel *channel, struct engine_message *message)
{
        _cleanup_(payload_unmap) struct payload payload = { 0 };
        _cleanup_(board_freep) struct board *board = NULL;
        _cleanup_(download_freep) struct download
                *download = NULL; /* goes first: its transfers are the board's */
        const struct dfu *dfu;
        int signal_fd, r;

        r = take_over(a, &payload, message->text);
        if (r != 0)
                return r;
        signal_fd = catch_signals();
        if (signal_fd < 0)
                return signal_fd;
        r = meet(a, channel->fd, &payload, &board, message->text);
        if (r != 0)
                return r;
        if (board->is_rom && !payload.is_archive)
                return VERDICT_IMAGE_REFUSED;
        if (!payload_is_for(&payload, &board->ids)) {
                snprintf(message->text, sizeof(message->text), "image's DFU suffix is not for %04x:%04x",
                         board->ids.vid, board->ids.pid);
                return VERDICT_IMAGE_REFUSED;
        }
        r = download_new(board, &payload, channel, signal_fd, &download);
        if (r == 0)
                r = download_run(download, &dfu);
        if (r != 0)
                return r;
        memcpy(message->text, dfu->message, MIN(sizeof(message->text), sizeof(dfu->message)));
        message->bytes_done = dfu->bytes_done;
        message->bytes_total = dfu->params.size;
        message->transfers = dfu->transfers;
        message->has_status = dfu->has_status;
        message->status = dfu->status;
        if (dfu->verdict == VERDICT_FLASHED && a->reset)
                reset_flashed(board, channel, message);
        /* DFU 1.1, 5.1: one that does not detach by itself waits for a bus reset. The ROM does not. */
        if (dfu->verdict == VERDICT_DETACHED && !(board->dfu.attributes & DFU_WILL_DETACH))
                board_reset(board);
        return dfu->verdict;
}

/* Whatever the board is, it is told what it says: so any is taken. The exit status. */
static int probe(const struct arguments *a)
{
        struct probe_order order = { .wanted = a->wanted, .detach = a->detach, .upload = a->upload };
        char message[BOARD_MESSAGE_MAX] = "";
        int r;

        order.wanted.any = true;
        r = confine_close_others(NULL, 0);
        if (r == 0)
                r = probe_run(&order, stdout, message);
        if (r == 0)
                return 0;
        fprintf(stderr, "espdfu-engine: %s\n", r > 0 ? message : strerror(-r));
        return 1;
}

int main(int argc, char **argv)
{
        struct engine_message message = { .phase = PHASE_DOWNLOADING, .quiet_usec = CHANNEL_QUIET_MARGIN };
        struct arguments arguments;
        struct channel channel;
        int r;

        r = parse_arguments(argc, argv, &arguments);
        if (r != 0)
                return r < 0 ? 2 : 0;
        if (arguments.probe)
                return probe(&arguments);
        r = channel_init(&channel, arguments.channel_fd);
        if (r < 0) {
                fprintf(stderr, "espdfu-engine: --channel-fd %d: %s\n", arguments.channel_fd, strerror(-r));
                return 2;
        }
        r = flash(&arguments, &channel, &message);
        if (r < 0) {
                snprintf(message.text, sizeof(message.text), "engine: %s", strerror(-r));
                r = VERDICT_ENGINE_FAILED;
        }
        message.verdict = (enum verdict)r;
        if (channel_verdict(&channel, &message) < 0)
                return 1;
        return message.verdict == VERDICT_FLASHED || message.verdict == VERDICT_DETACHED ? 0 : 1;
}
