/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <jansson.h>

#include "core/flasher-args.h"
#include "core/image-build.h"

static void json_freep(json_t **json)
{
        json_decref(*json);
}

void flasher_args_done(struct flasher_args *args)
{
        for (size_t i = 0; i < args->n_files; i++)
                free(args->files[i].path);
        free(args->files);
        free(args->chip);
        free(args->flash_size);
        *args = (struct flasher_args){ 0 };
}

static int take_file(struct flasher_args *args, const char *key, const json_t *value, struct fault *fault)
{
        struct flasher_args_file *file = &args->files[args->n_files];
        const char *path = json_string_value(value);

        if (flash_address_parse(key, &file->address) < 0)
                return fault_set(fault, 0, "flash_files: address \"%.40s\": expected a number such as 0x1000",
                                 key);
        if (!path || !*path)
                return fault_set(fault, 0, "flash_files: %.40s: expected a file's path as a string", key);
        file->path = strdup(path);
        if (!file->path)
                return -ENOMEM;
        args->n_files++;
        return 0;
}

static int take_files(struct flasher_args *args, json_t *root, struct fault *fault)
{
        json_t *files = json_object_get(root, "flash_files"), *value;
        size_t n = json_object_size(files);
        const char *key;

        if (!json_is_object(files))
                return fault_set(fault, 0, "no object \"flash_files\": expected ESP-IDF's flasher_args.json");
        if (n == 0 || n > FLASHER_ARGS_FILES_MAX)
                return fault_set(fault, 0, "%zu files in \"flash_files\": expected 1 to %d", n,
                                 FLASHER_ARGS_FILES_MAX);
        args->files = calloc(n, sizeof(*args->files));
        if (!args->files)
                return -ENOMEM;
        json_object_foreach(files, key, value)
        {
                int r = take_file(args, key, value, fault);

                if (r != 0)
                        return r;
        }
        return 0;
}

/* A text at root.section.key, if it is there; of what is no text, its JSON: the caller knows no such chip or size. */
static int take_text(char **ret, json_t *root, const char *section, const char *key)
{
        const json_t *value = json_object_get(json_object_get(root, section), key);

        if (!value || json_is_null(value) || json_is_string(value))
                return free_and_strdup(ret, json_string_value(value));
        *ret = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
        return *ret ? 0 : -ENOMEM;
}

int flasher_args_parse(const char *text, size_t len, struct flasher_args *ret, struct fault *fault)
{
        _cleanup_(flasher_args_done) struct flasher_args args = { 0 };
        _cleanup_(json_freep) json_t *root = NULL;
        json_error_t error;
        int r;

        if (len > FLASHER_ARGS_SIZE_MAX)
                return fault_set(fault, 0, "%zu bytes: expected at most %zu", len,
                                 (size_t)FLASHER_ARGS_SIZE_MAX);
        root = json_loadb(text, len, 0, &error);
        if (!root)
                return fault_set(fault, (size_t)MAX(error.position, 0), "line %d: %s: expected JSON",
                                 error.line, error.text);
        r = take_files(&args, root, fault);
        if (r == 0)
                r = take_text(&args.chip, root, "extra_esptool_args", "chip");
        if (r == 0)
                r = take_text(&args.flash_size, root, "flash_settings", "flash_size");
        if (r != 0)
                return r;
        *ret = args;
        args = (struct flasher_args){ 0 };
        return 0;
}
