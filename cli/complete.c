/* SPDX-License-Identifier: MIT */
/* What may follow on a command line: for shells that complete. */

/*
 * Everything is known already: commands and options from their tables, subcommands from the
 * `arguments` of a command, words from the rows that have them, names from the configuration. So a
 * shell asks the program, and what it shows is always of the program it shows it for.
 */

#include "cli/complete.h"

#include <ctype.h>
#include <string.h>

#include "base/text.h"
#include "catalog/cfg.h"
#include "catalog/document.h"
#include "catalog/effective.h"
#include "catalog/files.h"
#include "catalog/profiles.h"
#include "catalog/yaml.h"
#include "cli/command.h"
#include "cli/help.h"
#include "daemon/assemble.h"

enum { CANDIDATES_MAX = 2000 }; /* nobody reads more, and no shell likes it */

struct complete {
    weir_arena *arena;
    FILE *file;
    const weir_command *command;
    const char *config;  /* of -c; NULL: not given */
    const char *first;   /* positional argument; NULL: none yet */
    const char *current; /* what is being typed, of the value where an option has one */
    const char *keep;    /* what stands before it in its word and must be repeated: "--format=" */
    const char *dropped; /* what the shell has cut off of current, and does not want back */
    bool bash;
    size_t n;
};

/* ---- candidates ---- */

static void offer(struct complete *c, const char *word, const char *about)
{
    const size_t n_typed = strlen(c->current), n_dropped = strlen(c->dropped);
    if (strncmp(word, c->current, n_typed) != 0 || !word[n_dropped] || strpbrk(word, "\n\t") ||
        c->n++ >= CANDIDATES_MAX)
        return;
    (void)fprintf(c->file, "%s%s%s%s\n", c->keep, word + n_dropped, about && *about ? "\t" : "",
                  about ? about : "");
}

static void ask_shell(struct complete *c, const char *what)
{
    (void)fprintf(c->file, "\t%s\n", what);
}

/* The first sentence, which is enough for a line in a menu. */
static const char *short_text(struct complete *c, const char *text)
{
    const char *end = text;
    while (*end && !(*end == '.' && (end[1] == ' ' || !end[1])) && *end != ';' && *end != '\n')
        end++;
    const char *copy = weir_arena_text_n(c->arena, text, (size_t)(end - text));
    return copy ? copy : "";
}

/* ---- names of the configuration ---- */

/* The catalog without its sinks, whose secrets are not here perhaps, and without databases, which
 * may be slow; NULL: there is none. */
static weir_catalog *catalog_load(const struct complete *c)
{
    const char *path = weir_assemble_config_path(c->config);
    weir_problems problems = WEIR_PROBLEMS_INIT;
    weir_yaml_options yaml = {0};
    weir_catalog *catalog = NULL;
    if (!path || weir_assemble_yaml(c->arena, &yaml))
        return NULL;
    yaml.sink_type = NULL;
    yaml.databases = false;
    if (weir_yaml_load(path, &yaml, &catalog, &problems))
        catalog = NULL;
    weir_problems_deinit(&problems);
    return catalog;
}

static void offer_devices(struct complete *c, const char *ending)
{
    WEIR_CLEANUP(weir_catalog_free) weir_catalog *catalog = catalog_load(c);
    for (size_t i = 0; catalog && i < catalog->n_devices; i++) {
        const char *word = weir_arena_format(c->arena, "%s%s", catalog->devices[i].name, ending);
        if (word)
            offer(c, word, catalog->devices[i].description);
    }
}

/* Devices first; their points when one is there: a plant has thousands. */
static void offer_tags(struct complete *c)
{
    WEIR_TEXT_AUTO name = WEIR_TEXT_INIT;
    if (!strchr(c->current, '/')) {
        offer_devices(c, "/");
        return;
    }
    WEIR_CLEANUP(weir_catalog_free) weir_catalog *catalog = catalog_load(c);
    for (size_t i = 0; catalog && i < catalog->n_tags; i++) {
        weir_text_clear(&name);
        weir_tag_name(catalog, &catalog->tags[i], &name);
        offer(c, weir_text_get(&name), weir_tag_point(catalog, &catalog->tags[i])->description);
    }
}

static void offer_plans(struct complete *c)
{
    WEIR_CLEANUP(weir_catalog_free) weir_catalog *catalog = catalog_load(c);
    for (size_t i = 0; catalog && i < catalog->n_plans; i++)
        offer(c, catalog->plans[i].name, catalog->plans[i].description);
}

static void offer_connections(struct complete *c)
{
    WEIR_CLEANUP(weir_catalog_free) weir_catalog *catalog = catalog_load(c);
    for (size_t i = 0; catalog && i < catalog->n_connections; i++)
        offer(c, catalog->connections[i].name, catalog->connections[i].uri_text);
}

static void offer_uris(struct complete *c)
{
    WEIR_CLEANUP(weir_catalog_free) weir_catalog *catalog = catalog_load(c);
    for (size_t i = 0; catalog && i < catalog->n_connections; i++)
        offer(c, catalog->connections[i].uri_text, catalog->connections[i].name);
}

/* Without loading their types: as they are written in the file. */
static void offer_sinks(struct complete *c)
{
    const char *path = weir_assemble_config_path(c->config);
    weir_problems problems = WEIR_PROBLEMS_INIT;
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    weir_document *document = NULL;
    if (path && weir_yaml_disk.read(weir_yaml_disk.data, path, &text, NULL) == WEIR_OK)
        document = weir_cfg_or_yaml_parse(path, weir_text_get(&text), text.length, NULL, &problems);
    const weir_node root = document ? weir_document_root(document) : (weir_node){0};
    const weir_node list = weir_node_get(root, "sinks");
    for (size_t i = 0; weir_node_is(list, WEIR_NODE_LIST) && i < weir_node_count(list); i++) {
        const weir_node sink = weir_node_item(list, i);
        const char *name = weir_node_text(weir_node_get(sink, "name"));
        if (*name)
            offer(c, name, weir_node_text(weir_node_get(sink, "type")));
    }
    weir_document_free(document);
    weir_problems_deinit(&problems);
}

static void offer_profiles(struct complete *c)
{
    const char *path = weir_assemble_config_path(c->config);
    weir_profile_entry *profiles = NULL;
    weir_yaml_options yaml = {0};
    size_t n = 0;
    if (weir_assemble_yaml(c->arena, &yaml) ||
        weir_profiles_list(path ? path : "weir.yaml", &yaml, c->arena, &profiles, &n))
        return;
    for (size_t i = 0; i < n; i++)
        offer(c, profiles[i].name, profiles[i].description);
}

/* A part of what `weir config show` shows: one step further than what is typed. */
static void offer_part(struct complete *c)
{
    const char *path = weir_assemble_config_path(c->config);
    const char *slash = strrchr(c->current, '/');
    const size_t n_before = slash ? (size_t)(slash + 1 - c->current) : 0;
    weir_problems problems = WEIR_PROBLEMS_INIT;
    weir_yaml_options yaml = {0};
    weir_catalog *catalog = NULL;
    WEIR_CLEANUP(weir_effective_free) weir_effective *e = weir_effective_new();
    if (!path || !e || weir_assemble_yaml(c->arena, &yaml))
        return;
    yaml.effective = e;
    yaml.sink_type = NULL;
    yaml.databases = false;
    if (weir_yaml_load(path, &yaml, &catalog, &problems) == WEIR_OK)
        weir_catalog_free(catalog);
    weir_problems_deinit(&problems);
    const weir_effective_value *value =
        weir_effective_find(weir_effective_root(e), c->current, n_before);
    for (const weir_effective_value *v = value ? value->first : NULL; v; v = v->next) {
        const weir_effective_value *name =
            v->key || v->kind != WEIR_NODE_MAPPING ? NULL : weir_effective_get(v, "name");
        const char *last = v->key ? v->key : name ? name->text : NULL;
        const char *word = last ? weir_arena_format(c->arena, "%.*s%s%s", (int)n_before, c->current,
                                                    last, v->kind == WEIR_NODE_SCALAR ? "" : "/")
                                : NULL;
        if (word)
            offer(c, word, v->kind == WEIR_NODE_SCALAR ? v->text : "");
    }
}

/* ---- what a placeholder stands for ---- */

static void offer_commands(struct complete *c)
{
    for (size_t i = 0; weir_commands[i]; i++)
        offer(c, weir_commands[i]->name, weir_commands[i]->summary);
    offer(c, "help", "says more about a command");
}

static void offer_files(struct complete *c)
{
    ask_shell(c, "files");
}

static void offer_dirs(struct complete *c)
{
    ask_shell(c, "dirs");
}

static void offer_names(struct complete *c)
{
    if (!strcmp(c->command->name, "sink"))
        offer_sinks(c);
    else if (!strcmp(c->command->name, "plan"))
        offer_plans(c);
}

static void offer_device_names(struct complete *c)
{
    offer_devices(c, "");
}

static const struct {
    const char *word;
    void (*offer)(struct complete *c);
} placeholders[] = {
    {"CONNECTION", offer_connections},
    {"DEVICE", offer_device_names},
    {"DIR", offer_dirs},
    {"FILE", offer_files},
    {"FOLDER", offer_dirs},
    {"NAME", offer_names},
    {"PART", offer_part},
    {"PATH", offer_files},
    {"PATTERN", offer_tags},
    {"PLAN", offer_plans},
    {"PROFILE", offer_profiles},
    {"SINK", offer_sinks},
    {"TAG", offer_tags},
    {"URI", offer_uris},
};

/* "list|test", "[FILE|PROFILE]", "NAME...": words in small letters are meant themselves. */
static void offer_token(struct complete *c, const char *token, size_t n)
{
    void (*last)(struct complete *) = NULL; /* TAG|PATTERN is the same twice */
    while (n) {
        size_t length = 0;
        while (length < n && (isalnum((unsigned char)token[length]) || token[length] == '-'))
            length++;
        const char *word = weir_arena_text_n(c->arena, token, length);
        if (word && length && islower((unsigned char)*word))
            offer(c, word, NULL);
        for (size_t i = 0; word && i < sizeof placeholders / sizeof *placeholders; i++)
            if (!strcmp(placeholders[i].word, word) && placeholders[i].offer != last)
                (last = placeholders[i].offer)(c);
        length += length < n; /* the separator */
        token += length;
        n -= length;
    }
}

/* The token of `arguments` for the i-th argument; the last one may be for all that follow. */
static void offer_argument(struct complete *c, size_t i)
{
    const char *token = c->command->arguments;
    if (i >= c->command->args_max)
        return;
    for (;; i--) {
        const size_t n = strcspn(token, " ");
        const char *next = token + n + strspn(token + n, " ");
        if (i == 0 || !*next) {
            offer_token(c, token, n);
            return;
        }
        token = next;
    }
}

/* What the tables do not say. */
static bool offer_special(struct complete *c, size_t i)
{
    static const struct {
        const char *command, *first;
        size_t i;
        const char *words;
    } cases[] = {
        {"sink", "quarantine", 1, "list|retry|export|drop"},
        {"config", "schema", 1, "config|profile"},
    };
    for (size_t k = 0; c->first && k < sizeof cases / sizeof *cases; k++)
        if (!strcmp(cases[k].command, c->command->name) && !strcmp(cases[k].first, c->first) &&
            cases[k].i == i) {
            offer_token(c, cases[k].words, strlen(cases[k].words));
            return true;
        }
    return false;
}

/* ---- options ---- */

static const weir_option *const no_options = &(const weir_option){.name = NULL};

static const weir_option *options_of(const weir_command *command)
{
    return command->options ? command->options : no_options;
}

static void offer_value(struct complete *c, const weir_option *option)
{
    for (const char *const *word = option->type == WEIR_OPTION_ENUM ? option->words : NULL;
         word && *word; word++)
        offer(c, *word, NULL);
    if (option->type == WEIR_OPTION_BOOL)
        offer_token(c, "true|false", strlen("true|false"));
    else if (!strcmp(option->name, "connection"))
        offer_connections(c);
    else if (!strcmp(option->name, "profile"))
        offer_profiles(c);
    else if (option->type != WEIR_OPTION_ENUM)
        offer_token(c, weir_option_metavar(option), strlen(weir_option_metavar(option)));
}

static void offer_options(struct complete *c)
{
    for (const weir_option *o = options_of(c->command); o->name; o++) {
        const char *word = weir_arena_format(c->arena, "--%s", o->name);
        if (word && !(o->flags & WEIR_OPTION_UNSUPPORTED))
            offer(c, word, short_text(c, o->text));
    }
    offer(c, "--help", "examples and options");
}

/* The option whose value is the next word; NULL: none is waited for. */
static const weir_option *option_waiting(const weir_command *command, const char *word)
{
    const weir_option *options = options_of(command);
    if (word[0] != '-' || !word[1] || strchr(word, '='))
        return NULL;
    if (word[1] == '-') {
        const weir_option *option = weir_option_find(options, word + 2);
        return option && option->type != WEIR_OPTION_BOOL ? option : NULL;
    }
    for (const char *p = word + 1; *p; p++)
        for (const weir_option *o = options; o->name; o++)
            if (o->letter == *p && o->type != WEIR_OPTION_BOOL)
                return p[1] ? NULL : o; /* -cFILE has it already */
    return NULL;
}

/* ---- the line ---- */

/* bash cuts "--format=json" and "tcp://host" into words; here they are whole again. */
static size_t words_join(struct complete *c, size_t n, char **words, const char **ret)
{
    size_t n_joined = 0;
    bool glue = false;
    for (size_t i = 0; i < n; i++) {
        const bool separator = *words[i] && strspn(words[i], "=:") == strlen(words[i]);
        if (n_joined && (separator || glue)) {
            const char *whole = weir_arena_format(c->arena, "%s%s", ret[n_joined - 1], words[i]);
            ret[n_joined - 1] = whole ? whole : "";
        } else {
            ret[n_joined++] = words[i];
        }
        glue = separator;
    }
    return n_joined;
}

/* Reads what stands before the word that is typed. Returns how many arguments there are. */
static size_t line_read(struct complete *c, size_t n, const char *const *words,
                        const weir_option **ret_waiting, bool *ret_literal)
{
    const weir_option *waiting = NULL;
    size_t n_arguments = 0;
    for (size_t i = 1; i + 1 < n; i++) {
        const char *word = words[i];
        if (waiting) {
            if (!strcmp(waiting->name, "config"))
                c->config = word;
            waiting = NULL;
        } else if (!*ret_literal && !strcmp(word, "--")) {
            *ret_literal = true;
        } else if (!*ret_literal && word[0] == '-' && word[1]) {
            waiting = option_waiting(c->command, word);
            if (!strncmp(word, "--config=", strlen("--config=")))
                c->config = word + strlen("--config=");
        } else if (n_arguments++ == 0) {
            c->first = word;
        }
    }
    *ret_waiting = waiting;
    return n_arguments;
}

/* bash wants what follows the last character at which it cuts. */
static void bash_cut(struct complete *c)
{
    size_t n = 0;
    if (!c->bash)
        return;
    for (size_t i = 0; c->current[i]; i++)
        if (c->current[i] == ':' || c->current[i] == '=')
            n = i + 1;
    const char *cut = weir_arena_text_n(c->arena, c->current, n);
    c->dropped = cut ? cut : "";
}

static void complete_command_line(struct complete *c, size_t n, const char *const *words)
{
    const weir_option *waiting = NULL;
    bool literal = false;
    const size_t n_arguments = line_read(c, n, words, &waiting, &literal);
    const char *equals = strchr(c->current, '=');
    if (waiting) {
        bash_cut(c);
        offer_value(c, waiting);
    } else if (!literal && !strncmp(c->current, "--", 2) && equals) {
        const char *name =
            weir_arena_text_n(c->arena, c->current + 2, (size_t)(equals - c->current - 2));
        const weir_option *option = name ? weir_option_find(options_of(c->command), name) : NULL;
        const char *before =
            weir_arena_text_n(c->arena, c->current, (size_t)(equals + 1 - c->current));
        c->keep = before && !c->bash ? before : "";
        c->current = equals + 1;
        bash_cut(c);
        if (option)
            offer_value(c, option);
    } else if (!literal && c->current[0] == '-') {
        offer_options(c);
    } else {
        bash_cut(c);
        if (!offer_special(c, n_arguments))
            offer_argument(c, n_arguments);
    }
}

static void complete_words(struct complete *c, size_t n, const char *const *words)
{
    c->current = words[n - 1];
    c->command = n > 1 ? weir_command_find(words[0]) : NULL;
    if (n == 1 || (n == 2 && !strcmp(words[0], "help")))
        offer_commands(c);
    if (n == 2 && !strcmp(words[0], "help"))
        offer_token(c, "config|sinks", strlen("config|sinks"));
    else if (c->command)
        complete_command_line(c, n, words);
}

int weir_complete(const char *shell, int n_words, char **words, FILE *file)
{
    WEIR_CLEANUP(weir_arena_free) weir_arena *arena = weir_arena_new();
    const size_t n = n_words > 0 ? (size_t)n_words : 0;
    const char **joined = arena ? weir_arena_alloc(arena, n + 1, sizeof *joined) : NULL;
    struct complete c = {
        .arena = arena, .file = file, .keep = "", .dropped = "", .bash = !strcmp(shell, "bash")};
    if (!joined || !n)
        return WEIR_EXIT_OK;
    for (size_t i = 0; i < n; i++)
        joined[i] = words[i];
    complete_words(&c, c.bash ? words_join(&c, n, words, joined) : n, joined);
    return WEIR_EXIT_OK;
}
