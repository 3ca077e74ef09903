/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Preloaded into programs under valgrind by tests/analyze/under-valgrind: the system calls of ours that valgrind 3.19, of
 * Debian 12, does not know. Some are made past it, on the real processor: they write to no memory of the program, and to
 * nothing that valgrind keeps count of. The program to become is named by its path, which valgrind follows into. A later valgrind
 * knows them all and is as content; a program that is not under valgrind gets the kernel's.
 * And each program under valgrind writes its name down, so that a test which looked at none does not pass.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <valgrind/valgrind.h>

#define EXPORT __attribute__((visibility("default")))

EXPORT int pidfd_open(pid_t pid, unsigned flags);
EXPORT int pidfd_send_signal(int pidfd, int signal, siginfo_t *info, unsigned flags);

/* What the kernel is asked for, and what it answers: an error as -errno. */
struct call {
        long number, arguments[3], answer;
};

/* Runs on valgrind's own stack and without thread-local storage: no errno, no stack protector, nothing of libc. */
__attribute__((optimize("no-stack-protector"))) static unsigned long past_valgrind(unsigned long thread,
                                                                                   struct call *call)
{
        (void)thread;
#if defined(__x86_64__)
        register long fourth __asm__("r10") = 0;

        __asm__ volatile("syscall"
                         : "=a"(call->answer)
                         : "a"(call->number), "D"(call->arguments[0]), "S"(call->arguments[1]),
                           "d"(call->arguments[2]), "r"(fourth)
                         : "rcx", "r11", "memory");
#else
        call->answer = -ENOSYS;
#endif
        return 0;
}

static int make(long number, long first, long second, long third)
{
        struct call call = { number, { first, second, third }, 0 };

        VALGRIND_NON_SIMD_CALL1(past_valgrind, &call);
        if (call.answer >= 0)
                return (int)call.answer;
        errno = (int)-call.answer;
        return -1;
}

/* Each other use of these wants to be thought of here first. */
static void expect_none(bool is_there, const char *what)
{
        if (!is_there)
                return;
        fprintf(stderr, "tests/analyze/valgrind-calls.c: %s\n", what);
        abort();
}

/* Always with six, as the kernel has it. GLib asks for pidfd_open() in this way, libseccomp what the kernel knows. */
EXPORT long syscall(long number, ...)
{
        __typeof__(&syscall) next = (__typeof__(&syscall))dlsym(RTLD_NEXT, "syscall");
        long arguments[6];
        va_list ap;

        va_start(ap, number);
        for (size_t i = 0; i < 6; i++)
                arguments[i] = va_arg(ap, long);
        va_end(ap);
        if (RUNNING_ON_VALGRIND &&
            (number == SYS_pidfd_open || number == SYS_pidfd_send_signal || number == SYS_seccomp))
                return make(number, arguments[0], arguments[1], arguments[2]);
        return next(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4],
                    arguments[5]);
}

EXPORT int pidfd_open(pid_t pid, unsigned flags)
{
        return (int)syscall(SYS_pidfd_open, (long)pid, (long)flags, 0L, 0L, 0L, 0L);
}

EXPORT int pidfd_send_signal(int pidfd, int signal, siginfo_t *info, unsigned flags)
{
        expect_none(info || flags, "pidfd_send_signal() with more than a signal");
        return (int)syscall(SYS_pidfd_send_signal, (long)pidfd, (long)signal, 0L, 0L, 0L, 0L);
}

EXPORT int execveat(int fd, const char *path, char *const argv[], char *const envp[], int flags)
{
        char link[sizeof("/proc/self/fd/") + 11], program[PATH_MAX];
        ssize_t n;

        if (!RUNNING_ON_VALGRIND)
                return (int)syscall(SYS_execveat, fd, path, argv, envp, flags);
        expect_none(*path || flags != AT_EMPTY_PATH, "execveat() of more than a descriptor");
        snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        n = readlink(link, program, sizeof(program) - 1);
        if (n < 0)
                return -1;
        program[n] = '\0';
        return execve(program, argv, envp);
}

/* A line of $MEMCHECK_LOGS/programs. */
__attribute__((constructor)) static void write_name_down(void)
{
        const char *logs = getenv("MEMCHECK_LOGS");
        char path[PATH_MAX];
        int fd;

        if (!RUNNING_ON_VALGRIND || !logs)
                return;
        snprintf(path, sizeof(path), "%s/programs", logs);
        fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (fd < 0)
                return;
        dprintf(fd, "%s\n", program_invocation_short_name);
        close(fd);
}
