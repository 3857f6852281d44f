/* SPDX-License-Identifier: MIT */
/* Whether the clock of an epoch was right, as far as the newest rows tell. */

#include "store/file/trust.h"

#include "blocks/block.h"
#include "model/sample.h"
#include "store/file/database.h"

/* An epoch is trusted as a whole or not at all: any batch of it tells. */
static weir_err block_trust(sqlite3_stmt *stmt, uint32_t epoch, weir_epoch_trust *ret,
                            weir_error *error)
{
    WEIR_CLEANUP(weir_block_free) weir_block *block = NULL;
    weir_block_head head;
    weir_err err = weir_block_head_parse(sqlite3_column_blob(stmt, 0),
                                         (size_t)sqlite3_column_bytes(stmt, 0), &head, error);
    if (err == WEIR_OK && head.body_size > (size_t)sqlite3_column_bytes(stmt, 1))
        return weir_fail(error, WEIR_EDAMAGED, "a body is cut short");
    if (err == WEIR_OK)
        err = weir_block_decode(&head, sqlite3_column_blob(stmt, 1), head.body_size, &block, error);
    for (size_t i = 0; err == WEIR_OK && i < block->n_batches; i++)
        if (block->batches[i].epoch == epoch)
            *ret = block->batches[i].flags & WEIR_BATCH_CLOCK_UNTRUSTED ? WEIR_EPOCH_UNTRUSTED
                                                                        : WEIR_EPOCH_TRUSTED;
    return err;
}

/* Of the newest rows, for replies to slots of the epoch before come late. Where nothing is found,
 * or what is there cannot be read, it is not known. */
weir_err weir_epoch_read_trust(sqlite3 *db, uint32_t epoch, weir_epoch_trust *ret,
                               weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *stmt = NULL;
    bool row;
    weir_err err = weir_db_prepare(
        db,
        "SELECT head, body FROM (SELECT first_seq, head, body FROM"
        " (SELECT * FROM fresh ORDER BY first_seq DESC LIMIT 4)"
        " UNION ALL SELECT first_seq, head, body FROM"
        " (SELECT * FROM log ORDER BY first_seq DESC LIMIT 4)) ORDER BY first_seq DESC",
        &stmt, error);
    weir_epoch_trust found = WEIR_EPOCH_UNKNOWN;
    while (err == WEIR_OK && found == WEIR_EPOCH_UNKNOWN) {
        err = weir_db_step(stmt, &row, error);
        if (err != WEIR_OK || !row)
            break;
        weir_error damage = WEIR_ERROR_INIT;
        if (block_trust(stmt, epoch, &found, &damage) == WEIR_ENOMEM)
            err = weir_fail(error, WEIR_ENOMEM, "no memory for the newest block");
    }
    if (err == WEIR_OK)
        *ret = found;
    return err;
}
