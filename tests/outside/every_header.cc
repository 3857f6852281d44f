// SPDX-License-Identifier: MIT
// A C++ program that links libweir: values made by inline functions, and a catalog built by code.

#include <cstdio>
#include <cstring>

#include <weir/weir.h>

static weir_err load(weir_collector *collector, weir_error *error)
{
    weir_draft *b = weir_draft_new();
    weir_entry *top = weir_draft_top(b);
    weir_entry_set(top, "data_dir", "memory");
    weir_entry *line = weir_entry_add(top, "connections");
    weir_entry_set(line, "name", "r");
    weir_entry_set(line, "uri", "random:");
    weir_entry *device = weir_entry_add(top, "devices");
    weir_entry_set(device, "name", "m");
    weir_entry_set(device, "connection", "r");
    weir_entry_set(device, "interval", "1s");
    weir_entry_set(weir_entry_add(device, "points"), "name", "v");
    const weir_err err = weir_collector_load_draft(collector, b, error);
    weir_draft_free(b);
    return err;
}

int main()
{
    char text[40];
    const weir_value value = weir_value_decimal(2301, -1);
    weir_value_text(&value, text, sizeof text);
    if (std::strcmp(text, "230.1") != 0)
        return 1;

    weir_collector *collector = nullptr;
    weir_error error = WEIR_ERROR_INIT;
    weir_err err = weir_collector_new(nullptr, &collector, &error);
    if (err == WEIR_OK)
        err = load(collector, &error);
    if (err == WEIR_OK)
        err = weir_collector_start(collector, &error);
    if (err != WEIR_OK)
        std::fprintf(stderr, "%s\n", error.text);
    return weir_collector_close(collector) != WEIR_OK || err != WEIR_OK;
}
