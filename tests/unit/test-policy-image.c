/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a policy demands of its image. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/dfu-suffix.h"
#include "core/policy-image.h"

static const uint8_t digest[SHA256_SIZE] = { 1, 2, 3 };

static struct image image_for(uint16_t pid)
{
        return (struct image){ .vid = ESP_VENDOR_ID, .pid = pid, .chip = chip_by_pid(pid) };
}

static void expect_refused(const struct config_policy *policy, const struct image *image, const char *why)
{
        char *text = NULL;

        assert_int_equal(policy_check_image(policy, image, digest, &text), 1);
        assert_string_equal(text, why);
        free(text);
}

static void test_policy_without_demands_takes_any_image(void **state)
{
        const struct config_policy policy = { .name = (char *)"gizmo" };
        struct image image = image_for(0x0009);

        (void)state;
        assert_int_equal(policy_check_image(&policy, &image, digest, NULL), 0);
}

static void test_pinned_image_is_taken_and_another_is_not(void **state)
{
        struct config_policy policy = { .has_sha256 = true };
        struct image image = image_for(0x0002);

        (void)state;
        memcpy(policy.sha256, digest, sizeof(digest));
        assert_int_equal(policy_check_image(&policy, &image, digest, NULL), 0);
        policy.sha256[31] = 9;
        expect_refused(
                &policy, &image,
                "SHA-256 is 0102030000000000000000000000000000000000000000000000000000000000: expected "
                "0102030000000000000000000000000000000000000000000000000000000009");
}

static void test_image_for_another_chip_than_the_policys_is_refused(void **state)
{
        struct config_policy policy = { .chip = chip_by_name("esp32s2") };
        struct image image = image_for(0x0009);

        (void)state;
        expect_refused(&policy, &image, "made for 303a:0009: expected 303a:0002 (chip = esp32s2)");
        image = image_for(0x0002);
        assert_int_equal(policy_check_image(&policy, &image, digest, NULL), 0);
}

static void test_suffix_for_every_device_leaves_it_to_what_is_inside(void **state)
{
        struct image image = { .vid = 0xffff, .pid = 0xffff };

        (void)state;
        assert_true(image_is_for(&image, ESP_VENDOR_ID, 0x0002));
        image.chip = chip_by_name("esp32s3");
        assert_false(image_is_for(&image, ESP_VENDOR_ID, 0x0002));
        assert_true(image_is_for(&image, ESP_VENDOR_ID, 0x0009));
}

/* A suffix and anything behind it is enough for a device that is not the ROM; never for the ROM. */
static void test_only_a_policy_for_any_device_takes_what_is_no_archive(void **state)
{
        const struct dfu_suffix suffix = { DFU_ID_ANY, 0x5678, 0x1234, 0x0110, 0, 0 };
        struct config_policy policy = { .mode = POLICY_MODE_ANY };
        _cleanup_(bytes_done) struct bytes file = { 0 };
        struct findings findings = { 0 };
        struct image *image = NULL;

        (void)state;
        assert_int_equal(bytes_append(&file, "firmware", 8), 0);
        assert_int_equal(dfu_suffix_append(&file, &suffix), 0);
        assert_int_equal(policy_parse_image(&policy, file.data, file.len, &findings, &image), 0);
        assert_int_equal(image->payload_size, 8);
        assert_true(image_is_for(image, 0x1234, 0x5678));
        assert_false(image_is_for(image, 0x1234, 0x5679));
        assert_false(image_is_for(image, 0x1235, 0x5678));
        image_free(image);
        assert_int_equal(findings.n_items, 0);

        policy.mode = POLICY_MODE_ROM;
        assert_int_equal(policy_parse_image(&policy, file.data, file.len, &findings, &image), 1);
        assert_true(findings.n_errors > 0);
        findings_done(&findings);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_policy_without_demands_takes_any_image),
                cmocka_unit_test(test_pinned_image_is_taken_and_another_is_not),
                cmocka_unit_test(test_image_for_another_chip_than_the_policys_is_refused),
                cmocka_unit_test(test_suffix_for_every_device_leaves_it_to_what_is_inside),
                cmocka_unit_test(test_only_a_policy_for_any_device_takes_what_is_no_archive),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
