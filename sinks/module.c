/* SPDX-License-Identifier: MIT */
/* The sink types of this program: built in, or in a module that is loaded when it is named. */

#include "sinks/module.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sinks/csv/csv.h"
#include "sinks/noop/noop.h"
#include "sinks/sqlite/sqlite.h"
#include "sinks/stdout/stdout.h"

enum { TYPES_MAX = 64 };

static const weir_sink_type *const built_in[] = {
    &weir_sink_csv, &weir_sink_noop, &weir_sink_sqlite, &weir_sink_stdout, NULL,
};

/* What was loaded stays: its code may be running on other threads. */
static struct {
    pthread_mutex_t lock;
    const weir_sink_type *types[TYPES_MAX + 1];
    size_t n;
} known = {.lock = PTHREAD_MUTEX_INITIALIZER};

static const weir_sink_type *known_find(const char *name)
{
    if (known.n == 0)
        for (; built_in[known.n]; known.n++)
            known.types[known.n] = built_in[known.n];
    for (size_t i = 0; i < known.n; i++)
        if (strcmp(known.types[i]->name, name) == 0)
            return known.types[i];
    return NULL;
}

/* Only such names become part of a path. */
static bool name_is_plain(const char *name)
{
    const size_t n = strlen(name);
    return n > 0 && n < 64 && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == n;
}

/* --- where modules lie -------------------------------------------------------------------- */

static bool program_folder(char *ret, size_t size)
{
    const ssize_t n = readlink("/proc/self/exe", ret, size - 1);
    if (n <= 0)
        return false;
    ret[n] = '\0';
    char *slash = strrchr(ret, '/');
    if (!slash)
        return false;
    *slash = '\0';
    return true;
}

/* Calls back for each folder, first to last, until it returns true. */
static bool folders_each(bool (*call)(void *data, const char *folder), void *data)
{
    static const char *const beside[] = {"", "/../lib/weir/modules", "/..", NULL};
    char program[PATH_MAX], folder[PATH_MAX + 64];
    const char *path = getenv("WEIR_MODULE_PATH");
    for (; path && *path; path += strcspn(path, ":"), path += *path == ':') {
        (void)snprintf(folder, sizeof folder, "%.*s", (int)strcspn(path, ":"), path);
        if (*folder && call(data, folder))
            return true;
    }
    for (size_t i = 0; program_folder(program, sizeof program) && beside[i]; i++) {
        (void)snprintf(folder, sizeof folder, "%s%s", program, beside[i]);
        if (call(data, folder))
            return true;
    }
    return call(data, WEIR_MODULE_DIR);
}

/* --- loading ------------------------------------------------------------------------------ */

struct search {
    const char *name;
    const weir_sink_type *type;
    weir_err err;
    weir_error *error;
};

static weir_err module_load(const char *path, const weir_sink_type **ret, weir_error *error)
{
    void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!module)
        return weir_fail(error, WEIR_EUNSUPPORTED, "the module cannot be loaded: %.300s",
                         dlerror());
    union {
        void *object;
        weir_sink_module function;
    } get = {.object = dlsym(module, WEIR_SINK_MODULE_SYMBOL)};
    const weir_sink_type *type = get.object ? get.function(WEIR_SINK_ABI) : NULL;
    if (type && type->abi == WEIR_SINK_ABI) {
        *ret = type;
        return WEIR_OK;
    }
    (void)dlclose(module);
    return weir_fail(error, WEIR_EUNSUPPORTED,
                     "%.300s is of another version of weir: install the one that came with this",
                     path);
}

static bool folder_has(void *data, const char *folder)
{
    struct search *s = data;
    char path[PATH_MAX + 256];
    (void)snprintf(path, sizeof path, "%s/weir-sink-%s.so", folder, s->name);
    if (access(path, F_OK) != 0)
        return false;
    s->err = module_load(path, &s->type, s->error);
    return true;
}

/* --- finding ------------------------------------------------------------------------------ */

static weir_err not_found(const char *name, weir_error *error)
{
    const weir_sink_type *const *types = weir_sink_types();
    const char *names[TYPES_MAX + 1];
    size_t n = 0;
    WEIR_TEXT_AUTO list = WEIR_TEXT_INIT;
    for (; types[n]; n++) {
        names[n] = types[n]->name;
        weir_text_format(&list, "%s%s", n ? ", " : "", names[n]);
    }
    const char *near = weir_text_nearest(name, names, n);
    if (near)
        return weir_fail(error, WEIR_ENOTFOUND,
                         "there is no sink type \"%.60s\": did you mean %s? There are: %s", name,
                         near, weir_text_get(&list));
    return weir_fail(error, WEIR_ENOTFOUND, "there is no sink type \"%.60s\". There are: %s", name,
                     weir_text_get(&list));
}

static const weir_sink_type *type_load(const char *name, weir_err *ret, weir_error *error)
{
    struct search s = {.name = name, .error = error};
    const weir_sink_type *type = known_find(name);
    if (type || !name_is_plain(name) || known.n >= TYPES_MAX)
        return type;
    (void)folders_each(folder_has, &s);
    if (s.type)
        known.types[known.n++] = s.type;
    *ret = s.err;
    return s.type;
}

weir_err weir_sink_type_find(const char *name, const weir_sink_type **ret, weir_error *error)
{
    weir_err err = WEIR_OK;
    (void)pthread_mutex_lock(&known.lock);
    const weir_sink_type *type = type_load(name, &err, error);
    (void)pthread_mutex_unlock(&known.lock);
    if (!type)
        return err != WEIR_OK ? err : not_found(name, error);
    *ret = type;
    return WEIR_OK;
}

static bool folder_load_all(void *data, const char *folder)
{
    static const char prefix[] = "weir-sink-", suffix[] = ".so";
    DIR *dir = opendir(folder);
    (void)data;
    for (const struct dirent *entry; dir && (entry = readdir(dir));) {
        char name[64];
        const size_t n = strlen(entry->d_name), taken = sizeof prefix + sizeof suffix - 2;
        if (n <= taken || n - taken >= sizeof name ||
            strncmp(entry->d_name, prefix, sizeof prefix - 1) != 0 ||
            strcmp(entry->d_name + n - (sizeof suffix - 1), suffix) != 0)
            continue;
        (void)snprintf(name, sizeof name, "%.*s", (int)(n - taken),
                       entry->d_name + sizeof prefix - 1);
        weir_error error = WEIR_ERROR_INIT;
        weir_err err = WEIR_OK;
        (void)type_load(name, &err, &error);
    }
    if (dir)
        (void)closedir(dir);
    return false;
}

static int by_name(const void *a, const void *b)
{
    const weir_sink_type *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

const weir_sink_type *const *weir_sink_types(void)
{
    static const weir_sink_type *sorted[TYPES_MAX + 1];
    (void)pthread_mutex_lock(&known.lock);
    (void)known_find("");
    (void)folders_each(folder_load_all, NULL);
    if (!sorted[0] || sorted[known.n - 1] == NULL) {
        for (size_t i = 0; i < known.n; i++)
            sorted[i] = known.types[i];
        qsort(sorted, known.n, sizeof *sorted, by_name);
    }
    (void)pthread_mutex_unlock(&known.lock);
    return sorted;
}
