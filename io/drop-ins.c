/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "io/drop-ins.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

void drop_ins_done(struct drop_ins *list)
{
        for (size_t i = 0; i < list->n; i++)
                free(list->paths[i]);
}

static void closedirp(DIR **dir)
{
        if (*dir)
                closedir(*dir);
}

const char *drop_in_name(const char *path)
{
        return strrchr(path, '/') + 1; /* our paths all have one */
}

bool drop_in_is_dev_null(const char *path)
{
        struct stat st;

        return stat(path, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3);
}

static bool has_suffix(const char *name, const char *suffix)
{
        size_t len = strlen(name);

        return name[0] != '.' && len > strlen(suffix) && streq(name + len - strlen(suffix), suffix);
}

static bool has_name(const struct drop_ins *list, const char *name)
{
        for (size_t i = 0; i < list->n; i++)
                if (streq(drop_in_name(list->paths[i]), name))
                        return true;
        return false;
}

/* Adds those below dir whose name the list does not have yet. */
static int list_one_dir(struct drop_ins *list, const char *dir, const struct drop_ins_kind *kind,
                        struct config_errors *errors)
{
        _cleanup_(freep) char *path = NULL;
        _cleanup_(closedirp) DIR *d = NULL;
        struct dirent *entry;

        if (asprintf(&path, "%s/%s", dir, kind->dir) < 0) {
                path = NULL;
                return -ENOMEM;
        }
        d = opendir(path);
        if (!d && errno != ENOENT)
                config_errors_add(errors, "%s: %s: expected a directory that can be read", path,
                                  strerror(errno));
        while (d && (entry = readdir(d))) {
                if (!has_suffix(entry->d_name, kind->suffix) || has_name(list, entry->d_name))
                        continue;
                if (list->n == kind->max) {
                        config_errors_add(errors, "%s: expected at most %zu %s", path, kind->max, kind->what);
                        return 0;
                }
                if (asprintf(&list->paths[list->n], "%s/%s", path, entry->d_name) < 0)
                        return -ENOMEM;
                list->n++;
        }
        return 0;
}

static int by_name(const void *a, const void *b)
{
        return strcmp(drop_in_name(*(char *const *)a), drop_in_name(*(char *const *)b));
}

int drop_ins_list(struct drop_ins *list, const char *dir, const char *vendor_dir,
                  const struct drop_ins_kind *kind, struct config_errors *errors)
{
        int r = list_one_dir(list, dir, kind, errors);

        if (r == 0 && vendor_dir)
                r = list_one_dir(list, vendor_dir, kind, errors);
        qsort(list->paths, list->n, sizeof(list->paths[0]), by_name);
        return r;
}
