/* SPDX-License-Identifier: MIT */
/* One YAML text composed to a document. */

/*
 * libyaml turns the text into events; composer_step() puts them together. Open collections are
 * frames on a stack; their children wait on a second stack until the end event copies them into
 * the arena. An alias is resolved to its node's number at once, so equal parts are kept once and
 * nothing can be circular: an anchor counts only when its node is complete. Merge keys are
 * resolved at the end of each mapping.
 *
 * What fails: the text is no YAML (one problem, then stop); a limit is passed (likewise); a key
 * twice, a tag, a key that is no text (a problem each, and on it goes).
 */

#include <stdint.h>
#include <string.h>
#include <yaml.h>

#include "base/alloc.h"
#include "base/map.h"
#include "catalog/document_priv.h"
#include "catalog/intern.h"

struct frame {
    uint32_t node; /* the open collection */
    size_t first;  /* its first child on the stack of children */
    char *anchor;  /* NULL: none */
};

struct composer {
    weir_document *document;
    weir_problems *problems;
    weir_intern texts;
    weir_map anchors; /* name -> number as a pointer */
    struct frame frames[WEIR_DOCUMENT_DEPTH_MAX];
    size_t n_frames;
    uint32_t *children;
    size_t n_children, children_capacity;
    bool done;   /* the document has ended */
    bool failed; /* stop: a problem was said, or memory is short */
};

static weir_where where_of_mark(const struct composer *c, const yaml_mark_t *mark)
{
    return (weir_where){c->document->name, (unsigned)mark->line + 1, (unsigned)mark->column + 1};
}

static weir_where where_of(const struct composer *c, uint32_t id)
{
    return weir_node_where((weir_node){c->document, id});
}

static void composer_no_memory(struct composer *c)
{
    c->failed = true;
    c->problems->failed = true;
}

static uint32_t composer_add_node(struct composer *c, weir_node_kind kind, const yaml_mark_t *mark)
{
    const weir_document_node node = {
        .as.text = "",
        .line = (uint32_t)(mark->line + 1),
        .column = mark->column < UINT16_MAX ? (uint16_t)(mark->column + 1) : UINT16_MAX,
        .kind = kind & 15u,
    };
    const uint32_t id = weir_document_add(c->document, &node);
    if (!id)
        composer_no_memory(c);
    return id;
}

/* A finished node goes to the open collection, or is the root. */
static void composer_place(struct composer *c, uint32_t id)
{
    if (!c->n_frames) {
        c->document->root = id;
        return;
    }
    uint32_t *children =
        weir_array_room(c->children, c->n_children, &c->children_capacity, sizeof *children);
    if (!children) {
        composer_no_memory(c);
        return;
    }
    c->children = children;
    c->children[c->n_children++] = id;
}

static void composer_set_anchor(struct composer *c, const char *name, uint32_t id)
{
    if (!name || c->failed)
        return;
    const char *key = weir_intern_text(&c->texts, name);
    if (!key || weir_map_set(&c->anchors, key, (void *)(uintptr_t)id, NULL) != WEIR_OK)
        composer_no_memory(c);
}

/* The standard tags say what weir's own tables say better; any other asks for code we lack. */
static void composer_check_tag(struct composer *c, const yaml_char_t *tag, const yaml_mark_t *mark)
{
    static const char standard[] = "tag:yaml.org,2002:";
    const char *text = (const char *)tag;
    if (text && strcmp(text, "!") != 0 && strncmp(text, standard, sizeof standard - 1) != 0)
        weir_problems_add(c->problems, WEIR_ECONFIG, where_of_mark(c, mark),
                          "the tag '%.100s' means nothing to weir: remove it", text);
}

static void composer_on_scalar(struct composer *c, const yaml_event_t *event)
{
    const char *text = (const char *)event->data.scalar.value;
    const size_t n = event->data.scalar.length;
    composer_check_tag(c, event->data.scalar.tag, &event->start_mark);
    if (memchr(text, '\0', n))
        weir_problems_add(c->problems, WEIR_ECONFIG, where_of_mark(c, &event->start_mark),
                          "a text with a NUL character (\\0): remove it");
    uint32_t id = composer_add_node(c, WEIR_NODE_SCALAR, &event->start_mark);
    const char *copy = weir_intern_text(&c->texts, text);
    if (!id || !copy) {
        composer_no_memory(c);
        return;
    }
    c->document->nodes[id].as.text = copy;
    c->document->nodes[id].quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    composer_set_anchor(c, (const char *)event->data.scalar.anchor, id);
    composer_place(c, id);
}

static void composer_on_alias(struct composer *c, const yaml_event_t *event)
{
    const char *name = (const char *)event->data.alias.anchor;
    uint32_t id = (uint32_t)(uintptr_t)weir_map_get(&c->anchors, name);
    if (!id) {
        weir_problems_add(c->problems, WEIR_ECONFIG, where_of_mark(c, &event->start_mark),
                          "'*%.100s' names nothing: write '&%.100s' at the part it shall repeat, "
                          "above this line",
                          name, name);
        c->failed = true;
        return;
    }
    composer_place(c, id);
}

static void composer_open(struct composer *c, weir_node_kind kind, const yaml_event_t *event,
                          const yaml_char_t *anchor, const yaml_char_t *tag)
{
    composer_check_tag(c, tag, &event->start_mark);
    if (c->n_frames == WEIR_DOCUMENT_DEPTH_MAX) {
        weir_problems_add(c->problems, WEIR_ELIMIT, where_of_mark(c, &event->start_mark),
                          "nested deeper than %d levels", WEIR_DOCUMENT_DEPTH_MAX);
        c->failed = true;
        return;
    }
    struct frame frame = {composer_add_node(c, kind, &event->start_mark), c->n_children, NULL};
    if (anchor) {
        frame.anchor = weir_arena_text(c->document->arena, (const char *)anchor);
        if (!frame.anchor)
            composer_no_memory(c);
    }
    c->frames[c->n_frames++] = frame;
}

/* ---- mappings: keys once, merge keys ---- */

static const char *text_of(const struct composer *c, uint32_t id)
{
    return weir_node_text((weir_node){c->document, id});
}

static bool is_merge_key(const struct composer *c, uint32_t id)
{
    return !c->document->nodes[id].quoted && !strcmp(text_of(c, id), "<<");
}

/* Appends the pairs of a merged mapping that are not among the children from `first` on. */
static void mapping_merge_one(struct composer *c, size_t first, uint32_t source)
{
    const weir_document_node n = c->document->nodes[source];
    if (n.kind != WEIR_NODE_MAPPING) {
        weir_problems_add(c->problems, WEIR_ECONFIG, where_of(c, source),
                          "'<<' takes a mapping or a list of mappings, such as '<<: *defaults'");
        return;
    }
    for (uint32_t i = 0; i < n.n && !c->failed; i++) {
        const char *key = text_of(c, n.as.children[2 * i]);
        bool there = false;
        for (size_t k = first; k < c->n_children && !there; k += 2)
            there = !strcmp(text_of(c, c->children[k]), key);
        if (!there) {
            composer_place(c, n.as.children[2 * i]);
            composer_place(c, n.as.children[2 * i + 1]);
        }
    }
}

/* YAML 1.1 merge type: own keys win, then the earlier of the merged. */
static void mapping_merge(struct composer *c, size_t first)
{
    uint32_t sources[16];
    size_t n_sources = 0, kept = first;
    for (size_t i = first; i < c->n_children; i += 2) {
        if (is_merge_key(c, c->children[i]) && n_sources < 16) {
            sources[n_sources++] = c->children[i + 1];
            continue;
        }
        c->children[kept] = c->children[i];
        c->children[kept + 1] = c->children[i + 1];
        kept += 2;
    }
    c->n_children = kept;
    for (size_t i = 0; i < n_sources; i++) {
        const weir_document_node source = c->document->nodes[sources[i]];
        if (source.kind == WEIR_NODE_LIST)
            for (uint32_t k = 0; k < source.n && !c->failed; k++)
                mapping_merge_one(c, first, source.as.children[k]);
        else
            mapping_merge_one(c, first, sources[i]);
    }
}

/* Keys are interned: the same text is the same pointer, so the map need not compare long texts. */
static void mapping_check_keys(struct composer *c, size_t first)
{
    weir_map seen = WEIR_MAP_INIT;
    for (size_t i = first; i + 1 < c->n_children && !c->failed; i += 2) {
        const uint32_t id = c->children[i];
        void *old = NULL;
        if (c->document->nodes[id].kind != WEIR_NODE_SCALAR) {
            weir_problems_add(c->problems, WEIR_ECONFIG, where_of(c, id),
                              "a key must be a word, not a list or a mapping");
            c->failed = true;
        } else if (weir_map_set(&seen, text_of(c, id), (void *)(uintptr_t)id, &old) != WEIR_OK) {
            composer_no_memory(c);
        } else if (old) {
            weir_problems_add(c->problems, WEIR_ECONFIG, where_of(c, id),
                              "the key '%.100s' is there twice, first at line %u: keep one",
                              text_of(c, id), where_of(c, (uint32_t)(uintptr_t)old).line);
        }
    }
    weir_map_deinit(&seen);
}

/* ---- the end of a collection ---- */

static void composer_check_limits(struct composer *c, uint32_t id)
{
    weir_document_node *n = &c->document->nodes[id];
    uint64_t expanded = 1;
    unsigned depth = 0;
    const size_t n_children = n->kind == WEIR_NODE_MAPPING ? 2 * (size_t)n->n : n->n;
    for (size_t i = 0; i < n_children; i++) {
        const weir_document_node *child = &c->document->nodes[n->as.children[i]];
        expanded += child->expanded;
        if (child->depth > depth)
            depth = child->depth;
    }
    if (expanded > WEIR_DOCUMENT_NODES_MAX || depth + 1 > WEIR_DOCUMENT_DEPTH_MAX) {
        weir_problems_add(c->problems, WEIR_ELIMIT, where_of(c, id),
                          "too much: with its aliases repeated this is more than %d values or "
                          "deeper than %d levels",
                          WEIR_DOCUMENT_NODES_MAX, WEIR_DOCUMENT_DEPTH_MAX);
        c->failed = true;
        return;
    }
    n->expanded = (uint32_t)expanded;
    n->depth = (depth + 1) & 255u;
}

static void composer_close(struct composer *c)
{
    const struct frame frame = c->frames[--c->n_frames];
    const bool mapping = c->document->nodes[frame.node].kind == WEIR_NODE_MAPPING;
    if (mapping) {
        mapping_check_keys(c, frame.first);
        if (!c->failed)
            mapping_merge(c, frame.first);
    }
    const size_t n = c->n_children - frame.first;
    uint32_t *children = weir_arena_alloc(c->document->arena, n, sizeof *children);
    if (!children)
        composer_no_memory(c);
    if (c->failed)
        return;
    if (n)
        memcpy(children, c->children + frame.first, n * sizeof *children);
    c->n_children = frame.first;
    c->document->nodes[frame.node].as.children = children;
    c->document->nodes[frame.node].n = (uint32_t)(mapping ? n / 2 : n);
    composer_check_limits(c, frame.node);
    composer_set_anchor(c, frame.anchor, frame.node);
    composer_place(c, frame.node);
}

static void composer_step(struct composer *c, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (c->document->root) {
            weir_problems_add(c->problems, WEIR_ECONFIG, where_of_mark(c, &event->start_mark),
                              "a second document begins here ('---'): one file is one document");
            c->failed = true;
        }
        break;
    case YAML_ALIAS_EVENT:
        composer_on_alias(c, event);
        break;
    case YAML_SCALAR_EVENT:
        composer_on_scalar(c, event);
        break;
    case YAML_SEQUENCE_START_EVENT:
        composer_open(c, WEIR_NODE_LIST, event, event->data.sequence_start.anchor,
                      event->data.sequence_start.tag);
        break;
    case YAML_MAPPING_START_EVENT:
        composer_open(c, WEIR_NODE_MAPPING, event, event->data.mapping_start.anchor,
                      event->data.mapping_start.tag);
        break;
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        composer_close(c);
        break;
    case YAML_STREAM_END_EVENT:
        c->done = true;
        break;
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        break;
    }
}

/* ---- what libyaml complains of ---- */

/* libyaml's words -> what a person should do. The words are stable: 0.2.x is frozen but for fixes.
 */
static const struct {
    const char *says;
    const char *remedy;
} remedies[] = {
    {"mapping values are not allowed in this context",
     "a second ':' in one line, or a line indented further than the one above: put the text in "
     "quotes, or align the keys"},
    {"did not find expected key",
     "this line does not line up with a key above it, or a bracket or quote above is not closed: "
     "indent all keys of one entry alike"},
    {"did not find expected '-' indicator",
     "this line does not line up with the list above it: begin each entry with '- ', all in the "
     "same column"},
    {"did not find expected ',' or '}'", "a '{' is not closed, or a ',' is missing before here"},
    {"did not find expected ',' or ']'", "a '[' is not closed, or a ',' is missing before here"},
    {"could not find expected ':'",
     "a key without ':', or text that goes on in a line not indented: write 'key: value'"},
    {"found character that cannot start any token",
     "a value cannot begin with this character: put it in quotes"},
    {"found unexpected end of stream", "a quote is not closed before the end of the file"},
    {"found unexpected document indicator", "a quote is not closed before '---' or '...'"},
    {"found unknown escape character",
     "inside \"...\" a backslash begins an escape: write '...' quotes, or a double backslash"},
    {"block sequence entries are not allowed in this context",
     "'- ' must begin a line of its own, below its key"},
    {"block mapping entries are not allowed in this context",
     "'key: value' must begin a line of its own"},
    {"did not find expected <document start>",
     "text after the end of the document: indent it below its key"},
    {"did not find expected node content", "a value is missing here"},
    {"control characters are not allowed", "remove the control character"},
};

static const char *remedy_for(const char *says)
{
    for (size_t i = 0; i < sizeof remedies / sizeof *remedies; i++)
        if (!strcmp(remedies[i].says, says))
            return remedies[i].remedy;
    return NULL;
}

/* The given line (1, 2, ...) begins with blanks among which is a tab: its column, else 0. */
static unsigned indenting_tab(const char *text, size_t n, size_t line)
{
    const char *at = text, *end = text + n;
    for (size_t i = 1; i < line && at; i++) {
        at = memchr(at, '\n', (size_t)(end - at));
        at = at ? at + 1 : NULL;
    }
    for (const char *p = at; p && p < end && (*p == ' ' || *p == '\t'); p++)
        if (*p == '\t')
            return (unsigned)(p - at) + 1;
    return 0;
}

static void composer_on_bad_bytes(struct composer *c, const yaml_parser_t *parser, const char *text,
                                  size_t n)
{
    weir_where where = {c->document->name, 1, 1};
    for (size_t i = 0; i < n && i < parser->problem_offset; i++) {
        where.column++;
        if (text[i] == '\n') {
            where.line++;
            where.column = 1;
        }
    }
    if (parser->problem && !strcmp(parser->problem, "control characters are not allowed"))
        weir_problems_add(c->problems, WEIR_ESYNTAX, where, "a control character: remove it");
    else
        weir_problems_add(c->problems, WEIR_ESYNTAX, where,
                          "this is not UTF-8: save the file in that encoding");
}

static void composer_on_syntax(struct composer *c, const yaml_parser_t *parser, const char *text,
                               size_t n)
{
    const char *says = parser->problem ? parser->problem : "cannot be parsed";
    weir_where where = where_of_mark(c, &parser->problem_mark);
    if (parser->error == YAML_MEMORY_ERROR) {
        composer_no_memory(c);
        return;
    }
    if (parser->error == YAML_READER_ERROR) {
        composer_on_bad_bytes(c, parser, text, n);
        return;
    }
    for (unsigned back = 0; back < 2 && where.line > back; back++) {
        unsigned column = indenting_tab(text, n, where.line - back);
        if (!column)
            continue;
        where = (weir_where){c->document->name, where.line - back, column};
        weir_problems_add(c->problems, WEIR_ESYNTAX, where,
                          "a tab at line %u: YAML indents with spaces", where.line);
        return;
    }
    const char *remedy = remedy_for(says);
    if (remedy && parser->context && parser->context_mark.line != parser->problem_mark.line)
        weir_problems_add(c->problems, WEIR_ESYNTAX, where,
                          "%s (what it belongs to begins at "
                          "line %u)",
                          remedy, (unsigned)parser->context_mark.line + 1);
    else
        weir_problems_add(c->problems, WEIR_ESYNTAX, where, "%s", remedy ? remedy : says);
}

static void composer_run(struct composer *c, yaml_parser_t *parser, const char *text, size_t n)
{
    while (!c->done && !c->failed) {
        yaml_event_t event;
        if (!yaml_parser_parse(parser, &event)) {
            composer_on_syntax(c, parser, text, n);
            c->failed = true;
            return;
        }
        composer_step(c, &event);
        yaml_event_delete(&event);
    }
}

static void document_check_whole(struct composer *c)
{
    const weir_node root = weir_document_root(c->document);
    if (c->failed || (root.id && !weir_node_empty(root)))
        return;
    weir_problems_add(c->problems, WEIR_ECONFIG, (weir_where){c->document->name, 0, 0},
                      "the file is empty: write at least connections and devices");
    c->failed = true;
}

weir_document *weir_document_parse(const char *name, const char *text, size_t n,
                                   weir_problems *problems)
{
    yaml_parser_t parser;
    if (n > WEIR_DOCUMENT_SIZE_MAX) {
        weir_problems_add(problems, WEIR_ELIMIT, (weir_where){name, 0, 0},
                          "larger than 16 MB: use templates, profiles and aliases");
        return NULL;
    }
    WEIR_CLEANUP(weir_document_free) weir_document *document = weir_document_new(name);
    if (!document || !yaml_parser_initialize(&parser)) {
        problems->failed = true;
        return NULL;
    }
    struct composer c = {
        .document = document, .problems = problems, .texts = {.arena = document->arena}};
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, n);
    composer_run(&c, &parser, text, n);
    yaml_parser_delete(&parser);
    document->has_variables = true;
    document_check_whole(&c);
    weir_intern_deinit(&c.texts);
    weir_map_deinit(&c.anchors);
    weir_free(c.children);
    if (c.failed)
        return NULL;
    weir_document *parsed = document;
    document = NULL;
    return parsed;
}
