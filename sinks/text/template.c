/* SPDX-License-Identifier: MIT */
/* Names made of a tag: "plant_{device}", "{label:building}/{point}". */

#include "sinks/text/template.h"

#include <string.h>

#include "base/alloc.h"

enum field {
    FIELD_TEXT, /* literal */
    FIELD_TAG,
    FIELD_DEVICE,
    FIELD_POINT,
    FIELD_UNIT,
    FIELD_TYPE,
    FIELD_ADDRESS,
    FIELD_DESCRIPTION,
    FIELD_ID,
    FIELD_LABEL,
};

/* By enum field; the last is a prefix. NULL-terminated for the search of the nearest. */
static const char *const field_words[] = {
    [FIELD_TEXT] = "",           [FIELD_TAG] = "tag",
    [FIELD_DEVICE] = "device",   [FIELD_POINT] = "point",
    [FIELD_UNIT] = "unit",       [FIELD_TYPE] = "type",
    [FIELD_ADDRESS] = "address", [FIELD_DESCRIPTION] = "description",
    [FIELD_ID] = "id",           [FIELD_LABEL] = "label:",
};

enum { FIELD_COUNT = sizeof field_words / sizeof *field_words };

struct part {
    enum field field;
    const char *text; /* literal, or the label's key */
    size_t n;
};

struct weir_template {
    weir_arena *arena;
    struct part *parts;
    size_t n_parts;
};

/* --- parsing ------------------------------------------------------------------------------ */

static weir_err field_unknown(const char *text, const char *name, size_t n, weir_error *error)
{
    char word[64];
    if (n == 0)
        return weir_fail(error, WEIR_EINVAL,
                         "\"%.200s\": a field has no name; a brace itself is written {{ or }}",
                         text);
    const size_t kept = n < sizeof word ? n : sizeof word - 1;
    memcpy(word, name, kept);
    word[kept] = '\0';
    const char *near = weir_text_nearest(word, field_words + 1, FIELD_COUNT - 1);
    if (near)
        return weir_fail(error, WEIR_EINVAL,
                         "\"%.200s\": there is no field {%s}; did you mean {%s%s}?", text, word,
                         near, strchr(near, ':') ? "KEY" : "");
    return weir_fail(error, WEIR_EINVAL,
                     "\"%.200s\": there is no field {%s}; there are {tag}, {device}, {point}, "
                     "{unit}, {type}, {address}, {description}, {id} and {label:KEY}",
                     text, word);
}

/* The field between the braces. */
static weir_err field_parse(const char *text, const char *name, size_t n, struct part *ret,
                            weir_error *error)
{
    const size_t prefix = strlen(field_words[FIELD_LABEL]);
    if (n > prefix && strncmp(name, field_words[FIELD_LABEL], prefix) == 0) {
        *ret = (struct part){FIELD_LABEL, name + prefix, n - prefix};
        return WEIR_OK;
    }
    for (int i = FIELD_TAG; i < FIELD_LABEL; i++)
        if (strlen(field_words[i]) == n && strncmp(name, field_words[i], n) == 0) {
            *ret = (struct part){.field = (enum field)i};
            return WEIR_OK;
        }
    return field_unknown(text, name, n, error);
}

/* One part from *at on: a brace that is doubled is a literal of its own. */
static weir_err part_parse(const char *text, const char **at, struct part *ret, weir_error *error)
{
    const char *p = *at;
    if ((*p == '{' || *p == '}') && p[1] == *p) {
        *ret = (struct part){FIELD_TEXT, p, 1};
        *at = p + 2;
        return WEIR_OK;
    }
    if (*p == '}')
        return weir_fail(error, WEIR_EINVAL,
                         "\"%.200s\": a } closes nothing; a brace itself is written }}", text);
    if (*p != '{') {
        const size_t n = strcspn(p, "{}");
        *ret = (struct part){FIELD_TEXT, p, n};
        *at = p + n;
        return WEIR_OK;
    }
    const size_t n = strcspn(p + 1, "{}");
    if (p[1 + n] != '}')
        return weir_fail(error, WEIR_EINVAL,
                         "\"%.200s\": a { is not closed; a brace itself is written {{", text);
    *at = p + n + 2;
    return field_parse(text, p + 1, n, ret, error);
}

static weir_err template_fill(weir_template *template, const char *text, weir_error *error)
{
    const char *copy = weir_arena_text(template->arena, text);
    /* No part is shorter than a byte. */
    template->parts = weir_arena_alloc(template->arena, strlen(text) + 1, sizeof(struct part));
    if (!copy || !template->parts)
        return weir_fail(error, WEIR_ENOMEM, "the name \"%.200s\": out of memory", text);
    for (const char *at = copy; *at; template->n_parts++) {
        weir_err err = part_parse(copy, &at, &template->parts[template->n_parts], error);
        if (err)
            return err;
    }
    return WEIR_OK;
}

weir_err weir_template_parse(const char *text, weir_template **ret, weir_error *error)
{
    WEIR_CLEANUP(weir_arena_free) weir_arena *arena = weir_arena_new();
    weir_template *template = arena ? weir_arena_alloc(arena, 1, sizeof *template) : NULL;
    if (!template)
        return weir_fail(error, WEIR_ENOMEM, "the name \"%.200s\": out of memory", text);
    template->arena = arena;
    weir_err err = template_fill(template, text, error);
    if (err)
        return err;
    *ret = template;
    arena = NULL;
    return WEIR_OK;
}

void weir_template_free(weir_template *template)
{
    if (template)
        weir_arena_free(template->arena);
}

/* --- use ---------------------------------------------------------------------------------- */

static void add_label(const struct part *part, const weir_sink_tag *tag, weir_text *t)
{
    for (size_t i = 0; i < tag->n_labels; i++)
        if (strlen(tag->labels[i].key) == part->n &&
            memcmp(tag->labels[i].key, part->text, part->n) == 0)
            weir_text_add(t, tag->labels[i].value);
}

static void add_part(const struct part *part, const weir_sink_tag *tag, weir_text *t)
{
    switch (part->field) {
    case FIELD_TEXT:
        weir_text_add_n(t, part->text, part->n);
        break;
    case FIELD_TAG:
        weir_text_add(t, tag->name);
        break;
    case FIELD_DEVICE:
        weir_text_add(t, tag->device);
        break;
    case FIELD_POINT:
        weir_text_add(t, tag->point);
        break;
    case FIELD_UNIT:
        weir_text_add(t, tag->unit);
        break;
    case FIELD_TYPE:
        weir_text_add(t, tag->type);
        break;
    case FIELD_ADDRESS:
        weir_text_add(t, tag->address);
        break;
    case FIELD_DESCRIPTION:
        weir_text_add(t, tag->description);
        break;
    case FIELD_ID:
        weir_text_format(t, "%u", tag->uid);
        break;
    case FIELD_LABEL:
        add_label(part, tag, t);
        break;
    }
}

void weir_template_add(const weir_template *template, const weir_sink_tag *tag, weir_text *t)
{
    for (size_t i = 0; i < template->n_parts; i++)
        add_part(&template->parts[i], tag, t);
}
