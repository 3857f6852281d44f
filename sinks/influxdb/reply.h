/* SPDX-License-Identifier: MIT */
/* What a server's answer to a write means. */

#pragma once
#include "model/sink.h"
#include "sinks/influxdb/layout.h"

/* Texts borrowed; "" where there is none. The body is whatever came: judged, never trusted. */
typedef struct weir_influxdb_reply {
    int status;
    int64_t retry_after_us;
    const char *content_type, *location;
    const char *version; /* X-Influxdb-Version */
    const char *body;
    size_t n;
} weir_influxdb_reply;

/*
 * Judges the answer to the write of those lines; rows are all of the batch, of which the lines were
 * made. The texts it looks for are those of InfluxDB 1.6 to 1.8 as received, of 2.x and 3.x as
 * documented; test_reply.c has them.
 */
void weir_influxdb_judge(const weir_influxdb_options *options, const weir_influxdb_reply *reply,
                         const weir_influxdb_text *lines, const weir_sink_row *rows,
                         weir_send_answer *ret);

/* The message of an answer: error or message of a JSON object, else its text, on one line, cut to
 * size. */
void weir_influxdb_message(const weir_influxdb_reply *reply, char *ret, size_t size);

/* Whether the answer says that the database is not there. */
bool weir_influxdb_lacks_database(const weir_influxdb_reply *reply);
