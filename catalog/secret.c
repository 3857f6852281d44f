/* SPDX-License-Identifier: MIT */
/* Secrets of the configuration: in the file, or in the environment. */

#include "catalog/secret.h"

#include "catalog/variables.h"

static bool is_open(const weir_loader *l, const char *file)
{
    return l->files->others_read && l->files->others_read(l->files->data, file);
}

static void secret_warn(weir_loader *l, weir_node node)
{
    const weir_where where = weir_node_where(node);
    if (is_open(l, where.file))
        weir_loader_warn(l, node,
                         "a secret in a file that everybody may read: chmod o-r %s, or write "
                         "\"${NAME}\" and set the environment variable NAME",
                         where.file);
}

const char *weir_secret_text(weir_loader *l, weir_node node, const char *text)
{
    const weir_variable *v = weir_node_variable(node);
    if (!v || !*v->name) {
        secret_warn(l, node);
        return text;
    }
    if (!*text) {
        weir_loader_problem(
            l, node, "the environment variable %s is empty: set it where weir is started", v->name);
        return NULL;
    }
    if (*v->file && is_open(l, v->file))
        weir_loader_warn(l, node,
                         "a secret in a file that everybody may read: chmod o-r %s, or set the "
                         "environment variable %s where weir is started",
                         v->file, v->name);
    return text;
}
