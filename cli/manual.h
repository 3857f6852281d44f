/* SPDX-License-Identifier: MIT */
/* Manual pages as roff, from the same tables as --help and the configuration's parser. */

#pragma once
#include <stdio.h>

/* page: "weir.1" or "weir.yaml.5". Returns the exit code; 2 for any other page. */
int weir_manual_print(const char *page, FILE *file);
