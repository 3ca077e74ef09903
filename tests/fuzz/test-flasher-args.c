/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* flasher_args.json, which a build left; and the addresses and sizes of flash as a person writes them. */
#include "core/flasher-args.h"
#include "core/image-build.h"
#include "tests/fuzz/fuzz.h"

static void check_words(const char *text)
{
        uint32_t value = 0;

        if (flash_size_parse(text, &value) == 0)
                must(value >= FLASH_SIZE_MIN && value <= FLASH_SIZE_MAX && value % (1 * MIB) == 0);
        (void)flash_address_parse(text, &value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_(flasher_args_done) struct flasher_args args = { 0 };
        _cleanup_(freep) char *text = strndup(size > 0 ? (const char *)data : "", size);
        struct fault fault = { 0 };
        int r = flasher_args_parse((const char *)data, size, &args, &fault);

        must(text && (r == 0 || (r == 1 && fault.text[0])));
        check_words(text);
        if (r != 0)
                return 0;
        must(args.n_files >= 1 && args.n_files <= FLASHER_ARGS_FILES_MAX);
        for (size_t i = 0; i < args.n_files; i++)
                must(args.files[i].path[0]);
        if (args.flash_size)
                check_words(args.flash_size);
        return 0;
}
