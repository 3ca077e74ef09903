/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/config-dir.h"
#include "io/drop-ins.h"
#include "io/file.h"
#include "io/key-dir.h"

#define MAIN_FILE "espdfud.conf"

static void closedirp(DIR **dir)
{
        if (*dir)
                closedir(*dir);
}

/* A link that points nowhere is somebody's mistake, not a missing file. */
static bool is_missing(const char *path)
{
        struct stat st;

        return lstat(path, &st) < 0 && errno == ENOENT;
}

static int read_file(struct config *config, const char *path, struct config_errors *errors)
{
        _cleanup_(freep) uint8_t *text = NULL;
        size_t len = 0;
        int r;

        if (drop_in_is_dev_null(path))
                return 0;
        r = file_read(path, CONFIG_FILE_MAX, &text, &len);
        if (r == -ENOMEM)
                return r;
        if (r < 0) {
                config_errors_add(errors,
                                  "%s: %s: expected a regular file of at most %u KiB that can be read", path,
                                  strerror(-r), (unsigned)(CONFIG_FILE_MAX / KIB));
                return 0;
        }
        return config_parse(config, path, (const char *)text, len, errors);
}

static int read_main_file(struct config *config, const char *dir, struct config_errors *errors)
{
        _cleanup_(freep) char *path = NULL;

        if (asprintf(&path, "%s/%s", dir, MAIN_FILE) < 0) {
                path = NULL;
                return -ENOMEM;
        }
        return is_missing(path) ? 0 : read_file(config, path, errors);
}

static int read_drop_ins(struct config *config, const char *dir, const char *vendor_dir,
                         struct config_errors *errors)
{
        static const struct drop_ins_kind kind = { "espdfud.conf.d", ".conf", CONFIG_FILES_MAX, "drop-ins" };
        _cleanup_(drop_ins_done) struct drop_ins list = {};
        int r = drop_ins_list(&list, dir, vendor_dir, &kind, errors);

        for (size_t i = 0; r == 0 && i < list.n; i++)
                r = read_file(config, list.paths[i], errors);
        return r;
}

/* Whoever names a directory of their own may have made the keys in it: the system's, however it is called, are root's. */
static uid_t owner_of_keys(const char *dir)
{
        struct stat named, systems;
        bool own = !streq(dir, CONFIG_DIR) &&
                   (stat(CONFIG_DIR, &systems) < 0 || stat(dir, &named) < 0 ||
                    systems.st_dev != named.st_dev || systems.st_ino != named.st_ino);

        return own ? geteuid() : 0;
}

static int check_dir(const char *dir)
{
        _cleanup_(closedirp) DIR *d = opendir(dir);

        return d ? 0 : -errno;
}

int config_load(const char *dir, const char *vendor_dir, struct config **ret, struct config_errors *errors)
{
        _cleanup_(config_freep) struct config *config = NULL;
        size_t before = errors->total;
        int r = check_dir(dir);

        if (r == 0)
                r = config_new(&config);
        if (r == 0)
                r = read_main_file(config, dir, errors);
        if (r == 0)
                r = read_drop_ins(config, dir, vendor_dir, errors);
        if (r == 0)
                r = key_dir_read(dir, vendor_dir, owner_of_keys(dir), &config->keys, errors);
        if (r < 0)
                return r;
        if (errors->total > before)
                return 1;
        *ret = take_ptr(config);
        return 0;
}
