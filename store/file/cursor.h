/* SPDX-License-Identifier: MIT */
/* Cursors: how far each sink has acknowledged the log. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"

struct sqlite3;

typedef struct weir_span {
    uint64_t first, last; /* inclusive */
} weir_span;

enum { WEIR_CURSOR_SPANS_MAX = 16 };

/* In front of the name of a pulling historian, in the name of its cursor; no sink's name has it. */
#define WEIR_HISTORIAN_PREFIX "historian:"

/*
 * How far a consumer has come: it needs nothing up to seq any more, and nothing of the spans. They
 * lie behind seq, ascending, with something between them: what was sent live while a backlog
 * remained.
 */
typedef struct weir_cursor {
    char *name;
    uint64_t seq;
    weir_wall ts;       /* when it got there */
    weir_wall detached; /* since when nobody owns it; 0: someone does */
    size_t n_done;
    weir_span done[WEIR_CURSOR_SPANS_MAX];
    uint64_t folded; /* the table knows what rode with commits up to this seq */
} weir_cursor;

/* Puts spans that touch together, and lets seq pass over those it has reached. WEIR_EINVAL: too
 * many, not ascending, or they overlap. */
weir_err weir_cursor_set_done(weir_cursor *cursor, const weir_span *spans, size_t n,
                              weir_error *error) WEIR_MUST_CHECK;

/* How many of first .. last it still needs. */
uint64_t weir_cursor_needs(const weir_cursor *cursor, uint64_t first, uint64_t last);

/*
 * A move of a cursor costs no page: it rides in the state of the next commit's row, and goes to its
 * table with the next merge. An open reads the table, then the states of the rows that are not
 * merged. A state is a list of: kind, varint length, then
 *   kind 1: name as varint length and bytes, varint seq, svarint ts, svarint time of detachment;
 *   kind 2: the same, then what is done beyond it: for each span varint first less the last of the
 *           span before (seq for the first), varint last less first; up to the end.
 * The column `spans` holds these pairs.
 */
typedef struct weir_cursors {
    weir_cursor *items;
    uint8_t *marks; /* CURSOR_MOVED, CURSOR_UNFOLDED of each item */
    size_t n, capacity;
    uint8_t *state;
    size_t state_capacity;
} weir_cursors;

void weir_cursors_deinit(weir_cursors *c);

/* Reads the table. */
weir_err weir_cursors_load(weir_cursors *c, struct sqlite3 *db, weir_error *error) WEIR_MUST_CHECK;

/* Applies the state of a row that is not merged, and begins at first_seq. Kinds it does not know
 * are skipped. WEIR_EDAMAGED, WEIR_ENOMEM. */
weir_err weir_cursors_apply(weir_cursors *c, uint64_t first_seq, const uint8_t *state, size_t n,
                            weir_error *error) WEIR_MUST_CHECK;

/* The cursor of this name is as `to`, whose name and `folded` are not looked at. WEIR_ENOMEM. */
weir_err weir_cursors_set(weir_cursors *c, const char *name, size_t name_length,
                          const weir_cursor *to, weir_error *error) WEIR_MUST_CHECK;

/* NULL: not known. */
const weir_cursor *weir_cursors_find(const weir_cursors *c, const char *name, size_t name_length);

/* The state for the next commit: moves since the last one that succeeded. Lives until the next
 * call. */
weir_err weir_cursors_state(weir_cursors *c, const uint8_t **ret, size_t *ret_n,
                            weir_error *error) WEIR_MUST_CHECK;
void weir_cursors_committed(weir_cursors *c);

/* Whether the table lacks something; writing that in the open transaction; and that it succeeded.
 * committed_seq: of the last commit before. */
bool weir_cursors_unfolded(const weir_cursors *c);
weir_err weir_cursors_fold(weir_cursors *c, struct sqlite3 *db, uint64_t committed_seq,
                           weir_error *error) WEIR_MUST_CHECK;
void weir_cursors_folded(weir_cursors *c);

/* All up to here has been acknowledged by every cursor that still counts; UINT64_MAX: none does.
 * One that is detached counts for detached_after_us, a historian's for as long after its last move.
 */
uint64_t weir_cursors_passed(const weir_cursors *c, weir_wall now, int64_t detached_after_us);
