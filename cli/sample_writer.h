/* SPDX-License-Identifier: MIT */
/* Samples as text for other programs: CSV, JSON lines, line protocol. */

#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"
#include "base/text.h"
#include "cli/output.h"
#include "model/line.h"
#include "model/sample.h"

typedef enum weir_sample_format {
    WEIR_SAMPLES_CSV,   /* a header, then RFC 4180 */
    WEIR_SAMPLES_JSONL, /* an object a line */
    WEIR_SAMPLES_LINE,  /* the line protocol of InfluxDB */
} weir_sample_format;

typedef struct weir_sample_writer {
    FILE *file;
    weir_sample_format format;
    weir_output *csv; /* NULL: another format */
    weir_text line;
} weir_sample_writer;

/* Borrows the file. Release with weir_sample_writer_deinit, also on failure. WEIR_ENOMEM. */
weir_err weir_sample_writer_init(weir_sample_writer *w, FILE *file, weir_sample_format format,
                                 weir_error *error) WEIR_MUST_CHECK;
void weir_sample_writer_deinit(weir_sample_writer *w);

/* One sample of the tag. The measurement and the device matter to the line protocol only. False: it
 * could not be written; errno says why. */
bool weir_sample_writer_put(weir_sample_writer *w, const weir_line_tag *tag,
                            const weir_sample *sample, uint32_t epoch);
