/* SPDX-License-Identifier: MIT */
/* weir connection|device|tag|plan add|set|remove|list|show: what stands in config.db, and what
 * there is. */

#pragma once
#include "catalog/config_db.h"
#include "cli/command.h"
#include "cli/edit.h"
#include "cli/output.h"

enum { WEIR_THING_OPTIONS = 64 };

/* At the end of the struct of such a command's options. */
struct weir_thing_values {
    const char *rename;                    /* --name */
    const char *texts[WEIR_THING_OPTIONS]; /* of the configuration's keys, by their rows */
};

/*
 * Fills `table`, which has room for WEIR_THING_OPTIONS rows behind the n_own of the command, with
 * an option for each key of the configuration: unit_id is --unit-id. at: offset of the values in
 * the command's struct.
 */
void weir_thing_fill_options(weir_thing thing, weir_option *table, size_t n_own, size_t at);

/* Fills those of all commands; before any of them is looked at. */
void weir_thing_commands_init(void);
void weir_command_connection_init(void);
void weir_command_device_init(void);
void weir_command_tag_init(void);
void weir_command_plan_init(void);

/* What the five verbs need of a command. */
typedef struct weir_thing_command {
    weir_thing thing;
    const struct weir_edit_options *place;
    const struct weir_thing_values *values;
    int format;
} weir_thing_command;

/* Whether args[0] is one of the verbs. */
bool weir_thing_verb(const weir_invocation *in);
int weir_thing_run(const weir_invocation *in, const weir_thing_command *command);

#define WEIR_THING_TEXT                                                                          \
    "add, set, remove: change config.db in the data directory, which is made by the first. The " \
    "options are the keys of the configuration with - for _ (--unit-id 3); an empty text takes " \
    "a key away, --name gives another name, under which history goes on. A change is made only " \
    "if all of the configuration is valid with it; a running weir sees it within its "           \
    "reload_interval. What a file or another database defines is changed there: the answer "     \
    "says where.\n\n"                                                                            \
    "list, show: what there is, from wherever it comes, and where it is defined."
