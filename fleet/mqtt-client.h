/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A client of libmosquitto's as the settings say (MQTT 5, TLS, user, will), not connected yet. Their files are read now. */
#pragma once

#include <mosquitto.h>

#include "fleet/tls.h"

/* The last will: retained, QoS 1. */
struct mqtt_will {
        char *topic; /* NULL: none */
        void *payload;
        size_t size;
};

/* Looks at the file alone. 0, or as below. */
int mqtt_check_password(const struct broker_settings *settings, struct tls_refusal *refusal);

/* 0 with *ret, for mosquitto_destroy(); -EINVAL, -ENOMEM or what the system says, with why in refusal where there is more to say.
 * refusal outlives the client. userdata: of its callbacks. */
int mqtt_client_new(const struct broker_settings *settings, const char *client_id,
                    const struct mqtt_will *will, void *userdata, struct tls_refusal *refusal,
                    struct mosquitto **ret);
