/* SPDX-License-Identifier: MIT */
/* Secrets of the configuration: in the file, or in the environment. */

#include "catalog/secret.h"

#include <stdlib.h>
#include <string.h>

/* "${NAME}" and nothing else. */
static const char *secret_variable(weir_loader *l, const char *text)
{
    const size_t n = strlen(text);
    if (n < 3 || text[0] != '$' || text[1] != '{' || text[n - 1] != '}')
        return NULL;
    const char *name = weir_arena_text_n(l->scratch, text + 2, n - 3);
    if (!name)
        l->failed = true;
    return name;
}

/* POSIX.1-2017, 8.1: what portable names of variables are made of; small letters are common too. */
static bool name_is_variable(const char *name)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
    static const char all[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";
    return *name && strchr(letters, *name) && strspn(name, all) == strlen(name);
}

static void secret_warn(weir_loader *l, weir_node node)
{
    const weir_where where = weir_node_where(node);
    if (l->files->others_read && l->files->others_read(l->files->data, where.file))
        weir_loader_warn(l, node,
                         "a secret in a file that everybody may read: chmod o-r %s, or write "
                         "\"${NAME}\" and set the environment variable NAME",
                         where.file);
}

const char *weir_secret_text(weir_loader *l, weir_node node, const char *text)
{
    const char *name = secret_variable(l, text);
    if (!name) {
        secret_warn(l, node);
        return text;
    }
    if (!name_is_variable(name)) {
        weir_loader_problem(l, node,
                            "\"${...}\" must have the name of an environment variable between its "
                            "braces, of letters, digits and _");
        return NULL;
    }
    const char *value = getenv(name);
    if (!value || !*value) {
        weir_loader_problem(l, node,
                            "the environment variable %.200s is %s: set it where weir is "
                            "started",
                            name, value ? "empty" : "not set");
        return NULL;
    }
    return value;
}
