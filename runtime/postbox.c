/* SPDX-License-Identifier: MIT */
/* The postbox: what sinks and historians ask of the store thread.
 *
 * The happy path: a sink's thread copies what it posts into a parcel, or over its last cursor,
 * under a short lock. The store thread takes all of it at once and does one after the other:
 * parcels in the order they came, then cursors, then records of sinks.
 *
 * What can fail: the disk, or memory. What was taken then stays with the store thread and is gone
 * on with at the next step, before anything newer is taken: so no cursor overtakes the rows that
 * were set aside before it. Parcels that wait are bounded; who posts more is told to come again. */

#include "runtime/postbox.h"

#include <string.h>

#include "base/alloc.h"

enum { WAITING_MAX = 16 * 1024 * 1024 };

enum parcel_kind { PARCEL_SET_ASIDE, PARCEL_REPLAY, PARCEL_EVENT, PARCEL_GAP };

struct parcel {
    struct parcel *next;
    weir_arena *arena; /* owns it, and all that it points to */
    size_t bytes;
    enum parcel_kind kind;
    const char *sink;
    weir_set_aside *rows; /* SET_ASIDE */
    size_t n_rows;
    uint64_t id; /* REPLAY */
    int64_t done;
    weir_event event;
    weir_consumer_gap gap;
};

struct move {
    struct move *next;
    uint64_t seq;
    bool detached; /* after that, nobody owns it */
    size_t n_spans;
    weir_span spans[WEIR_CURSOR_SPANS_MAX];
    char consumer[];
};

/* What waits for the store thread, or was taken by it and is not done. */
struct mail {
    struct parcel *first, *last;
    struct move *moves;
    weir_arena *sinks_arena;
    weir_sink_record *sinks;
    size_t n_sinks;
    bool urgent;
};

struct weir_postbox {
    void (*wake)(void *data);
    void *data;
    struct mail taken; /* the store thread's */

    pthread_mutex_t lock; /* of what follows */
    struct mail waiting;
    size_t bytes; /* of parcels, those taken included */
};

weir_err weir_postbox_new(void (*wake)(void *data), void *data, weir_postbox **ret,
                          weir_error *error)
{
    weir_postbox *box = weir_alloc_zero(1, sizeof *box);
    if (!box || pthread_mutex_init(&box->lock, NULL)) {
        weir_free(box);
        return weir_fail(error, WEIR_ENOMEM, "the postbox");
    }
    box->wake = wake;
    box->data = data;
    *ret = box;
    return WEIR_OK;
}

static void mail_drop_sinks(struct mail *mail)
{
    weir_arena_free(mail->sinks_arena);
    mail->sinks_arena = NULL;
    mail->sinks = NULL;
}

static void mail_drop(struct mail *mail)
{
    for (struct parcel *p = mail->first, *next; p; p = next) {
        next = p->next;
        weir_arena_free(p->arena);
    }
    for (struct move *m = mail->moves, *next; m; m = next) {
        next = m->next;
        weir_free(m);
    }
    if (mail->sinks_arena)
        mail_drop_sinks(mail);
    *mail = (struct mail){0};
}

void weir_postbox_free(weir_postbox *box)
{
    if (!box)
        return;
    mail_drop(&box->taken);
    mail_drop(&box->waiting);
    (void)pthread_mutex_destroy(&box->lock);
    weir_free(box);
}

static weir_err no_memory(weir_error *error)
{
    return weir_fail(error, WEIR_ENOMEM, "no memory for what a sink asks of the store");
}

/* --- cursors ------------------------------------------------------------------------------ */

static struct move *mail_find_move(const struct mail *mail, const char *consumer)
{
    struct move *m = mail->moves;
    while (m && strcmp(m->consumer, consumer) != 0)
        m = m->next;
    return m;
}

static struct move *mail_add_move(struct mail *mail, const char *consumer)
{
    const size_t length = strlen(consumer) + 1;
    struct move *m = weir_alloc(sizeof *m + length);
    if (!m)
        return NULL;
    memcpy(m->consumer, consumer, length);
    m->next = mail->moves;
    mail->moves = m;
    return m;
}

static weir_err post_move(weir_postbox *box, const char *consumer, uint64_t seq, bool detached,
                          const weir_span *spans, size_t n_spans, weir_error *error)
{
    (void)pthread_mutex_lock(&box->lock);
    struct move *m = mail_find_move(&box->waiting, consumer);
    if (!m)
        m = mail_add_move(&box->waiting, consumer);
    if (m) {
        m->seq = seq;
        m->detached = detached;
        m->n_spans = n_spans;
        if (n_spans)
            memcpy(m->spans, spans, n_spans * sizeof *spans);
    }
    (void)pthread_mutex_unlock(&box->lock);
    return m ? WEIR_OK : no_memory(error);
}

weir_err weir_postbox_cursor(weir_postbox *box, const char *consumer, uint64_t seq,
                             const weir_span *spans, size_t n_spans, weir_error *error)
{
    return post_move(box, consumer, seq, false, spans, n_spans, error);
}

weir_err weir_postbox_detach(weir_postbox *box, const char *consumer, uint64_t seq,
                             weir_error *error)
{
    return post_move(box, consumer, seq, true, NULL, 0, error);
}

/* --- parcels ------------------------------------------------------------------------------ */

static struct parcel *parcel_new(enum parcel_kind kind, const char *sink)
{
    weir_arena *arena = weir_arena_new();
    struct parcel *p = arena ? weir_arena_alloc(arena, 1, sizeof *p) : NULL;
    if (p) {
        p->arena = arena;
        p->kind = kind;
        p->sink = weir_arena_text(arena, sink);
    }
    if (p && p->sink)
        return p;
    weir_arena_free(arena);
    return NULL;
}

/* Takes p, which may be NULL or incomplete (complete false): no memory. */
static weir_err box_put(weir_postbox *box, struct parcel *p, bool complete, bool urgent,
                        weir_error *error)
{
    bool fits = false;
    if (p && complete) {
        p->bytes = weir_arena_size(p->arena);
        (void)pthread_mutex_lock(&box->lock);
        fits = box->bytes == 0 || box->bytes + p->bytes <= WAITING_MAX;
        if (fits) {
            struct mail *mail = &box->waiting;
            *(mail->last ? &mail->last->next : &mail->first) = p;
            mail->last = p;
            mail->urgent |= urgent;
            box->bytes += p->bytes;
        }
        (void)pthread_mutex_unlock(&box->lock);
    }
    if (fits) {
        if (urgent && box->wake)
            box->wake(box->data);
        return WEIR_OK;
    }
    if (p)
        weir_arena_free(p->arena);
    return p && complete ? weir_fail(error, WEIR_ELIMIT, "too much waits for the store")
                         : no_memory(error);
}

/* False: no memory. */
static bool copy_text(weir_arena *arena, const char **text)
{
    *text = weir_arena_text(arena, *text ? *text : "");
    return *text != NULL;
}

static bool copy_labels(weir_arena *arena, weir_sink_tag *tag)
{
    weir_label *labels = weir_arena_alloc(arena, tag->n_labels + 1, sizeof *labels);
    if (!labels)
        return false;
    for (size_t i = 0; i < tag->n_labels; i++) {
        labels[i] = tag->labels[i];
        if (!copy_text(arena, &labels[i].key) || !copy_text(arena, &labels[i].value))
            return false;
    }
    tag->labels = labels;
    return true;
}

static const weir_sink_tag *copy_tag(weir_arena *arena, const weir_sink_tag *tag)
{
    weir_sink_tag *copy = weir_arena_alloc(arena, 1, sizeof *copy);
    if (!copy)
        return NULL;
    *copy = *tag;
    const bool copied = copy_text(arena, &copy->name) && copy_text(arena, &copy->device) &&
                        copy_text(arena, &copy->point) && copy_text(arena, &copy->unit) &&
                        copy_text(arena, &copy->type) && copy_text(arena, &copy->address) &&
                        copy_text(arena, &copy->description) &&
                        copy_text(arena, &copy->labels_json) && copy_labels(arena, copy);
    return copied ? copy : NULL;
}

static bool copy_row(weir_arena *arena, const weir_set_aside *from, weir_set_aside *to)
{
    weir_sink_row *row = weir_arena_alloc(arena, 1, sizeof *row);
    if (!row)
        return false;
    *row = *from->row;
    *to = (weir_set_aside){row, from->why};
    row->tag = copy_tag(arena, row->tag);
    weir_value *v = &row->sample.value;
    if (v->kind == WEIR_KIND_STRING || v->kind == WEIR_KIND_BYTES)
        v->as.text = weir_arena_text_n(arena, v->as.text, v->length);
    return row->tag && (!to->why || copy_text(arena, &to->why)) &&
           ((v->kind != WEIR_KIND_STRING && v->kind != WEIR_KIND_BYTES) || v->as.text);
}

weir_err weir_postbox_set_aside(weir_postbox *box, const char *sink, const weir_set_aside *rows,
                                size_t n, weir_error *error)
{
    struct parcel *p = parcel_new(PARCEL_SET_ASIDE, sink);
    bool complete = p && (p->rows = weir_arena_alloc(p->arena, n, sizeof *p->rows));
    for (size_t i = 0; complete && i < n; i++)
        complete = copy_row(p->arena, &rows[i], &p->rows[p->n_rows++]);
    return box_put(box, p, complete, false, error);
}

weir_err weir_postbox_replay(weir_postbox *box, const char *sink, uint64_t id, int64_t done,
                             weir_error *error)
{
    struct parcel *p = parcel_new(PARCEL_REPLAY, sink);
    if (p) {
        p->id = id;
        p->done = done;
    }
    return box_put(box, p, true, false, error);
}

weir_err weir_postbox_event(weir_postbox *box, const weir_event *event, bool urgent,
                            weir_error *error)
{
    struct parcel *p = parcel_new(PARCEL_EVENT, "");
    bool complete = false;
    if (p) {
        p->event = *event;
        complete = copy_text(p->arena, &p->event.subject) && copy_text(p->arena, &p->event.text);
    }
    return box_put(box, p, complete, urgent, error);
}

static bool copy_spans(weir_arena *arena, weir_consumer_gap *gap)
{
    weir_span *done = weir_arena_alloc(arena, gap->n_done + 1, sizeof *done);
    if (!done)
        return false;
    for (size_t i = 0; i < gap->n_done; i++)
        done[i] = gap->done[i];
    gap->done = done;
    return true;
}

weir_err weir_postbox_gap(weir_postbox *box, const weir_consumer_gap *gap, weir_error *error)
{
    struct parcel *p = parcel_new(PARCEL_GAP, gap->sink);
    bool complete = false;
    if (p) {
        p->gap = *gap;
        p->gap.sink = p->sink;
        complete = copy_text(p->arena, &p->gap.cause) && copy_spans(p->arena, &p->gap);
    }
    return box_put(box, p, complete, false, error);
}

/* --- records of sinks --------------------------------------------------------------------- */

static bool copy_record(weir_arena *arena, weir_sink_record *r)
{
    return copy_text(arena, &r->name) && copy_text(arena, &r->type) &&
           copy_text(arena, &r->state) && copy_text(arena, &r->error) &&
           copy_text(arena, &r->remedy);
}

weir_err weir_postbox_sinks(weir_postbox *box, const weir_sink_record *sinks, size_t n,
                            weir_error *error)
{
    weir_arena *arena = weir_arena_new();
    weir_sink_record *copy = arena ? weir_arena_alloc(arena, n + 1, sizeof *copy) : NULL;
    bool copied = copy != NULL;
    for (size_t i = 0; copied && i < n; i++) {
        copy[i] = sinks[i];
        copied = copy_record(arena, &copy[i]);
    }
    if (!copied) {
        if (arena)
            weir_arena_free(arena);
        return no_memory(error);
    }
    (void)pthread_mutex_lock(&box->lock);
    if (box->waiting.sinks_arena)
        mail_drop_sinks(&box->waiting);
    box->waiting.sinks_arena = arena;
    box->waiting.sinks = copy;
    box->waiting.n_sinks = n;
    (void)pthread_mutex_unlock(&box->lock);
    return WEIR_OK;
}

/* --- the store thread --------------------------------------------------------------------- */

/* What nothing but another try, or another disk, can help. */
static bool is_for_good(weir_err err)
{
    return err == WEIR_EINVAL || err == WEIR_ENOTFOUND;
}

static weir_err parcel_deliver(const struct parcel *p, weir_store *store, weir_wall now,
                               weir_error *error)
{
    switch (p->kind) {
    case PARCEL_SET_ASIDE:
        return weir_store_set_aside(store, p->sink, p->rows, p->n_rows, now, error);
    case PARCEL_REPLAY:
        return weir_store_note_replay(store, p->sink, p->id, p->done, error);
    case PARCEL_EVENT:
        return weir_store_event(store, &p->event, error);
    case PARCEL_GAP:
        return weir_store_note_gap(store, &p->gap, now, error);
    }
    return WEIR_OK;
}

static void box_drop_parcel(weir_postbox *box)
{
    struct parcel *p = box->taken.first;
    box->taken.first = p->next;
    if (!p->next)
        box->taken.last = NULL;
    (void)pthread_mutex_lock(&box->lock);
    box->bytes -= p->bytes;
    (void)pthread_mutex_unlock(&box->lock);
    weir_arena_free(p->arena);
}

/* refused: the last error of what was refused for good. */
static weir_err taken_deliver(weir_postbox *box, weir_store *store, weir_wall now,
                              weir_err *refused, weir_error *error)
{
    struct mail *mail = &box->taken;
    weir_err err = WEIR_OK;
    while (mail->first) {
        err = parcel_deliver(mail->first, store, now, error);
        if (err != WEIR_OK && !is_for_good(err))
            return err;
        *refused = err != WEIR_OK ? WEIR_EINVAL : *refused;
        box_drop_parcel(box);
    }
    while (mail->moves) {
        struct move *m = mail->moves;
        err = weir_store_set_cursor(store, m->consumer, m->seq, m->spans, m->n_spans, now, error);
        if (err == WEIR_OK && m->detached)
            err = weir_store_detach_cursor(store, m->consumer, now, error);
        if (err != WEIR_OK && !is_for_good(err))
            return err;
        *refused = err != WEIR_OK ? WEIR_EINVAL : *refused;
        mail->moves = m->next;
        weir_free(m);
    }
    if (mail->sinks_arena) {
        err = weir_store_put_sinks(store, mail->sinks, mail->n_sinks, error);
        if (err != WEIR_OK && !is_for_good(err))
            return err;
        *refused = err != WEIR_OK ? WEIR_EINVAL : *refused;
        mail_drop_sinks(mail);
    }
    return WEIR_OK;
}

/* Nothing of what was taken before is left: the next. False: nothing waits. */
static bool box_take(weir_postbox *box)
{
    (void)pthread_mutex_lock(&box->lock);
    box->taken = box->waiting;
    box->waiting = (struct mail){0};
    (void)pthread_mutex_unlock(&box->lock);
    return box->taken.first || box->taken.moves || box->taken.sinks_arena;
}

weir_err weir_postbox_deliver(weir_postbox *box, weir_store *store, weir_wall now, bool *ret_urgent,
                              weir_error *error)
{
    weir_err refused = WEIR_OK;
    bool urgent = false;
    do {
        urgent |= box->taken.urgent;
        const weir_err err = taken_deliver(box, store, now, &refused, error);
        if (err != WEIR_OK)
            return err;
        box->taken.urgent = false;
    } while (box_take(box));
    *ret_urgent = urgent;
    return refused;
}
