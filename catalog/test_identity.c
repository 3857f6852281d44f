/* SPDX-License-Identifier: MIT */
/* What rows are known by: the database's part and the row's. */

#include "catalog/identity.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "catalog/layout.h"

/* Of the first entry of the list; NULL: none. The caller's arena. */
static const char *identity_of(weir_arena *arena, const char *list)
{
    weir_problems problems = WEIR_PROBLEMS_INIT;
    WEIR_CLEANUP(weir_document_free)
    weir_document *document = weir_document_parse("w.yaml", list, strlen(list), &problems);
    assert_non_null(document);
    const weir_node root = weir_document_root(document);
    const char *identity = NULL;
    assert_true(weir_database_identity(root, weir_node_item(root, 0), arena, &identity));
    weir_problems_deinit(&problems);
    return identity;
}

static void a_database_is_called_by_what_stays_when_it_moves(void **state)
{
    static const struct {
        const char *list, *want;
    } cases[] = {
        {"[{url: 'sqlite:plant.db'}]", "weir:plant.db"},
        {"[{url: 'sqlite:/srv/a b/plant.db'}]", "weir:plant.db"},
        {"[{url: 'sqlite:../plant.db', layout: queries}]", "queries:plant.db"},
        {"[{url: 'postgresql://ada:pw@db.example.org:5432/plant?sslmode=disable'}]", "weir:plant"},
        {"[{url: 'postgresql://ada:pw@db', layout: energy_meters}]", "energy_meters:db"},
        {"[{url: 'sqlite:/x/plant.db', name: north}]", "weir:north"},
        {"[{}]", "weir:"},
        {"[{url: 'sqlite:x/plant.db'}, {url: 'sqlite:y/plant.db', layout: requested_data}]",
         "weir:plant.db"},
        {"[{url: 'sqlite:x/plant.db'}, {url: 'sqlite:y/plant.db'}]", NULL},
        {"[{url: 'sqlite:x/plant.db', name: north}, {url: 'sqlite:y/plant.db'}]", "weir:north"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        WEIR_CLEANUP(weir_arena_free) weir_arena *arena = weir_arena_new();
        const char *got = identity_of(arena, cases[i].list);
        if (!got != !cases[i].want || (got && strcmp(got, cases[i].want) != 0))
            fail_msg("%s: %s", cases[i].list, got ? got : "none");
    }
}

/* What the rows of a table with one column `id` are known by, with commas; "-": by nothing. */
static void known_as(const char *const *ids, size_t n, weir_text *ret)
{
    static const char *const columns[] = {"id"};
    weir_rows rows = {0};
    weir_problems problems = WEIR_PROBLEMS_INIT;
    WEIR_CLEANUP(weir_arena_free) weir_arena *arena = weir_arena_new();
    const weir_layout_query query = {"device", "SELECT"};
    const weir_layout_in in = {
        .identity = "weir:p.db", .rows = &rows, .queries = &query, .problems = &problems};
    assert_true(weir_rows_start(&rows, 1, columns));
    for (size_t i = 0; i < n; i++)
        *weir_rows_add(&rows) = ids[i];
    const char *key = weir_layout_key(&in, 0, 0, arena);
    weir_builder *b = weir_builder_new("p.db");
    weir_builder_open(b, WEIR_NODE_LIST);
    for (size_t i = 0; i < n; i++) {
        WEIR_TEXT_AUTO place = WEIR_TEXT_INIT;
        const weir_row row = {.rows = &rows,
                              .at = i,
                              .table = "p.db, device",
                              .word = "row",
                              .id = ids[i] ? ids[i] : "",
                              .problems = &problems};
        const uint32_t number = weir_row_place(&row, -1, &place);
        weir_builder_place(b, weir_text_get(&place), number);
        (void)weir_layout_known_as(b, key, &row);
        weir_builder_open(b, WEIR_NODE_MAPPING);
        (void)weir_builder_close(b);
    }
    (void)weir_builder_close(b);
    weir_document *document = weir_builder_finish(b);
    assert_non_null(document);
    for (size_t i = 0; i < n; i++) {
        WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
        const bool known =
            weir_node_known_as(weir_node_item(weir_document_root(document), i), &text);
        weir_text_format(ret, "%s%s", i ? "," : "", known ? weir_text_get(&text) : "-");
    }
    weir_document_free(document);
    weir_rows_deinit(&rows);
    weir_problems_deinit(&problems);
}

static void rows_are_known_by_ids_that_tell_them_apart(void **state)
{
    static const char l[] = "0123456789012345678901234567890123456789012345678901234567890123456789"
                            "0123456789";
    char longer[2][sizeof l + 2];
    (void)snprintf(longer[0], sizeof longer[0], "%sa", l);
    (void)snprintf(longer[1], sizeof longer[1], "%sb", l);
    const struct {
        const char *ids[3], *want;
    } cases[] = {
        {{"1", "4294967295", "4294967296"},
         "weir:p.db device 1,weir:p.db device 4294967295,weir:p.db device 4294967296"},
        {{"0", "-7", "e5b1"}, "weir:p.db device 0,weir:p.db device -7,weir:p.db device e5b1"},
        {{"7", "007", NULL}, "weir:p.db device 7,weir:p.db device 007,-"},
        {{"7", "8", "7"}, "-,-,-"},
        {{"", NULL, NULL}, "-,-,-"},
        {{longer[0], longer[1], "x"}, "-,-,weir:p.db device x"}, /* places are cut off */
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        WEIR_TEXT_AUTO got = WEIR_TEXT_INIT;
        known_as(cases[i].ids, 3, &got);
        assert_string_equal(weir_text_get(&got), cases[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_database_is_called_by_what_stays_when_it_moves),
        cmocka_unit_test(rows_are_known_by_ids_that_tell_them_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
