/* SPDX-License-Identifier: MIT */
/* The sink that writes comma-separated values: complete lines, each sample once. */

#pragma once
#include "model/sink.h"

extern const weir_sink_type weir_sink_csv;

/* The words of `line_end`. */
typedef enum weir_csv_end { WEIR_CSV_LF, WEIR_CSV_CRLF } weir_csv_end;

typedef struct weir_csv_options {
    const char *path;
    const char *time_zone;
    uint64_t rotate_size;       /* bytes; 0: never */
    int64_t rotate_interval_us; /* 0: never */
    int64_t keep_files;         /* finished ones; 0: all */
    weir_option_strings columns;
    bool header;
    const char *delimiter;
    int line_end; /* weir_csv_end */
} weir_csv_options;
