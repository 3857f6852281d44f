/* SPDX-License-Identifier: MIT */
/* Which bit in a set of plans is whose: rows "plan NAME" of the table meta. */

#include "store/plans.h"

#include <inttypes.h>

#include "model/plan.h"
#include "store/file/database.h"
#include "store/store_priv.h"

/* All bits but that of `default`, which needs no row. */
static weir_err bits_taken(weir_store *store, uint64_t *ret, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *rows = NULL;
    bool row;
    weir_err err =
        weir_db_prepare(store->db, "SELECT value FROM meta WHERE key GLOB 'plan *'", &rows, error);
    *ret = WEIR_PLAN_DEFAULT;
    while (err == WEIR_OK && (err = weir_db_step(rows, &row, error)) == WEIR_OK && row)
        *ret |= UINT64_C(1) << (sqlite3_column_int64(rows, 0) & 63);
    return err;
}

static weir_err bit_put(weir_store *store, const char *name, uint8_t bit, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *put = NULL;
    weir_err err = weir_db_prepare(
        store->db, "INSERT OR REPLACE INTO meta(key,value) VALUES('plan '||?1,?2)", &put, error);
    if (err)
        return err;
    (void)sqlite3_bind_text(put, 1, name, -1, SQLITE_STATIC);
    (void)sqlite3_bind_int64(put, 2, bit);
    return weir_db_run(put, error);
}

weir_err weir_plan_bit_get(weir_store *store, const char *name, uint8_t *ret, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *find = NULL;
    int64_t bit = 0;
    uint64_t taken = 0;
    weir_err err =
        weir_db_prepare(store->db, "SELECT value FROM meta WHERE key='plan '||?1", &find, error);
    if (!err) {
        (void)sqlite3_bind_text(find, 1, name, -1, SQLITE_STATIC);
        err = weir_db_step_int(find, 0, &bit, error);
    }
    if (!err && bit < 1)
        err = bits_taken(store, &taken, error);
    if (err)
        return err;
    if (bit >= 1 && bit <= WEIR_PLANS_MAX) {
        *ret = (uint8_t)bit;
        return WEIR_OK;
    }
    if (taken == UINT64_MAX)
        return weir_fail(error, WEIR_ELIMIT,
                         "plan '%s': this store has known %d plans by now, and their samples say "
                         "which is which: use one of their names again",
                         name, WEIR_PLANS_MAX);
    const uint8_t first = (uint8_t)__builtin_ctzll(~taken);
    err = bit_put(store, name, first, error);
    if (!err) /* so that readers notice the name */
        err = weir_db_exec(store->db, "UPDATE meta SET value=value+1 WHERE key='catalog'", error);
    if (!err)
        *ret = first;
    return err;
}

weir_err weir_store_plan_bit(weir_store *store, const char *name, weir_wall now, uint8_t *ret,
                             weir_error *error)
{
    weir_err err = weir_store_change_begin(store, now, error);
    if (err == WEIR_OK)
        err = weir_plan_bit_get(store, name, ret, error);
    return weir_store_change_end(store, err, error);
}

weir_err weir_plan_bits_register(weir_store *store, weir_catalog *catalog, weir_error *error)
{
    weir_err err = WEIR_OK;
    for (size_t i = 0; err == WEIR_OK && i < catalog->n_plans; i++)
        err = weir_plan_bit_get(store, catalog->plans[i].name, &catalog->plans[i].bit, error);
    if (err == WEIR_OK)
        weir_catalog_name_plans(catalog);
    return err;
}

weir_err weir_plan_bits_restore(weir_store *store, const weir_catalog *catalog, weir_error *error)
{
    weir_err err = WEIR_OK;
    for (size_t i = 0; err == WEIR_OK && i < catalog->n_plans; i++)
        err = bit_put(store, catalog->plans[i].name, catalog->plans[i].bit, error);
    return err;
}
