/* SPDX-License-Identifier: MIT */
/* The profiles there are, for lists and suggestions. */

#include "catalog/profiles.h"

#include <stdlib.h>
#include <string.h>

#include "catalog/document.h"
#include "catalog/files.h"

struct listing {
    weir_arena *arena;
    const weir_yaml_files *files;
    const char *folder; /* the one at work */
    weir_profile_entry *entries;
    size_t n, capacity;
    bool failed;
};

static bool listing_has(const struct listing *l, const char *name, size_t n)
{
    for (size_t i = 0; i < l->n; i++)
        if (strlen(l->entries[i].name) == n && !memcmp(l->entries[i].name, name, n))
            return true;
    return false;
}

/* Of a profile that is wrong only the name counts: `weir check` says what is wrong with it. */
static const char *description_of(struct listing *l, const char *path)
{
    weir_problems problems = WEIR_PROBLEMS_INIT;
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    weir_document *document = NULL;
    const char *copy = "";
    if (l->files->read(l->files->data, path, &text, NULL) == WEIR_OK)
        document = weir_document_parse(path, weir_text_get(&text), text.length, &problems);
    if (document)
        copy = weir_arena_text(
            l->arena, weir_node_text(weir_node_get(weir_document_root(document), "description")));
    weir_document_free(document);
    weir_problems_deinit(&problems);
    l->failed |= copy == NULL;
    return copy;
}

static void on_name(void *arg, const char *name)
{
    static const char ending[] = ".yaml";
    struct listing *l = arg;
    const size_t n = strlen(name), n_ending = sizeof ending - 1;
    if (n <= n_ending || strcmp(name + n - n_ending, ending) != 0 || *name == '.' ||
        listing_has(l, name, n - n_ending))
        return;
    weir_profile_entry *entries = weir_array_room(l->entries, l->n, &l->capacity, sizeof *entries);
    const char *path = weir_arena_format(l->arena, "%s/%s", l->folder, name);
    const char *copy = weir_arena_text_n(l->arena, name, n - n_ending);
    l->entries = entries ? entries : l->entries;
    if (entries && path && copy)
        l->entries[l->n++] = (weir_profile_entry){copy, description_of(l, path)};
    else
        l->failed = true;
}

static int entry_compare(const void *x, const void *y)
{
    const weir_profile_entry *a = x, *b = y;
    return strcmp(a->name, b->name);
}

static void listing_add_folder(struct listing *l, const char *folder)
{
    l->folder = folder;
    if (!folder)
        l->failed = true;
    else if (l->files->list)
        l->files->list(l->files->data, folder, on_name, l);
}

weir_err weir_profiles_list(const char *file, const weir_yaml_options *options, weir_arena *arena,
                            weir_profile_entry **ret, size_t *ret_n)
{
    struct listing l = {.arena = arena,
                        .files = options && options->files ? options->files : &weir_yaml_disk};
    const char *slash = strrchr(file, '/');
    listing_add_folder(
        &l, weir_arena_format(arena, "%.*sprofiles", slash ? (int)(slash + 1 - file) : 0, file));
    for (size_t i = 0; options && i < options->n_profile_dirs; i++)
        listing_add_folder(&l, options->profile_dirs[i]);
    if (l.n)
        qsort(l.entries, l.n, sizeof *l.entries, entry_compare);
    weir_profile_entry *kept = weir_arena_alloc(arena, l.n + 1, sizeof *kept);
    if (kept && l.n)
        memcpy(kept, l.entries, l.n * sizeof *kept);
    weir_free(l.entries);
    if (!kept || l.failed)
        return WEIR_ENOMEM;
    *ret = kept;
    *ret_n = l.n;
    return WEIR_OK;
}
