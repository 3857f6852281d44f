/* SPDX-License-Identifier: MIT */
/* Loading a configuration of 100 000 tags again and finding what is different: time and memory. */

/*
 * Two plants of 1000 devices with 100 points each: meters of ten kinds, as they are configured by
 * templates, and 1000 devices that each write out all their points. The second load differs in one
 * device's interval. Ends with 1 when a limit is missed: both together within a second, and in the
 * first plant at most 300 bytes a tag while both catalogs are alive. Points that are written out
 * one by one have nothing to share; their figures are only shown.
 */

#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/text.h"
#include "catalog/yaml.h"
#include "model/diff.h"

enum { KINDS = 10, UNITS = 100, POINTS = 100, TAGS = KINDS * UNITS * POINTS };

static const double seconds_max = 1, bytes_max = 300;

static double seconds_now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static size_t bytes_now(void)
{
    const struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

static void write_points(weir_text *t, int kind)
{
    weir_text_add(t, "    points:\n");
    for (int i = 0; i < POINTS; i++)
        weir_text_format(t,
                         "      - {name: p%d, register: holding, address: %d, type: %s, unit: V}\n",
                         i, 2 * i + 200 * kind, i % 2 ? "float32" : "uint32");
}

static void write_head(weir_text *t)
{
    weir_text_add(t, "data_dir: memory\nconnections:\n");
    for (int i = 0; i < KINDS; i++)
        weir_text_format(t, "  - {name: c%d, uri: \"tcp://10.0.0.%d\"}\n", i, i + 1);
    weir_text_add(t, "devices:\n");
}

/* odd: the one device whose interval is another, or -1. */
static void write_templates(weir_text *t, int odd)
{
    write_head(t);
    for (int kind = 0; kind < KINDS; kind++) {
        weir_text_format(t,
                         "  - name: \"k%d-{unit_id:03}\"\n    connection: c%d\n"
                         "    unit_id: 1-%d\n    interval: %ds\n",
                         kind, kind, UNITS, kind == odd ? 2 : 1);
        write_points(t, kind);
    }
}

static void write_apart(weir_text *t, int odd)
{
    write_head(t);
    for (int i = 0; i < KINDS * UNITS; i++) {
        weir_text_format(t,
                         "  - name: d%d\n    connection: c%d\n    unit_id: %d\n    interval: %ds\n",
                         i, i % KINDS, i / KINDS + 1, i == odd ? 2 : 1);
        write_points(t, i % 200);
    }
}

static weir_catalog *load(const weir_text *text)
{
    weir_problems problems = WEIR_PROBLEMS_INIT;
    weir_catalog *catalog = NULL;
    if (weir_yaml_load_text(weir_text_get(text), text->length, "bench.yaml", NULL, &catalog,
                            &problems))
        (void)fprintf(stderr, "%s\n", problems.n ? problems.items[0].text : "no memory");
    weir_problems_deinit(&problems);
    return catalog;
}

/* False: a limit was missed, or nothing could be measured. */
static bool measure(const char *name, void (*write)(weir_text *t, int odd), bool limited)
{
    WEIR_TEXT_AUTO before = WEIR_TEXT_INIT;
    WEIR_TEXT_AUTO after = WEIR_TEXT_INIT;
    write(&before, -1);
    write(&after, 3);
    const size_t bytes_start = bytes_now();
    WEIR_CLEANUP(weir_catalog_free) weir_catalog *older = load(&before);
    const double start = seconds_now();
    WEIR_CLEANUP(weir_catalog_free) weir_catalog *newer = load(&after);
    const double loaded = seconds_now();
    WEIR_CLEANUP(weir_diff_free) weir_diff *diff = NULL;
    if (!older || !newer || weir_diff_new(older, newer, &diff, NULL) || newer->n_tags != TAGS)
        return false;
    const double diffed = seconds_now();
    const double bytes = (double)(bytes_now() - bytes_start) / TAGS;
    WEIR_TEXT_AUTO count = WEIR_TEXT_INIT;
    weir_diff_count(diff, &count);
    (void)printf("%-10s %zu tags, %.1f MB of YAML: load %.0f ms, diff %.1f ms (%s), %.0f bytes a "
                 "tag with both\n",
                 name, newer->n_tags, (double)after.length / 1e6, (loaded - start) * 1e3,
                 (diffed - loaded) * 1e3, weir_text_get(&count), bytes);
    return !limited || (diffed - start <= seconds_max && bytes <= bytes_max);
}

int main(void)
{
    const bool good = measure("templates", write_templates, true);
    if (!measure("apart", write_apart, false))
        return 1;
    if (!good)
        (void)fprintf(stderr, "the limits are %.0f s and %.0f bytes\n", seconds_max, bytes_max);
    return good ? 0 : 1;
}
