/* SPDX-License-Identifier: MIT */
/* What a configuration came to, value by value, and where each one came from. */

#include "catalog/effective.h"

#include <string.h>

#include "base/text.h"
#include "catalog/variables.h"

struct weir_effective {
    weir_arena *arena;
    weir_effective_value root;
    /* The last origin: of what stands in one line there is one. */
    const char *origin, *origin_file, *origin_source;
    unsigned origin_line;
    bool failed;
};

static const char from_table[] = "default";

weir_effective *weir_effective_new(void)
{
    weir_arena *arena = weir_arena_new();
    weir_effective *e = arena ? weir_arena_alloc(arena, 1, sizeof *e) : NULL;
    if (!e) {
        weir_arena_free(arena);
        return NULL;
    }
    e->arena = arena;
    e->root.kind = WEIR_NODE_MAPPING;
    return e;
}

void weir_effective_free(weir_effective *e)
{
    if (e)
        weir_arena_free(e->arena);
}

weir_effective_value *weir_effective_root(weir_effective *e)
{
    return e ? &e->root : NULL;
}

bool weir_effective_failed(const weir_effective *e)
{
    return e->failed;
}

/* ---- the tree ---- */

static const char *copy(weir_effective *e, const char *text)
{
    const char *kept = weir_arena_text(e->arena, text);
    if (!kept)
        e->failed = true;
    return kept ? kept : "";
}

/* key: lives as long, or longer. */
static weir_effective_value *add_value(weir_effective *e, weir_effective_value *parent,
                                       const char *key, weir_node_kind kind)
{
    weir_effective_value *value = weir_arena_alloc(e->arena, 1, sizeof *value);
    if (!value) {
        e->failed = true;
        return NULL;
    }
    value->key = key;
    value->kind = kind;
    if (parent->last)
        parent->last->next = value;
    else
        parent->first = value;
    parent->last = value;
    return value;
}

weir_effective_value *weir_effective_add(weir_effective *e, weir_effective_value *parent,
                                         const char *key, weir_node_kind kind)
{
    return e && parent ? add_value(e, parent, key ? copy(e, key) : NULL, kind) : NULL;
}

static weir_effective_value *child_with_key(const weir_effective_value *mapping, const char *key)
{
    for (weir_effective_value *v = mapping->first; v; v = v->next)
        if (v->key && !strcmp(v->key, key))
            return v;
    return NULL;
}

weir_effective_value *weir_effective_get(const weir_effective_value *value, const char *key)
{
    if (value->kind == WEIR_NODE_MAPPING)
        return child_with_key(value, key);
    for (weir_effective_value *v = value->first; v; v = v->next) {
        const weir_effective_value *name =
            v->kind == WEIR_NODE_MAPPING ? child_with_key(v, "name") : NULL;
        if (name && name->text && !strcmp(name->text, key))
            return v;
    }
    return NULL;
}

weir_effective_value *weir_effective_find(weir_effective_value *root, const char *path, size_t n)
{
    weir_effective_value *value = root;
    while (n && value) {
        char word[512]; /* names have 255 bytes at most */
        const char *slash = memchr(path, '/', n);
        const size_t length = slash ? (size_t)(slash - path) : n;
        if (length >= sizeof word)
            return NULL;
        memcpy(word, path, length);
        word[length] = '\0';
        if (length)
            value = weir_effective_get(value, word);
        path += length + (slash != NULL);
        n -= length + (slash != NULL);
    }
    return value;
}

weir_effective_value *weir_effective_list(weir_effective *e, weir_effective_value *parent,
                                          const char *key)
{
    if (!e || !parent)
        return NULL;
    weir_effective_value *list = child_with_key(parent, key);
    return list ? list : weir_effective_add(e, parent, key, WEIR_NODE_LIST);
}

/* All texts live as long, or longer. */
static void add_scalar(weir_effective *e, weir_effective_value *parent, const char *key,
                       const char *text, bool quoted, const char *origin)
{
    weir_effective_value *value = add_value(e, parent, key, WEIR_NODE_SCALAR);
    if (!value)
        return;
    value->text = text;
    value->quoted = quoted;
    value->origin = origin;
}

/* ---- secrets ---- */

/* "${NAME}" tells where it is, not what it is. */
static bool names_variable(const char *text)
{
    static const char all[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";
    const size_t n = strncmp(text, "${", 2) ? 0 : strspn(text + 2, all);
    return n > 0 && !strcmp(text + 2 + n, "}");
}

/* Where a password begins and ends within a URL or libpq's words; false: there is none. */
static bool password_find(const char *text, size_t *ret_first, size_t *ret_end)
{
    const char *scheme = strstr(text, "://");
    const char *word = strstr(text, "password=");
    if (scheme) {
        const char *user = scheme + 3;
        const char *host = user + strcspn(user, "/?#");
        const char *at = memrchr(user, '@', (size_t)(host - user));
        const char *colon = at ? memchr(user, ':', (size_t)(at - user)) : NULL;
        if (colon) {
            *ret_first = (size_t)(colon + 1 - text);
            *ret_end = (size_t)(at - text);
            return true;
        }
    }
    if (!word)
        return false;
    *ret_first = (size_t)(word - text) + strlen("password=");
    *ret_end = *ret_first + strcspn(text + *ret_first, " &");
    return true;
}

static void add_masked(weir_effective *e, weir_effective_value *parent, const char *key,
                       const char *text, bool quoted, const char *origin, bool secret)
{
    static const char mask[] = "***";
    size_t first, end;
    if (secret && !names_variable(text)) {
        add_scalar(e, parent, key, mask, true, origin);
    } else if (!secret && password_find(text, &first, &end)) {
        const char *masked =
            weir_arena_format(e->arena, "%.*s%s%s", (int)first, text, mask, text + end);
        if (!masked)
            e->failed = true;
        add_scalar(e, parent, key, masked ? masked : mask, true, origin);
    } else {
        add_scalar(e, parent, key, copy(e, text), quoted, origin);
    }
}

/* ---- what was written ---- */

/* A line is enough to find it; columns are for mistakes. */
static const char *origin_of(weir_effective *e, weir_node node, const char *source)
{
    const weir_where where = weir_node_where(node);
    if (e->origin && where.file == e->origin_file && where.line == e->origin_line &&
        source == e->origin_source && where.column)
        return e->origin;
    WEIR_TEXT_AUTO place = WEIR_TEXT_INIT;
    if (where.line && where.column)
        weir_text_format(&place, "%s:%u", where.file, where.line);
    else
        weir_where_format(&where, &place);
    const char *origin =
        weir_arena_format(e->arena, "%s%s", source ? source : "", weir_text_get(&place));
    if (!origin || place.failed)
        e->failed = true;
    e->origin = where.column ? origin : NULL;
    e->origin_file = where.file;
    e->origin_line = where.line;
    e->origin_source = source;
    return origin ? origin : "";
}

/* What reads back as the same text: "${" is written "$${". */
static const char *escape(weir_effective *e, const char *text)
{
    WEIR_TEXT_AUTO t = WEIR_TEXT_INIT;
    if (!weir_env_concerns(text))
        return text;
    for (; *text; text++) {
        weir_text_add(&t, strncmp(text, "${", 2) ? "" : "$");
        weir_text_add_char(&t, *text);
    }
    e->failed = e->failed || t.failed;
    return copy(e, weir_text_get(&t));
}

/* A secret tells its variable; anything else what it came to, and from where. */
static void add_variable(weir_effective *e, weir_effective_value *parent, const char *key,
                         weir_node node, const weir_variable *v, const char *source, bool secret)
{
    const char *place = origin_of(e, node, source);
    const char *origin =
        *v->origin ? weir_arena_format(e->arena, "%s, %s", place, v->origin) : place;
    if (!origin)
        e->failed = true;
    add_masked(e, parent, key, secret ? v->raw : escape(e, v->text), weir_node_quoted(node),
               origin ? origin : "", secret);
}

/* key: lives as long, or longer. */
static void add_node(weir_effective *e, weir_effective_value *parent, const char *key,
                     weir_node node, const char *source, bool secret)
{
    const weir_node_kind kind = weir_node_kind_of(node);
    const weir_variable *variable = weir_node_variable(node);
    if (variable) {
        add_variable(e, parent, key, node, variable, source, secret);
        return;
    }
    if (kind == WEIR_NODE_SCALAR) {
        add_masked(e, parent, key, weir_node_text(node), weir_node_quoted(node),
                   origin_of(e, node, source), secret);
        return;
    }
    weir_effective_value *value = add_value(e, parent, key, kind);
    for (size_t i = 0; value && i < weir_node_count(node); i++)
        if (kind == WEIR_NODE_MAPPING)
            add_node(e, value, copy(e, weir_node_text(weir_node_key(node, i))),
                     weir_node_value(node, i), source, secret);
        else
            add_node(e, value, NULL, weir_node_item(node, i), source, secret);
}

/* Adds what the first layer that has the key says; false: none has it. */
static bool add_from_layers(weir_effective *e, weir_effective_value *mapping,
                            const weir_option *row, const weir_layer *layers, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const weir_layer *layer = &layers[i];
        if (layer->takes && !layer->takes(row->name))
            continue;
        const weir_node node = weir_node_get(layer->node, row->name);
        const weir_option *other =
            layer->defaults ? weir_option_find(layer->defaults, row->name) : NULL;
        if (node.id)
            add_node(e, mapping, row->name, node, layer->source, row->flags & WEIR_OPTION_SECRET);
        else if (other && other->fallback)
            add_scalar(e, mapping, row->name, other->fallback, false, from_table);
        else
            continue;
        return true;
    }
    return false;
}

static bool is_one_of(const char *const *words, const char *word)
{
    for (; words && *words; words++)
        if (!strcmp(*words, word))
            return true;
    return false;
}

void weir_effective_fill(weir_effective *e, weir_effective_value *mapping, const weir_option *table,
                         const weir_layer *layers, size_t n_layers, const char *const *whole)
{
    if (!e || !mapping)
        return;
    for (const weir_option *row = table; row->name; row++) {
        const bool nested = row->type == WEIR_OPTION_TABLE || row->type == WEIR_OPTION_LIST;
        if (row->flags & WEIR_OPTION_UNSUPPORTED || (nested && !is_one_of(whole, row->name)))
            continue;
        if (!add_from_layers(e, mapping, row, layers, n_layers) && row->fallback && *row->fallback)
            add_scalar(e, mapping, row->name, row->fallback, false, from_table);
    }
}

/* ---- what comes from elsewhere ---- */

void weir_effective_set(weir_effective *e, weir_effective_value *mapping, const char *key,
                        const char *text, const char *origin)
{
    if (!e || !mapping)
        return;
    weir_effective_value *value = child_with_key(mapping, key);
    if (!value)
        value = weir_effective_add(e, mapping, key, WEIR_NODE_SCALAR);
    if (!value)
        return;
    *value = (weir_effective_value){.key = value->key,
                                    .kind = WEIR_NODE_SCALAR,
                                    .text = copy(e, text),
                                    .origin = copy(e, origin),
                                    .next = value->next};
}

void weir_effective_default(weir_effective *e, weir_effective_value *mapping, const char *key,
                            const char *text)
{
    const weir_effective_value *value = e && mapping ? child_with_key(mapping, key) : NULL;
    if (!value || value->origin == from_table)
        weir_effective_set(e, mapping, key, text, from_table);
}
