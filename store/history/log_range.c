/* SPDX-License-Identifier: MIT */
/* A range of the log, read row by row. */

#include "store/history/log_range.h"

#include "base/alloc.h"
#include "store/file/database.h"
#include "store/history/part.h"
#include "store/history/quarantine.h"
#include "store/store_priv.h"

enum { READ_SAMPLES = 400 * 1000 }; /* decoded in one piece: about 10 ms */

weir_err weir_log_range_init(weir_log_range *r, const weir_store *store, uint64_t first_seq,
                             uint64_t until, weir_error *error)
{
    *r = (weir_log_range){.first_seq = first_seq, .until = until, .n_tags = store->pending.n_tags};
    weir_log_range_rewind(r);
    return weir_part_purged(store->db, r->n_tags, &r->purged, error);
}

void weir_log_range_deinit(weir_log_range *r)
{
    weir_free(r->purged);
    *r = (weir_log_range){0};
}

void weir_log_range_rewind(weir_log_range *r)
{
    r->at = r->first_seq - 1;
}

/* Samples of tags that the store never gave out: a row that is not ours. */
static bool block_has_foreign(const weir_log_range *r, const weir_block *block)
{
    bool foreign = false;
    for (size_t i = 0; i < block->count; i++)
        foreign |= block->samples[i].tag >= r->n_tags || block->samples[i].tag == 0;
    return foreign;
}

weir_err weir_log_range_read(weir_log_range *r, weir_store *store, weir_wall now,
                             weir_log_range_on_row *on_row, void *data, bool *ret_end,
                             weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *rows = NULL;
    bool row = true, end = false;
    weir_err err =
        weir_db_prepare(store->db,
                        "SELECT first_seq, ifnull(last_seq, first_seq+count-1), count, head, body"
                        " FROM log WHERE first_seq>?1 AND first_seq<=?2 ORDER BY first_seq",
                        &rows, error);
    if (err != WEIR_OK)
        return err;
    (void)sqlite3_bind_int64(rows, 1, (int64_t)r->at);
    (void)sqlite3_bind_int64(rows, 2, (int64_t)r->until);
    for (int64_t n = 0; n < READ_SAMPLES && !end;) {
        WEIR_CLEANUP(weir_block_free) weir_block *block = NULL;
        weir_error why = WEIR_ERROR_INIT;
        weir_block_head head;
        err = weir_db_step(rows, &row, error);
        if (err != WEIR_OK)
            return err;
        if (!row)
            break;
        const weir_row found = weir_row_of(rows, 0, 3, 4);
        weir_err reading = weir_row_decode(found, &head, &block, &why);
        if (reading == WEIR_OK && block_has_foreign(r, block))
            reading = weir_fail(&why, WEIR_EDAMAGED, "a sample of a tag that does not exist");
        if (reading == WEIR_EDAMAGED)
            return weir_quarantine_log_row(store, &found, sqlite3_column_int64(rows, 2), now, &why,
                                           error);
        if (reading != WEIR_OK)
            return weir_fail(error, reading, "%s", why.text);
        err = on_row(data, &found, &head, block, &end, error);
        if (err != WEIR_OK)
            return err;
        if (!end)
            r->at = (uint64_t)sqlite3_column_int64(rows, 1);
        n += head.count;
    }
    *ret_end = end || !row;
    return WEIR_OK;
}

bool weir_log_range_is_purged(const weir_log_range *r, const weir_sample *s, uint64_t seq)
{
    return seq <= r->purged[s->tag];
}

weir_tag_uid weir_batch_lowest(const weir_batch *batch)
{
    weir_tag_uid lowest = batch->samples[0].tag;
    for (uint32_t i = 1; i < batch->n_samples; i++)
        lowest = batch->samples[i].tag < lowest ? batch->samples[i].tag : lowest;
    return lowest;
}
