/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/confine.h"

#include <limits.h>
#include <linux/futex.h>
#include <linux/net.h>
#include <linux/usbdevice_fs.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the list ---- */

/* None of them opens, starts or reaches anything. */
static const int harmless[] = {
        SCMP_SYS(brk), /* malloc; how much, RLIMIT_DATA says */
        SCMP_SYS(munmap),
        SCMP_SYS(close),
        SCMP_SYS(poll), /* the loop, and libusb's */
        SCMP_SYS(ppoll),
        SCMP_SYS(ppoll_time64),
        SCMP_SYS(restart_syscall), /* of a poll that was stopped and goes on */
        SCMP_SYS(clock_gettime),   /* where the vDSO cannot tell the time */
        SCMP_SYS(clock_gettime64),
        SCMP_SYS(gettimeofday),
        SCMP_SYS(time),
        SCMP_SYS(getpid), /* abort(); libusb's log */
        SCMP_SYS(gettid),
        SCMP_SYS(rt_sigprocmask),
        SCMP_SYS(exit),
        SCMP_SYS(exit_group),
};

/* Calls whose first argument is a descriptor, and which ones it may be. */
enum {
        NODE = 1,
        CHANNEL = 2,
        OUTPUT = 4,
        ERRORS = 8,
        USB = 16,
};

static const struct {
        int call;
        unsigned descriptors;
} by_descriptor[] = {
        { SCMP_SYS(read), NODE | USB }, /* of the node: descriptors */
        { SCMP_SYS(write), OUTPUT | ERRORS | USB },
        { SCMP_SYS(writev), ERRORS }, /* libc's last words */
        { SCMP_SYS(lseek), NODE },
        { SCMP_SYS(_llseek), NODE },
        { SCMP_SYS(sendto), CHANNEL },
        { SCMP_SYS(send), CHANNEL },
        { SCMP_SYS(timerfd_settime), USB },
        { SCMP_SYS(timerfd_settime64), USB },
};

/* Of the node alone. Where they point is not seen from here; what the kernel makes of it: docs/security.md. */
static const unsigned requests[] = {
        USBDEVFS_GET_CAPABILITIES, /* libusb takes the node */
        USBDEVFS_CONNECTINFO,      USBDEVFS_GET_SPEED,
        USBDEVFS_CONTROL,          USBDEVFS_CLAIMINTERFACE, /* the DFU interface is taken, and given back */
        USBDEVFS_SETINTERFACE,     USBDEVFS_RELEASEINTERFACE,
        USBDEVFS_DROP_PRIVILEGES, /* leaves less than there was */
        USBDEVFS_SUBMITURB,       /* transfers */
        USBDEVFS_DISCARDURB,       USBDEVFS_REAPURBNDELAY,
};

#ifdef ESPDFU_SANITIZERS
/* What reports of AddressSanitizer and LeakSanitizer, and their look for leaks at the end, need: builds for tests alone. */
static const int of_sanitizers[] = {
        SCMP_SYS(clone), /* the look for leaks: a process of its own, which stops this one */
        SCMP_SYS(ptrace),       SCMP_SYS(wait4),        SCMP_SYS(prctl),
        SCMP_SYS(getppid),      SCMP_SYS(open), /* /proc/self/maps; the program, for names in a report */
        SCMP_SYS(openat),       SCMP_SYS(read),         SCMP_SYS(lseek),
        SCMP_SYS(fstat),        SCMP_SYS(newfstatat),   SCMP_SYS(getdents),
        SCMP_SYS(getdents64),   SCMP_SYS(mmap), /* memory, and its guards */
        SCMP_SYS(mmap2),        SCMP_SYS(mprotect),     SCMP_SYS(mremap),
        SCMP_SYS(madvise),      SCMP_SYS(futex), /* signals and locks of its own */
        SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigreturn), SCMP_SYS(sigaltstack),
        SCMP_SYS(sched_yield),  SCMP_SYS(tgkill),
};
#endif

/* ---- its making ---- */

/* A call that this machine does not have is none to allow. */
static int allow(scmp_filter_ctx filter, int call, unsigned n, const struct scmp_arg_cmp *args)
{
        return call < 0 ? 0 : seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, n, args);
}

/* The kernel looks at the lower 32 bits of these arguments alone. */
static struct scmp_arg_cmp argument_is(unsigned argument, unsigned value)
{
        return (struct scmp_arg_cmp){ argument, SCMP_CMP_MASKED_EQ, UINT32_MAX, value };
}

static int allow_on(scmp_filter_ctx filter, int call, int fd)
{
        struct scmp_arg_cmp args[] = { argument_is(0, (unsigned)fd) };

        return fd < 0 ? 0 : allow(filter, call, ARRAY_SIZE(args), args);
}

static int allow_on_descriptors(scmp_filter_ctx filter, const struct confinement *c, int call,
                                unsigned descriptors)
{
        int r = 0;

        if (descriptors & NODE)
                r = allow_on(filter, call, c->node);
        if (r == 0 && descriptors & CHANNEL)
                r = allow_on(filter, call, c->channel);
        if (r == 0 && descriptors & OUTPUT)
                r = allow_on(filter, call, c->output);
        if (r == 0 && descriptors & ERRORS)
                r = allow_on(filter, call, STDERR_FILENO);
        for (size_t i = 0; r == 0 && descriptors & USB && i < c->n_usb; i++)
                r = allow_on(filter, call, c->usb[i]);
        return r;
}

static int allow_request(scmp_filter_ctx filter, int node, unsigned request)
{
        struct scmp_arg_cmp args[] = { argument_is(0, (unsigned)node), argument_is(1, request) };

        return allow(filter, SCMP_SYS(ioctl), ARRAY_SIZE(args), args);
}

static int allow_requests(scmp_filter_ctx filter, const struct confinement *c)
{
        int r = 0;

        for (size_t i = 0; r == 0 && i < ARRAY_SIZE(requests); i++)
                r = allow_request(filter, c->node, requests[i]);
        if (r == 0 && c->may_reset)
                r = allow_request(filter, c->node, USBDEVFS_RESET);
        return r;
}

/* Memory for malloc: new, private, never executable. There is no mprotect(). */
static int allow_memory(scmp_filter_ctx filter)
{
        const struct scmp_arg_cmp map[] = { { 2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0 },
                                            argument_is(3, MAP_PRIVATE | MAP_ANONYMOUS) };

        /* Where there is mmap2(), mmap() is an older one whose arguments lie in memory, where they are not seen. */
        return allow(filter, SCMP_SYS(mmap2) >= 0 ? SCMP_SYS(mmap2) : SCMP_SYS(mmap), ARRAY_SIZE(map), map);
}

static int allow_futex(scmp_filter_ctx filter, unsigned operation)
{
        struct scmp_arg_cmp args[] = { argument_is(1, operation | FUTEX_PRIVATE_FLAG) };
        int r = allow(filter, SCMP_SYS(futex), ARRAY_SIZE(args), args);

        return r == 0 ? allow(filter, SCMP_SYS(futex_time64), ARRAY_SIZE(args), args) : r;
}

/* abort(), of this process alone. */
static int allow_abort(scmp_filter_ctx filter)
{
        struct scmp_arg_cmp args[] = { argument_is(0, (unsigned)getpid()), argument_is(2, SIGABRT) };

        return allow(filter, SCMP_SYS(tgkill), ARRAY_SIZE(args), args);
}

/* On i386 libc sends through socketcall(), whose arguments cannot be seen: on any socket, then. */
static int allow_socketcall(scmp_filter_ctx filter)
{
        const struct scmp_arg_cmp send[] = { argument_is(0, SYS_SEND) },
                                  sendto[] = { argument_is(0, SYS_SENDTO) };
        int r = allow(filter, SCMP_SYS(socketcall), ARRAY_SIZE(send), send);

        return r == 0 ? allow(filter, SCMP_SYS(socketcall), ARRAY_SIZE(sendto), sendto) : r;
}

/* Who asks goes on without. */
static int refuse(scmp_filter_ctx filter)
{
        static const struct {
                int call, error;
        } refused[] = {
                { SCMP_SYS(readlink), EACCES }, /* libusb: what its descriptor's name is */
                { SCMP_SYS(readlinkat), EACCES },
#ifndef ESPDFU_SANITIZERS
                /* realloc() of a large block, which copies it then. With a size of 0 it would double a mapping. */
                { SCMP_SYS(mremap), ENOMEM },
#endif
        };
        int r = 0;

        for (size_t i = 0; r == 0 && i < ARRAY_SIZE(refused); i++)
                if (refused[i].call >= 0)
                        r = seccomp_rule_add(filter, SCMP_ACT_ERRNO((unsigned)refused[i].error),
                                             refused[i].call, 0);
        return r;
}

static int allow_for_sanitizers(scmp_filter_ctx filter)
{
        int r = 0;

#ifdef ESPDFU_SANITIZERS
        for (size_t i = 0; r == 0 && i < ARRAY_SIZE(of_sanitizers); i++)
                r = allow(filter, of_sanitizers[i], 0, NULL);
#else
        (void)filter;
#endif
        return r;
}

static int fill(scmp_filter_ctx filter, const struct confinement *c)
{
        int r = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);

        if (r == 0)
                r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
        for (size_t i = 0; r == 0 && i < ARRAY_SIZE(harmless); i++)
                r = allow(filter, harmless[i], 0, NULL);
        for (size_t i = 0; r == 0 && i < ARRAY_SIZE(by_descriptor); i++)
                r = allow_on_descriptors(filter, c, by_descriptor[i].call, by_descriptor[i].descriptors);
        if (r == 0)
                r = allow_requests(filter, c);
        if (r == 0)
                r = allow_memory(filter);
        if (r == 0)
                r = allow_futex(filter, FUTEX_WAIT);
        if (r == 0)
                r = allow_futex(filter, FUTEX_WAKE);
        if (r == 0)
                r = allow_abort(filter);
        if (r == 0)
                r = allow_socketcall(filter);
        if (r == 0)
                r = refuse(filter);
        return r == 0 ? allow_for_sanitizers(filter) : r;
}

static int install(const struct confinement *c)
{
        scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
        int r;

        if (!filter)
                return -ENOMEM;
        r = fill(filter, c);
        if (r == 0)
                r = seccomp_load(filter);
        seccomp_release(filter);
        return r;
}

/* ---- limits ---- */

static int limit(__rlimit_resource_t resource, rlim_t value, rlim_t hard)
{
        struct rlimit now, wanted;

        if (getrlimit(resource, &now) < 0)
                return -errno;
        wanted.rlim_cur = MIN(value, now.rlim_max);
        wanted.rlim_max = MIN(hard, now.rlim_max);
        return setrlimit(resource, &wanted) < 0 ? -errno : 0;
}

static int highest(const struct confinement *c)
{
        const int named[] = { c->node, c->channel, c->output };
        int fd = STDERR_FILENO;

        for (size_t i = 0; i < ARRAY_SIZE(named); i++)
                fd = MAX(fd, named[i]);
        for (size_t i = 0; i < c->n_usb; i++)
                fd = MAX(fd, c->usb[i]);
        return fd;
}

#ifndef ESPDFU_SANITIZERS
/* Bytes of address space that the process has. */
static int measure_space(rlim_t *ret)
{
        unsigned long pages;
        FILE *f = fopen("/proc/self/statm", "re");
        int n;

        if (!f)
                return -errno;
        n = fscanf(f, "%lu", &pages);
        fclose(f);
        if (n != 1)
                return -EIO;
        *ret = (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE);
        return 0;
}
#endif

/*
 * RLIMIT_DATA counts neither what can only be read nor what is only reserved, and nothing counts page tables: these grow with
 * addresses, so addresses have an end. Sanitizers have terabytes of them, most of them of nothing.
 */
static int limit_memory(void)
{
#ifdef ESPDFU_SANITIZERS
        return 0;
#else
        rlim_t space = 0;
        int r = measure_space(&space);

        if (r == 0)
                r = limit(RLIMIT_AS, space + CONFINE_SPACE_MAX, space + CONFINE_SPACE_MAX);
        return r == 0 ? limit(RLIMIT_DATA, CONFINE_DATA_MAX, CONFINE_DATA_MAX) : r;
#endif
}

static rlim_t cpu_seconds(const struct confinement *c)
{
        rlim_t begun = c->image_size / MIB + (c->image_size % MIB > 0);

        return begun == 0 ? CONFINE_CPU_MAX
                          : MIN((rlim_t)CONFINE_CPU_MAX, CONFINE_CPU_LEAST + begun * CONFINE_CPU_A_MIB);
}

static int limit_all(const struct confinement *c)
{
        const struct {
                __rlimit_resource_t resource;
                rlim_t value;
        } limits[] = {
                { RLIMIT_CORE, 0 },
                { RLIMIT_NPROC, 0 },
                { RLIMIT_MEMLOCK, 0 },
                { RLIMIT_MSGQUEUE, 0 },
                { RLIMIT_STACK, CONFINE_STACK_MAX },
                { RLIMIT_NOFILE, (rlim_t)highest(c) + 1 }, /* no less: poll() looks at it */
                /* Answers and errors may be sent into a file; an engine that has a daemon writes none. */
                { RLIMIT_FSIZE, c->output < 0 ? 0 : RLIM_INFINITY },
        };
        int r = limit_memory();

        /* SIGXCPU, and SIGKILL where it does not listen. */
        if (r == 0)
                r = limit(RLIMIT_CPU, cpu_seconds(c), cpu_seconds(c) + 10);
        for (size_t i = 0; r == 0 && i < ARRAY_SIZE(limits); i++)
                r = limit(limits[i].resource, limits[i].value, limits[i].value);
        return r;
}

/* ---- all of it ---- */

int confine_close_others(const int *keep, size_t n_keep)
{
        unsigned from = STDERR_FILENO + 1;

        for (;;) {
                unsigned next = UINT_MAX;

                for (size_t i = 0; i < n_keep; i++)
                        if (keep[i] >= (int)from)
                                next = MIN(next, (unsigned)keep[i]);
                if (next > from && close_range(from, next == UINT_MAX ? next : next - 1, 0) < 0)
                        return -errno;
                if (next == UINT_MAX)
                        return 0;
                from = next + 1;
        }
}

int confine(const struct confinement *c)
{
        int r;

        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ||
            chdir("/") < 0)
                return -errno;
        umask(0777);
        /* What would end it where errors are written into a file is an error of that write instead. */
        if (signal(SIGXFSZ, SIG_IGN) == SIG_ERR)
                return -errno;
        r = limit_all(c);
        return r == 0 ? install(c) : r;
}
