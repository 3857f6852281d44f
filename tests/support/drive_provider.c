/* SPDX-License-Identifier: MIT */
/* Loads a configuration and asks for news of it, for scenario tests: one word a line in, one JSON
 * object out. */

/*
 * load   {"tags": 12, "problems": ["weir.yaml:1:2: ..."]}
 * poll   {"changed": false, "trouble": "", "seconds": 0.01}; with all pauses over
 */

#include <stdio.h>
#include <string.h>

#include "catalog/provider.h"
#include "runtime/clock.h"

static void do_load(const char *path, weir_providers *providers)
{
    const weir_yaml_options options = {.databases = true, .providers = providers};
    weir_problems problems = WEIR_PROBLEMS_INIT;
    weir_catalog *catalog = NULL;
    const weir_err err = weir_yaml_load(path, &options, &catalog, &problems);
    printf("{\"tags\": %lld, \"problems\": [", err ? -1LL : (long long)catalog->n_tags);
    for (size_t i = 0; i < problems.n; i++) {
        WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
        WEIR_TEXT_AUTO quoted = WEIR_TEXT_INIT;
        weir_problem_format(&problems.items[i], &text);
        weir_text_add_json(&quoted, weir_text_get(&text), text.length);
        printf("%s%s", i ? ", " : "", weir_text_get(&quoted));
    }
    printf("]}\n");
    weir_problems_deinit(&problems);
    weir_catalog_free(catalog);
}

static void do_poll(weir_providers *providers, weir_mono pretended)
{
    const weir_mono before = weir_system_mono();
    const bool changed = weir_providers_poll(providers, true, pretended);
    const double seconds = (double)(weir_system_mono().us - before.us) / WEIR_S;
    const char *trouble = weir_providers_trouble(providers);
    WEIR_TEXT_AUTO quoted = WEIR_TEXT_INIT;
    weir_text_add_json(&quoted, trouble, strlen(trouble));
    printf("{\"changed\": %s, \"trouble\": %s, \"seconds\": %.3f}\n", changed ? "true" : "false",
           weir_text_get(&quoted), seconds);
}

int main(int argc, char **argv)
{
    char line[64];
    weir_mono pretended = weir_system_mono();
    weir_providers *providers = weir_providers_new();
    if (argc != 2 || !providers)
        return 2;
    while (fgets(line, sizeof line, stdin)) {
        pretended = weir_mono_add(pretended, WEIR_MINUTE);
        if (!strcmp(line, "load\n"))
            do_load(argv[1], providers);
        else
            do_poll(providers, pretended);
        (void)fflush(stdout);
    }
    weir_providers_free(providers);
    return 0;
}
