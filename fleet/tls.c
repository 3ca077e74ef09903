/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fleet/tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>

static void closep(SSL_CTX **context)
{
        SSL_CTX_free(*context);
}

/* What OpenSSL has to say of the last call, and no more. */
static const char *reason(void)
{
        unsigned long error = ERR_peek_error();
        const char *text = ERR_SYSTEM_ERROR(error) ? strerror(ERR_GET_REASON(error))
                                                   : ERR_reason_error_string(error);

        ERR_clear_error();
        return text ? text : "it is not understood";
}

static int refuse(struct tls_refusal *refusal, const char *key, const char *path)
{
        snprintf(refusal->text, sizeof(refusal->text), "%s = %s: %s", key, path, reason());
        return -EINVAL;
}

static bool is_address(const char *host)
{
        struct in6_addr address;

        return inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1;
}

/* Once for each certificate of the chain. */
static int on_verified(int good, X509_STORE_CTX *store)
{
        if (!good) {
                SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
                struct tls_refusal *refusal = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
                X509 *certificate = X509_STORE_CTX_get_current_cert(store);
                char subject[128] = "";

                if (certificate)
                        X509_NAME_oneline(X509_get_subject_name(certificate), subject, sizeof(subject));
                snprintf(refusal->text, sizeof(refusal->text), "the broker's certificate (%s) is refused: %s",
                         subject, X509_verify_cert_error_string(X509_STORE_CTX_get_error(store)));
        }
        return good;
}

static int trust(SSL_CTX *context, const struct broker_settings *settings, struct tls_refusal *refusal)
{
        X509_VERIFY_PARAM *parameters = SSL_CTX_get0_param(context);

        if (settings->ca_file && SSL_CTX_load_verify_file(context, settings->ca_file) != 1)
                return refuse(refusal, "ca-file", settings->ca_file);
        if (!settings->ca_file && SSL_CTX_set_default_verify_paths(context) != 1)
                return refuse(refusal, "ca-file", "of the system");
        if ((is_address(settings->host) ? X509_VERIFY_PARAM_set1_ip_asc(parameters, settings->host)
                                        : X509_VERIFY_PARAM_set1_host(parameters, settings->host, 0)) != 1)
                return refuse(refusal, "host", settings->host);
        SSL_CTX_set_app_data(context, refusal);
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, on_verified);
        return 0;
}

static int show(SSL_CTX *context, const struct broker_settings *settings, struct tls_refusal *refusal)
{
        if (!settings->certificate)
                return 0;
        if (SSL_CTX_use_certificate_chain_file(context, settings->certificate) != 1)
                return refuse(refusal, "certificate", settings->certificate);
        if (SSL_CTX_use_PrivateKey_file(context, settings->key, SSL_FILETYPE_PEM) != 1 ||
            SSL_CTX_check_private_key(context) != 1)
                return refuse(refusal, "key", settings->key);
        return 0;
}

int tls_context_new(const struct broker_settings *settings, struct tls_refusal *refusal, SSL_CTX **ret)
{
        _cleanup_(closep) SSL_CTX *context = SSL_CTX_new(TLS_client_method());
        int r;

        ERR_clear_error();
        if (!context)
                return -ENOMEM;
        SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
        SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS); /* 32 KiB less while nothing goes on */
        r = trust(context, settings, refusal);
        if (r == 0)
                r = show(context, settings, refusal);
        if (r == 0)
                *ret = take_ptr(context);
        return r;
}
