/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the connection to the broker trusts and shows: a context of OpenSSL's, made anew for each connection, so that renewed
 * files count. TLS 1.2 at least; the broker's certificate must be signed by the CA and be for the host that was asked for.
 * (libmosquitto would make one itself, but does not tell why it refused a certificate.)
 */
#pragma once

#include <openssl/ssl.h>

#include "fleet/settings.h"

/* Why a certificate was refused; must outlive the context. */
struct tls_refusal {
        char text[256]; /* "": none was */
};

/* 0 with *ret, to be released by SSL_CTX_free(); -EINVAL with why in refusal: the file, and what is wrong with it. */
int tls_context_new(const struct broker_settings *settings, struct tls_refusal *refusal, SSL_CTX **ret);
