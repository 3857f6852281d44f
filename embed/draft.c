/* SPDX-License-Identifier: MIT */
/* A configuration built by code: a tree that is written down as a file, and loaded as one. */

#include "weir/draft.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/text.h"

enum pair_kind { PAIR_TEXT, PAIR_PLAIN, PAIR_MAP, PAIR_ENTRIES, PAIR_TEXTS };

struct item {
    struct item *next;
    const char *text;  /* of PAIR_TEXTS */
    weir_entry *entry; /* of PAIR_ENTRIES */
};

struct pair {
    struct pair *next;
    const char *key;
    enum pair_kind kind;
    const char *text;
    weir_entry *map;
    struct item *first, *last;
};

struct weir_entry {
    weir_draft *draft;
    struct pair *first, *last;
};

struct weir_draft {
    weir_arena *arena;
    weir_text text;
    bool failed;
    weir_entry top;
};

weir_draft *weir_draft_new(void)
{
    WEIR_CLEANUP(weir_arena_free) weir_arena *arena = weir_arena_new();
    weir_draft *b = arena ? weir_arena_alloc(arena, 1, sizeof *b) : NULL;
    if (!b)
        return NULL;
    b->arena = arena;
    b->top.draft = b;
    arena = NULL;
    return b;
}

void weir_draft_free(weir_draft *draft)
{
    if (!draft)
        return;
    weir_text_deinit(&draft->text);
    weir_arena_free(draft->arena);
}

weir_entry *weir_draft_top(weir_draft *draft)
{
    return draft ? &draft->top : NULL;
}

static void *entry_alloc(weir_entry *e, size_t size)
{
    void *p = weir_arena_alloc(e->draft->arena, 1, size);
    e->draft->failed |= !p;
    return p;
}

static const char *entry_text(weir_entry *e, const char *text)
{
    const char *copy = weir_arena_text(e->draft->arena, text ? text : "");
    e->draft->failed |= !copy;
    return copy;
}

/* The pair of that key, as one of that kind; what it was before is forgotten. */
static struct pair *entry_pair(weir_entry *e, const char *key, enum pair_kind kind)
{
    struct pair *pair = e->first;
    while (pair && strcmp(pair->key, key) != 0)
        pair = pair->next;
    if (!pair) {
        const char *copy = entry_text(e, key);
        pair = copy ? entry_alloc(e, sizeof *pair) : NULL;
        if (!pair)
            return NULL;
        pair->key = copy;
        if (e->last)
            e->last->next = pair;
        else
            e->first = pair;
        e->last = pair;
    } else if (pair->kind != kind) {
        pair->first = pair->last = NULL;
        pair->map = NULL;
    }
    pair->kind = kind;
    return pair;
}

static struct item *entry_item(weir_entry *e, const char *key, enum pair_kind kind)
{
    struct pair *pair = entry_pair(e, key, kind);
    struct item *item = pair ? entry_alloc(e, sizeof *item) : NULL;
    if (!item)
        return NULL;
    if (pair->last)
        pair->last->next = item;
    else
        pair->first = item;
    pair->last = item;
    return item;
}

static weir_entry *entry_new(weir_entry *e)
{
    weir_entry *entry = entry_alloc(e, sizeof *entry);
    if (entry)
        entry->draft = e->draft;
    return entry;
}

weir_entry *weir_entry_add(weir_entry *entry, const char *key)
{
    struct item *item = entry ? entry_item(entry, key, PAIR_ENTRIES) : NULL;
    return item ? item->entry = entry_new(entry) : NULL;
}

weir_entry *weir_entry_map(weir_entry *entry, const char *key)
{
    struct pair *pair = entry ? entry_pair(entry, key, PAIR_MAP) : NULL;
    if (pair && !pair->map)
        pair->map = entry_new(entry);
    return pair ? pair->map : NULL;
}

static void entry_set(weir_entry *e, const char *key, enum pair_kind kind, const char *text)
{
    struct pair *pair = e ? entry_pair(e, key, kind) : NULL;
    if (pair)
        pair->text = entry_text(e, text);
}

void weir_entry_set(weir_entry *entry, const char *key, const char *text)
{
    entry_set(entry, key, PAIR_TEXT, text);
}

void weir_entry_set_int(weir_entry *entry, const char *key, int64_t number)
{
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    weir_text_format(&text, "%" PRId64, number);
    entry_set(entry, key, PAIR_PLAIN, weir_text_get(&text));
}

void weir_entry_set_number(weir_entry *entry, const char *key, double number)
{
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    /* What is no number is a mistake for whoever reads the key. */
    weir_text_format(&text, "%.17g", number);
    entry_set(entry, key, isfinite(number) ? PAIR_PLAIN : PAIR_TEXT, weir_text_get(&text));
}

void weir_entry_set_bool(weir_entry *entry, const char *key, bool truth)
{
    entry_set(entry, key, PAIR_PLAIN, truth ? "true" : "false");
}

void weir_entry_append(weir_entry *entry, const char *key, const char *text)
{
    struct item *item = entry ? entry_item(entry, key, PAIR_TEXTS) : NULL;
    if (item)
        item->text = entry_text(entry, text);
}

/* --- as text -------------------------------------------------------------------------------- */

static void write_quoted(weir_text *t, const char *text)
{
    weir_text_add_json(t, text ? text : "", text ? strlen(text) : 0);
}

static void write_entry(weir_text *t, const weir_entry *e);

static void write_items(weir_text *t, const struct pair *pair)
{
    weir_text_add_char(t, '[');
    for (const struct item *i = pair->first; i; i = i->next) {
        if (pair->kind == PAIR_TEXTS)
            write_quoted(t, i->text);
        else if (i->entry)
            write_entry(t, i->entry);
        weir_text_add(t, i->next ? pair->kind == PAIR_TEXTS ? ", " : ",\n  " : "]");
    }
}

static void write_value(weir_text *t, const struct pair *pair)
{
    switch (pair->kind) {
    case PAIR_TEXT:
        write_quoted(t, pair->text);
        break;
    case PAIR_PLAIN:
        weir_text_add(t, pair->text ? pair->text : "");
        break;
    case PAIR_MAP:
        if (pair->map)
            write_entry(t, pair->map);
        break;
    case PAIR_ENTRIES:
    case PAIR_TEXTS:
        write_items(t, pair);
        break;
    }
}

static void write_entry(weir_text *t, const weir_entry *e)
{
    weir_text_add_char(t, '{');
    for (const struct pair *pair = e->first; pair; pair = pair->next) {
        write_quoted(t, pair->key);
        weir_text_add(t, ": ");
        write_value(t, pair);
        weir_text_add(t, pair->next ? ", " : "");
    }
    weir_text_add_char(t, '}');
}

const char *weir_draft_text(weir_draft *draft)
{
    if (!draft)
        return NULL;
    weir_text_clear(&draft->text);
    for (const struct pair *pair = draft->top.first; pair; pair = pair->next) {
        write_quoted(&draft->text, pair->key);
        weir_text_add(&draft->text, ": ");
        write_value(&draft->text, pair);
        weir_text_add_char(&draft->text, '\n');
    }
    return draft->failed || draft->text.failed ? NULL : weir_text_get(&draft->text);
}
