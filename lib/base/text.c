/* SPDX-License-Identifier: MIT */
/* A text builder that grows to a stated limit and remembers failure; hex and UTF-8. */

#include "base/text.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

void weir_text_deinit(weir_text *t)
{
    if (!t)
        return;
    weir_free(t->text);
    *t = (weir_text)WEIR_TEXT_INIT;
}

void weir_text_clear(weir_text *t)
{
    t->length = 0;
    t->failed = false;
    if (t->text)
        t->text[0] = '\0';
}

const char *weir_text_get(const weir_text *t)
{
    return t->text ? t->text : "";
}

/* Makes room for n more bytes and a NUL. */
static bool text_reserve(weir_text *t, size_t n)
{
    if (t->failed)
        return false;
    if (n >= SIZE_MAX / 2 - t->length || (t->limit && t->length + n > t->limit))
        goto fail;
    size_t need = t->length + n + 1;
    if (need > t->capacity) {
        size_t capacity = t->capacity ? t->capacity : 64;
        while (capacity < need)
            capacity *= 2;
        char *text = weir_realloc_array(t->text, capacity, 1);
        if (!text)
            goto fail;
        t->text = text;
        t->capacity = capacity;
    }
    return true;
fail:
    t->failed = true;
    return false;
}

void weir_text_add_n(weir_text *t, const char *text, size_t n)
{
    if (!text_reserve(t, n))
        return;
    if (n)
        memcpy(t->text + t->length, text, n);
    t->length += n;
    t->text[t->length] = '\0';
}

void weir_text_add(weir_text *t, const char *text)
{
    weir_text_add_n(t, text, strlen(text));
}

void weir_text_add_char(weir_text *t, char c)
{
    weir_text_add_n(t, &c, 1);
}

void weir_text_format(weir_text *t, const char *format, ...)
{
    va_list va, again;
    va_start(va, format);
    va_copy(again, va);
    int n = vsnprintf(NULL, 0, format, va);
    va_end(va);
    if (n < 0)
        t->failed = true;
    else if (text_reserve(t, (size_t)n)) {
        (void)vsnprintf(t->text + t->length, (size_t)n + 1, format, again);
        t->length += (size_t)n;
    }
    va_end(again);
}

void weir_text_add_hex(weir_text *t, const uint8_t *bytes, size_t n, size_t max)
{
    for (size_t i = 0; i < n && i < max; i++)
        weir_text_format(t, i ? " %02x" : "%02x", bytes[i]);
    if (n > max)
        weir_text_add(t, " ...");
}

static bool is_continuation(const char *p)
{
    return ((unsigned char)*p & 0xc0) == 0x80;
}

/* Table 3-7 of the Unicode standard: the second byte's range depends on the first. */
size_t weir_utf8_char(const char *text, size_t n)
{
    if (n == 0)
        return 0;
    const unsigned char first = (unsigned char)text[0];
    const unsigned char second = n > 1 ? (unsigned char)text[1] : 0;
    if (first < 0x80)
        return 1;
    if (first >= 0xc2 && first <= 0xdf)
        return n >= 2 && is_continuation(text + 1) ? 2 : 0;
    if (first >= 0xe0 && first <= 0xef) {
        if (n < 3 || !is_continuation(text + 1) || !is_continuation(text + 2))
            return 0;
        if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f))
            return 0;
        return 3;
    }
    if (first >= 0xf0 && first <= 0xf4) {
        if (n < 4 || !is_continuation(text + 1) || !is_continuation(text + 2) ||
            !is_continuation(text + 3))
            return 0;
        if ((first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f))
            return 0;
        return 4;
    }
    return 0;
}

bool weir_utf8_valid(const char *text, size_t n)
{
    while (n) {
        size_t length = weir_utf8_char(text, n);
        if (!length)
            return false;
        text += length;
        n -= length;
    }
    return true;
}

void weir_text_add_json(weir_text *t, const char *text, size_t n)
{
    weir_text_add_char(t, '"');
    while (n) {
        size_t length = weir_utf8_char(text, n);
        const unsigned char c = (unsigned char)text[0];
        if (length == 0) {
            weir_text_add(t, "\xef\xbf\xbd");
            length = 1;
        } else if (c == '"' || c == '\\') {
            weir_text_add_char(t, '\\');
            weir_text_add_char(t, (char)c);
        } else if (c == '\n') {
            weir_text_add(t, "\\n");
        } else if (c == '\r') {
            weir_text_add(t, "\\r");
        } else if (c == '\t') {
            weir_text_add(t, "\\t");
        } else if (c < 0x20 || c == 0x7f) {
            weir_text_format(t, "\\u%04x", c);
        } else {
            weir_text_add_n(t, text, length);
        }
        text += length;
        n -= length;
    }
    weir_text_add_char(t, '"');
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

int weir_hex_parse(const char *hex, uint8_t *ret_bytes, size_t capacity)
{
    size_t n = 0;
    for (; *hex; hex++) {
        if (*hex == ' ' || *hex == '\n' || *hex == '\t')
            continue;
        int high = hex_digit(hex[0]);
        int low = high >= 0 ? hex_digit(hex[1]) : -1;
        if (low < 0 || n == capacity)
            return -1;
        ret_bytes[n++] = (uint8_t)(high << 4 | low);
        hex++;
    }
    return (int)n;
}

bool weir_glob_match(const char *pattern, const char *text)
{
    /* One remembered star suffices: a later star makes an earlier one's choice irrelevant. */
    const char *star = NULL, *resume = NULL;
    while (*text) {
        if (*pattern == '*') {
            star = pattern++;
            resume = text;
        } else if (*pattern == '?' || *pattern == *text) {
            pattern++;
            text++;
        } else if (star) {
            pattern = star + 1;
            text = ++resume;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}

static int lower(char c)
{
    return c >= 'A' && c <= 'Z' ? c + 32 : c;
}

size_t weir_text_distance(const char *a, const char *b)
{
    /* Optimal string alignment distance over three rows; words longer than this are "far". */
    enum { MAX = 64 };
    size_t n = strlen(a), m = strlen(b);
    size_t row[3][MAX + 1];
    if (n > MAX || m > MAX)
        return n > m ? n : m;
    for (size_t j = 0; j <= m; j++)
        row[0][j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t *now = row[i % 3];
        const size_t *before = row[(i + 2) % 3], *before2 = row[(i + 1) % 3];
        now[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t best = before[j - 1] + (lower(a[i - 1]) != lower(b[j - 1]));
            if (before[j] + 1 < best)
                best = before[j] + 1;
            if (now[j - 1] + 1 < best)
                best = now[j - 1] + 1;
            if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
                lower(a[i - 2]) == lower(b[j - 1]) && before2[j - 2] + 1 < best)
                best = before2[j - 2] + 1;
            now[j] = best;
        }
    }
    return row[n % 3][m];
}

const char *weir_text_nearest(const char *text, const char *const *candidates, size_t n)
{
    const char *nearest = NULL;
    /* One edit in three characters, at least two: "intervall", "adress", "unitid". */
    size_t best = strlen(text) / 3 + 1;
    if (best < 2)
        best = 2;
    for (size_t i = 0; i < n; i++) {
        size_t d = weir_text_distance(text, candidates[i]);
        if (d < best || (d == best && !nearest && d < strlen(text))) {
            best = d;
            nearest = candidates[i];
        }
    }
    return nearest;
}
