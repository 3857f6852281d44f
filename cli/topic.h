/* SPDX-License-Identifier: MIT */
/* Help on what is no command: the keys of the configuration. */

#pragma once
#include <stdbool.h>
#include <stdio.h>

/* "config": all keys; "sinks": those of sinks and of each type. False: no such topic. */
bool weir_topic_print(const char *topic, FILE *file);
