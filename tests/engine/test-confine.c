/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * engine/confine: a process that confines itself as the engine does and then makes one system call, for each of them. Calls
 * are made bare, past libc. A build with sanitizers allows some more for these, and looks at the others alone.
 */
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/usbdevice_fs.h>
#include <poll.h>
#include <pwd.h>
#include <seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/confine.h"

#ifdef ESPDFU_SANITIZERS
#define SANITIZERS true
#else
#define SANITIZERS false
#endif

/* Where the confined process has its descriptors. */
enum { NODE = 3, CHANNEL, PEER, WAKES, TIMER, OTHER };

/* Ends the process: what is open is the test's own affair until here. */
static void place(int fd, int number)
{
        if (fd != number && (dup2(fd, number) != number || close(fd) < 0))
                _exit(99);
}

static void open_all(void)
{
        int pair[2];

        if (confine_close_others(NULL, 0) < 0)
                _exit(99);
        place(open("/dev/null", O_RDWR), NODE);
        if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) < 0 || pair[0] != CHANNEL || pair[1] != PEER)
                _exit(99);
        place(eventfd(0, 0), WAKES);
        place(timerfd_create(CLOCK_MONOTONIC, 0), TIMER);
        place(open("/dev/zero", O_RDWR), OTHER);
}

static void enter(bool may_reset)
{
        const struct confinement c = { .node = NODE,
                                       .channel = CHANNEL,
                                       .output = -1,
                                       .usb = { WAKES, TIMER },
                                       .n_usb = 2,
                                       .may_reset = may_reset };

        open_all();
        if (confine(&c) < 0)
                _exit(99);
}

/* ---- one call ---- */

#define ARGS 6

struct attempt {
        const char *what;
        long call;
        long args[ARGS];
};

/* Returns how the process ended, as waitpid() says; ret: what the call returned, -errno, as long as it returned. */
static int try_call(const struct attempt *a, long *ret)
{
        long *result = mmap(NULL, sizeof(*result), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        int status;
        pid_t pid;

        assert_true(result != MAP_FAILED);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                long r;

                enter(false);
                r = syscall(a->call, a->args[0], a->args[1], a->args[2], a->args[3], a->args[4], a->args[5]);
                *result = r < 0 ? -errno : r;
                syscall(SYS_exit_group, 0); /* no look for leaks: it was somebody else's process */
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (ret)
                *ret = *result;
        munmap(result, sizeof(*result));
        return status;
}

static void expect_ends(const struct attempt *a)
{
        int status = try_call(a, NULL);

        if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
                fail_msg("%s: expected SIGSYS, wait status is %#x", a->what, (unsigned)status);
        if (WCOREDUMP(status))
                fail_msg("%s: left a core", a->what);
}

static void expect_returns(const struct attempt *a, long expected)
{
        long ret = 0;
        int status = try_call(a, &ret);

        if (status != 0)
                fail_msg("%s: expected to go on, wait status is %#x", a->what, (unsigned)status);
        if (ret != expected)
                fail_msg("%s: expected %ld, got %ld", a->what, expected, ret);
}

/* ---- what ends it ---- */

#define STRING(text) (long)(text)

static void test_what_opens_starts_or_reaches_ends_the_engine(void **state)
{
        static const struct sockaddr_un station = { .sun_family = AF_UNIX,
                                                    .sun_path = "/run/espdfu/io.espdfu.Station1" };
        static char *const argv[] = { (char *)"true", NULL };
        static char buffer[256];
        long parent = getpid();
        const struct attempt attempts[] = {
#ifndef ESPDFU_SANITIZERS
#ifdef SYS_open
                { "open", SYS_open, { STRING("/etc/passwd"), O_RDONLY } },
#endif
                { "openat", SYS_openat, { AT_FDCWD, STRING("/etc/passwd"), O_RDONLY } },
                { "clone", SYS_clone, { SIGCHLD } },
                { "ptrace", SYS_ptrace, { PTRACE_ATTACH, parent } },
                { "prctl", SYS_prctl, { PR_SET_DUMPABLE, 1 } },
                { "a signal to itself by tgkill", SYS_tgkill, { parent, parent, SIGTERM } },
                { "mprotect", SYS_mprotect, { 0, 4096, PROT_READ } },
                { "statx", SYS_statx, { AT_FDCWD, STRING("/etc/passwd"), 0, 0, STRING(buffer) } },
                { "executable memory",
                  SYS_mmap,
                  { 0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0 } },
                { "shared memory",
                  SYS_mmap,
                  { 0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0 } },
                { "a mapped file", SYS_mmap, { 0, 4096, PROT_READ, MAP_PRIVATE, OTHER, 0 } },
                { "reading what is not the board's", SYS_read, { OTHER, STRING(buffer), 1 } },
                { "reading stdin", SYS_read, { 0, STRING(buffer), 1 } },
                { "waiting for others' futexes", SYS_futex, { STRING(buffer), FUTEX_WAKE, 1 } },
#endif
                { "openat2", SYS_openat2, { AT_FDCWD, STRING("/etc/passwd"), STRING(buffer), 24 } },
                { "open_by_handle_at", SYS_open_by_handle_at, { AT_FDCWD, STRING(buffer), 0 } },
                { "memfd_create", SYS_memfd_create, { STRING("x"), 0 } },
                { "pipe2", SYS_pipe2, { STRING(buffer), 0 } },
                { "dup", SYS_dup, { NODE } },
                { "fcntl", SYS_fcntl, { NODE, F_DUPFD, 0 } },
                { "unlinkat", SYS_unlinkat, { AT_FDCWD, STRING("/nowhere"), 0 } },
                { "renameat2",
                  SYS_renameat2,
                  { AT_FDCWD, STRING("/nowhere"), AT_FDCWD, STRING("/nowhere2"), 0 } },
                { "ftruncate", SYS_ftruncate, { OTHER, 0 } },
                { "chdir", SYS_chdir, { STRING("/tmp") } },
                { "socket", SYS_socket, { AF_INET, SOCK_STREAM, 0 } },
                { "a local socket", SYS_socket, { AF_UNIX, SOCK_STREAM, 0 } },
                { "socketpair", SYS_socketpair, { AF_UNIX, SOCK_STREAM, 0, STRING(buffer) } },
                { "connect", SYS_connect, { CHANNEL, STRING(&station), sizeof(station) } },
                { "bind", SYS_bind, { CHANNEL, STRING(&station), sizeof(station) } },
                { "listen", SYS_listen, { CHANNEL, 1 } },
                { "sendmsg (a descriptor could go along)", SYS_sendmsg, { CHANNEL, STRING(buffer), 0 } },
                { "recvmsg (a descriptor could come along)", SYS_recvmsg, { CHANNEL, STRING(buffer), 0 } },
                { "recvfrom", SYS_recvfrom, { CHANNEL, STRING(buffer), 1, MSG_DONTWAIT } },
                { "sending to another socket", SYS_sendto, { PEER, STRING(buffer), 1 } },
                { "execve", SYS_execve, { STRING("/bin/true"), STRING(argv), 0 } },
                { "execveat", SYS_execveat, { AT_FDCWD, STRING("/bin/true"), STRING(argv), 0, 0 } },
#ifdef SYS_fork
                { "fork", SYS_fork, { 0 } },
                { "vfork", SYS_vfork, { 0 } },
#endif
                { "clone3", SYS_clone3, { STRING(buffer), 64 } },
                { "unshare", SYS_unshare, { 0 } },
                { "setns", SYS_setns, { NODE, 0 } },
                { "kill: its daemon", SYS_kill, { parent, SIGKILL } },
                { "kill: itself", SYS_kill, { 0, SIGKILL } },
                { "tkill", SYS_tkill, { parent, SIGKILL } },
                { "rt_sigqueueinfo", SYS_rt_sigqueueinfo, { parent, SIGKILL, STRING(buffer) } },
                { "pidfd_open", SYS_pidfd_open, { parent, 0 } },
                { "pidfd_send_signal", SYS_pidfd_send_signal, { NODE, SIGKILL, 0, 0 } },
                { "pidfd_getfd", SYS_pidfd_getfd, { NODE, 0, 0 } },
                { "process_vm_readv",
                  SYS_process_vm_readv,
                  { parent, STRING(buffer), 1, STRING(buffer), 1, 0 } },
                { "process_vm_writev",
                  SYS_process_vm_writev,
                  { parent, STRING(buffer), 1, STRING(buffer), 1, 0 } },
                { "kcmp", SYS_kcmp, { parent, parent, 0, 0, 0 } },
                { "perf_event_open", SYS_perf_event_open, { STRING(buffer), 0, -1, -1, 0 } },
                { "mount", SYS_mount, { STRING("none"), STRING("/mnt"), STRING("tmpfs"), 0, 0 } },
                { "umount2", SYS_umount2, { STRING("/mnt"), 0 } },
                { "pivot_root", SYS_pivot_root, { STRING("/"), STRING("/") } },
                { "chroot", SYS_chroot, { STRING("/") } },
                { "bpf", SYS_bpf, { 0, STRING(buffer), sizeof(buffer) } },
                { "io_uring_setup", SYS_io_uring_setup, { 1, STRING(buffer) } },
                { "io_uring_enter", SYS_io_uring_enter, { NODE, 1, 0, 0, 0, 0 } },
                { "seccomp", SYS_seccomp, { 1, 0, 0 } },
                { "userfaultfd", SYS_userfaultfd, { 0 } },
                { "init_module", SYS_init_module, { STRING(buffer), 0, STRING("") } },
                { "finit_module", SYS_finit_module, { NODE, STRING(""), 0 } },
                { "keyctl", SYS_keyctl, { 0, 0, 0, 0, 0 } },
                { "add_key", SYS_add_key, { STRING("user"), STRING("x"), STRING("x"), 1, 0 } },
                { "shmget", SYS_shmget, { 0, 4096, 0600 } },
                { "mq_open", SYS_mq_open, { STRING("x"), O_CREAT, 0600, 0 } },
                { "setuid", SYS_setuid, { 0 } },
                { "prlimit64", SYS_prlimit64, { 0, RLIMIT_NOFILE, STRING(buffer), 0 } },
                { "setpriority", SYS_setpriority, { PRIO_PROCESS, 0, -20 } },
                { "sched_setscheduler", SYS_sched_setscheduler, { 0, 1, STRING(buffer) } },
                { "settimeofday", SYS_settimeofday, { STRING(buffer), 0 } },
                { "uname", SYS_uname, { STRING(buffer) } },
                { "writing to what is not its own", SYS_write, { OTHER, STRING(buffer), 1 } },
                { "writing to the node", SYS_write, { NODE, STRING(buffer), 1 } },
                { "writing to the channel", SYS_write, { CHANNEL, STRING(buffer), 1 } },
                { "writing to stdout", SYS_write, { 1, STRING(buffer), 1 } },
                { "pwrite64", SYS_pwrite64, { OTHER, STRING(buffer), 1, 0 } },
                { "sendfile", SYS_sendfile, { NODE, OTHER, 0, 1 } },
                { "splice", SYS_splice, { OTHER, 0, NODE, 0, 1, 0 } },
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(attempts); i++)
                expect_ends(&attempts[i]);
}

static void test_what_is_no_request_of_its_board_ends_the_engine(void **state)
{
        static struct usbdevfs_ioctl inner = { .ifno = 0, .ioctl_code = USBDEVFS_DISCONNECT };
        static unsigned one = 1;
        const struct attempt attempts[] = {
                { "a request on another descriptor",
                  SYS_ioctl,
                  { OTHER, USBDEVFS_SUBMITURB, STRING(&inner) } },
                { "a request on the channel", SYS_ioctl, { CHANNEL, USBDEVFS_GET_SPEED } },
                { "USBDEVFS_IOCTL: DISCONNECT, a driver is thrown out",
                  SYS_ioctl,
                  { NODE, USBDEVFS_IOCTL, STRING(&inner) } },
                { "USBDEVFS_DISCONNECT_CLAIM",
                  SYS_ioctl,
                  { NODE, USBDEVFS_DISCONNECT_CLAIM, STRING(&inner) } },
                { "USBDEVFS_SETCONFIGURATION", SYS_ioctl, { NODE, USBDEVFS_SETCONFIGURATION, STRING(&one) } },
                { "USBDEVFS_RESET, unless asked for", SYS_ioctl, { NODE, USBDEVFS_RESET } },
                { "USBDEVFS_BULK", SYS_ioctl, { NODE, USBDEVFS_BULK, STRING(&inner) } },
                { "USBDEVFS_REAPURB, which waits", SYS_ioctl, { NODE, USBDEVFS_REAPURB, STRING(&inner) } },
                { "USBDEVFS_CLAIM_PORT", SYS_ioctl, { NODE, USBDEVFS_CLAIM_PORT, STRING(&one) } },
                { "USBDEVFS_RELEASE_PORT", SYS_ioctl, { NODE, USBDEVFS_RELEASE_PORT, STRING(&one) } },
                { "USBDEVFS_DISCSIGNAL", SYS_ioctl, { NODE, USBDEVFS_DISCSIGNAL, STRING(&inner) } },
                { "USBDEVFS_ALLOC_STREAMS", SYS_ioctl, { NODE, USBDEVFS_ALLOC_STREAMS, STRING(&inner) } },
                { "TIOCSTI", SYS_ioctl, { 0, TIOCSTI, STRING("x") } },
                { "FIONBIO", SYS_ioctl, { NODE, FIONBIO, STRING(&one) } },
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(attempts); i++)
                expect_ends(&attempts[i]);
}

/* uretprobe and uprobe of x86-64: the kernel asks no filter for them, and they do nothing but where it put them itself. */
static bool is_asked_for(int call)
{
#ifdef __x86_64__
        return call != 335 && call != 336;
#else
        (void)call;
        return true;
#endif
}

/* The test's own list of what may be called, all arguments 0. Those that look at their arguments do not let that pass. */
static bool may_be_called(const char *name)
{
        static const char *const names[] = {
                "brk",
                "clock_gettime",
                "clock_gettime64",
                "close",
                "exit",
                "exit_group",
                "getpid",
                "gettid",
                "gettimeofday",
                "mremap",
                "munmap",
                "poll",
                "ppoll",
                "ppoll_time64",
                "readlink",
                "readlinkat",
                "restart_syscall",
                "rt_sigprocmask",
                "time",
        };

        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                if (streq(names[i], name))
                        return true;
        return false;
}

static void test_every_other_call_of_this_machine_ends_the_engine(void **state)
{
        unsigned n = 0;

        (void)state;
        if (SANITIZERS)
                skip();
        for (int call = 0; call < 1024; call++) {
                char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, call);
                const struct attempt attempt = { .what = name, .call = call };

                /* One that libseccomp does not know yet is none that the engine may call. */
                if (is_asked_for(call) && (!name || !may_be_called(name))) {
                        expect_ends(name ? &attempt
                                         : &(struct attempt){ .what = "a new call", .call = call });
                        n += name != NULL;
                }
                free(name);
        }
        assert_true(n > 250);
}

#ifdef __x86_64__
/* The other tables of the same kernel: their numbers mean something else. */
static void test_calls_by_the_32_bit_table_end_the_engine(void **state)
{
        const struct attempt x32 = { .what = "getpid by x32", .call = 0x40000000 | SYS_getpid };
        int status;
        pid_t pid;

        (void)state;
        expect_ends(&x32);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                long r;

                enter(false);
                __asm__ volatile("int $0x80" : "=a"(r) : "a"(20L) : "memory"); /* getpid */
                syscall(SYS_exit_group, 0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), SIGSYS);
}
#endif

/* ---- what it needs ---- */

static void test_what_the_engine_needs_works(void **state)
{
        static const uint64_t one = 1;
        static const struct itimerspec soon = { .it_value.tv_nsec = 1 };
        static char buffer[256];
        const struct attempt node = { "reading the node", SYS_read, { NODE, STRING(buffer), 18 } };
        const struct attempt wake = { "waking libusb", SYS_write, { WAKES, STRING(&one), sizeof(one) } };
        const struct attempt timer = { "libusb's timer",
                                       SYS_timerfd_settime,
                                       { TIMER, 0, STRING(&soon), 0 } };
        const struct attempt tell = { "telling the daemon",
                                      SYS_sendto,
                                      { CHANNEL, STRING("x"), 1, MSG_NOSIGNAL } };
        const struct attempt errors = { "saying an error", SYS_write, { 2, STRING(""), 0 } };
        const struct attempt link = { "asking for a name",
                                      SYS_readlinkat,
                                      { AT_FDCWD, STRING("/proc/self/fd/3"), STRING(buffer), 256 } };
        const struct attempt memory = { "giving memory back", SYS_munmap, { 0x10000, 4096 } };
#ifndef ESPDFU_SANITIZERS
        const struct attempt move = { "having memory moved",
                                      SYS_mremap,
                                      { 0x10000, 4096, 8192, MREMAP_MAYMOVE } };
#endif
        static const unsigned long requests[] = {
                USBDEVFS_GET_CAPABILITIES, USBDEVFS_CONNECTINFO,     USBDEVFS_GET_SPEED,
                USBDEVFS_CONTROL,          USBDEVFS_CLAIMINTERFACE,  USBDEVFS_SETINTERFACE,
                USBDEVFS_RELEASEINTERFACE, USBDEVFS_DROP_PRIVILEGES, USBDEVFS_SUBMITURB,
                USBDEVFS_DISCARDURB,       USBDEVFS_REAPURBNDELAY,
        };

        (void)state;
        expect_returns(&node, 0);
        expect_returns(&wake, sizeof(one));
        expect_returns(&timer, 0);
        expect_returns(&tell, 1);
        expect_returns(&errors, 0);
        expect_returns(&link, -EACCES);
        expect_returns(&memory, 0);
#ifndef ESPDFU_SANITIZERS
        expect_returns(&move, -ENOMEM);
#endif
        for (size_t i = 0; i < ARRAY_SIZE(requests);
             i++) /* the node is /dev/null: the kernel, not the filter, refuses */
                expect_returns(&(struct attempt){ "a request",
                                                  SYS_ioctl,
                                                  { NODE, (long)requests[i], STRING(buffer) } },
                               -ENOTTY);
}

/* Runs what in a confined process, and returns how that ended. */
static int in_confinement(bool may_reset, void (*what)(void))
{
        int status;
        pid_t pid = fork();

        assert_true(pid >= 0);
        if (pid == 0) {
                enter(may_reset);
                what();
                syscall(SYS_exit_group, 0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        return status;
}

static void reset(void)
{
        if (ioctl(NODE, USBDEVFS_RESET, NULL) == 0 || errno != ENOTTY)
                _exit(1);
}

static void test_a_reset_is_possible_where_it_was_asked_for(void **state)
{
        (void)state;
        assert_int_equal(in_confinement(true, reset), 0);
}

/* What malloc and printf do, with all that libc does behind them. */
static void live(void)
{
        void *blocks[64];
        char text[64];
        struct pollfd fds[] = { { .fd = CHANNEL, .events = POLLIN }, { .fd = WAKES, .events = POLLIN } };

        for (size_t i = 0; i < ARRAY_SIZE(blocks); i++) {
                blocks[i] = malloc(i * 10000);
                blocks[i] = blocks[i] ? realloc(blocks[i], i * 12000 + 1) : NULL;
                if (!blocks[i])
                        _exit(1);
        }
        for (size_t i = 0; i < ARRAY_SIZE(blocks); i++)
                free(blocks[i]);
        snprintf(text, sizeof(text), "%s %f", strerror(ENODEV), 1.5);
        if (poll(fds, 2, 0) != 0 || ppoll(fds, 2, &(struct timespec){ .tv_nsec = 1000 }, NULL) != 0)
                _exit(1);
}

static void test_memory_text_and_waiting_work(void **state)
{
        (void)state;
        assert_int_equal(in_confinement(false, live), 0);
}

/* A bug that libc or the compiler notices is not taken for a call that is forbidden. */
static void test_an_abort_is_an_abort(void **state)
{
        int status;

        (void)state;
        status = in_confinement(false, abort);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), SIGABRT);
        assert_false(WCOREDUMP(status));
}

/* ---- limits ---- */

/* As much as there is. */
static void take_all_memory(void)
{
        size_t taken = 0;

        while (mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED)
                taken += MIB;
        if (taken == 0 || taken > CONFINE_DATA_MAX)
                _exit(1);
}

/* It is none, and yet each of them would have its page tables. */
static void take_all_addresses(int protection)
{
        size_t taken = 0;

        while (taken <= CONFINE_SPACE_MAX &&
               mmap(NULL, MIB, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED)
                taken += MIB;
        if (taken == 0 || taken > CONFINE_SPACE_MAX)
                _exit(1);
}

static void take_all_that_is_read(void)
{
        take_all_addresses(PROT_READ);
}

static void take_all_that_is_reserved(void)
{
        take_all_addresses(PROT_NONE);
}

static void take_both(void)
{
        take_all_that_is_read();
        if (mmap(NULL, MIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED)
                _exit(1);
}

static const char shared_text[4096] __attribute__((aligned(4096))) = "what is mapped once";

static void double_a_mapping(void)
{
        if (mremap((void *)(uintptr_t)shared_text, 0, 4096, MREMAP_MAYMOVE) != MAP_FAILED)
                _exit(1);
}

static void test_memory_has_an_end(void **state)
{
        (void)state;
        if (SANITIZERS)
                skip();
        assert_int_equal(in_confinement(false, take_all_memory), 0);
}

static void test_what_can_only_be_read_and_what_is_reserved_have_an_end(void **state)
{
        (void)state;
        if (SANITIZERS)
                skip();
        assert_int_equal(in_confinement(false, take_all_that_is_read), 0);
        assert_int_equal(in_confinement(false, take_all_that_is_reserved), 0);
        assert_int_equal(in_confinement(false, take_both), 0);
        assert_int_equal(in_confinement(false, double_a_mapping), 0);
}

static char *read_proc(pid_t pid, const char *file)
{
        char path[64], *text = calloc(1, 8192);
        FILE *f;

        snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
        f = fopen(path, "re");
        assert_non_null(f);
        assert_true(fread(text, 1, 8191, f) > 0);
        fclose(f);
        return text;
}

static void expect_line(const char *text, const char *line)
{
        if (!strstr(text, line))
                fail_msg("expected \"%s\" in\n%s", line, text);
}

static void test_others_of_its_user_cannot_look_into_it(void **state)
{
        int ready[2], status;
        char path[64], byte, *text;
        struct stat st;
        pid_t pid;

        (void)state;
        assert_int_equal(pipe(ready), 0);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                if (geteuid() == 0 && setuid(65534) < 0)
                        _exit(99);
                if (dup2(ready[1], 1) < 0)
                        _exit(99);
                /* As where the engine says answers: its stdout tells that it is confined. */
                const struct confinement c = { .node = NODE, .channel = -1, .output = 1 };

                open_all();
                if (confine(&c) < 0 || write(1, "x", 1) != 1)
                        _exit(99);
                poll(NULL, 0, -1);
        }
        close(ready[1]);
        assert_int_equal(read(ready[0], &byte, 1), 1);
        close(ready[0]);
        /* A process that is not dumpable is root's in /proc, whoever runs it. */
        snprintf(path, sizeof(path), "/proc/%d/mem", pid);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_uid, 0);
        text = read_proc(pid, "status");
        expect_line(text, "NoNewPrivs:\t1\n");
        expect_line(text, "Seccomp:\t2\n");
        free(text);
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, &status, 0), pid);
}

/* A process that is so confined, as nobody's where that can be; its pid. */
static pid_t start_confined(const struct confinement *c)
{
        int ready[2];
        char byte;
        pid_t pid;

        assert_int_equal(pipe(ready), 0);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                if ((geteuid() == 0 && setuid(65534) < 0) || dup2(ready[1], STDERR_FILENO) < 0)
                        _exit(99);
                open_all();
                if (confine(c) < 0 || write(STDERR_FILENO, "x", 1) != 1)
                        _exit(99);
                poll(NULL, 0, -1);
        }
        close(ready[1]);
        assert_int_equal(read(ready[0], &byte, 1), 1);
        close(ready[0]);
        return pid;
}

static void expect_limits(const struct confinement *c, const char *const *lines, size_t n)
{
        pid_t pid = start_confined(c);
        char *text = read_proc(pid, "limits");
        int status;

        for (size_t i = 0; i < n; i++)
                expect_line(text, lines[i]);
        free(text);
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, &status, 0), pid);
}

static void test_limits_are_those_of_its_image(void **state)
{
        const struct {
                size_t image;
                const char *line;
        } times[] = {
                { 1, "Max cpu time              73                   83 " },
                { MIB, "Max cpu time              73                   83 " },
                { MIB + 1, "Max cpu time              86                   96 " },
                { 64 * MIB, "Max cpu time              892                  902 " },
                { SIZE_MAX, "Max cpu time              900                  910 " },
                { 0, "Max cpu time              900                  910 " },
        };
        static const char *const always[] = {
                "Max core file size        0                    0 ",
                "Max processes             0                    0 ",
                "Max open files            8                    8 ",
                "Max locked memory         0                    0 ",
                "Max file size             0                    0 ",
                "Max stack size            8388608              8388608 ",
        };
        struct confinement c = {
                .node = NODE, .channel = CHANNEL, .output = -1, .usb = { WAKES, TIMER }, .n_usb = 2
        };

        (void)state;
        if (geteuid() != 0) /* nobody else may read them */
                skip();
        expect_limits(&c, always, ARRAY_SIZE(always));
        for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
                c.image_size = times[i].image;
                expect_limits(&c, &times[i].line, 1);
        }
}

static void test_what_was_inherited_is_closed_but_for_what_is_named(void **state)
{
        int status;
        pid_t pid = fork();

        (void)state;
        assert_true(pid >= 0);
        if (pid == 0) {
                const int keep[] = { 20, 7 };

                for (int fd = 3; fd < 40; fd++)
                        dup2(2, fd);
                if (confine_close_others(keep, ARRAY_SIZE(keep)) < 0)
                        _exit(1);
                for (int fd = 0; fd < 40; fd++)
                        if ((fcntl(fd, F_GETFD) >= 0) != (fd < 3 || fd == 7 || fd == 20))
                                _exit(2);
                _exit(0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_opens_starts_or_reaches_ends_the_engine),
                cmocka_unit_test(test_what_is_no_request_of_its_board_ends_the_engine),
                cmocka_unit_test(test_every_other_call_of_this_machine_ends_the_engine),
#ifdef __x86_64__
                cmocka_unit_test(test_calls_by_the_32_bit_table_end_the_engine),
#endif
                cmocka_unit_test(test_what_the_engine_needs_works),
                cmocka_unit_test(test_a_reset_is_possible_where_it_was_asked_for),
                cmocka_unit_test(test_memory_text_and_waiting_work),
                cmocka_unit_test(test_an_abort_is_an_abort),
                cmocka_unit_test(test_memory_has_an_end),
                cmocka_unit_test(test_what_can_only_be_read_and_what_is_reserved_have_an_end),
                cmocka_unit_test(test_others_of_its_user_cannot_look_into_it),
                cmocka_unit_test(test_limits_are_those_of_its_image),
                cmocka_unit_test(test_what_was_inherited_is_closed_but_for_what_is_named),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
