/* SPDX-License-Identifier: MIT */
/* A sample as a line: columns, quotes, numbers. RFC 4180. */

#pragma once
#include "base/zone.h"
#include "model/sink.h"
#include "sinks/csv/csv.h"

typedef struct weir_csv_column {
    int field;       /* of line.c's table */
    const char *key; /* of a label */
} weir_csv_column;

typedef struct weir_csv_format {
    size_t n_columns;
    weir_csv_column *columns;
    char delimiter;
    const char *line_end;
    const weir_zone *zone;
    weir_zone_span span; /* of the zone, that of the last time written */
    weir_wall time;      /* the last one: most of a send's lines share theirs */
    char time_text[40];  /* "": none yet */
} weir_csv_format;

/* columns, delimiter and line_end of the options; zone is borrowed. WEIR_EINVAL: no such column
 * (the error names the nearest) or delimiter; WEIR_ENOMEM. */
weir_err weir_csv_format_init(weir_csv_format *format, const weir_csv_options *options,
                              const weir_zone *zone, weir_error *error) WEIR_MUST_CHECK;
void weir_csv_format_deinit(weir_csv_format *format);

void weir_csv_add_header(const weir_csv_format *format, weir_text *t);
void weir_csv_add_row(weir_csv_format *format, const weir_sink_row *row, weir_text *t);
