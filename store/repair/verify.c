/* SPDX-License-Identifier: MIT */
/* Checking a store from end to end. */

#include "store/repair/verify.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "store/file/database.h"
#include "store/file/schema.h"
#include "store/file/tables.h"
#include "store/query/query.h"
#include "store/repair/verify_priv.h"

enum { INTEGRITY_FINDINGS_MAX = 100 };

void weir_verify_finding(struct verification *v, const char *format, ...)
{
    char line[600];
    va_list va;
    va_start(va, format);
    (void)vsnprintf(line, sizeof line, format, va);
    va_end(va);
    v->counts.findings++;
    if (v->report)
        v->report(v->data, line);
}

/* A fault of a pass is a finding when it means damage; memory and the like end the verification. */
weir_err weir_verify_pass_end(struct verification *v, const char *what, weir_err err,
                              const weir_error *error)
{
    if (err != WEIR_EDAMAGED)
        return err;
    weir_verify_finding(v, "%s: reading stopped: %s", what, error->text);
    return WEIR_OK;
}

static weir_err verify_integrity(struct verification *v, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *stmt = NULL;
    int64_t version = 0;
    char sql[64];
    bool row;
    (void)snprintf(sql, sizeof sql, "PRAGMA integrity_check(%d)", INTEGRITY_FINDINGS_MAX);
    weir_err err = weir_db_prepare(v->db, sql, &stmt, error);
    while (err == WEIR_OK && (err = weir_db_step(stmt, &row, error)) == WEIR_OK && row) {
        const char *text = (const char *)sqlite3_column_text(stmt, 0);
        if (text && strcmp(text, "ok") != 0)
            weir_verify_finding(v, "database: %s", text);
    }
    if (err == WEIR_OK)
        err = weir_db_int(v->db, "PRAGMA user_version", 0, &version, error);
    if (err == WEIR_OK &&
        version == SCHEMA_VERSION) /* an older one lacks some until the next start */
        err = weir_db_tables_check(v->db, error);
    return weir_verify_pass_end(v, "database", err, error);
}

/* --- names ------------------------------------------------------------------------------- */

static weir_err verify_registry(struct verification *v, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *stmt = NULL;
    bool row;
    weir_err err = weir_db_prepare(v->db,
                                   "SELECT t.uid, count(v.uid) FROM tag t LEFT JOIN tag_version v"
                                   " USING(uid) GROUP BY t.uid",
                                   &stmt, error);
    while (err == WEIR_OK && (err = weir_db_step(stmt, &row, error)) == WEIR_OK && row) {
        if (sqlite3_column_int64(stmt, 1) == 0)
            weir_verify_finding(v, "tag uid %lld has no version",
                                (long long)sqlite3_column_int64(stmt, 0));
        else
            v->counts.tags++;
    }
    return weir_verify_pass_end(v, "tags", err, error);
}

/* What a tag is known by is one thing, and there is such a tag. */
static weir_err verify_keys(struct verification *v, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *stmt = NULL;
    bool row;
    weir_err err = weir_db_prepare(v->db,
                                   "SELECT k.uid, count(*), count(t.uid) FROM tag_key k LEFT JOIN"
                                   " tag t ON t.uid=k.uid GROUP BY k.uid",
                                   &stmt, error);
    while (err == WEIR_OK && (err = weir_db_step(stmt, &row, error)) == WEIR_OK && row) {
        const long long uid = sqlite3_column_int64(stmt, 0), n = sqlite3_column_int64(stmt, 1);
        if (sqlite3_column_int64(stmt, 2) == 0)
            weir_verify_finding(v, "a key is that of tag uid %lld, which is not there", uid);
        else if (n > 1)
            weir_verify_finding(v, "tag uid %lld has %lld keys", uid, n);
    }
    return weir_verify_pass_end(v, "tags", err, error);
}

/* --- sinks -------------------------------------------------------------------------------- */

/* The counters of what is set aside are what is there. */
static weir_err verify_sinks(struct verification *v, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *stmt = NULL;
    bool row;
    weir_err err = weir_db_prepare(
        v->db,
        "SELECT s.sink, o.set_aside, (SELECT count(*) FROM set_aside a WHERE a.sink=s.sink),"
        " o.retries, (SELECT count(*) FROM set_aside_retry r WHERE r.sink=s.sink),"
        " (SELECT count(*) FROM set_aside_retry r WHERE r.sink=s.sink AND NOT EXISTS"
        " (SELECT 1 FROM set_aside a WHERE a.sink=r.sink AND a.seq=r.seq))"
        " FROM (SELECT sink FROM sink_order UNION SELECT sink FROM set_aside"
        " UNION SELECT sink FROM set_aside_retry) s LEFT JOIN sink_order o ON o.sink=s.sink",
        &stmt, error);
    while (err == WEIR_OK && (err = weir_db_step(stmt, &row, error)) == WEIR_OK && row) {
        const char *text = (const char *)sqlite3_column_text(stmt, 0), *name = text ? text : "";
        const long long says = sqlite3_column_int64(stmt, 1), is = sqlite3_column_int64(stmt, 2);
        const long long says_retries = sqlite3_column_int64(stmt, 3),
                        retries = sqlite3_column_int64(stmt, 4),
                        strays = sqlite3_column_int64(stmt, 5);
        if (says != is)
            weir_verify_finding(v, "sink %s: %lld rows are set aside, it says %lld", name, is,
                                says);
        if (says_retries != retries || strays > 0)
            weir_verify_finding(
                v,
                "sink %s: %lld rows are to be tried again, %lld of them are not there, "
                "it says %lld",
                name, retries, strays, says_retries);
    }
    return weir_verify_pass_end(v, "sinks", err, error);
}

weir_err weir_verify_all(struct verification *v, weir_error *error)
{
    weir_err err = weir_db_exec(v->db, "BEGIN", error);
    if (err == WEIR_OK)
        err = verify_integrity(v, error);
    if (err == WEIR_OK)
        err = weir_verify_pass_end(v, "tags", weir_names_update(&v->names, v->db, error), error);
    if (err == WEIR_OK)
        err = weir_view_new(v->db, &v->view, error);
    if (err == WEIR_OK)
        err = weir_view_update(v->view, error);
    if (err == WEIR_OK)
        err = weir_verify_rows(v, error);
    if (err == WEIR_OK && weir_view_has_history(v->view))
        err = weir_verify_parts(v, error);
    if (err == WEIR_OK && weir_view_has_sinks(v->view))
        err = verify_sinks(v, error);
    if (err == WEIR_OK && weir_view_has_keys(v->view))
        err = verify_keys(v, error);
    return err == WEIR_OK ? verify_registry(v, error) : err;
}

void weir_verify_end(struct verification *v)
{
    weir_names_deinit(&v->names);
    weir_view_free(v->view);
    v->view = NULL;
}

weir_err weir_store_verify(const char *data_dir, const char *vfs, weir_verify_report *report,
                           void *data, weir_verify_counts *ret, weir_error *error)
{
    return weir_store_verify_watched(data_dir, vfs, report, NULL, data, ret, error);
}

weir_err weir_store_verify_watched(const char *data_dir, const char *vfs,
                                   weir_verify_report *report, weir_verify_progress *progress,
                                   void *data, weir_verify_counts *ret, weir_error *error)
{
    WEIR_CLEANUP(weir_query_close) weir_query *query = NULL;
    weir_error local = WEIR_ERROR_INIT; /* findings need its words, whatever the caller wants */
    struct verification v = {.report = report, .progress = progress, .data = data};
    weir_err err = weir_query_open(data_dir, vfs, &query, &local);
    if (err == WEIR_OK) {
        v.db = weir_query_db(query);
        err = weir_verify_all(&v, &local);
    }
    weir_verify_end(&v);
    *ret = v.counts;
    if (err != WEIR_OK)
        return weir_fail(error, err, "%s", local.text);
    if (v.counts.findings > 0)
        return weir_fail(error, WEIR_EDAMAGED,
                         "%s: %" PRIu64 " findings; %" PRIu64 " rows and %" PRIu64
                         " segments with %" PRIu64 " samples are sound",
                         data_dir, v.counts.findings, v.counts.rows, v.counts.segments,
                         v.counts.samples);
    return WEIR_OK;
}
