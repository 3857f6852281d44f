/* SPDX-License-Identifier: MIT */
/* Taking from the log: tags as they were when their samples were taken. */

/*
 * A tag's versions are read when a sample of it first comes, and again after the catalog has
 * changed. A version that says what the one before said to a sink (of those, scale and offset are
 * no business of its) is the same weir_sink_tag.
 */

#include <string.h>

#include "base/text.h"
#include "store/file/database.h"
#include "store/query/take_priv.h"

enum { TAGS_FIRST = 256 }; /* places; doubled when three quarters are in use */

static weir_err no_memory(weir_error *error)
{
    return weir_fail(error, WEIR_ENOMEM, "no memory for the tags of a sink");
}

void weir_take_tags_forget(weir_take *take)
{
    for (size_t i = 0; i < take->tags_capacity; i++)
        weir_free(take->tags[i].versions);
    if (take->tags)
        memset(take->tags, 0, take->tags_capacity * sizeof *take->tags);
    take->n_tags = 0;
}

void weir_take_tags_deinit(weir_take *take)
{
    weir_take_tags_forget(take);
    weir_free(take->tags);
    take->tags = NULL;
    take->tags_capacity = 0;
}

/* --- the places --------------------------------------------------------------------------- */

/* Fibonacci hashing: uids are small and dense. */
static weir_take_tag *place_of(weir_take_tag *tags, size_t capacity, weir_tag_uid uid)
{
    size_t i = (size_t)(uid * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (capacity - 1);
    while (tags[i].uid != 0 && tags[i].uid != uid)
        i = (i + 1) & (capacity - 1);
    return &tags[i];
}

static weir_err places_grow(weir_take *take, weir_error *error)
{
    const size_t capacity = take->tags_capacity ? take->tags_capacity * 2 : TAGS_FIRST;
    weir_take_tag *tags = weir_alloc_zero(capacity, sizeof *tags);
    if (!tags)
        return no_memory(error);
    for (size_t i = 0; i < take->tags_capacity; i++)
        if (take->tags[i].uid != 0)
            *place_of(tags, capacity, take->tags[i].uid) = take->tags[i];
    weir_free(take->tags);
    take->tags = tags;
    take->tags_capacity = capacity;
    return WEIR_OK;
}

/* --- a version ---------------------------------------------------------------------------- */

enum {
    VERSION_SEQ,
    VERSION_NAME,
    VERSION_DEVICE,
    VERSION_UNIT,
    VERSION_TYPE,
    VERSION_ADDRESS,
    VERSION_DESCRIPTION,
    VERSION_LABELS
};

static const char *column_text(sqlite3_stmt *stmt, int i)
{
    const char *text = (const char *)sqlite3_column_text(stmt, i);
    return text ? text : "";
}

static bool version_is(sqlite3_stmt *stmt, const weir_sink_tag *tag)
{
    return strcmp(tag->name, column_text(stmt, VERSION_NAME)) == 0 &&
           strcmp(tag->device, column_text(stmt, VERSION_DEVICE)) == 0 &&
           strcmp(tag->unit, column_text(stmt, VERSION_UNIT)) == 0 &&
           strcmp(tag->type, column_text(stmt, VERSION_TYPE)) == 0 &&
           strcmp(tag->address, column_text(stmt, VERSION_ADDRESS)) == 0 &&
           strcmp(tag->description, column_text(stmt, VERSION_DESCRIPTION)) == 0 &&
           strcmp(tag->labels_json, column_text(stmt, VERSION_LABELS)) == 0;
}

static weir_err labels_read(weir_take *take, weir_sink_tag *tag, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_reset) sqlite3_stmt *stmt = take->statements[TAKE_LABELS];
    WEIR_CLEANUP(weir_free) void *owner = NULL;
    weir_label *labels = NULL;
    size_t n = 0, capacity = 0;
    bool row;
    weir_err err;
    (void)sqlite3_bind_text(stmt, 1, tag->labels_json, -1, SQLITE_STATIC);
    while ((err = weir_db_step(stmt, &row, error)) == WEIR_OK && row) {
        void *room = weir_array_room(labels, n, &capacity, sizeof *labels);
        if (!room)
            return no_memory(error);
        owner = labels = room;
        labels[n++] = (weir_label){weir_arena_text(take->arena, column_text(stmt, 0)),
                                   weir_arena_text(take->arena, column_text(stmt, 1))};
        if (!labels[n - 1].key || !labels[n - 1].value)
            return no_memory(error);
    }
    weir_label *kept = n > 0 ? weir_arena_alloc(take->arena, n, sizeof *kept) : NULL;
    if (err == WEIR_OK && n > 0 && !kept)
        return no_memory(error);
    if (kept)
        memcpy(kept, labels, n * sizeof *kept);
    tag->labels = kept;
    tag->n_labels = n;
    return err;
}

/* "phase[2]" of "main-meter/phase[2]". */
static const char *point_of(const char *name, const char *device)
{
    const size_t n = strlen(device);
    return n > 0 && strncmp(name, device, n) == 0 && name[n] == '/' ? name + n + 1 : name;
}

static weir_err tag_make(weir_take *take, weir_tag_uid uid, sqlite3_stmt *stmt,
                         const weir_sink_tag **ret, weir_error *error)
{
    weir_arena *arena = take->arena;
    weir_sink_tag *tag = weir_arena_alloc(arena, 1, sizeof *tag);
    if (!tag)
        return no_memory(error);
    *tag = (weir_sink_tag){
        .uid = uid,
        .name = weir_arena_text(arena, column_text(stmt, VERSION_NAME)),
        .device = weir_arena_text(arena, column_text(stmt, VERSION_DEVICE)),
        .unit = weir_arena_text(arena, column_text(stmt, VERSION_UNIT)),
        .type = weir_arena_text(arena, column_text(stmt, VERSION_TYPE)),
        .address = weir_arena_text(arena, column_text(stmt, VERSION_ADDRESS)),
        .description = weir_arena_text(arena, column_text(stmt, VERSION_DESCRIPTION)),
        .labels_json = weir_arena_text(arena, column_text(stmt, VERSION_LABELS))};
    if (!tag->name || !tag->device || !tag->unit || !tag->type || !tag->address ||
        !tag->description || !tag->labels_json)
        return no_memory(error);
    tag->point = point_of(tag->name, tag->device);
    weir_err err = labels_read(take, tag, error);
    if (err != WEIR_OK)
        return err;
    tag->number = take->n_numbers++;
    *ret = tag;
    return WEIR_OK;
}

/* A repair may have kept the samples of a tag and nothing else of it. */
static weir_err tag_salvage(weir_take *take, weir_tag_uid uid, const weir_sink_tag **ret,
                            weir_error *error)
{
    weir_sink_tag *tag = weir_arena_alloc(take->arena, 1, sizeof *tag);
    const char *name = tag ? weir_arena_format(take->arena, "salvaged/%u", uid) : NULL;
    if (!name)
        return no_memory(error);
    *tag = (weir_sink_tag){
        uid, take->n_numbers++, name, "salvaged", name + 9, "", "", "", "", 0, NULL, "{}"};
    *ret = tag;
    return WEIR_OK;
}

/* --- all versions of a tag ---------------------------------------------------------------- */

/* One that was known keeps its number. */
static const weir_sink_tag *version_find(const weir_take_tag *known, sqlite3_stmt *stmt)
{
    for (size_t i = known->n; i-- > 0;)
        if (version_is(stmt, known->versions[i].tag))
            return known->versions[i].tag;
    return NULL;
}

static weir_err versions_read(weir_take *take, const weir_take_tag *known, weir_tag_uid uid,
                              weir_take_tag *fill, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_reset) sqlite3_stmt *stmt = take->statements[TAKE_TAG];
    size_t capacity = 0;
    bool row;
    weir_err err;
    (void)sqlite3_bind_int64(stmt, 1, uid);
    while ((err = weir_db_step(stmt, &row, error)) == WEIR_OK && row) {
        void *room = weir_array_room(fill->versions, fill->n, &capacity, sizeof *fill->versions);
        if (!room)
            return no_memory(error);
        fill->versions = room;
        weir_take_version *v = &fill->versions[fill->n];
        *v = (weir_take_version){(uint64_t)sqlite3_column_int64(stmt, VERSION_SEQ),
                                 version_find(known, stmt)};
        if (!v->tag)
            v->tag = version_find(fill, stmt);
        if (!v->tag)
            err = tag_make(take, uid, stmt, &v->tag, error);
        if (err != WEIR_OK)
            return err;
        fill->n++;
    }
    if (err != WEIR_OK || fill->n > 0)
        return err;
    fill->versions = weir_alloc_zero(1, sizeof *fill->versions);
    if (!fill->versions)
        return no_memory(error);
    fill->n = 1;
    return tag_salvage(take, uid, &fill->versions[0].tag, error);
}

/* Keeps what is known when it fails. */
static weir_err place_fill(weir_take *take, weir_take_tag *place, weir_tag_uid uid,
                           weir_error *error)
{
    weir_take_tag fill = {.uid = uid, .catalog = take->catalog};
    weir_err err = versions_read(take, place, uid, &fill, error);
    if (err != WEIR_OK) {
        weir_free(fill.versions);
        return err;
    }
    take->n_tags += place->uid == 0;
    weir_free(place->versions);
    *place = fill;
    return WEIR_OK;
}

weir_err weir_take_find_tag(weir_take *take, weir_tag_uid uid, uint64_t seq,
                            const weir_sink_tag **ret, weir_error *error)
{
    weir_err err = WEIR_OK;
    if (take->n_tags >= take->tags_capacity / 4 * 3)
        err = places_grow(take, error);
    if (err != WEIR_OK)
        return err;
    weir_take_tag *place = place_of(take->tags, take->tags_capacity, uid);
    if (place->uid == 0 || place->catalog != take->catalog)
        err = place_fill(take, place, uid, error);
    if (err != WEIR_OK)
        return err;
    size_t i = place->n - 1;
    while (i > 0 && place->versions[i].seq > seq)
        i--;
    *ret = place->versions[i].tag;
    return WEIR_OK;
}
