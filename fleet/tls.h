/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the connection to the broker trusts and shows: a context of OpenSSL's, made anew for each connection, so that renewed
 * files count. TLS 1.2 at least; the broker's certificate must be signed by the CA and be for the host that was asked for.
 * (libmosquitto would make one itself, but does not tell why it refused a certificate.)
 */
#pragma once

#include <openssl/ssl.h>

#include "fleet/settings.h"

/* Why a certificate was refused, or a file of ours; must outlive the context. */
struct tls_refusal {
        char text[512];  /* "": none was */
        const char *key; /* of a file: which key of the configuration names it; static */
        const struct broker_settings *settings;
};

/* These two look at the files alone: whom we trust, and what we show. 0, -EINVAL, -ENOMEM. */
int tls_check_trust(const struct broker_settings *settings, struct tls_refusal *refusal);
int tls_check_own(const struct broker_settings *settings, struct tls_refusal *refusal);
/* 0 with *ret, to be released by SSL_CTX_free(); -EINVAL with why in refusal: the file, and what is wrong with it. */
int tls_context_new(const struct broker_settings *settings, struct tls_refusal *refusal, SSL_CTX **ret);
