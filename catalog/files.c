/* SPDX-License-Identifier: MIT */
/* Configuration files and profiles on the disk, and the folders profiles are looked for in. */

#include "catalog/files.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "catalog/document.h"

static weir_err disk_read(void *data, const char *path, weir_text *ret, weir_error *error)
{
    char chunk[16384];
    size_t n;
    (void)data;
    FILE *f = fopen(path, "rbe");
    if (!f)
        return weir_fail(error, errno == ENOENT || errno == ENOTDIR ? WEIR_ENOTFOUND : WEIR_EIO,
                         "cannot read %s: %s", path, strerror(errno));
    while ((n = fread(chunk, 1, sizeof chunk, f)) > 0 && ret->length <= WEIR_DOCUMENT_SIZE_MAX)
        weir_text_add_n(ret, chunk, n);
    const bool failed = ferror(f) != 0;
    const int why = errno; /* a folder opens, but does not read */
    (void)fclose(f);
    if (failed)
        return weir_fail(error, WEIR_EIO, "cannot read %s: %s", path, strerror(why));
    if (ret->failed)
        return weir_fail(error, WEIR_ENOMEM, "cannot read %s: out of memory", path);
    return WEIR_OK;
}

static void disk_list(void *data, const char *folder, void (*on_name)(void *arg, const char *name),
                      void *arg)
{
    (void)data;
    DIR *dir = opendir(folder);
    if (!dir)
        return;
    for (struct dirent *entry; (entry = readdir(dir));)
        on_name(arg, entry->d_name);
    (void)closedir(dir);
}

static bool disk_others_read(void *data, const char *path)
{
    struct stat st;
    (void)data;
    return stat(path, &st) == 0 && (st.st_mode & S_IROTH);
}

const weir_yaml_files weir_yaml_disk = {
    .read = disk_read, .list = disk_list, .others_read = disk_others_read};

/* ---- folders ---- */

struct dirs {
    weir_arena *arena;
    const char **items;
    size_t n, capacity;
};

static weir_err dirs_add(struct dirs *dirs, const char *dir)
{
    if (!dir)
        return WEIR_ENOMEM;
    if (dirs->n == dirs->capacity)
        return WEIR_OK;
    dirs->items[dirs->n++] = dir;
    return WEIR_OK;
}

static weir_err dirs_add_path(struct dirs *dirs, const char *path)
{
    while (path && *path) {
        const size_t n = strcspn(path, ":");
        if (n && dirs_add(dirs, weir_arena_text_n(dirs->arena, path, n)))
            return WEIR_ENOMEM;
        path += n + (path[n] == ':');
    }
    return WEIR_OK;
}

static weir_err dirs_add_beside_program(struct dirs *dirs)
{
    char path[4096];
    const ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    if (n <= 0)
        return WEIR_OK;
    path[n] = '\0';
    char *slash = strrchr(path, '/');
    if (!slash)
        return WEIR_OK;
    *slash = '\0';
    if (dirs_add(dirs, weir_arena_format(dirs->arena, "%s/../share/weir/profiles", path)))
        return WEIR_ENOMEM;
    return dirs_add(dirs, weir_arena_format(dirs->arena, "%s/../profiles", path));
}

weir_err weir_yaml_default_dirs(weir_arena *arena, weir_yaml_options *ret)
{
    enum { DIRS_MAX = 64 };
    struct dirs dirs = {.arena = arena, .capacity = DIRS_MAX};
    dirs.items = weir_arena_alloc(arena, DIRS_MAX, sizeof *dirs.items);
    if (!dirs.items || dirs_add_path(&dirs, getenv("WEIR_PROFILE_PATH")) ||
        dirs_add_beside_program(&dirs) || dirs_add(&dirs, WEIR_PROFILE_DIR))
        return WEIR_ENOMEM;
    ret->n_profile_dirs = dirs.n;
    ret->profile_dirs = dirs.items;
    struct dirs files = {.arena = arena, .capacity = DIRS_MAX};
    files.items = weir_arena_alloc(arena, DIRS_MAX, sizeof *files.items);
    if (!files.items || dirs_add_path(&files, getenv("WEIR_ENV_FILES")))
        return WEIR_ENOMEM;
    ret->n_env_files = files.n;
    ret->env_files = files.items;
    return WEIR_OK;
}
