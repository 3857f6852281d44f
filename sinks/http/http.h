/* SPDX-License-Identifier: MIT */
/* A small HTTP client for sinks: one request at a time, on one connection that is kept. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/text.h"
#include "model/sink.h"

typedef struct weir_http weir_http;

/* Texts borrowed for the client's life. */
typedef struct weir_http_options {
    const char *ca_file; /* NULL: the authorities the system trusts; like the two below */
    const char *cert_file, *key_file;
    const char *user_agent;
    bool uses_proxy; /* the one that http_proxy, https_proxy and no_proxy name; else none */
    const weir_sink_host *host;
} weir_http_options;

/* Borrowed during the request. */
typedef struct weir_http_request {
    const char *url;            /* http or https; no user, no password in it */
    const char *const *headers; /* "Name: value", NULL-terminated; NULL: none */
    const char *username;       /* NULL: none; sent in a header (basic) */
    const char *password;
    bool is_post;
    const void *body;
    size_t n;
} weir_http_request;

enum { WEIR_HTTP_BODY_MAX = 1024 * 1024 }; /* what follows is not read */

typedef struct weir_http_reply {
    int status;
    int64_t retry_after_us; /* Retry-After, seconds or a date; 0: none */
    weir_text body;         /* at most WEIR_HTTP_BODY_MAX */
    weir_text headers;      /* as they came, without the status line */
    char peer[96];          /* "10.0.0.9:8086" */
} weir_http_reply;

#define WEIR_HTTP_REPLY_INIT                                           \
    {                                                                  \
        .body = WEIR_TEXT_INIT, .headers = WEIR_TEXT_INIT, .status = 0 \
    }

void weir_http_reply_deinit(weir_http_reply *reply);

/* Memory only. NULL when that is short. Not for two threads at once. */
weir_http *weir_http_new(const weir_http_options *options) WEIR_MUST_CHECK;
void weir_http_free(weir_http *http); /* accepts NULL */

/*
 * Sends the request and reads the whole reply, whatever its status; a redirect is a reply too, it
 * is not followed. Ends by the deadline and within 200 ms when the sink is ending. ret is cleared
 * first. False: there is no reply, and failure (LATER) says what is in the way: name, port,
 * certificate, silence. No header of the request, user or password is in any text.
 */
bool weir_http_do(weir_http *http, const weir_http_request *request, weir_mono deadline,
                  weir_http_reply *ret, weir_send_answer *failure) WEIR_MUST_CHECK;

/* Value of a header of the reply, of the last one with that name; false: there is none. */
bool weir_http_header(const weir_http_reply *reply, const char *name, char *ret, size_t size);

/* Adds text with all that is not unreserved in a URL as %XX. */
void weir_http_add_escaped(weir_text *t, const char *text);
