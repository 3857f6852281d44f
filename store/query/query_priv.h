/* SPDX-License-Identifier: MIT */
/* What the virtual tables samples and current share. */

#pragma once
#include <sqlite3.h>

#include "store/file/names.h"
#include "store/query/query.h"
#include "store/query/scan.h"
#include "store/query/view.h"

struct weir_query {
    sqlite3 *db;
    weir_names names;
    weir_view *view;   /* NULL: to be made when it is needed */
    bool attached;     /* db is someone else's */
    unsigned n_tables; /* connected */
};

/* Columns of samples and current, in this order. */
enum {
    COLUMN_TAG,
    COLUMN_TS,
    COLUMN_TIME,
    COLUMN_VALUE,
    COLUMN_QUALITY,
    COLUMN_CAUSE,
    COLUMN_READ_TS,
    COLUMN_KIND,
    COLUMN_BITS,
    COLUMN_EPOCH,
    COLUMN_SEQ,
    COLUMN_PLAN,
    COLUMN_PLANS,
};

/* Without a rowid: a sample's seq would have to be looked up for each, only to have one. */
#define SAMPLES_LETTERS "ntT       s"

#define SAMPLES_DECLARATION                                                            \
    "CREATE TABLE x(tag TEXT, ts INTEGER, time TEXT, value, quality TEXT, cause TEXT," \
    " read_ts INTEGER, kind TEXT HIDDEN, bits BLOB HIDDEN, epoch INTEGER HIDDEN,"      \
    " seq INTEGER HIDDEN, plan TEXT HIDDEN, plans INTEGER HIDDEN,"                     \
    " PRIMARY KEY(tag, ts, epoch)) WITHOUT ROWID"

/* Whether columns are asked for that come from the reply a sample was in. */
static inline bool weir_columns_need_replies(uint64_t used)
{
    return used & (UINT64_C(1) << COLUMN_READ_TS | UINT64_C(1) << COLUMN_SEQ |
                   UINT64_C(1) << COLUMN_PLAN | UINT64_C(1) << COLUMN_PLANS);
}

/* Gives one column of a sample. Texts are copied by SQLite. */
void weir_column_result(sqlite3_context *context, const weir_names *names, const weir_item *item,
                        int column);
void weir_value_result(sqlite3_context *context, const weir_value *value);
void weir_time_result(sqlite3_context *context, weir_wall ts);

/* SQL functions of views: of ts; of a quality; of kind, exponent, bits and bytes. */
void weir_time_function(sqlite3_context *context, int n, sqlite3_value **arguments);
void weir_quality_function(sqlite3_context *context, int n, sqlite3_value **arguments);
void weir_value_function(sqlite3_context *context, int n, sqlite3_value **arguments);

/* The virtual table's base: it is always the same query's. */
typedef struct weir_query_table {
    sqlite3_vtab base;
    weir_query *query;
} weir_query_table;

int weir_query_table_connect(sqlite3 *db, void *aux, int argc, const char *const *argv,
                             sqlite3_vtab **ret, char **ret_error);
int weir_query_table_declare(sqlite3 *db, void *aux, const char *sql, sqlite3_vtab **ret);
int weir_query_table_disconnect(sqlite3_vtab *table);
int weir_query_no_rowid(sqlite3_vtab_cursor *cursor, sqlite3_int64 *ret); /* never called */

/* Leaves our error's words with the table; returns the SQLite code for them. */
int weir_query_table_fail(sqlite3_vtab *table, weir_err err, const weir_error *error);

/*
 * How a constraint goes from xBestIndex to xFilter: two characters of idxStr for each argument,
 * the column's letter and the operator. letters has one for each column of the table, in order:
 * n a tag's name, t ts, T time, s seq, a digit for an argument of a table function, blank for what
 * SQLite may look at itself. SQLITE_CONSTRAINT: an argument is not known yet.
 */
int weir_constraints_plan(sqlite3_index_info *info, const char *letters);

/* idxNum: what the plan does besides. */
enum {
    PLAN_DESCENDING = 1, /* samples come by falling ts */
    PLAN_REPLIES = 2,    /* columns of replies are wanted */
    PLAN_BY_TIME = 4,    /* samples of all tags come by ts */
};

/* Whether SQL wants the rows by ts or time and nothing else. *ret_one_tag: the plan names one. */
bool weir_constraints_order(const sqlite3_index_info *info, const char *letters,
                            bool *ret_descending, bool *ret_one_tag);

/* Takes the moment a statement sees: names and view. */
weir_err weir_query_begin(weir_query *query, weir_error *error) WEIR_MUST_CHECK;

/* What the constraints mean. */
typedef struct weir_constraints {
    weir_scan_filter filter;
    weir_uids tags; /* when has_tags */
    bool has_tags;
    bool nothing;                /* no row can match */
    sqlite3_value *arguments[4]; /* of a table function; NULL: not given. SQLite's, in xFilter */
    unsigned n_texts; /* comparisons of `time` with what is no time: as texts, row by row */
    struct {
        char op;
        char text[32]; /* longer than any time: what is cut off decides nothing */
    } texts[8];
} weir_constraints;

weir_err weir_constraints_read(weir_constraints *c, sqlite3 *db, const char *plan, int argc,
                               sqlite3_value **argv, weir_error *error) WEIR_MUST_CHECK;
bool weir_constraints_match(const weir_constraints *c, weir_wall ts);
void weir_constraints_deinit(weir_constraints *c);

extern const sqlite3_module weir_samples_module;
extern const sqlite3_module weir_current_module;
extern const sqlite3_module weir_buckets_module;
extern const sqlite3_module weir_history_module;
