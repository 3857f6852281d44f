/* SPDX-License-Identifier: MIT */
/* INI text as Python's ConfigParser reads it, with the place of everything in it. */

#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/alloc.h"
#include "catalog/problem.h"

enum { WEIR_INI_ENTRIES_MAX = 1000 };

typedef struct weir_ini_entry {
    const char *section; /* as it is written: ConfigParser tells [default] from [DEFAULT] */
    const char *key;     /* in lower case: there it does not */
    const char *value;   /* continuation lines behind one \n each; % as it stands */
    unsigned line, column, value_column;
    size_t value_at, end; /* bytes of the text: the value begins, and its last line ends */
} weir_ini_entry;

typedef struct weir_ini_section {
    const char *name;
    unsigned line, column;
    size_t end; /* byte behind its last line that is neither blank nor a comment */
} weir_ini_section;

typedef struct weir_ini {
    size_t n_entries, entries_capacity;
    weir_ini_entry *entries; /* in the order of the text */
    size_t n_sections, sections_capacity;
    weir_ini_section *sections;
} weir_ini;

#define WEIR_INI_INIT \
    {                 \
        0             \
    }

/*
 * `key = value` or `key: value` in [sections]; a line that is indented more than its key goes on
 * with the value; a line that begins with # or ; is a comment, which behind a value there is none.
 * Names live in the arena. All that ConfigParser would refuse is a problem of the file `name`, the
 * same key or section twice too; ret has the rest. Lines end with \n, \r\n or \r.
 */
void weir_ini_parse(weir_arena *arena, const char *name, const char *text, size_t n, weir_ini *ret,
                    weir_problems *problems);
void weir_ini_deinit(weir_ini *ini);

/* NULL: there is none. */
const weir_ini_entry *weir_ini_find(const weir_ini *ini, const char *section, const char *key);
const weir_ini_section *weir_ini_find_section(const weir_ini *ini, const char *name);
