/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>

#include "client/client.h"
#include "client/image-verbs.h"
#include "core/digest.h"
#include "core/text.h"
#include "show/table.h"

static void print_help(FILE *out)
{
        fprintf(out, "Usage: espdfuctl image info [--json] FILE\n\n"
                     "Shows what is in a DFU image: for which chip, which files go where, and what is wrong "
                     "with it.\n\n"
                     "  -J, --json  as one JSON object\n"
                     "  -h, --help  this text\n\n"
                     "Exit codes: 0 done, 1 the image has an error or cannot be read, 2 wrong usage.\n");
}

static bool md5_ok(const struct image *image, const struct image_file *file)
{
        for (size_t i = 0; i < file->n_members; i++)
                if (!image->members[file->first_member + i].md5_ok)
                        return false;
        return true;
}

static int sha256_of(const struct inspected *file, char ret[SHA256_HEX])
{
        uint8_t sha[SHA256_SIZE];
        int r = digest_sha256(file->data, file->len, sha);

        if (r == 0)
                hex_encode(sha, sizeof(sha), ret);
        return r;
}

/* ---- for people ---- */

/* size in the largest unit that it is a multiple of. */
static void format_size(char *ret, size_t len, uint64_t size)
{
        if (size > 0 && size % MIB == 0)
                snprintf(ret, len, "%" PRIu64 " MiB", size / MIB);
        else if (size > 0 && size % KIB == 0)
                snprintf(ret, len, "%" PRIu64 " KiB", size / KIB);
        else
                snprintf(ret, len, "%" PRIu64 " bytes", size);
}

static void print_head(const struct inspected *file, const char *sha256)
{
        const struct image *image = file->image;
        char flash[32], erase[32];

        client_say(stdout, "%s: %zu bytes", file->path, file->len);
        printf("sha256:      %s\n", sha256);
        if (image->payload_size == 0)
                return;
        printf("chip:        %s (VID 0x%04x, PID 0x%04x)\n", image->chip ? image->chip->name : "unknown",
               (unsigned)image->vid, (unsigned)image->pid);
        if (image->app_name[0] || image->app_version[0])
                client_say(stdout, "application: %s %s", image->app_name, image->app_version);
        format_size(flash, sizeof(flash), image->flash_size);
        format_size(erase, sizeof(erase), image->erase_bytes);
        if (image->flash_size > 0)
                printf("flash:       %s, of which it writes %" PRIu64 " bytes and erases %s\n", flash,
                       image->flash_bytes, erase);
}

static int add_line(struct libscols_table *table, const struct image *image, const struct image_file *file)
{
        struct libscols_line *line = scols_table_new_line(table, NULL);
        char address[16], size[24], parts[24];
        int r = 0;

        if (!line)
                return -ENOMEM;
        snprintf(address, sizeof(address), "0x%x", file->address);
        snprintf(size, sizeof(size), "%zu", file->size);
        snprintf(parts, sizeof(parts), "%zu", file->n_members);
        r = r ?: scols_line_set_data(line, 0, address);
        r = r ?: scols_line_set_data(line, 1, size);
        r = r ?: scols_line_set_data(line, 2, parts);
        r = r ?: table_take(line, 3, text_escape(file->name));
        r = r ?: scols_line_set_data(line, 4, image_file_kind_to_string(file->kind));
        r = r ?: table_take(line, 5, text_escape(file->partition[0] ? file->partition : "-"));
        r = r ?: scols_line_set_data(line, 6, md5_ok(image, file) ? "ok" : "WRONG");
        return r;
}

static int print_files(const struct image *image)
{
        static const struct {
                const char *name;
                int flags;
        } columns[] = {
                { "ADDRESS", SCOLS_FL_RIGHT },
                { "SIZE", SCOLS_FL_RIGHT },
                { "PARTS", SCOLS_FL_RIGHT },
                { "NAME", 0 },
                { "WHAT", 0 },
                { "PARTITION", 0 },
                { "MD5", 0 },
        };
        struct libscols_table *table = scols_new_table();
        int r = table ? 0 : -ENOMEM;

        for (size_t i = 0; r == 0 && i < ARRAY_SIZE(columns); i++)
                r = scols_table_new_column(table, columns[i].name, 0, columns[i].flags) ? 0 : -ENOMEM;
        for (size_t i = 0; r == 0 && i < image->n_files; i++)
                r = add_line(table, image, &image->files[i]);
        if (r == 0) {
                putchar('\n');
                r = scols_print_table(table);
                if (ferror(stdout))
                        r = 0; /* main() tells it */
        }
        scols_unref_table(table);
        return r;
}

static int print_text(const struct inspected *file, const char *sha256)
{
        const struct findings *findings = &file->findings;
        int r = 0;

        print_head(file, sha256);
        if (file->image->n_files > 0)
                r = print_files(file->image);
        if (findings->n_items > 0)
                putchar('\n');
        for (size_t i = 0; i < findings->n_items; i++) {
                _cleanup_(freep) char *line = finding_to_string(&findings->items[i]);

                client_say(stdout, "%s", line ?: "error: out of memory");
        }
        if (findings->n_errors > 0)
                printf("\nNot to be flashed: %zu error%s.\n", findings->n_errors,
                       findings->n_errors == 1 ? "" : "s");
        return r;
}

/* ---- for programs ---- */

/* What others named need not be UTF-8, which JSON can not say; NULL when out of memory. */
static json_t *json_text(const char *text)
{
        _cleanup_(freep) char *utf8 = text_to_utf8(text, 3 * strlen(text));

        return utf8 ? json_string(utf8) : NULL;
}

static json_t *json_text_or_null(const char *text)
{
        return text && *text ? json_text(text) : json_null();
}

static json_t *json_of_file(const struct image *image, const struct image_file *file)
{
        return json_pack("{s:o, s:I, s:I, s:I, s:s, s:o, s:o, s:o, s:b}", "name", json_text(file->name),
                         "address", (json_int_t)file->address, "size", (json_int_t)file->size, "parts",
                         (json_int_t)file->n_members, "what", image_file_kind_to_string(file->kind),
                         "partition", json_text_or_null(file->partition), "app_name",
                         json_text_or_null(file->app_name), "app_version",
                         json_text_or_null(file->app_version), "md5_ok", (int)md5_ok(image, file));
}

static json_t *json_of_finding(const struct finding *finding)
{
        return json_pack("{s:s, s:o, s:I, s:o}", "severity", finding_severity_to_string(finding->severity),
                         "member", json_text_or_null(finding->member), "offset", (json_int_t)finding->offset,
                         "text", json_text(finding->text));
}

static int print_json(const struct inspected *file, const char *sha256)
{
        const struct image *image = file->image;
        json_t *files = json_array(), *findings = json_array(), *root;
        int r = 0;

        for (size_t i = 0; i < image->n_files; i++)
                r |= json_array_append_new(files, json_of_file(image, &image->files[i]));
        for (size_t i = 0; i < file->findings.n_items; i++)
                r |= json_array_append_new(findings, json_of_finding(&file->findings.items[i]));
        root = json_pack(
                "{s:o, s:b, s:I, s:s, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:I, s:I, s:o, s:o}",
                "file", json_text_or_null(file->path), "ok", file->findings.n_errors == 0, "size",
                (json_int_t)file->len, "sha256", sha256, "chip",
                json_text_or_null(image->chip ? image->chip->name : NULL), "vid", (json_int_t)image->vid,
                "pid", (json_int_t)image->pid, "payload_size", (json_int_t)image->payload_size, "flash_size",
                (json_int_t)image->flash_size, "flash_bytes", (json_int_t)image->flash_bytes, "erase_bytes",
                (json_int_t)image->erase_bytes, "app_name", json_text_or_null(image->app_name), "app_version",
                json_text_or_null(image->app_version), "errors", (json_int_t)file->findings.n_errors,
                "warnings", (json_int_t)file->findings.n_warnings, "files", files, "findings", findings);
        if (r == 0 && root)
                client_print_json(root, false); /* main() tells what cannot be written */
        json_decref(root);
        return r == 0 && root ? 0 : -ENOMEM;
}

static int info(const char *path, bool json)
{
        _cleanup_(inspected_done) struct inspected file = { 0 };
        char sha256[SHA256_HEX];
        int r = inspected_read(path, &file);

        if (r == 0)
                r = sha256_of(&file, sha256);
        if (r == 0)
                r = json ? print_json(&file, sha256) : print_text(&file, sha256);
        if (r < 0) {
                client_error("%s: %s", path, file_error_text(r));
                return EXIT_FAILED;
        }
        return file.findings.n_errors > 0 ? EXIT_FAILED : EXIT_DONE;
}

int image_info_main(int argc, char **argv)
{
        static const struct option options[] = {
                { "json", no_argument, NULL, 'J' },
                { "help", no_argument, NULL, 'h' },
                { 0 },
        };
        bool json = false;
        int c;

        while ((c = getopt_long(argc, argv, ":Jh", options, NULL)) >= 0) {
                if (c == 'h') {
                        print_help(stdout);
                        return EXIT_DONE;
                }
                if (c != 'J')
                        return image_bad_option(argv, c);
                json = true;
        }
        if (optind + 1 != argc) {
                client_say(stderr, "%s: %d file%s: expected one", argv[0], argc - optind,
                           argc - optind == 1 ? "" : "s");
                return EXIT_USAGE;
        }
        return info(argv[optind], json);
}
