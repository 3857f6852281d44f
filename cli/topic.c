/* SPDX-License-Identifier: MIT */
/* Help on what is no command: the keys of the configuration. */

#include "cli/topic.h"

#include <string.h>

#include "base/text.h"
#include "catalog/yaml.h"
#include "cli/help.h"
#include "sinks/module.h"

static void print_key(FILE *file, const weir_option *key)
{
    WEIR_TEXT_AUTO head = WEIR_TEXT_INIT;
    WEIR_TEXT_AUTO body = WEIR_TEXT_INIT;
    weir_text_format(&head, "  %s: %s", key->name,
                     key->type == WEIR_OPTION_BOOL ? "true|false" : weir_option_metavar(key));
    weir_text_add(&body, key->text);
    if (key->flags & WEIR_OPTION_REQUIRED)
        weir_text_add(&body, " Required.");
    weir_option_notes(key, &body);
    if (key->type == WEIR_OPTION_BOOL && key->fallback)
        weir_text_format(&body, " (default %s)", key->fallback);
    weir_help_entry(file, weir_text_get(&head), weir_text_get(&body));
}

static void print_table(FILE *file, const char *title, const char *path, const char *prose,
                        const weir_option *table)
{
    (void)fprintf(file, "%s%s%s\n\n", title, *path ? ": " : "", path);
    if (prose)
        weir_help_wrapped(file, prose, 0, 0);
    (void)fputc('\n', file);
    for (const weir_option *key = table; key->name; key++)
        if (!(key->flags & WEIR_OPTION_UNSUPPORTED))
            print_key(file, key);
    if (table->name)
        (void)fputc('\n', file);
}

static void print_sink_types(FILE *file)
{
    for (const weir_sink_type *const *type = weir_sink_types(); *type; type++) {
        WEIR_TEXT_AUTO title = WEIR_TEXT_INIT;
        weir_text_format(&title, "type: %s  %s", (*type)->name, (*type)->summary);
        print_table(file, weir_text_get(&title), "", (*type)->text, (*type)->options);
    }
}

bool weir_topic_print(const char *topic, FILE *file)
{
    const bool all = strcmp(topic, "config") == 0;
    size_t n;
    const weir_yaml_table *tables = weir_yaml_tables(&n);
    if (!all && strcmp(topic, "sinks") != 0)
        return false;
    for (size_t i = 0; i < n; i++)
        if (all || strcmp(tables[i].path, "sinks[]") == 0)
            print_table(file, tables[i].title, tables[i].path, tables[i].prose, tables[i].table);
    print_sink_types(file);
    return true;
}
