/* SPDX-License-Identifier: MIT */
/* Rows of typed values as a table for people, CSV for tools, JSON for programs. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/error.h"
#include "model/option.h"
#include "model/value.h"

typedef enum weir_format {
    WEIR_FORMAT_AUTO, /* table on a terminal, csv otherwise */
    WEIR_FORMAT_TABLE,
    WEIR_FORMAT_CSV,
    WEIR_FORMAT_JSON,
} weir_format;

extern const char *const weir_format_words[];

/* The row of an option table whose struct has a field `int format`. */
#define WEIR_FORMAT_OPTION(options)                                                      \
    {                                                                                    \
        .name = "format", .type = WEIR_OPTION_ENUM, .offset = offsetof(options, format), \
        .fallback = "auto", .words = weir_format_words, .metavar = "FORMAT",             \
        .text = "How rows are written. auto is table on a terminal, csv otherwise."      \
    }

/* Whether colour and redrawing are welcome: a terminal, not TERM=dumb, NO_COLOR unset or empty. */
bool weir_terminal_colour(FILE *file);

/* Columns of the terminal; 80 when unknown. */
size_t weir_terminal_width(FILE *file);
size_t weir_terminal_height(FILE *file); /* lines; 24 when unknown */

/* What AUTO means for this file. */
weir_format weir_format_of(FILE *file);

typedef struct weir_output weir_output;

/*
 * Starts writing to file (borrowed). columns: n names, copied; at least one.
 *
 * table   columns as wide as the first WEIR_OUTPUT_ROWS_HELD rows need; later rows stream with
 *         those widths. Control characters are shown escaped, so that a device's text cannot
 *         steer the terminal.
 * csv     RFC 4180 quoting, a header line; lines end in LF. null is empty, bytes are hex.
 * json    one array of objects, one per line; numbers and null typed, bytes hex text.
 *
 * NULL: out of memory.
 */
weir_output *weir_output_new(FILE *file, weir_format format, const char *const *columns,
                             size_t n) WEIR_MUST_CHECK;

enum { WEIR_OUTPUT_ROWS_HELD = 500 };

/* The format in effect: never AUTO. */
weir_format weir_output_format(const weir_output *output);

/* One row: as many values as columns, borrowed. False: memory is short or nobody reads any more
 * (the pipe is closed); stop then. */
bool weir_output_row(weir_output *output, const weir_value *values);

/* Writes rows still held, and flushes: for a row now and then. */
void weir_output_flush(weir_output *output);

/* Ends the table or array and releases output. Accepts NULL. */
void weir_output_end(weir_output *output);

WEIR_DEFINE_CLEANUP(weir_output, weir_output_end)
