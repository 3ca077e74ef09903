/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fleet/mqtt-client.h"

#include <mqtt_protocol.h>
#include <stdio.h>

#include "fleet/secret.h"
#include "io/file.h"

#define PASSWORD_MAX 1024

static void destroyp(struct mosquitto **client)
{
        if (*client)
                mosquitto_destroy(*client);
}

static int refuse_password(const struct broker_settings *settings, struct tls_refusal *refusal,
                           const char *why, int r)
{
        refusal->key = "password-file";
        snprintf(refusal->text, sizeof(refusal->text), "password-file = %s: %s", settings->password_file,
                 why);
        return r;
}

/* What the file has up to its line's end. Text is to be freed. */
static int read_password(const struct broker_settings *settings, struct tls_refusal *refusal, char **ret)
{
        _cleanup_(freep) uint8_t *text = NULL;
        size_t len = 0;
        int r = file_read(settings->password_file, PASSWORD_MAX, &text, &len);

        if (r < 0)
                return refuse_password(settings, refusal, strerror(-r), r);
        if (secret_is_open(settings->password_file))
                return refuse_password(settings, refusal, SECRET_IS_OPEN, -EINVAL);
        text[strcspn((char *)text, "\r\n")] = '\0';
        if (!*text)
                return refuse_password(settings, refusal,
                                       "it is empty: expected the password in its first line", -EINVAL);
        *ret = (char *)take_ptr(text);
        return 0;
}

int mqtt_check_password(const struct broker_settings *settings, struct tls_refusal *refusal)
{
        _cleanup_(freep) char *password = NULL;
        int r = settings->user ? read_password(settings, refusal, &password) : 0;

        if (password)
                explicit_bzero(password, strlen(password));
        return r;
}

static int set_user(struct mosquitto *client, const struct broker_settings *settings,
                    struct tls_refusal *refusal)
{
        _cleanup_(freep) char *password = NULL;
        int r;

        if (!settings->user)
                return 0;
        r = read_password(settings, refusal, &password);
        if (r < 0)
                return r;
        r = mosquitto_username_pw_set(client, settings->user, password);
        explicit_bzero(password, strlen(password));
        return r == MOSQ_ERR_SUCCESS ? 0 : -ENOMEM;
}

static int set_tls(struct mosquitto *client, const struct broker_settings *settings,
                   struct tls_refusal *refusal)
{
        SSL_CTX *context = NULL;
        int r;

        if (settings->no_tls)
                return 0;
        r = tls_context_new(settings, refusal, &context);
        if (r < 0)
                return r;
        r = mosquitto_int_option(client, MOSQ_OPT_SSL_CTX_WITH_DEFAULTS, 0);
        if (r == MOSQ_ERR_SUCCESS)
                r = mosquitto_void_option(client, MOSQ_OPT_SSL_CTX, context);
        SSL_CTX_free(context);
        return r == MOSQ_ERR_SUCCESS ? 0 : -ENOMEM;
}

int mqtt_client_new(const struct broker_settings *settings, const char *client_id,
                    const struct mqtt_will *will, void *userdata, struct tls_refusal *refusal,
                    struct mosquitto **ret)
{
        _cleanup_(destroyp) struct mosquitto *client = mosquitto_new(client_id, true, userdata);
        int r;

        if (!client)
                return -ENOMEM;
        mosquitto_int_option(client, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V5);
        mosquitto_int_option(client, MOSQ_OPT_TCP_NODELAY, 1);
        mosquitto_int_option(client, MOSQ_OPT_SEND_MAXIMUM, UINT16_MAX); /* the broker's limit counts */
        r = set_user(client, settings, refusal);
        if (r == 0)
                r = set_tls(client, settings, refusal);
        if (r == 0 && will->topic &&
            mosquitto_will_set(client, will->topic, (int)will->size, will->payload, 1, true) !=
                    MOSQ_ERR_SUCCESS)
                r = -EINVAL;
        if (r == 0)
                *ret = take_ptr(client);
        return r;
}
