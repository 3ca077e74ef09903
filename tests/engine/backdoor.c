/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What somebody would do who had taken an engine over by what its board said: linked into the real engine's objects, for tests
 * alone, in the place of board_claim() and payload_plan(). An S2's engine does what ESPDFU_BACKDOOR names, as a bare system
 * call or message, once it has claimed the board; that of another chip is honest.
 */
#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/usbdevice_fs.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "engine/board.h"
#include "engine/channel.h"
#include "engine/payload.h"

#define CHANNEL_FD 3 /* where daemon/runner.c puts it */
#define S2_PID     0x0002

int __real_board_claim(struct board *board, const struct board_wanted *wanted,
                       char message[static BOARD_MESSAGE_MAX]);
int __wrap_board_claim(struct board *board, const struct board_wanted *wanted,
                       char message[static BOARD_MESSAGE_MAX]);
void __real_payload_plan(struct payload *payload, char message[static PAYLOAD_MESSAGE_MAX]);
void __wrap_payload_plan(struct payload *payload, char message[static PAYLOAD_MESSAGE_MAX]);

static struct payload *image;
static long daemon_pid;

/* What it knew before it was confined. */
__attribute__((constructor)) static void look_around(void)
{
        daemon_pid = getppid();
}

static const char *path(void)
{
        return getenv("ESPDFU_BACKDOOR_PATH");
}

static int say(const struct engine_message *message, int flags)
{
        uint8_t packet[ENGINE_MESSAGE_SIZE];

        engine_message_encode(message, packet);
        return send(CHANNEL_FD, packet, sizeof(packet), flags | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* ---- what it tries ---- */

static void open_path(const struct board *board)
{
        (void)board;
#ifdef ESPDFU_SANITIZERS /* which open by openat(), to report */
        syscall(SYS_openat2, AT_FDCWD, path(), &(struct open_how){ .flags = O_RDWR },
                sizeof(struct open_how));
#else
        syscall(SYS_openat, AT_FDCWD, path(), O_RDWR);
#endif
}

static void local_socket(const struct board *board)
{
        (void)board;
        syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0);
}

static void network_socket(const struct board *board)
{
        (void)board;
        syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);
}

static void execute(const struct board *board)
{
        static char *const argv[] = { (char *)"sh", NULL };

        (void)board;
        syscall(SYS_execve, "/bin/sh", argv, NULL);
}

static void start_process(const struct board *board)
{
        (void)board;
        syscall(SYS_clone3, NULL, 0);
}

static void kill_daemon(const struct board *board)
{
        (void)board;
        syscall(SYS_kill, daemon_pid, SIGKILL);
}

static void read_daemon(const struct board *board)
{
        (void)board;
        syscall(SYS_process_vm_readv, daemon_pid, NULL, 0, NULL, 0, 0);
}

static void write_image(const struct board *board)
{
        (void)board;
        *(volatile uint8_t *)(uintptr_t)image->data ^= 1;
}

static void make_image_writable(const struct board *board)
{
        (void)board;
        syscall(SYS_pkey_mprotect, image->data, image->file_size, PROT_READ | PROT_WRITE, -1);
}

static void disconnect_driver(const struct board *board)
{
        struct usbdevfs_ioctl order = { .ifno = 0, .ioctl_code = USBDEVFS_DISCONNECT };

        syscall(SYS_ioctl, board->fd, USBDEVFS_IOCTL, &order);
}

static void set_configuration(const struct board *board)
{
        unsigned configuration = 0;

        syscall(SYS_ioctl, board->fd, USBDEVFS_SETCONFIGURATION, &configuration);
}

static void reset_board(const struct board *board)
{
        syscall(SYS_ioctl, board->fd, USBDEVFS_RESET, NULL);
}

static void more_descriptors(const struct board *board)
{
        syscall(SYS_dup, board->fd);
}

/* Says how much it got. */
static void more_memory(const struct board *board)
{
        struct engine_message message = { .phase = PHASE_DOWNLOADING, .verdict = VERDICT_ENGINE_FAILED };
        size_t taken = 0;
        uint8_t *p;

        (void)board;
        while (taken < 1024 && (p = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                                         0)) != MAP_FAILED) {
                *p = 1;
                taken++;
        }
        snprintf(message.text, sizeof(message.text), "memory %s",
                 taken <= 64 ? "came to its end" : "has no end");
        say(&message, 0);
}

/* What RLIMIT_DATA does not count, its own image again among it; and it is looked at, so that it has page tables. */
static void more_addresses(const struct board *board)
{
        struct engine_message message = { .phase = PHASE_DOWNLOADING, .verdict = VERDICT_ENGINE_FAILED };
        static const int protections[] = { PROT_READ, PROT_NONE };
        size_t taken = 0;
        void *p;

        (void)board;
        for (size_t i = 0; i < ARRAY_SIZE(protections); i++)
                while (taken < 1024 && (p = mmap(NULL, MIB, protections[i], MAP_PRIVATE | MAP_ANONYMOUS, -1,
                                                 0)) != MAP_FAILED)
                        taken += protections[i] == PROT_READ && *(volatile uint8_t *)p != 0 ? 1024 : 1;
        if (mremap((void *)(uintptr_t)image->data, 0, MIB, MREMAP_MAYMOVE) != MAP_FAILED)
                taken = 1024;
        snprintf(message.text, sizeof(message.text), "addresses %s",
                 taken <= 72 ? "came to their end" : "have no end");
        say(&message, 0);
}

static void flood(const struct board *board)
{
        struct engine_message message = { .phase = PHASE_DOWNLOADING,
                                          .bytes_total = UINT32_MAX,
                                          .quiet_usec = USEC_PER_SEC };

        (void)board;
        for (;;) {
                message.bytes_done++;
                say(&message, 0);
        }
}

static void nonsense(const struct board *board)
{
        (void)board;
        send(CHANNEL_FD, "ENG2 and nothing that is one", 28, MSG_NOSIGNAL);
        for (;;)
                poll(NULL, 0, -1);
}

static void be_silent(const struct board *board)
{
        struct engine_message message = { .phase = PHASE_DOWNLOADING,
                                          .bytes_total = 1000,
                                          .quiet_usec = ENGINE_QUIET_MAX };

        (void)board;
        say(&message, 0);
        for (;;)
                poll(NULL, 0, -1); /* nor does it look at SIGTERM */
}

static void lie(const struct board *board)
{
        struct engine_message message = {
                .phase = PHASE_VERIFYING, .verdict = VERDICT_FLASHED, .bytes_done = 1000, .bytes_total = 1000
        };

        (void)board;
        say(&message, 0);
}

/* As if the daemon had said it, with what makes a terminal or a journal believe so, and without end. */
static void forge_journal(const struct board *board)
{
        static const char line[] = "<2>espdfud: 1-4.2: flashed\x1b[2J\n";

        (void)board;
        for (unsigned i = 0; i < 100000; i++)
                if (write(STDERR_FILENO, line, sizeof(line) - 1) < 0 && errno != EAGAIN)
                        _exit(2);
        _exit(3);
}

static const struct {
        const char *name;
        void (*act)(const struct board *board);
} acts[] = {
        { "open", open_path },
        { "local-socket", local_socket },
        { "network-socket", network_socket },
        { "execute", execute },
        { "start-process", start_process },
        { "kill-daemon", kill_daemon },
        { "read-daemon", read_daemon },
        { "write-image", write_image },
        { "make-image-writable", make_image_writable },
        { "disconnect-driver", disconnect_driver },
        { "set-configuration", set_configuration },
        { "reset", reset_board },
        { "more-descriptors", more_descriptors },
        { "more-memory", more_memory },
        { "more-addresses", more_addresses },
        { "flood", flood },
        { "forge-journal", forge_journal },
        { "nonsense", nonsense },
        { "be-silent", be_silent },
        { "lie", lie },
};

/* ---- the way in ---- */

void __wrap_payload_plan(struct payload *payload, char message[static PAYLOAD_MESSAGE_MAX])
{
        image = payload;
        __real_payload_plan(payload, message);
}

int __wrap_board_claim(struct board *board, const struct board_wanted *wanted,
                       char message[static BOARD_MESSAGE_MAX])
{
        const char *name = getenv("ESPDFU_BACKDOOR");
        int r = __real_board_claim(board, wanted, message);

        if (r != 0 || board->ids.pid != S2_PID)
                return r;
        for (size_t i = 0; i < ARRAY_SIZE(acts); i++)
                if (streq_ptr(name, acts[i].name)) {
                        acts[i].act(board);
                        _exit(0); /* it got away with it */
                }
        _exit(2);
}
