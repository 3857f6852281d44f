/* SPDX-License-Identifier: MIT */
/* The tags in the database: which id each has there, and telling what they are called now. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/sink.h"
#include "sinks/postgres/layout.h"

struct weir_pg_connection; /* sinks/postgres/connection.h */

/*
 * One of these for a connection: what is remembered holds as long as it is open. Versions of a tag
 * (weir_sink_tag.number) are told once, with the seq of a sample they came with; what came with a
 * higher seq stays. So a backlog that is sent after live data does not bring old names back.
 */
typedef struct weir_pg_tags {
    struct weir_pg_tag {
        int64_t id;
        uint64_t seq;    /* as the database has it */
        bool is_known;   /* id and seq are */
        bool is_newest;  /* what the database has is this version */
        bool is_pending; /* in the list below */
    } * items;           /* by number */
    size_t n;
    struct weir_pg_pending {
        const weir_sink_tag *tag;
        uint64_t seq;
    } * pending; /* told in the transaction under way */
    size_t n_pending, capacity;
} weir_pg_tags;

void weir_pg_tags_deinit(weir_pg_tags *t);
void weir_pg_tags_forget(weir_pg_tags *t); /* all of it; keeps the memory */

/* Looks for what must be told before these rows; t->n_pending says how many. */
weir_err weir_pg_tags_find(weir_pg_tags *t, const weir_sink_row *rows, size_t n) WEIR_MUST_CHECK;

/* Tells the database, within a transaction. */
bool weir_pg_tags_tell(weir_pg_tags *t, struct weir_pg_connection *c, weir_send_answer *ret);

/* How the transaction ended: rolled back, what was pending is not known. */
void weir_pg_tags_settle(weir_pg_tags *t, bool is_committed);

/* The id in the database; all tags of the rows are known by now. */
static inline int64_t weir_pg_tags_id(const weir_pg_tags *t, const weir_sink_tag *tag)
{
    return t->items[tag->number].id;
}
