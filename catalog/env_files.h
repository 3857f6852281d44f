/* SPDX-License-Identifier: MIT */
/* The environment files of a configuration: those it names, and those of the command line. */

#pragma once
#include "catalog/loader.h"

/* Makes l->env: what the document's env_file and the options' env_files say. A file that cannot be
 * read is a problem where it was named. */
void weir_env_files_read(weir_loader *l, const weir_document *document);
