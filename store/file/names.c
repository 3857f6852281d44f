/* SPDX-License-Identifier: MIT */
/* Names of tags for readers: uid to name, name or pattern to uids. */

#include "store/file/names.h"

#include <stdlib.h>

#include "store/file/database.h"

void weir_names_deinit(weir_names *names)
{
    weir_arena_free(names->arena);
    weir_free(names->at);
    *names = (weir_names){0};
}

/* Those that can be in a segment's key; a damaged file may say anything. */
#define UID_IS_POSSIBLE "uid BETWEEN 1 AND 2147483647"

static weir_err names_add(weir_names *names, weir_tag_uid uid, const char *name, weir_error *error)
{
    weir_name *at = weir_array_room(names->at, names->n, &names->capacity, sizeof *at);
    if (!at)
        return weir_fail(error, WEIR_ENOMEM, "no memory for the names of tags");
    names->at = at;
    const char *copy = weir_arena_text(names->arena, name);
    if (!copy)
        return weir_fail(error, WEIR_ENOMEM, "no memory for the names of tags");
    names->at[names->n++] = (weir_name){uid, copy};
    return WEIR_OK;
}

static weir_err names_fill(weir_names *names, sqlite3 *db, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *stmt = NULL;
    bool row;
    names->arena = weir_arena_new();
    if (!names->arena)
        return weir_fail(error, WEIR_ENOMEM, "no memory for the names of tags");
    weir_err err = weir_db_prepare(
        db, "SELECT uid, name FROM main.tag WHERE " UID_IS_POSSIBLE " ORDER BY uid", &stmt, error);
    while (err == WEIR_OK && (err = weir_db_step(stmt, &row, error)) == WEIR_OK && row) {
        const char *name = (const char *)sqlite3_column_text(stmt, 1);
        if (name)
            err = names_add(names, (weir_tag_uid)sqlite3_column_int64(stmt, 0), name, error);
    }
    return err;
}

/* Rows "plan NAME" of meta (store/plans.h). */
static weir_err plans_fill(weir_names *names, sqlite3 *db, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *stmt = NULL;
    bool row;
    weir_err err = weir_db_prepare(
        db, "SELECT substr(key,6), value FROM main.meta WHERE key GLOB 'plan *'", &stmt, error);
    while (err == WEIR_OK && (err = weir_db_step(stmt, &row, error)) == WEIR_OK && row) {
        const char *name = (const char *)sqlite3_column_text(stmt, 0);
        const int64_t bit = sqlite3_column_int64(stmt, 1);
        if (!name || bit < 1 || bit > 63)
            continue;
        names->plans[bit] = weir_arena_text(names->arena, name);
        if (!names->plans[bit])
            return weir_fail(error, WEIR_ENOMEM, "no memory for the names of plans");
    }
    return err;
}

weir_err weir_names_update(weir_names *names, sqlite3 *db, weir_error *error)
{
    weir_names fresh = {0};
    weir_err err = weir_db_int(db, "SELECT value FROM main.meta WHERE key='catalog'", 0,
                               &fresh.catalog, error);
    if (err != WEIR_OK || (names->arena && names->catalog == fresh.catalog))
        return err;
    err = names_fill(&fresh, db, error);
    if (err == WEIR_OK)
        err = plans_fill(&fresh, db, error);
    if (err != WEIR_OK) {
        weir_names_deinit(&fresh);
        return err;
    }
    weir_names_deinit(names);
    *names = fresh;
    return WEIR_OK;
}

static int name_compare(const void *a, const void *b)
{
    return weir_uid_compare(&((const weir_name *)a)->uid, &((const weir_name *)b)->uid);
}

const char *weir_names_of(const weir_names *names, weir_tag_uid uid)
{
    const weir_name key = {uid, NULL};
    /* Uids are given one after the other, so mostly this is where it is. */
    if (uid > 0 && uid <= names->n && names->at[uid - 1].uid == uid)
        return names->at[uid - 1].name;
    const weir_name *found =
        names->n > 0 ? bsearch(&key, names->at, names->n, sizeof key, name_compare) : NULL;
    return found ? found->name : NULL;
}

const char *weir_names_of_plan(const weir_names *names, unsigned bit)
{
    return bit == 0 ? "default" : names->plans[bit & 63];
}

void weir_uids_deinit(weir_uids *uids)
{
    weir_free(uids->at);
    *uids = (weir_uids){0};
}

static weir_err uids_add(weir_uids *uids, sqlite3 *db, const char *sql, const char *text,
                         weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *stmt = NULL;
    bool row;
    weir_err err = weir_db_prepare(db, sql, &stmt, error);
    if (err != WEIR_OK)
        return err;
    (void)sqlite3_bind_text(stmt, 1, text, -1, SQLITE_STATIC);
    while ((err = weir_db_step(stmt, &row, error)) == WEIR_OK && row) {
        weir_tag_uid *at = weir_array_room(uids->at, uids->n, &uids->capacity, sizeof *at);
        if (!at)
            return weir_fail(error, WEIR_ENOMEM, "no memory for a set of tags");
        uids->at = at;
        uids->at[uids->n++] = (weir_tag_uid)sqlite3_column_int64(stmt, 0);
    }
    return err;
}

weir_err weir_uids_add_name(weir_uids *uids, sqlite3 *db, const char *name, weir_error *error)
{
    return uids_add(uids, db, "SELECT uid FROM main.tag WHERE name=? AND " UID_IS_POSSIBLE, name,
                    error);
}

weir_err weir_uids_add_glob(weir_uids *uids, sqlite3 *db, const char *pattern, weir_error *error)
{
    return uids_add(uids, db, "SELECT uid FROM main.tag WHERE name GLOB ? AND " UID_IS_POSSIBLE,
                    pattern, error);
}

weir_err weir_uids_add_like(weir_uids *uids, sqlite3 *db, const char *pattern, weir_error *error)
{
    return uids_add(uids, db, "SELECT uid FROM main.tag WHERE name LIKE ? AND " UID_IS_POSSIBLE,
                    pattern, error);
}

int weir_uid_compare(const void *a, const void *b)
{
    weir_tag_uid x = *(const weir_tag_uid *)a, y = *(const weir_tag_uid *)b;
    return (x > y) - (x < y);
}

void weir_uids_sort(weir_uids *uids)
{
    size_t n = 0;
    if (uids->n == 0)
        return;
    qsort(uids->at, uids->n, sizeof *uids->at, weir_uid_compare);
    for (size_t i = 0; i < uids->n; i++)
        if (n == 0 || uids->at[i] != uids->at[n - 1])
            uids->at[n++] = uids->at[i];
    uids->n = n;
}

weir_err weir_names_complete(sqlite3 *db, weir_error *error)
{
    return weir_db_exec(
        db,
        "INSERT OR IGNORE INTO tag_version(uid,seq,name,device,unit,type,scale,offset,description,"
        "labels,address) SELECT uid, 1, name, substr(name,1,instr(name||'/','/')-1), '', 'raw', 1,"
        " 0, '', '{}', '' FROM tag WHERE uid NOT IN (SELECT uid FROM tag_version)",
        error);
}
