/* SPDX-License-Identifier: MIT */
/* Which table a row is of, and whether it can be believed. */

#include "store/repair/salvage_tables.h"

#include <string.h>

#include "base/crc.h"
#include "base/text.h"
#include "blocks/block.h"
#include "blocks/segment.h"
#include "model/sample.h"
#include "store/file/row.h"
#include "store/file/schema.h"
#include "store/repair/salvage_priv.h"

static bool text_good(const weir_field *f)
{
    return f->n == 0 || weir_utf8_valid((const char *)f->bytes, f->n);
}

static bool texts_good(const weir_cell *cell)
{
    bool good = true;
    for (unsigned i = 0; i < cell->n_fields; i++)
        good &= cell->fields[i].kind != WEIR_FIELD_TEXT || text_good(&cell->fields[i]);
    return good;
}

static bool seq_good(int64_t seq)
{
    return seq > 0 && seq < SALVAGE_SEQ_MAX;
}

static weir_verdict check_texts(weir_cell *cell)
{
    return texts_good(cell) && !cell->out_of_order ? WEIR_VERDICT_KEEP : WEIR_VERDICT_DROP;
}

/* "plan Night shift", of which one with a slash cannot be told from the name of a tag. */
static bool is_plan(const weir_field *key, const weir_field *value)
{
    enum { NAME_MAX_BYTES = 255 };
    static const char start[] = "plan ";
    const size_t n = sizeof start - 1;
    if (key->n <= n || key->n > n + NAME_MAX_BYTES || memcmp(key->bytes, start, n) != 0 ||
        !text_good(key) || value->kind != WEIR_FIELD_INTEGER || value->integer < 1 ||
        value->integer > 63)
        return false;
    for (size_t i = n; i < key->n; i++)
        if (key->bytes[i] < 0x20 || key->bytes[i] == '/')
            return false;
    return true;
}

/* A key of ours: "merged_seq". Names of tags, in their index, have a slash. */
static weir_verdict check_meta(weir_cell *cell)
{
    const weir_field *key = &cell->fields[0], *value = &cell->fields[1];
    if (is_plan(key, value))
        return WEIR_VERDICT_KEEP;
    if (key->n == 0 || key->n > 64 || !texts_good(cell))
        return WEIR_VERDICT_DROP;
    for (uint32_t i = 0; i < key->n; i++)
        if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789_:.-", key->bytes[i]))
            return WEIR_VERDICT_DROP;
    const char *name = (const char *)key->bytes;
    const bool seq = key->n > 4 && memcmp(name + key->n - 4, "_seq", 4) == 0;
    if (seq && (value->kind != WEIR_FIELD_INTEGER || value->integer < 0 ||
                value->integer >= SALVAGE_SEQ_MAX))
        return WEIR_VERDICT_DROP;
    if (key->n == 4 && memcmp(name, "uuid", 4) == 0)
        return value->kind == WEIR_FIELD_TEXT && value->n == 36 ? WEIR_VERDICT_KEEP
                                                                : WEIR_VERDICT_DROP;
    return WEIR_VERDICT_KEEP;
}

static weir_verdict check_tag(weir_cell *cell)
{
    if (cell->rowid <= 0 || cell->rowid >= UINT32_MAX || cell->fields[1].n == 0)
        return WEIR_VERDICT_DROP;
    return check_texts(cell);
}

static weir_verdict check_tag_version(weir_cell *cell)
{
    const int64_t uid = cell->fields[0].integer, seq = cell->fields[1].integer;
    if (uid <= 0 || uid >= UINT32_MAX || seq < 0 || seq >= SALVAGE_SEQ_MAX)
        return WEIR_VERDICT_DROP;
    return check_texts(cell);
}

static weir_verdict check_tag_key(weir_cell *cell)
{
    const int64_t element = cell->fields[2].integer, uid = cell->fields[3].integer;
    const bool good = element >= 0 && element <= UINT16_MAX && uid > 0 && uid < UINT32_MAX &&
                      cell->fields[1].n > 0;
    return good ? check_texts(cell) : WEIR_VERDICT_DROP;
}

static weir_verdict check_cursor(weir_cell *cell)
{
    const int64_t seq = cell->fields[1].integer;
    return seq >= 0 && seq < SALVAGE_SEQ_MAX ? check_texts(cell) : WEIR_VERDICT_DROP;
}

static weir_verdict check_set_aside(weir_cell *cell)
{
    const weir_field *f = cell->fields;
    const bool good = seq_good(f[1].integer) && f[2].integer > 0 && f[2].integer < UINT32_MAX &&
                      f[8].integer >= 0 && f[8].integer < WEIR_KIND_COUNT;
    return good ? check_texts(cell) : WEIR_VERDICT_DROP;
}

static weir_verdict check_event(weir_cell *cell)
{
    const int64_t kind = cell->fields[2].integer;
    if (!seq_good(cell->rowid) || kind < WEIR_EVENT_GAP || kind > 255)
        return WEIR_VERDICT_DROP;
    return check_texts(cell);
}

/* Of the others the source is still there: parts that live, or the log. */
static weir_verdict check_part(weir_cell *cell)
{
    const weir_field *f = cell->fields;
    const bool good = cell->rowid > 0 && cell->rowid < 1 << 23 && f[1].integer >= 0 &&
                      f[1].integer < 2 * PART_STAYS && f[2].integer >= 0 &&
                      f[2].integer <= UINT32_MAX && f[3].integer == PART_LIVE &&
                      f[4].integer <= f[5].integer && f[6].integer >= 0 &&
                      f[6].integer <= f[7].integer && f[7].integer < SALVAGE_SEQ_MAX;
    return good && !cell->out_of_order ? WEIR_VERDICT_KEEP : WEIR_VERDICT_DROP;
}

static weir_verdict check_segment(weir_cell *cell)
{
    weir_segment_head head;
    const weir_field *h = &cell->fields[1], *marks = &cell->fields[2], *body = &cell->fields[3];
    if (cell->rowid >> 40 <= 0 || cell->out_of_order ||
        weir_segment_head_parse(h->bytes, h->n, &head, NULL) != WEIR_OK)
        return WEIR_VERDICT_DROP;
    return marks->n == head.marks_size && body->n == head.body_size &&
                   weir_crc32c(0, marks->bytes, marks->n) == head.marks_crc &&
                   weir_crc32c(0, body->bytes, body->n) == head.body_crc
               ? WEIR_VERDICT_KEEP
               : WEIR_VERDICT_DROP;
}

/* --- blocks ------------------------------------------------------------------------------- */

/* Where a row with a block has what; the numbers are in the order of the log's. */
struct block_columns {
    unsigned first_number; /* count, min_ts, max_ts, newest_ts, trusted_ts, epoch, epoch_ts */
    unsigned head, body;
};

/* How many numbers the block's rows take, and what the columns beside it repeat. */
static bool block_check(weir_cell *cell, struct block_columns at, int64_t *ret_span)
{
    weir_block_head head;
    WEIR_CLEANUP(weir_block_free) weir_block *block = NULL;
    const weir_field *h = &cell->fields[at.head];
    weir_field *body = &cell->fields[at.body], *numbers = &cell->fields[at.first_number];
    if (weir_block_head_parse(h->bytes, h->n, &head, NULL) != WEIR_OK || body->n < head.body_size ||
        weir_crc32c(0, body->bytes, head.body_size) != head.body_crc ||
        weir_block_decode(&head, body->bytes, head.body_size, &block, NULL) != WEIR_OK)
        return false;
    body->n = head.body_size; /* zeros behind it */
    *ret_span = (int64_t)weir_row_span(&head, block);
    numbers[0].integer = head.count;
    numbers[1].integer = head.min_ts.us;
    numbers[2].integer = head.max_ts.us;
    if (numbers[3].integer < head.max_ts.us)
        numbers[3].integer = head.max_ts.us;
    return true;
}

static weir_verdict check_log(weir_cell *cell)
{
    int64_t span;
    weir_field *last = &cell->fields[11];
    if (!block_check(cell, (struct block_columns){1, 9, 10}, &span))
        return WEIR_VERDICT_DROP;
    cell->n_fields = 12;
    last->kind = WEIR_FIELD_INTEGER;
    last->integer = cell->rowid + span - 1;
    return seq_good(cell->rowid) && seq_good(last->integer) && !cell->out_of_order
               ? WEIR_VERDICT_KEEP
               : WEIR_VERDICT_HOMELESS;
}

static weir_verdict check_fresh(weir_cell *cell)
{
    int64_t span;
    if (!block_check(cell, (struct block_columns){2, 10, 11}, &span))
        return WEIR_VERDICT_DROP;
    return seq_good(cell->fields[1].integer) && seq_good(cell->fields[1].integer + span)
               ? WEIR_VERDICT_KEEP
               : WEIR_VERDICT_HOMELESS;
}

static weir_verdict check_snapshot(weir_cell *cell)
{
    weir_block_head head;
    const weir_field *h = &cell->fields[3], *body = &cell->fields[4];
    return cell->rowid > 0 && weir_block_head_parse(h->bytes, h->n, &head, NULL) == WEIR_OK &&
                   body->n == head.body_size &&
                   weir_crc32c(0, body->bytes, body->n) == head.body_crc
               ? WEIR_VERDICT_KEEP
               : WEIR_VERDICT_DROP;
}

const weir_salvage_table weir_salvage_tables[SALVAGE_TABLES] = {
    [SALVAGE_LOG] = {"log", "kiiiiiiiibbI", 11, true, check_log},
    [SALVAGE_FRESH] = {"fresh", "kiiiiiiiibbb", 12, true, check_fresh},
    [SALVAGE_TAG_INDEX] = {"tag", "ti", 2, false, check_texts},
    [SALVAGE_EVENT] = {"event", "kiitt", 5, false, check_event},
    [SALVAGE_TAG] = {"tag", "ktii", 3, false, check_tag},
    [SALVAGE_SEGMENT] = {"segment", "kbbb", 4, true, check_segment},
    {"meta", "t*", 2, false, check_meta},
    {"part", "kiiiiiiiiii", 11, false, check_part},
    {"tag_version", "iittttrrttti", 11, false, check_tag_version},
    {"tag_key", "ttii", 4, false, check_tag_key},
    {"device", "tttiItiiiRRi", 12, false, check_texts},
    {"cursor", "tiiIBi", 4, false, check_cursor},
    {"replacement", "iirr", 4, false, check_texts},
    {"epoch", "kii", 3, false, check_texts},
    {"gap", "kitIiiit", 8, false, check_texts},
    {"snapshot", "kiibb", 5, false, check_snapshot},
    {"quarantine", "kitiItBBB", 9, false, check_texts},
    {"sink", "tttittIIiiiiRR", 14, false, check_texts},
    {"sink_order", "tiiiiiii", 8, false, check_texts},
    {"set_aside", "tiiiiiiiiiiBti", 14, false, check_set_aside},
    {"set_aside_retry", "tii", 3, false, check_cursor},
};

static bool field_fits(const weir_field *f, char c)
{
    switch (c) {
    case 'k':
        return f->kind == WEIR_FIELD_NULL;
    case 'i':
        return f->kind == WEIR_FIELD_INTEGER;
    case 'r':
        return f->kind == WEIR_FIELD_INTEGER || f->kind == WEIR_FIELD_REAL;
    case 't':
        return f->kind == WEIR_FIELD_TEXT;
    case 'b':
        return f->kind == WEIR_FIELD_BLOB;
    case 'I':
    case 'R':
    case 'B':
        return f->kind == WEIR_FIELD_NULL || field_fits(f, (char)(c - 'A' + 'a'));
    default:
        return true;
    }
}

bool weir_salvage_table_fits(const weir_salvage_table *t, const weir_cell *cell)
{
    const size_t columns = strlen(t->columns);
    bool fits = (t->columns[0] == 'k') == cell->has_rowid && cell->n_fields >= t->least &&
                cell->n_fields <= columns;
    for (unsigned i = 0; fits && i < cell->n_fields; i++)
        fits = field_fits(&cell->fields[i], t->columns[i]);
    return fits;
}

bool weir_salvage_is_tag_index(const weir_cell *cell)
{
    const char *name = cell->fields[0].bytes ? (const char *)cell->fields[0].bytes : "";
    return memchr(name, '/', cell->fields[0].n) != NULL;
}
