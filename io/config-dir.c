/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "io/config-dir.h"
#include "io/file.h"

#define MAIN_FILE "espdfud.conf"
#define DROP_INS  "espdfud.conf.d"

/* The files still to be read, each one's whole path; owned. */
struct file_list {
        char *paths[CONFIG_FILES_MAX];
        size_t n;
};

static void file_list_done(struct file_list *list)
{
        for (size_t i = 0; i < list->n; i++)
                free(list->paths[i]);
}

static void closedirp(DIR **dir)
{
        if (*dir)
                closedir(*dir);
}

static const char *file_name(const char *path)
{
        return strrchr(path, '/') + 1; /* our paths all have one */
}

static int join(const char *dir, const char *name, char **ret)
{
        char *path;

        if (asprintf(&path, "%s/%s", dir, name) < 0)
                return -ENOMEM;
        *ret = path;
        return 0;
}

static bool is_drop_in(const char *name)
{
        size_t len = strlen(name);

        return name[0] != '.' && len > strlen(".conf") && streq(name + len - strlen(".conf"), ".conf");
}

static bool has_name(const struct file_list *list, const char *name)
{
        for (size_t i = 0; i < list->n; i++)
                if (streq(file_name(list->paths[i]), name))
                        return true;
        return false;
}

/* Adds the drop-ins below dir whose name the list does not have yet. A directory that is not there has none. */
static int list_drop_ins(struct file_list *list, const char *dir, struct config_errors *errors)
{
        _cleanup_(freep) char *path = NULL;
        _cleanup_(closedirp) DIR *d = NULL;
        struct dirent *entry;
        int r = join(dir, DROP_INS, &path);

        if (r < 0)
                return r;
        d = opendir(path);
        if (!d && errno != ENOENT)
                config_errors_add(errors, "%s: %s: expected a directory that can be read", path,
                                  strerror(errno));
        while (d && (entry = readdir(d))) {
                if (!is_drop_in(entry->d_name) || has_name(list, entry->d_name))
                        continue;
                if (list->n == CONFIG_FILES_MAX) {
                        config_errors_add(errors, "%s: expected at most %d drop-ins", path, CONFIG_FILES_MAX);
                        return 0;
                }
                r = join(path, entry->d_name, &list->paths[list->n]);
                if (r < 0)
                        return r;
                list->n++;
        }
        return 0;
}

static int by_name(const void *a, const void *b)
{
        return strcmp(file_name(*(char *const *)a), file_name(*(char *const *)b));
}

static bool is_dev_null(const char *path)
{
        struct stat st;

        return stat(path, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3);
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

        if (is_dev_null(path))
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
        int r = join(dir, MAIN_FILE, &path);

        if (r < 0 || is_missing(path))
                return r;
        return read_file(config, path, errors);
}

static int read_drop_ins(struct config *config, const char *dir, const char *vendor_dir,
                         struct config_errors *errors)
{
        _cleanup_(file_list_done) struct file_list list = {};
        int r = list_drop_ins(&list, dir, errors);

        if (r == 0 && vendor_dir)
                r = list_drop_ins(&list, vendor_dir, errors);
        qsort(list.paths, list.n, sizeof(list.paths[0]), by_name);
        for (size_t i = 0; r == 0 && i < list.n; i++)
                r = read_file(config, list.paths[i], errors);
        return r;
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
        if (r < 0)
                return r;
        if (errors->total > before)
                return 1;
        *ret = take_ptr(config);
        return 0;
}
