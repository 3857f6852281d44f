/* SPDX-License-Identifier: MIT */
/* Rows as lines of the line protocol, in the layouts that the sink influxdb knows. */

#pragma once
#include "sinks/influxdb/options.h"
#include "model/sink.h"

typedef struct weir_influxdb_lines weir_influxdb_lines;

/* Memory only; options are borrowed and were checked. hostname: the tag `host` of layout telegraf.
 */
weir_influxdb_lines *weir_influxdb_lines_new(const weir_influxdb_options *options,
                                             const char *hostname) WEIR_MUST_CHECK;
void weir_influxdb_lines_free(weir_influxdb_lines *lines); /* accepts NULL */

/* Forgets the lines, keeps what it knows of tags. */
void weir_influxdb_lines_clear(weir_influxdb_lines *lines);

typedef enum weir_influxdb_added {
    WEIR_INFLUXDB_ADDED,
    WEIR_INFLUXDB_LEFT_OUT, /* the layout has nothing for such a sample */
    WEIR_INFLUXDB_TOO_LONG, /* no server takes a series with such a name */
    WEIR_INFLUXDB_NO_MEMORY,
} weir_influxdb_added;

/* Adds the line of row number `row` of a batch. */
weir_influxdb_added weir_influxdb_lines_add(weir_influxdb_lines *lines, const weir_sink_row *row,
                                            size_t index);

/* What was added: n_lines lines, line i from offsets[i] to offsets[i + 1], of row rows[i]. */
typedef struct weir_influxdb_text {
    const char *text;
    size_t n_lines;
    const size_t *offsets; /* [n_lines + 1] */
    const size_t *rows;
} weir_influxdb_text;
weir_influxdb_text weir_influxdb_lines_text(const weir_influxdb_lines *lines);

/* Whether two samples of one tag had different times, but not in the unit of the times sent: the
 * second replaced the first. */
bool weir_influxdb_lines_collided(const weir_influxdb_lines *lines);
