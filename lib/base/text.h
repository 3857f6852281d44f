/* SPDX-License-Identifier: MIT */
/* A text builder that grows to a stated limit and remembers failure; hex and UTF-8. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/*
 * Always NUL-terminated at text[length] once anything was added (use weir_text_get, which never
 * returns NULL). `failed` is set when memory is short or the limit is passed; later additions do
 * nothing, so check once, at the end. deinit in any case.
 */
typedef struct weir_text {
    char *text;
    size_t length;
    size_t capacity;
    size_t limit; /* 0: none */
    bool failed;
} weir_text;

#define WEIR_TEXT_INIT \
    {                  \
        0              \
    }

void weir_text_deinit(weir_text *t);
void weir_text_clear(weir_text *t); /* keeps the memory */
const char *weir_text_get(const weir_text *t);

void weir_text_add(weir_text *t, const char *text);
void weir_text_add_n(weir_text *t, const char *text, size_t n);
void weir_text_add_char(weir_text *t, char c);
void weir_text_format(weir_text *t, const char *format, ...) WEIR_PRINTF(2, 3);

/* "00 2a ff"; at most max bytes, then " ...". */
void weir_text_add_hex(weir_text *t, const uint8_t *bytes, size_t n, size_t max);

/* Quoted JSON string; invalid UTF-8 becomes U+FFFD. */
void weir_text_add_json(weir_text *t, const char *text, size_t n);

/* Hex digits, blanks between allowed, to bytes. Returns the count, -1 when not hex or too long. */
int weir_hex_parse(const char *hex, uint8_t *ret_bytes, size_t capacity);

/* Whether the n bytes are well-formed UTF-8 (no surrogates, no overlong forms). */
bool weir_utf8_valid(const char *text, size_t n);

/* Length in bytes of the well-formed UTF-8 character at text, 0 if there is none. */
size_t weir_utf8_char(const char *text, size_t n);

/* Shell-like match of * and ? over the whole of text; all else is literal. */
bool weir_glob_match(const char *pattern, const char *text);

/* Number of single-character edits (insert, delete, replace, swap of neighbours) from a to b,
 * ASCII case ignored; for "did you mean". */
size_t weir_text_distance(const char *a, const char *b);

/* Of n candidates the one nearest to text if it is near enough to be meant, else NULL. */
const char *weir_text_nearest(const char *text, const char *const *candidates, size_t n);

static inline void weir_text_deinit_p(weir_text *t)
{
    weir_text_deinit(t);
}
#define WEIR_TEXT_AUTO __attribute__((cleanup(weir_text_deinit_p))) weir_text
