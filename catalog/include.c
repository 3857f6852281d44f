/* SPDX-License-Identifier: MIT */
/* The files that a configuration includes. */

/*
 * Depth first, in the order written; a pattern's files by name. Each file is read once: a circle is
 * told with its files, and a second mention with the place of the first. What is not there, cannot
 * be read or parsed is a problem; the rest goes on, so that all problems are told at once.
 */

#include "catalog/include.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "catalog/cfg.h"
#include "catalog/join.h"
#include "catalog/variables.h"

enum {
    DEPTH_MAX = 16,
    FILES_MAX = 1000, /* of a pattern in the wrong folder, say */
};

/* A file that was read, or is being read. */
struct file {
    const char *path;
    weir_node at;  /* what named it; none: the configuration itself */
    size_t parent; /* index of the file that did */
    bool is_open;  /* its own includes are being followed */
};

struct include {
    weir_document *document;
    const weir_yaml_files *files;
    const weir_env *env;
    weir_roots *roots;
    weir_problems *problems;
    weir_arena *arena;
    struct file *read;
    size_t n, capacity;
    unsigned depth;
};

void weir_roots_deinit(weir_roots *roots)
{
    weir_free(roots->items);
    *roots = (weir_roots){0};
}

bool weir_roots_add(weir_roots *roots, weir_node root)
{
    weir_node *items = weir_array_room(roots->items, roots->n, &roots->capacity, sizeof *items);
    if (!items)
        return false;
    roots->items = items;
    items[roots->n++] = root;
    return true;
}

static void no_memory(struct include *in)
{
    in->problems->failed = true;
}

/* ---- paths ---- */

/* "conf/./x/../a.yaml" as "conf/a.yaml": the same file has the same text. */
static char *path_tidy(weir_arena *arena, const char *path)
{
    char *tidy = weir_arena_text(arena, "");
    const char *next = path + (*path == '/');
    WEIR_TEXT_AUTO t = WEIR_TEXT_INIT;
    if (*path == '/')
        weir_text_add_char(&t, '/');
    for (; *next; next += strcspn(next, "/"), next += *next == '/') {
        const size_t n = strcspn(next, "/");
        const char *whole = weir_text_get(&t);
        const char *slash = strrchr(whole, '/');
        const char *last = slash ? slash + 1 : whole;
        if (n == 0 || (n == 1 && *next == '.'))
            continue;
        if (n == 2 && !strncmp(next, "..", 2) && *last && strcmp(last, "..") != 0) {
            t.length = slash && slash != whole ? (size_t)(slash - whole) : slash ? 1 : 0;
            if (t.text)
                t.text[t.length] = '\0';
            continue;
        }
        if (t.length && t.text[t.length - 1] != '/')
            weir_text_add_char(&t, '/');
        weir_text_add_n(&t, next, n);
    }
    if (tidy && !t.failed)
        tidy = weir_arena_text(arena, weir_text_get(&t));
    return t.failed ? NULL : tidy;
}

char *weir_include_path(weir_arena *arena, const char *from, const char *path)
{
    const char *slash = *path == '/' ? NULL : strrchr(from, '/');
    char *joined = slash ? weir_arena_format(arena, "%.*s/%s", (int)(slash - from), from, path)
                         : weir_arena_text(arena, path);
    return joined ? path_tidy(arena, joined) : NULL;
}

/* ---- one file ---- */

static void say_circle(struct include *in, weir_node at, size_t from, size_t to)
{
    WEIR_TEXT_AUTO chain = WEIR_TEXT_INIT;
    const char *names[DEPTH_MAX + 1];
    size_t n = 0;
    for (size_t i = from; n < DEPTH_MAX; i = in->read[i].parent) {
        names[n++] = in->read[i].path;
        if (i == to)
            break;
    }
    while (n--)
        weir_text_format(&chain, "%s includes ", names[n]);
    weir_text_add(&chain, in->read[to].path);
    weir_problems_add(in->problems, WEIR_ECONFIG, weir_node_where(at),
                      "include: %.800s: break the circle", weir_text_get(&chain));
}

static void say_again(struct include *in, weir_node at, const struct file *file)
{
    WEIR_TEXT_AUTO first = WEIR_TEXT_INIT;
    const weir_where where = weir_node_where(file->at);
    weir_where_format(&where, &first);
    weir_problems_add(in->problems, WEIR_ECONFIG, weir_node_where(at),
                      "include: %s is included already, at %s", file->path, weir_text_get(&first));
}

static bool was_read(struct include *in, size_t from, const char *path, weir_node at)
{
    for (size_t i = 0; i < in->n; i++) {
        if (strcmp(in->read[i].path, path) != 0)
            continue;
        if (in->read[i].is_open)
            say_circle(in, at, from, i);
        else
            say_again(in, at, &in->read[i]);
        return true;
    }
    return false;
}

static weir_node file_parse(struct include *in, const char *path, weir_node at)
{
    weir_error error = WEIR_ERROR_INIT;
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    const weir_err err = in->files->read(in->files->data, path, &text, &error);
    if (err) {
        weir_problems_add(in->problems, err, weir_node_where(at), "include: %s", error.text);
        return (weir_node){0};
    }
    weir_document *document =
        weir_cfg_or_yaml_parse(path, weir_text_get(&text), text.length, NULL, in->problems);
    if (document && in->env && !weir_variables_replace(document, in->env))
        no_memory(in);
    return document ? weir_document_adopt(in->document, document, in->problems) : (weir_node){0};
}

static void follow(struct include *in, size_t file, weir_node root);

static void read_file(struct include *in, size_t from, const char *path, weir_node at)
{
    if (was_read(in, from, path, at))
        return;
    if (in->depth == DEPTH_MAX || in->n == FILES_MAX) {
        weir_problems_add(in->problems, WEIR_ELIMIT, weir_node_where(at),
                          in->depth == DEPTH_MAX ? "include: files in files deeper than %d"
                                                 : "include: more than %d files",
                          in->depth == DEPTH_MAX ? (int)DEPTH_MAX : (int)FILES_MAX);
        return;
    }
    struct file *read = weir_array_room(in->read, in->n, &in->capacity, sizeof *read);
    if (!read) {
        no_memory(in);
        return;
    }
    in->read = read;
    const size_t number = in->n++;
    read[number] = (struct file){.path = path, .at = at, .parent = from, .is_open = true};
    const weir_node root = file_parse(in, path, at);
    const weir_node env_file = weir_node_get(root, "env_file");
    if (env_file.id)
        weir_problems_add(in->problems, WEIR_ECONFIG, weir_node_where(env_file),
                          "env_file stands in the first file only: it holds for all of them");
    if (root.id && !weir_node_is(root, WEIR_NODE_MAPPING))
        weir_problems_add(in->problems, WEIR_ECONFIG, weir_node_where(root),
                          "an included file has keys at its top, such as 'devices:'");
    else if (root.id && weir_roots_add(in->roots, root))
        follow(in, number, root);
    else if (root.id)
        no_memory(in);
    in->read[number].is_open = false;
}

/* ---- patterns ---- */

struct names {
    weir_arena *arena;
    const char *pattern;
    const char **items;
    size_t n, capacity;
    bool failed;
};

static void names_add(void *arg, const char *name)
{
    struct names *names = arg;
    if (*name == '.' || !weir_glob_match(names->pattern, name))
        return;
    const char **items = weir_array_room(names->items, names->n, &names->capacity, sizeof *items);
    const char *copy = weir_arena_text(names->arena, name);
    names->items = items ? items : names->items;
    if (items && copy)
        items[names->n++] = copy;
    else
        names->failed = true;
}

static int names_compare(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;
    return strcmp(*x, *y);
}

/* A pattern that nothing matches is no mistake: a folder for files to come. */
static void read_matching(struct include *in, size_t from, const char *path, weir_node at)
{
    const char *slash = strrchr(path, '/');
    const char *folder =
        slash ? weir_arena_text_n(in->arena, path, slash == path ? 1 : (size_t)(slash - path))
              : ".";
    struct names names = {.arena = in->arena, .pattern = slash ? slash + 1 : path};
    if (folder && strpbrk(folder, "*?")) {
        weir_problems_add(in->problems, WEIR_ECONFIG, weir_node_where(at),
                          "include: * and ? may stand in the name of the file, not of its folder");
        return;
    }
    if (folder && in->files->list)
        in->files->list(in->files->data, folder, names_add, &names);
    if (!folder || names.failed)
        no_memory(in);
    if (names.n)
        qsort(names.items, names.n, sizeof *names.items, names_compare);
    for (size_t i = 0; i < names.n; i++) {
        char *whole = slash ? weir_arena_format(in->arena, "%s%s%s", folder,
                                                slash == path ? "" : "/", names.items[i])
                            : weir_arena_text(in->arena, names.items[i]);
        if (whole)
            read_file(in, from, whole, at);
        else
            no_memory(in);
    }
    weir_free(names.items);
}

/* ---- the word `include` ---- */

static void follow_one(struct include *in, size_t file, weir_node node)
{
    const char *text = weir_node_text(node);
    const weir_variable *variable = weir_node_variable(node);
    if (!weir_node_is(node, WEIR_NODE_SCALAR) || weir_node_empty(node) || !*text ||
        (variable && *variable->problem))
        return; /* said when the keys are read */
    const char *path = weir_include_path(in->arena, in->read[file].path, text);
    if (!path)
        no_memory(in);
    else if (strpbrk(text, "*?"))
        read_matching(in, file, path, node);
    else
        read_file(in, file, path, node);
}

static void follow(struct include *in, size_t file, weir_node root)
{
    const weir_node node = weir_node_get(root, "include");
    in->depth++;
    if (weir_node_is(node, WEIR_NODE_LIST))
        for (size_t i = 0; i < weir_node_count(node); i++)
            follow_one(in, file, weir_node_item(node, i));
    else
        follow_one(in, file, node);
    in->depth--;
}

void weir_include_follow(weir_document *document, const weir_yaml_files *files, const weir_env *env,
                         weir_roots *roots, weir_problems *problems)
{
    const weir_node root = weir_document_root(document);
    WEIR_CLEANUP(weir_arena_free) weir_arena *arena = weir_arena_new();
    struct include in = {.document = document,
                         .files = files,
                         .env = env,
                         .roots = roots,
                         .problems = problems,
                         .arena = arena};
    const char *path = arena ? path_tidy(arena, weir_document_name(document)) : NULL;
    in.read = weir_array_room(NULL, 0, &in.capacity, sizeof *in.read);
    if (!path || !in.read || !weir_roots_add(roots, root)) {
        no_memory(&in);
    } else {
        in.read[in.n++] = (struct file){.path = path, .is_open = true};
        follow(&in, 0, root);
    }
    weir_free(in.read);
}
