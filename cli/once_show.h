/* SPDX-License-Identifier: MIT */
/* What was read once, in a few lines for people. */

#pragma once
#include <stdio.h>

#include "cli/once.h"

/* Each device: how much of it is good, its first values, and if some are bad the likely cause and
 * the next command. True when all are good. */
bool weir_once_show(const weir_once *once, FILE *file);
