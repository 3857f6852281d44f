/* SPDX-License-Identifier: MIT */
/* The option table: texts to fields, with messages that say what would be right. */

#include "model/option.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

#include "base/number.h"
#include "base/text.h"

static weir_err option_wants(const weir_option *o, const char *what, const char *text,
                             weir_error *error)
{
    return weir_fail(error, WEIR_EINVAL, "%s must be %s, not \"%.80s\"", o->name, what, text);
}

static void option_add_limit(const weir_option *o, int64_t limit, weir_text *t)
{
    if (o->type == WEIR_OPTION_DURATION)
        weir_text_add_duration(t, limit);
    else if (o->type == WEIR_OPTION_SIZE)
        weir_text_add_size(t, (uint64_t)limit);
    else
        weir_text_format(t, "%lld", (long long)limit);
}

/* Both limits with their unit, or the one there is: the extremes of int64_t mean "no such limit".
 */
static weir_err option_out_of_range(const weir_option *o, const char *text, weir_error *error)
{
    WEIR_TEXT_AUTO limits = WEIR_TEXT_INIT;
    if (o->max == INT64_MAX) {
        weir_text_add(&limits, "at least ");
        option_add_limit(o, o->min, &limits);
    } else if (o->min == INT64_MIN) {
        weir_text_add(&limits, "at most ");
        option_add_limit(o, o->max, &limits);
    } else {
        weir_text_add(&limits, "between ");
        option_add_limit(o, o->min, &limits);
        weir_text_add(&limits, " and ");
        option_add_limit(o, o->max, &limits);
    }
    return option_wants(o, weir_text_get(&limits), text, error);
}

static bool option_has_limits(const weir_option *o)
{
    return o->min != 0 || o->max != 0;
}

static weir_err option_set_bool(const weir_option *o, const char *text, void *field,
                                weir_error *error)
{
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!strcasecmp(text, words[i])) {
            *(bool *)field = i % 2;
            return WEIR_OK;
        }
    return option_wants(o, "true or false", text, error);
}

static weir_err option_set_integer(const weir_option *o, const char *text, void *field,
                                   weir_error *error)
{
    const bool duration = o->type == WEIR_OPTION_DURATION;
    int64_t v;
    if (!(duration ? weir_parse_duration(text, &v) : weir_parse_i64(text, &v)))
        return option_wants(o, duration ? "a duration such as 500ms" : "a whole number", text,
                            error);
    if (option_has_limits(o) && (v < o->min || v > o->max))
        return option_out_of_range(o, text, error);
    memcpy(field, &v, sizeof v);
    return WEIR_OK;
}

static weir_err option_set_number(const weir_option *o, const char *text, void *field,
                                  weir_error *error)
{
    double v;
    if (!weir_parse_double(text, &v))
        return option_wants(o, "a number such as 0.5", text, error);
    if (option_has_limits(o) && (v < (double)o->min || v > (double)o->max))
        return option_out_of_range(o, text, error);
    memcpy(field, &v, sizeof v);
    return WEIR_OK;
}

static weir_err option_set_size(const weir_option *o, const char *text, void *field,
                                weir_error *error)
{
    uint64_t v;
    if (!weir_parse_size(text, &v))
        return option_wants(o, "a size such as 500MB", text, error);
    if (option_has_limits(o) && ((o->min > 0 && v < (uint64_t)o->min) || v > (uint64_t)o->max))
        return option_out_of_range(o, text, error);
    memcpy(field, &v, sizeof v);
    return WEIR_OK;
}

static weir_err option_set_enum(const weir_option *o, const char *text, void *field,
                                weir_error *error)
{
    WEIR_TEXT_AUTO all = WEIR_TEXT_INIT;
    int n = 0;
    for (; o->words[n]; n++)
        if (!strcmp(text, o->words[n])) {
            memcpy(field, &n, sizeof n);
            return WEIR_OK;
        }
    for (int i = 0; i < n; i++)
        weir_text_format(&all, "%s%s", i == 0 ? "" : i == n - 1 ? " or " : ", ", o->words[i]);
    const char *nearest = weir_text_nearest(text, o->words, (size_t)n);
    return weir_fail(error, WEIR_EINVAL, "%s must be %s, not \"%.80s\"%s%s%s", o->name,
                     weir_text_get(&all), text, nearest ? "; did you mean \"" : "",
                     nearest ? nearest : "", nearest ? "\"?" : "");
}

/* The field alone: a default must not look like something given. */
static weir_err option_set_field(const weir_option *o, const char *text, void *field,
                                 weir_error *error)
{
    switch (o->type) {
    case WEIR_OPTION_BOOL:
        return option_set_bool(o, text, field, error);
    case WEIR_OPTION_INT:
    case WEIR_OPTION_DURATION:
        return option_set_integer(o, text, field, error);
    case WEIR_OPTION_NUMBER:
        return option_set_number(o, text, field, error);
    case WEIR_OPTION_SIZE:
        return option_set_size(o, text, field, error);
    case WEIR_OPTION_STRING:
        memcpy(field, &text, sizeof text);
        return WEIR_OK;
    case WEIR_OPTION_ENUM:
        return option_set_enum(o, text, field, error);
    case WEIR_OPTION_STRINGS:
    case WEIR_OPTION_RANGES:
    case WEIR_OPTION_LIST:
        return option_wants(o, "a list", text, error);
    case WEIR_OPTION_MAP:
    case WEIR_OPTION_TABLE:
        return option_wants(o, "a mapping", text, error);
    case WEIR_OPTION_CUSTOM:
        break;
    }
    return weir_fail(error, WEIR_EINVAL, "%s cannot be given as one word", o->name);
}

static bool option_is_scalar(const weir_option *o)
{
    return o->type <= WEIR_OPTION_ENUM;
}

weir_err weir_option_set(const weir_option *option, const char *text, void *base, weir_error *error)
{
    if (option->flags & WEIR_OPTION_UNSUPPORTED)
        return weir_fail(error, WEIR_EUNSUPPORTED, "%s is not supported by this version",
                         option->name);
    weir_err err = option_set_field(option, text, (char *)base + option->offset, error);
    if (!err && option->set_offset)
        *(bool *)((char *)base + option->set_offset) = true;
    return err;
}

void weir_option_defaults(const weir_option *table, void *base)
{
    for (const weir_option *o = table; o->name; o++) {
        if (!o->fallback || !option_is_scalar(o) || o->flags & WEIR_OPTION_UNSUPPORTED)
            continue;
        weir_err err = option_set_field(o, o->fallback, (char *)base + o->offset, NULL);
        assert(err == WEIR_OK);
        (void)err;
    }
}

const weir_option *weir_option_find(const weir_option *table, const char *name)
{
    for (const weir_option *o = table; o->name; o++)
        if (!strcmp(o->name, name))
            return o;
    return NULL;
}

const weir_option *weir_option_nearest(const weir_option *table, const char *name)
{
    enum { CANDIDATES_MAX = 128 }; /* the largest table has some forty rows */
    const char *names[CANDIDATES_MAX];
    size_t n = 0;
    for (const weir_option *o = table; o->name && n < CANDIDATES_MAX; o++)
        names[n++] = o->name;
    const char *nearest = weir_text_nearest(name, names, n);
    return nearest ? weir_option_find(table, nearest) : NULL;
}
