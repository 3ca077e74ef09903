/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "web/visitors.h"

#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <time.h>

#include "io/clock.h"

struct place {
        bool taken;
        int fd;                 /* borrowed, while taken */
        struct in6_addr from;   /* visitors_party() */
        const char *refused;    /* why; NULL: it is served */
        uint64_t deadline_usec; /* of the request; USEC_INFINITY: it is there */
};

struct visitors {
        unsigned all, per_address;
        uint64_t request_usec;
        pthread_t thread;
        pthread_mutex_t mutex; /* for what follows */
        pthread_cond_t changed;
        bool stopping;
        size_t n;
        struct place place[];
};

/* Hangs up on those whose time is over. Returns when the next one's is. */
static uint64_t hang_up(struct visitors *visitors, uint64_t now)
{
        uint64_t next = USEC_INFINITY;

        for (size_t i = 0; i < visitors->n; i++) {
                struct place *place = &visitors->place[i];

                if (!place->taken || place->deadline_usec == USEC_INFINITY)
                        continue;
                if (place->deadline_usec <= now) {
                        shutdown(place->fd, SHUT_RDWR);
                        place->deadline_usec = USEC_INFINITY;
                } else {
                        next = MIN(next, place->deadline_usec);
                }
        }
        return next;
}

static void *watch(void *userdata)
{
        struct visitors *visitors = userdata;

        pthread_mutex_lock(&visitors->mutex);
        while (!visitors->stopping) {
                uint64_t next = hang_up(visitors, monotonic_usec());
                struct timespec until = { (time_t)(next / USEC_PER_SEC), (long)(next % USEC_PER_SEC * 1000) };

                if (next == USEC_INFINITY)
                        pthread_cond_wait(&visitors->changed, &visitors->mutex);
                else
                        pthread_cond_timedwait(&visitors->changed, &visitors->mutex, &until);
        }
        pthread_mutex_unlock(&visitors->mutex);
        return NULL;
}

int visitors_new(unsigned all, unsigned per_address, uint64_t request_usec, struct visitors **ret)
{
        size_t n = all + VISITORS_OVER;
        struct visitors *visitors = calloc(1, sizeof(*visitors) + n * sizeof(*visitors->place));
        pthread_condattr_t attributes;
        int r;

        if (!visitors)
                return -ENOMEM;
        visitors->all = all;
        visitors->per_address = per_address;
        visitors->request_usec = request_usec;
        visitors->n = n;
        pthread_mutex_init(&visitors->mutex, NULL);
        pthread_condattr_init(&attributes);
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        pthread_cond_init(&visitors->changed, &attributes);
        pthread_condattr_destroy(&attributes);
        r = pthread_create(&visitors->thread, NULL, watch, visitors);
        if (r != 0) {
                free(visitors);
                return -r;
        }
        *ret = visitors;
        return 0;
}

struct visitors *visitors_free(struct visitors *visitors)
{
        pthread_mutex_lock(&visitors->mutex);
        visitors->stopping = true;
        pthread_cond_signal(&visitors->changed);
        pthread_mutex_unlock(&visitors->mutex);
        pthread_join(visitors->thread, NULL);
        pthread_cond_destroy(&visitors->changed);
        pthread_mutex_destroy(&visitors->mutex);
        free(visitors);
        return NULL;
}

/* ---- who comes and goes ---- */

struct in6_addr visitors_from(struct MHD_Connection *connection)
{
        const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection,
                                                                       MHD_CONNECTION_INFO_CLIENT_ADDRESS);

        return info && info->client_addr ? visitors_party(info->client_addr) : (struct in6_addr){ 0 };
}

/* Why who comes from there is served nothing, or NULL. *ret: a place that is free, or NULL. */
static const char *look(struct visitors *visitors, const struct in6_addr *from, struct place **ret)
{
        unsigned n = 0, n_here = 0;

        *ret = NULL;
        for (size_t i = visitors->n; i-- > 0;) {
                struct place *place = &visitors->place[i];

                if (!place->taken)
                        *ret = place;
                n += place->taken && !place->refused;
                n_here += place->taken && !place->refused && memcmp(&place->from, from, sizeof(*from)) == 0;
        }
        if (n_here >= visitors->per_address)
                return "this address has as many connections as one may have (espdfu-web --per-address): "
                       "close some, and try again";
        return n >= visitors->all ? "the page has as many browsers as it may have: try again later" : NULL;
}

static void come(struct visitors *visitors, struct MHD_Connection *connection, void **context)
{
        const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection,
                                                                       MHD_CONNECTION_INFO_CONNECTION_FD);
        struct in6_addr from = visitors_from(connection);
        struct place *place;
        const char *refused = look(visitors, &from, &place);

        *context = place;
        if (!place || !info)
                return;
        *place = (struct place){ .taken = true,
                                 .fd = info->connect_fd,
                                 .from = from,
                                 .refused = refused,
                                 .deadline_usec = monotonic_usec() + visitors->request_usec };
        pthread_cond_signal(&visitors->changed);
}

void visitors_connection(void *userdata, struct MHD_Connection *connection, void **context,
                         enum MHD_ConnectionNotificationCode what)
{
        struct visitors *visitors = userdata;

        pthread_mutex_lock(&visitors->mutex);
        if (what == MHD_CONNECTION_NOTIFY_STARTED)
                come(visitors, connection, context);
        else if (*context)
                ((struct place *)*context)->taken = false;
        pthread_mutex_unlock(&visitors->mutex);
}

/* ---- requests ---- */

/* NULL: there was none left. */
static struct place *place_of(struct MHD_Connection *connection)
{
        const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection,
                                                                       MHD_CONNECTION_INFO_SOCKET_CONTEXT);

        return info ? info->socket_context : NULL;
}

static void set_deadline(struct visitors *visitors, struct MHD_Connection *connection, uint64_t usec)
{
        struct place *place = place_of(connection);

        if (!place)
                return;
        pthread_mutex_lock(&visitors->mutex);
        place->deadline_usec = usec;
        if (usec != USEC_INFINITY)
                pthread_cond_signal(&visitors->changed);
        pthread_mutex_unlock(&visitors->mutex);
}

void visitors_asked(struct visitors *visitors, struct MHD_Connection *connection)
{
        set_deadline(visitors, connection, USEC_INFINITY);
}

void visitors_limit(struct visitors *visitors, struct MHD_Connection *connection, uint64_t deadline_usec)
{
        set_deadline(visitors, connection, deadline_usec);
}

void visitors_answered(void *userdata, struct MHD_Connection *connection, void **request,
                       enum MHD_RequestTerminationCode how)
{
        struct visitors *visitors = userdata;

        (void)request, (void)how;
        set_deadline(visitors, connection, monotonic_usec() + visitors->request_usec);
}

const char *visitors_refuse(struct visitors *visitors, struct MHD_Connection *connection)
{
        const struct place *place = place_of(connection);

        (void)visitors;
        return place ? place->refused : "the page has as many browsers as it may have: try again later";
}
