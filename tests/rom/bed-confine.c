/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Part of what is preloaded into the programs of a bed. umockdev carries out an ioctl by talking to the bed through a socket,
 * which the engine's filter knows nothing of. So here, and here alone, a filter that is about to be installed gets these calls
 * besides; all others end the engine in the bed as in life. The engine itself has no switch for it.
 * Under valgrind, which makes system calls of its own in the name of the program, has its memory and descriptors beside those
 * of the program, and needs fifty times the processor, no filter is installed, and no limit is set.
 * With ESPDFU_BED_DUMPABLE programs stay dumpable, so that the bench may look at their memory without being root.
 */
#include <dlfcn.h>
#include <errno.h>
#include <seccomp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

static const int of_umockdev[] = {
        SCMP_SYS(sendto),
        SCMP_SYS(recvfrom),
        SCMP_SYS(clock_nanosleep), /* after each ioctl, for 0 us */
        SCMP_SYS(rt_sigprocmask),
};

/* Found in the program: most of them have no libseccomp. */
static void *of_libseccomp(const char *name)
{
        void *function = dlsym(RTLD_NEXT, name);

        if (!function)
                abort();
        return function;
}

static bool is_under_valgrind(void)
{
        const char *preloaded = getenv("LD_PRELOAD");

        return preloaded && strstr(preloaded, "vgpreload");
}

EXPORT int setrlimit(__rlimit_resource_t resource, const struct rlimit *limit)
{
        if (is_under_valgrind())
                return 0;
        return prlimit(0, resource, limit, NULL);
}

EXPORT int seccomp_load(const scmp_filter_ctx filter)
{
        __typeof__(&seccomp_rule_add_array) add = of_libseccomp("seccomp_rule_add_array");
        __typeof__(&seccomp_load) load = of_libseccomp("seccomp_load");
        int r = 0;

        if (is_under_valgrind())
                return 0;
        for (size_t i = 0;
             r == 0 && getenv("UMOCKDEV_DIR") && i < sizeof(of_umockdev) / sizeof(of_umockdev[0]); i++)
                r = add(filter, SCMP_ACT_ALLOW, of_umockdev[i], 0, NULL);
        /* Whether the bed is to be left alone it looks for at each call: it is not there. */
        if (r == 0 && getenv("UMOCKDEV_DIR"))
                r = add(filter, SCMP_ACT_ERRNO(ENOENT), SCMP_SYS(access), 0, NULL);
        return r == 0 ? load(filter) : r;
}

/* Always with four more, as the kernel has it. */
EXPORT int prctl(int option, ...)
{
        unsigned long args[4];
        va_list ap;

        va_start(ap, option);
        for (size_t i = 0; i < 4; i++)
                args[i] = va_arg(ap, unsigned long);
        va_end(ap);
        if (option == PR_SET_DUMPABLE && getenv("ESPDFU_BED_DUMPABLE"))
                return 0;
        return (int)syscall(SYS_prctl, option, args[0], args[1], args[2], args[3]);
}
