/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* engine/payload: a sealed memfd is mapped, by a kernel of any age that is supported; what is none is refused. */
#include <fcntl.h>
#include <seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/dfu-suffix.h"
#include "engine/payload.h"

#define SEALS (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW)

static int memfd_with(size_t size, int seals)
{
        int fd = memfd_create("image", MFD_CLOEXEC | MFD_ALLOW_SEALING);

        assert_true(fd >= 0);
        assert_int_equal(ftruncate(fd, (off_t)size), 0);
        assert_int_equal(pwrite(fd, "image", 5, 0), 5);
        assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
        return fd;
}

/* Linux before 6.7 maps nothing shared that is sealed against writing, not even to read it. */
static void be_an_older_kernel(void)
{
        const struct scmp_arg_cmp shared[] = { { 3, SCMP_CMP_MASKED_EQ, MAP_TYPE, MAP_SHARED } };
        scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
        int map = SCMP_SYS(mmap2) >= 0 ? SCMP_SYS(mmap2) : SCMP_SYS(mmap);

        if (!filter || seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(EPERM), map, 1, shared) < 0 ||
            seccomp_load(filter) < 0)
                _exit(99);
        seccomp_release(filter);
}

static void test_sealed_image_is_mapped_by_kernels_that_share_none(void **state)
{
        int fd = memfd_with(4096 + DFU_SUFFIX_SIZE, SEALS), status;
        pid_t pid = fork();

        (void)state;
        assert_true(pid >= 0);
        if (pid == 0) {
                char message[PAYLOAD_MESSAGE_MAX] = "";
                struct payload payload;

                be_an_older_kernel();
                if (mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) != MAP_FAILED)
                        _exit(98);
                if (payload_map(fd, &payload, message) != 0)
                        _exit(1);
                if (payload.size != 4096 || memcmp(payload.data, "image", 5) != 0)
                        _exit(2);
                payload_unmap(&payload);
                _exit(0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        close(fd);
}

static void test_what_is_not_sealed_or_too_short_is_refused(void **state)
{
        static const struct {
                size_t size;
                int seals;
                const char *said;
        } cases[] = {
                { 4096, F_SEAL_SHRINK | F_SEAL_GROW, "sealed against writing" },
                { 4096, F_SEAL_WRITE | F_SEAL_GROW, "sealed against writing" },
                { DFU_SUFFIX_SIZE, SEALS, "expected 17 bytes to 64 MiB" },
                { IMAGE_SIZE_MAX + 1, SEALS, "expected 17 bytes to 64 MiB" },
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                int fd = memfd_with(cases[i].size, cases[i].seals);
                char message[PAYLOAD_MESSAGE_MAX] = "";
                struct payload payload = { 0 };

                assert_int_equal(payload_map(fd, &payload, message), 1);
                assert_non_null(strstr(message, cases[i].said));
                assert_null(payload.data);
                close(fd);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_sealed_image_is_mapped_by_kernels_that_share_none),
                cmocka_unit_test(test_what_is_not_sealed_or_too_short_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
