/* SPDX-License-Identifier: MIT */
/* The tags of a catalog as other programs see them. */

#include <string.h>

#include "base/alloc.h"
#include "embed/collector_priv.h"
#include "model/place.h"

static bool info_labels(weir_arena *arena, weir_tag_labels from, weir_tag_info *ret)
{
    WEIR_TEXT_AUTO json = WEIR_TEXT_INIT;
    weir_label *labels = weir_arena_alloc(arena, from.n_device + from.n_point + 1, sizeof *labels);
    if (!labels)
        return false;
    weir_tag_labels_format(from, &json);
    ret->n_labels = 0;
    for (const weir_label *label; (label = weir_tag_labels_next(&from)); ret->n_labels++) {
        weir_label *copy = &labels[ret->n_labels];
        copy->key = weir_arena_text(arena, label->key);
        copy->value = weir_arena_text(arena, label->value);
        if (!copy->key || !copy->value)
            return false;
    }
    ret->labels = labels;
    ret->labels_json = json.failed ? NULL : weir_arena_text(arena, weir_text_get(&json));
    return ret->labels_json != NULL;
}

/* What all tags of a device have in common, unless their point has labels of its own. */
static bool info_of_device(weir_arena *arena, const weir_device *device, weir_tag_info *ret)
{
    const weir_tag_labels labels = {.device = device->labels, .n_device = device->n_labels};
    ret->device = weir_arena_text(arena, device->name);
    return ret->device && info_labels(arena, labels, ret);
}

/* "holding 52"; where there are no registers, nothing. */
static const char *info_address(weir_arena *arena, const weir_connection *connection,
                                const weir_point *p, uint32_t element)
{
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    if (weir_scheme_is_placeless(connection->uri.scheme))
        return "";
    weir_place_format(p, element, &text);
    return text.failed ? NULL : weir_arena_text(arena, weir_text_get(&text));
}

static bool info_fill(const weir_catalog *catalog, weir_arena *arena, const weir_tag *tag,
                      weir_tag_info *ret)
{
    const weir_device *device = weir_tag_device(catalog, tag);
    const weir_point *p = weir_tag_point(catalog, tag);
    WEIR_TEXT_AUTO name = WEIR_TEXT_INIT;
    weir_tag_name(catalog, tag, &name);
    ret->name = name.failed ? NULL : weir_arena_text(arena, weir_text_get(&name));
    ret->point = ret->name ? ret->name + strlen(device->name) + 1 : NULL;
    ret->unit = weir_arena_text(arena, p->unit);
    ret->type = weir_type_text(p->type);
    ret->address = info_address(arena, &catalog->connections[device->connection], p, tag->element);
    ret->description = weir_arena_text(arena, p->description);
    return ret->name && ret->unit && ret->address && ret->description &&
           (!p->n_labels || info_labels(arena, weir_labels_of_tag(catalog, tag), ret));
}

static bool table_names(weir_tag_table *t, const weir_catalog *catalog)
{
    bool good = true;
    t->n_devices = catalog->n_devices;
    t->n_connections = catalog->n_connections;
    t->devices = weir_arena_alloc(t->arena, t->n_devices + 1, sizeof *t->devices);
    t->connections = weir_arena_alloc(t->arena, t->n_connections + 1, sizeof *t->connections);
    if (!t->devices || !t->connections)
        return false;
    for (size_t i = 0; i < t->n_devices; i++)
        good &= !!(t->devices[i] = weir_arena_text(t->arena, catalog->devices[i].name));
    for (size_t i = 0; i < t->n_connections; i++)
        good &= !!(t->connections[i] = weir_arena_text(t->arena, catalog->connections[i].name));
    return good;
}

static bool table_fill(weir_tag_table *t, const weir_catalog *catalog)
{
    for (size_t d = 0; d < catalog->n_devices; d++) {
        const weir_device *device = &catalog->devices[d];
        weir_tag_info common = {0};
        if (!info_of_device(t->arena, device, &common))
            return false;
        for (size_t i = device->first_tag; i < (size_t)device->first_tag + device->n_tags; i++) {
            t->infos[i] = common;
            t->infos[i].number = (uint32_t)i;
            if (!info_fill(catalog, t->arena, &catalog->tags[i], &t->infos[i]) ||
                weir_map_set(&t->names, t->infos[i].name, &t->infos[i], NULL) != WEIR_OK)
                return false;
        }
    }
    return true;
}

weir_err weir_tag_table_new(const weir_catalog *catalog, weir_tag_table **ret, weir_error *error)
{
    WEIR_CLEANUP(weir_arena_free) weir_arena *arena = weir_arena_new();
    weir_tag_table *t = arena ? weir_arena_alloc(arena, 1, sizeof *t) : NULL;
    if (!t)
        return weir_fail(error, WEIR_ENOMEM, "%zu tags", catalog->n_tags);
    t->arena = arena;
    t->n = catalog->n_tags;
    t->infos = weir_arena_alloc(arena, t->n + 1, sizeof *t->infos);
    t->catalog = catalog;
    if (!t->infos || !table_names(t, catalog) || !table_fill(t, catalog)) {
        weir_map_deinit(&t->names);
        return weir_fail(error, WEIR_ENOMEM, "%zu tags", catalog->n_tags);
    }
    arena = NULL;
    *ret = t;
    return WEIR_OK;
}

void weir_tag_table_free(weir_tag_table *table)
{
    for (weir_tag_table *t = table, *older; t; t = older) {
        older = t->older;
        weir_map_deinit(&t->names);
        weir_free(t->index_of);
        weir_arena_free(t->arena);
    }
}

/* Under tags_lock. Without memory the uids are looked for one by one. */
static void table_note_uids(weir_tag_table *t)
{
    size_t n = 0;
    for (size_t i = 0; i < t->n; i++) {
        t->infos[i].uid = t->catalog->tags[i].uid;
        n = t->infos[i].uid >= n ? (size_t)t->infos[i].uid + 1 : n;
    }
    weir_free(t->index_of);
    t->n_uids = n;
    t->index_of = weir_alloc_zero(n + 1, sizeof *t->index_of);
    for (size_t i = 0; t->index_of && i < t->n; i++)
        t->index_of[t->infos[i].uid] = (uint32_t)i + 1;
    t->catalog = NULL;
    t->has_uids = true;
}

void weir_collector_add_table(weir_collector *collector, weir_tag_table *table, uint32_t revision)
{
    (void)pthread_mutex_lock(&collector->tags_lock);
    table->revision = revision;
    table->older = collector->tables;
    collector->tables = table;
    (void)pthread_mutex_unlock(&collector->tags_lock);
}

void weir_collector_drop_table(weir_collector *collector, weir_tag_table *table)
{
    (void)pthread_mutex_lock(&collector->tags_lock);
    collector->tables = table->older;
    table->older = NULL;
    (void)pthread_mutex_unlock(&collector->tags_lock);
    weir_tag_table_free(table);
}

/* Under tags_lock. The newest, but for a moment. */
static weir_tag_table *tables_find(const weir_collector *c, uint32_t revision)
{
    weir_tag_table *t = c->tables;
    while (t->revision != revision && t->older)
        t = t->older;
    if (!t->has_uids)
        table_note_uids(t);
    return t;
}

const weir_tag_table *weir_collector_table_of(weir_collector *collector, uint32_t revision)
{
    (void)pthread_mutex_lock(&collector->tags_lock);
    const weir_tag_table *t = tables_find(collector, revision);
    (void)pthread_mutex_unlock(&collector->tags_lock);
    return t;
}

const weir_tag_table *weir_collector_follow(weir_collector *collector, uint32_t revision)
{
    (void)pthread_mutex_lock(&collector->tags_lock);
    weir_tag_table *t = tables_find(collector, revision);
    collector->tags = t;
    (void)pthread_mutex_unlock(&collector->tags_lock);
    return t;
}

const weir_tag_table *weir_collector_table(weir_collector *collector)
{
    (void)pthread_mutex_lock(&collector->tags_lock);
    const weir_tag_table *table = collector->tags;
    (void)pthread_mutex_unlock(&collector->tags_lock);
    return table;
}

size_t weir_collector_count_tags(weir_collector *collector)
{
    const weir_tag_table *t = weir_collector_table(collector);
    return t ? t->n : 0;
}

const weir_tag_info *weir_collector_tag_at(weir_collector *collector, size_t i)
{
    const weir_tag_table *t = weir_collector_table(collector);
    return t && i < t->n ? &t->infos[i] : NULL;
}

const weir_tag_info *weir_collector_tag(weir_collector *collector, weir_tag_uid uid)
{
    const weir_tag_info *info = NULL;
    (void)pthread_mutex_lock(&collector->tags_lock);
    const weir_tag_table *t = collector->tags;
    if (t && t->has_uids && t->index_of) {
        if (uid > 0 && uid < t->n_uids && t->index_of[uid])
            info = &t->infos[t->index_of[uid] - 1];
    } else if (t && t->has_uids && uid > 0) {
        for (size_t i = 0; !info && i < t->n; i++)
            info = t->infos[i].uid == uid ? &t->infos[i] : NULL;
    }
    (void)pthread_mutex_unlock(&collector->tags_lock);
    return info;
}

const weir_tag_info *weir_collector_find_tag(weir_collector *collector, const char *name)
{
    const weir_tag_table *t = weir_collector_table(collector);
    return t && name ? weir_map_get(&t->names, name) : NULL;
}
