/* SPDX-License-Identifier: MIT */
/* The tags in the database: which id each has there, and telling what they are called now. */

#include "sinks/postgres/tags.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/number.h"
#include "sinks/postgres/connection.h"

/* Told in one statement at most: a JSON text of some MB; jsonb ends at 255 MB. */
enum { TOLD_MAX = 1000, TOLD_BYTES_MAX = 4 << 20 };

void weir_pg_tags_deinit(weir_pg_tags *t)
{
    weir_free(t->items);
    weir_free(t->pending);
    *t = (weir_pg_tags){0};
}

void weir_pg_tags_forget(weir_pg_tags *t)
{
    if (t->n)
        memset(t->items, 0, t->n * sizeof *t->items);
    t->n_pending = 0;
}

/* --- finding ------------------------------------------------------------------------------ */

static weir_err items_grow(weir_pg_tags *t, size_t number)
{
    if (number < t->n)
        return WEIR_OK;
    const size_t n = (number + 1) * 2;
    struct weir_pg_tag *items = weir_realloc_array(t->items, n, sizeof *items);
    if (!items)
        return WEIR_ENOMEM;
    memset(items + t->n, 0, (n - t->n) * sizeof *items);
    t->items = items;
    t->n = n;
    return WEIR_OK;
}

static weir_err pending_add(weir_pg_tags *t, const weir_sink_row *row)
{
    struct weir_pg_pending *list =
        weir_array_room(t->pending, t->n_pending, &t->capacity, sizeof *list);
    if (!list)
        return WEIR_ENOMEM;
    t->pending = list;
    list[t->n_pending++] = (struct weir_pg_pending){row->tag, row->seq};
    t->items[row->tag->number].is_pending = true;
    return WEIR_OK;
}

/* What the database has may be of another version that came with a higher seq than this one's first
 * sample: a sample with a still higher one brings this version back. */
static bool must_tell(const struct weir_pg_tag *item, const weir_sink_row *row)
{
    return !item->is_pending && (!item->is_known || (!item->is_newest && row->seq > item->seq));
}

weir_err weir_pg_tags_find(weir_pg_tags *t, const weir_sink_row *rows, size_t n)
{
    weir_err err = WEIR_OK;
    for (size_t i = 0; err == WEIR_OK && i < n; i++) {
        err = items_grow(t, rows[i].tag->number);
        if (err == WEIR_OK && must_tell(&t->items[rows[i].tag->number], &rows[i]))
            err = pending_add(t, &rows[i]);
    }
    return err;
}

/* --- telling ------------------------------------------------------------------------------ */

static void member_add(weir_text *t, const char *key, const char *value)
{
    weir_text_format(t, ",\"%s\":", key);
    weir_text_add_json(t, value, strlen(value));
}

static void tag_add(weir_text *t, size_t n, const struct weir_pg_pending *pending)
{
    const weir_sink_tag *tag = pending->tag;
    weir_text_format(t, "%s{\"n\":%zu,\"uid\":%" PRIu32 ",\"seq\":%" PRIu64, t->length ? "," : "[",
                     n, tag->uid, pending->seq);
    member_add(t, "name", tag->name);
    member_add(t, "device", tag->device);
    member_add(t, "description", tag->description);
    member_add(t, "unit", tag->unit);
    member_add(t, "type", tag->type);
    member_add(t, "address", tag->address);
    weir_text_format(t, ",\"labels\":%s}", tag->labels_json);
}

/* The ids that the database has for those told. False: not for all of them. */
static bool ids_take(weir_pg_tags *t, const PGresult *ids, size_t first, size_t end)
{
    for (int i = 0; i < PQntuples(ids); i++) {
        const size_t n = (size_t)strtoull(PQgetvalue(ids, i, 0), NULL, 10);
        uint64_t id, seq;
        if (n < first || n >= end || !weir_parse_u64(PQgetvalue(ids, i, 1), &id) ||
            !weir_parse_u64(PQgetvalue(ids, i, 2), &seq))
            return false;
        const struct weir_pg_pending *pending = &t->pending[n];
        struct weir_pg_tag *item = &t->items[pending->tag->number];
        item->id = (int64_t)id;
        item->seq = seq;
        item->is_newest = pending->seq >= seq;
        item->is_known = true;
    }
    for (size_t i = first; i < end; i++)
        if (!t->items[t->pending[i].tag->number].is_known)
            return false;
    return true;
}

static bool statement_run(weir_pg_connection *c, const char *sql, const char *json, PGresult **ids,
                          weir_send_answer *ret)
{
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    const char *const parameters[] = {json, c->host->store};
    weir_pg_tables_fill(c->tables, sql, &text);
    return weir_pg_run(c, weir_text_get(&text), parameters, 2, ids, ret);
}

static bool some_tell(weir_pg_tags *t, weir_pg_connection *c, const char *json, size_t first,
                      size_t end, weir_send_answer *ret)
{
    const weir_pg_layout *layout = c->tables->layout;
    PGresult *ids = NULL;
    for (size_t i = first; i < end; i++)
        t->items[t->pending[i].tag->number].is_known = false;
    if ((layout->tags_update && !statement_run(c, layout->tags_update, json, NULL, ret)) ||
        !statement_run(c, layout->tags_insert, json, NULL, ret) ||
        !statement_run(c, layout->tags_select, json, &ids, ret))
        return false;
    const bool has_all = ids_take(t, ids, first, end);
    PQclear(ids);
    if (!has_all)
        weir_send_later(
            ret, WEIR_TROUBLE_MISCONFIGURED, "",
            "table %s does not keep the tags it is given: a rule, a trigger or a policy of "
            "its own?",
            c->tables->tags);
    return has_all;
}

bool weir_pg_tags_tell(weir_pg_tags *t, weir_pg_connection *c, weir_send_answer *ret)
{
    WEIR_TEXT_AUTO json = WEIR_TEXT_INIT;
    for (size_t first = 0, end; first < t->n_pending; first = end) {
        weir_text_clear(&json);
        for (end = first;
             end < t->n_pending && end - first < TOLD_MAX && json.length < TOLD_BYTES_MAX; end++)
            tag_add(&json, end, &t->pending[end]);
        weir_text_add_char(&json, ']');
        if (json.failed) {
            weir_send_later(ret, WEIR_TROUBLE_BUSY, "", "no memory for the names of tags");
            return false;
        }
        if (!some_tell(t, c, weir_text_get(&json), first, end, ret))
            return false;
    }
    return true;
}

void weir_pg_tags_settle(weir_pg_tags *t, bool is_committed)
{
    for (size_t i = 0; i < t->n_pending; i++) {
        struct weir_pg_tag *item = &t->items[t->pending[i].tag->number];
        item->is_pending = false;
        item->is_known = item->is_known && is_committed;
    }
    t->n_pending = 0;
}
