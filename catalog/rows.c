/* SPDX-License-Identifier: MIT */
/* Rows that a query gave, as text. */

#include "catalog/rows.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/number.h"

const char weir_cell_unreadable[] = "";

void weir_rows_deinit(weir_rows *rows)
{
    weir_arena_free(rows->arena);
    weir_free(rows->cells);
    *rows = (weir_rows){0};
}

bool weir_rows_start(weir_rows *rows, size_t n_columns, const char *const *names)
{
    rows->arena = weir_arena_new();
    rows->columns = rows->arena ? weir_arena_alloc(rows->arena, n_columns, sizeof(char *)) : NULL;
    for (size_t i = 0; rows->columns && i < n_columns; i++) {
        rows->columns[i] = weir_arena_text(rows->arena, names[i]);
        if (!rows->columns[i])
            return false;
    }
    rows->n_columns = rows->columns ? n_columns : 0;
    return rows->columns != NULL;
}

const char **weir_rows_add(weir_rows *rows)
{
    const size_t size = (rows->n_columns ? rows->n_columns : 1) * sizeof(char *);
    const char **cells = weir_array_room(rows->cells, rows->n, &rows->capacity, size);
    if (!cells)
        return NULL;
    rows->cells = cells;
    const char **row = cells + rows->n++ * rows->n_columns;
    memset(row, 0, rows->n_columns * sizeof(char *));
    return row;
}

const char *weir_rows_text(weir_rows *rows, const char *text, size_t n)
{
    if ((n && memchr(text, '\0', n)) || !weir_utf8_valid(text, n))
        return weir_cell_unreadable;
    return weir_arena_text_n(rows->arena, n ? text : "", n);
}

/* FNV-1a, 64 bit. */
static uint64_t digest_add(uint64_t digest, const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        digest = (digest ^ (unsigned char)bytes[i]) * 0x100000001b3u;
    return digest;
}

uint64_t weir_rows_digest(const weir_rows *rows, uint64_t before)
{
    uint64_t digest = before ^ 0xcbf29ce484222325u;
    for (size_t i = 0; i < rows->n_columns; i++)
        digest = digest_add(digest, rows->columns[i], strlen(rows->columns[i]) + 1);
    for (size_t i = 0; i < rows->n * rows->n_columns; i++) {
        const char *cell = rows->cells[i];
        const char kind = !cell ? 'n' : cell == weir_cell_unreadable ? 'u' : 't';
        digest = digest_add(digest, &kind, 1);
        if (kind == 't')
            digest = digest_add(digest, cell, strlen(cell) + 1);
    }
    return digest;
}

/* ---- reading them ---- */

int weir_rows_column(const weir_rows *rows, const char *name)
{
    for (size_t i = 0; i < rows->n_columns; i++)
        if (!strcmp(rows->columns[i], name))
            return (int)i;
    return -1;
}

const char *weir_row_text(const weir_row *row, int column)
{
    const char *cell =
        column < 0 ? NULL : row->rows->cells[row->at * row->rows->n_columns + (size_t)column];
    if (cell != weir_cell_unreadable)
        return cell;
    weir_row_problem(row, column, "this is no text: bytes (a BLOB), or not UTF-8");
    return NULL;
}

uint32_t weir_row_place(const weir_row *row, int column, weir_text *ret_text)
{
    uint64_t number = 0;
    char digits[24];
    weir_text_clear(ret_text);
    weir_text_add(ret_text, row->table);
    if (column >= 0)
        weir_text_format(ret_text, ", column %s", row->rows->columns[column]);
    if (!*row->id)
        return 0;
    weir_text_format(ret_text, ", %s", row->word);
    if (weir_parse_u64(row->id, &number) && number > 0 && number <= UINT32_MAX) {
        (void)snprintf(digits, sizeof digits, "%" PRIu64, number);
        if (strcmp(digits, row->id) == 0) /* "007" is another row than "7" */
            return (uint32_t)number;
    }
    weir_text_format(ret_text, " %.80s", row->id);
    return 0;
}

void weir_row_problem(const weir_row *row, int column, const char *format, ...)
{
    char text[1024];
    va_list va;
    WEIR_TEXT_AUTO place = WEIR_TEXT_INIT;
    const uint32_t number = weir_row_place(row, column, &place);
    va_start(va, format);
    (void)vsnprintf(text, sizeof text, format, va);
    va_end(va);
    weir_problems_add(row->problems, WEIR_ECONFIG, (weir_where){weir_text_get(&place), number, 0},
                      "%s", text);
}

bool weir_row_int(const weir_row *row, int column, int64_t min, int64_t max, int64_t *ret)
{
    const char *text = weir_row_word(row, column);
    int64_t number;
    if (!text)
        return false;
    if (!weir_parse_i64(text, &number) || number < min || number > max) {
        weir_row_problem(row, column,
                         "this must be a whole number from %" PRId64 " to %" PRId64
                         ", not \"%.80s\"",
                         min, max, text);
        return false;
    }
    *ret = number;
    return true;
}

const char *weir_row_word(const weir_row *row, int column)
{
    const bool unreadable =
        column >= 0 &&
        row->rows->cells[row->at * row->rows->n_columns + (size_t)column] == weir_cell_unreadable;
    const char *text = weir_row_text(row, column);
    if (text && *text)
        return text;
    if (!unreadable)
        weir_row_problem(row, column, "this is %s: give it a value", text ? "empty" : "null");
    return NULL;
}

bool weir_rows_distinct(const weir_rows *rows, int column, bool *ret)
{
    weir_map seen = WEIR_MAP_INIT;
    bool distinct = true, good = true;
    for (size_t i = 0; i < rows->n && distinct && good; i++) {
        const char *text = rows->cells[i * rows->n_columns + (size_t)column];
        void *before = NULL;
        good = !text || weir_map_set(&seen, text, (void *)(uintptr_t)1, &before) == WEIR_OK;
        distinct = !before;
    }
    weir_map_deinit(&seen);
    *ret = distinct && good;
    return good;
}

/* ---- rows by a key ---- */

bool weir_groups_init(weir_groups *groups, size_t n_rows)
{
    *groups = (weir_groups){.map = WEIR_MAP_INIT};
    groups->next = weir_realloc_array(NULL, n_rows + 1, sizeof *groups->next);
    return groups->next != NULL;
}

void weir_groups_deinit(weir_groups *groups)
{
    weir_map_deinit(&groups->map);
    weir_free(groups->items);
    weir_free(groups->next);
}

bool weir_groups_add(weir_groups *groups, const char *key, uint32_t row)
{
    size_t number = (size_t)(uintptr_t)weir_map_get(&groups->map, key);
    groups->next[row] = WEIR_ROW_NONE;
    if (number) {
        groups->next[groups->items[number - 1].last] = row;
        groups->items[number - 1].last = row;
        return true;
    }
    struct weir_group_of_rows *items =
        weir_array_room(groups->items, groups->n, &groups->capacity, sizeof *items);
    if (!items)
        return false;
    groups->items = items;
    items[groups->n++] = (struct weir_group_of_rows){key, row, row};
    return weir_map_set(&groups->map, key, (void *)(uintptr_t)groups->n, NULL) == WEIR_OK;
}

uint32_t weir_groups_first(const weir_groups *groups, const char *key)
{
    const size_t number = (size_t)(uintptr_t)weir_map_get(&groups->map, key);
    return number ? groups->items[number - 1].first : WEIR_ROW_NONE;
}
