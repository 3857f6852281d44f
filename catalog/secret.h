/* SPDX-License-Identifier: MIT */
/* Secrets of the configuration: in the file, or in the environment. */

#pragma once
#include "catalog/loader.h"

/*
 * What a secret option is given: the text as it stands, or with "${NAME}" the variable of that
 * name. Warns of a secret that stands in a file which others may read. No message quotes it.
 * NULL, and said so: there is no such variable, or the name cannot be one.
 */
const char *weir_secret_text(weir_loader *l, weir_node node, const char *text);
