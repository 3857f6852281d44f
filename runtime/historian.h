/* SPDX-License-Identifier: MIT */
/* Pulling historians: programs that come and take what was committed, and say what they have. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "model/sink.h"
#include "runtime/postbox.h"

/*
 * A historian reads behind its cursor as often as it likes and gets the same again, until it
 * acknowledges. What all consumers have acknowledged may go from the log. It is known by its first
 * read; what it has not acknowledged is kept for it as for a sink, but not longer than the store's
 * `detached_after` once nothing of it is heard any more.
 */
typedef struct weir_historians weir_historians;

enum {
    WEIR_HISTORIANS_MAX = 32,
    WEIR_HISTORIAN_NAME_MAX = 64,
    WEIR_HISTORIAN_ROWS_MAX = 10 * 1000, /* in one read */
};

/* Borrows both texts' contents and the box. One thread at a time. */
weir_err weir_historians_new(const char *data_dir, const char *vfs, weir_postbox *box,
                             weir_historians **ret, weir_error *error) WEIR_MUST_CHECK;
void weir_historians_free(weir_historians *historians); /* accepts NULL */

typedef struct weir_historian_wish {
    const char *name; /* letters, digits, . _ - */
    uint64_t after;   /* read on behind this seq, acknowledging nothing; 0: behind the cursor */
    size_t limit;     /* rows, about: all of one moment's commit come together; 0: 1000 */
    const char *tags; /* a pattern; NULL: all */
    bool from_now;    /* when it is not known yet: what is committed from now on, instead of all
                         that the log has */
} weir_historian_wish;

typedef struct weir_historian_read {
    const char *store;     /* uuid: another one is another store, whose numbers mean nothing here */
    uint64_t acknowledged; /* the cursor */
    uint64_t last_seq;     /* everything up to here was given, or is not for it: acknowledge this */
    uint64_t committed_seq; /* last_seq is lower: there is more */
    uint64_t lost;          /* samples that are not there any more; `gaps` says which and why */
    bool held;              /* what comes next has a clock that may yet be corrected */
} weir_historian_read;

/*
 * Calls back with rows in the order of seq. Rows live until the callback returns, their tags until
 * the end of the read.
 *
 * WEIR_EINVAL  a name or pattern that cannot be; `after` beyond what is committed.
 * WEIR_ELIMIT  there are WEIR_HISTORIANS_MAX already: remove one.
 * and what the callback and weir_take_next return.
 */
typedef weir_err weir_historian_on_rows(void *data, const weir_sink_row *rows, size_t n,
                                        weir_error *error);
weir_err weir_historian_get(weir_historians *historians, const weir_historian_wish *wish,
                            weir_historian_on_rows *call, void *data, weir_historian_read *ret,
                            weir_error *error) WEIR_MUST_CHECK;

/*
 * It has everything up to this seq. Saying it again, or less, changes nothing. ret_seq: the cursor.
 * Durable with the next commit: a crash before that only repeats. WEIR_ENOTFOUND, WEIR_EINVAL:
 * beyond what is committed.
 */
weir_err weir_historian_acknowledge(weir_historians *historians, const char *name, uint64_t seq,
                                    uint64_t *ret_seq, weir_error *error) WEIR_MUST_CHECK;

/*
 * It has everything with a time up to ts, of what it was given (when that is not known any more: of
 * what is committed). The cursor goes up to the first sample that is later: what came late behind
 * that is given again, and nothing is passed over.
 */
weir_err weir_historian_acknowledge_time(weir_historians *historians, const char *name,
                                         weir_wall ts, uint64_t *ret_seq,
                                         weir_error *error) WEIR_MUST_CHECK;

/* The uuid of the store that its numbers are of; lives until it reads again. WEIR_ENOTFOUND. */
weir_err weir_historian_store(weir_historians *historians, const char *name, const char **ret,
                              weir_error *error) WEIR_MUST_CHECK;

/* Nothing is kept for it any more. WEIR_ENOTFOUND. */
weir_err weir_historian_remove(weir_historians *historians, const char *name,
                               weir_error *error) WEIR_MUST_CHECK;
