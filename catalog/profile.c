/* SPDX-License-Identifier: MIT */
/* Profiles: finding them, their inheritance, and points merged by name. */

#include "catalog/profile.h"

#include <inttypes.h>
#include <string.h>

#include "catalog/point.h"

/* ---- merging ---- */

/* index + 1 of what has this name; 0 is "not there". */
static void *index_pointer(size_t i)
{
    return (void *)(uintptr_t)(i + 1);
}

static void point_default(weir_loader *l, weir_point_in *in)
{
    if (!weir_node_is(l->point_defaults, WEIR_NODE_MAPPING))
        return;
    weir_loader_read(l, l->point_defaults, weir_point_table, in);
    in->layers[in->n_layers++] = l->point_defaults;
}

static bool merge_one(weir_loader *l, weir_node mapping, weir_map *names, weir_point_in *points,
                      size_t *n)
{
    const char *name = weir_node_text(weir_node_get(mapping, "name"));
    if (!weir_loader_expect(l, mapping, WEIR_NODE_MAPPING, "entry of points"))
        return false;
    size_t i = (size_t)(uintptr_t)weir_map_get(names, name);
    if (i && *name) {
        /* Of the base's points the last mapping is in another document. */
        const weir_node last = points[i - 1].layers[points[i - 1].n_layers - 1];
        if (last.document == mapping.document) {
            weir_loader_problem(
                l, weir_node_get(mapping, "name"),
                "point '%.100s' is there twice, first at %s: "
                "rename or remove one",
                name, weir_loader_place(l, weir_node_where(mapping), weir_node_where(last)));
            return false;
        }
    }
    if (!i || !*name) {
        i = ++*n;
        weir_point_in_init(&points[i - 1]);
        point_default(l, &points[i - 1]);
        if (*name && weir_map_set(names, weir_loader_text(l, name), index_pointer(i - 1), NULL)) {
            l->failed = true;
            return false;
        }
    }
    return weir_point_in_read(l, mapping, &points[i - 1]);
}

bool weir_points_merge(weir_loader *l, weir_node list, const weir_point_in *base, size_t n_base,
                       weir_point_in **ret, size_t *ret_n)
{
    weir_map names = WEIR_MAP_INIT;
    const bool is_list = list.id && weir_loader_expect(l, list, WEIR_NODE_LIST, "points");
    const size_t n_more = is_list ? weir_node_count(list) : 0;
    weir_point_in *points = weir_loader_scratch(l, n_base + n_more, sizeof *points);
    size_t n = n_base;
    bool good = points && (!list.id || is_list);
    if (points && n_base)
        memcpy(points, base, n_base * sizeof *points);
    for (size_t i = 0; good && i < n_base; i++)
        if (weir_map_set(&names, points[i].name, index_pointer(i), NULL)) {
            l->failed = true;
            good = false;
        }
    for (size_t i = 0; points && i < n_more; i++)
        good = merge_one(l, weir_node_item(list, i), &names, points, &n) && good;
    weir_map_deinit(&names);
    *ret = points;
    *ret_n = points ? n : 0;
    return good;
}

/* ---- reading ---- */

void weir_profiles_free(weir_loader *l)
{
    for (weir_profile *p = l->profiles; p; p = p->next)
        weir_document_free(p->document);
    l->profiles = NULL;
}

static weir_profile *profile_new(weir_loader *l, const char *name)
{
    weir_profile *p = weir_loader_scratch(l, 1, sizeof *p);
    if (!p)
        return NULL;
    p->name = weir_loader_text(l, name);
    weir_option_defaults(weir_device_table, &p->device);
    weir_option_defaults(weir_profile_table, &p->device);
    p->next = l->profiles;
    l->profiles = p;
    return p;
}

static bool profile_inherit(weir_loader *l, weir_profile *p, weir_node root)
{
    const weir_node node = weir_node_get(root, "inherits");
    if (!node.id)
        return true;
    const char *name = weir_loader_scalar(l, node, "inherits");
    const weir_profile *parent = name ? weir_profile_get(l, name, node) : NULL;
    if (!parent)
        return false;
    p->parent = parent;
    const weir_device_in own = p->device;
    p->device = parent->device;
    p->device.name = own.name;
    p->device.description = own.description;
    p->device.source = own.source;
    p->device.inherits = NULL;
    p->points = parent->points;
    p->n_points = parent->n_points;
    return true;
}

static bool profile_read(weir_loader *l, weir_profile *p)
{
    const weir_node root = weir_document_root(p->document);
    const size_t before = l->problems->n;
    if (!weir_loader_expect(l, root, WEIR_NODE_MAPPING, p->name) || !profile_inherit(l, p, root))
        return false;
    weir_loader_read(l, root, weir_profile_table, &p->device);
    (void)weir_loader_require(l, root, weir_profile_table, "a profile", &p->device);
    if (p->device.name && *p->device.name && strcmp(p->device.name, p->name) != 0)
        weir_loader_problem(l, weir_node_get(root, "name"),
                            "the profile is named '%.100s', its "
                            "file '%.100s.yaml': give both one name",
                            p->device.name, p->name);
    (void)weir_points_merge(l, p->device.points, p->points, p->n_points, &p->points, &p->n_points);
    return l->problems->n == before;
}

static const weir_profile *profile_finish(weir_loader *l, weir_profile *p)
{
    weir_arena *outer = l->scratch;
    const weir_node defaults = l->point_defaults;
    l->point_defaults = (weir_node){0}; /* they are the configuration's, not the profile's */
    l->scratch = l->whole;              /* it serves later devices too */
    p->loading = true;
    p->broken = !p->document || !profile_read(l, p);
    p->loading = false;
    l->scratch = outer;
    l->point_defaults = defaults;
    return p->broken ? NULL : p;
}

const weir_profile *weir_profile_of_document(weir_loader *l, weir_document *document)
{
    const weir_node name = weir_node_get(weir_document_root(document), "name");
    weir_arena *outer = l->scratch;
    l->scratch = l->whole;
    weir_profile *p = profile_new(l, weir_node_text(name));
    l->scratch = outer;
    if (!p) {
        weir_document_free(document);
        return NULL;
    }
    p->document = document;
    return profile_finish(l, p);
}

/* ---- finding ---- */

static const char *const *profile_dirs(weir_loader *l, size_t *ret_n)
{
    const size_t n_more = l->options ? l->options->n_profile_dirs : 0;
    const char **dirs = weir_loader_scratch(l, n_more + 1, sizeof *dirs);
    const char *slash = strrchr(l->file, '/');
    *ret_n = 0;
    if (!dirs)
        return NULL;
    dirs[0] = weir_arena_format(l->scratch, "%.*sprofiles", slash ? (int)(slash + 1 - l->file) : 0,
                                l->file);
    if (!dirs[0]) {
        l->failed = true;
        return NULL;
    }
    for (size_t i = 0; i < n_more; i++)
        dirs[i + 1] = l->options->profile_dirs[i];
    *ret_n = n_more + 1;
    return dirs;
}

/* Names of profiles in all folders, for "did you mean". */
struct names {
    weir_loader *l;
    const char *items[512];
    size_t n;
};

static void names_add(void *arg, const char *name)
{
    struct names *names = arg;
    static const char ending[] = ".yaml";
    const size_t n = strlen(name), n_ending = sizeof ending - 1;
    if (n <= n_ending || strcmp(name + n - n_ending, ending) != 0 ||
        names->n == sizeof names->items / sizeof *names->items)
        return;
    char *copy = weir_arena_text_n(names->l->scratch, name, n - n_ending);
    if (copy)
        names->items[names->n++] = copy;
    else
        names->l->failed = true;
}

/* What is said at each place that names a profile which is not there. */
static const char *not_found_text(weir_loader *l, const char *name, const char *const *dirs,
                                  size_t n_dirs)
{
    struct names names = {.l = l};
    WEIR_TEXT_AUTO places = WEIR_TEXT_INIT;
    for (size_t i = 0; i < n_dirs; i++) {
        if (l->files->list)
            l->files->list(l->files->data, dirs[i], names_add, &names);
        weir_text_format(&places, "%s%s", i ? ", " : "", dirs[i]);
    }
    const char *meant = weir_loader_meant(l, name, names.items, names.n);
    const char *text =
        *meant ? weir_arena_format(l->whole, "there is no profile '%.100s'%s", name, meant)
               : weir_arena_format(l->whole,
                                   "there is no profile '%.100s': looked for %.100s.yaml in %s",
                                   name, name, weir_text_get(&places));
    if (!text)
        l->failed = true;
    return text;
}

static weir_document *profile_open(weir_loader *l, const char *name, weir_node at,
                                   const char **ret_not_found)
{
    size_t n_dirs;
    const char *const *dirs = profile_dirs(l, &n_dirs);
    for (size_t i = 0; dirs && i < n_dirs; i++) {
        weir_error error = WEIR_ERROR_INIT;
        WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
        const char *path = weir_arena_format(l->scratch, "%s/%s.yaml", dirs[i], name);
        if (!path) {
            l->failed = true;
            return NULL;
        }
        weir_err err = l->files->read(l->files->data, path, &text, &error);
        if (err == WEIR_ENOTFOUND)
            continue;
        if (err) {
            weir_loader_problem(l, at, "profile '%.100s': %s", name, error.text);
            return NULL;
        }
        return weir_document_parse(path, weir_text_get(&text), text.length, l->problems);
    }
    if (dirs)
        *ret_not_found = not_found_text(l, name, dirs, n_dirs);
    return NULL;
}

static bool profile_name_is_valid(const char *name)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    return *name && *name != '.' && strspn(name, allowed) == strlen(name);
}

const weir_profile *weir_profile_get(weir_loader *l, const char *name, weir_node at)
{
    for (weir_profile *p = l->profiles; p; p = p->next) {
        if (strcmp(p->name, name) != 0)
            continue;
        if (p->loading)
            weir_loader_problem(l, at, "profile '%.100s' inherits itself: break the circle", name);
        if (p->not_found)
            weir_loader_problem(l, at, "%s", p->not_found);
        return p->loading || p->broken ? NULL : p;
    }
    if (!profile_name_is_valid(name)) {
        weir_loader_problem(l, at,
                            "\"%.100s\" is no profile's name: a profile is named without "
                            "folder and ending; put its file into the folder profiles beside the "
                            "configuration",
                            name);
        return NULL;
    }
    weir_arena *outer = l->scratch;
    l->scratch = l->whole;
    weir_profile *p = profile_new(l, name);
    if (p) {
        p->loading = true;
        p->document = profile_open(l, name, at, &p->not_found);
        if (p->not_found)
            weir_loader_problem(l, at, "%s", p->not_found);
    }
    l->scratch = outer;
    return p ? profile_finish(l, p) : NULL;
}
