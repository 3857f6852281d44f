/* SPDX-License-Identifier: MIT */
/* The environment files of a configuration: those it names, and those of the command line. */

#include "catalog/env_files.h"

#include <stdlib.h>

#include "catalog/include.h"

static const char *environment(const char *name)
{
    return getenv(name);
}

/* at: none for a file of the command line. */
static void file_read(weir_loader *l, const char *path, weir_node at)
{
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    weir_error error = WEIR_ERROR_INIT;
    const weir_yaml_files *files = l->files;
    const weir_err err =
        (files->read_secret ? files->read_secret : files->read)(files->data, path, &text, &error);
    if (err == WEIR_ENOMEM || text.failed)
        l->failed = true;
    else if (err && at.id)
        weir_problems_add(l->problems, err, weir_node_where(at), "env_file: %s", error.text);
    else if (err)
        weir_problems_add(l->problems, err, (weir_where){.file = path}, "%s", error.text);
    else
        weir_env_parse(l->env, path, weir_text_get(&text), text.length, l->problems);
}

/* Named in the configuration: as seen from its folder. What is no name is said when keys are read.
 */
static void node_read(weir_loader *l, const weir_document *document, weir_node node)
{
    if (!weir_node_is(node, WEIR_NODE_SCALAR) || weir_node_empty(node) || !*weir_node_text(node))
        return;
    const char *path =
        weir_include_path(l->whole, weir_document_name(document), weir_node_text(node));
    if (path)
        file_read(l, path, node);
    else
        l->failed = true;
}

void weir_env_files_read(weir_loader *l, const weir_document *document)
{
    const weir_node node = weir_node_get(weir_document_root(document), "env_file");
    l->env = weir_env_new(environment);
    if (!l->env) {
        l->failed = true;
        return;
    }
    if (weir_node_is(node, WEIR_NODE_LIST))
        for (size_t i = 0; i < weir_node_count(node); i++)
            node_read(l, document, weir_node_item(node, i));
    else
        node_read(l, document, node);
    for (size_t i = 0; l->options && i < l->options->n_env_files; i++)
        file_read(l, l->options->env_files[i], (weir_node){0});
}
