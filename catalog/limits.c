/* SPDX-License-Identifier: MIT */
/* The limits of the store: what is kept for how long, and how large it may grow. */

#include "catalog/limits.h"

#include <string.h>

#include "base/clock.h"
#include "base/number.h"

enum {
    PERCENT_DEFAULT = 50,
    MEMORY_DEFAULT = 64 * 1000 * 1000,   /* of data_dir: memory */
    MIN_FREE_DEFAULT = 500 * 1000 * 1000 /* and at most a share of the disk: store/limits.c */
};

/* Below, the file's own tables and a minute of samples hardly fit. */
#define MAX_SIZE_MIN (4 * 1000 * 1000)

static bool rule_read(weir_loader *l, weir_node node, weir_retention *ret)
{
    weir_retention_in in = {0};
    if (!weir_loader_expect(l, node, WEIR_NODE_MAPPING, "a rule of retention"))
        return false;
    weir_loader_read(l, node, weir_retention_table, &in);
    if (in.tags.n == 0) {
        const weir_node tags = weir_node_get(node, "tags");
        if (!tags.id || weir_node_is(tags, WEIR_NODE_LIST))
            weir_loader_problem(l, tags.id ? tags : node,
                                "a rule of retention needs 'tags': a pattern such as \"debug/*\"");
        return false;
    }
    if (!weir_node_get(node, "keep").id && !weir_node_get(node, "max_size").id) {
        weir_loader_problem(l, node, "a rule of retention needs 'keep', 'max_size' or both");
        return false;
    }
    *ret = (weir_retention){
        .tags = weir_loader_keep(l, in.tags.items, in.tags.n * sizeof *in.tags.items),
        .n_tags = in.tags.n,
        .keep_us = in.keep,
        .max_bytes = in.max_size};
    return ret->tags != NULL;
}

static void rules_build(weir_loader *l, weir_node node, weir_store_config *c)
{
    const size_t n = weir_node_count(node);
    weir_retention *rules = weir_loader_scratch(l, n + 1, sizeof *rules);
    bool good = rules != NULL;
    for (size_t i = 0; i < n && rules; i++)
        good &= rule_read(l, weir_node_item(node, i), &rules[i]);
    if (n == 0)
        weir_loader_problem(l, node, "retention is an empty list");
    if (!good || n == 0)
        return;
    c->retention = weir_loader_keep(l, rules, n * sizeof *rules);
    c->n_retention = c->retention ? n : 0;
}

/* One duration is one rule for all. */
static void retention_build(weir_loader *l, weir_node node, weir_store_config *c)
{
    static const char *const everything[] = {"*"};
    weir_error error = WEIR_ERROR_INIT;
    weir_retention_in in = {0};
    if (weir_node_is(node, WEIR_NODE_LIST)) {
        rules_build(l, node, c);
        return;
    }
    const char *text = weir_loader_scalar(l, node, "retention");
    if (!text || !strcmp(text, "none"))
        return;
    if (weir_option_set(weir_option_find(weir_retention_table, "keep"), text, &in, &error) !=
        WEIR_OK) {
        /* It speaks of keep. */
        weir_loader_problem(l, node, "retention%s; or a list of rules",
                            error.text + strlen("keep"));
        return;
    }
    const weir_retention rule = {.tags = everything, .n_tags = 1, .keep_us = in.keep};
    c->retention = weir_loader_keep(l, &rule, sizeof rule);
    c->n_retention = c->retention ? 1 : 0;
}

static void max_size_build(weir_loader *l, weir_node node, weir_store_config *c)
{
    static const weir_option row = {
        .name = "max_size", .type = WEIR_OPTION_SIZE, .min = MAX_SIZE_MIN, .max = INT64_MAX};
    weir_error error = WEIR_ERROR_INIT;
    const char *text = weir_loader_scalar(l, node, row.name);
    const size_t n = text ? strlen(text) : 0;
    if (n > 0 && text[n - 1] == '%') {
        int64_t percent = 0;
        const char *number = weir_arena_text_n(l->scratch, text, n - 1);
        if (!number)
            l->failed = true;
        else if (!weir_parse_i64(number, &percent) || percent < 1 || percent > 100)
            weir_loader_problem(l, node,
                                "max_size must be a size such as 2GB or between 1%% and 100%% of "
                                "the disk, not \"%.80s\"",
                                text);
        else if (!strcmp(c->data_dir, "memory"))
            weir_loader_problem(l, node,
                                "max_size: there is no disk with data_dir: memory: give "
                                "a size such as 64MB");
        c->max_percent = (unsigned)percent;
    } else if (text) {
        if (weir_option_set(&row, text, &c->max_bytes, &error) != WEIR_OK)
            weir_loader_problem(l, node, "%s", error.text);
    }
}

/* Of no disk there is no half. */
static void memory_default(weir_loader *l, weir_store_config *c)
{
    c->max_bytes = MEMORY_DEFAULT;
    if (!l->effective)
        return;
    WEIR_TEXT_AUTO size = WEIR_TEXT_INIT;
    weir_text_format(&size, "%dMB", MEMORY_DEFAULT / (1000 * 1000));
    weir_effective_default(l->effective, weir_effective_get(l->top, "store"), "max_size",
                           weir_text_get(&size));
}

void weir_limits_build(weir_loader *l, const weir_store_in *in, weir_store_config *c)
{
    if (in->retention.id)
        retention_build(l, in->retention, c);
    if (in->max_size.id)
        max_size_build(l, in->max_size, c);
    else if (c->data_dir && !strcmp(c->data_dir, "memory"))
        memory_default(l, c);
    else
        c->max_percent = PERCENT_DEFAULT;
    c->min_free = in->given.min_free ? in->min_free : MIN_FREE_DEFAULT;
    c->min_free_given = in->given.min_free;
    c->when_full = (weir_when_full)in->when_full;
    c->detached_after_us = in->detached_after;
}
