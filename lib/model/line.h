/* SPDX-License-Identifier: MIT */
/* Samples as lines of the line protocol that InfluxDB and VictoriaMetrics take. */

#pragma once
#include "base/text.h"
#include "model/sample.h"

/* What stays the same from sample to sample of one tag; texts borrowed. */
typedef struct weir_line_tag {
    const char *measurement;
    const char *name;   /* the tag's */
    const char *device; /* "": left out, like unit */
    const char *unit;
} weir_line_tag;

/*
 * Adds "MEASUREMENT,device=D,tag=T,unit=U FIELDS NANOSECONDS\n".
 *
 * One field name for each kind of value, because a field has one type for ever: `value` for f32,
 * f64 and decimal, `integer` for i64 and u64, `boolean`, `text` for strings, for bytes (hex), and
 * for a u64 above 2^63-1, which older servers cannot hold. A sample that is not plain good also
 * has `quality` and `cause`; a bad one has only these. NaN and infinities cannot be written: such a
 * sample has only quality and cause as well. An epoch above 0 becomes the tag `epoch`, so that
 * nothing is overwritten. Line breaks in names and texts are kept in texts and become blanks in
 * names, as the protocol has no way to write them there.
 */
void weir_line_add(weir_text *t, const weir_line_tag *tag, const weir_sample *sample,
                   uint32_t epoch);

/*
 * The same in parts, for who writes many lines of one tag: a name and its tags stay as they are,
 * and the fields differ.
 */
void weir_line_add_name(weir_text *t, const char *measurement);
void weir_line_add_tag(weir_text *t, const char *key, const char *value); /* "": nothing */
void weir_line_add_key(weir_text *t, const char *key);                    /* of a field */
/* Without the blank before them. */
void weir_line_add_fields(weir_text *t, const weir_sample *sample);
/* With the blank before it: in units of that many nanoseconds, rounded down. */
void weir_line_add_time(weir_text *t, weir_wall ts, int64_t unit_ns);
/* A value as a string field has it, in quotes. */
void weir_line_add_string(weir_text *t, const char *text, size_t n);

/* Adds a JSON object and a newline: time, tag, value, unit, quality, cause, epoch; unit, cause and
 * epoch only where there is one. Integers above 2^63-1, NaN, infinities and bytes are text. The
 * measurement and the device are not in it. */
void weir_line_add_json(weir_text *t, const weir_line_tag *tag, const weir_sample *sample,
                        uint32_t epoch);
