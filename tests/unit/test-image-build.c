/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The builder against outputs of Espressif's own: the files are given by formula, the images by their SHA-256. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/digest.h"
#include "tests/unit/fixtures.h"

struct input {
        const char *name;
        size_t size;
        uint32_t seed;
        const char *sha256;
};

static const struct input boot = { "boot.bin", 22400, 3,
                                   "38651616f5172d54f8701d586abcfdd129db44fa2cbcaed7a05b6a21ebf9b4d5" };
static const struct input pt = { "pt.bin", 3072, 5,
                                 "9ae299dec3d448d521d1fac2de9bf5964600222db1994987c25234ff33792495" };
static const struct input app = { "app.bin", 180000, 11,
                                  "209c699d2994e954aa7a7e432a1c1663ca28af81c14fdad2f704656065d2ecf3" };
static const struct input ota = { "ota.bin", 8192, 19,
                                  "35d50e5bdc524431c275809d4aa096bbdea19f7882306891ea228b4cdf9b6731" };
static const struct input big = { "big.bin", 1300001, 13,
                                  "a034665d7ae687cf120d8a72e4d11a0fa2c33bde05ce7bd22f56fa82cf1b08bc" };

static void assert_sha256(const uint8_t *data, size_t len, const char *expected)
{
        uint8_t sha[SHA256_SIZE];
        char hex[SHA256_HEX];

        assert_int_equal(digest_sha256(data, len, sha), 0);
        hex_encode(sha, sizeof(sha), hex);
        assert_string_equal(hex, expected);
}

static struct image_build_file file_at(uint32_t address, const struct input *input)
{
        uint8_t *data = fixture_bytes(input->size, input->seed);

        assert_sha256(data, input->size, input->sha256);
        return (struct image_build_file){ address, input->name, data, input->size };
}

static void free_files(const struct image_build_file *files, size_t n)
{
        for (size_t i = 0; i < n; i++)
                free((void *)files[i].data);
}

/* Builds and returns the verdict; findings to be done by the caller. */
static int build(const char *chip, uint32_t mib, size_t part_size, const struct image_build_file *files,
                 size_t n, struct findings *findings, struct bytes *ret)
{
        const struct image_build b = { chip_by_name(chip), (uint32_t)(mib * MIB), part_size, files, n };

        return image_build(&b, findings, &ret->data, &ret->len);
}

static void expect_image(const char *chip, uint32_t mib, const struct image_build_file *files, size_t n,
                         size_t size, const char *sha256)
{
        _cleanup_(findings_done) struct findings findings = { 0 };
        _cleanup_(bytes_done) struct bytes image = { 0 };

        assert_int_equal(build(chip, mib, IMAGE_PART_SIZE_DEFAULT, files, n, &findings, &image), 0);
        assert_int_equal(findings.n_errors + findings.n_warnings, 0);
        assert_int_equal(image.len, size);
        assert_sha256(image.data, image.len, sha256);
}

static void expect_error(const char *chip, size_t part_size, const struct image_build_file *files, size_t n,
                         const char *text)
{
        _cleanup_(findings_done) struct findings findings = { 0 };
        _cleanup_(bytes_done) struct bytes image = { 0 };

        assert_int_equal(build(chip, 4, part_size, files, n, &findings, &image), 1);
        assert_null(image.data);
        for (size_t i = 0; i < findings.n_items; i++)
                if (findings.items[i].severity == FINDING_ERROR && strstr(findings.items[i].text, text))
                        return;
        fail_msg("no error says \"%s\"; the first of %zu: %s", text, findings.n_items,
                 findings.n_items ? findings.items[0].text : "");
}

static void test_case_a_parts_of_five_bytes_are_built_and_warned_about(void **state)
{
        static const uint8_t ce[10] = { 0xce, 0xce, 0xce, 0xce, 0xce, 0xce, 0xce, 0xce, 0xce, 0xce };
        const struct image_build_file file = { 0, "bin", ce, sizeof(ce) };
        _cleanup_(findings_done) struct findings findings = { 0 };
        _cleanup_(bytes_done) struct bytes image = { 0 };

        (void)state;
        assert_int_equal(build("esp32s2", 4, 5, &file, 1, &findings, &image), 0);
        assert_int_equal(findings.n_errors, 0);
        assert_int_equal(findings.n_warnings, 2);
        assert_non_null(strstr(findings.items[0].text, "part size 5"));
        assert_non_null(strstr(findings.items[1].text, "not to be flashed: its erase wipes 5 bytes of bin"));
        assert_int_equal(image.len, 10256);
        assert_sha256(image.data, image.len,
                      "30fd6c93b9db14d4c45b7ed00db1ab93e499016e809984b9805f1b1526efe8bf");
}

static void test_case_b_an_s2_with_three_files_in_any_order(void **state)
{
        const struct image_build_file files[] = { file_at(0x10000, &app), file_at(0x1000, &boot),
                                                  file_at(0x8000, &pt) };

        (void)state;
        expect_image("esp32s2", 4, files, 3, 215056,
                     "619226a4366af86d24cc63bf32ae6e6022cb0a240c8bc4df4e90f989f14ab69f");
        free_files(files, 3);
}

static void test_case_c_an_s3_with_a_file_of_three_parts(void **state)
{
        const struct image_build_file files[] = {
                file_at(0, &boot),
                file_at(0x8000, &pt),
                file_at(0xd000, &ota),
                file_at(0x10000, &big),
        };

        (void)state;
        expect_image("esp32s3", 8, files, 4, 1341456,
                     "4904ad7420905d24f78ffdd2143d0b04a7332bd367e10d43709467289716dd96");
        free_files(files, 4);
}

static void test_later_of_two_files_at_one_address_replaces_the_earlier(void **state)
{
        const struct image_build_file files[] = { file_at(0x10000, &ota), file_at(0x1000, &boot),
                                                  file_at(0x8000, &pt), file_at(0x10000, &app) };

        (void)state;
        expect_image("esp32s2", 4, files, 4, 215056,
                     "619226a4366af86d24cc63bf32ae6e6022cb0a240c8bc4df4e90f989f14ab69f");
        free_files(files, 4);
}

static void test_what_cannot_be_built_says_why(void **state)
{
        _cleanup_(freep) uint8_t *data = fixture_bytes(0x50000, 1);
        char name64[65] = { 0 }, name62[63] = { 0 };
        const struct {
                size_t part_size;
                size_t n;
                struct image_build_file files[2];
                const char *text;
        } cases[] = {
                { 4096, 1, { { 0, name64, data, 10 } }, "name of 64 bytes: expected at most 63" },
                { 4096, 1, { { 0, name62, data, 4097 } }, "name of 64 bytes: expected at most 63" },
                { 4096, 1, { { 0, "", data, 10 } }, "expected printable UTF-8" },
                { 4096, 1, { { 0, "a\nb", data, 10 } }, "expected printable UTF-8" },
                { 4096, 1, { { 0, "a/b", data, 10 } }, "without '/'" },
                { 4096,
                  2,
                  { { 0, "a", data, 10 }, { 0x1000, "a", data, 10 } },
                  "second member of this name" },
                { 4096,
                  2,
                  { { 0, "a", data, 5000 }, { 0x4000, "a.1", data, 10 } },
                  "second member of this name" },
                { 4096, 1, { { 0, "dfuinfo0.dat", data, 10 } }, "second member of this name" },
                { 4096, 1, { { 0, "flash_params.dat", data, 10 } }, "second member of this name" },
                { 4096, 1, { { 0, "TRAILER!!!", data, 10 } }, "second member of this name" },
                { 4096, 1, { { 0, "a", data, 64 * 4096 } }, "65 records: the chip takes at most 64" },
                { 4096,
                  2,
                  { { 0, "a", data, 4097 }, { 0x1000, "b", data, 10 } },
                  "overlaps a at flash 0x1000" },
                { 4096,
                  1,
                  { { 0x3ff000, "a", data, 4097 } },
                  "beyond the flash: expected an end of at most 0x400000" },
                { 4096, 1, { { 0xffffffff, "a", data, 2 } }, "beyond the flash" },
                { 4096, 1, { { 0, "a", data, 0 } }, "nothing to flash" },
                { 4096, 0, { { 0 } }, "no files" },
                { 0, 1, { { 0, "a", data, 10 } }, "part size 0" },
        };

        (void)state;
        memset(name64, 'n', 64);
        memset(name62, 'n', 62);
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
                expect_error("esp32s2", cases[i].part_size, cases[i].files, cases[i].n, cases[i].text);
}

static void test_what_the_chip_would_not_start_is_not_built(void **state)
{
        _cleanup_(bytes_done) struct bytes esp = fixture_esp_image(0x0009, "gizmo", "1");
        const struct image_build_file for_s3 = { 0x10000, "app.bin", esp.data, esp.len };
        const struct image_build_file shared_sector[] = {
                { 0x10000, "a", esp.data, esp.len },
                { 0x10800, "b", esp.data, esp.len },
        };

        (void)state;
        expect_error("esp32s2", 4096, &for_s3, 1,
                     "ESP image for chip id 0x0009 (esp32s3): expected 0x0002 (esp32s2)");
        expect_error("esp32s3", 4096, shared_sector, 2, "its erase wipes ");
}

static void test_sixty_three_parts_are_the_most_that_fit(void **state)
{
        _cleanup_(freep) uint8_t *data = fixture_bytes(63 * 4096, 1);
        const struct image_build_file file = { 0, "a", data, 63 * 4096 };
        _cleanup_(findings_done) struct findings findings = { 0 };
        _cleanup_(bytes_done) struct bytes bytes = { 0 };
        _cleanup_(image_freep) struct image *image = NULL;

        (void)state;
        assert_int_equal(build("esp32s2", 4, 4096, &file, 1, &findings, &bytes), 0);
        assert_int_equal(image_parse(bytes.data, bytes.len, &findings, &image), 0);
        assert_int_equal(image->n_members, 64);
        assert_int_equal(image->n_files, 1);
}

/* 16 Mi of them would keep us for minutes. */
static void test_the_records_are_counted_before_they_are_made(void **state)
{
        _cleanup_(freep) uint8_t *data = calloc(1, 16 * MIB);
        const struct image_build_file file = { 0, "a", data, 16 * MIB };
        const struct image_build all = { chip_by_name("esp32s2"), 16 * MIB, 1, &file, 1 };
        _cleanup_(findings_done) struct findings findings = { 0 };
        uint8_t *image;
        size_t len;

        (void)state;
        assert_non_null(data);
        assert_int_equal(image_build(&all, &findings, &image, &len), 1);
        assert_int_equal(findings.n_items, 2); /* with the warning about the part size */
        assert_non_null(strstr(findings.items[1].text, "16777217 records: the chip takes at most 64"));
}

static void test_an_address_is_hexadecimal_or_decimal(void **state)
{
        static const char *const wrong[] = { "",   "0x",  "x",           "-1",         " 1",
                                             "1 ", "010", "0x100000000", "4294967296", "1k" };
        uint32_t address = 7;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
                assert_int_equal(flash_address_parse(wrong[i], &address), -EINVAL);
        assert_int_equal(address, 7);
        assert_int_equal(flash_address_parse("0x1000", &address), 0);
        assert_int_equal(address, 0x1000);
        assert_int_equal(flash_address_parse("0XfFfFfFfF", &address), 0);
        assert_int_equal(address, 0xffffffff);
        assert_int_equal(flash_address_parse("4096", &address), 0);
        assert_int_equal(address, 4096);
        assert_int_equal(flash_address_parse("0", &address), 0);
        assert_int_equal(address, 0);
}

static void test_a_flash_size_is_named_as_esptool_names_it(void **state)
{
        static const char *const wrong[] = { "", "4", "4M", "3MB", "4mb", "256MB", "0MB", "4MB " };
        uint32_t size = 7;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
                assert_int_equal(flash_size_parse(wrong[i], &size), -EINVAL);
        assert_int_equal(size, 7);
        assert_int_equal(flash_size_parse("1MB", &size), 0);
        assert_int_equal(size, 1 * MIB);
        assert_int_equal(flash_size_parse("128MB", &size), 0);
        assert_int_equal(size, 128 * MIB);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_case_a_parts_of_five_bytes_are_built_and_warned_about),
                cmocka_unit_test(test_case_b_an_s2_with_three_files_in_any_order),
                cmocka_unit_test(test_case_c_an_s3_with_a_file_of_three_parts),
                cmocka_unit_test(test_later_of_two_files_at_one_address_replaces_the_earlier),
                cmocka_unit_test(test_what_cannot_be_built_says_why),
                cmocka_unit_test(test_what_the_chip_would_not_start_is_not_built),
                cmocka_unit_test(test_sixty_three_parts_are_the_most_that_fit),
                cmocka_unit_test(test_the_records_are_counted_before_they_are_made),
                cmocka_unit_test(test_an_address_is_hexadecimal_or_decimal),
                cmocka_unit_test(test_a_flash_size_is_named_as_esptool_names_it),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
