/* SPDX-License-Identifier: MIT */
/* From a damaged file to a sound one: every row that can still be read. */

/*
 * No tree is walked, because any page of it may be gone. Each page that holds rows is read by
 * itself, and a row tells by its columns which table it is of; so a lost inner page costs nothing,
 * and a lost leaf its own rows. Blocks and segments have checksums over their bytes. What lies
 * beside them is taken from the block where it repeats it; a sequence number that does not fit
 * between its neighbours is not believed, and the row gets a new one at the end, so that sinks see
 * its samples once more rather than never.
 *
 * A second round looks at what the file says is free, and at every byte of pages that are damaged:
 * rows found there may have been deleted, so only blocks with numbers that nothing else has are
 * taken.
 *
 * The work is bounded by the size of the file: each page is looked at twice at most, and cells.c
 * bounds what rows may claim.
 */

#include "store/repair/salvage.h"

#include <ctype.h>
#include <string.h>

#include "base/alloc.h"
#include "store/file/database.h"
#include "store/file/schema.h"
#include "store/repair/salvage_priv.h"
#include "store/repair/salvage_tables.h"

enum { LOOK_PAGES = 4096 }; /* 16 MB: a store of ours has a row of ours in them */

/* --- writing ------------------------------------------------------------------------------ */

static weir_err field_bind(sqlite3_stmt *put, int at, const weir_field *f, weir_error *error)
{
    int rc = SQLITE_OK;
    switch (f->kind) {
    case WEIR_FIELD_NULL:
        rc = sqlite3_bind_null(put, at);
        break;
    case WEIR_FIELD_INTEGER:
        rc = sqlite3_bind_int64(put, at, f->integer);
        break;
    case WEIR_FIELD_REAL:
        rc = sqlite3_bind_double(put, at, f->real);
        break;
    case WEIR_FIELD_TEXT:
        rc = sqlite3_bind_text(put, at, f->n ? (const char *)f->bytes : "", (int)f->n,
                               SQLITE_STATIC);
        break;
    case WEIR_FIELD_BLOB:
        rc = sqlite3_bind_blob(put, at, f->n ? (const void *)f->bytes : "", (int)f->n,
                               SQLITE_STATIC);
        break;
    }
    return rc == SQLITE_OK ? WEIR_OK : weir_fail(error, WEIR_ENOMEM, "no memory for a row");
}

/* Statements that write one row: what is there already stays. */
static weir_err put_prepare(weir_salvage *s, unsigned table, weir_error *error)
{
    char sql[160] = "INSERT OR IGNORE INTO ";
    if (table == SALVAGE_TAG_INDEX) {
        (void)strncat(sql, "tag(name, uid, active) VALUES(?,?,0)", sizeof sql - 40);
    } else {
        (void)strncat(sql, weir_salvage_tables[table].name, sizeof sql / 2);
        (void)strncat(sql, " VALUES(?", 10);
        for (size_t i = 1; i < strlen(weir_salvage_tables[table].columns); i++)
            (void)strncat(sql, ",?", 3);
        (void)strncat(sql, ")", 2);
    }
    return weir_db_prepare(s->db, sql, &s->put[table], error);
}

static weir_err row_put(weir_salvage *s, unsigned table, const weir_cell *cell, bool *ret_new,
                        weir_error *error)
{
    sqlite3_stmt *put = s->put[table];
    const size_t columns = strlen(weir_salvage_tables[table].columns);
    const weir_field zero = {.kind = WEIR_FIELD_INTEGER}, null = {.kind = WEIR_FIELD_NULL};
    const weir_field key = {.kind = WEIR_FIELD_INTEGER, .integer = cell->rowid};
    const bool staged = table == SALVAGE_FRESH; /* under a slot of its own */
    weir_err err = WEIR_OK;
    for (unsigned i = 0; i < columns && err == WEIR_OK; i++) {
        const weir_field *f = i < cell->n_fields ? &cell->fields[i]
                              : isupper((unsigned char)weir_salvage_tables[table].columns[i])
                                  ? &null
                                  : &zero;
        if (i == 0 && weir_salvage_tables[table].columns[0] == 'k' && !staged)
            f = &key;
        err = field_bind(put, (int)i + 1, f, error);
    }
    if (err == WEIR_OK)
        err = weir_db_run(put, error);
    (void)sqlite3_clear_bindings(put);
    *ret_new = err == WEIR_OK && sqlite3_changes(s->db) > 0;
    return err;
}

/* Copies a row of the log to where rows wait for a number. */
static weir_err row_put_homeless(weir_salvage *s, unsigned table, weir_cell *cell,
                                 weir_error *error)
{
    bool added;
    weir_cell row = *cell;
    if (table == SALVAGE_LOG) {
        memmove(&row.fields[2], &cell->fields[1], 7 * sizeof row.fields[0]);
        row.fields[9] = (weir_field){.kind = WEIR_FIELD_BLOB};
        row.fields[10] = cell->fields[9];
        row.fields[11] = cell->fields[10];
    }
    row.n_fields = 12;
    row.fields[1] = (weir_field){.kind = WEIR_FIELD_INTEGER, .integer = SALVAGE_HOMELESS};
    s->counts.moved += (uint64_t)row.fields[2].integer;
    return row_put(s, SALVAGE_FRESH, &row, &added, error);
}

weir_err weir_salvage_overlaps(weir_salvage *s, int64_t first, int64_t last, bool *ret,
                               weir_error *error)
{
    bool row;
    (void)sqlite3_bind_int64(s->overlap, 1, last);
    weir_err err = weir_db_step(s->overlap, &row, error);
    if (err == WEIR_OK)
        *ret = row && sqlite3_column_int64(s->overlap, 0) >= first;
    (void)sqlite3_reset(s->overlap);
    return err;
}

/* The same row may be in the file twice: as it is, and in a page that was free or moved. */
static weir_err log_put(weir_salvage *s, weir_cell *cell, weir_error *error)
{
    bool overlaps, added;
    weir_err err =
        weir_salvage_overlaps(s, cell->rowid, cell->fields[11].integer, &overlaps, error);
    if (err == WEIR_OK && !overlaps)
        err = row_put(s, SALVAGE_LOG, cell, &added, error);
    return err;
}

/* A segment that may have been deleted counts only if its part has not been. */
static weir_err part_lives(weir_salvage *s, int64_t key, bool *ret, weir_error *error)
{
    (void)sqlite3_bind_int64(s->part, 1, key >> 40);
    weir_err err = weir_db_step(s->part, ret, error);
    (void)sqlite3_reset(s->part);
    return err;
}

static void count_row(weir_salvage *s, unsigned table)
{
    s->counts.events += table == SALVAGE_EVENT;
    s->counts.segments += table == SALVAGE_SEGMENT;
}

static weir_err cell_take(weir_salvage *s, unsigned table, weir_cell *cell, weir_error *error)
{
    const weir_salvage_table *t = &weir_salvage_tables[table];
    const bool twice = s->leftovers || s->next > weir_pages_count(s->pages);
    bool added = false, lives = true;
    const weir_verdict v = t->check(cell);
    /* A new number is only for what is certainly not there under another one. */
    if (v == WEIR_VERDICT_DROP || (v == WEIR_VERDICT_HOMELESS && twice))
        return WEIR_OK;
    if (table == SALVAGE_SEGMENT && s->leftovers) {
        weir_err err = part_lives(s, cell->rowid, &lives, error);
        if (err != WEIR_OK || !lives)
            return err;
    }
    if (v == WEIR_VERDICT_HOMELESS)
        return row_put_homeless(s, table, cell, error);
    if (table == SALVAGE_LOG)
        return log_put(s, cell, error);
    weir_err err = row_put(s, table, cell, &added, error);
    if (added)
        count_row(s, table);
    return err;
}

/* --- pages -------------------------------------------------------------------------------- */

static bool cell_load(weir_salvage *s, weir_cell *cell)
{
    if (weir_cells_load(&s->cells, cell))
        return true;
    s->cells.bad++;
    return false;
}

static weir_err page_cell(weir_salvage *s, weir_cell *cell, weir_error *error)
{
    for (unsigned t = 0; t < SALVAGE_TABLES; t++) {
        if (!weir_salvage_table_fits(&weir_salvage_tables[t], cell) ||
            (s->leftovers && !weir_salvage_tables[t].sweeps))
            continue;
        if (!cell_load(s, cell))
            return WEIR_OK;
        if (t == SALVAGE_TAG_INDEX && !weir_salvage_is_tag_index(cell))
            continue;
        return cell_take(s, t, cell, error);
    }
    return WEIR_OK;
}

static weir_err page_cells(weir_salvage *s, weir_error *error)
{
    weir_cell cell;
    weir_err err = WEIR_OK;
    while (err == WEIR_OK && weir_cells_next(&s->cells, &cell))
        err = page_cell(s, &cell, error);
    return err;
}

static weir_err page_look_again(weir_salvage *s, uint32_t page, weir_error *error)
{
    uint32_t *again = weir_array_room(s->again, s->n_again, &s->again_capacity, sizeof *again);
    if (!again)
        return weir_fail(error, WEIR_ENOMEM, "no memory for the list of damaged pages");
    s->again = again;
    s->again[s->n_again++] = page;
    return WEIR_OK;
}

/* Pages that hold rows begin with 2, 5, 10 or 13; what goes on from another page, with a page
 * number: 0, in files below 64 GB. */
static bool page_is_strange(const weir_salvage *s, uint32_t page)
{
    const uint8_t type = s->cells.page[page == 1 ? 100 : 0];
    return type != 0 && type != 2 && type != 5 && type != 10 && type != 13;
}

static weir_err page_first_round(weir_salvage *s, uint32_t page, weir_error *error)
{
    weir_err err = WEIR_OK;
    const bool free = weir_pages_is_free(s->pages, page);
    const uint32_t unreadable = weir_pages_unreadable(s->pages);
    const bool rows = weir_cells_start(&s->cells, s->pages, page);
    if (rows && !free)
        err = page_cells(s, error);
    /* A row in a frame behind the damage may go on in pages before it. */
    if (err == WEIR_OK && s->cells.later && weir_cells_start(&s->cells, s->pages, page)) {
        s->cells.later = false;
        err = page_cells(s, error);
    }
    const bool bad = weir_pages_unreadable(s->pages) > unreadable || s->cells.bad > 0 ||
                     (!free && !weir_pages_is_map(page) && page_is_strange(s, page));
    s->counts.bad_pages += bad && !free;
    if (err == WEIR_OK && (bad || (free && rows)))
        err = page_look_again(s, page, error);
    return err;
}

static weir_err page_second_round(weir_salvage *s, uint32_t page, weir_error *error)
{
    weir_err err = WEIR_OK;
    if (weir_cells_start(&s->cells, s->pages, page))
        err = page_cells(s, error);
    if (err == WEIR_OK && weir_cells_sweep(&s->cells, s->pages, page))
        err = page_cells(s, error);
    return err;
}

weir_err weir_salvage_step(weir_salvage *salvage, uint32_t pages, bool *ret_done, weir_error *error)
{
    weir_salvage *s = salvage;
    const uint32_t n = weir_pages_count(s->pages) + weir_pages_extra(s->pages);
    weir_err err = WEIR_OK;
    for (; err == WEIR_OK && pages > 0; pages--) {
        if (!s->leftovers && s->next == n) {
            s->leftovers = true;
            s->next = 0;
        }
        if (s->leftovers && s->next == s->n_again)
            break;
        const uint32_t i = s->next++;
        err = s->leftovers ? page_second_round(s, s->again[i], error)
                           : page_first_round(s, i + 1, error);
    }
    *ret_done = s->leftovers && s->next == s->n_again;
    return err;
}

/* --- life --------------------------------------------------------------------------------- */

weir_err weir_salvage_new(weir_pages *pages, sqlite3 *db, weir_salvage **ret, weir_error *error)
{
    WEIR_CLEANUP(weir_salvage_free) weir_salvage *s = weir_alloc_zero(1, sizeof *s);
    if (!s)
        return weir_fail(error, WEIR_ENOMEM, "no memory to salvage");
    s->pages = pages;
    s->db = db;
    weir_err err = weir_db_prepare(db,
                                   "SELECT ifnull(last_seq, first_seq+count-1) FROM log"
                                   " WHERE first_seq<=? ORDER BY first_seq DESC LIMIT 1",
                                   &s->overlap, error);
    if (err == WEIR_OK)
        err = weir_db_prepare(db, "SELECT 1 FROM part WHERE id=?", &s->part, error);
    for (unsigned i = 0; i < SALVAGE_TABLES && err == WEIR_OK; i++)
        err = put_prepare(s, i, error);
    if (err != WEIR_OK)
        return err;
    *ret = s;
    s = NULL;
    return WEIR_OK;
}

void weir_salvage_free(weir_salvage *salvage)
{
    if (!salvage)
        return;
    for (unsigned i = 0; i < SALVAGE_TABLES; i++)
        (void)sqlite3_finalize(salvage->put[i]);
    (void)sqlite3_finalize(salvage->part);
    (void)sqlite3_finalize(salvage->overlap);
    weir_cells_deinit(&salvage->cells);
    weir_free(salvage->again);
    weir_free(salvage);
}

/* Offset 68 of the file, big-endian (SQLite's file format, 1.3). */
static bool page_is_marked(const uint8_t *page)
{
    const uint32_t id =
        (uint32_t)page[68] << 24 | (uint32_t)page[69] << 16 | (uint32_t)page[70] << 8 | page[71];
    return memcmp(page, "SQLite format 3", 16) == 0 && id == SCHEMA_APPLICATION_ID;
}

/* The file's mark, one block or segment whose checksums match, or the definition of our first table
 * says it. */
bool weir_salvage_is_ours(weir_pages *pages)
{
    static const char definition[] = "CREATE TABLE meta(key TEXT PRIMARY KEY, value)";
    weir_cells cells = {0};
    weir_cell cell;
    bool ours = false;
    for (uint32_t page = 1; page <= weir_pages_count(pages) && page <= LOOK_PAGES && !ours;
         page++) {
        const bool rows = weir_cells_start(&cells, pages, page);
        ours = (page == 1 && page_is_marked(cells.page)) ||
               memmem(cells.page, sizeof cells.page, definition, sizeof definition - 1) != NULL;
        while (rows && !ours && weir_cells_next(&cells, &cell))
            for (unsigned t = 0; t < SALVAGE_TABLES && !ours; t++)
                ours = weir_salvage_tables[t].sweeps &&
                       weir_salvage_table_fits(&weir_salvage_tables[t], &cell) &&
                       weir_cells_load(&cells, &cell) &&
                       weir_salvage_tables[t].check(&cell) != WEIR_VERDICT_DROP;
    }
    weir_cells_deinit(&cells);
    return ours;
}
