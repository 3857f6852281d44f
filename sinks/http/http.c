/* SPDX-License-Identifier: MIT */
/* A small HTTP client for sinks: one request at a time, on one connection that is kept. */

/*
 * A request is one libcurl easy handle in a multi handle of its own: not curl_easy_perform, because
 * that waits up to a second between two looks at whether the sink shall end. The multi handle keeps
 * the connection. A connection that the other side closed meanwhile is noticed by libcurl, which
 * opens another and sends again.
 *
 * What goes wrong becomes an answer (failure.c): the name, the port, TLS, silence. Certificates are
 * always verified; there is no switch for it.
 */

#include "sinks/http/http.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>

#include "base/alloc.h"
#include "sinks/http/http_priv.h"

enum {
    LOOK_MS = 100, /* is_ending must be seen within 200 ms */
    HEADERS_MAX = 32 * 1024,
    UPLOAD_BUFFER = 512 * 1024, /* a batch in few calls of send() */
    KEEPALIVE_S = 30,           /* NAT gateways forget a connection after minutes */
};

struct weir_http {
    weir_http_options options;
    CURLM *multi;
    CURL *easy;
    char error[CURL_ERROR_SIZE];
};

static void library_start(void)
{
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
}

weir_http *weir_http_new(const weir_http_options *options)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, library_start);
    weir_http *http = weir_alloc_zero(1, sizeof *http);
    if (!http)
        return NULL;
    http->options = *options;
    http->multi = curl_multi_init();
    http->easy = curl_easy_init();
    if (http->multi && http->easy)
        return http;
    weir_http_free(http);
    return NULL;
}

void weir_http_free(weir_http *http)
{
    if (!http)
        return;
    curl_easy_cleanup(http->easy);
    (void)curl_multi_cleanup(http->multi);
    weir_free(http);
}

void weir_http_reply_deinit(weir_http_reply *reply)
{
    weir_text_deinit(&reply->body);
    weir_text_deinit(&reply->headers);
}

/* --- what comes back ---------------------------------------------------------------------- */

static size_t body_take(char *bytes, size_t size, size_t n, void *data)
{
    weir_http_reply *reply = data;
    const size_t room = WEIR_HTTP_BODY_MAX - reply->body.length;
    weir_text_add_n(&reply->body, bytes, n < room ? n : room);
    (void)size;               /* always 1 */
    return n <= room ? n : 0; /* 0 ends the transfer: see reply_is_cut */
}

static size_t header_take(char *bytes, size_t size, size_t n, void *data)
{
    weir_http_reply *reply = data;
    (void)size;
    if (n >= 5 && memcmp(bytes, "HTTP/", 5) == 0)
        weir_text_clear(&reply->headers); /* a later reply: what came before was only 1xx */
    else if (reply->headers.length + n <= HEADERS_MAX)
        weir_text_add_n(&reply->headers, bytes, n);
    return n;
}

bool weir_http_header(const weir_http_reply *reply, const char *name, char *ret, size_t size)
{
    const size_t length = strlen(name);
    bool has_it = false;
    for (const char *line = weir_text_get(&reply->headers); *line;) {
        const size_t n = strcspn(line, "\r\n");
        if (n > length && strncasecmp(line, name, length) == 0 && line[length] == ':') {
            const size_t blanks = strspn(line + length + 1, " \t");
            (void)snprintf(ret, size, "%.*s", (int)(n - length - 1 - (blanks < n ? blanks : 0)),
                           line + length + 1 + blanks);
            has_it = true;
        }
        line += n;
        line += strspn(line, "\r\n");
    }
    return has_it;
}

/* --- what goes out ------------------------------------------------------------------------ */

/* An option that libcurl was built without is a build that cannot be used: noticed in the result.
 */
#define SET(option, value) (ok = curl_easy_setopt(easy, option, value) == CURLE_OK && ok)

static bool security_set(weir_http *http)
{
    CURL *easy = http->easy;
    bool ok = true;
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_FOLLOWLOCATION, 0L); /* the password would go where somebody else says */
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (http->options.ca_file) {
        SET(CURLOPT_CAINFO, http->options.ca_file);
        SET(CURLOPT_CAPATH, NULL); /* that authority and no other */
    }
    if (http->options.cert_file)
        SET(CURLOPT_SSLCERT, http->options.cert_file);
    if (http->options.key_file)
        SET(CURLOPT_SSLKEY, http->options.key_file);
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    if (!http->options.uses_proxy)
        SET(CURLOPT_PROXY, ""); /* else libcurl looks into the environment */
    return ok;
}

static bool transport_set(weir_http *http)
{
    CURL *easy = http->easy;
    bool ok = true;
    SET(CURLOPT_ERRORBUFFER, http->error);
    SET(CURLOPT_NOSIGNAL, 1L);   /* other threads run */
    SET(CURLOPT_QUICK_EXIT, 1L); /* a resolver that hangs is left behind, not waited for */
    SET(CURLOPT_TCP_NODELAY, 1L);
    SET(CURLOPT_TCP_KEEPALIVE, 1L);
    SET(CURLOPT_TCP_KEEPIDLE, (long)KEEPALIVE_S);
    SET(CURLOPT_TCP_KEEPINTVL, (long)KEEPALIVE_S);
    SET(CURLOPT_MAXCONNECTS, 1L);
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_UPLOAD_BUFFERSIZE, (long)UPLOAD_BUFFER);
    SET(CURLOPT_USERAGENT, http->options.user_agent);
    return ok && security_set(http);
}

static bool request_set(weir_http *http, const weir_http_request *request, weir_http_reply *reply,
                        struct curl_slist *headers)
{
    CURL *easy = http->easy;
    bool ok = transport_set(http);
    SET(CURLOPT_URL, request->url);
    SET(CURLOPT_HTTPHEADER, headers);
    if (request->is_post) {
        SET(CURLOPT_POST, 1L);
        SET(CURLOPT_POSTFIELDS, request->n ? request->body : "");
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->n);
    }
    if (request->username) {
        SET(CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
        SET(CURLOPT_USERNAME, request->username);
        SET(CURLOPT_PASSWORD, request->password ? request->password : "");
    }
    SET(CURLOPT_WRITEFUNCTION, body_take);
    SET(CURLOPT_WRITEDATA, reply);
    SET(CURLOPT_HEADERFUNCTION, header_take);
    SET(CURLOPT_HEADERDATA, reply);
    return ok;
}

/* NULL: no memory. */
static struct curl_slist *headers_make(const weir_http_request *request)
{
    /* libcurl asks before it sends more than 1 MB, and waits a second where nobody answers that. */
    struct curl_slist *all = curl_slist_append(NULL, "Expect:");
    for (size_t i = 0; all && request->headers && request->headers[i]; i++) {
        struct curl_slist *more = curl_slist_append(all, request->headers[i]);
        if (!more)
            curl_slist_free_all(all);
        all = more;
    }
    return all;
}

/* --- one transfer ------------------------------------------------------------------------- */

weir_http_end weir_http_wait(CURLM *multi, const weir_sink_host *host, weir_mono deadline,
                             CURLcode *ret_code)
{
    for (int running = 1;;) {
        int n_messages = 0;
        if (curl_multi_perform(multi, &running) != CURLM_OK)
            return WEIR_HTTP_END_BROKEN;
        const CURLMsg *message = curl_multi_info_read(multi, &n_messages);
        if (message && message->msg == CURLMSG_DONE) {
            *ret_code = message->data.result;
            return WEIR_HTTP_END_DONE;
        }
        const int64_t left = deadline.us - host->now(host->data).us;
        if (left <= 0)
            return WEIR_HTTP_END_DEADLINE;
        if (host->is_ending(host->data))
            return WEIR_HTTP_END_ENDING;
        const int wait_ms = left / 1000 + 1 < LOOK_MS ? (int)(left / 1000) + 1 : LOOK_MS;
        if (curl_multi_poll(multi, NULL, 0, wait_ms, NULL) != CURLM_OK)
            return WEIR_HTTP_END_BROKEN;
    }
}

/* The body was longer than what is read: what there is of it is enough. */
static bool reply_is_cut(const weir_http_reply *reply, CURLcode code)
{
    return code == CURLE_WRITE_ERROR && reply->body.length == WEIR_HTTP_BODY_MAX;
}

static void reply_note(CURL *easy, weir_http_reply *reply)
{
    long status = 0, port = 0;
    const char *address = NULL;
    curl_off_t retry_after = 0;
    (void)curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    (void)curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &retry_after);
    (void)curl_easy_getinfo(easy, CURLINFO_PRIMARY_IP, &address);
    (void)curl_easy_getinfo(easy, CURLINFO_PRIMARY_PORT, &port);
    reply->status = (int)status;
    /* A date that has passed is below 0; no wish is longer than a day. */
    if (retry_after > 0)
        reply->retry_after_us = (retry_after < 86400 ? retry_after : 86400) * WEIR_S;
    (void)snprintf(reply->peer, sizeof reply->peer,
                   address && strchr(address, ':') ? "[%s]:%ld" : "%s:%ld", address ? address : "",
                   port);
}

bool weir_http_do(weir_http *http, const weir_http_request *request, weir_mono deadline,
                  weir_http_reply *ret, weir_send_answer *failure)
{
    CURLcode code = CURLE_FAILED_INIT;
    weir_http_end end = WEIR_HTTP_END_BROKEN;
    struct curl_slist *headers = headers_make(request);
    weir_text_clear(&ret->body);
    weir_text_clear(&ret->headers);
    ret->retry_after_us = 0;
    ret->status = 0;
    http->error[0] = '\0';
    curl_easy_reset(http->easy); /* keeps the connection */
    if (headers && request_set(http, request, ret, headers) &&
        curl_multi_add_handle(http->multi, http->easy) == CURLM_OK) {
        end = weir_http_wait(http->multi, http->options.host, deadline, &code);
        reply_note(http->easy, ret);
    }
    const bool has_reply = end == WEIR_HTTP_END_DONE && !ret->body.failed && !ret->headers.failed &&
                           (code == CURLE_OK || reply_is_cut(ret, code));
    if (!has_reply)
        weir_http_explain(&(weir_http_case){.easy = http->easy,
                                            .options = &http->options,
                                            .url = request->url,
                                            .error = http->error,
                                            .code = code,
                                            .deadline = deadline,
                                            .end = end},
                          failure);
    (void)curl_multi_remove_handle(http->multi, http->easy);
    curl_slist_free_all(headers);
    return has_reply;
}
