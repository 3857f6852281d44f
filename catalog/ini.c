/* SPDX-License-Identifier: MIT */
/* INI text as Python's ConfigParser reads it, with the place of everything in it. */

/*
 * Line by line, as configparser.RawConfigParser._read has it with its defaults: strict, no inline
 * comments, blank lines within values. What fails is a problem, and the next line is looked at, so
 * that all mistakes are told at once.
 */

#include "catalog/ini.h"

#include <string.h>

static const char blanks[] = " \t\v\f\r\n";

struct reader {
    weir_arena *arena;
    weir_problems *problems;
    weir_ini *ini;
    const char *name;
    const char *section; /* NULL: before the first */
    bool in_entry;       /* lines that are indented more go on with the last entry */
    bool said_outside;
    size_t indent; /* of the last key or section */
    weir_text value;
    unsigned line;
};

/* One line without its blanks. */
struct line {
    const char *text;
    size_t n, at; /* at: its first byte in the whole text */
    size_t indent;
    size_t next; /* byte where the next line begins */
};

static void problem(struct reader *r, const struct line *line, const char *what)
{
    const weir_where where = {r->name, r->line, (unsigned)line->indent + 1};
    weir_problems_add(r->problems, WEIR_ESYNTAX, where, "%s", what);
}

static const char *keep(struct reader *r, const char *text, size_t n)
{
    const char *kept = weir_arena_text_n(r->arena, text, n);
    if (!kept)
        r->problems->failed = true;
    return kept ? kept : "";
}

static bool is_blank(char c)
{
    return c && strchr(blanks, c);
}

static size_t without_blanks(const char *text, size_t n)
{
    while (n && is_blank(text[n - 1]))
        n--;
    return n;
}

/* ---- the entry at work ---- */

static void entry_finish(struct reader *r)
{
    if (!r->in_entry)
        return;
    const char *value = weir_text_get(&r->value);
    r->ini->entries[r->ini->n_entries - 1].value =
        keep(r, value, without_blanks(value, r->value.length));
    r->problems->failed = r->problems->failed || r->value.failed;
    r->in_entry = false;
}

/* Where something can be put behind it. */
static void section_reaches(struct reader *r, const struct line *line)
{
    weir_ini_section *sections = r->ini->sections;
    for (size_t i = r->ini->n_sections; i-- > 0;)
        if (!strcmp(sections[i].name, r->section)) {
            sections[i].end = line->next;
            return;
        }
}

static void entry_continue(struct reader *r, const struct line *line)
{
    weir_text_add_char(&r->value, '\n');
    weir_text_add_n(&r->value, line->text, line->n);
    if (!line->n)
        return;
    r->ini->entries[r->ini->n_entries - 1].end = line->at + line->n;
    section_reaches(r, line);
}

/* ---- lines ---- */

static void section_begin(struct reader *r, const struct line *line, size_t n_name)
{
    const char *name = keep(r, line->text + 1, n_name);
    entry_finish(r);
    r->section = name;
    /* [DEFAULT] alone may stand there again. */
    if (weir_ini_find_section(r->ini, name)) {
        if (strcmp(name, "DEFAULT") != 0)
            problem(r, line, "this section is there already: join both");
        section_reaches(r, line);
        return;
    }
    weir_ini_section *sections = weir_array_room(r->ini->sections, r->ini->n_sections,
                                                 &r->ini->sections_capacity, sizeof *sections);
    if (!sections) {
        r->problems->failed = true;
        return;
    }
    r->ini->sections = sections;
    sections[r->ini->n_sections++] =
        (weir_ini_section){name, r->line, (unsigned)line->indent + 1, line->next};
}

static void entry_check_unique(struct reader *r, const struct line *line, const char *key)
{
    const weir_ini_entry *other = weir_ini_find(r->ini, r->section, key);
    if (!other)
        return;
    const weir_where where = {r->name, r->line, (unsigned)line->indent + 1};
    weir_problems_add(r->problems, WEIR_ESYNTAX, where,
                      "'%.100s' stands in line %u already: keep one", key, other->line);
}

static void entry_begin(struct reader *r, const struct line *line, size_t n_key, size_t value)
{
    entry_finish(r);
    weir_ini_entry *entries = weir_array_room(r->ini->entries, r->ini->n_entries,
                                              &r->ini->entries_capacity, sizeof *entries);
    char *key = weir_arena_text_n(r->arena, line->text, n_key);
    if (entries)
        r->ini->entries = entries;
    if (!entries || !key) {
        r->problems->failed = true;
        return;
    }
    for (char *c = key; *c; c++)
        *c = (char)(*c >= 'A' && *c <= 'Z' ? *c - 'A' + 'a' : *c);
    entry_check_unique(r, line, key);
    entries[r->ini->n_entries++] =
        (weir_ini_entry){.section = r->section,
                         .key = key,
                         .value = "",
                         .line = r->line,
                         .column = (unsigned)line->indent + 1,
                         .value_column = (unsigned)(line->indent + value) + 1,
                         .value_at = line->at + value,
                         .end = line->at + line->n};
    r->in_entry = true;
    weir_text_clear(&r->value);
    weir_text_add_n(&r->value, line->text + value, line->n - value);
    section_reaches(r, line);
}

static void entry_line(struct reader *r, const struct line *line)
{
    size_t n_key = 0;
    while (n_key < line->n && line->text[n_key] != '=' && line->text[n_key] != ':')
        n_key++;
    size_t value = n_key + 1;
    while (value < line->n && is_blank(line->text[value]))
        value++;
    if (n_key == line->n)
        problem(r, line, "this is neither [SECTION] nor key = value");
    else if (!without_blanks(line->text, n_key))
        problem(r, line, "a key is wanted before this: key = value");
    else
        entry_begin(r, line, without_blanks(line->text, n_key), value);
}

static void line_take(struct reader *r, const struct line *line)
{
    const char *end = line->n > 2 ? memchr(line->text + 2, ']', line->n - 2) : NULL;
    if (line->n && (*line->text == '#' || *line->text == ';'))
        return;
    if (r->in_entry && (!line->n || line->indent > r->indent)) {
        entry_continue(r, line);
        return;
    }
    if (!line->n)
        return;
    r->indent = line->indent;
    if (*line->text == '[' && end && line->text[1] != ']')
        section_begin(r, line, (size_t)(end - line->text) - 1);
    else if (r->section)
        entry_line(r, line);
    else if (!r->said_outside) {
        problem(r, line, "a section is wanted before this, such as [DEFAULT]");
        r->said_outside = true;
    }
}

/* ---- the text ---- */

/* From byte `at` on. */
static struct line line_cut(const char *text, size_t n, size_t at)
{
    size_t end = at;
    while (end < n && text[end] != '\n' && text[end] != '\r')
        end++;
    struct line line = {.text = text + at, .n = end - at, .at = at, .next = end};
    if (line.next < n)
        line.next += text[end] == '\r' && end + 1 < n && text[end + 1] == '\n' ? 2 : 1;
    while (line.n && is_blank(*line.text)) {
        line.text++;
        line.at++;
        line.indent++;
        line.n--;
    }
    line.n = without_blanks(line.text, line.n);
    return line;
}

static bool line_check(struct reader *r, const struct line *line)
{
    if (r->ini->n_entries == WEIR_INI_ENTRIES_MAX || r->ini->n_sections == WEIR_INI_ENTRIES_MAX) {
        problem(r, line, "more than 1000 keys or sections: this is no such file");
        return false;
    }
    if (weir_utf8_valid(line->text, line->n) && !memchr(line->text, '\0', line->n))
        return true;
    problem(r, line, "this is no text in UTF-8");
    return false;
}

void weir_ini_parse(weir_arena *arena, const char *name, const char *text, size_t n, weir_ini *ret,
                    weir_problems *problems)
{
    struct reader r = {
        .arena = arena, .problems = problems, .ini = ret, .name = name, .value = WEIR_TEXT_INIT};
    static const char mark[] = "\xef\xbb\xbf"; /* as Windows' editors write it */
    size_t at = n >= 3 && !memcmp(text, mark, 3) ? 3 : 0;
    while (at < n) {
        const struct line line = line_cut(text, n, at);
        r.line++;
        if (!line_check(&r, &line))
            break;
        line_take(&r, &line);
        at = line.next;
    }
    entry_finish(&r);
    weir_text_deinit(&r.value);
}

void weir_ini_deinit(weir_ini *ini)
{
    weir_free(ini->entries);
    weir_free(ini->sections);
    *ini = (weir_ini)WEIR_INI_INIT;
}

const weir_ini_entry *weir_ini_find(const weir_ini *ini, const char *section, const char *key)
{
    for (size_t i = 0; i < ini->n_entries; i++)
        if (!strcmp(ini->entries[i].section, section) && !strcmp(ini->entries[i].key, key))
            return &ini->entries[i];
    return NULL;
}

const weir_ini_section *weir_ini_find_section(const weir_ini *ini, const char *name)
{
    for (size_t i = 0; i < ini->n_sections; i++)
        if (!strcmp(ini->sections[i].name, name))
            return &ini->sections[i];
    return NULL;
}
