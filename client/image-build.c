/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <getopt.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <sys/stat.h>

#include "client/image-verbs.h"
#include "core/bytes.h"
#include "core/flasher-args.h"
#include "core/image-build.h"
#include "io/file-write.h"
#include "io/file.h"

/* What the command line says; texts are borrowed from it. */
struct order {
        const char *program; /* for messages */
        const char *chip, *flash_size, *part_size, *output, *flasher_args;
        char **pairs; /* ADDR FILE … */
        size_t n_pairs;
};

/* What becomes of it. paths and data are owned. */
struct inputs {
        const struct chip *chip;
        uint32_t flash_size, part_size;
        struct image_build_file *files;
        char **paths;
        size_t n_files;
};

static void inputs_done(struct inputs *inputs)
{
        for (size_t i = 0; i < inputs->n_files; i++) {
                free((void *)inputs->files[i].data);
                free(inputs->paths[i]);
        }
        free(inputs->files);
        free(inputs->paths);
}

#define FLASH_SIZES "1MB, 2MB, 4MB, 8MB, 16MB, 32MB, 64MB or 128MB"

/* "esp32s2, esp32s3, …"; to be freed, or NULL when out of memory. */
static char *chip_names(void)
{
        struct bytes names = { 0 };
        int r = 0;

        for (size_t i = 0; r == 0 && chip_at(i); i++) {
                if (i > 0)
                        r = bytes_append(&names, ", ", 2);
                if (r == 0)
                        r = bytes_append(&names, chip_at(i)->name, strlen(chip_at(i)->name));
        }
        if (r == 0)
                r = bytes_append(&names, "", 1);
        if (r == 0)
                return (char *)names.data;
        bytes_done(&names);
        return NULL;
}

static void print_help(FILE *out)
{
        _cleanup_(freep) char *chips = chip_names();

        fprintf(out,
                "Usage: espdfuctl image build [--chip CHIP] [--flash-size SIZE] [--part-size BYTES] -o OUT\n"
                "                             (--flasher-args FILE | ADDR FILE …)\n\n"
                "Makes a DFU image, byte for byte as `idf.py dfu` does.\n\n"
                "      --chip CHIP          %s\n"
                "      --flash-size SIZE    1MB, 2MB, 4MB … 128MB; 2MB unless the flasher_args.json says it\n"
                "      --part-size BYTES    larger files are split, a multiple of 4096; 524288\n"
                "  -o, --output OUT         the image\n"
                "      --flasher-args FILE  flasher_args.json of an ESP-IDF build: its files, and its chip\n"
                "  -h, --help               this text\n\n"
                "ADDR is a flash address such as 0x10000. Of two files for one address the later counts.\n"
                "Exit codes: 0 done, 1 failed, 2 wrong usage.\n",
                chips ? chips : "?");
}

/* ---- from the command line, or from flasher_args.json, to files in memory ---- */

static int inputs_reserve(struct inputs *inputs, size_t n)
{
        inputs->files = calloc(MAX(n, (size_t)1), sizeof(*inputs->files));
        inputs->paths = calloc(MAX(n, (size_t)1), sizeof(*inputs->paths));
        return inputs->files && inputs->paths ? 0 : -ENOMEM;
}

/* Takes path, which the file's name is a part of. All files together are bounded as an image is. */
static int inputs_add(struct inputs *inputs, uint32_t address, char *path)
{
        struct image_build_file *file = &inputs->files[inputs->n_files];
        const char *slash = strrchr(path, '/');
        size_t room = IMAGE_SIZE_MAX;
        uint8_t *data;
        int r;

        inputs->paths[inputs->n_files] = path;
        for (size_t i = 0; i < inputs->n_files; i++)
                room -= inputs->files[i].size;
        inputs->n_files++;
        r = file_read(path, room, &data, &file->size);
        if (r < 0) {
                client_error("%s: %s", path, file_error_text(r));
                return EXIT_FAILED;
        }
        file->address = address;
        file->name = slash ? slash + 1 : path;
        file->data = data;
        return 0;
}

static int add_pairs(struct inputs *inputs, const struct order *order)
{
        int r = inputs_reserve(inputs, order->n_pairs);

        for (size_t i = 0; r == 0 && i < order->n_pairs; i++) {
                const char *address = order->pairs[2 * i];
                uint32_t value;
                char *path;

                if (flash_address_parse(address, &value) < 0) {
                        client_say(stderr, "%s: address \"%s\": expected a number such as 0x1000",
                                   order->program, address);
                        return EXIT_USAGE;
                }
                path = strdup(order->pairs[2 * i + 1]);
                r = path ? inputs_add(inputs, value, path) : -ENOMEM;
        }
        return r;
}

/* Paths in the JSON file are relative to where that lies. */
static char *path_beside(const char *json, const char *path)
{
        const char *slash = strrchr(json, '/');
        char *joined;

        if (path[0] == '/' || !slash)
                return strdup(path);
        return asprintf(&joined, "%.*s/%s", (int)(slash - json), json, path) < 0 ? NULL : joined;
}

static int add_json_files(struct inputs *inputs, const char *json, const struct flasher_args *args)
{
        int r = inputs_reserve(inputs, args->n_files);

        for (size_t i = 0; r == 0 && i < args->n_files; i++) {
                char *path = path_beside(json, args->files[i].path);

                r = path ? inputs_add(inputs, args->files[i].address, path) : -ENOMEM;
        }
        return r;
}

static int no_such_chip(const char *who, const char *what, const char *chip, int code)
{
        _cleanup_(freep) char *chips = chip_names();

        client_say(stderr, "%s: %s \"%.40s\": expected one of %s", who, what, chip, chips ? chips : "?");
        return code;
}

/* What the command line leaves open the JSON file may say; the chip of both must be one. */
static int add_json_settings(struct order *order, const struct flasher_args *args)
{
        const char *json = order->flasher_args;
        uint32_t size;

        if (args->chip && !chip_by_name(args->chip)) {
                _cleanup_(freep) char *who = NULL;

                if (asprintf(&who, "espdfuctl: %s", json) < 0)
                        return -ENOMEM;
                return no_such_chip(who, "extra_esptool_args.chip", args->chip, EXIT_FAILED);
        }
        if (args->chip && order->chip && !streq(args->chip, order->chip)) {
                client_error("%s: built for chip \"%s\": expected \"%s\", as --chip says", json, args->chip,
                             order->chip);
                return EXIT_FAILED;
        }
        if (!order->chip)
                order->chip = args->chip;
        if (order->flash_size || !args->flash_size)
                return 0;
        if (flash_size_parse(args->flash_size, &size) < 0) {
                client_error("%s: flash_settings.flash_size \"%.40s\": expected " FLASH_SIZES
                             ", or --flash-size to say it",
                             json, args->flash_size);
                return EXIT_FAILED;
        }
        order->flash_size = args->flash_size;
        return 0;
}

static int read_flasher_args(const char *path, struct flasher_args *ret)
{
        _cleanup_(freep) uint8_t *text = NULL;
        struct fault fault;
        size_t len;
        int r = file_read(path, FLASHER_ARGS_SIZE_MAX, &text, &len);

        if (r == 0)
                r = flasher_args_parse((const char *)text, len, ret, &fault);
        if (r == 0)
                return 0;
        if (r == -EFBIG)
                client_error("%s: too large: expected ESP-IDF's flasher_args.json", path);
        else
                client_error("%s: %s", path, r < 0 ? file_error_text(r) : fault.text);
        return EXIT_FAILED;
}

static int take_settings(struct inputs *inputs, const struct order *order)
{
        inputs->chip = order->chip ? chip_by_name(order->chip) : NULL;
        inputs->flash_size = IMAGE_FLASH_SIZE_DEFAULT;
        inputs->part_size = IMAGE_PART_SIZE_DEFAULT;
        if (!order->chip) {
                _cleanup_(freep) char *chips = chip_names();

                client_say(stderr, "%s: no --chip: expected one of %s", order->program, chips ? chips : "?");
                return EXIT_USAGE;
        }
        if (!inputs->chip)
                return no_such_chip(order->program, "chip", order->chip, EXIT_USAGE);
        if (order->flash_size && flash_size_parse(order->flash_size, &inputs->flash_size) < 0) {
                client_say(stderr, "%s: flash size \"%s\": expected " FLASH_SIZES, order->program,
                           order->flash_size);
                return EXIT_USAGE;
        }
        if (order->part_size &&
            (flash_address_parse(order->part_size, &inputs->part_size) < 0 || inputs->part_size == 0)) {
                client_say(stderr, "%s: part size \"%s\": expected bytes, a multiple of %d", order->program,
                           order->part_size, FLASH_SECTOR_SIZE);
                return EXIT_USAGE;
        }
        return 0;
}

/* ---- the image ---- */

static int check_output(const struct inputs *inputs, const struct order *order)
{
        const char *input = image_is_one_file(order->output, order->flasher_args) ? order->flasher_args
                                                                                  : NULL;

        for (size_t i = 0; !input && i < inputs->n_files; i++)
                if (image_is_one_file(order->output, inputs->paths[i]))
                        input = inputs->paths[i];
        if (!input)
                return 0;
        client_error("%s: the same file as the input %s: expected another one to write", order->output,
                     input);
        return EXIT_FAILED;
}

static void print_findings(const struct findings *findings)
{
        for (size_t i = 0; i < findings->n_items; i++) {
                _cleanup_(freep) char *line = finding_to_string(&findings->items[i]);

                client_error("%s", line ?: "error: out of memory");
        }
}

static int build(const struct inputs *inputs, const char *output)
{
        const struct image_build build = { inputs->chip, inputs->flash_size, inputs->part_size, inputs->files,
                                           inputs->n_files };
        _cleanup_(findings_done) struct findings findings = { 0 };
        _cleanup_(freep) uint8_t *image = NULL;
        size_t len;
        int r = image_build(&build, &findings, &image, &len);

        print_findings(&findings);
        if (r > 0)
                return EXIT_FAILED;
        if (r == 0)
                r = file_write(output, image, len);
        if (r < 0) {
                client_error("%s: %s", output, file_error_text(r));
                return EXIT_FAILED;
        }
        client_say(stdout, "%s: %zu bytes for %s with %" PRIu64 "MB of flash", output, len,
                   inputs->chip->name, inputs->flash_size / MIB);
        return EXIT_DONE;
}

static int run(struct order *order)
{
        _cleanup_(flasher_args_done) struct flasher_args args = { 0 };
        _cleanup_(inputs_done) struct inputs inputs = { 0 };
        int r = 0;

        if (order->flasher_args)
                r = read_flasher_args(order->flasher_args, &args);
        if (r == 0 && order->flasher_args)
                r = add_json_settings(order, &args);
        if (r == 0)
                r = take_settings(&inputs, order);
        if (r == 0)
                r = order->flasher_args ? add_json_files(&inputs, order->flasher_args, &args)
                                        : add_pairs(&inputs, order);
        if (r == 0)
                r = check_output(&inputs, order);
        if (r == 0)
                r = build(&inputs, order->output);
        if (r == -ENOMEM) {
                client_error("out of memory");
                return EXIT_FAILED;
        }
        return r;
}

/* ---- the command line ---- */

enum { OPTION_CHIP = 256, OPTION_FLASH_SIZE, OPTION_PART_SIZE, OPTION_FLASHER_ARGS };

/* Returns 0, or -1 where *ret_exit is to be returned at once. */
static int parse(int argc, char **argv, struct order *order, int *ret_exit)
{
        static const struct option options[] = {
                { "chip", required_argument, NULL, OPTION_CHIP },
                { "flash-size", required_argument, NULL, OPTION_FLASH_SIZE },
                { "part-size", required_argument, NULL, OPTION_PART_SIZE },
                { "output", required_argument, NULL, 'o' },
                { "flasher-args", required_argument, NULL, OPTION_FLASHER_ARGS },
                { "help", no_argument, NULL, 'h' },
                { 0 },
        };
        int c;

        *ret_exit = EXIT_USAGE;
        while ((c = getopt_long(argc, argv, ":o:h", options, NULL)) >= 0) {
                switch (c) {
                case OPTION_CHIP:
                        order->chip = optarg;
                        break;
                case OPTION_FLASH_SIZE:
                        order->flash_size = optarg;
                        break;
                case OPTION_PART_SIZE:
                        order->part_size = optarg;
                        break;
                case OPTION_FLASHER_ARGS:
                        order->flasher_args = optarg;
                        break;
                case 'o':
                        order->output = optarg;
                        break;
                case 'h':
                        print_help(stdout);
                        *ret_exit = EXIT_DONE;
                        return -1;
                default:
                        image_bad_option(argv, c);
                        return -1;
                }
        }
        order->pairs = argv + optind;
        order->n_pairs = (size_t)(argc - optind) / 2;
        return 0;
}

int image_build_main(int argc, char **argv)
{
        struct order order = { .program = argv[0] };
        const char *wrong = NULL;
        int r, n;

        if (parse(argc, argv, &order, &r) < 0)
                return r;
        n = argc - optind;
        if (!order.output)
                wrong = "no -o: expected the file to write";
        else if (order.flasher_args && n > 0)
                wrong = "--flasher-args and further files: expected one or the other";
        else if (!order.flasher_args && n == 0)
                wrong = "no files: expected --flasher-args FILE, or ADDR FILE …";
        else if (n % 2 != 0)
                wrong = "an address without a file: expected ADDR FILE …";
        if (wrong) {
                client_say(stderr, "%s: %s", order.program, wrong);
                return EXIT_USAGE;
        }
        return run(&order);
}
