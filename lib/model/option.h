/* SPDX-License-Identifier: MIT */
/* The option table: one row an option. Parser, range errors, --help, manual come from it. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

typedef enum weir_option_type {
    WEIR_OPTION_BOOL,     /* bool */
    WEIR_OPTION_INT,      /* int64_t; min, max */
    WEIR_OPTION_NUMBER,   /* double; min, max */
    WEIR_OPTION_DURATION, /* int64_t, microseconds; min, max */
    WEIR_OPTION_SIZE,     /* uint64_t, bytes; min, max */
    WEIR_OPTION_STRING,   /* const char * */
    WEIR_OPTION_ENUM,     /* int: index into words */
    WEIR_OPTION_STRINGS,  /* weir_option_strings: a list, or one string */
    WEIR_OPTION_RANGES,   /* weir_option_ranges: "11-18", 5, or a list of these */
    WEIR_OPTION_MAP,      /* weir_option_map: text to text */
    WEIR_OPTION_TABLE,    /* a nested mapping with its own table; the reader of the file fills it */
    WEIR_OPTION_LIST,     /* a list of mappings with their own table; likewise */
    WEIR_OPTION_CUSTOM,   /* parsed by the reader of the file; the row documents it */
} weir_option_type;

typedef struct weir_option_strings {
    size_t n;
    const char **items;
} weir_option_strings;

typedef struct weir_option_ranges {
    size_t n;
    struct weir_option_range {
        int64_t first, last;
    } * items;
} weir_option_ranges;

typedef struct weir_option_map {
    size_t n;
    struct weir_option_pair {
        const char *key, *value;
    } * items;
} weir_option_map;

/* weir_option.flags */
enum {
    WEIR_OPTION_REQUIRED = 1u << 0,
    WEIR_OPTION_UNSUPPORTED = 1u << 1,  /* known, but not supported by this version */
    WEIR_OPTION_SECRET = 1u << 2,       /* never shown */
    WEIR_OPTION_LIVE = 1u << 3,         /* can change at run time */
    WEIR_OPTION_MAY_BE_UNSET = 1u << 4, /* a variable that is not set or empty: as if left out */
};

typedef struct weir_option {
    const char *name;
    char letter; /* short form on the command line; 0: none */
    weir_option_type type;
    unsigned flags;
    size_t offset;            /* of the field in the struct the table describes */
    size_t set_offset;        /* of a bool that says "was given"; 0: none */
    int64_t min, max;         /* INT, NUMBER, DURATION (us), SIZE; both 0: no limits; INT64_MIN or
                                 INT64_MAX: no such limit */
    const char *fallback;     /* the default, as text; NULL: none */
    const char *const *words; /* ENUM: NULL-terminated */
    const struct weir_option *table; /* TABLE, LIST: NULL-name-terminated */
    const char *metavar;             /* "FILE"; NULL: from the type */
    const char *text;                /* one sentence for help and manual */
} weir_option;

/*
 * Parses text by the row and stores it at (char *)base + offset. Scalars and ENUM only; for the
 * others WEIR_EINVAL says that a list or mapping is wanted. Strings are stored as given (borrowed).
 * WEIR_EINVAL with "timeout must be a duration such as 500ms, not ..." and the like; out of range
 * names both limits; an ENUM names all words and the nearest. WEIR_EUNSUPPORTED by its flag.
 */
weir_err weir_option_set(const weir_option *option, const char *text, void *base,
                         weir_error *error) WEIR_MUST_CHECK;

/* Sets the fallback of every scalar and ENUM, not the "was given". The fallbacks are ours: a wrong
 * one is an assertion. */
void weir_option_defaults(const weir_option *table, void *base);

/* Row with that name, or NULL. */
const weir_option *weir_option_find(const weir_option *table, const char *name);

/* The row whose name is nearest, or NULL when none is near. */
const weir_option *weir_option_nearest(const weir_option *table, const char *name);
