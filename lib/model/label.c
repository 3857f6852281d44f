/* SPDX-License-Identifier: MIT */
/* Labels: what users say of devices and points, and what a tag has of both. */

#include "model/label.h"

#include <stdlib.h>
#include <string.h>

static int label_compare(const void *a, const void *b)
{
    const weir_label *x = a, *y = b;
    return strcmp(x->key, y->key);
}

void weir_labels_sort(weir_label *labels, size_t n)
{
    if (n > 1)
        qsort(labels, n, sizeof *labels, label_compare);
}

bool weir_labels_equal(const weir_label *a, size_t n_a, const weir_label *b, size_t n_b)
{
    if (n_a != n_b)
        return false;
    for (size_t i = 0; i < n_a; i++)
        if (strcmp(a[i].key, b[i].key) != 0 || strcmp(a[i].value, b[i].value) != 0)
            return false;
    return true;
}

const weir_label *weir_tag_labels_next(weir_tag_labels *l)
{
    const int by = !l->n_device ? 1 : !l->n_point ? -1 : strcmp(l->device->key, l->point->key);
    if (!l->n_device && !l->n_point)
        return NULL;
    if (by <= 0) {
        l->device++;
        l->n_device--;
    }
    if (by < 0)
        return l->device - 1;
    l->n_point--;
    return l->point++;
}

void weir_tag_labels_format(weir_tag_labels labels, weir_text *t)
{
    const char *before = "{";
    for (const weir_label *label; (label = weir_tag_labels_next(&labels)); before = ",") {
        weir_text_add(t, before);
        weir_text_add_json(t, label->key, strlen(label->key));
        weir_text_add_char(t, ':');
        weir_text_add_json(t, label->value, strlen(label->value));
    }
    weir_text_add(t, *before == '{' ? "{}" : "}");
}
