/* SPDX-License-Identifier: MIT */
/* Tests of time zones, with the zones of tzdata and with bytes made to measure. */

#include "base/zone.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/test_zone.h"

#define HOUR_S 3600

/* Asia/Kathmandu as zic 2025b writes it: +5:41:16 until 1920, +5:30 until 1986, +5:45 since. */
static const char kathmandu[] =
    "545a696632000000000000000000000000000000000000000000000000000000000000030000000300000010"
    "a1f27d841e1830a87fffffff01020200004ffc000000004d580004000050dc000a4c4d54002b30353330002b"
    "3035343500545a69663200000000000000000000000000000000000000000000000000000000000003000000"
    "0300000010ffffffffa1f27d84000000001e1830a8000000007fffffff01020200004ffc000000004d580004"
    "000050dc000a4c4d54002b30353330002b30353435000a3c2b303534353e2d353a34350a";

/* ---- files made to measure ---- */

typedef struct file_parts {
    uint8_t version;
    uint32_t n_transitions, n_types;
    int64_t times[4];
    uint8_t index[4];
    int32_t offsets[2];
    const char *footer; /* with its newlines */
} file_parts;

static const file_parts good = {
    .version = '2',
    .n_transitions = 2,
    .n_types = 2,
    .times = {1000, 2000},
    .index = {1, 0},
    .offsets = {HOUR_S, 2 * HOUR_S},
    .footer = "\nABC-1\n",
};

static void header_write(weir_writer *w, const file_parts *p)
{
    static const uint8_t zeros[15] = {0};
    const uint32_t counts[] = {0, 0, 0, p->n_transitions, p->n_types, p->n_types ? 4 : 0};
    weir_write_bytes(w, "TZif", 4);
    weir_write_u8(w, p->version);
    weir_write_bytes(w, zeros, sizeof zeros);
    for (size_t i = 0; i < 6; i++)
        weir_write_u32(w, counts[i]);
}

static void block_write(weir_writer *w, const file_parts *p, size_t time_size)
{
    for (uint32_t i = 0; i < p->n_transitions; i++)
        weir_write_be(w, (uint64_t)p->times[i], time_size);
    weir_write_bytes(w, p->index, p->n_transitions);
    for (uint32_t i = 0; i < p->n_types; i++) {
        weir_write_u32(w, (uint32_t)p->offsets[i]);
        weir_write_u8(w, 0); /* whether it saves */
        weir_write_u8(w, 0); /* where its name is */
    }
    weir_write_bytes(w, "ABC", 4);
}

/* A version 2 file's 32-bit block is left empty, as RFC 9636 4 allows; it must not matter. */
static size_t file_write(const file_parts *p, uint8_t bytes[1024])
{
    weir_writer w = weir_writer_of(bytes, 1024);
    if (p->version >= '2') {
        header_write(&w, &(file_parts){.version = p->version});
        header_write(&w, p);
        block_write(&w, p, 8);
        weir_write_bytes(&w, p->footer, strlen(p->footer));
    } else {
        header_write(&w, p);
        block_write(&w, p, 4);
    }
    assert_false(w.failed);
    return weir_writer_length(&w);
}

static weir_err file_parse(const file_parts *p, weir_zone **ret, weir_error *error)
{
    uint8_t bytes[1024];
    return weir_zone_parse(bytes, file_write(p, bytes), ret, error);
}

static weir_zone *zone_of_footer(const char *text)
{
    char footer[64];
    weir_error error = WEIR_ERROR_INIT;
    weir_zone *zone = NULL;
    file_parts p = good;
    (void)snprintf(footer, sizeof footer, "\n%s\n", text);
    p.footer = footer;
    p.n_transitions = 0;
    if (file_parse(&p, &zone, &error) != WEIR_OK)
        fail_msg("%s: %s", text, error.text);
    return zone;
}

static int64_t offset_s(const weir_zone *zone, const char *time)
{
    return weir_zone_offset(zone, wall_of(time)) / WEIR_S;
}

/* ---- tests ---- */

static void offsets_of_real_zones_are_right(void **state)
{
    (void)state;
    static const struct {
        const char *zone, *utc;
        int64_t offset_s;
    } cases[] = {
        {"Europe/Berlin", "1890-01-01", 3208}, /* local mean time, 0:53:28 */
        {"Europe/Berlin", "1945-06-01", 10800},
        {"Europe/Berlin", "2024-03-31 00:59:59.999999", 3600},
        {"Europe/Berlin", "2024-03-31 01:00:00", 7200},
        {"Europe/Berlin", "2024-10-27 00:59:59.999999", 7200},
        {"Europe/Berlin", "2024-10-27 01:00:00", 3600},
        {"Europe/Berlin", "2099-10-25 00:59:59.999999", 7200},
        {"Europe/Berlin", "2099-10-25 01:00:00", 3600},
        {"Europe/Berlin", "2100-07-01", 7200},
        {"Europe/Berlin", "2100-12-01", 3600},
        {"Europe/Berlin", "9999-07-01", 7200},
        {"Europe/Berlin", "9999-12-01", 3600},
        {"America/New_York", "2024-03-10 06:59:59.999999", -18000},
        {"America/New_York", "2024-03-10 07:00:00", -14400},
        {"America/New_York", "2024-11-03 05:59:59.999999", -14400},
        {"America/New_York", "2024-11-03 06:00:00", -18000},
        {"America/New_York", "2100-07-04", -14400},
        {"America/New_York", "2100-01-04", -18000},
        {"Australia/Lord_Howe", "2024-04-06 14:59:59.999999", 39600},
        {"Australia/Lord_Howe", "2024-04-06 15:00:00", 37800},
        {"Australia/Lord_Howe", "2024-10-05 15:29:59.999999", 37800},
        {"Australia/Lord_Howe", "2024-10-05 15:30:00", 39600},
        {"Australia/Lord_Howe", "2100-01-01", 39600},
        {"Australia/Lord_Howe", "2100-07-01", 37800},
        {"Asia/Kathmandu", "1980-01-01", 19800},
        {"Asia/Kathmandu", "2100-01-01", 20700},
        {"Africa/Casablanca", "2024-03-01", 3600},
        {"Africa/Casablanca", "2024-03-20", 0}, /* Ramadan */
        {"Africa/Casablanca", "2024-05-01", 3600},
        {"Africa/Casablanca", "2100-01-01", 3600}, /* footer <+01>-1 */
        {"Europe/Dublin", "2100-01-01", 0},        /* footer IST-1GMT0,...: winter is the saving */
        {"Europe/Dublin", "2100-07-01", 3600},
        {"America/St_Johns", "1988-07-01", -5400},                 /* two hours of saving */
        {"America/St_Johns", "2010-11-07 02:30:59.999999", -9000}, /* ended at 00:01 */
        {"America/St_Johns", "2010-11-07 02:31:00", -12600},
        {"Pacific/Apia", "2011-12-30 09:59:59.999999", -36000},
        {"Pacific/Apia", "2011-12-30 10:00:00", 50400},
        {"America/Sao_Paulo", "2017-10-15 02:59:59.999999", -10800},
        {"America/Sao_Paulo", "2017-10-15 03:00:00", -7200},
        {"America/Nuuk", "2100-07-01", -3600}, /* footer with a rule at -1 h */
        {"America/Nuuk", "2100-01-01", -7200},
        {"Asia/Gaza", "2100-07-01", 10800}, /* footer with rules at 50 h */
        {"Asia/Gaza", "2100-01-01", 7200},
        {"America/Santiago", "2100-07-01", -14400}, /* the south saves over the new year */
        {"America/Santiago", "2100-01-01", -10800},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        WEIR_CLEANUP(weir_zone_free) weir_zone *zone = zone_of_name(cases[i].zone);
        const int64_t got = offset_s(zone, cases[i].utc);
        if (got != cases[i].offset_s)
            fail_msg("%s at %s: %lld s, not %lld s", cases[i].zone, cases[i].utc, (long long)got,
                     (long long)cases[i].offset_s);
    }
}

static void utc_needs_no_file(void **state)
{
    (void)state;
    const weir_zone_span span = weir_zone_span_at(weir_zone_utc(), (weir_wall){-5});
    assert_true(span.from_us == INT64_MIN && span.until_us == INT64_MAX && span.offset_us == 0);
    assert_true(weir_zone_to_local(weir_zone_utc(), (weir_wall){-5}) == -5);
    assert_true(weir_zone_to_utc(weir_zone_utc(), -5).us == -5);
}

static void a_file_kept_in_hex_is_read(void **state)
{
    (void)state;
    uint8_t bytes[256];
    weir_zone *zone = NULL;
    weir_error error = WEIR_ERROR_INIT;
    const int n = weir_hex_parse(kathmandu, bytes, sizeof bytes);
    assert_int_equal(n, 212);
    assert_int_equal(weir_zone_parse(bytes, (size_t)n, &zone, &error), WEIR_OK);
    assert_int_equal(offset_s(zone, "1919-12-31"), 20476);
    assert_int_equal(offset_s(zone, "1985-12-31 18:29:59"), 19800);
    assert_int_equal(offset_s(zone, "1985-12-31 18:30:00"), 20700);
    /* The file's last transition, in 2038, changes nothing and so ends no span. */
    assert_true(weir_zone_span_at(zone, wall_of("2024-01-01")).until_us == INT64_MAX);
    weir_zone_free(zone);
}

static void a_file_cut_anywhere_is_refused(void **state)
{
    (void)state;
    uint8_t bytes[16384];
    const size_t n = zone_file_read("Europe/Berlin", bytes);
    for (size_t cut = 0; cut < n; cut++) {
        /* A copy of the exact size, so that the sanitizer sees a read past the end. */
        uint8_t *exact = malloc(cut ? cut : 1);
        assert_non_null(exact);
        memcpy(exact, bytes, cut);
        weir_zone *zone = NULL;
        if (weir_zone_parse(exact, cut, &zone, NULL) != WEIR_EDAMAGED || zone)
            fail_msg("%zu of %zu bytes were accepted", cut, n);
        free(exact);
    }
}

static void bytes_behind_the_footer_are_ignored(void **state)
{
    (void)state;
    file_parts p = good;
    weir_zone *zone = NULL;
    p.footer = "\nABC-1\nTZif and more";
    assert_int_equal(file_parse(&p, &zone, NULL), WEIR_OK);
    weir_zone_free(zone);
}

static void version_1_has_32_bit_times_and_no_footer(void **state)
{
    (void)state;
    file_parts p = good;
    weir_zone *zone = NULL;
    p.version = 0;
    p.times[0] = -1000;
    assert_int_equal(file_parse(&p, &zone, NULL), WEIR_OK);
    assert_true(weir_zone_offset(zone, (weir_wall){-1000 * WEIR_S - 1}) == WEIR_HOUR);
    assert_true(weir_zone_offset(zone, (weir_wall){-1000 * WEIR_S}) == 2 * WEIR_HOUR);
    assert_true(weir_zone_offset(zone, (weir_wall){2000 * WEIR_S}) == WEIR_HOUR);
    assert_true(weir_zone_offset(zone, (weir_wall){INT64_MAX}) == WEIR_HOUR);
    weir_zone_free(zone);
}

static void damaged_files_are_refused_with_the_reason(void **state)
{
    (void)state;
    /* Where things are in the file that `good` describes. */
    enum { VERSION = 48, N_UT = 64, N_LEAPS = 72, N_TRANSITIONS = 76, N_TYPES = 80, N_CHARS = 84 };
    enum { TIME_1 = 96, INDEX_1 = 105, OFFSET_0 = 106, SAVING_0 = 110, NAME_0 = 111 };
    static const struct {
        size_t at;
        const char *hex;
        weir_err err;
        const char *reason;
    } cases[] = {
        {0, "545a6967", WEIR_EDAMAGED, "not a time zone file"},
        {4, "31", WEIR_EDAMAGED, "version 49"},
        {VERSION, "01", WEIR_EDAMAGED, "version 1"},
        {N_UT, "00000001", WEIR_EDAMAGED, "contradict"},
        {N_LEAPS, "00000001", WEIR_EUNSUPPORTED, "leap seconds"},
        {N_TRANSITIONS, "ffffffff", WEIR_EDAMAGED, "cut short"},
        {N_TRANSITIONS, "00000100", WEIR_EDAMAGED, "cut short"},
        {N_TYPES, "00000000", WEIR_EDAMAGED, "0 types"},
        {N_TYPES, "00000101", WEIR_EDAMAGED, "cut short"},
        {N_TYPES, "ffffffff", WEIR_EDAMAGED, "cut short"},
        {N_CHARS, "00000000", WEIR_EDAMAGED, "0 bytes of names"},
        {TIME_1, "00000000000003e8", WEIR_EDAMAGED, "transition 1 is not after"},
        {TIME_1, "80000000000003e8", WEIR_EDAMAGED, "transition 1 is not after"},
        {INDEX_1, "02", WEIR_EDAMAGED, "type 2 of 2"},
        {OFFSET_0, "00016da0", WEIR_EDAMAGED, "type 0 is 93600 s"},
        {OFFSET_0, "fffea070", WEIR_EDAMAGED, "type 0 is -90000 s"},
        {OFFSET_0, "80000000", WEIR_EDAMAGED, "type 0 is -2147483648 s"},
        {SAVING_0, "02", WEIR_EDAMAGED, "wrong flag"},
        {NAME_0, "04", WEIR_EDAMAGED, "no name"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t bytes[1024] = {0}, patch[8];
        weir_error error = WEIR_ERROR_INIT;
        weir_zone *zone = NULL;
        const size_t n = file_write(&good, bytes) + 64; /* room for the leap second */
        const int n_patch = weir_hex_parse(cases[i].hex, patch, sizeof patch);
        memcpy(bytes + cases[i].at, patch, (size_t)n_patch);
        const weir_err err = weir_zone_parse(bytes, n, &zone, &error);
        if (err != cases[i].err || zone || !strstr(error.text, cases[i].reason))
            fail_msg("%s: %d, %s", cases[i].reason, err, error.text);
    }
}

static void a_footer_without_its_newlines_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {"", "\n", "ABC-1\n", "\nABC-1"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        file_parts p = good;
        weir_zone *zone = NULL;
        p.footer = wrong[i];
        assert_int_equal(file_parse(&p, &zone, NULL), WEIR_EDAMAGED);
        assert_null(zone);
    }
}

static void a_second_header_of_version_1_is_no_way_around_the_checks(void **state)
{
    (void)state;
    uint8_t bytes[1024];
    file_parts p = good;
    weir_zone *zone = NULL;
    p.footer = "\nABC-1DEF,M3.5.0,M10.5.0\n";
    const size_t n = file_write(&p, bytes);
    assert_memory_equal(bytes + 44, "TZif", 4);
    bytes[44 + 4] = 0;
    assert_int_equal(weir_zone_parse(bytes, n, &zone, NULL), WEIR_OK);
    assert_int_equal(offset_s(zone, "2024-07-01"), 2 * HOUR_S);
    weir_zone_free(zone);
}

static void too_many_transitions_are_refused(void **state)
{
    (void)state;
    static uint8_t bytes[64 * 1024];
    weir_error error = WEIR_ERROR_INIT;
    weir_zone *zone = NULL;
    file_parts p = good;
    p.version = 0;
    p.n_transitions = 4097;
    weir_writer w = weir_writer_of(bytes, sizeof bytes);
    header_write(&w, &p);
    assert_int_equal(weir_zone_parse(bytes, sizeof bytes, &zone, &error), WEIR_EDAMAGED);
    assert_non_null(strstr(error.text, "4097 transitions"));
}

static void footers_that_are_no_rule_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "AB-1",
        "ABC",
        "ABC-25",
        "ABC-1:60",
        "ABC-1:00:60",
        "<+01-1",
        "<+1>-1",
        "ABC+-1",
        "A1C-1",
        "ABC-1 ",
        "ABC-1DEF",
        "ABC-1DEF,M3.5.0",
        "ABC-1DEF,M3.5.0,M10.5.0,",
        "ABC-1DEF,M0.5.0,M10.5.0",
        "ABC-1DEF,M13.5.0,M10.5.0",
        "ABC-1DEF,M3.0.0,M10.5.0",
        "ABC-1DEF,M3.6.0,M10.5.0",
        "ABC-1DEF,M3.5.7,M10.5.0",
        "ABC-1DEF,J0,J365",
        "ABC-1DEF,J1,J366",
        "ABC-1DEF,0,366",
        "ABC-1DEF,0/168,365",
        "ABC-1DEF,0/-168,365",
        "ABC-1DEF,0/,365",
        "ABC-1DE,0,365",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char footer[64];
        weir_error error = WEIR_ERROR_INIT;
        weir_zone *zone = NULL;
        file_parts p = good;
        (void)snprintf(footer, sizeof footer, "\n%s\n", wrong[i]);
        p.footer = footer;
        if (file_parse(&p, &zone, &error) != WEIR_EDAMAGED || zone ||
            !strstr(error.text, "no rule"))
            fail_msg("\"%s\": %s", wrong[i], error.text);
    }
    char longest[200];
    weir_zone *zone = NULL;
    memset(longest, 'A', sizeof longest);
    (void)snprintf(longest + 190, 10, "-1\n");
    longest[0] = '\n';
    file_parts p = good;
    p.footer = longest;
    assert_int_equal(file_parse(&p, &zone, NULL), WEIR_EDAMAGED);
}

static void every_form_of_rule_is_followed(void **state)
{
    (void)state;
    static const struct {
        const char *footer, *last, *first; /* UTC: the last moment before saving, and its first */
        int64_t standard_s, saving_s;
    } cases[] = {
        {"ABC0DEF,M3.5.0,M10.5.0", "2024-03-31 01:59:59", "2024-03-31 02:00:00", 0, HOUR_S},
        {"ABC0DEF,M3.4.0,M10.5.0", "2024-03-24 01:59:59", "2024-03-24 02:00:00", 0, HOUR_S},
        {"ABC0DEF,M2.5.4,M10.5.0", "2024-02-29 01:59:59", "2024-02-29 02:00:00", 0, HOUR_S},
        {"ABC0DEF,M2.5.4,M10.5.0", "2023-02-23 01:59:59", "2023-02-23 02:00:00", 0, HOUR_S},
        {"ABC5DEF,M3.2.0,M11.1.0", "2024-03-10 06:59:59", "2024-03-10 07:00:00", -5 * HOUR_S,
         -4 * HOUR_S},
        {"<+0330>-3:30<+0430>,J80/0,J264/0", "2024-03-20 20:29:59", "2024-03-20 20:30:00", 12600,
         16200},
        {"ABC0DEF,J60,J300", "2024-03-01 01:59:59", "2024-03-01 02:00:00", 0, HOUR_S},
        {"ABC0DEF,J59,J300", "2024-02-28 01:59:59", "2024-02-28 02:00:00", 0, HOUR_S},
        {"ABC0DEF,J60,J300", "2023-03-01 01:59:59", "2023-03-01 02:00:00", 0, HOUR_S},
        {"ABC0DEF,59,300", "2024-02-29 01:59:59", "2024-02-29 02:00:00", 0, HOUR_S},
        {"ABC0DEF,59,300", "2023-03-01 01:59:59", "2023-03-01 02:00:00", 0, HOUR_S},
        {"ABC0DEF-0:30:10,59/0:30:05,300", "2023-03-01 00:30:04", "2023-03-01 00:30:05", 0, 1810},
        {"ABC0DEF,0/-167,200", "2023-12-25 00:59:59", "2023-12-25 01:00:00", 0, HOUR_S},
        {"ABC0DEF,J365/167,200", "2024-01-06 22:59:59", "2024-01-06 23:00:00", 0, HOUR_S},
        {"ABC0DEF,J365/167,200", "1903-01-06 22:59:59", "1903-01-06 23:00:00", 0, HOUR_S},
        {"ABC0DEF,J365/167,200", "8024-01-06 22:59:59", "8024-01-06 23:00:00", 0, HOUR_S},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        WEIR_CLEANUP(weir_zone_free) weir_zone *zone = zone_of_footer(cases[i].footer);
        const int64_t last = offset_s(zone, cases[i].last), first = offset_s(zone, cases[i].first);
        if (last != cases[i].standard_s || first != cases[i].saving_s)
            fail_msg("%s: %lld before and %lld from %s on", cases[i].footer, (long long)last,
                     (long long)first, cases[i].first);
    }
}

static void saving_all_the_year_is_no_change_at_all(void **state)
{
    (void)state;
    /* RFC 9636 3.3.1 gives this form for it. */
    WEIR_CLEANUP(weir_zone_free) weir_zone *zone = zone_of_footer("EST5EDT,0/0,J365/25");
    const weir_zone_span span = weir_zone_span_at(zone, wall_of("2024-01-01 05:00:00"));
    assert_true(span.offset_us == -4 * WEIR_HOUR);
    assert_true(span.until_us == INT64_MAX);
    assert_true(weir_zone_offset(zone, wall_of("1900-01-01")) == -4 * WEIR_HOUR);
}

static void the_footer_rules_from_the_last_transition_on(void **state)
{
    (void)state;
    file_parts p = good; /* whose last transition leads to +1 h */
    weir_zone *zone = NULL;
    p.footer = "\nABC-3\n";
    assert_int_equal(file_parse(&p, &zone, NULL), WEIR_OK);
    assert_true(weir_zone_offset(zone, (weir_wall){2000 * WEIR_S - 1}) == 2 * WEIR_HOUR);
    assert_true(weir_zone_offset(zone, (weir_wall){2000 * WEIR_S}) == 3 * WEIR_HOUR);
    weir_zone_free(zone);
    p.footer = "\n\n"; /* nothing said: as the last transition left it */
    assert_int_equal(file_parse(&p, &zone, NULL), WEIR_OK);
    assert_true(weir_zone_offset(zone, (weir_wall){2000 * WEIR_S}) == WEIR_HOUR);
    weir_zone_free(zone);
}

static void spans_tile_thousands_of_years(void **state)
{
    (void)state;
    static const char *const names[] = {"Europe/Berlin", "Asia/Gaza", "America/Nuuk"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        WEIR_CLEANUP(weir_zone_free) weir_zone *zone = zone_of_name(names[i]);
        weir_zone_span span = weir_zone_span_at(zone, (weir_wall){INT64_MIN});
        assert_true(span.from_us == INT64_MIN);
        size_t n = 0;
        for (; span.until_us < wall_of("4321-01-01").us; n++) {
            const weir_zone_span next = weir_zone_span_at(zone, (weir_wall){span.until_us});
            assert_true(next.from_us == span.until_us);
            assert_true(next.until_us > next.from_us);
            assert_true(next.offset_us != span.offset_us);
            const weir_zone_span same = weir_zone_span_at(zone, (weir_wall){next.until_us - 1});
            assert_memory_equal(&same, &next, sizeof same);
            span = next;
        }
        assert_true(n > 2 * (4320 - 2037)); /* two a year after the table */
    }
}

static void transitions_of_the_distant_past_and_future_do_no_harm(void **state)
{
    (void)state;
    file_parts p = good;
    weir_zone *zone = NULL;
    p.n_transitions = 4;
    memcpy(p.times, (int64_t[]){INT64_MIN, INT64_MIN + 1, INT64_MAX - 1, INT64_MAX},
           sizeof p.times);
    memcpy(p.index, (uint8_t[]){1, 0, 1, 0}, sizeof p.index);
    p.footer = "\nABC-2DEF-5,M3.5.0,M10.5.0\n";
    assert_int_equal(file_parse(&p, &zone, NULL), WEIR_OK);
    static const int64_t times[] = {INT64_MIN, INT64_MIN + 1, -WEIR_ZONE_LIMIT - 1,
                                    0,         INT64_MAX - 1, WEIR_ZONE_LIMIT,
                                    INT64_MAX};
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        const int64_t local = weir_zone_to_local(zone, (weir_wall){times[i]});
        const int64_t utc = weir_zone_to_utc(zone, times[i]).us;
        assert_true(llabs(local) <= WEIR_ZONE_LIMIT + WEIR_DAY);
        assert_true(llabs(utc) <= WEIR_ZONE_LIMIT + WEIR_DAY);
    }
    assert_true(weir_zone_offset(zone, (weir_wall){0}) == WEIR_HOUR);
    weir_zone_free(zone);
}

static void a_change_just_beyond_the_limit_is_still_seen(void **state)
{
    (void)state;
    /* Saving begins, from -12 h to -11 h, in the hour after the limit. */
    const int64_t day = WEIR_ZONE_LIMIT / WEIR_DAY, hour = WEIR_ZONE_LIMIT % WEIR_DAY / WEIR_HOUR;
    const int64_t day_of_year = day - weir_month_first_day(weir_month_of_day(day) / 12 * 12);
    char footer[64];
    (void)snprintf(footer, sizeof footer, "ABC12DEF,%d/%d,%d", (int)day_of_year, (int)hour + 1 - 12,
                   day_of_year > 180 ? 100 : 300);
    WEIR_CLEANUP(weir_zone_free) weir_zone *zone = zone_of_footer(footer);
    assert_true(weir_zone_offset(zone, (weir_wall){WEIR_ZONE_LIMIT}) == -12 * WEIR_HOUR);
    assert_true(weir_zone_to_utc(zone, WEIR_ZONE_LIMIT).us == WEIR_ZONE_LIMIT + 11 * WEIR_HOUR);
}

static void a_rule_that_changes_in_leap_years_only_repeats_all_the_same(void **state)
{
    (void)state;
    /* Day 59 is 1 March, when saving begins again, but 29 February in leap years. 2100 is none. */
    file_parts p = good;
    weir_zone *zone = NULL;
    p.times[1] = wall_of("2097-01-01").us / WEIR_S;
    p.footer = "\nABC0DEF,J60/0,59/1\n";
    p.offsets[1] = 0;
    assert_int_equal(file_parse(&p, &zone, NULL), WEIR_OK);
    const weir_zone_span early = weir_zone_span_at(zone, wall_of("2101-01-01"));
    const weir_zone_span late = weir_zone_span_at(zone, wall_of("2501-01-01"));
    assert_true(early.from_us == wall_of("2097-01-01").us);
    assert_true(early.until_us == wall_of("2104-02-29").us);
    assert_true(late.from_us == wall_of("2496-03-01").us);
    assert_true(late.until_us == wall_of("2504-02-29").us);
    assert_true(late.offset_us == WEIR_HOUR);
    assert_int_equal(offset_s(zone, "2504-02-29 12:00:00"), 0);
    weir_zone_free(zone);
}

static void local_times_become_utc_by_the_documented_choice(void **state)
{
    (void)state;
    static const struct {
        const char *zone, *local, *utc;
    } cases[] = {
        {"Europe/Berlin", "2024-01-01 00:00:00", "2023-12-31 23:00:00"},
        {"Europe/Berlin", "1890-01-01 00:00:00", "1889-12-31 23:06:32"},
        {"Europe/Berlin", "2100-07-01 00:00:00", "2100-06-30 22:00:00"},
        /* spring: 02:00 to 03:00 does not exist */
        {"Europe/Berlin", "2024-03-31 01:59:59", "2024-03-31 00:59:59"},
        {"Europe/Berlin", "2024-03-31 02:30:00", "2024-03-31 01:00:00"},
        {"Europe/Berlin", "2024-03-31 03:00:00", "2024-03-31 01:00:00"},
        /* autumn: 02:00 to 03:00 exists twice */
        {"Europe/Berlin", "2024-10-27 02:00:00", "2024-10-27 00:00:00"},
        {"Europe/Berlin", "2024-10-27 02:59:59", "2024-10-27 00:59:59"},
        {"Europe/Berlin", "2024-10-27 03:00:00", "2024-10-27 02:00:00"},
        {"America/New_York", "2024-03-10 02:30:00", "2024-03-10 07:00:00"},
        {"America/New_York", "2024-11-03 01:30:00", "2024-11-03 05:30:00"},
        {"Pacific/Apia", "2011-12-30 12:00:00", "2011-12-30 10:00:00"},
        {"America/Sao_Paulo", "2017-10-15 00:00:00", "2017-10-15 03:00:00"},
        {"America/St_Johns", "2010-11-07 00:00:00", "2010-11-07 02:30:00"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        WEIR_CLEANUP(weir_zone_free) weir_zone *zone = zone_of_name(cases[i].zone);
        const weir_wall got = weir_zone_to_utc(zone, wall_of(cases[i].local).us);
        char text[28];
        weir_wall_format(got, text);
        if (got.us != wall_of(cases[i].utc).us)
            fail_msg("%s %s: %s, not %s", cases[i].zone, cases[i].local, text, cases[i].utc);
    }
}

static void local_time_stands_still_while_an_hour_repeats(void **state)
{
    (void)state;
    WEIR_CLEANUP(weir_zone_free) weir_zone *zone = zone_of_name("Europe/Berlin");
    static const struct {
        const char *utc, *local;
    } cases[] = {
        {"2024-10-27 00:59:59.999999", "2024-10-27 02:59:59.999999"},
        {"2024-10-27 01:00:00", "2024-10-27 02:59:59.999999"},
        {"2024-10-27 01:59:59.999999", "2024-10-27 02:59:59.999999"},
        {"2024-10-27 02:00:00", "2024-10-27 03:00:00"},
        {"2024-03-31 00:59:59.999999", "2024-03-31 01:59:59.999999"},
        {"2024-03-31 01:00:00", "2024-03-31 03:00:00"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (weir_zone_to_local(zone, wall_of(cases[i].utc)) != wall_of(cases[i].local).us)
            fail_msg("%s is not %s", cases[i].utc, cases[i].local);
}

static void months_and_days_agree_with_the_calendar(void **state)
{
    (void)state;
    static const int lengths[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    assert_int_equal(weir_month_first_day(1970 * 12), 0);
    assert_int_equal(weir_month_first_day(2024 * 12 + 2), 19783); /* 2024-03-01 */
    int64_t day = weir_month_first_day(-500 * 12);
    for (int64_t month = -500 * 12; month < 2500 * 12; month++) {
        const int64_t year = (month + 6000) / 12 - 500, m = (month + 6000) % 12;
        const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        assert_true(weir_month_first_day(month) == day);
        assert_true(weir_month_of_day(day) == month);
        day += lengths[m] + (m == 1 && leap);
        assert_true(weir_month_of_day(day - 1) == month);
    }
}

static void names_that_leave_the_folder_are_not_safe(void **state)
{
    (void)state;
    static const char *const safe[] = {"UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires",
                                       "Etc/GMT+5", "America/Port-au-Prince"};
    static const char *const unsafe[] = {
        "",    "/etc/passwd", "../passwd", "Europe/../x", ".",    "a.b",  "Europe/", "a//b",
        "a b", "/",           "a\nb",      "\xc3\xa4",    "a\\b", "a%2e", "C:/zone"};
    for (size_t i = 0; i < sizeof safe / sizeof *safe; i++)
        if (!weir_zone_name_is_safe(safe[i]))
            fail_msg("\"%s\" was refused", safe[i]);
    for (size_t i = 0; i < sizeof unsafe / sizeof *unsafe; i++)
        if (weir_zone_name_is_safe(unsafe[i]))
            fail_msg("\"%s\" was accepted", unsafe[i]);
    char name[66];
    memset(name, 'a', 65);
    name[65] = '\0';
    assert_false(weir_zone_name_is_safe(name));
    name[64] = '\0';
    assert_true(weir_zone_name_is_safe(name));
}

static void short_memory_is_reported_and_nothing_leaks(void **state)
{
    (void)state;
    for (size_t nth = 1; nth <= 3; nth++) {
        weir_zone *zone = NULL;
        (void)weir_alloc_fail_nth(nth, false);
        assert_int_equal(file_parse(&good, &zone, NULL), WEIR_ENOMEM);
        assert_null(zone);
    }
    (void)weir_alloc_fail_nth(0, false);
    weir_zone_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(offsets_of_real_zones_are_right),
        cmocka_unit_test(utc_needs_no_file),
        cmocka_unit_test(a_file_kept_in_hex_is_read),
        cmocka_unit_test(a_file_cut_anywhere_is_refused),
        cmocka_unit_test(bytes_behind_the_footer_are_ignored),
        cmocka_unit_test(version_1_has_32_bit_times_and_no_footer),
        cmocka_unit_test(damaged_files_are_refused_with_the_reason),
        cmocka_unit_test(a_footer_without_its_newlines_is_refused),
        cmocka_unit_test(a_second_header_of_version_1_is_no_way_around_the_checks),
        cmocka_unit_test(too_many_transitions_are_refused),
        cmocka_unit_test(footers_that_are_no_rule_are_refused),
        cmocka_unit_test(every_form_of_rule_is_followed),
        cmocka_unit_test(saving_all_the_year_is_no_change_at_all),
        cmocka_unit_test(the_footer_rules_from_the_last_transition_on),
        cmocka_unit_test(spans_tile_thousands_of_years),
        cmocka_unit_test(transitions_of_the_distant_past_and_future_do_no_harm),
        cmocka_unit_test(a_change_just_beyond_the_limit_is_still_seen),
        cmocka_unit_test(a_rule_that_changes_in_leap_years_only_repeats_all_the_same),
        cmocka_unit_test(local_times_become_utc_by_the_documented_choice),
        cmocka_unit_test(local_time_stands_still_while_an_hour_repeats),
        cmocka_unit_test(months_and_days_agree_with_the_calendar),
        cmocka_unit_test(names_that_leave_the_folder_are_not_safe),
        cmocka_unit_test(short_memory_is_reported_and_nothing_leaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
