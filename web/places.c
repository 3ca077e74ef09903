/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "web/places.h"

#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <time.h>

struct place {
        bool taken;
        int fd;                 /* borrowed, while taken */
        struct in6_addr from;   /* places_party() */
        const char *refused;    /* why; NULL: it is served */
        uint64_t deadline_usec; /* of the request; USEC_INFINITY: it is there */
};

struct places {
        unsigned all, per_address;
        uint64_t request_usec;
        pthread_t thread;
        pthread_mutex_t mutex; /* for what follows */
        pthread_cond_t changed;
        bool stopping;
        size_t n;
        struct place place[];
};

static uint64_t now_usec(void)
{
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t)ts.tv_sec * USEC_PER_SEC + (uint64_t)ts.tv_nsec / 1000;
}

/* Hangs up on those whose time is over. Returns when the next one's is. */
static uint64_t hang_up(struct places *places, uint64_t now)
{
        uint64_t next = USEC_INFINITY;

        for (size_t i = 0; i < places->n; i++) {
                struct place *place = &places->place[i];

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
        struct places *places = userdata;

        pthread_mutex_lock(&places->mutex);
        while (!places->stopping) {
                uint64_t next = hang_up(places, now_usec());
                struct timespec until = { (time_t)(next / USEC_PER_SEC), (long)(next % USEC_PER_SEC * 1000) };

                if (next == USEC_INFINITY)
                        pthread_cond_wait(&places->changed, &places->mutex);
                else
                        pthread_cond_timedwait(&places->changed, &places->mutex, &until);
        }
        pthread_mutex_unlock(&places->mutex);
        return NULL;
}

int places_new(unsigned all, unsigned per_address, uint64_t request_usec, struct places **ret)
{
        size_t n = all + PLACES_OVER;
        struct places *places = calloc(1, sizeof(*places) + n * sizeof(*places->place));
        pthread_condattr_t attributes;
        int r;

        if (!places)
                return -ENOMEM;
        places->all = all;
        places->per_address = per_address;
        places->request_usec = request_usec;
        places->n = n;
        pthread_mutex_init(&places->mutex, NULL);
        pthread_condattr_init(&attributes);
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        pthread_cond_init(&places->changed, &attributes);
        pthread_condattr_destroy(&attributes);
        r = pthread_create(&places->thread, NULL, watch, places);
        if (r != 0) {
                free(places);
                return -r;
        }
        *ret = places;
        return 0;
}

struct places *places_free(struct places *places)
{
        pthread_mutex_lock(&places->mutex);
        places->stopping = true;
        pthread_cond_signal(&places->changed);
        pthread_mutex_unlock(&places->mutex);
        pthread_join(places->thread, NULL);
        pthread_cond_destroy(&places->changed);
        pthread_mutex_destroy(&places->mutex);
        free(places);
        return NULL;
}

/* ---- who comes and goes ---- */

static struct in6_addr address_of(struct MHD_Connection *connection)
{
        const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection,
                                                                       MHD_CONNECTION_INFO_CLIENT_ADDRESS);

        return info && info->client_addr ? places_party(info->client_addr) : (struct in6_addr){ 0 };
}

/* Why who comes from there is served nothing, or NULL. *ret: a place that is free, or NULL. */
static const char *look(struct places *places, const struct in6_addr *from, struct place **ret)
{
        unsigned n = 0, n_here = 0;

        *ret = NULL;
        for (size_t i = places->n; i-- > 0;) {
                struct place *place = &places->place[i];

                if (!place->taken)
                        *ret = place;
                n += place->taken && !place->refused;
                n_here += place->taken && !place->refused && memcmp(&place->from, from, sizeof(*from)) == 0;
        }
        if (n_here >= places->per_address)
                return "this address has as many connections as one may have (espdfu-web --per-address): "
                       "close "
                       "some, and try again";
        return n >= places->all ? "the page has as many browsers as it may have: try again later" : NULL;
}

static void come(struct places *places, struct MHD_Connection *connection, void **context)
{
        const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection,
                                                                       MHD_CONNECTION_INFO_CONNECTION_FD);
        struct in6_addr from = address_of(connection);
        struct place *place;
        const char *refused = look(places, &from, &place);

        *context = place;
        if (!place || !info)
                return;
        *place = (struct place){ .taken = true,
                                 .fd = info->connect_fd,
                                 .from = from,
                                 .refused = refused,
                                 .deadline_usec = now_usec() + places->request_usec };
        pthread_cond_signal(&places->changed);
}

void places_connection(void *userdata, struct MHD_Connection *connection, void **context,
                       enum MHD_ConnectionNotificationCode what)
{
        struct places *places = userdata;

        pthread_mutex_lock(&places->mutex);
        if (what == MHD_CONNECTION_NOTIFY_STARTED)
                come(places, connection, context);
        else if (*context)
                ((struct place *)*context)->taken = false;
        pthread_mutex_unlock(&places->mutex);
}

/* ---- requests ---- */

/* NULL: there was none left. */
static struct place *place_of(struct MHD_Connection *connection)
{
        const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection,
                                                                       MHD_CONNECTION_INFO_SOCKET_CONTEXT);

        return info ? info->socket_context : NULL;
}

static void set_deadline(struct places *places, struct MHD_Connection *connection, uint64_t usec)
{
        struct place *place = place_of(connection);

        if (!place)
                return;
        pthread_mutex_lock(&places->mutex);
        place->deadline_usec = usec;
        if (usec != USEC_INFINITY)
                pthread_cond_signal(&places->changed);
        pthread_mutex_unlock(&places->mutex);
}

void places_asked(struct places *places, struct MHD_Connection *connection)
{
        set_deadline(places, connection, USEC_INFINITY);
}

void places_answered(void *userdata, struct MHD_Connection *connection, void **request,
                     enum MHD_RequestTerminationCode how)
{
        struct places *places = userdata;

        (void)request, (void)how;
        set_deadline(places, connection, now_usec() + places->request_usec);
}

const char *places_refuse(struct places *places, struct MHD_Connection *connection)
{
        const struct place *place = place_of(connection);

        (void)places;
        return place ? place->refused : "the page has as many browsers as it may have: try again later";
}
