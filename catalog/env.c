/* SPDX-License-Identifier: MIT */
/* Environment files (.env), and the variables of the configuration: "${NAME}". */

/*
 * A cursor goes over the text once, a line or a quoted value at a time; each variable goes into a
 * map. What is wrong with a line is said, and the next line goes on.
 */

#include "catalog/env.h"

#include <string.h>

#include "base/alloc.h"
#include "base/map.h"

/* A text that is longer than any of these is no list of settings. */
enum { FILE_SIZE_MAX = 1024 * 1024, VALUE_SIZE_MAX = 64 * 1024 };

struct weir_env {
    const char *(*outside)(const char *name);
    weir_arena *arena;
    weir_map values; /* name -> weir_env_value */
};

weir_env *weir_env_new(const char *(*outside)(const char *name))
{
    weir_env *env = weir_alloc_zero(1, sizeof *env);
    if (!env)
        return NULL;
    env->outside = outside;
    env->arena = weir_arena_new();
    if (env->arena)
        return env;
    weir_free(env);
    return NULL;
}

void weir_env_free(weir_env *env)
{
    if (!env)
        return;
    weir_map_deinit(&env->values);
    weir_arena_free(env->arena);
    weir_free(env);
}

bool weir_env_find(const weir_env *env, const char *name, weir_env_value *ret)
{
    const char *outside = env->outside ? env->outside(name) : NULL;
    const weir_env_value *inside = weir_map_get(&env->values, name);
    if (outside)
        *ret = (weir_env_value){.text = outside};
    else if (inside)
        *ret = *inside;
    return outside || inside;
}

/* ---- names ---- */

/* POSIX.1-2017, 8.1: what portable names of variables are made of; small letters are common too. */
static size_t name_length(const char *text)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
    static const char all[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";
    return *text && strchr(letters, *text) ? strspn(text, all) : 0;
}

/* ---- replacing ---- */

bool weir_env_concerns(const char *text)
{
    return strstr(text, "${") != NULL;
}

void weir_env_expansion_deinit(weir_env_expansion *expansion)
{
    weir_text_deinit(&expansion->text);
    weir_text_deinit(&expansion->origin);
    weir_text_deinit(&expansion->problem);
}

/* Of several problems the first is told. */
static bool problem_begins(weir_env_expansion *e, bool is_unset)
{
    const bool is_first = !e->problem.length;
    e->is_unset = is_unset && (is_first || e->is_unset);
    return is_first;
}

static void origin_add(weir_env_expansion *e, const char *name, const weir_env_value *value)
{
    weir_text_format(&e->origin, "%s%s ", e->origin.length ? ", " : "", name);
    if (!value)
        weir_text_add(&e->origin, "is not set");
    else if (value->file)
        weir_text_format(&e->origin, "of %s:%u", value->file, value->line);
    else
        weir_text_add(&e->origin, "of the environment");
}

/* `rest` stands behind the name, up to the brace: "", ":-text" or "-text". */
static void expand_variable(const weir_env *env, const char *name, const char *rest, size_t n_rest,
                            weir_env_expansion *e)
{
    weir_env_value value = {0};
    const bool is_set = weir_env_find(env, name, &value);
    const size_t n_mark = !strncmp(rest, ":-", 2) ? 2 : *rest == '-';
    const bool otherwise = n_mark == 2 ? !is_set || !*value.text : n_mark == 1 && !is_set;
    origin_add(e, name, is_set ? &value : NULL);
    if (otherwise)
        weir_text_add_n(&e->text, rest + n_mark, n_rest - n_mark);
    else if (is_set)
        weir_text_add(&e->text, value.text);
    else if (problem_begins(e, true))
        weir_text_format(&e->problem,
                         "the environment variable %s is not set: set it where weir is started or "
                         "in env_file, or write ${%s:-default}",
                         name, name);
    if (is_set && !otherwise && value.file)
        e->file = value.file;
}

/* at stands behind "${"; returns what is behind the brace. */
static const char *expand_one(const weir_env *env, const char *at, weir_env_expansion *e)
{
    char name[sizeof e->name];
    const char *end = strchr(at, '}');
    const size_t n = name_length(at), n_all = end ? (size_t)(end - at) : 0;
    const char *rest = at + n;
    if (!end || !n || n >= sizeof name || n > n_all ||
        (rest != end && *rest != '-' && strncmp(rest, ":-", 2) != 0) ||
        memmem(rest, n_all - n, "${", 2)) {
        if (problem_begins(e, false))
            weir_text_add(&e->problem,
                          "\"${...}\" must have the name of an environment variable between its "
                          "braces, of letters, digits and _, and at most :-default behind it; $${ "
                          "stands for ${");
        return end ? end + 1 : at + strlen(at);
    }
    memcpy(name, at, n);
    name[n] = '\0';
    if (!*e->name)
        memcpy(e->name, name, n + 1);
    expand_variable(env, name, rest, n_all - n, e);
    return end + 1;
}

void weir_env_expand(const weir_env *env, const char *text, weir_env_expansion *ret)
{
    *ret = (weir_env_expansion){0};
    while (*text && ret->text.length <= VALUE_SIZE_MAX) {
        if (!strncmp(text, "$${", 3)) {
            weir_text_add(&ret->text, "${");
            text += 3;
        } else if (!strncmp(text, "${", 2)) {
            text = expand_one(env, text + 2, ret);
        } else {
            weir_text_add_char(&ret->text, *text++);
        }
    }
    if (*text && problem_begins(ret, false))
        weir_text_add(&ret->problem, "with its variables replaced this is longer than 64 kB");
}

/* ---- files ---- */

struct reader {
    weir_env *env;
    weir_problems *problems;
    const char *file; /* in the arena */
    const char *at, *end;
    const char *line_start;
    unsigned line;
    bool failed; /* memory */
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static void skip_blanks(struct reader *r)
{
    while (r->at < r->end && is_blank(*r->at))
        r->at++;
}

static bool at_line_end(const struct reader *r)
{
    return r->at == r->end || *r->at == '\n';
}

static void skip_line(struct reader *r)
{
    while (!at_line_end(r))
        r->at++;
    if (r->at < r->end)
        r->at++;
    r->line++;
    r->line_start = r->at;
}

static void say(struct reader *r, unsigned line, const char *at, const char *text)
{
    const weir_where where = {r->file, line,
                              line == r->line ? (unsigned)(at - r->line_start) + 1 : 1};
    weir_problems_add(r->problems, WEIR_ESYNTAX, where, "%s", text);
}

/* A letter behind a backslash in "..."; 0: the backslash stands for itself. */
static char escaped(char c, char quote)
{
    static const char letters[] = "nrt\\\"$", meant[] = "\n\r\t\\\"$";
    const char *found = c ? strchr(letters, c) : NULL;
    if (quote == '\'')
        return c == '\'' ? c : '\0';
    return found ? meant[found - letters] : '\0';
}

/* Behind a quote there is nothing but a comment. */
static bool check_behind(struct reader *r)
{
    const char *from = r->at;
    skip_blanks(r);
    if (at_line_end(r) || (*r->at == '#' && r->at > from))
        return true;
    say(r, r->line, r->at, "text behind the closing quote: put it within, or take it away");
    return false;
}

/* A $ that was \$ must not begin a variable: it is written $${ for weir_env_expand. */
static void add_dollar(struct reader *r, weir_text *ret)
{
    weir_text_add_char(ret, '$');
    if (r->at < r->end && *r->at == '{')
        weir_text_add_char(ret, '$');
}

static bool read_quoted(struct reader *r, weir_text *ret)
{
    const char quote = *r->at, *from = r->at++;
    const unsigned line = r->line;
    for (; r->at < r->end && *r->at != quote; r->at++) {
        const char meant = *r->at == '\\' && r->at + 1 < r->end ? escaped(r->at[1], quote) : '\0';
        const bool is_crlf = *r->at == '\r' && r->at + 1 < r->end && r->at[1] == '\n';
        if (meant)
            r->at++;
        if (meant == '$') {
            r->at++;
            add_dollar(r, ret);
            r->at--;
        } else if (!is_crlf) {
            weir_text_add_char(ret, meant ? meant : *r->at);
        }
        if (*r->at == '\n' && !meant) {
            r->line++;
            r->line_start = r->at + 1;
        }
    }
    if (r->at == r->end) {
        say(r, line, from, quote == '"' ? "a \" is not closed" : "a ' is not closed");
        return false;
    }
    r->at++;
    return check_behind(r);
}

/* Up to the end of the line, or a comment. */
static void read_plain(struct reader *r, weir_text *ret)
{
    const char *from = r->at, *end = from;
    for (; !at_line_end(r); r->at++) {
        if (*r->at == '#' && r->at > r->line_start && is_blank(r->at[-1]))
            break;
        if (!is_blank(*r->at))
            end = r->at + 1;
    }
    weir_text_add_n(ret, from, (size_t)(end - from));
}

static void keep(struct reader *r, const char *name, const char *text, unsigned line)
{
    weir_env_value *value = weir_arena_alloc(r->env->arena, 1, sizeof *value);
    const char *key = weir_arena_text(r->env->arena, name);
    const char *copy = weir_arena_text(r->env->arena, text);
    if (!value || !key || !copy) {
        r->failed = true;
        return;
    }
    *value = (weir_env_value){copy, r->file, line};
    if (weir_map_set(&r->env->values, key, value, NULL) != WEIR_OK)
        r->failed = true;
}

static void keep_expanded(struct reader *r, const char *name, const char *text, unsigned line,
                          const char *at)
{
    weir_env_expansion e;
    weir_env_expand(r->env, text, &e);
    if (e.text.failed || e.origin.failed || e.problem.failed)
        r->failed = true;
    else if (e.problem.length)
        say(r, line, at, weir_text_get(&e.problem));
    else
        keep(r, name, weir_text_get(&e.text), line);
    weir_env_expansion_deinit(&e);
}

/* at: behind the equals sign. */
static void read_value(struct reader *r, const char *name)
{
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    const unsigned line = r->line;
    skip_blanks(r);
    const char *from = r->at;
    const char first = at_line_end(r) ? '\0' : *r->at;
    if (first != '"' && first != '\'')
        read_plain(r, &text);
    else if (!read_quoted(r, &text))
        return;
    if (text.failed)
        r->failed = true;
    else if (text.length > VALUE_SIZE_MAX)
        say(r, line, from, "a value of more than 64 kB");
    else if (first == '\'')
        keep(r, name, weir_text_get(&text), line);
    else
        keep_expanded(r, name, weir_text_get(&text), line, from);
}

static void read_line(struct reader *r)
{
    static const char export[] = "export";
    const size_t n_export = sizeof export - 1;
    char name[64];
    skip_blanks(r);
    if (at_line_end(r) || *r->at == '#')
        return;
    if ((size_t)(r->end - r->at) > n_export && !memcmp(r->at, export, n_export) &&
        is_blank(r->at[n_export])) {
        r->at += n_export;
        skip_blanks(r);
    }
    const char *from = r->at;
    const size_t n = name_length(from); /* the text ends with a NUL */
    if (n == 0 || n >= sizeof name) {
        say(r, r->line, from,
            "NAME=VALUE is wanted: a name has letters, digits and _, and no digit at its "
            "beginning");
        return;
    }
    memcpy(name, from, n);
    name[n] = '\0';
    r->at += n;
    skip_blanks(r);
    if (at_line_end(r) || (*r->at == '#' && r->at > from + n))
        return; /* as the environment has it */
    if (*r->at != '=') {
        say(r, r->line, r->at, "behind the name = is wanted");
        return;
    }
    r->at++;
    read_value(r, name);
}

/* What no line of it can be judged with. NULL: nothing. */
static const char *text_refuse(const char *text, size_t n)
{
    if (n > FILE_SIZE_MAX)
        return "larger than 1 MB: this is no environment file";
    if (memchr(text, '\0', n))
        return "a NUL character: this is no environment file";
    if (!weir_utf8_valid(text, n))
        return "this is not UTF-8: save the file in that encoding";
    return NULL;
}

void weir_env_parse(weir_env *env, const char *file, const char *text, size_t n,
                    weir_problems *problems)
{
    static const char mark[] = "\xef\xbb\xbf"; /* as Windows begins UTF-8 with */
    const char *refusal = text_refuse(text, n);
    if (refusal) {
        weir_problems_add(problems, WEIR_ESYNTAX, (weir_where){file, 0, 0}, "%s", refusal);
        return;
    }
    const char *copy = weir_arena_text_n(env->arena, text, n);
    struct reader r = {.env = env,
                       .problems = problems,
                       .file = weir_arena_text(env->arena, file),
                       .at = copy,
                       .end = copy ? copy + n : NULL,
                       .line_start = copy,
                       .line = 1};
    if (!copy || !r.file) {
        problems->failed = true;
        return;
    }
    if (n >= sizeof mark - 1 && !memcmp(copy, mark, sizeof mark - 1))
        r.line_start = r.at += sizeof mark - 1;
    while (r.at < r.end && !r.failed) {
        read_line(&r);
        skip_line(&r);
    }
    problems->failed = problems->failed || r.failed;
}
