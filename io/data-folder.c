/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "io/data-folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/image-compose.h"
#include "io/file.h"

static int refuse(char **ret_why, const char *path, const char *fmt, ...) _printf_(3, 4);

static int refuse(char **ret_why, const char *path, const char *fmt, ...)
{
        _cleanup_(freep) char *why = NULL;
        va_list ap;
        int n;

        va_start(ap, fmt);
        n = vasprintf(&why, fmt, ap);
        va_end(ap);
        if (n < 0) {
                why = NULL;
                return -ENOMEM;
        }
        return asprintf(ret_why, "%s: %s", path, why) < 0 ? -ENOMEM : 1;
}

static int refuse_unopened(char **ret_why, const char *path, int error, const char *expected)
{
        const char *reader = error == EACCES ? " that the user of espdfud can read" : "";

        if (error == ELOOP)
                return refuse(ret_why, path, "symbolic link: expected a regular file");
        return refuse(ret_why, path, "%s: expected %s%s", strerror(error), expected, reader);
}

uid_t data_folder_owner(void)
{
        const char *text = secure_getenv("ESPDFU_DATA_OWNER");
        unsigned long uid;
        char *end;

        if (!text || *text < '0' || *text > '9')
                return 0;
        errno = 0;
        uid = strtoul(text, &end, 10);
        return errno == 0 && *end == '\0' ? (uid_t)uid : 0;
}

static void closep(int *fd)
{
        if (*fd >= 0)
                close(*fd);
}

static int check_owner(const char *path, const struct stat *st, uid_t owner, char **ret_why)
{
        const char *wanted = owner == 0 ? "root" : "the owner that ESPDFU_DATA_OWNER names";

        if (st->st_uid != owner)
                return refuse(ret_why, path,
                              "owned by user %u: expected %s, who alone may say what a board gets",
                              (unsigned)st->st_uid, wanted);
        if (st->st_mode & (S_IWGRP | S_IWOTH))
                return refuse(ret_why, path,
                              "mode %04o: expected no write permission for group and others (chmod go-w)",
                              (unsigned)(st->st_mode & 07777));
        return 0;
}

/* ---- the folder ---- */

void data_names_done(struct data_names *names)
{
        for (size_t i = 0; i < names->n; i++)
                free(names->names[i]);
        free(names->names);
        *names = (struct data_names){ 0 };
}

void data_folder_close(struct data_folder *folder)
{
        if (folder->dir)
                closedir(folder->dir);
        *folder = (struct data_folder){ 0 };
}

static bool is_regular(int dir_fd, const struct dirent *entry)
{
        struct stat st;

        if (entry->d_type != DT_UNKNOWN)
                return entry->d_type == DT_REG;
        return fstatat(dir_fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode);
}

/* Grows by half of what is there, so that a folder that is read whole is not copied for each name. */
int data_names_add(struct data_names *names, const char *name)
{
        if (names->n == names->room) {
                size_t more = names->room + names->room / 2 + 64;
                char **grown = reallocarray(names->names, more, sizeof(char *));

                if (!grown)
                        return -ENOMEM;
                names->names = grown;
                names->room = more;
        }
        names->names[names->n] = strdup(name);
        if (!names->names[names->n])
                return -ENOMEM;
        names->n++;
        return 0;
}

int data_folder_read(struct data_folder *folder, const char *path, size_t max, struct data_names *names,
                     char **ret_why)
{
        const struct dirent *entry;
        int r = 0;

        for (size_t i = 0; i < max && r == 0; i++) {
                errno = 0;
                /* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): what failed to open has set errno */
                entry = readdir(folder->dir);
                if (!entry)
                        return errno == 0 ? DATA_FOLDER_END
                                          : refuse_unopened(ret_why, path, errno,
                                                            "a folder with a file for each board");
                if (entry->d_name[0] == '.')
                        continue;
                if (++folder->looked_at > DATA_FOLDER_NAMES_MAX)
                        return refuse(ret_why, path, "more than %d names: expected at most that many",
                                      DATA_FOLDER_NAMES_MAX);
                if (is_regular(dirfd(folder->dir), entry))
                        r = data_names_add(names, entry->d_name);
        }
        return r;
}

static int compare_names(const void *a, const void *b)
{
        return strcmp(*(char *const *)a, *(char *const *)b);
}

static int compare_naturally(const void *a, const void *b)
{
        return strverscmp(*(char *const *)a, *(char *const *)b);
}

void data_names_sort(struct data_names *names)
{
        if (names->n > 0)
                qsort(names->names, names->n, sizeof(char *), compare_naturally);
}

int data_folder_open(const char *path, uid_t owner, struct data_folder *ret, char **ret_why)
{
        _cleanup_(data_folder_close) struct data_folder folder = { .dir = opendir(path) };
        struct stat st;
        int r;

        if (!folder.dir || fstat(dirfd(folder.dir), &st) < 0)
                return refuse_unopened(ret_why, path, errno, "a folder with a file for each board");
        r = check_owner(path, &st, owner, ret_why);
        if (r != 0)
                return r;
        *ret = folder;
        folder = (struct data_folder){ 0 };
        return 0;
}

int data_folder_list(const char *folder, uid_t owner, struct data_names *ret, char **ret_why)
{
        _cleanup_(data_names_done) struct data_names names = { 0 };
        _cleanup_(data_folder_close) struct data_folder reading = { 0 };
        int r = data_folder_open(folder, owner, &reading, ret_why);

        if (r == 0)
                r = data_folder_read(&reading, folder, SIZE_MAX, &names, ret_why);
        if (r != DATA_FOLDER_END)
                return r;
        if (names.n > 0)
                qsort(names.names, names.n, sizeof(char *), compare_names);
        *ret = names;
        names = (struct data_names){ 0 };
        return 0;
}

/* ---- a file ---- */

static int open_file(const char *path, uid_t owner, int *ret_fd, struct stat *ret_st, char **ret_why)
{
        _cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW);
        int r;

        if (fd < 0 || fstat(fd, ret_st) < 0)
                return refuse_unopened(ret_why, path, errno, "a file");
        if (!S_ISREG(ret_st->st_mode))
                return refuse(ret_why, path, "no regular file: expected one");
        r = check_owner(path, ret_st, owner, ret_why);
        if (r != 0)
                return r;
        if (ret_st->st_size == 0)
                return refuse(ret_why, path, "empty: expected data");
        if ((uint64_t)ret_st->st_size > BOARD_DATA_MAX)
                return refuse(ret_why, path, "%" PRIu64 " bytes: expected at most %" PRIu64,
                              (uint64_t)ret_st->st_size, BOARD_DATA_MAX);
        *ret_fd = take_fd(&fd);
        return 0;
}

int data_file_check(const char *path, uid_t owner, size_t *ret_size, char **ret_why)
{
        _cleanup_(closep) int fd = -EBADF;
        struct stat st = { 0 };
        int r = open_file(path, owner, &fd, &st, ret_why);

        if (r == 0)
                *ret_size = (size_t)st.st_size;
        return r;
}

static bool is_unchanged(int fd, const struct stat *before)
{
        struct stat now;

        return fstat(fd, &now) == 0 && now.st_size == before->st_size &&
               now.st_mtim.tv_sec == before->st_mtim.tv_sec && now.st_mtim.tv_nsec == before->st_mtim.tv_nsec;
}

int data_file_read(const char *path, uid_t owner, uint8_t **ret, size_t *ret_len, char **ret_why)
{
        _cleanup_(freep) uint8_t *data = NULL;
        _cleanup_(closep) int fd = -EBADF;
        struct stat st = { 0 };
        size_t len = 0;
        int r = open_file(path, owner, &fd, &st, ret_why);

        if (r != 0)
                return r;
        /* NOLINTNEXTLINE(clang-analyzer-optin.portability.UnixAPI): one that is empty was refused */
        data = malloc((size_t)st.st_size);
        if (!data)
                return -ENOMEM;
        r = file_read_up_to(fd, data, (size_t)st.st_size, &len);
        if (r < 0)
                return refuse_unopened(ret_why, path, -r, "a file");
        if (len != (size_t)st.st_size || !is_unchanged(fd, &st))
                return refuse(ret_why, path, "changed while it was read: expected a file that is whole (mv)");
        *ret = take_ptr(data);
        *ret_len = len;
        return 0;
}
