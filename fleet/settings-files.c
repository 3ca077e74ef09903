/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fleet/mqtt-client.h"

int settings_check_files(const struct settings *settings, const char *path)
{
        static int (*const checks[])(const struct broker_settings *, struct tls_refusal *) = {
                tls_check_trust,
                tls_check_own,
                mqtt_check_password,
        };
        const struct broker_settings *broker = &settings->broker;
        int r = 0;

        for (size_t i = 0; broker->host && i < ARRAY_SIZE(checks); i++) {
                struct tls_refusal refusal = { 0 };

                if ((checks[i] != mqtt_check_password && broker->no_tls) || checks[i](broker, &refusal) == 0)
                        continue;
                settings_say_fault(settings, path, "broker", refusal.key ? refusal.key : "host",
                                   refusal.text[0] ? refusal.text : strerror(ENOMEM));
                r = -EINVAL;
        }
        return r;
}
