/* SPDX-License-Identifier: MIT */
/* A JSON schema of the configuration file, for editors. */

/*
 * weir reads every value as text, YAML readers of editors do not: 5 may come as a number or as
 * "5". So each kind of row becomes the union of what may arrive. Each table is a definition, which
 * closes the mapping to other keys; what is required stands where the mapping is used, because a
 * default or a profile may give the rest.
 */

#include "cli/schema.h"

#include <ctype.h>
#include <string.h>

#include "base/text.h"
#include "catalog/tables.h"
#include "catalog/yaml.h"
#include "model/point.h"
#include "model/type.h"
#include "sinks/module.h"

#define QUANTITY         "[0-9]+(\\.[0-9]+)? ?"
#define DURATION_PATTERN "(" QUANTITY "(us|ms|s|min|m|h|d|w))+"
#define SIZE_PATTERN     QUANTITY "(B|kB|KB|MB|GB|TB|KiB|MiB|GiB|TiB)"
#define INTEGER_PATTERN  "[+-]?(0[xX][0-9a-fA-F]+|[0-9]+)"
#define NUMBER_PATTERN   "[+-]?([0-9]+\\.?[0-9]*|\\.[0-9]+)([eE][+-]?[0-9]+)?"
#define RANGES_PATTERN   " *[0-9]+(-[0-9]+)?( *, *[0-9]+(-[0-9]+)?)*"

struct schema {
    json_t *definitions;
    bool failed;
};

/* Steals the value. */
static void put(struct schema *s, json_t *object, const char *key, json_t *value)
{
    if (json_object_set_new(object, key, value))
        s->failed = true;
}

/* ---- kinds of values ---- */

/* What a variable comes to, no schema knows. */
#define VARIABLE_PATTERN "\\$\\{"

static json_t *text_like(const char *inner)
{
    return json_pack("{s:s, s:s++}", "type", "string", "pattern", "^(", inner,
                     ")$|" VARIABLE_PATTERN);
}

/* A whole number, or text that is one. */
static json_t *integer(int64_t min, int64_t max)
{
    json_t *number = json_pack("{s:s}", "type", "integer");
    if ((min || max) && min != INT64_MIN)
        (void)json_object_set_new(number, "minimum", json_integer(min));
    if ((min || max) && max != INT64_MAX)
        (void)json_object_set_new(number, "maximum", json_integer(max));
    return json_pack("{s:[o, o]}", "anyOf", number, text_like(INTEGER_PATTERN));
}

static json_t *number(bool from_zero)
{
    json_t *plain = json_pack("{s:s}", "type", "number");
    if (from_zero)
        (void)json_object_set_new(plain, "minimum", json_integer(0));
    return json_pack("{s:[o, o]}", "anyOf", plain, text_like(NUMBER_PATTERN));
}

/* What has a unit needs none when it is 0. */
static json_t *quantity(const char *inner)
{
    return json_pack("{s:[{s:i}, o]}", "anyOf", "const", 0, text_like(inner));
}

static json_t *scalar(void)
{
    return json_pack("{s:[s, s, s]}", "type", "string", "number", "boolean");
}

static json_t *list_of(json_t *item)
{
    return json_pack("{s:s, s:o}", "type", "array", "items", item);
}

/* One, or a list of them. */
static json_t *some(json_t *(*make)(void))
{
    return json_pack("{s:[o, o]}", "anyOf", make(), list_of(make()));
}

static json_t *mapping_of(json_t *value)
{
    return json_pack("{s:s, s:o}", "type", "object", "additionalProperties", value);
}

static json_t *or_word(json_t *value, const char *word)
{
    return json_pack("{s:[o, {s:s}]}", "anyOf", value, "const", word);
}

/* The words for completion, and a pattern that takes them in any case. */
static json_t *words_any_case(const char *(*word)(size_t i))
{
    json_t *list = json_array();
    WEIR_TEXT_AUTO all = WEIR_TEXT_INIT;
    for (size_t i = 0; word(i); i++) {
        (void)json_array_append_new(list, json_string(word(i)));
        weir_text_add(&all, i ? "|" : "");
        for (const char *p = word(i); *p; p++)
            if (isalpha((unsigned char)*p))
                weir_text_format(&all, "[%c%c]", toupper((unsigned char)*p),
                                 tolower((unsigned char)*p));
            else
                weir_text_add_char(&all, *p);
    }
    return json_pack("{s:[{s:o}, o]}", "anyOf", "enum", list, text_like(weir_text_get(&all)));
}

static const char *bool_word(size_t i)
{
    static const char *const words[] = {"true", "false", "yes", "no", "on", "off"};
    return i < sizeof words / sizeof *words ? words[i] : NULL;
}

static json_t *boolean(void)
{
    return json_pack("{s:[{s:s}, o]}", "anyOf", "type", "boolean", words_any_case(bool_word));
}

static json_t *words(const char *const *words)
{
    json_t *list = json_array();
    for (; *words; words++)
        (void)json_array_append_new(list, json_string(*words));
    return json_pack("{s:[{s:o}, {s:s, s:s}]}", "anyOf", "enum", list, "type", "string", "pattern",
                     VARIABLE_PATTERN);
}

static json_t *ranges_item(void)
{
    return json_pack("{s:[{s:s, s:i}, o]}", "anyOf", "type", "integer", "minimum", 0,
                     text_like(RANGES_PATTERN));
}

static json_t *duration_or(const char *word)
{
    return or_word(quantity(DURATION_PATTERN), word);
}

/* ---- rows whose text only the loader knows ---- */

static json_t *reference(const char *definition)
{
    return json_pack("{s:s+}", "$ref", "#/definitions/", definition);
}

static json_t *any_number(void)
{
    return json_pack("{s:[o, o]}", "anyOf", number(false), text_like(INTEGER_PATTERN));
}

static json_t *make_interval(void)
{
    return duration_or("on_demand");
}

static json_t *make_duration(void)
{
    return quantity(DURATION_PATTERN);
}

static json_t *make_unchanged(void)
{
    return duration_or("none");
}

static json_t *make_deadband(void)
{
    return json_pack("{s:[o, o, {s:s}]}", "anyOf", number(true), text_like(NUMBER_PATTERN "%"),
                     "const", "none");
}

static json_t *make_register(void)
{
    json_t *digit = json_pack("{s:[i, i, i, i]}", "enum", 0, 1, 3, 4);
    return json_pack("{s:[o, o]}", "anyOf", words_any_case(weir_register_word), digit);
}

static json_t *make_address(void)
{
    return integer(0, 65535);
}

static json_t *make_type(void)
{
    return words_any_case(weir_type_word);
}

static json_t *make_order(void)
{
    return words_any_case(weir_order_word);
}

static json_t *make_numbers(void)
{
    return some(any_number);
}

static json_t *make_enumeration(void)
{
    return json_pack("{s:s, s:{s:s++}, s:o}", "type", "object", "propertyNames", "pattern", "^",
                     INTEGER_PATTERN, "$", "additionalProperties", scalar());
}

static json_t *make_scalars(void)
{
    return some(scalar);
}

static json_t *make_factors(void)
{
    return mapping_of(number(false));
}

static json_t *make_retention(void)
{
    return json_pack("{s:[o, o]}", "anyOf", duration_or("none"), list_of(reference("retention")));
}

static json_t *make_max_size(void)
{
    return json_pack("{s:[o, o]}", "anyOf", quantity(SIZE_PATTERN), text_like("[0-9]+%"));
}

static json_t *make_rate(void)
{
    return or_word(text_like("[0-9]+/s"), "none");
}

static json_t *make_cron(void)
{
    return json_pack("{s:[o, o]}", "anyOf", scalar(), reference("cron"));
}

static const struct {
    const char *name;
    json_t *(*make)(void);
} customs[] = {
    {"address", make_address},
    {"backlog_rate", make_rate},
    {"cron", make_cron},
    {"deadband", make_deadband},
    {"default_interval", make_duration},
    {"end", scalar},
    {"enum", make_enumeration},
    {"forbidden_ranges", make_scalars},
    {"interval", make_interval},
    {"max_size", make_max_size},
    {"max_unchanged_interval", make_unchanged},
    {"multiply", make_factors},
    {"na", make_numbers},
    {"offset", any_number},
    {"order", make_order},
    {"register", make_register},
    {"retention", make_retention},
    {"scale", any_number},
    {"start", scalar},
    {"type", make_type},
    {"update", make_cron},
};

static json_t *custom(const char *name)
{
    for (size_t i = 0; i < sizeof customs / sizeof *customs; i++)
        if (!strcmp(customs[i].name, name))
            return customs[i].make();
    return json_object(); /* anything: weir itself knows */
}

/* ---- tables ---- */

static void define(struct schema *s, const char *name, const weir_option *table);

/* Only a name is never a default: what else is required may come from elsewhere. */
static json_t *nested(struct schema *s, const weir_option *row)
{
    /* Points and devices have a key of this name. */
    const char *own = row->table == weir_simulate_device_table ? "simulate_device" : row->name;
    define(s, own, row->table);
    if (row->type == WEIR_OPTION_TABLE)
        return reference(own);
    const weir_option *name = weir_option_find(row->table, "name");
    if (!name || !(name->flags & WEIR_OPTION_REQUIRED))
        return list_of(reference(row->name));
    return list_of(
        json_pack("{s:[o, {s:[s]}]}", "allOf", reference(row->name), "required", "name"));
}

static json_t *value_of(struct schema *s, const weir_option *row)
{
    switch (row->type) {
    case WEIR_OPTION_BOOL:
        return boolean();
    case WEIR_OPTION_INT:
        return integer(row->min, row->max);
    case WEIR_OPTION_NUMBER:
        return number(false);
    case WEIR_OPTION_DURATION:
        return quantity(DURATION_PATTERN);
    case WEIR_OPTION_SIZE:
        return quantity(SIZE_PATTERN);
    case WEIR_OPTION_STRING:
        return scalar();
    case WEIR_OPTION_ENUM:
        return words(row->words);
    case WEIR_OPTION_STRINGS:
        return make_scalars();
    case WEIR_OPTION_RANGES:
        return some(ranges_item);
    case WEIR_OPTION_MAP:
        return mapping_of(scalar());
    case WEIR_OPTION_TABLE:
    case WEIR_OPTION_LIST:
        return nested(s, row);
    case WEIR_OPTION_CUSTOM:
        break;
    }
    if (row->table)
        define(s, row->table == weir_cron_table ? "cron" : row->name, row->table);
    return custom(row->name);
}

/* A reference alone may have no words beside it: draft 7, 8.3. */
static void describe(const weir_option *row, json_t *value)
{
    if (json_object_get(value, "$ref"))
        return;
    (void)json_object_set_new(value, "description", json_string(row->text));
    if (row->fallback && *row->fallback)
        (void)json_object_set_new(value, "default",
                                  row->type == WEIR_OPTION_BOOL
                                      ? json_boolean(!strcmp(row->fallback, "true"))
                                      : json_string(row->fallback));
}

static void add_properties(struct schema *s, json_t *properties, const weir_option *table)
{
    for (const weir_option *row = table; row->name; row++) {
        if (row->flags & WEIR_OPTION_UNSUPPORTED)
            continue;
        json_t *value = value_of(s, row);
        describe(row, value);
        put(s, properties, row->name, value);
    }
}

static json_t *closed(json_t *properties)
{
    return json_pack("{s:s, s:o, s:b}", "type", "object", "properties", properties,
                     "additionalProperties", 0);
}

/* Keys of every sink and, by its type, keys of that. */
static void define_sinks(struct schema *s, const char *name)
{
    json_t *types = json_array(), *cases = json_array(), *common = json_object();
    add_properties(s, common, weir_sink_table);
    for (const weir_sink_type *const *type = weir_sink_types(); *type; type++) {
        WEIR_TEXT_AUTO definition = WEIR_TEXT_INIT;
        json_t *properties = json_object();
        weir_text_format(&definition, "sink_%s", (*type)->name);
        add_properties(s, properties, weir_sink_table);
        add_properties(s, properties, (*type)->options);
        put(s, s->definitions, weir_text_get(&definition), closed(properties));
        (void)json_array_append_new(types, json_string((*type)->name));
        (void)json_array_append_new(cases,
                                    json_pack("{s:{s:[s], s:{s:{s:s}}}, s:o}", "if", "required",
                                              "type", "properties", "type", "const", (*type)->name,
                                              "then", reference(weir_text_get(&definition))));
    }
    put(s, common, "type",
        json_pack("{s:o, s:s}", "enum", types, "description",
                  weir_option_find(weir_sink_table, "type")->text));
    put(s, s->definitions, name,
        json_pack("{s:s, s:o, s:o}", "type", "object", "properties", common, "allOf", cases));
}

static void define(struct schema *s, const char *name, const weir_option *table)
{
    if (json_object_get(s->definitions, name))
        return;
    put(s, s->definitions, name, json_object()); /* known from here on: tables may be nested */
    if (table == weir_sink_table) {
        define_sinks(s, name);
        return;
    }
    json_t *properties = json_object();
    add_properties(s, properties, table);
    put(s, s->definitions, name, closed(properties));
}

/* ---- the whole ---- */

static json_t *required_of(const weir_option *table)
{
    json_t *list = json_array();
    for (const weir_option *row = table; row->name; row++)
        if (row->flags & WEIR_OPTION_REQUIRED)
            (void)json_array_append_new(list, json_string(row->name));
    return list;
}

/* In a file that stands alone, each entry has what is required. */
static json_t *required_alone(void)
{
    json_t *connection = json_pack("{s:o}", "required", required_of(weir_connection_table));
    json_t *device = json_pack("{s:o}", "required", required_of(weir_device_table));
    json_t *sink = json_pack("{s:o}", "required", required_of(weir_sink_table));
    return json_pack("{s:{s:{s:o}, s:{s:o}, s:{s:o}}}", "properties", "connections", "items",
                     connection, "devices", "items", device, "sinks", "items", sink);
}

json_t *weir_schema_make(bool profile)
{
    const weir_option *table = profile ? weir_profile_table : weir_top_table;
    struct schema s = {.definitions = json_object()};
    json_t *properties = json_object();
    define(&s, "retention", weir_retention_table);
    add_properties(&s, properties, table);
    json_t *schema = json_pack(
        "{s:s, s:s, s:s, s:o, s:b}", "$schema", "http://json-schema.org/draft-07/schema#", "title",
        profile ? "a profile of weir " WEIR_VERSION : "weir.yaml of weir " WEIR_VERSION, "type",
        "object", "properties", properties, "additionalProperties", 0);
    if (profile) {
        put(&s, schema, "required", required_of(table));
    } else {
        put(&s, schema, "patternProperties", json_pack("{s:{}}", "^x-"));
        put(&s, schema, "if",
            json_pack("{s:{s:[{s:[s]}, {s:[s]}]}}", "not", "anyOf", "required", "defaults",
                      "required", "include"));
        put(&s, schema, "then", required_alone());
    }
    put(&s, schema, "definitions", s.definitions);
    if (!s.failed)
        return schema;
    json_decref(schema);
    return NULL;
}
