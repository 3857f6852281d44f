/* SPDX-License-Identifier: MIT */
/* The kinds of databases of this program: built in, or in a module that is loaded when named. */

#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "catalog/database.h"

/* postgres:// is libpq's other word. */
static const struct scheme {
    const char *prefix, *module; /* NULL: built in */
} schemes[] = {{"sqlite:", NULL}, {"postgresql://", "postgresql"}, {"postgres://", "postgresql"}};

enum { SCHEMES = sizeof schemes / sizeof *schemes };

/* What was loaded stays: its code may be running on other threads. */
static struct {
    pthread_mutex_t lock;
    const weir_database_type *types[SCHEMES];
} loaded = {.lock = PTHREAD_MUTEX_INITIALIZER};

void weir_database_place(const char *url, weir_text *ret)
{
    const char *host = strstr(url, "://");
    const char *end = host ? host + 3 + strcspn(host + 3, "/?") : NULL;
    const char *at = host ? memchr(host, '@', (size_t)(end - host)) : NULL;
    const char *colon = at ? memchr(host + 3, ':', (size_t)(at - host - 3)) : NULL;
    if (!host && !strncmp(url, "sqlite:", 7)) {
        weir_text_add(ret, url + 7);
    } else if (!host) {
        weir_text_add(ret, url);
    } else { /* parameters may have a password too */
        weir_text_add_n(ret, url, (size_t)((colon ? colon : host + 3) - url));
        const char *rest = colon ? at : host + 3;
        weir_text_add_n(ret, rest, strcspn(rest, "?"));
    }
}

/* ---- modules ---- */

static bool module_at(const char *folder, const char *name, const weir_database_type **ret,
                      weir_error *error)
{
    char path[PATH_MAX + 256];
    (void)snprintf(path, sizeof path, "%s/weir-database-%s.so", folder, name);
    if (access(path, F_OK) != 0)
        return false;
    void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!module) {
        (void)weir_fail(error, WEIR_EUNSUPPORTED, "the module cannot be loaded: %.300s", dlerror());
        return true;
    }
    union {
        void *object;
        weir_database_module function;
    } get = {.object = dlsym(module, WEIR_DATABASE_MODULE_SYMBOL)};
    const weir_database_type *type = get.object ? get.function(WEIR_DATABASE_ABI) : NULL;
    if (type && type->abi == WEIR_DATABASE_ABI) {
        *ret = type;
        return true;
    }
    (void)dlclose(module);
    (void)weir_fail(error, WEIR_EUNSUPPORTED,
                    "%.300s is of another version of weir: install the one that came with this",
                    path);
    return true;
}

static bool beside_program(const char *name, const weir_database_type **ret, weir_error *error)
{
    static const char *const beside[] = {"", "/../lib/weir/modules", "/..", NULL};
    char program[PATH_MAX], folder[PATH_MAX + 64];
    const ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
    if (n <= 0)
        return false;
    program[n] = '\0';
    char *slash = strrchr(program, '/');
    if (slash)
        *slash = '\0';
    for (size_t i = 0; beside[i]; i++) {
        (void)snprintf(folder, sizeof folder, "%s%s", program, beside[i]);
        if (module_at(folder, name, ret, error))
            return true;
    }
    return false;
}

static const weir_database_type *module_load(const char *name, weir_error *error)
{
    const weir_database_type *type = NULL;
    char folder[PATH_MAX];
    const char *path = getenv("WEIR_MODULE_PATH");
    (void)weir_fail(error, WEIR_EUNSUPPORTED,
                    "the module weir-database-%s.so is not installed: it needs libpq", name);
    for (; path && *path; path += strcspn(path, ":"), path += *path == ':') {
        (void)snprintf(folder, sizeof folder, "%.*s", (int)strcspn(path, ":"), path);
        if (*folder && module_at(folder, name, &type, error))
            return type;
    }
    if (!beside_program(name, &type, error))
        (void)module_at(WEIR_MODULE_DIR, name, &type, error);
    return type;
}

weir_err weir_database_type_find(const char *url, const weir_database_type **ret, weir_error *error)
{
    for (size_t i = 0; i < SCHEMES; i++) {
        if (strncmp(url, schemes[i].prefix, strlen(schemes[i].prefix)) != 0)
            continue;
        (void)pthread_mutex_lock(&loaded.lock);
        if (!loaded.types[i])
            loaded.types[i] =
                schemes[i].module ? module_load(schemes[i].module, error) : &weir_database_sqlite;
        const weir_database_type *type = loaded.types[i];
        (void)pthread_mutex_unlock(&loaded.lock);
        if (!type)
            return WEIR_EUNSUPPORTED;
        *ret = type;
        return WEIR_OK;
    }
    return weir_fail(error, WEIR_ENOTFOUND,
                     "url must be sqlite:FILE or postgresql://USER@HOST/DATABASE");
}
