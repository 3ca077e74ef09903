/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The images in memory: which copy a policy gets, and until when it is believed. */
#include "daemon/images.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "io/file.h"
#include "tests/io/temp-dir.h"
#include "tests/rom/sample-image.h"
#include "tests/unit/keys.h"

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

static struct images *images;
static struct trusted_keys keys;
static struct sample_image s2;

static struct config_policy open_to_all = { .name = (char *)"open", .image = (char *)"dfu.bin" };
static struct config_policy gizmo = { .name = (char *)"gizmo",
                                      .image = (char *)"dfu.bin",
                                      .signature = POLICY_SIGNATURE_REQUIRED };

/* ---- the vocabulary ---- */

static void trust(const char *name, const char *pem)
{
        uint8_t key[SIGNATURE_KEY_SIZE];

        assert_int_equal(signature_public_key(pem, strlen(pem), key, NULL), 0);
        assert_int_equal(trusted_keys_add(&keys, name, key), 0);
}

static void sign_with(const char *pem)
{
        static struct timespec times[2] = { { .tv_nsec = UTIME_OMIT } };
        uint8_t signature[SIGNATURE_SIZE];

        assert_int_equal(signature_make(pem, strlen(pem), s2.data, s2.size, signature, NULL), 0);
        write_bytes("dfu.bin.sig", signature, sizeof(signature));
        times[1].tv_sec++; /* however coarse the clock is */
        assert_return_code(utimensat(AT_FDCWD, "dfu.bin.sig", times, 0), errno);
}

/* dfu.bin is there, signed by the one key that is believed. */
static int begin(void **state)
{
        if (enter_temp_dir(state) < 0 || images_new(UINT64_MAX, &images) < 0)
                return -1;
        sample_image_make_s2(&s2);
        write_bytes("dfu.bin", s2.data, s2.size);
        trust("vendor.pem", PUBLIC_3);
        sign_with(PRIVATE_3);
        return 0;
}

static int end(void **state)
{
        images_free(images);
        trusted_keys_done(&keys);
        sample_image_done(&s2);
        return leave_temp_dir(state);
}

static struct image_copy *get(const struct config_policy *policy)
{
        struct image_copy *copy = NULL;
        char *why = NULL;

        if (images_get(images, policy, &keys, &copy, &why) != 0)
                fail_msg("expected a copy: %s", why ? why : "out of memory");
        return copy;
}

/* The configuration has this policy alone now. */
static void reload_with(struct config_policy *policy)
{
        images_prune(images, &(struct config){ .policies = policy, .n_policies = 1 });
}

static void expect_refused(const struct config_policy *policy, const char *expected)
{
        _cleanup_(freep) char *why = NULL;
        struct image_copy *copy = NULL;

        assert_int_equal(images_get(images, policy, &keys, &copy, &why), 1);
        assert_string_equal(why, expected);
        assert_null(copy);
}

static void expect_bytes(const struct image_copy *copy, const struct sample_image *image)
{
        _cleanup_(freep) uint8_t *data = malloc(image->size + 1);
        size_t len = 0;

        assert_non_null(data);
        assert_return_code(lseek(copy->fd, 0, SEEK_SET), errno);
        assert_int_equal(file_read_up_to(copy->fd, data, image->size + 1, &len), 0);
        assert_int_equal(len, image->size);
        assert_memory_equal(data, image->data, len);
}

#define UNSIGNED "image dfu.bin: no signature beside it (dfu.bin.sig); policy says signature = required"

#define ALTERED                                                                                              \
        "image dfu.bin: its signature (dfu.bin.sig) is not by the key vendor.pem: the image "                \
        "was altered, or another key signed it; policy says signature = required"

/* ---- the stories ---- */

static void test_copy_is_kept_while_image_signature_and_keys_are_what_they_were(void **state)
{
        _cleanup_(image_copy_unrefp) struct image_copy *first = get(&gizmo), *second = get(&gizmo);

        (void)state;
        assert_ptr_equal(first, second);
        expect_bytes(first, &s2);
        trust("another.pem", PUBLIC_1);
        _cleanup_(image_copy_unrefp) struct image_copy *third = get(&gizmo);
        assert_ptr_not_equal(first, third);
        sign_with(PRIVATE_1);
        _cleanup_(image_copy_unrefp) struct image_copy *fourth = get(&gizmo);
        assert_ptr_not_equal(third, fourth);
}

static void test_copy_is_sealed(void **state)
{
        _cleanup_(image_copy_unrefp) struct image_copy *copy = get(&gizmo);

        (void)state;
        assert_int_equal(fcntl(copy->fd, F_GET_SEALS) & SEALS, SEALS);
        assert_int_equal(pwrite(copy->fd, "x", 1, 0), -1);
}

static void test_copy_is_no_program_where_the_kernel_knows_the_difference(void **state)
{
        int fd = memfd_create("test", MFD_CLOEXEC | MFD_NOEXEC_SEAL);
        struct stat st;

        (void)state;
        if (fd < 0 && errno == EINVAL)
                skip(); /* before Linux 6.3 */
        assert_return_code(fd, errno);
        close(fd);
        _cleanup_(image_copy_unrefp) struct image_copy *copy = get(&gizmo);
        assert_return_code(fstat(copy->fd, &st), errno);
        assert_int_equal(st.st_mode & 0111, 0);
        assert_int_equal(fchmod(copy->fd, 0700), -1);
}

static void test_copy_that_a_job_holds_helps_nobody_when_the_signature_is_gone(void **state)
{
        _cleanup_(image_copy_unrefp) struct image_copy *held = get(&gizmo);

        (void)state;
        assert_return_code(unlink("dfu.bin.sig"), errno);
        expect_refused(&gizmo, UNSIGNED);
        expect_refused(&gizmo, UNSIGNED);
        expect_bytes(held, &s2);
        sign_with(PRIVATE_3);
        image_copy_unref(get(&gizmo));
}

static void test_copy_that_a_job_holds_helps_nobody_when_the_key_is_gone(void **state)
{
        _cleanup_(image_copy_unrefp) struct image_copy *held = get(&gizmo);

        (void)state;
        trusted_keys_done(&keys);
        trust("another.pem", PUBLIC_1);
        reload_with(&gizmo);
        expect_refused(&gizmo,
                       "image dfu.bin: its signature (dfu.bin.sig) is not by the key another.pem: the image "
                       "was altered, or another key signed it; policy says signature = required");
        expect_bytes(held, &s2);
}

static void test_policies_that_ask_for_different_things_share_no_copy(void **state)
{
        _cleanup_(image_copy_unrefp) struct image_copy *unasked = NULL, *asked = NULL;

        (void)state;
        assert_return_code(unlink("dfu.bin.sig"), errno);
        unasked = get(&open_to_all);
        expect_refused(&gizmo, UNSIGNED);
        sign_with(PRIVATE_3);
        asked = get(&gizmo);
        assert_ptr_not_equal(asked, unasked);
        assert_return_code(unlink("dfu.bin.sig"), errno);
        expect_refused(&gizmo, UNSIGNED);
        image_copy_unref(get(&open_to_all));
}

/* Whoever writes the file can set its times back, so that it looks as it was: what is flashed was signed all the same. */
static void test_file_that_is_altered_behind_its_times_is_not_what_is_flashed(void **state)
{
        _cleanup_(image_copy_unrefp) struct image_copy *before = get(&gizmo), *after = NULL;
        struct stat st;
        int fd = open("dfu.bin", O_WRONLY | O_CLOEXEC);

        (void)state;
        assert_return_code(fd, errno);
        assert_return_code(fstat(fd, &st), errno);
        assert_int_equal(pwrite(fd, "altered", 7, 5000), 7);
        assert_return_code(futimens(fd, (struct timespec[]){ st.st_atim, st.st_mtim }), errno);
        assert_return_code(close(fd), errno);
        after = get(&gizmo);
        assert_ptr_equal(before, after);
        expect_bytes(after, &s2);
        reload_with(&gizmo); /* looks closer */
        expect_refused(&gizmo, ALTERED);
}

/* The parser never sees it: the text is not about what is wrong inside. */
static void test_signature_comes_before_what_is_in_the_image(void **state)
{
        (void)state;
        assert_return_code(truncate("dfu.bin", 1000), errno);
        expect_refused(&gizmo,
                       "image dfu.bin: its signature (dfu.bin.sig) is not by the key vendor.pem: the image "
                       "was altered, or another key signed it; policy says signature = required");
}

static void test_pin_is_demanded_beside_the_signature(void **state)
{
        struct config_policy pinned = gizmo;
        _cleanup_(freep) char *why = NULL;
        struct image_copy *copy = NULL;

        (void)state;
        pinned.has_sha256 = true;
        assert_int_equal(images_get(images, &pinned, &keys, &copy, &why), 1);
        assert_non_null(strstr(why, "expected 0000000000"));
        assert_int_equal(digest_sha256(s2.data, s2.size, pinned.sha256), 0);
        image_copy_unref(get(&pinned));
        assert_return_code(unlink("dfu.bin.sig"), errno);
        expect_refused(&pinned, UNSIGNED);
}

static void test_reload_reads_nothing_again_that_is_unchanged_and_named(void **state)
{
        _cleanup_(image_copy_unrefp) struct image_copy *before = get(&gizmo), *open = get(&open_to_all);

        (void)state;
        reload_with(&gizmo);
        _cleanup_(image_copy_unrefp) struct image_copy *after = get(&gizmo), *others = get(&open_to_all);
        assert_ptr_equal(before, after);
        assert_ptr_not_equal(open, others); /* the policy was gone in between */
}

static void test_file_that_is_replaced_is_read_with_the_reload(void **state)
{
        _cleanup_(image_copy_unrefp) struct image_copy *before = get(&open_to_all);

        (void)state;
        write_bytes("new.bin", s2.data, s2.size);
        assert_return_code(rename("new.bin", "dfu.bin"), errno);
        reload_with(&open_to_all);
        _cleanup_(image_copy_unrefp) struct image_copy *after = get(&open_to_all);
        assert_ptr_not_equal(before, after);
}

static ino_t memory_of(const struct image_copy *copy)
{
        struct stat st;

        assert_return_code(fstat(copy->fd, &st), errno);
        return st.st_ino;
}

static void test_spellings_of_a_file_share_its_memory(void **state)
{
        struct config_policy other = { .name = (char *)"other", .image = (char *)"./dfu.bin" };
        _cleanup_(image_copy_unrefp) struct image_copy *one = get(&open_to_all), *two = get(&other),
                                                       *signed_one = get(&gizmo);

        (void)state;
        assert_int_equal(memory_of(one), memory_of(two));
        assert_int_equal(memory_of(one), memory_of(signed_one));
        expect_bytes(two, &s2);
        assert_string_equal(two->path, "./dfu.bin");
}

static void test_images_have_a_bound_together(void **state)
{
        struct config_policy spelt = { .name = (char *)"spelt", .image = (char *)"./dfu.bin" },
                             second = { .name = (char *)"second", .image = (char *)"s3.bin" };
        struct sample_image s3;
        _cleanup_(freep) char *why = NULL;
        struct image_copy *copy = NULL;

        (void)state;
        sample_image_make_s3(&s3);
        write_bytes("s3.bin", s3.data, s3.size);
        images_free(images);
        assert_int_equal(images_new(MAX(s2.size, s3.size) + 100, &images), 0);
        image_copy_unref(get(&open_to_all));
        image_copy_unref(get(&spelt)); /* the same bytes: no more of them */
        for (unsigned i = 0; i < 2; i++) {
                assert_int_equal(images_get(images, &second, &keys, &copy, &why), 1);
                assert_non_null(strstr(why, "image s3.bin: with it the policies' images have more than"));
                free(take_ptr(why));
        }
        reload_with(&second); /* the others are gone: there is room */
        image_copy_unref(get(&second));
        sample_image_done(&s3);
}

/* Replaced over and over, while each was given to a job that has not ended, they would be as many as jobs. */
static void test_copies_that_jobs_still_have_count_too(void **state)
{
        struct sample_image s3 = { 0 };
        struct image_copy *of_job, *copy;
        char *why = NULL;

        (void)state;
        sample_image_make_s3(&s3);
        images_free(images);
        assert_int_equal(images_new(MAX(s2.size, s3.size) + 100, &images), 0);
        of_job = get(&open_to_all);
        write_bytes("dfu.bin", s3.data, s3.size);
        assert_int_equal(images_get(images, &open_to_all, &keys, &copy, &why), 1);
        assert_non_null(strstr(why, "with it the policies' images have more than"));
        free(take_ptr(why));
        image_copy_unref(of_job); /* the job has ended */
        of_job = get(&open_to_all);
        /* The station ends before it. */
        images_free(images);
        image_copy_unref(of_job);
        assert_int_equal(images_new(UINT64_MAX, &images), 0);
        sample_image_done(&s3);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
        const struct CMUnitTest tests[] = {
                TEST(test_copy_is_kept_while_image_signature_and_keys_are_what_they_were),
                TEST(test_copy_is_sealed),
                TEST(test_copy_is_no_program_where_the_kernel_knows_the_difference),
                TEST(test_copy_that_a_job_holds_helps_nobody_when_the_signature_is_gone),
                TEST(test_copy_that_a_job_holds_helps_nobody_when_the_key_is_gone),
                TEST(test_policies_that_ask_for_different_things_share_no_copy),
                TEST(test_file_that_is_altered_behind_its_times_is_not_what_is_flashed),
                TEST(test_signature_comes_before_what_is_in_the_image),
                TEST(test_pin_is_demanded_beside_the_signature),
                TEST(test_reload_reads_nothing_again_that_is_unchanged_and_named),
                TEST(test_file_that_is_replaced_is_read_with_the_reload),
                TEST(test_spellings_of_a_file_share_its_memory),
                TEST(test_images_have_a_bound_together),
                TEST(test_copies_that_jobs_still_have_count_too),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
