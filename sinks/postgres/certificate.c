/* SPDX-License-Identifier: MIT */
/* What is wrong with a server's certificate, exactly. */

#include "sinks/postgres/certificate.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>

/* The caller releases it. */
static X509 *certificate_of(PGconn *pg)
{
    SSL *ssl = PQsslStruct(pg, "OpenSSL");
    return ssl ? SSL_get1_peer_certificate(ssl) : NULL;
}

static int days_until(const ASN1_TIME *t)
{
    int days = 0, seconds = 0;
    return t && ASN1_TIME_diff(&days, &seconds, NULL, t) ? days : INT_MAX;
}

static void date_add(weir_text *t, const ASN1_TIME *at)
{
    struct tm tm;
    char text[32];
    if (at && ASN1_TIME_to_tm(at, &tm) && strftime(text, sizeof text, "%Y-%m-%d", &tm) > 0)
        weir_text_add(t, text);
}

static void name_add(weir_text *t, const X509_NAME *name)
{
    char *text = X509_NAME_oneline(name, NULL, 0);
    weir_text_add(t, text ? text : "?");
    OPENSSL_free(text);
}

/* What OpenSSL says of the chain that the server sent, by whom root_file trusts. The certificate
 * that is wrong (of the server, or of a CA between) is given too. */
static int chain_verify(X509 *certificate, STACK_OF(X509) * chain, const char *root_file,
                        X509 **ret_wrong)
{
    int reason = X509_V_ERR_UNSPECIFIED;
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    if (store && ctx && X509_STORE_load_file(store, root_file) == 1 &&
        X509_STORE_CTX_init(ctx, store, certificate, chain) == 1) {
        (void)X509_verify_cert(ctx);
        reason = X509_STORE_CTX_get_error(ctx);
        X509 *wrong = X509_STORE_CTX_get_current_cert(ctx);
        *ret_wrong = wrong ? wrong : certificate;
        (void)X509_up_ref(*ret_wrong);
    }
    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    return reason;
}

static void reason_add(int reason, const X509 *certificate, const X509 *wrong,
                       const char *root_file, weir_text *t)
{
    const ASN1_TIME *from = X509_get0_notBefore(wrong), *until = X509_get0_notAfter(wrong);
    const bool is_dated =
        reason == X509_V_ERR_CERT_HAS_EXPIRED || reason == X509_V_ERR_CERT_NOT_YET_VALID;
    weir_text_add(t, "the server's certificate ");
    name_add(t, X509_get_subject_name(is_dated ? wrong : certificate));
    switch (reason) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        weir_text_add(t, " expired on ");
        date_add(t, until);
        weir_text_format(t, " (%d days ago)", -days_until(until));
        return;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        weir_text_add(t, " holds only from ");
        date_add(t, from);
        weir_text_add(t, ": is the clock of this machine right?");
        return;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
        weir_text_add(t, " is vouched for by ");
        name_add(t, X509_get_issuer_name(wrong));
        weir_text_format(t, ", which is not in %s", root_file);
        return;
    default:
        weir_text_format(t, " cannot be trusted: %s", X509_verify_cert_error_string(reason));
    }
}

void weir_pg_certificate_explain(PGconn *pg, const char *root_file, weir_text *ret)
{
    SSL *ssl = PQsslStruct(pg, "OpenSSL");
    X509 *certificate = certificate_of(pg), *wrong = NULL;
    if (certificate) {
        const int reason =
            chain_verify(certificate, SSL_get_peer_cert_chain(ssl), root_file, &wrong);
        if (wrong && reason != X509_V_OK)
            reason_add(reason, certificate, wrong, root_file, ret);
    }
    X509_free(wrong);
    X509_free(certificate);
}

int weir_pg_certificate_days(PGconn *pg)
{
    X509 *certificate = certificate_of(pg);
    const int days = certificate ? days_until(X509_get0_notAfter(certificate)) : INT_MAX;
    X509_free(certificate);
    return days;
}
