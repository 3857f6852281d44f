/* SPDX-License-Identifier: MIT */
/* Where the lines of a time belong: a path with fields of the calendar, and names derived from it.
 */

#include "sinks/csv/place.h"

#include <string.h>
#include <time.h>

/* Of strftime(3), those that are numbers: a path must not depend on a language. */
static const char fields[] = "YymdHMSjGVF";

weir_err weir_csv_path_check(const char *path, weir_error *error)
{
    if (!path || !*path)
        return weir_fail(error, WEIR_EINVAL, "path must name a file");
    for (const char *p = path; *p; p++) {
        if ((unsigned char)*p < ' ')
            return weir_fail(error, WEIR_EINVAL, "path must not have control characters");
        if (*p != '%')
            continue;
        p++;
        if (*p == '\0' || (*p != '%' && !strchr(fields, *p)))
            return weir_fail(error, WEIR_EINVAL,
                             "path \"%.200s\": there is no field \"%%%.1s\"; there are %%Y %%y %%m "
                             "%%d %%F %%j %%G %%V %%H %%M %%S, and %%%% for a percent sign",
                             path, p);
    }
    if (path[strlen(path) - 1] == '/')
        return weir_fail(error, WEIR_EINVAL, "path \"%.200s\" is a folder: add a file name", path);
    return WEIR_OK;
}

/* The first field; the end of the path if there is none. "%%" is no field of the calendar, but what
 * follows it is not needed as a folder either. */
static const char *first_field(const char *path)
{
    const char *p = path;
    while (*p && *p != '%')
        p++;
    return p;
}

bool weir_csv_path_has_fields(const char *path)
{
    for (const char *p = path; *p; p++)
        if (*p == '%' && *++p != '%')
            return true;
    return false;
}

void weir_csv_path_render(const char *path, int64_t local_us, weir_text *t)
{
    const time_t seconds = (time_t)weir_floor_divide(local_us, WEIR_S);
    struct tm tm = {0};
    (void)gmtime_r(&seconds, &tm);
    for (const char *p = path; *p; p++) {
        if (*p != '%') {
            weir_text_add_char(t, *p);
            continue;
        }
        char field[32];
        const char format[] = {'%', *++p, '\0'};
        weir_text_add_n(t, field, strftime(field, sizeof field, format, &tm));
    }
}

/* Bytes of the fixed folder, with its slash. */
static size_t folder_length(const char *path)
{
    const char *end = first_field(path);
    while (end > path && end[-1] != '/')
        end--;
    return (size_t)(end - path);
}

void weir_csv_path_folder(const char *path, weir_text *t)
{
    const size_t n = folder_length(path);
    if (n == 0)
        weir_text_add_char(t, '.');
    else
        weir_text_add_n(t, path, n > 1 ? n - 1 : 1);
}

void weir_csv_path_notes(const char *path, weir_text *t)
{
    const size_t n = folder_length(path);
    weir_text_add_n(t, path, n);
    for (const char *p = path + n; *p; p++)
        weir_text_add_char(t, *p == '/' ? '_' : *p);
    weir_text_add(t, ".weir");
}

void weir_csv_path_variant(const char *path, const char *suffix, weir_text *t)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    const char *dot = strrchr(name, '.');
    if (!dot || dot == name)
        dot = path + strlen(path);
    weir_text_add_n(t, path, (size_t)(dot - path));
    weir_text_format(t, "-%s%s", suffix, dot);
}
