/* SPDX-License-Identifier: MIT */
/* Why a request got no reply: the exact cause in words, and what to do about it. */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "sinks/http/http_priv.h"

/* Numbers of OpenSSL's X509_V_ERR_..., which libcurl hands through (openssl-verification-options).
 */
enum {
    VERIFY_NO_ISSUER = 20,
    VERIFY_NO_ISSUER_LEAF = 21,
    VERIFY_NOT_YET = 9,
    VERIFY_EXPIRED = 10,
    VERIFY_SELF_SIGNED = 18,
    VERIFY_SELF_SIGNED_CHAIN = 19,
};

/* To see a certificate that was refused: no more than a handshake. */
#define LOOK_TIMEOUT_US (3 * WEIR_S)

/* "10.0.0.9:8086" of "http://10.0.0.9:8086/prefix". */
typedef struct server {
    char name[160]; /* with the port, if the URL has one */
    char host[128]; /* without */
    bool is_tls;
} server;

static server server_of(const char *url)
{
    server s = {.is_tls = strncasecmp(url, "https:", 6) == 0};
    const char *start = strstr(url, "://");
    start = start ? start + 3 : url;
    const size_t n = strcspn(start, "/?#");
    (void)snprintf(s.name, sizeof s.name, "%.*s", (int)(n < 150 ? n : 150), start);
    (void)snprintf(s.host, sizeof s.host, "%.120s", s.name);
    char *port = strrchr(s.host, ':');
    if (port && !strchr(port, ']'))
        *port = '\0';
    return s;
}

/* --- certificates ------------------------------------------------------------------------- */

/* What the certificate says of itself; "" where it does not. */
typedef struct certificate {
    char expires[64], starts[64], issuer[96], names[128];
} certificate;

static void certificate_field(char *ret, size_t size, const char *entry, const char *key)
{
    const size_t n = strlen(key);
    if (strncasecmp(entry, key, n) == 0 && entry[n] == ':')
        (void)snprintf(ret, size, "%.*s", (int)strcspn(entry + n + 1, "\r\n"), entry + n + 1);
}

static certificate certificate_read(CURL *easy)
{
    certificate c = {0};
    struct curl_certinfo *info = NULL;
    if (curl_easy_getinfo(easy, CURLINFO_CERTINFO, &info) != CURLE_OK || !info ||
        info->num_of_certs < 1)
        return c;
    for (const struct curl_slist *e = info->certinfo[0]; e; e = e->next) {
        certificate_field(c.expires, sizeof c.expires, e->data, "Expire date");
        certificate_field(c.starts, sizeof c.starts, e->data, "Start date");
        certificate_field(c.issuer, sizeof c.issuer, e->data, "Issuer");
        certificate_field(c.names, sizeof c.names, e->data, "X509v3 Subject Alternative Name");
    }
    return c;
}

/*
 * libcurl shows the certificate of a connection that it accepted, never of one that it refused.
 * So another is opened, without verification, up to the end of the handshake and no further
 * (CONNECT_ONLY): no request, no user, no password goes over it, nothing is read from it.
 */
static bool look_set(const weir_http_case *c, CURL *easy)
{
    return curl_easy_setopt(easy, CURLOPT_URL, c->url) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "https") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_CERTINFO, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L) == CURLE_OK &&
           (c->options->uses_proxy || curl_easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK);
}

static certificate certificate_look(const weir_http_case *c)
{
    certificate seen = {0};
    const weir_sink_host *host = c->options->host;
    const weir_mono soon = weir_mono_add(host->now(host->data), LOOK_TIMEOUT_US);
    CURLcode code = CURLE_FAILED_INIT;
    CURLM *multi = curl_multi_init();
    CURL *easy = curl_easy_init();
    if (multi && easy && look_set(c, easy) && curl_multi_add_handle(multi, easy) == CURLM_OK) {
        if (weir_http_wait(multi, host, weir_mono_min(c->deadline, soon), &code) ==
                WEIR_HTTP_END_DONE &&
            code == CURLE_OK)
            seen = certificate_read(easy);
        (void)curl_multi_remove_handle(multi, easy);
    }
    curl_easy_cleanup(easy);
    (void)curl_multi_cleanup(multi);
    return seen;
}

static void explain_authority(const weir_http_case *c, const server *s, const certificate *seen,
                              weir_send_answer *ret)
{
    char remedy[200];
    (void)snprintf(remedy, sizeof remedy,
                   "set ca_file to the certificate of the authority that signed it%s%.80s",
                   seen->issuer[0] ? ": " : "", seen->issuer);
    weir_send_later(ret, WEIR_TROUBLE_REFUSED, remedy,
                    "the certificate of %.80s is not from an authority that %.100s", s->name,
                    c->options->ca_file ? "ca_file names" : "this system trusts");
}

static void explain_certificate(const weir_http_case *c, const server *s, weir_send_answer *ret)
{
    long result = 0;
    const certificate seen = certificate_look(c);
    (void)curl_easy_getinfo(c->easy, CURLINFO_SSL_VERIFYRESULT, &result);
    if (result == VERIFY_EXPIRED)
        weir_send_later(ret, WEIR_TROUBLE_REFUSED, "install a new certificate on the server",
                        "the certificate of %.80s has expired%s%.60s", s->name,
                        seen.expires[0] ? " on " : "", seen.expires);
    else if (result == VERIFY_NOT_YET)
        weir_send_later(ret, WEIR_TROUBLE_REFUSED, "compare the clocks of both machines: date -u",
                        "the certificate of %.80s is not valid yet%s%.60s", s->name,
                        seen.starts[0] ? ", only from " : "", seen.starts);
    else if (result == VERIFY_NO_ISSUER || result == VERIFY_NO_ISSUER_LEAF ||
             result == VERIFY_SELF_SIGNED || result == VERIFY_SELF_SIGNED_CHAIN)
        explain_authority(c, s, &seen, ret);
    else if (strstr(c->error, "subject name") || strstr(c->error, "does not match"))
        weir_send_later(ret, WEIR_TROUBLE_REFUSED, "use in url a name that the certificate has",
                        "the certificate of %.80s is for another name%s%.100s", s->name,
                        seen.names[0] ? ": " : "", seen.names);
    else
        weir_send_later(ret, WEIR_TROUBLE_REFUSED, "",
                        "the certificate of %.80s is refused: %.150s", s->name, c->error);
}

/* --- the rest ----------------------------------------------------------------------------- */

static void explain_connect(const weir_http_case *c, const server *s, weir_send_answer *ret)
{
    long number = 0;
    char remedy[250];
    (void)curl_easy_getinfo(c->easy, CURLINFO_OS_ERRNO, &number);
    (void)snprintf(remedy, sizeof remedy,
                   "is the server running, and is the port right? Try: curl -v %s://%.120s/ping",
                   s->is_tls ? "https" : "http", s->name);
    if (number == ECONNREFUSED)
        weir_send_later(ret, WEIR_TROUBLE_OFFLINE, remedy,
                        "nothing listens at %.100s: connection refused", s->name);
    else
        weir_send_later(ret, WEIR_TROUBLE_OFFLINE, remedy, "cannot connect to %.80s: %.120s",
                        s->name, number ? strerror((int)number) : c->error);
}

static void explain_silence(const weir_http_case *c, const server *s, weir_send_answer *ret)
{
    curl_off_t ready = 0;
    (void)curl_easy_getinfo(c->easy, CURLINFO_PRETRANSFER_TIME_T, &ready);
    if (ready > 0)
        weir_send_later(ret, WEIR_TROUBLE_OFFLINE,
                        "look at the server's load and log; or make timeout longer",
                        "%.80s takes the request, but gave no answer in time", s->name);
    else if (s->is_tls) /* libcurl counts a connection when its handshake is over */
        weir_send_later(ret, WEIR_TROUBLE_OFFLINE,
                        "does that port speak TLS? Is a firewall in between?",
                        "no connection to %.80s with a finished TLS handshake in time", s->name);
    else
        weir_send_later(ret, WEIR_TROUBLE_OFFLINE,
                        "a firewall that drops packets, or a machine that is off?",
                        "no connection to %.80s in time", s->name);
}

static void explain_tls(const weir_http_case *c, const server *s, weir_send_answer *ret)
{
    if (strstr(c->error, "wrong version number") || strstr(c->error, "packet length too long") ||
        strstr(c->error, "http request"))
        weir_send_later(ret, WEIR_TROUBLE_MISCONFIGURED,
                        "write http:// in url, or switch TLS on in the server",
                        "%.80s does not speak TLS at that port", s->name);
    else if (strstr(c->error, "SYSCALL") || strstr(c->error, "reset"))
        weir_send_later(ret, WEIR_TROUBLE_OFFLINE,
                        "does that port speak TLS? Else write http:// in url",
                        "%.80s closed the connection in the TLS handshake", s->name);
    else
        weir_send_later(ret, WEIR_TROUBLE_REFUSED,
                        "compare with: openssl s_client -connect HOST:PORT",
                        "no TLS with %.80s: %.150s", s->name, c->error);
}

/* A server that wants a certificate of ours says so with an alert, in TLS 1.3 after the handshake.
 */
static bool is_client_certificate(const char *error)
{
    return strstr(error, "certificate required") || strstr(error, "bad certificate") ||
           strstr(error, "handshake failure");
}

static void explain_closed(const weir_http_case *c, const server *s, weir_send_answer *ret)
{
    if (is_client_certificate(c->error))
        weir_send_later(
            ret, WEIR_TROUBLE_REFUSED, "set cert_file and key_file to a certificate that it knows",
            "%.80s wants a certificate of the client, or another one: %.120s", s->name, c->error);
    else
        /* In TLS 1.3 a server may refuse without a word that arrives. */
        weir_send_later(
            ret, WEIR_TROUBLE_OFFLINE,
            s->is_tls && !c->options->cert_file
                ? "look at the server's log: does it want a certificate (cert_file, key_file)?"
                : "look at the server's log",
            "%.80s closed the connection before its answer was complete%s%.100s", s->name,
            c->error[0] ? ": " : "", c->error);
}

static void explain_code(const weir_http_case *c, const server *s, weir_send_answer *ret)
{
    char remedy[200];
    const int code = (int)c->code; /* of about 100 codes these can happen */
    (void)snprintf(remedy, sizeof remedy, "check the name: getent hosts %.128s", s->host);
    if (code == CURLE_COULDNT_RESOLVE_HOST)
        weir_send_later(ret, WEIR_TROUBLE_OFFLINE, remedy, "the name %.120s is not known", s->host);
    else if (code == CURLE_COULDNT_RESOLVE_PROXY)
        weir_send_later(ret, WEIR_TROUBLE_OFFLINE,
                        "check http_proxy and https_proxy in the environment",
                        "the proxy's name is not known");
    else if (code == CURLE_COULDNT_CONNECT)
        explain_connect(c, s, ret);
    else if (code == CURLE_OPERATION_TIMEDOUT)
        explain_silence(c, s, ret);
    else if (code == CURLE_PEER_FAILED_VERIFICATION)
        explain_certificate(c, s, ret);
    else if (code == CURLE_SSL_CACERT_BADFILE)
        weir_send_later(ret, WEIR_TROUBLE_MISCONFIGURED,
                        "ca_file must be a readable file with PEM certificates",
                        "ca_file cannot be read: %.180s",
                        c->options->ca_file ? c->options->ca_file : "");
    else if (code == CURLE_SSL_CERTPROBLEM)
        weir_send_later(ret, WEIR_TROUBLE_MISCONFIGURED,
                        "cert_file and key_file must be PEM files that belong together",
                        "the client's certificate or key cannot be used: %.150s", c->error);
    else if (code == CURLE_SSL_CONNECT_ERROR && !is_client_certificate(c->error))
        explain_tls(c, s, ret);
    else if (code == CURLE_URL_MALFORMAT)
        weir_send_later(ret, WEIR_TROUBLE_MISCONFIGURED, "write url as http://HOST:PORT",
                        "url is malformed: %.150s", c->error);
    else if (code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_WEIRD_SERVER_REPLY)
        weir_send_later(ret, WEIR_TROUBLE_MISCONFIGURED, "is the port right?",
                        "what listens at %.80s does not speak HTTP", s->name);
    else
        explain_closed(c, s, ret);
}

void weir_http_explain(const weir_http_case *c, weir_send_answer *ret)
{
    const server s = server_of(c->url);
    switch (c->end) {
    case WEIR_HTTP_END_DONE:
        explain_code(c, &s, ret);
        return;
    case WEIR_HTTP_END_DEADLINE:
        explain_silence(c, &s, ret);
        return;
    case WEIR_HTTP_END_ENDING:
        weir_send_later(ret, WEIR_TROUBLE_OFFLINE, "", "given up because weir ends");
        return;
    case WEIR_HTTP_END_BROKEN:
        weir_send_later(ret, WEIR_TROUBLE_OFFLINE, "", "out of memory for a request to %.80s",
                        s.name);
        return;
    }
}
