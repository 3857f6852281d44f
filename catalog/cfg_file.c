/* SPDX-License-Identifier: MIT */
/* [RUNTIME] of a config.cfg: when the daemon began, and its pid. */

/*
 * The file is read, changed in memory, and replaced by a whole one: whoever reads it, and a crash
 * at any moment, finds the one or the other.
 */

#include "catalog/cfg_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "catalog/document.h"
#include "catalog/ini.h"
#include "catalog/whole_file.h"

static const char section_name[] = "RUNTIME";

/* ---- the text ---- */

/* A key and its new value. */
struct value {
    const char *key, *value;
    const weir_ini_entry *entry; /* NULL: not there yet */
};

/* As the file has it. */
static const char *line_end(const char *text, size_t n)
{
    const char *feed = memchr(text, '\n', n);
    if (feed)
        return feed > text && feed[-1] == '\r' ? "\r\n" : "\n";
    return memchr(text, '\r', n) ? "\r" : "\n";
}

static bool ends_line(const char *text, size_t n)
{
    return n == 0 || text[n - 1] == '\n' || text[n - 1] == '\r';
}

static void value_replace(const char *text, const struct value *v, size_t *at, weir_text *ret)
{
    weir_text_add_n(ret, text + *at, v->entry->value_at - *at);
    if (v->entry->value_at == v->entry->end) /* "pid =" */
        weir_text_add_char(ret, ' ');
    weir_text_add(ret, v->value);
    *at = v->entry->end;
}

/* What is not there, behind the last line of the section, or in a new one at the end. */
static void values_add(const char *text, size_t n, const struct value *values, size_t end,
                       bool has_section, weir_text *ret)
{
    const char *eol = line_end(text, n);
    if (values[0].entry && values[1].entry)
        return;
    if (!ends_line(text, end))
        weir_text_add(ret, eol);
    if (!has_section)
        weir_text_format(ret, "%s[%s]%s", n && !ends_line(text, n - 1) ? eol : "", section_name,
                         eol);
    for (size_t i = 0; i < 2; i++)
        if (!values[i].entry)
            weir_text_format(ret, "%s = %s%s", values[i].key, values[i].value, eol);
}

static void values_write(const char *text, size_t n, const weir_ini *ini, struct value *values,
                         weir_text *ret)
{
    const weir_ini_section *section = weir_ini_find_section(ini, section_name);
    const size_t end = section ? section->end : n;
    size_t at = 0;
    for (size_t i = 0; i < 2; i++)
        values[i].entry = weir_ini_find(ini, section_name, values[i].key);
    const bool swapped =
        values[0].entry && values[1].entry && values[1].entry->value_at < values[0].entry->value_at;
    for (size_t i = 0; i < 2; i++) {
        const struct value *v = &values[swapped ? 1 - i : i];
        if (v->entry)
            value_replace(text, v, &at, ret);
    }
    weir_text_add_n(ret, text + at, end - at);
    values_add(text, n, values, end, section != NULL, ret);
    weir_text_add_n(ret, text + end, n - end);
}

/* As Python's isoformat() writes it: 2018-12-22T10:39:25.668189+00:00. */
static void time_format(weir_wall wall, char ret[40])
{
    char time[28];
    weir_wall_format(wall, time);
    (void)snprintf(ret, 40, "%.*s+00:00", (int)strcspn(time, "Z"), time);
}

bool weir_cfg_stamp(const char *text, size_t n, weir_wall started, int64_t pid, weir_text *ret)
{
    char starttime[40], number[24];
    weir_problems ignored = WEIR_PROBLEMS_INIT;
    weir_ini ini = WEIR_INI_INIT;
    WEIR_CLEANUP(weir_arena_free) weir_arena *arena = weir_arena_new();
    if (!arena)
        return false;
    time_format(started, starttime);
    (void)snprintf(number, sizeof number, "%" PRId64, pid);
    struct value values[] = {{"starttime", starttime, NULL}, {"pid", number, NULL}};
    weir_ini_parse(arena, "", text, n, &ini, &ignored);
    const bool parsed = !ignored.failed;
    if (parsed)
        values_write(text, n, &ini, values, ret);
    weir_ini_deinit(&ini);
    weir_problems_deinit(&ignored);
    return parsed && !ret->failed;
}

/* ---- the file ---- */

static weir_err file_fail(const char *path, int why, weir_error *error)
{
    const bool denied = why == EACCES || why == EPERM || why == EROFS;
    return weir_fail(error, denied ? WEIR_EPERM : WEIR_EIO, "cannot write %s: %s", path,
                     strerror(why));
}

static weir_err file_read(const char *path, struct stat *ret_stat, weir_text *ret,
                          weir_error *error)
{
    char chunk[4096];
    ssize_t n;
    if (access(path, W_OK) != 0)
        return file_fail(path, errno, error);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, ret_stat) != 0) {
        const int why = errno;
        if (fd >= 0)
            (void)close(fd);
        return file_fail(path, why, error);
    }
    while ((n = read(fd, chunk, sizeof chunk)) > 0 && ret->length <= WEIR_DOCUMENT_SIZE_MAX)
        weir_text_add_n(ret, chunk, (size_t)n);
    const int why = errno;
    (void)close(fd);
    if (n < 0)
        return file_fail(path, why, error);
    if (n > 0)
        return weir_fail(error, WEIR_ELIMIT, "%s is too large", path);
    return ret->failed ? weir_fail(error, WEIR_ENOMEM, "%s: out of memory", path) : WEIR_OK;
}

static weir_err file_stamp(weir_arena *arena, const char *path, weir_wall started, int64_t pid,
                           weir_cfg_stamped *ret, weir_error *error)
{
    WEIR_TEXT_AUTO old = WEIR_TEXT_INIT;
    WEIR_TEXT_AUTO new = WEIR_TEXT_INIT;
    weir_cfg_stamped stamped;
    const weir_err err = file_read(path, &stamped.before, &old, error);
    if (err)
        return err;
    if (!weir_cfg_stamp(weir_text_get(&old), old.length, started, pid, &new))
        return weir_fail(error, WEIR_ENOMEM, "%s: out of memory", path);
    const int why = weir_whole_file_write(arena, path, &new, true, &stamped.before, &stamped.after);
    if (why == ENOMEM)
        return weir_fail(error, WEIR_ENOMEM, "%s: out of memory", path);
    if (why)
        return file_fail(path, why, error);
    *ret = stamped;
    return WEIR_OK;
}

weir_err weir_cfg_file_stamp(const char *path, weir_wall started, int64_t pid,
                             weir_cfg_stamped *ret, weir_error *error)
{
    WEIR_CLEANUP(weir_arena_free) weir_arena *arena = weir_arena_new();
    char *target = realpath(path, NULL);
    const int why = arena ? errno : ENOMEM;
    const weir_err err = arena && target ? file_stamp(arena, target, started, pid, ret, error)
                                         : file_fail(path, why, error);
    free(target);
    return err;
}
