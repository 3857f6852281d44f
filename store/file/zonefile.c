/* SPDX-License-Identifier: MIT */
/* Time zones by name, from the system's files. */

#include "store/file/zonefile.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

enum {
    FILE_MAX = 1 << 20, /* bytes; the largest of today has 4 kB */
    NEAR_MAX = 3,       /* names in an error */
    DEPTH_MAX = 3,      /* America/Argentina/Ushuaia */
    DISTANCE_SHARE = 3, /* of three letters one may be wrong */
};

/* TZDIR is what libc's own zones obey (tzset(3)). */
static const char *zone_folder(void)
{
    const char *folder = getenv("TZDIR");
    return folder && *folder ? folder : "/usr/share/zoneinfo";
}

/* The names nearest to the wanted one, the nearest first. */
struct nearest {
    const char *wanted;
    size_t n_zones, n;
    char names[NEAR_MAX][80];
    size_t distances[NEAR_MAX];
};

/* By the whole name, and by its last part: people know their city. */
static size_t name_distance(const char *wanted, const char *name)
{
    const char *city = strrchr(name, '/');
    size_t whole = weir_text_distance(wanted, name);
    size_t part = city ? weir_text_distance(wanted, city + 1) + 1 : whole;
    return part < whole ? part : whole;
}

static void nearest_add(struct nearest *n, const char *name)
{
    size_t distance = name_distance(n->wanted, name);
    size_t at = n->n < NEAR_MAX ? n->n : NEAR_MAX;
    n->n_zones++;
    if (distance > 1 + strlen(n->wanted) / DISTANCE_SHARE)
        return;
    while (at > 0 && n->distances[at - 1] > distance)
        at--;
    if (at == NEAR_MAX)
        return;
    size_t last = n->n < NEAR_MAX ? n->n++ : NEAR_MAX - 1;
    for (size_t i = last; i > at; i--) {
        memcpy(n->names[i], n->names[i - 1], sizeof n->names[i]);
        n->distances[i] = n->distances[i - 1];
    }
    (void)snprintf(n->names[at], sizeof n->names[at], "%.79s", name);
    n->distances[at] = distance;
}

/* Zones begin with a capital; other folders hold them a second time, other files are lists. */
static void folder_walk(struct nearest *n, const char *within, int depth)
{
    char path[1024];
    int length = snprintf(path, sizeof path, "%s/%s", zone_folder(), within);
    DIR *folder = length > 0 && (size_t)length < sizeof path ? opendir(path) : NULL;
    if (!folder)
        return;
    for (struct dirent *e; (e = readdir(folder));) {
        char name[512];
        if (e->d_name[0] < 'A' || e->d_name[0] > 'Z')
            continue;
        length = snprintf(name, sizeof name, "%s%s%s", within, *within ? "/" : "", e->d_name);
        if (length < 0 || (size_t)length >= sizeof name)
            continue;
        if (e->d_type == DT_DIR && depth < DEPTH_MAX)
            folder_walk(n, name, depth + 1);
        else if (e->d_type != DT_DIR)
            nearest_add(n, name);
    }
    (void)closedir(folder);
}

static weir_err zone_unknown(const char *name, weir_error *error)
{
    struct nearest n = {.wanted = name};
    folder_walk(&n, "", 1);
    if (n.n_zones == 0)
        return weir_fail(error, WEIR_ENOTFOUND,
                         "time zone '%.64s': %s has no time zones: install tzdata", name,
                         zone_folder());
    if (n.n == 0)
        return weir_fail(error, WEIR_ENOTFOUND,
                         "no time zone '%.64s': names are like Europe/Berlin", name);
    return weir_fail(error, WEIR_ENOTFOUND, "no time zone '%.64s': did you mean %s%s%s%s%s?", name,
                     n.names[0],
                     n.n > 2   ? ", "
                     : n.n > 1 ? " or "
                               : "",
                     n.n > 1 ? n.names[1] : "", n.n > 2 ? " or " : "", n.n > 2 ? n.names[2] : "");
}

static weir_err file_parse(FILE *file, const char *name, weir_zone **ret, weir_error *error)
{
    WEIR_CLEANUP(weir_free) void *bytes = weir_alloc(FILE_MAX);
    if (!bytes)
        return weir_fail(error, WEIR_ENOMEM, "no memory for a time zone");
    size_t n = fread(bytes, 1, FILE_MAX, file);
    if (ferror(file))
        return weir_fail(error, WEIR_EIO, "time zone '%s' cannot be read: %s", name,
                         strerror(errno));
    weir_err err = weir_zone_parse(bytes, n, ret, error);
    return err == WEIR_OK ? err : weir_fail_prefix(error, "time zone '%s': ", name);
}

/* tzset(3): ":Europe/Berlin" and a path are also allowed; a rule like CET-1CEST is not read here. */
static weir_err zone_open_local(const weir_zone **ret, weir_zone **ret_owned, weir_error *error)
{
    const char *name = getenv("TZ");
    if (name)
        name += *name == ':';
    if (name && *name != '/')
        return weir_zone_open(*name ? name : "UTC", ret, ret_owned, error);
    FILE *file = fopen(name ? name : "/etc/localtime", "rb");
    if (!file)
        return weir_zone_open("UTC", ret, ret_owned, error);
    const weir_err err = file_parse(file, "local", ret_owned, error);
    (void)fclose(file);
    if (err == WEIR_OK)
        *ret = *ret_owned;
    return err;
}

weir_err weir_zone_open(const char *name, const weir_zone **ret, weir_zone **ret_owned,
                        weir_error *error)
{
    char path[1024];
    if (name && strcmp(name, "local") == 0)
        return zone_open_local(ret, ret_owned, error);
    if (!name || !*name || strcmp(name, "UTC") == 0) {
        *ret = weir_zone_utc();
        *ret_owned = NULL;
        return WEIR_OK;
    }
    int length = snprintf(path, sizeof path, "%s/%s", zone_folder(), name);
    FILE *file = weir_zone_name_is_safe(name) && length > 0 && (size_t)length < sizeof path
                     ? fopen(path, "rb")
                     : NULL;
    if (!file)
        return zone_unknown(name, error);
    weir_err err = file_parse(file, name, ret_owned, error);
    (void)fclose(file);
    if (err == WEIR_EIO) /* a folder: "Europe" */
        return zone_unknown(name, error);
    if (err == WEIR_OK)
        *ret = *ret_owned;
    return err;
}
