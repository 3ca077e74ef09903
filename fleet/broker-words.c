/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fleet/broker-words.h"

#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <stdio.h>

const char *broker_advice(int reason)
{
        static const struct {
                int reason;
                const char *text;
        } table[] = {
                { MQTT_RC_BAD_USERNAME_OR_PASSWORD, ": expected another user or password-file" },
                { MQTT_RC_NOT_AUTHORIZED,
                  ": expected another user, password-file or certificate, or an ACL that allows it" },
                { MQTT_RC_UNSUPPORTED_PROTOCOL_VERSION, ": expected a broker with MQTT 5" },
                { MQTT_RC_SESSION_TAKEN_OVER, ": another client has the same name; expected one of each" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(table); i++)
                if (table[i].reason == reason)
                        return table[i].text;
        return "";
}

const char *broker_lost_words(bool each_time, bool unique)
{
        if (!each_time)
                return "the connection is lost";
        return unique ? "the connection is lost each time soon after it was made: the broker's log may say "
                        "why"
                      : "the connection is lost each time soon after it was made: another client may have "
                        "the same name, expected one of each";
}

const char *broker_hung_up_words(bool tls)
{
        return tls ? "it hung up before it let us in: expected a broker with MQTT 5 and TLS at this port, "
                     "that takes our "
                     "certificate"
                   : "it hung up before it let us in: expected a broker with MQTT 5, without TLS, at this "
                     "port";
}

/* The broker's answers to what we show: what it wants of us, and what to do. */
static const struct {
        const char *alert, *wants, *expected;
} tls_answers[] = {
        { "certificate required", "it wants a certificate of us", "expected certificate and key" },
        { "certificate expired", "it says that our certificate is over",
          "expected a new one there, or that both clocks are right" },
        { "certificate revoked", "it says that our certificate is revoked", "expected a new one there" },
        { "certificate", "it wants another certificate of us",
          "expected one that its CA has signed, and that is in its time" },
        { "unknown ca", "it wants another certificate of us",
          "expected one that its CA has signed, and that is in its time" },
};

void broker_tls_print(const char *text, const char *certificate, char *ret, size_t size)
{
        bool is_alert = strstr(text, " alert ");

        for (size_t i = 0; is_alert && i < ARRAY_SIZE(tls_answers); i++)
                if (strstr(text, tls_answers[i].alert)) {
                        snprintf(ret, size, "%s: %s: %s%s%s%s", tls_answers[i].wants, text,
                                 tls_answers[i].expected, certificate ? " (certificate = " : "",
                                 certificate ? certificate : "", certificate ? ")" : "");
                        return;
                }
        snprintf(ret, size, "TLS: %s", text);
}

const char *broker_result_words(int result, int error)
{
        switch (result) {
        case MOSQ_ERR_CONN_LOST:
        case MOSQ_ERR_TLS:
                return NULL;
        case MOSQ_ERR_KEEPALIVE:
                return "it was silent for too long";
        case MOSQ_ERR_EAI:
                return "no host of this name is found";
        case MOSQ_ERR_ERRNO: /* EPROTO: as libmosquitto calls what TLS met */
                return error == 0 || error == EPROTO || error == ECONNRESET || error == EPIPE
                               ? NULL
                               : strerror(error);
        default:
                return mosquitto_strerror(result);
        }
}
