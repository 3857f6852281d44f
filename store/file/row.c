/* SPDX-License-Identifier: MIT */
/* A row with a block in it, and its batches with their sequence numbers. */

#include "store/file/row.h"

weir_row weir_row_of(sqlite3_stmt *stmt, int first_seq, int head, int body)
{
    return (weir_row){.first_seq = (uint64_t)sqlite3_column_int64(stmt, first_seq),
                      .head = sqlite3_column_blob(stmt, head),
                      .body = sqlite3_column_blob(stmt, body),
                      .head_length = (size_t)sqlite3_column_bytes(stmt, head),
                      .body_length = (size_t)sqlite3_column_bytes(stmt, body)};
}

weir_err weir_row_decode(weir_row row, weir_block_head *ret_head, weir_block **ret,
                         weir_error *error)
{
    weir_err err = weir_block_head_parse(row.head, row.head_length, ret_head, error);
    if (err != WEIR_OK)
        return err;
    if (row.body_length < ret_head->body_size)
        return weir_fail(error, WEIR_EDAMAGED, "block cut short");
    return weir_block_decode(ret_head, row.body, ret_head->body_size, ret, error);
}

weir_err weir_row_each(weir_row row, void *data, weir_row_on_batch on_batch, weir_error *error)
{
    WEIR_CLEANUP(weir_block_free) weir_block *block = NULL;
    weir_block_head head;
    size_t before = 0;
    weir_err err = weir_row_decode(row, &head, &block, error);
    for (size_t i = 0; err == WEIR_OK && i < block->n_batches; i++) {
        err =
            on_batch(data, &block->batches[i], weir_row_seq(&row, &head, block, i, before), error);
        before += block->batches[i].n_samples;
    }
    return err;
}
