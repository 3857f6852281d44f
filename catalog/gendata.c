/* SPDX-License-Identifier: MIT */
/* EMDC's gendata files: sample data described by Fourier terms, JSON with comments. */

/*
 * JSON is read as the YAML it is, so that each value knows its place, after the comments have been
 * blanked. What an entry means is what gendata.py did with it: samples from start, one each
 * 1 / sample_rate seconds rounded to microseconds, floor((end - start) * sample_rate) of them.
 */

#include "catalog/gendata.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/iso.h"
#include "base/number.h"
#include "catalog/files.h"
#include "catalog/loader.h"

enum { ENTRIES_MAX = 65536 };

/* One entry as written. */
struct entry_in {
    const char *start, *end, *topic_id, *topic_name;
    double sample_rate, period, amplitude_cos, amplitude_sin, amplitude_offset, spread;
};

#define ENTRY(key, kind) .name = #key, .type = kind, .offset = offsetof(struct entry_in, key)

static const weir_option entry_table[] = {
    {ENTRY(start, WEIR_OPTION_STRING), .flags = WEIR_OPTION_REQUIRED,
     .text = "the time of the first sample, in ISO 8601"},
    {ENTRY(end, WEIR_OPTION_STRING), .flags = WEIR_OPTION_REQUIRED,
     .text = "where samples end, in ISO 8601"},
    {ENTRY(topic_id, WEIR_OPTION_STRING), .flags = WEIR_OPTION_REQUIRED,
     .text = "an integer; entries of one topic_id are summed"},
    {ENTRY(topic_name, WEIR_OPTION_STRING), .flags = WEIR_OPTION_REQUIRED,
     .text = "the tag's name"},
    {ENTRY(sample_rate, WEIR_OPTION_NUMBER), .fallback = "0.01", .text = "samples a second"},
    {ENTRY(period, WEIR_OPTION_NUMBER), .fallback = "86400", .text = "of the sine, in seconds"},
    {ENTRY(amplitude_cos, WEIR_OPTION_NUMBER), .fallback = "0", .text = "of the cosine"},
    {ENTRY(amplitude_sin, WEIR_OPTION_NUMBER), .fallback = "0", .text = "of the sine"},
    {ENTRY(amplitude_offset, WEIR_OPTION_NUMBER), .fallback = "0", .text = "the middle"},
    {ENTRY(spread, WEIR_OPTION_NUMBER), .fallback = "0.05", .text = "of the noise, up and down"},
    {0},
};

/* One entry as it is meant. */
struct entry {
    int64_t id;
    size_t order; /* in the file */
    const char *name;
    weir_node at;
    weir_fourier_term term;
};

/* A topic being built: its entries are neighbours. */
struct topic {
    const struct entry *entries;
    size_t n;
    const char *device, *point;
};

/* --- entries --- */

static bool read_time(weir_loader *l, weir_node mapping, const char *key, const char *text,
                      weir_wall *ret)
{
    if (weir_iso_parse(text, ret))
        return true;
    weir_loader_problem(l, weir_node_get(mapping, key),
                        "%s must be a time such as 2018-01-01T00:00:00Z, not \"%.80s\"", key, text);
    return false;
}

/* floor(duration * rate) samples, as gendata.py counts them: the end itself has none. */
static bool read_grid(weir_loader *l, weir_node mapping, const struct entry_in *in,
                      weir_fourier_term *term)
{
    weir_wall end;
    const double step_us = nearbyint(1e6 / in->sample_rate);
    if (!read_time(l, mapping, "start", in->start, &term->start) ||
        !read_time(l, mapping, "end", in->end, &end))
        return false;
    if (!(in->sample_rate > 0) || step_us < 1 || step_us > 366.0 * (double)WEIR_DAY) {
        weir_loader_problem(l, weir_node_get(mapping, "sample_rate"),
                            "sample_rate is %g a second: give one between a million a second and "
                            "one a year",
                            in->sample_rate);
        return false;
    }
    if (end.us < term->start.us) {
        weir_loader_problem(l, weir_node_get(mapping, "end"), "end lies before start");
        return false;
    }
    term->step_us = (int64_t)step_us;
    term->last = (int64_t)floor((double)(end.us - term->start.us) / 1e6 * in->sample_rate);
    return true;
}

static bool read_entry(weir_loader *l, weir_node mapping, struct entry *ret)
{
    struct entry_in in = {0};
    const size_t n_problems = l->problems->n;
    weir_option_defaults(entry_table, &in);
    if (!weir_loader_expect(l, mapping, WEIR_NODE_MAPPING, "an entry of the list"))
        return false;
    weir_loader_read(l, mapping, entry_table, &in);
    if (!weir_loader_require(l, mapping, entry_table, "an entry", &in) ||
        l->problems->n > n_problems)
        return false;
    *ret = (struct entry){.name = in.topic_name, .at = mapping};
    if (!weir_parse_i64(in.topic_id, &ret->id)) {
        weir_loader_problem(l, weir_node_get(mapping, "topic_id"),
                            "topic_id must be an integer, not \"%.80s\"", in.topic_id);
        return false;
    }
    if (in.period == 0) {
        weir_loader_problem(l, weir_node_get(mapping, "period"), "period must not be 0");
        return false;
    }
    ret->term = (weir_fourier_term){.period_s = in.period,
                                    .cos = in.amplitude_cos,
                                    .sin = in.amplitude_sin,
                                    .offset = in.amplitude_offset,
                                    .spread = in.spread};
    return weir_loader_check_name(l, weir_node_get(mapping, "topic_name"), "a topic", ret->name,
                                  "") &&
           read_grid(l, mapping, &in, &ret->term);
}

static struct entry *read_entries(weir_loader *l, weir_node list, size_t *ret_n)
{
    const size_t n = weir_node_count(list);
    if (!weir_loader_expect(l, list, WEIR_NODE_LIST, "the file"))
        return NULL;
    if (!n || n > ENTRIES_MAX) {
        weir_loader_problem(l, list, "the list has %zu entries: 1 to %d are possible", n,
                            ENTRIES_MAX);
        return NULL;
    }
    struct entry *entries = weir_loader_scratch(l, n, sizeof *entries);
    for (size_t i = 0; entries && i < n; i++) {
        (void)read_entry(l, weir_node_item(list, i), &entries[i]);
        entries[i].order = i;
    }
    *ret_n = n;
    return entries;
}

/* --- topics --- */

static int compare_entries(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    if (x->id != y->id)
        return x->id < y->id ? -1 : 1;
    return x->order < y->order ? -1 : 1;
}

/* By device, so that a device's tags are contiguous; then by the order of the file. */
static int compare_topics(const void *a, const void *b)
{
    const struct topic *x = a, *y = b;
    const int by_device = strcmp(x->device, y->device);
    if (by_device)
        return by_device;
    const int by_point = strcmp(x->point, y->point);
    if (by_point)
        return by_point;
    return x->entries->order < y->entries->order ? -1 : 1;
}

static void topic_split_name(weir_loader *l, struct topic *topic)
{
    const char *name = topic->entries->name, *slash = strrchr(name, '/');
    topic->point = name;
    topic->device = "gendata";
    if (!slash || slash == name || !slash[1])
        return;
    topic->point = slash + 1;
    topic->device = weir_arena_text_n(l->arena, name, (size_t)(slash - name));
    if (!topic->device) {
        l->failed = true;
        topic->device = "";
    }
}

static struct topic *make_topics(weir_loader *l, struct entry *entries, size_t n, size_t *ret_n)
{
    struct topic *topics = weir_loader_scratch(l, n, sizeof *topics);
    size_t n_topics = 0;
    if (!topics)
        return NULL;
    qsort(entries, n, sizeof *entries, compare_entries);
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || entries[i].id != entries[i - 1].id) {
            topics[n_topics] = (struct topic){.entries = &entries[i]};
            topic_split_name(l, &topics[n_topics++]);
        }
        topics[n_topics - 1].n++;
    }
    qsort(topics, n_topics, sizeof *topics, compare_topics);
    for (size_t i = 1; i < n_topics; i++)
        if (!strcmp(topics[i].device, topics[i - 1].device) &&
            !strcmp(topics[i].point, topics[i - 1].point))
            weir_loader_problem(l, topics[i].entries->at,
                                "topic_id %lld has the name of topic_id %lld: a tag has one name "
                                "of its own",
                                (long long)topics[i].entries->id,
                                (long long)topics[i - 1].entries->id);
    *ret_n = n_topics;
    return topics;
}

/* --- the catalog --- */

/* Memory of the catalog. */
static void *keep(weir_loader *l, size_t n, size_t size)
{
    void *p = weir_arena_alloc(l->arena, n, size);
    if (!p)
        l->failed = true;
    return p;
}

static void wave_build(weir_loader *l, const struct topic *topic, weir_fourier *ret)
{
    weir_fourier_term *terms = keep(l, topic->n, sizeof *terms);
    for (size_t i = 0; terms && i < topic->n; i++)
        terms[i] = topic->entries[i].term;
    *ret = (weir_fourier){topic->entries->id, terms ? topic->n : 0, terms};
}

/* A device of the topics [first, last). */
static void device_build(weir_loader *l, const struct topic *topics, size_t first, size_t last,
                         weir_device *ret)
{
    const uint32_t n = (uint32_t)(last - first);
    weir_point *points = keep(l, n, sizeof *points);
    uint32_t *point_tag = keep(l, n, sizeof *point_tag);
    uint8_t *point_interval = keep(l, n, sizeof *point_interval);
    int64_t *interval = keep(l, 1, sizeof *interval);
    if (!points || !point_tag || !point_interval || !interval)
        return;
    for (uint32_t i = 0; i < n; i++) {
        points[i] = (weir_point)WEIR_POINT_INIT;
        points[i].name = topics[first + i].point;
        points[i].type = WEIR_TYPE_FLOAT64;
        points[i].file = l->file;
        points[i].line = weir_node_where(topics[first + i].entries->at).line;
        point_tag[i] = i;
    }
    *interval = WEIR_S;
    *ret = (weir_device){.name = topics[first].device,
                         .description = "sample data",
                         .profile = "",
                         .where = {.file = l->file, .line = points[0].line},
                         .enabled = true,
                         .n_points = n,
                         .points = points,
                         .point_tag = point_tag,
                         .n_tags = n,
                         .first_tag = (uint32_t)first,
                         .n_intervals = 1,
                         .intervals = interval,
                         .point_interval = point_interval};
}

static void catalog_build(weir_loader *l, const struct topic *topics, size_t n, weir_gendata *ret)
{
    weir_catalog *c = keep(l, 1, sizeof *c);
    weir_connection *connection = keep(l, 1, sizeof *connection);
    weir_device *devices = keep(l, n, sizeof *devices);
    weir_tag *tags = keep(l, n, sizeof *tags);
    weir_fourier *waves = keep(l, n, sizeof *waves);
    size_t first = 0;
    if (!c || !connection || !devices || !tags || !waves)
        return;
    *connection = (weir_connection){.name = "gendata",
                                    .uri_text = "simulated:",
                                    .uri = {.scheme = WEIR_SCHEME_SIMULATED, .host = ""},
                                    .enabled = true};
    *c = (weir_catalog){.arena = l->arena,
                        .revision = 1,
                        .n_connections = 1,
                        .connections = connection,
                        .devices = devices,
                        .n_tags = n,
                        .tags = tags,
                        .store = {.data_dir = "weir-data", .max_loss_us = WEIR_S}};
    for (size_t i = 0; i < n; i++) {
        wave_build(l, &topics[i], &waves[i]);
        tags[i] = (weir_tag){.device = (uint32_t)c->n_devices, .point = (uint32_t)(i - first)};
        if (i + 1 < n && !strcmp(topics[i + 1].device, topics[i].device))
            continue;
        device_build(l, topics, first, i + 1, &devices[c->n_devices++]);
        first = i + 1;
    }
    *ret = (weir_gendata){c, waves};
}

/* --- the file --- */

/* The place behind the string that begins at i. */
static size_t skip_string(const char *text, size_t n, size_t i)
{
    for (i++; i < n && text[i] != '"'; i++)
        i += text[i] == '\\';
    return i + 1;
}

/* Blanks the comment that begins at i; returns the place behind it. Lines stay. */
static size_t blank_comment(char *text, size_t n, size_t i)
{
    const bool line = text[i + 1] == '/';
    const char *end =
        line ? memchr(text + i, '\n', n - i) : memmem(text + i + 2, n - i - 2, "*/", 2);
    const size_t behind = !end ? n : (size_t)(end - text) + (line ? 0 : 2);
    for (; i < behind; i++)
        if (text[i] != '\n')
            text[i] = ' ';
    return behind;
}

/* Line and block comments outside of strings. */
static void blank_comments(char *text, size_t n)
{
    size_t i = 0;
    while (i + 1 < n)
        if (text[i] == '"')
            i = skip_string(text, n, i);
        else if (text[i] == '/' && (text[i + 1] == '/' || text[i + 1] == '*'))
            i = blank_comment(text, n, i);
        else
            i++;
}

static void document_build(weir_loader *l, const weir_document *document, weir_gendata *ret)
{
    size_t n = 0, n_topics = 0;
    struct entry *entries = read_entries(l, weir_document_root(document), &n);
    if (!entries || l->problems->n || l->failed)
        return;
    struct topic *topics = make_topics(l, entries, n, &n_topics);
    if (topics && !l->problems->n)
        catalog_build(l, topics, n_topics, ret);
}

static weir_err load(weir_loader *l, const char *path, weir_text *text, weir_gendata *ret)
{
    weir_gendata made = {0};
    weir_document *document = NULL;
    l->file = weir_arena_text(l->arena, path);
    l->texts.arena = l->arena;
    l->scratch = l->whole;
    blank_comments(text->text, text->length);
    if (l->file)
        document = weir_document_parse(path, weir_text_get(text), text->length, l->problems);
    if (document)
        document_build(l, document, &made);
    weir_document_free(document);
    weir_intern_deinit(&l->texts);
    weir_problems_sort(l->problems);
    if (l->problems->n)
        return WEIR_ECONFIG;
    if (l->failed || l->problems->failed || !made.catalog)
        return WEIR_ENOMEM;
    l->arena = NULL; /* the catalog's now */
    *ret = made;
    return WEIR_OK;
}

weir_err weir_gendata_load(const char *path, const weir_yaml_files *files, weir_gendata *ret,
                           weir_problems *problems)
{
    weir_error error = WEIR_ERROR_INIT;
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    if (!files)
        files = &weir_yaml_disk;
    weir_err err = files->read(files->data, path, &text, &error);
    if (err) {
        weir_problems_add(problems, err, (weir_where){path, 0, 0}, "%s", error.text);
        return err == WEIR_ENOMEM ? WEIR_ENOMEM : WEIR_ECONFIG;
    }
    weir_loader l = {
        .problems = problems, .files = files, .arena = weir_arena_new(), .whole = weir_arena_new()};
    err = l.arena && l.whole ? load(&l, path, &text, ret) : WEIR_ENOMEM;
    weir_arena_free(l.whole);
    weir_arena_free(l.arena);
    return err;
}
