/* SPDX-License-Identifier: MIT */
/* The commands, one file each. */

#pragma once
#include "cli/command.h"

extern const weir_command weir_command_backup;
extern const weir_command weir_command_check;
extern const weir_command weir_command_completion;
extern const weir_command weir_command_config;
extern const weir_command weir_command_demo;
extern const weir_command weir_command_connection;
extern const weir_command weir_command_device;
extern const weir_command weir_command_historian;
extern const weir_command weir_command_plan;
extern const weir_command weir_command_export;
extern const weir_command weir_command_generate;
extern const weir_command weir_command_init;
extern const weir_command weir_command_migrate;
extern const weir_command weir_command_read;
extern const weir_command weir_command_reload;
extern const weir_command weir_command_restore;
extern const weir_command weir_command_run;
extern const weir_command weir_command_simulate;
extern const weir_command weir_command_sink;
extern const weir_command weir_command_sql;
extern const weir_command weir_command_status;
extern const weir_command weir_command_store;
extern const weir_command weir_command_tag;
extern const weir_command weir_command_version;
