/* SPDX-License-Identifier: MIT */
/* Environment files (.env), and the variables of the configuration: "${NAME}". */

#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"
#include "catalog/problem.h"

/*
 * Files of lines NAME=VALUE as docker compose reads them. Blank lines and what # begins are left
 * out; `export` may stand in front. A value is as it stands without the blanks around it and
 * without a comment behind a blank; in '...' all is literal but \'; in "..." are \n \r \t \\ \" \$.
 * Quotes may hold several lines. ${NAME} is replaced but in '...'; nothing is executed. NAME alone
 * says nothing: it is as the environment has it.
 */
typedef struct weir_env weir_env;

/* outside: the real environment, which wins over all files: getenv, or a test's own. NULL: memory
 * is short. */
weir_env *weir_env_new(const char *(*outside)(const char *name)) WEIR_MUST_CHECK;
void weir_env_free(weir_env *env); /* accepts NULL */
WEIR_DEFINE_CLEANUP(weir_env, weir_env_free)

/* Adds a file's text; what it has wins over files before. Lines that are wrong are problems with
 * their place. */
void weir_env_parse(weir_env *env, const char *file, const char *text, size_t n,
                    weir_problems *problems);

typedef struct weir_env_value {
    const char *text;
    const char *file; /* NULL: the real environment */
    unsigned line;
} weir_env_value;

/* False: it is not set. */
bool weir_env_find(const weir_env *env, const char *name, weir_env_value *ret);

/* What a text with variables comes to. deinit in any case. */
typedef struct weir_env_expansion {
    weir_text text;
    weir_text origin;  /* "HOST of .env:3, PORT of the environment" */
    weir_text problem; /* what to say instead of taking it; "": nothing */
    bool is_unset;     /* that is all there is to say: a variable is not set */
    char name[64];     /* of the first variable */
    const char *file;  /* of a value that is from a file; NULL: none is */
} weir_env_expansion;

/* Whether the text has "${" in it. */
bool weir_env_concerns(const char *text);

/*
 * Replaces ${NAME}; ${NAME:-text} where it is not set or empty, ${NAME-text} where it is not set.
 * $${ stands for ${. Any other $ is a $. `failed` of the texts: memory is short.
 */
void weir_env_expand(const weir_env *env, const char *text, weir_env_expansion *ret);
void weir_env_expansion_deinit(weir_env_expansion *expansion);
