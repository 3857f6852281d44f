/* SPDX-License-Identifier: MIT */
/* Manual pages as roff, from the same tables as --help and the configuration's parser. */

#include "cli/manual.h"

#include <ctype.h>
#include <string.h>

#include "base/text.h"
#include "catalog/yaml.h"
#include "cli/command.h"
#include "cli/help.h"
#include "sinks/module.h"

/* A command's text is laid out by roff, so only what roff would take as its own is escaped: the
 * backslash, a hyphen that must stay one, and a dot or quote that begins a line. */
static void roff_add_n(weir_text *t, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bool line_start = t->length == 0 || t->text[t->length - 1] == '\n';
        if (line_start && (text[i] == '.' || text[i] == '\''))
            weir_text_add(t, "\\&");
        if (text[i] == '\\')
            weir_text_add(t, "\\e");
        else if (text[i] == '-')
            weir_text_add(t, "\\-");
        else if (text[i] == '~')
            weir_text_add(t, "\\(ti");
        else if (text[i] == '^')
            weir_text_add(t, "\\(ha");
        else
            weir_text_add_char(t, text[i]);
    }
}

static void roff_add(weir_text *t, const char *text)
{
    roff_add_n(t, text, strlen(text));
}

static void roff_add_paragraphs(weir_text *t, const char *text)
{
    for (;;) {
        const char *end = strstr(text, "\n\n");
        roff_add_n(t, text, end ? (size_t)(end - text) : strlen(text));
        weir_text_add_char(t, '\n');
        if (!end)
            return;
        weir_text_add(t, ".PP\n");
        text = end + 2;
    }
}

static void roff_head(weir_text *t, const char *name, int section, const char *title)
{
    weir_text_format(t, ".TH %s %d %s \"weir " WEIR_VERSION "\" \"%s\"\n", name, section,
                     WEIR_BUILD_DATE, title);
    weir_text_add(t, ".nh\n.ad l\n");
}

static void roff_example(weir_text *t, const char *text)
{
    weir_text_add(t, ".RS 4\n.nf\n");
    roff_add(t, text);
    weir_text_add(t, "\n.fi\n.RE\n");
}

static void roff_option(weir_text *t, const weir_option *option)
{
    const char *metavar = weir_option_metavar(option);
    WEIR_TEXT_AUTO notes = WEIR_TEXT_INIT;
    weir_text_add(t, ".TP\n\\fB");
    if (option->letter)
        weir_text_format(t, "\\-%c\\fR, \\fB", option->letter);
    weir_text_add(t, "\\-\\-");
    roff_add(t, option->name);
    weir_text_add(t, "\\fR");
    if (*metavar) {
        weir_text_add(t, " \\fI");
        roff_add(t, metavar);
        weir_text_add(t, "\\fR");
    }
    weir_text_add_char(t, '\n');
    roff_add(t, option->text);
    weir_option_notes(option, &notes);
    roff_add(t, weir_text_get(&notes));
    weir_text_add_char(t, '\n');
}

static void roff_command(weir_text *t, const weir_command *command)
{
    weir_text_add(t, ".SS weir ");
    roff_add(t, command->name);
    weir_text_format(t, "\n.B weir %s\n", command->name);
    if (command->options)
        weir_text_add(t, ".RI [ options ]\n");
    if (*command->arguments) {
        weir_text_add(t, ".I ");
        roff_add(t, command->arguments);
        weir_text_add_char(t, '\n');
    }
    weir_text_add(t, ".PP\n");
    weir_text_add_char(t, (char)toupper((unsigned char)command->summary[0]));
    roff_add(t, command->summary + 1);
    weir_text_add(t, ".\n");
    if (command->text) {
        weir_text_add(t, ".PP\n");
        roff_add_paragraphs(t, command->text);
    }
    for (const weir_option *o = command->options; o && o->name; o++)
        if (!(o->flags & WEIR_OPTION_UNSUPPORTED))
            roff_option(t, o);
}

static void roff_command_examples(weir_text *t)
{
    weir_text_add(t, ".SH EXAMPLES\n");
    for (size_t i = 0; weir_commands[i]; i++)
        for (const weir_example *e = weir_commands[i]->examples; e->command; e++) {
            weir_text_add(t, ".PP\n");
            roff_add(t, e->text);
            weir_text_add(t, ":\n");
            roff_example(t, e->command);
        }
}

static void roff_exit_status(weir_text *t)
{
    weir_text_add(t, ".SH EXIT STATUS\n");
#define X(name, number, text)                    \
    weir_text_format(t, ".TP\n.B %d\n", number); \
    roff_add(t, text);                           \
    weir_text_add_char(t, '\n');
    WEIR_EXIT_LIST(X)
#undef X
    weir_text_add(t, ".PP\n");
    roff_add(t, "A command that a signal ends has that signal's status, which shells show as 128 "
                "and its number: 130 after Ctrl-C. weir run and whatever has something to finish "
                "first end by themselves.\n");
}

static void roff_entry(weir_text *t, const char *name, const char *text)
{
    weir_text_add(t, ".TP\n.I ");
    roff_add(t, name);
    weir_text_add_char(t, '\n');
    roff_add(t, text);
    weir_text_add_char(t, '\n');
}

static void manual_program(weir_text *t)
{
    roff_head(t, "WEIR", 1, "User Commands");
    weir_text_add(t,
                  ".SH NAME\nweir \\- collect data from meters and controllers and keep it safe\n"
                  ".SH SYNOPSIS\n.B weir\n.I command\n.RI [ options ]\n.RI [ arguments ]\n.br\n"
                  ".B weir help\n.RI [ command ]\n.SH DESCRIPTION\n");
    roff_add(t,
             "weir polls meters and controllers over Modbus, decodes their values, keeps them in "
             "a durable log on its own disk and answers SQL about them. Data goes to standard "
             "output, everything else to standard error.\n");
    weir_text_add(t, ".SH COMMANDS\n");
    for (size_t i = 0; weir_commands[i]; i++)
        roff_command(t, weir_commands[i]);
    roff_exit_status(t);
    weir_text_add(t, ".SH ENVIRONMENT\n");
    roff_entry(t, "NO_COLOR", "When set and not empty, nothing is coloured.");
    roff_entry(t, "TERM", "When it is dumb, nothing is coloured or redrawn in place.");
    weir_text_add(t, ".SH FILES\n");
    roff_entry(t, "./weir.yaml", "The configuration when -c is not given.");
    roff_entry(t, "/etc/weir/weir.yaml", "The configuration when there is no ./weir.yaml.");
    roff_entry(t, "NAME.cfg",
               "The config.cfg of ModbusDataLogger, wherever a configuration may be "
               "named: its keys are read as Python's ConfigParser reads them.");
    roff_entry(t, "./weir-data",
               "The data directory when neither --data-dir nor data_dir is given.");
    roff_entry(t, "PREFIX/share/weir/weir.schema.json",
               "A JSON schema of the configuration, for editors; for a profile "
               "weir-profile.schema.json.");
    roff_entry(t, "DATA_DIR/data.db", "The store: an SQLite file with compressed blocks.");
    roff_entry(t, "DATA_DIR/weir.sock", "The control socket of the running daemon.");
    roff_command_examples(t);
    weir_text_add(t, ".SH SEE ALSO\n.BR weir.yaml (5)\n");
}

static void roff_key(weir_text *t, const weir_option *key)
{
    WEIR_TEXT_AUTO notes = WEIR_TEXT_INIT;
    const char *metavar = key->type == WEIR_OPTION_BOOL ? "true|false" : weir_option_metavar(key);
    weir_text_add(t, ".TP\n\\fB");
    roff_add(t, key->name);
    weir_text_add(t, "\\fR: \\fI");
    roff_add(t, metavar);
    weir_text_add(t, "\\fR\n");
    roff_add(t, key->text);
    if (key->flags & WEIR_OPTION_REQUIRED)
        weir_text_add(t, " Required.");
    weir_option_notes(key, &notes);
    if (key->type == WEIR_OPTION_BOOL && key->fallback)
        weir_text_format(&notes, " (default %s)", key->fallback);
    roff_add(t, weir_text_get(&notes));
    weir_text_add_char(t, '\n');
}

static void roff_table(weir_text *t, const weir_yaml_table *table)
{
    weir_text_add(t, ".SS ");
    roff_add(t, table->title);
    weir_text_add_char(t, '\n');
    if (*table->path) {
        weir_text_add(t, "Keys of ");
        weir_text_add(t, "\\fB");
        roff_add(t, table->path);
        weir_text_add(t, "\\fR.\n");
    }
    if (table->prose) {
        weir_text_add(t, ".PP\n");
        roff_add_paragraphs(t, table->prose);
    }
    for (const weir_option *key = table->table; key->name; key++)
        if (!(key->flags & WEIR_OPTION_UNSUPPORTED))
            roff_key(t, key);
}

static void roff_sink_types(weir_text *t)
{
    for (const weir_sink_type *const *type = weir_sink_types(); *type; type++) {
        WEIR_TEXT_AUTO title = WEIR_TEXT_INIT;
        weir_text_format(&title, "Sinks of type %s", (*type)->name);
        const weir_yaml_table table = {.title = weir_text_get(&title),
                                       .path = "",
                                       .table = (*type)->options,
                                       .prose = (*type)->text};
        roff_table(t, &table);
    }
}

static void manual_configuration(weir_text *t)
{
    size_t n;
    const weir_yaml_table *tables = weir_yaml_tables(&n);
    roff_head(t, "WEIR.YAML", 5, "File Formats");
    weir_text_add(t, ".SH NAME\nweir.yaml \\- configuration of weir\n.SH SYNOPSIS\n"
                     ".I ./weir.yaml\n.br\n.I /etc/weir/weir.yaml\n.SH DESCRIPTION\n");
    roff_add(t, "A YAML file that says how devices are reached, which devices there are and what "
                "is read from them. Durations and sizes carry units: 500ms, 5s, 1h30m; 64kB, 2GB. "
                "Anchors and merge keys work. 'weir check' shows all mistakes at once, each with "
                "file, line and column.\n");
    weir_text_add(t, ".SH KEYS\n");
    for (size_t i = 0; i < n; i++)
        roff_table(t, &tables[i]);
    roff_sink_types(t);
    weir_text_add(t, ".SH EXAMPLES\n.PP\nA meter by its profile, and another by its registers:\n");
    roff_example(t,
                 "connections:\n"
                 "  - {name: boiler-room, uri: tcp://192.168.1.113:502}\n"
                 "devices:\n"
                 "  - {name: main-meter, connection: boiler-room, unit_id: 1,\n"
                 "     profile: eastron-sdm630, interval: 5s}\n"
                 "  - name: pump\n"
                 "    connection: boiler-room\n"
                 "    unit_id: 2\n"
                 "    interval: 1s\n"
                 "    points:\n"
                 "      - {name: power, register: holding, address: 52, type: float32, unit: kW}\n"
                 "      - {name: running, register: coil, address: 3}");
    weir_text_add(t,
                  ".PP\nEverything to a file, and what is good of one building to a database:\n");
    roff_example(t, "sinks:\n"
                    "  - {name: file, type: csv, path: /var/lib/weir/samples.csv}\n"
                    "  - name: office\n"
                    "    type: influxdb\n"
                    "    url: http://10.0.0.9:8086\n"
                    "    database: energy\n"
                    "    username: weir\n"
                    "    password: \"${INFLUX_PASSWORD}\"\n"
                    "    labels: {building: A}\n"
                    "    quality: good");
    weir_text_add(t, ".SH SEE ALSO\n.BR weir (1)\n");
}

int weir_manual_print(const char *page, FILE *file)
{
    WEIR_TEXT_AUTO t = WEIR_TEXT_INIT;
    if (!strcmp(page, "weir.1")) {
        manual_program(&t);
    } else if (!strcmp(page, "weir.yaml.5")) {
        manual_configuration(&t);
    } else {
        (void)fprintf(stderr, "weir: no manual page '%s'\n", page);
        return WEIR_EXIT_USAGE;
    }
    if (t.failed) {
        (void)fprintf(stderr, "weir: out of memory\n");
        return WEIR_EXIT_FAILURE;
    }
    (void)fputs(weir_text_get(&t), file);
    return WEIR_EXIT_OK;
}
