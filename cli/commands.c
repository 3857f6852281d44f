/* SPDX-License-Identifier: MIT */
/* The table of commands, in the order of the overview. */

#include "cli/commands.h"

const weir_command *const weir_commands[] = {
    &weir_command_demo,
    &weir_command_init,
    &weir_command_run,
    &weir_command_check,
    &weir_command_config,
    &weir_command_sql,
    &weir_command_export,
    &weir_command_generate,
    &weir_command_status,
    &weir_command_reload,
    &weir_command_read,
    &weir_command_simulate,
    &weir_command_sink,
    &weir_command_store,
    &weir_command_connection,
    &weir_command_device,
    &weir_command_tag,
    &weir_command_plan,
    &weir_command_historian,
    &weir_command_backup,
    &weir_command_restore,
    &weir_command_migrate,
    &weir_command_completion,
    &weir_command_version,
    NULL,
};
