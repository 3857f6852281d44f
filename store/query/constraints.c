/* SPDX-License-Identifier: MIT */
/* What of a WHERE clause the virtual tables use to skip rows. */

/*
 * Constraints on tag, ts and seq only narrow the search; SQLite checks each row again, so a bound
 * may be looser than the condition. Those on `time` are answered here alone: the text given may
 * be any way to write a moment ("2026-01-01", without a fraction), which compared as texts would
 * come out wrong at the edges.
 */

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "store/query/query_priv.h"

/* Without any constraint: so many samples, for so much work. Only ratios matter. */
#define COST_ALL 1e9
#define ROWS_ALL 1000000000

static char op_letter(int op)
{
    switch (op) {
    case SQLITE_INDEX_CONSTRAINT_EQ:
        return '=';
    case SQLITE_INDEX_CONSTRAINT_LT:
        return '<';
    case SQLITE_INDEX_CONSTRAINT_LE:
        return '{';
    case SQLITE_INDEX_CONSTRAINT_GT:
        return '>';
    case SQLITE_INDEX_CONSTRAINT_GE:
        return '}';
    case SQLITE_INDEX_CONSTRAINT_GLOB:
        return 'G';
    case SQLITE_INDEX_CONSTRAINT_LIKE: /* never one with ESCAPE */
        return 'L';
    default:
        return 0;
    }
}

/* A letter for what can be used, 0 else. A tag is one or more names, never a range of them, and
 * only one such set is taken: the others SQLite checks. */
static char constraint_op(sqlite3_index_info *info, int i, char column, bool has_tags)
{
    char op = op_letter(info->aConstraint[i].op);
    if (column >= '0' && column <= '9')
        return op == '=' ? op : 0;
    if (column != 'n')
        return op == 'G' || op == 'L' ? 0 : op;
    if (has_tags || (op != '=' && op != 'G' && op != 'L'))
        return 0;
    if (op == '=' && strcmp(sqlite3_vtab_collation(info, i), "BINARY") != 0)
        return 0;
    return op == '=' && sqlite3_vtab_in(info, i, 1) ? 'I' : op;
}

/* What a constraint leaves, as a factor: history lies tag by tag, in order of time. */
static void constraint_weigh(char column, char op, double *cost, double *rows)
{
    double factor = 0.1;
    if (column == 'n')
        factor = op == '=' ? 1e-4 : op == 'I' ? 1e-3 : 1e-2;
    else if (op == '=')
        factor = 1e-6;
    *rows *= factor;
    *cost *= factor;
}

int weir_constraints_plan(sqlite3_index_info *info, const char *letters)
{
    const int n_letters = (int)strlen(letters);
    double cost = COST_ALL, rows = ROWS_ALL;
    char *plan = sqlite3_malloc(2 * info->nConstraint + 1);
    int n = 0;
    bool has_tags = false;
    if (!plan)
        return SQLITE_NOMEM;
    for (int i = 0; i < info->nConstraint; i++) {
        const struct sqlite3_index_constraint *c = &info->aConstraint[i];
        char column = c->iColumn >= 0 && c->iColumn < n_letters ? letters[c->iColumn] : ' ';
        const bool argument = column >= '0' && column <= '9';
        if (argument && !c->usable && c->op == SQLITE_INDEX_CONSTRAINT_EQ) {
            sqlite3_free(plan);
            return SQLITE_CONSTRAINT; /* in another order of tables it is known */
        }
        char op = c->usable && column != ' ' ? constraint_op(info, i, column, has_tags) : 0;
        if (!op)
            continue;
        has_tags |= column == 'n';
        plan[2 * n] = column;
        plan[2 * n + 1] = op;
        info->aConstraintUsage[i].argvIndex = ++n;
        info->aConstraintUsage[i].omit = column == 'T' || argument;
        if (!argument)
            constraint_weigh(column, op, &cost, &rows);
    }
    plan[2 * n] = '\0';
    info->idxStr = plan;
    info->needToFreeIdxStr = 1;
    info->estimatedCost = cost;
    info->estimatedRows = rows < 1 ? 1 : (sqlite3_int64)rows;
    return SQLITE_OK;
}

static bool is_time(const char *letters, int column)
{
    return column >= 0 && (size_t)column < strlen(letters) &&
           (letters[column] == 't' || letters[column] == 'T');
}

/* time is ts written down. */
bool weir_constraints_order(const sqlite3_index_info *info, const char *letters,
                            bool *ret_descending, bool *ret_one_tag)
{
    *ret_descending = false;
    *ret_one_tag = strstr(info->idxStr, "n=") != NULL;
    if (info->nOrderBy != 1 || !is_time(letters, info->aOrderBy[0].iColumn))
        return false;
    *ret_descending = info->aOrderBy[0].desc;
    return true;
}

/* --- xFilter ------------------------------------------------------------------------------ */

/* Narrows [min, max] by v; bounds that cannot be reached leave nothing. */
static void bound_apply(weir_constraints *c, int64_t *min, int64_t *max, char op, int64_t v)
{
    if ((op == '>' && v == INT64_MAX) || (op == '<' && v == INT64_MIN)) {
        c->nothing = true;
        return;
    }
    int64_t low = op == '>' ? v + 1 : op == '}' || op == '=' ? v : *min;
    int64_t high = op == '<' ? v - 1 : op == '{' || op == '=' ? v : *max;
    *min = low > *min ? low : *min;
    *max = high < *max ? high : *max;
}

/* Numbers with a fraction and texts are left to SQLite, but for a bound that cannot be wrong. */
static void number_apply(weir_constraints *c, int64_t *min, int64_t *max, char op,
                         sqlite3_value *value)
{
    if (sqlite3_value_type(value) == SQLITE_INTEGER) {
        bound_apply(c, min, max, op, sqlite3_value_int64(value));
    } else if (sqlite3_value_type(value) == SQLITE_FLOAT) {
        double v = sqlite3_value_double(value);
        if (v > -9e18 && v < 9e18 && (op == '>' || op == '}'))
            bound_apply(c, min, max, '}', (int64_t)floor(v));
        else if (v > -9e18 && v < 9e18 && (op == '<' || op == '{'))
            bound_apply(c, min, max, '{', (int64_t)ceil(v));
    }
}

static weir_err time_apply(weir_constraints *c, char op, sqlite3_value *value, weir_error *error)
{
    const char *text = (const char *)sqlite3_value_text(value);
    weir_wall t;
    if (!text)
        return weir_fail(error, WEIR_ENOMEM, "no memory for a time");
    if (weir_wall_parse(text, &t)) {
        bound_apply(c, &c->filter.min_ts, &c->filter.max_ts, op, t.us);
        return WEIR_OK;
    }
    if (c->n_texts == sizeof c->texts / sizeof *c->texts)
        return weir_fail(error, WEIR_ELIMIT, "too many comparisons with `time`");
    c->texts[c->n_texts].op = op;
    size_t n = strnlen(text, sizeof c->texts[0].text - 1);
    memcpy(c->texts[c->n_texts].text, text, n);
    c->texts[c->n_texts++].text[n] = '\0';
    return WEIR_OK;
}

static weir_err tags_apply(weir_constraints *c, sqlite3 *db, char op, sqlite3_value *value,
                           weir_error *error)
{
    sqlite3_value *item = NULL;
    weir_err err = WEIR_OK;
    c->has_tags = true;
    if (op != 'I') {
        const char *text = (const char *)sqlite3_value_text(value);
        if (!text)
            return weir_fail(error, WEIR_ENOMEM, "no memory for a tag's name");
        return op == 'G'   ? weir_uids_add_glob(&c->tags, db, text, error)
               : op == 'L' ? weir_uids_add_like(&c->tags, db, text, error)
                           : weir_uids_add_name(&c->tags, db, text, error);
    }
    for (int rc = sqlite3_vtab_in_first(value, &item); err == WEIR_OK && rc == SQLITE_OK && item;
         rc = sqlite3_vtab_in_next(value, &item)) {
        const char *text = (const char *)sqlite3_value_text(item);
        if (text)
            err = weir_uids_add_name(&c->tags, db, text, error);
    }
    return err;
}

static weir_err constraint_read(weir_constraints *c, sqlite3 *db, char column, char op,
                                sqlite3_value *value, weir_error *error)
{
    if (column >= '0' && column <= '9') {
        c->arguments[column - '0'] = value;
        return WEIR_OK;
    }
    /* The list of IN looks like null; any other comparison with null is never true. */
    if (op != 'I' && sqlite3_value_type(value) == SQLITE_NULL) {
        c->nothing = true;
        return WEIR_OK;
    }
    if (column == 'n')
        return tags_apply(c, db, op, value, error);
    if (column == 'T')
        return time_apply(c, op, value, error);
    if (column == 't')
        number_apply(c, &c->filter.min_ts, &c->filter.max_ts, op, value);
    else
        number_apply(c, &c->filter.min_seq, &c->filter.max_seq, op, value);
    return WEIR_OK;
}

weir_err weir_constraints_read(weir_constraints *c, sqlite3 *db, const char *plan, int argc,
                               sqlite3_value **argv, weir_error *error)
{
    *c = (weir_constraints){.filter = WEIR_SCAN_ALL};
    for (int i = 0; i < argc; i++) {
        weir_err err = constraint_read(c, db, plan[2 * i], plan[2 * i + 1], argv[i], error);
        if (err != WEIR_OK)
            return err;
    }
    if (c->has_tags) {
        weir_uids_sort(&c->tags);
        c->filter.tags = c->tags.at;
        c->filter.n_tags = c->tags.n;
    }
    c->nothing |= (c->has_tags && c->tags.n == 0) || c->filter.min_ts > c->filter.max_ts ||
                  c->filter.min_seq > c->filter.max_seq;
    return WEIR_OK;
}

bool weir_constraints_match(const weir_constraints *c, weir_wall ts)
{
    char time[28];
    if (c->n_texts == 0)
        return true;
    weir_wall_format(ts, time);
    for (unsigned i = 0; i < c->n_texts; i++) {
        int order = strcmp(time, c->texts[i].text);
        char op = c->texts[i].op;
        if (!(op == '='   ? order == 0
              : op == '<' ? order < 0
              : op == '{' ? order <= 0
              : op == '>' ? order > 0
                          : order >= 0))
            return false;
    }
    return true;
}

void weir_constraints_deinit(weir_constraints *c)
{
    weir_uids_deinit(&c->tags);
}
