/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fleet/tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <time.h>

#include "fleet/secret.h"

static void closep(SSL_CTX **context)
{
        SSL_CTX_free(*context);
}

static int refuse(struct tls_refusal *refusal, const char *key, const char *path, const char *why)
{
        refusal->key = key;
        snprintf(refusal->text, sizeof(refusal->text), "%s = %s: %s", key, path, why);
        ERR_clear_error();
        return -EINVAL;
}

/* By what OpenSSL has to say of the last call; expected: of what can be read, and is something else. */
static int refuse_file(struct tls_refusal *refusal, const char *key, const char *path, const char *expected)
{
        unsigned long error = ERR_peek_error();
        const char *reason = ERR_reason_error_string(error);
        char why[160];

        if (ERR_SYSTEM_ERROR(error))
                return refuse(refusal, key, path, strerror(ERR_GET_REASON(error)));
        snprintf(why, sizeof(why), "%s (%s)", expected, reason ? reason : "it is not understood");
        return refuse(refusal, key, path, why);
}

static bool is_address(const char *host)
{
        struct in6_addr address;

        return inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1;
}

static void print_time(const ASN1_TIME *time, char *ret, size_t size)
{
        struct tm tm;

        if (ASN1_TIME_to_tm(time, &tm) == 1)
                strftime(ret, size, "%Y-%m-%d %H:%M UTC", &tm);
        else
                snprintf(ret, size, "?");
}

/* ": …", what was expected of the broker's certificate; "" where OpenSSL's words say it. */
static void print_expected(const struct broker_settings *settings, int error, const X509 *certificate,
                           char *ret, size_t size)
{
        char time[32] = "?";

        *ret = '\0';
        switch (error) {
        case X509_V_ERR_HOSTNAME_MISMATCH:
        case X509_V_ERR_IP_ADDRESS_MISMATCH:
                snprintf(ret, size, ": expected one for host = %s", settings->host);
                return;
        case X509_V_ERR_CERT_HAS_EXPIRED:
                print_time(X509_get0_notAfter(certificate), time, sizeof(time));
                snprintf(ret, size, ", on %s: expected a new one at the broker", time);
                return;
        case X509_V_ERR_CERT_NOT_YET_VALID:
                print_time(X509_get0_notBefore(certificate), time, sizeof(time));
                snprintf(ret, size, ", before %s: expected that this machine's clock is right", time);
                return;
        case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
        case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
                snprintf(ret, size, ": expected one of a CA in %s%s", settings->ca_file ? "ca-file = " : "",
                         settings->ca_file ? settings->ca_file : "the system's, or ca-file with it");
                return;
        }
}

/* Once for each certificate of the chain. */
static int on_verified(int good, X509_STORE_CTX *store)
{
        if (!good) {
                SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
                struct tls_refusal *refusal = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
                X509 *certificate = X509_STORE_CTX_get_current_cert(store);
                int error = X509_STORE_CTX_get_error(store);
                char subject[128] = "", expected[256] = "";

                if (certificate) {
                        X509_NAME_oneline(X509_get_subject_name(certificate), subject, sizeof(subject));
                        print_expected(refusal->settings, error, certificate, expected, sizeof(expected));
                }
                snprintf(refusal->text, sizeof(refusal->text),
                         "the broker's certificate (%s) is refused: %s%s", subject,
                         X509_verify_cert_error_string(error), expected);
        }
        return good;
}

static int trust(SSL_CTX *context, const struct broker_settings *settings, struct tls_refusal *refusal)
{
        X509_VERIFY_PARAM *parameters = SSL_CTX_get0_param(context);

        refusal->settings = settings;
        if (settings->ca_file && SSL_CTX_load_verify_file(context, settings->ca_file) != 1)
                return refuse_file(refusal, "ca-file", settings->ca_file, "expected certificates in PEM");
        if (!settings->ca_file && SSL_CTX_set_default_verify_paths(context) != 1)
                return refuse_file(refusal, "ca-file", "of the system", "expected certificates in PEM");
        if ((is_address(settings->host) ? X509_VERIFY_PARAM_set1_ip_asc(parameters, settings->host)
                                        : X509_VERIFY_PARAM_set1_host(parameters, settings->host, 0)) != 1)
                return refuse(refusal, "host", settings->host, "expected a name or an address");
        SSL_CTX_set_app_data(context, refusal);
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, on_verified);
        return 0;
}

/* A key with a password is not asked for it: there may be nobody. */
static int no_password(char *buffer, int size, int writing, void *userdata)
{
        (void)buffer, (void)size, (void)writing, (void)userdata;
        return -1;
}

static int refuse_pair(struct tls_refusal *refusal, const struct broker_settings *settings)
{
        char why[320];

        snprintf(why, sizeof(why), "it is not the key of certificate = %s: expected two that belong together",
                 settings->certificate);
        return refuse(refusal, "key", settings->key, why);
}

static int show(SSL_CTX *context, const struct broker_settings *settings, struct tls_refusal *refusal)
{
        int reason;

        if (!settings->certificate)
                return 0;
        SSL_CTX_set_default_passwd_cb(context, no_password);
        if (SSL_CTX_use_certificate_chain_file(context, settings->certificate) != 1)
                return refuse_file(refusal, "certificate", settings->certificate,
                                   "expected a certificate in PEM");
        if (secret_is_open(settings->key))
                return refuse(refusal, "key", settings->key, SECRET_IS_OPEN);
        if (SSL_CTX_use_PrivateKey_file(context, settings->key, SSL_FILETYPE_PEM) != 1) {
                reason = ERR_GET_LIB(ERR_peek_error()) == ERR_LIB_X509 ? ERR_GET_REASON(ERR_peek_error()) : 0;
                if (reason == X509_R_KEY_VALUES_MISMATCH || reason == X509_R_KEY_TYPE_MISMATCH)
                        return refuse_pair(refusal, settings);
                return refuse_file(refusal, "key", settings->key,
                                   "expected a key in PEM, without a password");
        }
        return SSL_CTX_check_private_key(context) == 1 ? 0 : refuse_pair(refusal, settings);
}

static int check(const struct broker_settings *settings, struct tls_refusal *refusal,
                 int (*look)(SSL_CTX *, const struct broker_settings *, struct tls_refusal *))
{
        _cleanup_(closep) SSL_CTX *context = SSL_CTX_new(TLS_client_method());

        ERR_clear_error();
        return context ? look(context, settings, refusal) : -ENOMEM;
}

int tls_check_trust(const struct broker_settings *settings, struct tls_refusal *refusal)
{
        return check(settings, refusal, trust);
}

int tls_check_own(const struct broker_settings *settings, struct tls_refusal *refusal)
{
        return check(settings, refusal, show);
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
