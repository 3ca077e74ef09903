/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Images that people give: as sealed memory and as nothing else, kept while a job holds them, and what policies ask of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/given.h"
#include "daemon/log.h"
#include "io/sealed.h"
#include "tests/rom/sample-image.h"
#include "tests/unit/keys.h"

static struct given_store store;
static struct sample_image sample;
static struct trusted_keys keys;
static const struct config_policy plain = { .name = (char *)"gizmo" };

static int set_up(void **state)
{
        (void)state;
        log_set_max_level(LOG_ERR);
        sample_image_make_s2(&sample);
        return 0;
}

static int tear_down(void **state)
{
        (void)state;
        given_prune(&store);
        sample_image_done(&sample);
        trusted_keys_done(&keys);
        return store.n == 0 ? 0 : -1;
}

/* ---- vocabulary ---- */

static struct given_image of(int fd)
{
        return (struct given_image){ .fd = fd, .path = "/home/joe/gizmo.bin", .who = "joe" };
}

static int sealed(const struct sample_image *image)
{
        int fd = sealed_memfd("test", image->data, image->size);

        assert_true(fd >= 0);
        return fd;
}

static int memfd_of(size_t size, int seals)
{
        int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

        assert_true(fd >= 0);
        assert_return_code(ftruncate(fd, (off_t)size), errno);
        assert_return_code(fcntl(fd, F_ADD_SEALS, seals), errno);
        return fd;
}

/* Takes fd. */
static void expect_refused(int fd, const struct config_policy *policy, const uint8_t *signature,
                           const char *expected)
{
        struct given_image given = of(fd);
        struct image_copy *copy;
        char *why = NULL;

        given.signature = signature;
        assert_int_equal(given_take(&store, policy, &keys, &given, &copy, &why), 1);
        assert_string_equal(why, expected);
        free(why);
        close(fd);
        assert_int_equal(store.n, 0);
}

static struct image_copy *take(const struct config_policy *policy, const uint8_t *signature)
{
        struct given_image given = of(sealed(&sample));
        struct image_copy *copy = NULL;
        char *why = NULL;

        given.signature = signature;
        if (given_take(&store, policy, &keys, &given, &copy, &why) != 0)
                fail_msg("not taken: %s", why);
        close(given.fd); /* the giver's descriptor is not needed any more */
        return copy;
}

static void trust(const char *pem)
{
        uint8_t key[SIGNATURE_KEY_SIZE];

        assert_int_equal(signature_public_key(pem, strlen(pem), key, NULL), 0);
        assert_int_equal(trusted_keys_add(&keys, "vendor.pem", key), 0);
}

static void sign(const char *pem, uint8_t ret[static SIGNATURE_SIZE])
{
        assert_int_equal(signature_make(pem, strlen(pem), sample.data, sample.size, ret, NULL), 0);
}

static void expect_answer(const struct image_copy *copy, const struct config_policy *policy,
                          const char *expected)
{
        char *why = NULL;

        assert_int_equal(given_check(copy, policy, &keys, &why), expected ? 1 : 0);
        if (expected)
                assert_string_equal(why, expected);
        free(why);
}

/* ---- tests ---- */

#define ALL (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)
#define NO_SEAL                                                                                              \
        "image /home/joe/gizmo.bin: came as something else than a memfd with the seals SEAL, SHRINK, GROW "  \
        "and WRITE"

static void test_what_is_no_sealed_memfd_is_refused(void **state)
{
        static const int seals[] = { F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_WRITE };
        char path[] = "/dev/shm/test-given.XXXXXX";
        int pipes[2], fd;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(seals); i++)
                expect_refused(memfd_of(4096, ALL & ~seals[i]), &plain, NULL, NO_SEAL);
        assert_return_code(pipe2(pipes, O_CLOEXEC), errno);
        expect_refused(pipes[0], &plain, NULL, NO_SEAL);
        close(pipes[1]);
        fd = mkostemp(path, O_CLOEXEC); /* of tmpfs, which knows of seals */
        assert_true(fd >= 0);
        assert_return_code(unlink(path), errno);
        expect_refused(fd, &plain, NULL, NO_SEAL);
        expect_refused(open("/dev/zero", O_RDONLY | O_CLOEXEC), &plain, NULL, NO_SEAL);
        expect_refused(open("/", O_RDONLY | O_CLOEXEC | O_DIRECTORY), &plain, NULL, NO_SEAL);
        expect_refused(open("/proc/self/exe", O_PATH | O_CLOEXEC), &plain, NULL, NO_SEAL);
}

static void test_size_and_content_are_looked_at(void **state)
{
        (void)state;
        expect_refused(memfd_of(0, ALL), &plain, NULL, "image /home/joe/gizmo.bin: is empty");
        expect_refused(memfd_of(64 * MIB + 1, ALL), &plain, NULL,
                       "image /home/joe/gizmo.bin: larger than 64 MiB");
        sample.data[sample.size / 2] ^= 1;
        {
                struct given_image given = of(sealed(&sample));
                struct image_copy *copy;
                char *why = NULL;

                assert_int_equal(given_take(&store, NULL, &keys, &given, &copy, &why), 1);
                assert_true(str_has_prefix(why, "image /home/joe/gizmo.bin: error: "));
                free(why);
                close(given.fd);
        }
}

static void test_copy_says_whose_it_was_and_is_shared_and_dropped_with_its_last_job(void **state)
{
        struct image_copy *first = take(&plain, NULL), *second = take(&plain, NULL);

        (void)state;
        assert_ptr_equal(first, second);
        assert_string_equal(first->path, "user joe: /home/joe/gizmo.bin");
        assert_string_equal(first->given->told, "/home/joe/gizmo.bin");
        assert_string_equal(first->name, "gizmo.bin");
        assert_int_equal(fcntl(first->fd, F_GET_SEALS) & ALL, ALL);
        image_copy_unref(first);
        given_prune(&store);
        assert_int_equal(store.n, 1);
        image_copy_unref(second);
        given_prune(&store);
        assert_int_equal(store.n, 0);
}

static void test_signature_is_verified_where_it_is_required_and_with_other_keys_again(void **state)
{
        const struct config_policy required = { .name = (char *)"gizmo",
                                                .signature = POLICY_SIGNATURE_REQUIRED };
        uint8_t good[SIGNATURE_SIZE], bad[SIGNATURE_SIZE];
        struct image_copy *copy, *unsigned_copy;

        (void)state;
        sign(PRIVATE_3, good);
        sign(PRIVATE_1, bad);
        expect_refused(sealed(&sample), &required, good,
                       "image /home/joe/gizmo.bin: no key to check its signature by: expected a public key "
                       "(*.pem) in keys.d; policy says signature = required");
        trust(PUBLIC_3);
        expect_refused(
                sealed(&sample), &required, NULL,
                "image /home/joe/gizmo.bin: no signature came with it: expected one in FILE.sig; policy "
                "says signature = required");
        expect_refused(
                sealed(&sample), &required, bad,
                "image /home/joe/gizmo.bin: its signature is by no key in keys.d: the image was altered, "
                "or another key signed it; policy says signature = required");
        copy = take(&required, good);
        expect_answer(copy, &required, NULL);
        /* One that was taken when nothing was required is asked for it later. */
        unsigned_copy = take(&plain, NULL);
        assert_ptr_not_equal(copy, unsigned_copy);
        expect_answer(
                unsigned_copy, &required,
                "image user joe: /home/joe/gizmo.bin: no signature came with it: expected one in FILE.sig; "
                "policy says signature = required");
        trusted_keys_done(&keys);
        trust(PUBLIC_1);
        expect_answer(
                copy, &required,
                "image user joe: /home/joe/gizmo.bin: its signature is by no key in keys.d: the image was "
                "altered, or another key signed it; policy says signature = required");
        image_copy_unref(copy);
        image_copy_unref(unsigned_copy);
}

static void test_pin_chip_and_mode_of_the_policy_count(void **state)
{
        struct config_policy pinned = { .name = (char *)"gizmo", .has_sha256 = true };
        const struct config_policy any = { .name = (char *)"gizmo", .mode = POLICY_MODE_ANY };
        const struct config_policy s3 = { .name = (char *)"probe", .chip = chip_by_pid(0x0009) };
        struct image_copy *copy = take(&plain, NULL);
        char *why = NULL;

        (void)state;
        assert_int_equal(given_check(copy, &pinned, &keys, &why), 1);
        assert_non_null(strstr(why, "SHA-256 is "));
        free(why);
        memcpy(pinned.sha256, copy->digest, sizeof(pinned.sha256));
        expect_answer(copy, &pinned, NULL);
        expect_answer(copy, &s3,
                      "image user joe: /home/joe/gizmo.bin: made for 303a:0002: expected 303a:0009 (chip = "
                      "esp32s3)");
        expect_answer(copy, &any,
                      "image user joe: /home/joe/gizmo.bin: was given for boards of another mode: expected "
                      "it anew");
        expect_answer(copy, NULL, NULL);
        image_copy_unref(copy);
}

static void test_images_in_memory_are_bounded_until_their_jobs_end(void **state)
{
        const struct sample_spec spec = {
                .pid = 0x0002,
                .flash_size = 4 * MIB,
                .files = { { .name = "app.bin", .address = 0x10000, .size = 9000, .seed = 3 } },
                .n_files = 1
        };
        struct image_copy *first = take(&plain, NULL), *second;
        struct sample_image another;
        struct given_image given;
        char *why = NULL;

        (void)state;
        sample_image_make(&spec, &another);
        given = of(sealed(&another));
        store.bytes_max = sample.size + another.size - 1;
        assert_int_equal(given_take(&store, &plain, &keys, &given, &second, &why), 1);
        assert_string_equal(why,
                            "image /home/joe/gizmo.bin: no room beside the images that people gave for other "
                            "jobs: expected these to end first");
        free(why);
        image_copy_unref(take(&plain, NULL)); /* the same one takes no more room */
        image_copy_unref(first);
        assert_int_equal(given_take(&store, &plain, &keys, &given, &second, &why), 0);
        image_copy_unref(second);
        close(given.fd);
        sample_image_done(&another);
        store.bytes_max = 0;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                TEST(test_what_is_no_sealed_memfd_is_refused),
                TEST(test_size_and_content_are_looked_at),
                TEST(test_copy_says_whose_it_was_and_is_shared_and_dropped_with_its_last_job),
                TEST(test_signature_is_verified_where_it_is_required_and_with_other_keys_again),
                TEST(test_pin_chip_and_mode_of_the_policy_count),
                TEST(test_images_in_memory_are_bounded_until_their_jobs_end),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
