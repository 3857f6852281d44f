/* SPDX-License-Identifier: MIT */
/* Pulling historians: reading behind a cursor, and acknowledging.
 *
 * The happy path: a read opens a take of the historian's own, asks the store once where its cursor
 * is, and walks the log from there, row by row, until there is enough. An acknowledgement moves the
 * cursor here at once and posts it to the store thread, which makes it durable with its next
 * commit.
 *
 * What can fail: the store cannot be read (the caller is told, and asks again); the process dies
 * before the cursor was committed (the historian reads some again); samples were dropped at a limit
 * (they are counted, and `gaps` has them). */

#include "runtime/historian.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/text.h"
#include "store/query/take.h"

enum { ROWS_DEFAULT = 1000 };

struct historian {
    char name[WEIR_HISTORIAN_NAME_MAX + sizeof WEIR_HISTORIAN_PREFIX]; /* the cursor's; "": free */
    weir_take *take;
    bool known;            /* it has a cursor, or will have with the next commit */
    bool removed;          /* it has none, though the store may not know yet */
    uint64_t acknowledged; /* ahead of the store's cursor until that is committed */
    uint64_t given;        /* the highest that was given to it; 0: not since the start */
    weir_span gaps[WEIR_CURSOR_SPANS_MAX]; /* behind acknowledged: recorded as such already */
    size_t n_gaps;
};

struct weir_historians {
    const char *data_dir, *vfs;
    weir_postbox *box;
    struct historian items[WEIR_HISTORIANS_MAX];
};

weir_err weir_historians_new(const char *data_dir, const char *vfs, weir_postbox *box,
                             weir_historians **ret, weir_error *error)
{
    weir_historians *h = weir_alloc_zero(1, sizeof *h);
    if (!h)
        return weir_fail(error, WEIR_ENOMEM, "the historians");
    *h = (weir_historians){.data_dir = data_dir, .vfs = vfs, .box = box};
    *ret = h;
    return WEIR_OK;
}

static void historian_forget(struct historian *h)
{
    weir_take_close(h->take);
    *h = (struct historian){0};
}

void weir_historians_free(weir_historians *historians)
{
    for (size_t i = 0; historians && i < WEIR_HISTORIANS_MAX; i++)
        historian_forget(&historians->items[i]);
    weir_free(historians);
}

/* --- who it is ---------------------------------------------------------------------------- */

static weir_err name_check(const char *name, weir_error *error)
{
    const size_t n = strlen(name);
    if (n > 0 && n <= WEIR_HISTORIAN_NAME_MAX &&
        strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") == n)
        return WEIR_OK;
    return weir_fail(error, WEIR_EINVAL,
                     "a historian's name has 1 to %d letters, digits, dots, dashes or underscores",
                     WEIR_HISTORIAN_NAME_MAX);
}

static struct historian *place_find(weir_historians *historians, const char *cursor)
{
    for (size_t i = 0; i < WEIR_HISTORIANS_MAX; i++)
        if (strcmp(historians->items[i].name, cursor) == 0)
            return &historians->items[i];
    return NULL;
}

static struct historian *place_free(weir_historians *historians)
{
    struct historian *h = place_find(historians, "");
    for (size_t i = 0; !h && i < WEIR_HISTORIANS_MAX; i++)
        if (historians->items[i].removed) {
            h = &historians->items[i];
            historian_forget(h);
        }
    return h;
}

/* Where its cursor is, if it has one: asked once, as the store may be a commit behind. */
static weir_err historian_open(weir_historians *historians, struct historian *h, const char *cursor,
                               weir_error *error)
{
    const weir_take_orders *orders;
    weir_err err = weir_take_open(historians->data_dir, historians->vfs, cursor, &h->take, error);
    if (err == WEIR_OK)
        err = weir_take_get_orders(h->take, &orders, error);
    if (err != WEIR_OK) {
        historian_forget(h);
        return err;
    }
    (void)snprintf(h->name, sizeof h->name, "%s", cursor);
    h->known = orders->known && orders->cursor.detached.us == 0;
    h->acknowledged = h->known ? orders->cursor.seq : 0;
    h->n_gaps = h->known ? orders->cursor.n_done : 0;
    memcpy(h->gaps, orders->cursor.done, sizeof h->gaps);
    return WEIR_OK;
}

static weir_err historian_find(weir_historians *historians, const char *name,
                               struct historian **ret, weir_error *error)
{
    char cursor[sizeof historians->items[0].name];
    weir_err err = name_check(name, error);
    if (err != WEIR_OK)
        return err;
    (void)snprintf(cursor, sizeof cursor, WEIR_HISTORIAN_PREFIX "%s", name);
    struct historian *h = place_find(historians, cursor);
    if (!h) {
        h = place_free(historians);
        if (!h)
            return weir_fail(error, WEIR_ELIMIT,
                             "there are %d historians already: `weir historian remove NAME` the "
                             "ones that are gone",
                             WEIR_HISTORIANS_MAX);
        err = historian_open(historians, h, cursor, error);
    }
    *ret = h;
    return err;
}

/* One that must have read before. */
static weir_err historian_known(weir_historians *historians, const char *name,
                                struct historian **ret, weir_error *error)
{
    struct historian *h = NULL;
    weir_err err = historian_find(historians, name, &h, error);
    if (err != WEIR_OK)
        return err;
    if (!h->known) {
        if (!h->removed)
            historian_forget(h);
        return weir_fail(error, WEIR_ENOTFOUND,
                         "no historian '%s' has read yet: `weir historian read %s` makes it known",
                         name, name);
    }
    *ret = h;
    return WEIR_OK;
}

static weir_err cursor_move(weir_historians *historians, struct historian *h, uint64_t seq,
                            weir_error *error)
{
    size_t passed = 0;
    while (passed < h->n_gaps && h->gaps[passed].last <= seq)
        passed++;
    h->n_gaps -= passed;
    memmove(h->gaps, h->gaps + passed, h->n_gaps * sizeof *h->gaps);
    /* A span begins behind the cursor. */
    if (h->n_gaps > 0 && h->gaps[0].first <= seq + 1) {
        seq = h->gaps[0].last;
        memmove(h->gaps, h->gaps + 1, --h->n_gaps * sizeof *h->gaps);
    }
    weir_err err = weir_postbox_cursor(historians->box, h->name, seq, h->gaps, h->n_gaps, error);
    if (err != WEIR_OK)
        return err;
    h->known = true;
    h->removed = false;
    h->acknowledged = seq;
    return WEIR_OK;
}

/* The first read: it has a cursor from now on, so that what it reads stays in the log. */
static weir_err historian_begin(weir_historians *historians, struct historian *h, bool from_now,
                                const weir_take_head *head, weir_error *error)
{
    if (h->known)
        return WEIR_OK;
    const uint64_t seq = from_now ? head->committed_seq : head->first_seq - 1;
    return cursor_move(historians, h, seq, error);
}

/* --- reading ------------------------------------------------------------------------------ */

/* What was not there, or will never have a right time: that is recorded once, however often it is
 * read. With more such stretches than a cursor remembers the rest waits for an acknowledgement. */
static weir_err chunk_missing(weir_historians *historians, struct historian *h,
                              const weir_take_chunk *chunk, weir_historian_read *read,
                              weir_error *error)
{
    read->lost += chunk->lost;
    if (!chunk->never || chunk->lost == 0)
        return WEIR_OK;
    if (h->n_gaps > 0 && chunk->last_seq <= h->gaps[h->n_gaps - 1].last)
        return WEIR_OK;
    if (h->n_gaps == WEIR_CURSOR_SPANS_MAX)
        return weir_fail(error, WEIR_ELIMIT, "acknowledge what was read before you read on");
    h->gaps[h->n_gaps] = (weir_span){chunk->first_seq, chunk->last_seq};
    const weir_consumer_gap gap = {.sink = h->name,
                                   .seq = h->acknowledged,
                                   .done = h->gaps,
                                   .n_done = h->n_gaps + 1,
                                   .from_ts = chunk->from_ts,
                                   .to_ts = chunk->to_ts,
                                   .count = chunk->lost,
                                   .cause = "clock"};
    const weir_err err = weir_postbox_gap(historians->box, &gap, error);
    h->n_gaps += err == WEIR_OK;
    return err;
}

/* Hands on those whose tag matches, in runs of neighbours. */
static weir_err rows_give(const weir_take_chunk *chunk, const char *tags,
                          weir_historian_on_rows *call, void *data, size_t *given,
                          weir_error *error)
{
    size_t at = 0;
    while (at < chunk->n) {
        size_t end = at;
        while (end < chunk->n && (!tags || weir_glob_match(tags, chunk->rows[end].tag->name)))
            end++;
        const weir_err err = end > at ? call(data, &chunk->rows[at], end - at, error) : WEIR_OK;
        if (err != WEIR_OK)
            return err;
        *given += end - at;
        at = end + 1;
    }
    return WEIR_OK;
}

/* Samples looked at for one read, so that a pattern that matches little does not take for ever. */
enum { LOOKED_MAX = 1000 * 1000 };

static weir_err rows_read(weir_historians *historians, struct historian *h,
                          const weir_historian_wish *wish, weir_historian_on_rows *call, void *data,
                          weir_historian_read *read, weir_error *error)
{
    const size_t most = wish->limit > WEIR_HISTORIAN_ROWS_MAX ? WEIR_HISTORIAN_ROWS_MAX
                        : wish->limit > 0                     ? wish->limit
                                                              : ROWS_DEFAULT;
    size_t given = 0, looked = 0;
    while (given < most && looked < LOOKED_MAX) {
        weir_take_chunk chunk;
        bool any;
        weir_err err = weir_take_next(h->take, read->last_seq, read->committed_seq, most - given,
                                      &chunk, &any, error);
        if (err == WEIR_EDAMAGED) {
            read->last_seq = chunk.last_seq;
            continue; /* the store sets it aside, and says so */
        }
        if (err != WEIR_OK || !any)
            return err;
        read->held = chunk.held;
        if (chunk.held)
            return WEIR_OK;
        err = chunk_missing(historians, h, &chunk, read, error);
        if (err == WEIR_OK)
            err = rows_give(&chunk, wish->tags, call, data, &given, error);
        if (err != WEIR_OK)
            return err;
        looked += chunk.n;
        read->last_seq = chunk.last_seq;
    }
    return WEIR_OK;
}

weir_err weir_historian_get(weir_historians *historians, const weir_historian_wish *wish,
                            weir_historian_on_rows *call, void *data, weir_historian_read *ret,
                            weir_error *error)
{
    struct historian *h = NULL;
    weir_take_head head;
    weir_err err = historian_find(historians, wish->name, &h, error);
    if (err == WEIR_OK)
        err = weir_take_get_head(h->take, &head, error);
    if (err == WEIR_OK && wish->after > head.committed_seq)
        err = weir_fail(error, WEIR_EINVAL,
                        "nothing is committed behind %llu yet, but up to %llu: is this another "
                        "store?",
                        (unsigned long long)wish->after, (unsigned long long)head.committed_seq);
    if (err == WEIR_OK)
        err = historian_begin(historians, h, wish->from_now, &head, error);
    if (err != WEIR_OK)
        return err;
    weir_historian_read read = {
        .acknowledged = h->acknowledged,
        .last_seq = wish->after > h->acknowledged ? wish->after : h->acknowledged,
        .committed_seq = head.committed_seq,
    };
    err = rows_read(historians, h, wish, call, data, &read, error);
    if (err != WEIR_OK)
        return err;
    read.store = weir_take_store(h->take);
    h->given = read.last_seq > h->given ? read.last_seq : h->given;
    *ret = read;
    return WEIR_OK;
}

/* --- acknowledging ------------------------------------------------------------------------ */

static weir_err acknowledge(weir_historians *historians, struct historian *h, uint64_t seq,
                            uint64_t *ret_seq, weir_error *error)
{
    weir_err err = seq > h->acknowledged ? cursor_move(historians, h, seq, error) : WEIR_OK;
    if (err == WEIR_OK)
        *ret_seq = h->acknowledged;
    return err;
}

weir_err weir_historian_acknowledge(weir_historians *historians, const char *name, uint64_t seq,
                                    uint64_t *ret_seq, weir_error *error)
{
    struct historian *h = NULL;
    weir_take_head head;
    weir_err err = historian_known(historians, name, &h, error);
    if (err == WEIR_OK)
        err = weir_take_get_head(h->take, &head, error);
    if (err == WEIR_OK && seq > head.committed_seq)
        err = weir_fail(error, WEIR_EINVAL,
                        "%llu was not committed yet, the newest is %llu: is this the cursor of "
                        "another store?",
                        (unsigned long long)seq, (unsigned long long)head.committed_seq);
    return err == WEIR_OK ? acknowledge(historians, h, seq, ret_seq, error) : err;
}

/* The seq before the first row later than ts; *ret_later: there is one. */
static uint64_t rows_until(const weir_take_chunk *chunk, int64_t ts, bool *ret_later)
{
    for (size_t i = 0; i < chunk->n; i++)
        if (chunk->rows[i].sample.ts.us > ts) {
            *ret_later = true;
            return chunk->rows[i].seq - 1;
        }
    return chunk->last_seq;
}

weir_err weir_historian_acknowledge_time(weir_historians *historians, const char *name,
                                         weir_wall ts, uint64_t *ret_seq, weir_error *error)
{
    struct historian *h = NULL;
    weir_take_head head;
    bool later = false, any = true;
    weir_err err = historian_known(historians, name, &h, error);
    if (err == WEIR_OK)
        err = weir_take_get_head(h->take, &head, error);
    if (err != WEIR_OK)
        return err;
    const uint64_t until = h->given > 0 ? h->given : head.committed_seq;
    uint64_t seq = h->acknowledged;
    while (!later && any && seq < until) {
        weir_take_chunk chunk;
        err = weir_take_next(h->take, seq, until, ROWS_DEFAULT, &chunk, &any, error);
        if (err == WEIR_EDAMAGED) {
            seq = chunk.last_seq;
            continue;
        }
        if (err != WEIR_OK)
            return err;
        if (!any || chunk.held)
            break;
        seq = rows_until(&chunk, ts.us, &later);
    }
    return acknowledge(historians, h, seq < until ? seq : until, ret_seq, error);
}

weir_err weir_historian_store(weir_historians *historians, const char *name, const char **ret,
                              weir_error *error)
{
    struct historian *h = NULL;
    weir_err err = historian_known(historians, name, &h, error);
    if (err == WEIR_OK)
        *ret = weir_take_store(h->take);
    return err;
}

weir_err weir_historian_remove(weir_historians *historians, const char *name, weir_error *error)
{
    struct historian *h = NULL;
    weir_take_head head;
    weir_err err = historian_known(historians, name, &h, error);
    if (err == WEIR_OK)
        err = weir_take_get_head(h->take, &head, error);
    /* What it has "acknowledged" pins nothing, and a detached cursor is shown no more. */
    if (err == WEIR_OK)
        err = weir_postbox_detach(historians->box, h->name, head.committed_seq, error);
    if (err != WEIR_OK)
        return err;
    h->known = false;
    h->removed = true;
    h->given = 0;
    h->n_gaps = 0;
    return WEIR_OK;
}
