/* SPDX-License-Identifier: MIT */
/* One load of a configuration: what all its parts share, and the walker over option tables. */

#pragma once
#include <stdbool.h>

#include "base/alloc.h"
#include "base/map.h"
#include "catalog/document.h"
#include "catalog/effective.h"
#include "catalog/intern.h"
#include "catalog/problem.h"
#include "catalog/tables.h"
#include "catalog/yaml.h"
#include "model/label.h"

/* What a profile came to, its ancestors' part included. */
typedef struct weir_profile {
    const char *name;
    weir_document *document;
    struct weir_profile *next;
    weir_device_in device;             /* the limits it gives */
    const struct weir_profile *parent; /* NULL: it inherits none */
    size_t n_points;
    weir_point_in *points;
    const char *not_found; /* what to say of it, NULL: it is there */
    bool loading;          /* for the circle a inherits b inherits a */
    bool broken;           /* problems were said */
} weir_profile;

/* Memory that is short sets `failed` and work goes on with less; checked once, at the end. */
typedef struct weir_loader {
    weir_arena *arena;   /* of the catalog */
    weir_arena *scratch; /* until the entry at work is done */
    weir_arena *whole;   /* until the load ends: profiles */
    weir_intern texts;   /* contents in `arena`, each once */
    const weir_yaml_options *options;
    const weir_yaml_files *files;
    const char *file; /* the configuration's name */
    weir_problems *problems;
    weir_profile *profiles;
    weir_effective *effective; /* NULL: nobody asks what it came to */
    weir_effective_value *top; /* of that */
    weir_node point_defaults;  /* what a device's new point begins with */
    bool has_plans; /* points without an interval may be theirs: judged when these are known */
    bool failed;
} weir_loader;

/* A mistake at the node; none: of the whole file. */
void weir_loader_problem(weir_loader *l, weir_node at, const char *format, ...) WEIR_PRINTF(3, 4);
void weir_loader_unsupported(weir_loader *l, weir_node at, const char *key);
/* What is no mistake but most likely not meant; for whoever asks for warnings. */
void weir_loader_warn(weir_loader *l, weir_node at, const char *format, ...) WEIR_PRINTF(3, 4);

/* `other` as said in a message at `at`: "line 7" of the same file, else "weir.yaml:7:5" and the
 * like; in scratch memory. */
const char *weir_loader_place(weir_loader *l, weir_where at, weir_where other);

/* What a provider knows a thing by: the row of a database, which stays when its name changes. ""
 * for what stands in a file. */
const char *weir_loader_key(weir_loader *l, weir_where where);

/* The interned text, "" when memory is short. */
const char *weir_loader_text(weir_loader *l, const char *text);
/* Zeroed scratch memory, NULL when short. */
void *weir_loader_scratch(weir_loader *l, size_t n, size_t size);
/* The interned copy of n bytes, NULL when memory is short. */
const void *weir_loader_keep(weir_loader *l, const void *bytes, size_t n);

/* The labels by key, interned; NULL: there are none, or memory is short. */
const weir_label *weir_loader_labels(weir_loader *l, const weir_option_map *labels, size_t *ret_n);

/*
 * Reads a mapping by a table into base. Says what is unknown (with the nearest key), not supported,
 * of the wrong kind or out of range. Does not set defaults and does not ask for what is missing:
 * a device's point says only what it changes.
 */
void weir_loader_read(weir_loader *l, weir_node mapping, const weir_option *table, void *base);

/* The same, with keys that the table does not have left alone. */
void weir_loader_read_some(weir_loader *l, weir_node mapping, const weir_option *table, void *base);

/* Asks for the REQUIRED rows, which must be STRING and not "". what: "a device". False when one is
 * missing. */
bool weir_loader_require(weir_loader *l, weir_node mapping, const weir_option *table,
                         const char *what, const void *base);

/* False, and said so, when the node is not of that kind; none is false without a word. */
bool weir_loader_expect(weir_loader *l, weir_node node, weir_node_kind kind, const char *what);

/* The text of a scalar; NULL, and said so, when it is none or empty. key: for the message. */
const char *weir_loader_scalar(weir_loader *l, weir_node node, const char *key);

/* The text "11-18", "5" or "1,3,5-8", found at the node, appended. False, and said so, when it is
 * none. */
bool weir_loader_ranges(weir_loader *l, const char *text, weir_node node, const weir_option *row,
                        weir_option_ranges *ret);

/* A duration or on_demand; 0 when there is none or it was wrong, and said so. */
int64_t weir_loader_interval(weir_loader *l, weir_node node);

/* "did you mean 'x'?" put in front by ": ", or nothing. */
const char *weir_loader_meant(weir_loader *l, const char *word, const char *const *candidates,
                              size_t n);

/* Whether the name may be part of a tag's name; says what is wrong. */
bool weir_loader_check_name(weir_loader *l, weir_node at, const char *what, const char *name,
                            const char *forbidden);
