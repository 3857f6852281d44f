/* SPDX-License-Identifier: MIT */
/* One load of a configuration: what all its parts share, and the walker over option tables. */

#include "catalog/loader.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/number.h"
#include "catalog/secret.h"
#include "model/point.h"

void weir_loader_problem(weir_loader *l, weir_node at, const char *format, ...)
{
    char text[1024];
    va_list va;
    va_start(va, format);
    (void)vsnprintf(text, sizeof text, format, va);
    va_end(va);
    const weir_where where = at.id ? weir_node_where(at) : (weir_where){.file = l->file};
    weir_problems_add(l->problems, WEIR_ECONFIG, where, "%s", text);
}

void weir_loader_warn(weir_loader *l, weir_node at, const char *format, ...)
{
    char text[1024];
    va_list va;
    if (!l->options || !l->options->warnings)
        return;
    va_start(va, format);
    (void)vsnprintf(text, sizeof text, format, va);
    va_end(va);
    weir_problems_add(l->options->warnings, WEIR_OK, weir_node_where(at), "%s", text);
}

void weir_loader_unsupported(weir_loader *l, weir_node at, const char *key)
{
    weir_problems_add(l->problems, WEIR_EUNSUPPORTED, weir_node_where(at),
                      "'%s' is not supported by this version: remove it", key);
}

const char *weir_loader_place(weir_loader *l, weir_where at, weir_where other)
{
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    if (other.column && at.file && !strcmp(at.file, other.file))
        weir_text_format(&text, "line %u", other.line);
    else
        weir_where_format(&other, &text);
    const char *copy = weir_arena_text(l->scratch, weir_text_get(&text));
    if (!copy || text.failed)
        l->failed = true;
    return copy ? copy : "";
}

const char *weir_loader_key(weir_loader *l, weir_where where)
{
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    if (!where.line || where.column)
        return weir_loader_text(l, "");
    weir_where_format(&where, &text);
    l->failed = l->failed || text.failed;
    return weir_loader_text(l, weir_text_get(&text));
}

const char *weir_loader_text(weir_loader *l, const char *text)
{
    const char *copy = weir_intern_text(&l->texts, text);
    if (!copy)
        l->failed = true;
    return copy ? copy : "";
}

void *weir_loader_scratch(weir_loader *l, size_t n, size_t size)
{
    void *p = weir_arena_alloc(l->scratch, n, size);
    if (!p)
        l->failed = true;
    return p;
}

const void *weir_loader_keep(weir_loader *l, const void *bytes, size_t n)
{
    const void *copy = weir_intern_bytes(&l->texts, bytes, n);
    if (!copy)
        l->failed = true;
    return copy;
}

const weir_label *weir_loader_labels(weir_loader *l, const weir_option_map *labels, size_t *ret_n)
{
    weir_label *sorted = labels->n ? weir_loader_scratch(l, labels->n, sizeof *sorted) : NULL;
    *ret_n = 0;
    if (!sorted)
        return NULL;
    for (size_t i = 0; i < labels->n; i++)
        sorted[i] = (weir_label){labels->items[i].key, labels->items[i].value};
    weir_labels_sort(sorted, labels->n);
    const weir_label *kept = weir_loader_keep(l, sorted, labels->n * sizeof *sorted);
    *ret_n = kept ? labels->n : 0;
    return kept;
}

const char *weir_loader_meant(weir_loader *l, const char *word, const char *const *candidates,
                              size_t n)
{
    const char *nearest = weir_text_nearest(word, candidates, n);
    char *text =
        nearest ? weir_arena_format(l->scratch, ": did you mean '%.200s'?", nearest) : NULL;
    if (nearest && !text)
        l->failed = true;
    return text ? text : "";
}

static const char *kind_text(weir_node_kind kind)
{
    switch (kind) {
    case WEIR_NODE_NONE:
        return "nothing";
    case WEIR_NODE_SCALAR:
        return "one value";
    case WEIR_NODE_LIST:
        return "a list";
    case WEIR_NODE_MAPPING:
        return "a mapping (key: value)";
    }
    return "?";
}

bool weir_loader_expect(weir_loader *l, weir_node node, weir_node_kind kind, const char *what)
{
    const weir_node_kind is = weir_node_kind_of(node);
    if (is == kind)
        return true;
    if (is == WEIR_NODE_NONE)
        return false;
    if (weir_node_empty(node))
        weir_loader_problem(l, node, "'%s' has no value: give it one or remove the key", what);
    else
        weir_loader_problem(l, node, "'%s' must be %s, not %s", what, kind_text(kind),
                            kind_text(is));
    return false;
}

const char *weir_loader_scalar(weir_loader *l, weir_node node, const char *key)
{
    if (weir_node_empty(node)) {
        weir_loader_problem(l, node, "'%s' has no value: give it one or remove the key", key);
        return NULL;
    }
    return weir_loader_expect(l, node, WEIR_NODE_SCALAR, key) ? weir_node_text(node) : NULL;
}

/* ---- rows that are more than one word ---- */

static void read_strings(weir_loader *l, weir_node node, const weir_option *row,
                         weir_option_strings *ret)
{
    const bool one = weir_node_is(node, WEIR_NODE_SCALAR);
    if (!one && !weir_loader_expect(l, node, WEIR_NODE_LIST, row->name))
        return;
    const size_t n = one ? 1 : weir_node_count(node);
    const char **items = weir_loader_scratch(l, n, sizeof *items);
    size_t n_items = 0;
    for (size_t i = 0; items && i < n; i++) {
        const char *text = weir_loader_scalar(l, one ? node : weir_node_item(node, i), row->name);
        if (text)
            items[n_items++] = weir_loader_text(l, text);
    }
    if (items)
        *ret = (weir_option_strings){n_items, items};
}

static void read_map(weir_loader *l, weir_node node, const weir_option *row, weir_option_map *ret)
{
    if (!weir_loader_expect(l, node, WEIR_NODE_MAPPING, row->name))
        return;
    const size_t n = weir_node_count(node);
    struct weir_option_pair *items = weir_loader_scratch(l, n, sizeof *items);
    size_t n_items = 0;
    for (size_t i = 0; items && i < n; i++) {
        const char *key = weir_node_text(weir_node_key(node, i));
        const char *value = weir_loader_scalar(l, weir_node_value(node, i), key);
        if (value)
            items[n_items++] =
                (struct weir_option_pair){weir_loader_text(l, key), weir_loader_text(l, value)};
    }
    if (items)
        *ret = (weir_option_map){n_items, items};
}

/* Cuts "first-last" or "first" out of n bytes. */
static bool range_parse(const char *text, size_t n, int64_t *ret_first, int64_t *ret_last)
{
    char part[2][24] = {"", ""};
    const char *dash = n > 1 ? memchr(text + 1, '-', n - 1) : NULL;
    const size_t n_first = dash ? (size_t)(dash - text) : n;
    const size_t n_last = dash ? n - n_first - 1 : 0;
    if (n_first >= sizeof part[0] || n_last >= sizeof part[1])
        return false;
    memcpy(part[0], text, n_first);
    if (n_last)
        memcpy(part[1], dash + 1, n_last);
    if (!weir_parse_i64(part[0], ret_first))
        return false;
    *ret_last = *ret_first;
    return !dash || weir_parse_i64(part[1], ret_last);
}

static bool ranges_add(weir_loader *l, const char *text, weir_node node, const weir_option *row,
                       weir_option_ranges *ranges)
{
    while (*text == ' ')
        text++;
    size_t n = strcspn(text, ",");
    while (n && text[n - 1] == ' ')
        n--;
    int64_t first, last;
    if (!range_parse(text, n, &first, &last)) {
        weir_loader_problem(l, node,
                            "%s must be a number, a range such as 11-18 or a list such as "
                            "1,3,5-8, not \"%.80s\"",
                            row->name, weir_node_text(node));
        return false;
    }
    if (first < row->min || last > row->max) {
        weir_loader_problem(l, node, "%s must be between %" PRId64 " and %" PRId64 ", not \"%.*s\"",
                            row->name, row->min, row->max, (int)(n < 80 ? n : 80), text);
        return false;
    }
    if (first > last) {
        weir_loader_problem(l, node, "%s \"%.*s\": write the lower end first", row->name,
                            (int)(n < 80 ? n : 80), text);
        return false;
    }
    /* One more in new memory: quadratic, but a list of ranges is short and ids are 256. */
    struct weir_option_range *items = weir_loader_scratch(l, ranges->n + 1, sizeof *items);
    if (!items)
        return false;
    if (ranges->n)
        memcpy(items, ranges->items, ranges->n * sizeof *items);
    items[ranges->n] = (struct weir_option_range){first, last};
    *ranges = (weir_option_ranges){ranges->n + 1, items};
    return true;
}

bool weir_loader_ranges(weir_loader *l, const char *text, weir_node node, const weir_option *row,
                        weir_option_ranges *ret)
{
    enum { RANGES_MAX = 1024 };
    for (;;) {
        if (ret->n >= RANGES_MAX) {
            weir_loader_problem(l, node, "%s has more than %d parts", row->name, RANGES_MAX);
            return false;
        }
        if (!ranges_add(l, text, node, row, ret))
            return false;
        text += strcspn(text, ",");
        if (!*text)
            return true;
        text++;
    }
}

static bool read_range_node(weir_loader *l, weir_node node, const weir_option *row,
                            weir_option_ranges *ret)
{
    const char *text = weir_loader_scalar(l, node, row->name);
    return text && weir_loader_ranges(l, text, node, row, ret);
}

static bool read_ranges(weir_loader *l, weir_node node, const weir_option *row,
                        weir_option_ranges *ret)
{
    weir_option_ranges ranges = {0};
    bool good = true;
    if (weir_node_is(node, WEIR_NODE_LIST))
        for (size_t i = 0; i < weir_node_count(node) && good; i++)
            good = read_range_node(l, weir_node_item(node, i), row, &ranges);
    else
        good = read_range_node(l, node, row, &ranges);
    if (good && !ranges.n) {
        weir_loader_problem(l, node, "%s is an empty list", row->name);
        good = false;
    }
    if (good)
        *ret = ranges;
    return good;
}

/* ---- the walker ---- */

static void read_word(weir_loader *l, weir_node node, const weir_option *row, void *base)
{
    weir_error error = WEIR_ERROR_INIT;
    const char *text = weir_loader_scalar(l, node, row->name);
    if (text && row->flags & WEIR_OPTION_SECRET)
        text = weir_secret_text(l, node, text);
    if (!text)
        return;
    if (weir_option_set(row, weir_loader_text(l, text), base, &error) != WEIR_OK)
        weir_loader_problem(l, node, "%s", error.text);
}

static void read_value(weir_loader *l, weir_node node, const weir_option *row, void *base)
{
    void *field = (char *)base + row->offset;
    bool *given = row->set_offset ? (bool *)((char *)base + row->set_offset) : NULL;
    switch (row->type) {
    case WEIR_OPTION_BOOL:
    case WEIR_OPTION_INT:
    case WEIR_OPTION_NUMBER:
    case WEIR_OPTION_DURATION:
    case WEIR_OPTION_SIZE:
    case WEIR_OPTION_STRING:
    case WEIR_OPTION_ENUM:
        read_word(l, node, row, base);
        return;
    case WEIR_OPTION_STRINGS:
        read_strings(l, node, row, field);
        return;
    case WEIR_OPTION_RANGES:
        if (read_ranges(l, node, row, field) && given)
            *given = true;
        return;
    case WEIR_OPTION_MAP:
        read_map(l, node, row, field);
        return;
    case WEIR_OPTION_TABLE:
    case WEIR_OPTION_LIST:
    case WEIR_OPTION_CUSTOM:
        *(weir_node *)field = node;
        return;
    }
}

static void say_unknown(weir_loader *l, weir_node key, const weir_option *table)
{
    const char *word = weir_node_text(key);
    const weir_option *near = weir_option_nearest(table, word);
    const char *const candidate = near ? near->name : NULL;
    WEIR_TEXT_AUTO all = WEIR_TEXT_INIT;
    if (candidate) {
        weir_loader_problem(l, key, "unknown key '%.100s': did you mean '%s'?", word, candidate);
        return;
    }
    for (const weir_option *row = table; row->name; row++)
        if (!(row->flags & WEIR_OPTION_UNSUPPORTED))
            weir_text_format(&all, "%s%s", all.length ? ", " : "", row->name);
    weir_loader_problem(l, key, "unknown key '%.100s': there are %s", word, weir_text_get(&all));
}

static void read_keys(weir_loader *l, weir_node mapping, const weir_option *table, void *base,
                      bool others)
{
    const size_t n = weir_node_count(mapping);
    for (size_t i = 0; i < n; i++) {
        const weir_node key = weir_node_key(mapping, i);
        const weir_option *row = weir_option_find(table, weir_node_text(key));
        if (table == weir_top_table && !strncmp(weir_node_text(key), "x-", 2))
            continue; /* a place for anchors */
        if (!row && !others)
            say_unknown(l, key, table);
        else if (row && row->flags & WEIR_OPTION_UNSUPPORTED)
            weir_loader_unsupported(l, key, row->name);
        else if (row)
            read_value(l, weir_node_value(mapping, i), row, base);
    }
}

void weir_loader_read(weir_loader *l, weir_node mapping, const weir_option *table, void *base)
{
    read_keys(l, mapping, table, base, false);
}

void weir_loader_read_some(weir_loader *l, weir_node mapping, const weir_option *table, void *base)
{
    read_keys(l, mapping, table, base, true);
}

/* The first clause of a row's sentence, to be said within another. */
static const char *first_clause(weir_loader *l, const char *text)
{
    char *clause = weir_arena_text_n(l->scratch, text, strcspn(text, ";."));
    if (!clause) {
        l->failed = true;
        return text;
    }
    if (*clause >= 'A' && *clause <= 'Z')
        *clause = (char)(*clause - 'A' + 'a');
    return clause;
}

bool weir_loader_require(weir_loader *l, weir_node mapping, const weir_option *table,
                         const char *what, const void *base)
{
    bool good = true;
    for (const weir_option *row = table; row->name; row++) {
        const char *text;
        if (!(row->flags & WEIR_OPTION_REQUIRED))
            continue;
        memcpy(&text, (const char *)base + row->offset, sizeof text);
        if (text && *text)
            continue;
        good = false;
        /* Given, but wrong or "": for the first, the walker has said it. */
        const weir_node value = weir_node_get(mapping, row->name);
        if (!value.id || text)
            weir_loader_problem(l, value.id ? value : mapping, "%s needs '%s': %s", what, row->name,
                                first_clause(l, row->text));
    }
    return good;
}

int64_t weir_loader_interval(weir_loader *l, weir_node node)
{
    static const weir_option row = {.name = "interval",
                                    .type = WEIR_OPTION_DURATION,
                                    .min = 10 * WEIR_MS,
                                    .max = 366 * WEIR_DAY};
    int64_t interval = 0;
    if (!node.id)
        return 0;
    if (!strcmp(weir_node_text(node), "on_demand"))
        return WEIR_INTERVAL_ON_DEMAND;
    read_word(l, node, &row, &interval);
    return interval;
}

bool weir_loader_check_name(weir_loader *l, weir_node at, const char *what, const char *name,
                            const char *forbidden)
{
    enum { NAME_MAX_BYTES = 255 };
    const size_t n = strlen(name);
    if (n > NAME_MAX_BYTES) {
        weir_loader_problem(l, at, "the name of %s has %zu bytes: at most %d", what, n,
                            NAME_MAX_BYTES);
        return false;
    }
    for (const char *p = name; *p; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f) {
            weir_loader_problem(l, at, "a control character in the name of %s: remove it", what);
            return false;
        }
        if (strchr(forbidden, *p)) {
            weir_loader_problem(l, at,
                                "'%c' cannot be in the name of %s: tags are named "
                                "device/point, elements point[0]",
                                *p, what);
            return false;
        }
    }
    if (n && (name[0] == ' ' || name[n - 1] == ' ')) {
        weir_loader_problem(l, at, "a blank at the end of the name of %s: remove it", what);
        return false;
    }
    return true;
}
