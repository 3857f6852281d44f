/* SPDX-License-Identifier: MIT */
/* The first member of a backup: what it is, and what is in it. */

#include "store/backup/manifest.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/backup/tar.h"

/* Paths are bytes, JSON is UTF-8: what is not stays out rather than breaking the whole. */
static json_t *json_text(const char *text)
{
    json_t *value = text ? json_string(text) : json_null();
    return value ? value : json_string("?");
}

static json_t *member_json(const weir_manifest_member *m)
{
    char crc[9];
    json_t *o = json_object();
    (void)snprintf(crc, sizeof crc, "%08x", m->crc);
    (void)json_object_set_new(o, "name", json_text(m->name));
    (void)json_object_set_new(o, "size", json_integer((json_int_t)m->size));
    (void)json_object_set_new(o, "crc32c", json_text(crc));
    if (m->path)
        (void)json_object_set_new(o, "path", json_text(m->path));
    return o;
}

weir_err weir_manifest_format(const weir_manifest *m, weir_text *ret, weir_error *error)
{
    char created[28];
    json_t *o = json_object(), *members = json_array(), *omitted = json_array();
    weir_wall_format(m->created, created);
    (void)json_object_set_new(o, "weir_backup", json_integer(WEIR_MANIFEST_VERSION));
    (void)json_object_set_new(o, "version", json_text(m->version));
    (void)json_object_set_new(o, "schema", json_integer(m->schema));
    (void)json_object_set_new(o, "uuid", json_text(m->identity.uuid));
    (void)json_object_set_new(o, "instance", json_text(m->identity.instance));
    (void)json_object_set_new(o, "name", json_text(m->identity.name));
    (void)json_object_set_new(o, "seq", json_integer((json_int_t)m->seq));
    (void)json_object_set_new(o, "created", json_text(created));
    (void)json_object_set_new(o, "host", json_text(m->host));
    (void)json_object_set_new(o, "data_dir", json_text(m->data_dir));
    for (size_t i = 0; i < m->n_omitted; i++)
        (void)json_array_append_new(omitted, json_text(m->omitted[i]));
    (void)json_object_set_new(o, "secrets_omitted", omitted);
    for (size_t i = 0; i < m->n_members; i++)
        (void)json_array_append_new(members, member_json(&m->members[i]));
    (void)json_object_set_new(o, "members", members);
    char *text = json_dumps(o, JSON_INDENT(1));
    json_decref(o);
    if (text)
        weir_text_format(ret, "%s\n", text);
    free(text);
    return text && !ret->failed ? WEIR_OK
                                : weir_fail(error, WEIR_ENOMEM, "no memory for the manifest");
}

/* --- reading ------------------------------------------------------------------------------ */

static const char *text_of(const json_t *object, const char *key, weir_arena *arena)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? weir_arena_text(arena, text) : NULL;
}

static void text_copy(const json_t *object, const char *key, char *ret, size_t size)
{
    const char *text = json_string_value(json_object_get(object, key));
    (void)snprintf(ret, size, "%s", text ? text : "");
}

static bool crc_parse(const char *text, uint32_t *ret)
{
    uint8_t b[4];
    if (!text || weir_hex_parse(text, b, sizeof b) != (int)sizeof b)
        return false;
    *ret = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
    return true;
}

static bool member_parse(const json_t *o, weir_arena *arena, weir_manifest_member *ret)
{
    const json_int_t size = json_integer_value(json_object_get(o, "size"));
    *ret = (weir_manifest_member){.name = text_of(o, "name", arena),
                                  .path = text_of(o, "path", arena),
                                  .size = (uint64_t)size};
    return ret->name && weir_tar_name_safe(ret->name) && size >= 0 &&
           strcmp(ret->name, WEIR_MANIFEST_NAME) != 0 &&
           strcmp(ret->name, WEIR_MANIFEST_CHECK) != 0 &&
           crc_parse(json_string_value(json_object_get(o, "crc32c")), &ret->crc);
}

/* Every name once, and the data among them. */
static bool members_parse(const json_t *list, weir_arena *arena, weir_manifest *m)
{
    const size_t n = json_array_size(list);
    bool has_data = false;
    if (n == 0 || n > WEIR_MANIFEST_MEMBERS_MAX)
        return false;
    m->members = weir_arena_alloc(arena, n, sizeof *m->members);
    for (size_t i = 0; m->members && i < n; i++) {
        if (!member_parse(json_array_get(list, i), arena, &m->members[i]))
            return false;
        has_data = has_data || !strcmp(m->members[i].name, WEIR_MANIFEST_DATA);
        for (size_t j = 0; j < i; j++)
            if (!strcmp(m->members[i].name, m->members[j].name))
                return false;
    }
    m->n_members = n;
    return m->members && has_data;
}

static bool omitted_parse(const json_t *list, weir_arena *arena, weir_manifest *m)
{
    const size_t n = json_array_size(list);
    m->omitted = weir_arena_alloc(arena, n + 1, sizeof *m->omitted);
    for (size_t i = 0; m->omitted && i < n; i++) {
        const char *text = json_string_value(json_array_get(list, i));
        m->omitted[i] = text ? weir_arena_text(arena, text) : NULL;
        if (!m->omitted[i])
            return false;
    }
    m->n_omitted = n;
    return m->omitted != NULL;
}

static weir_err manifest_read(const json_t *o, weir_arena *arena, weir_manifest *ret,
                              weir_error *error)
{
    weir_manifest m = {.version = text_of(o, "version", arena),
                       .schema = json_integer_value(json_object_get(o, "schema")),
                       .seq = (uint64_t)json_integer_value(json_object_get(o, "seq")),
                       .host = text_of(o, "host", arena),
                       .data_dir = text_of(o, "data_dir", arena)};
    const json_int_t format = json_integer_value(json_object_get(o, "weir_backup"));
    const char *created = json_string_value(json_object_get(o, "created"));
    if (format > WEIR_MANIFEST_VERSION)
        return weir_fail(error, WEIR_EUNSUPPORTED,
                         "the backup was made by a newer weir (%s): use that version",
                         m.version ? m.version : "of unknown version");
    text_copy(o, "uuid", m.identity.uuid, sizeof m.identity.uuid);
    text_copy(o, "instance", m.identity.instance, sizeof m.identity.instance);
    text_copy(o, "name", m.identity.name, sizeof m.identity.name);
    if (format < 1 || !m.version || !m.host || !m.data_dir || !created ||
        !weir_wall_parse(created, &m.created) ||
        !members_parse(json_object_get(o, "members"), arena, &m) ||
        !omitted_parse(json_object_get(o, "secrets_omitted"), arena, &m))
        return weir_fail(error, WEIR_EDAMAGED,
                         "the archive is not a backup of weir, or its list of contents is damaged");
    *ret = m;
    return WEIR_OK;
}

weir_err weir_manifest_parse(const char *text, size_t n, weir_arena *arena, weir_manifest *ret,
                             weir_error *error)
{
    json_error_t json_error;
    json_t *o = json_loadb(text, n, JSON_REJECT_DUPLICATES, &json_error);
    if (!o)
        return weir_fail(error, WEIR_EDAMAGED, "the backup's list of contents is damaged: %s",
                         json_error.text);
    weir_err err = manifest_read(o, arena, ret, error);
    json_decref(o);
    return err;
}
