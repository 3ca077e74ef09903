/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Listening, who is at the other end, how many may be. */
#include "daemon/server.h"

#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "core/messages.h"
#include "daemon/clock.h"
#include "daemon/closer.h"
#include "daemon/connection.h"
#include "daemon/log.h"
#include "daemon/peer.h"

#define BACKLOG      32
#define ACCEPT_AGAIN (1 * USEC_PER_SEC)  /* after the process ran out of descriptors */
#define TELL_AGAIN   (60 * USEC_PER_SEC) /* between two lines in the log about clients that are not taken */

static int listen_at(const char *path, const struct sockaddr_un *address, int fd)
{
        if (bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
                return -errno;
        /* Everybody may look; who may act is asked once for each connection. */
        if (chmod(path, 0666) < 0 || listen(fd, BACKLOG) < 0)
                return -errno;
        return 0;
}

/* A process that a killed daemon had started, and that dies with it, may still have its socket open. */
static bool listener_lives(int fd)
{
        struct ucred listener;
        socklen_t len = sizeof(listener);

        return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &listener, &len) < 0 || listener.pid <= 0 ||
               kill(listener.pid, 0) == 0 || errno != ESRCH;
}

/* 0: what is in the way is a socket that nobody listens on, and it is gone now. */
static int clear_the_way(const char *path, const struct sockaddr_un *address)
{
        struct stat st;
        int r, fd;

        if (lstat(path, &st) < 0)
                return errno == ENOENT ? 0 : -errno;
        if (!S_ISSOCK(st.st_mode)) {
                log_error("%s: is no socket: expected nothing, or a socket that an espdfud left", path);
                return -EEXIST;
        }
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return -errno;
        r = connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ? -errno : 0;
        if (r == 0 && !listener_lives(fd))
                r = -ECONNREFUSED;
        close(fd);
        if (r == -ECONNREFUSED)
                return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
        log_error("another espdfud is listening on %s", path);
        return -EADDRINUSE;
}

static int bind_path(struct server *server, const char *path)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        struct stat st;
        int r;

        if (strlen(path) >= sizeof(address.sun_path)) {
                log_error("%s: the path of a socket may have at most %zu bytes", path,
                          sizeof(address.sun_path) - 1);
                return -ENAMETOOLONG;
        }
        memcpy(address.sun_path, path, strlen(path) + 1);
        server->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (server->fd < 0)
                return -errno;
        r = listen_at(path, &address, server->fd);
        if (r == -EADDRINUSE) {
                r = clear_the_way(path, &address);
                if (r < 0)
                        return r;
                r = listen_at(path, &address, server->fd);
        }
        if (r < 0) {
                log_error("%s: cannot listen: %s", path, strerror(-r));
                return r;
        }
        server->bound = stat(path, &st) == 0;
        server->device = st.st_dev;
        server->inode = st.st_ino;
        return 0;
}

static int adopt_fd(struct server *server, int fd)
{
        int flags;

        if (sd_is_socket(fd, AF_UNIX, SOCK_STREAM, 1) <= 0) {
                log_error("descriptor %d: expected a Unix stream socket that listens", fd);
                return -EINVAL;
        }
        flags = fcntl(fd, F_GETFL);
        if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
                return -errno;
        server->fd = fd;
        return 0;
}

/* Whoever tries without end does not fill the log. */
static void tell_rarely(struct told_rarely *told, const char *what, const char *why)
{
        uint64_t now = clock_monotonic_usec();

        if (now < told->again_usec) {
                told->n_untold++;
                return;
        }
        if (told->n_untold > 0)
                log_warning("socket: %s: %s (and %u before it, since this was said last)", what, why,
                            told->n_untold);
        else
                log_warning("socket: %s: %s", what, why);
        *told = (struct told_rarely){ .again_usec = now + TELL_AGAIN };
}

static void tell_not_taken(struct server *server, const char *whom, const char *why)
{
        char what[96];

        snprintf(what, sizeof(what), "%s is not taken", whom);
        tell_rarely(&server->not_taken, what, why);
}

void server_tell_passed(struct server *server, const struct server_peer *peer)
{
        char what[64];

        snprintf(what, sizeof(what), "a client of user %u is hung up on", peer->uid);
        tell_rarely(&server->passed, what,
                    peer->may_act ? "several descriptors came with one byte, or more than can be taken now: "
                                    "expected one, with Flash"
                                  : "it passed descriptors: expected none from who may only look");
}

enum admission_rank server_rank(const struct server_peer *peer)
{
        if (!peer->may_act)
                return ADMISSION_LOOKS;
        return peer->uid == 0 || peer->uid == geteuid() ? ADMISSION_ROOT : ADMISSION_ACTS;
}

/* What speaks against one more connection of this peer, on fd, or NULL. */
static const char *no_place(const struct server *server, const struct server_peer *peer, int fd)
{
        struct admission_counts counts = { 0 };
        struct rlimit limit = { .rlim_cur = RLIM_INFINITY };

        (void)getrlimit(RLIMIT_NOFILE, &limit); /* who may not even ask has no limit that we know of */
        for (const struct connection *c = server->connections; c; c = c->next) {
                counts.of_user += !c->doomed && c->peer.uid == peer->uid;
                counts.of_rank[server_rank(&c->peer)] += !c->doomed;
        }
        closer_count(peer->uid, &counts);
        return admission_refuses(server_rank(peer), &counts, fd, limit.rlim_cur);
}

/* As no_place(), when those that have hung up, which the loop has not come to yet, are no more. */
static const char *still_no_place(struct server *server, const struct server_peer *peer, int fd)
{
        const char *why = no_place(server, peer, fd);
        bool left = false;

        if (!why)
                return NULL;
        for (struct connection *c = server->connections; c; c = c->next)
                left = connection_has_left(c) || left;
        return left ? no_place(server, peer, fd) : why;
}

/* As far as it takes that at once, and reads it before it sends: nothing is lost where not. */
static void say_why(int fd, const char *why)
{
        _cleanup_(freep) char *text = NULL;
        json_t *parameters = json_pack("{s:s}", "message", why);
        size_t size;

        if (parameters &&
            varlink_reply_encode(STATION_INTERFACE ".Busy", parameters, false, &text, &size) == 0)
                (void)send(fd, text, size, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Boards need descriptors, and what waits to be closed has some: clients wait in the backlog until there are fewer. */
static void rest_if_full(struct server *server, int fd)
{
        struct rlimit limit = { .rlim_cur = RLIM_INFINITY };
        size_t n = closer_pending();

        (void)getrlimit(RLIMIT_NOFILE, &limit);
        if (n == 0 || !closer_is_full(admission_reserves(fd, limit.rlim_cur) ? n : CLOSER_FULL))
                return;
        sd_event_source_set_enabled(server->accept, SD_EVENT_OFF);
        sd_event_source_set_enabled(server->room, SD_EVENT_ON);
}

/* Some were closed. */
static int on_room(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        struct server *server = userdata;
        uint64_t n;

        (void)revents;
        (void)!read(fd, &n, sizeof(n));
        if (closer_is_full(CLOSER_FULL))
                return 0;
        sd_event_source_set_enabled(source, SD_EVENT_OFF);
        sd_event_source_set_enabled(server->accept, SD_EVENT_ON);
        return 0;
}

/* Takes fd over. */
static void admit(struct server *server, int fd)
{
        struct server_peer peer = { 0 };
        struct connection *c;
        char whom[64] = "a client";
        const char *why;
        int r;

        r = (server->options->peer ? server->options->peer : peer_of)(fd, server->group, &peer);
        if (r >= 0)
                snprintf(whom, sizeof(whom), "a client of user %u", peer.uid);
        why = r < 0 ? strerror(-r) : still_no_place(server, &peer, fd);
        if (!why) {
                r = connection_new(server, fd, &peer, &c);
                why = r < 0 ? strerror(-r) : NULL;
        }
        if (why) {
                tell_not_taken(server, whom, why);
                say_why(fd, why);
                (void)shutdown(fd, SHUT_RDWR);
                closer_close(fd);
                rest_if_full(server, fd);
                return;
        }
        c->next = server->connections;
        server->connections = c;
        server->n_connections++;
}

static int on_accept(sd_event_source *source, int listening, uint32_t revents, void *userdata)
{
        struct server *server = userdata;
        int fd;

        (void)source;
        (void)revents;
        fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
                admit(server, fd);
                return 0;
        }
        if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
                return 0;
        /* No descriptor or no memory: the client stays in the backlog, and must not spin the loop from there. */
        tell_not_taken(server, "a client", strerror(errno));
        sd_event_source_set_enabled(server->accept, SD_EVENT_OFF);
        sd_event_source_set_time_relative(server->accept_again, ACCEPT_AGAIN);
        sd_event_source_set_enabled(server->accept_again, SD_EVENT_ONESHOT);
        return 0;
}

static int on_accept_again(sd_event_source *source, uint64_t usec, void *userdata)
{
        struct server *server = userdata;

        (void)source;
        (void)usec;
        sd_event_source_set_enabled(server->accept, SD_EVENT_ON);
        return 0;
}

static int on_reap(sd_event_source *source, void *userdata)
{
        struct server *server = userdata;

        (void)source;
        for (struct connection **p = &server->connections; *p;) {
                struct connection *c = *p;

                if (!c->doomed) {
                        p = &c->next;
                        continue;
                }
                *p = c->next;
                server->n_connections--;
                connection_free(c);
        }
        return 0;
}

static int add_sources(struct server *server)
{
        int r = closer_event();

        if (r >= 0)
                r = sd_event_add_io(server->event, &server->room, r, EPOLLIN, on_room, server);
        if (r >= 0)
                r = sd_event_source_set_priority(server->room, SERVER_PRIORITY);
        if (r >= 0)
                r = sd_event_source_set_enabled(server->room, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_io(server->event, &server->accept, server->fd, EPOLLIN, on_accept, server);
        if (r >= 0)
                r = sd_event_source_set_priority(server->accept, SERVER_PRIORITY);
        if (r >= 0)
                r = sd_event_add_time_relative(server->event, &server->accept_again, CLOCK_MONOTONIC, 0, 0,
                                               on_accept_again, server);
        if (r >= 0)
                r = sd_event_source_set_enabled(server->accept_again, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_defer(server->event, &server->reaper, on_reap, server);
        if (r >= 0)
                r = sd_event_source_set_enabled(server->reaper, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_source_set_priority(server->reaper, SERVER_PRIORITY);
        return r < 0 ? r : watch_begin(server);
}

static gid_t acting_group(const char *name)
{
        const struct group *entry = name ? getgrnam(name) : NULL;

        if (name && !entry)
                log_info("there is no group %s: only root may act", name);
        return entry ? entry->gr_gid : (gid_t)-1;
}

int server_new(sd_event *event, const struct server_options *options, const struct server_ops *ops,
               void *userdata, struct server **ret)
{
        _cleanup_(server_freep) struct server *server = calloc(1, sizeof(*server));
        int r;

        if (!server)
                return -ENOMEM;
        *server = (struct server){
                .event = sd_event_ref(event),
                .options = options,
                .ops = ops,
                .userdata = userdata,
                .group = acting_group(options->group),
                .fd = -EBADF,
        };
        r = options->fd >= 0 ? adopt_fd(server, options->fd) : bind_path(server, options->path);
        if (r < 0)
                return r;
        r = add_sources(server);
        if (r < 0) {
                log_error("socket: %s", strerror(-r));
                if (options->fd >= 0)
                        server->fd = -EBADF;
                return r;
        }
        *ret = take_ptr(server);
        return 0;
}

struct server *server_free(struct server *server)
{
        struct stat st;

        for (struct connection *next, *c = server->connections; c; c = next) {
                next = c->next;
                connection_free(c);
        }
        watch_done(server);
        sd_event_source_disable_unref(server->accept);
        sd_event_source_disable_unref(server->accept_again);
        sd_event_source_disable_unref(server->room);
        sd_event_source_disable_unref(server->reaper);
        if (server->bound && stat(server->options->path, &st) == 0 && st.st_dev == server->device &&
            st.st_ino == server->inode)
                unlink(server->options->path);
        if (server->fd >= 0)
                close(server->fd);
        sd_event_unref(server->event);
        free(server);
        return NULL;
}

size_t server_n_connections(const struct server *server)
{
        return server->n_connections;
}
