/* SPDX-License-Identifier: MIT */
/* A request that got no reply: what http.c knows of it, and failure.c makes words of. */

#pragma once
#include <curl/curl.h>

#include "sinks/http/http.h"

typedef enum weir_http_end {
    WEIR_HTTP_END_DONE,     /* libcurl says how: code */
    WEIR_HTTP_END_DEADLINE, /* given up */
    WEIR_HTTP_END_ENDING,   /* the sink shall end */
    WEIR_HTTP_END_BROKEN,   /* no memory, or a libcurl that lacks something */
} weir_http_end;

typedef struct weir_http_case {
    CURL *easy; /* of the request: its times and errors */
    const weir_http_options *options;
    const char *url;
    const char *error; /* libcurl's words; may be "" */
    CURLcode code;
    weir_http_end end;
    weir_mono deadline;
} weir_http_case;

/* LATER, with trouble, cause and what to do. May connect once more, to see a certificate that was
 * refused, and sends nothing there. */
void weir_http_explain(const weir_http_case *c, weir_send_answer *ret);

/* Lets the one transfer of multi run; ret_code is set when it is done. */
weir_http_end weir_http_wait(CURLM *multi, const weir_sink_host *host, weir_mono deadline,
                             CURLcode *ret_code);
