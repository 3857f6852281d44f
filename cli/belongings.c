/* SPDX-License-Identifier: MIT */
/* What belongs to a data directory and lies elsewhere: configuration, profiles, secrets. */

/*
 * The configuration is loaded as the daemon would, through a reader that keeps what was read: so
 * nothing is forgotten that a later version looks for in a further file. Secrets are found by the
 * rule that names them, not by a list of sinks.
 */

#include "cli/belongings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "catalog/cfg.h"
#include "catalog/document.h"
#include "catalog/files.h"
#include "catalog/yaml.h"
#include "daemon/problems.h"
#include "store/backup/tar.h"

enum {
    FILES_MAX = 1024,
    SECRET_SIZE_MAX = 1 << 20,
    DEPTH_MAX = 64,
};

struct collector {
    weir_arena *arena;
    weir_belongings *found;
    const char *config;
    bool with_secrets;
    bool failed;           /* memory */
    weir_yaml_files files; /* this reader */
    weir_yaml_options yaml;
    size_t n_secrets;
};

/* --- names -------------------------------------------------------------------------------- */

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* FOLDER/NAME, or FOLDER/file-N when the name cannot stand in an archive or is taken. */
static const char *archive_name(struct collector *c, const char *folder, const char *path)
{
    const char *name = weir_arena_format(c->arena, "%s/%s", folder, base_name(path));
    bool usable = name && weir_tar_name_safe(name);
    for (size_t i = 0; usable && i < c->found->n_files; i++)
        usable = strcmp(c->found->files[i].name, name) != 0;
    if (!usable)
        name = weir_arena_format(c->arena, "%s/file-%zu", folder, c->found->n_files + 1);
    c->failed = c->failed || !name;
    return name ? name : "";
}

static bool has_prefix(const char *text, const char *prefix)
{
    return !strncmp(text, prefix, strlen(prefix));
}

/* A profile that came with the program comes with the next one, better. */
static bool is_built_in(const struct collector *c, const char *path)
{
    const char *own = getenv("WEIR_PROFILE_PATH");
    for (size_t i = 0; i < c->yaml.n_profile_dirs; i++) {
        const char *dir = c->yaml.profile_dirs[i];
        if (has_prefix(path, dir) && path[strlen(dir)] == '/')
            return !own || !strstr(own, dir);
    }
    return false;
}

/* --- configuration and profiles ----------------------------------------------------------- */

static void file_add(struct collector *c, const char *name, const char *path, const char *bytes,
                     size_t n)
{
    weir_belongings *b = c->found;
    char *copy = weir_arena_text_n(c->arena, bytes, n);
    char *where = realpath(path, NULL);
    const char *kept = weir_arena_text(c->arena, where ? where : path);
    free(where);
    if (!copy || !kept || b->n_files == FILES_MAX) {
        c->failed = true;
        return;
    }
    b->files[b->n_files++] = (weir_backup_file){name, kept, copy, n};
}

/* In a folder named `profiles`: what names it looks for it there. */
static bool is_profile(const char *path)
{
    static const char folder[] = "profiles";
    const char *slash = strrchr(path, '/');
    const size_t n = slash ? (size_t)(slash - path) : 0, n_folder = sizeof folder - 1;
    return n >= n_folder && !strncmp(slash - n_folder, folder, n_folder) &&
           (n == n_folder || slash[-(ptrdiff_t)n_folder - 1] == '/');
}

/* What the configuration includes lies where it lies as seen from there, or beside it. */
static const char *include_name(struct collector *c, const char *path)
{
    const size_t n = (size_t)(base_name(c->config) - c->config);
    const char *name =
        !strncmp(path, c->config, n) ? weir_arena_format(c->arena, "config/%s", path + n) : NULL;
    bool usable = name && weir_tar_name_safe(name);
    for (size_t i = 0; usable && i < c->found->n_files; i++)
        usable = strcmp(c->found->files[i].name, name) != 0;
    return usable ? name : archive_name(c, "config", path);
}

static weir_err keeping_read(void *data, const char *path, weir_text *ret, weir_error *error)
{
    struct collector *c = data;
    const size_t before = ret->length;
    weir_err err = weir_yaml_disk.read(weir_yaml_disk.data, path, ret, error);
    if (err || is_built_in(c, path))
        return err;
    const char *name =
        is_profile(path) ? archive_name(c, "config/profiles", path) : include_name(c, path);
    file_add(c, name, path, weir_text_get(ret) + before, ret->length - before);
    return WEIR_OK;
}

static void keeping_list(void *data, const char *folder,
                         void (*on_name)(void *arg, const char *name), void *arg)
{
    (void)data;
    weir_yaml_disk.list(weir_yaml_disk.data, folder, on_name, arg);
}

/* --- secrets ------------------------------------------------------------------------------ */

static void text_add(const char **list, size_t *n, const char *text)
{
    for (size_t i = 0; i < *n; i++)
        if (!strcmp(list[i], text))
            return;
    if (*n < FILES_MAX)
        list[(*n)++] = text;
}

/* Relative names are seen from the configuration. */
static const char *secret_path(struct collector *c, const char *name)
{
    const char *slash = strrchr(c->config, '/');
    const char *path =
        *name == '/' || !slash
            ? weir_arena_text(c->arena, name)
            : weir_arena_format(c->arena, "%.*s/%s", (int)(slash - c->config), c->config, name);
    c->failed = c->failed || !path;
    return path;
}

static void secret_found(struct collector *c, const char *name)
{
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    weir_belongings *b = c->found;
    weir_error error = WEIR_ERROR_INIT;
    const char *path = secret_path(c, name);
    if (!path)
        return;
    if (!c->with_secrets) {
        text_add(b->omitted, &b->n_omitted, path);
        return;
    }
    for (size_t i = 0; i < b->n_files; i++)
        if (!strcmp(b->files[i].path, path))
            return; /* two sinks, one secret */
    text.limit = SECRET_SIZE_MAX;
    if (weir_yaml_disk.read(weir_yaml_disk.data, path, &text, &error)) {
        const char *why = weir_arena_text(c->arena, error.text);
        text_add(b->missing, &b->n_missing, why ? why : path);
        return;
    }
    file_add(c, archive_name(c, "secrets", path), path, weir_text_get(&text), text.length);
}

static bool names_secret(const char *key)
{
    static const char ending[] = "_file";
    const size_t n = strlen(key), n_ending = sizeof ending - 1;
    return n > n_ending && !strcmp(key + n - n_ending, ending);
}

static void secrets_find(struct collector *c, weir_node node, int depth)
{
    const bool mapping = weir_node_is(node, WEIR_NODE_MAPPING);
    if (depth > DEPTH_MAX)
        return;
    for (size_t i = 0; i < weir_node_count(node); i++) {
        const weir_node value = mapping ? weir_node_value(node, i) : weir_node_item(node, i);
        if (mapping && weir_node_is(value, WEIR_NODE_SCALAR) && !weir_node_empty(value) &&
            names_secret(weir_node_text(weir_node_key(node, i))))
            secret_found(c, weir_node_text(value));
        else
            secrets_find(c, value, depth + 1);
    }
}

static void secrets_collect(struct collector *c)
{
    const size_t n = c->found->n_files;
    for (size_t i = 0; i < n; i++) {
        const weir_backup_file *file = &c->found->files[i];
        weir_problems problems = WEIR_PROBLEMS_INIT;
        weir_document *document =
            weir_cfg_or_yaml_parse(file->path, file->bytes, file->n, NULL, &problems);
        if (document)
            secrets_find(c, weir_document_root(document), 0);
        weir_document_free(document);
        weir_problems_deinit(&problems);
    }
}

/* ------------------------------------------------------------------------------------------ */

static weir_err collector_init(struct collector *c, const char *path, bool with_secrets,
                               weir_arena *arena, weir_belongings *found, weir_error *error)
{
    *found = (weir_belongings){
        .files = weir_arena_alloc(arena, FILES_MAX, sizeof *found->files),
        .omitted = weir_arena_alloc(arena, FILES_MAX, sizeof *found->omitted),
        .missing = weir_arena_alloc(arena, FILES_MAX, sizeof *found->missing),
    };
    *c = (struct collector){
        .arena = arena, .found = found, .config = path, .with_secrets = with_secrets};
    if (!found->files || !found->omitted || !found->missing ||
        weir_yaml_default_dirs(arena, &c->yaml))
        return weir_fail(error, WEIR_ENOMEM, "no memory to read the configuration");
    c->files = (weir_yaml_files){c, keeping_read, keeping_list};
    c->yaml.files = &c->files;
    return WEIR_OK;
}

weir_err weir_belongings_collect(const char *path, bool with_secrets, weir_arena *arena,
                                 weir_belongings *ret, weir_error *error)
{
    struct collector c;
    weir_problems problems = WEIR_PROBLEMS_INIT;
    weir_catalog *catalog = NULL;
    weir_belongings found;
    weir_err err = collector_init(&c, path, with_secrets, arena, &found, error);
    if (err)
        return err;
    if (weir_yaml_load(path, &c.yaml, &catalog, &problems))
        weir_problems_print(&problems);
    weir_problems_deinit(&problems);
    if (catalog) {
        found.data_dir = weir_arena_text(arena, catalog->store.data_dir);
        c.failed = c.failed || !found.data_dir;
    }
    weir_catalog_free(catalog);
    secrets_collect(&c);
    if (c.failed)
        return weir_fail(error, WEIR_ENOMEM,
                         "no memory for the configuration, or it has more than "
                         "%d files",
                         FILES_MAX);
    if (found.n_files == 0)
        return weir_fail(error, WEIR_ENOTFOUND, "the configuration %s cannot be read", path);
    *ret = found;
    return WEIR_OK;
}
