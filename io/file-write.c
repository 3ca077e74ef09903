/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/file-write.h"

#define LINKS_MAX 40 /* as the kernel's */
#define NAMES_MAX 16 /* of a temporary file, until one is free */

static void closep(int *fd)
{
        if (*fd >= 0)
                close(*fd);
}

static int write_all(int fd, const uint8_t *data, size_t len)
{
        while (len > 0) {
                ssize_t n = write(fd, data, len);

                if (n < 0 && errno != EINTR)
                        return -errno;
                if (n > 0) {
                        data += n;
                        len -= (size_t)n;
                }
        }
        return 0;
}

/* A new file gets what the umask leaves. */
static mode_t mode_of_new_file(void)
{
        mode_t mask = umask(0);

        umask(mask);
        return 0666 & ~mask;
}

/* A file of ours that is replaced keeps its mode. What somebody else allowed for a file of his is not for ours; and it never
 * runs with the rights of whom it belongs to. */
static mode_t mode_in_place_of(const struct stat *st)
{
        return st->st_uid == geteuid() ? st->st_mode & 0777 : mode_of_new_file();
}

/* ---- where a path leads ---- */

/* A path on its way: a name after the other is looked at from the directory where it lies, so that nobody can put something
 * else in the place of what has been looked at. */
struct walk {
        int dir;    /* where it is by now */
        char *path; /* all that is left to go, with links' own ways put in; `at` points into it */
        const char *at;
        unsigned links;
};

static void walk_done(struct walk *walk)
{
        closep(&walk->dir);
        free(walk->path);
}

static int walk_to(struct walk *walk, int dir)
{
        if (dir < 0)
                return -errno;
        closep(&walk->dir);
        walk->dir = dir;
        return 0;
}

/* Goes on by path, which is taken over; from where it is, or from the root. */
static int walk_by(struct walk *walk, char *path)
{
        free(walk->path);
        walk->path = path;
        walk->at = path;
        return *path == '/' ? walk_to(walk, open("/", O_PATH | O_DIRECTORY | O_CLOEXEC)) : 0;
}

/* The next name, without slashes before and behind it; "": there is none. *ret_last: nothing follows it, not even a slash. */
static int next_name(struct walk *walk, char name[static NAME_MAX + 1], bool *ret_last)
{
        size_t n;

        walk->at += strspn(walk->at, "/");
        n = strcspn(walk->at, "/");
        if (n > NAME_MAX)
                return -ENAMETOOLONG;
        memcpy(name, walk->at, n);
        name[n] = '\0';
        walk->at += n;
        *ret_last = *walk->at == '\0';
        return 0;
}

/* By the link that fd is (O_PATH). */
static int follow(struct walk *walk, int fd, const struct stat *st)
{
        char target[PATH_MAX], *path;
        ssize_t n;

        /* Whoever made it must not choose what root replaces. */
        if ((st->st_uid != 0 && st->st_uid != geteuid()) || ++walk->links > LINKS_MAX)
                return -ELOOP;
        n = readlinkat(fd, "", target, sizeof(target));
        if (n < 0 || (size_t)n == sizeof(target))
                return n < 0 ? -errno : -ENAMETOOLONG;
        if (asprintf(&path, "%.*s%s", (int)n, target, walk->at) < 0)
                return -ENOMEM;
        return walk_by(walk, path);
}

/* One name further. Returns 0; or WALK_ENDED: name is the file's, in walk->dir, and *ret_mode what it is to have. */
#define WALK_ENDED 1
static int step(struct walk *walk, char name[static NAME_MAX + 1], mode_t *ret_mode)
{
        _cleanup_(closep) int fd = -EBADF;
        struct stat st;
        bool last;
        int r = next_name(walk, name, &last);

        if (r < 0)
                return r;
        if (!*name)
                return -EISDIR;
        fd = openat(walk->dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 && (errno != ENOENT || walk->at[strspn(walk->at, "/")]))
                return -errno;
        if (fd < 0 && !last)
                return -EISDIR;
        *ret_mode = mode_of_new_file();
        if (fd < 0)
                return WALK_ENDED;
        if (fstat(fd, &st) < 0)
                return -errno;
        if (S_ISLNK(st.st_mode))
                return follow(walk, fd, &st);
        if (S_ISDIR(st.st_mode))
                return walk_to(walk, take_fd(&fd));
        if (!last)
                return -ENOTDIR;
        *ret_mode = mode_in_place_of(&st);
        return S_ISREG(st.st_mode) ? WALK_ENDED : -EINVAL;
}

/* Where path really is: the directory, and the name there, be there such a file or not. */
static int resolve(const char *path, struct new_file *file)
{
        _cleanup_(walk_done) struct walk walk = { .dir = -EBADF };
        char name[NAME_MAX + 1], *copy = *path ? strdup(path) : NULL;
        int r;

        if (!copy)
                return *path ? -ENOMEM : -ENOENT;
        r = walk_to(&walk, open(".", O_PATH | O_DIRECTORY | O_CLOEXEC));
        if (r < 0) {
                free(copy);
                return r;
        }
        r = walk_by(&walk, copy);
        while (r == 0)
                r = step(&walk, name, &file->mode);
        if (r < 0)
                return r;
        file->name = strdup(name);
        if (!file->name)
                return -ENOMEM;
        file->dir = take_fd(&walk.dir);
        return 0;
}

/* ---- the file ---- */

static int sync_directory(int dir)
{
        _cleanup_(closep) int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

/* Beside what it is to replace, with a name that nobody has. */
static int open_temporary(struct new_file *file)
{
        for (unsigned i = 0; i < NAMES_MAX; i++) {
                uint32_t random;
                char *name;

                if (getrandom(&random, sizeof(random), 0) != sizeof(random))
                        return -errno;
                if (asprintf(&name, "%s.%08x", file->name, (unsigned)random) < 0)
                        return -ENOMEM;
                file->fd = openat(file->dir, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
                if (file->fd >= 0) {
                        file->temporary = name;
                        return 0;
                }
                free(name);
                if (errno != EEXIST)
                        return -errno;
        }
        return -EEXIST;
}

void new_file_done(struct new_file *file)
{
        if (file->temporary)
                unlinkat(file->dir, file->temporary, 0);
        closep(&file->fd);
        closep(&file->dir);
        free(file->temporary);
        free(file->name);
        *file = NEW_FILE_NONE;
}

int new_file_open(const char *path, struct new_file *ret)
{
        _cleanup_(new_file_done) struct new_file file = NEW_FILE_NONE;
        struct stat st;
        int r;

        /* What is behind a pipe's name in /proc (/dev/stdout) cannot be walked to. */
        if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
                return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
        r = resolve(path, &file);
        if (r == 0)
                r = open_temporary(&file);
        if (r < 0)
                return r;
        *ret = file;
        file = NEW_FILE_NONE;
        return 0;
}

int new_file_commit(struct new_file *file)
{
        if (fchmod(file->fd, file->mode) < 0 || fsync(file->fd) < 0 ||
            renameat(file->dir, file->temporary, file->dir, file->name) < 0)
                return -errno;
        free(take_ptr(file->temporary));
        return sync_directory(file->dir);
}

int file_write(const char *path, const void *data, size_t len)
{
        _cleanup_(new_file_done) struct new_file file = NEW_FILE_NONE;
        int r = new_file_open(path, &file);

        if (r == 0)
                r = write_all(file.fd, data, len);
        return r == 0 ? new_file_commit(&file) : r;
}

const char *file_write_error_text(int r)
{
        if (r == -ELOOP)
                return "a symbolic link of another user's on the way, or links in a circle: expected a "
                       "regular "
                       "file, and links of yours or root's alone";
        return strerror(-r);
}
