/* SPDX-License-Identifier: MIT */
/* Time zones: from UTC to what the clock on the wall shows, and back. */

/*
 * Parsing turns file and footer into one sorted list of moments at which the offset changes. The
 * footer's yearly rule is written out for 400 years: the Gregorian calendar, weekdays included,
 * repeats exactly after that (146097 days are 20871 weeks), so any later time is looked up
 * 400, 800 ... years earlier. A look-up is then one binary search over int64s, whatever the time.
 *
 * What can go wrong is all in the bytes: counts that promise more than is there, times out of
 * order, types that do not exist, a footer that is no rule. Each is refused with its reason, before
 * anything is kept.
 */

#include "base/zone.h"

#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"

/* No zone has had more than 300 changes; a file with 4096 is damaged or an attack. */
#define ZONE_TRANSITIONS_MAX 4096

/* RFC 9636 3.2: offsets lie between -25 h and +26 h, both exclusive. */
#define ZONE_OFFSET_MIN_S (-89999)
#define ZONE_OFFSET_MAX_S 93599

/* The walks along spans begin and end within two offsets of the time they are asked for. */
#define ZONE_EDGE (WEIR_ZONE_LIMIT + 4 * WEIR_DAY)

#define ZONE_CYCLE_YEARS 400
#define ZONE_CYCLE       (146097 * WEIR_DAY)

/* Rule times reach a week over the ends of their year (RFC 9636 3.3.1), so the years beside a
 * year are looked at too; the cycle begins well after the last transition of the file. */
#define ZONE_YEARS_BEFORE 2
#define ZONE_CYCLE_DELAY  3
#define ZONE_YEARS        (ZONE_YEARS_BEFORE + ZONE_CYCLE_DELAY + ZONE_CYCLE_YEARS + 2)

struct weir_zone {
    int64_t *from;   /* when each span begins; the first is INT64_MIN, ascending */
    int64_t *offset; /* its offset, microseconds */
    size_t n;        /* spans; none is UTC for ever */
    /* With a yearly rule: spans that begin in [cycle_from, cycle_until) repeat for ever, the first
     * of them is cycle_first. Without: cycle_until is INT64_MAX. */
    int64_t cycle_from, cycle_until;
    size_t cycle_first;
    bool cycle_backwards; /* the rule holds for the past as well */
};

static int64_t floor_divide(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static int64_t clamp(int64_t v, int64_t min, int64_t max)
{
    return v < min ? min : v > max ? max : v;
}

/* ---- calendar ---- */

int64_t weir_month_first_day(int64_t month)
{
    /* Years begin in March here, so that the leap day is the last one. From there the months'
     * lengths are 31 30 31 30 31 31 30 31 30 31 31, which (153 m + 2) / 5 sums up. */
    const int64_t year = floor_divide(month - 2, 12), m = month - 2 - year * 12;
    const int64_t leap_days =
        floor_divide(year, 4) - floor_divide(year, 100) + floor_divide(year, 400);
    return 365 * year + leap_days + (153 * m + 2) / 5 - 719468; /* 0000-03-01 to 1970-01-01 */
}

int64_t weir_month_of_day(int64_t day)
{
    /* 4800 months have 146097 days; the estimate is never off by more than one. */
    int64_t month = floor_divide((day + 719528) * 4800, 146097); /* from 0000-01-01 */
    while (weir_month_first_day(month) > day)
        month--;
    while (weir_month_first_day(month + 1) <= day)
        month++;
    return month;
}

/* ---- looking up ---- */

const weir_zone *weir_zone_utc(void)
{
    static const weir_zone utc = {.cycle_until = INT64_MAX};
    return &utc;
}

/* The span that holds t. */
static size_t span_index(const weir_zone *zone, int64_t t)
{
    size_t low = 0, n = zone->n;
    while (n > 1) {
        const size_t half = n / 2;
        low += zone->from[low + half] <= t ? half : 0;
        n -= half;
    }
    return low;
}

static int64_t span_until(const weir_zone *zone, size_t i)
{
    if (i + 1 < zone->n)
        return zone->from[i + 1];
    return zone->cycle_until == INT64_MAX ? INT64_MAX : zone->from[zone->cycle_first] + ZONE_CYCLE;
}

weir_zone_span weir_zone_span_at(const weir_zone *zone, weir_wall utc)
{
    const int64_t t = clamp(utc.us, -ZONE_EDGE, ZONE_EDGE);
    if (zone->n == 0)
        return (weir_zone_span){INT64_MIN, INT64_MAX, 0};
    if (t < zone->cycle_until && !(zone->cycle_backwards && t < zone->cycle_from)) {
        const size_t i = span_index(zone, t);
        return (weir_zone_span){zone->from[i], span_until(zone, i), zone->offset[i]};
    }
    const int64_t shift = floor_divide(t - zone->cycle_from, ZONE_CYCLE) * ZONE_CYCLE;
    const size_t i = span_index(zone, t - shift);
    /* The span that reaches into the cycle is the one that reached out of the cycle before. */
    const int64_t from =
        i >= zone->cycle_first ? zone->from[i] : zone->from[zone->n - 1] - ZONE_CYCLE;
    return (weir_zone_span){from + shift, span_until(zone, i) + shift, zone->offset[i]};
}

int64_t weir_zone_offset(const weir_zone *zone, weir_wall utc)
{
    return weir_zone_span_at(zone, utc).offset_us;
}

int64_t weir_zone_to_local(const weir_zone *zone, weir_wall utc)
{
    /* A clock set back shows nothing new for at most the difference of two offsets. */
    const int64_t memory = (ZONE_OFFSET_MAX_S - ZONE_OFFSET_MIN_S) * WEIR_S;
    const int64_t t = clamp(utc.us, -WEIR_ZONE_LIMIT, WEIR_ZONE_LIMIT);
    weir_zone_span span = weir_zone_span_at(zone, utc);
    int64_t latest = t + span.offset_us;
    while (span.from_us > t - memory) {
        const int64_t before = span.from_us - 1;
        span = weir_zone_span_at(zone, (weir_wall){before});
        if (latest < before + span.offset_us)
            latest = before + span.offset_us;
    }
    return latest;
}

weir_wall weir_zone_to_utc(const weir_zone *zone, int64_t local_us)
{
    const int64_t local = clamp(local_us, -WEIR_ZONE_LIMIT, WEIR_ZONE_LIMIT);
    /* No clock shows this early what the wanted one shows: begin there. */
    int64_t t = local - (ZONE_OFFSET_MAX_S + 1) * WEIR_S;
    for (;;) {
        const weir_zone_span span = weir_zone_span_at(zone, (weir_wall){t});
        if (t < local - span.offset_us)
            t = local - span.offset_us;
        if (t < span.until_us)
            return (weir_wall){t};
        t = span.until_us;
    }
}

/* ---- building ---- */

/* Appends a change of offset. One at the same moment as the last replaces it; one that changes
 * nothing is left out. */
static void zone_add(weir_zone *zone, int64_t from, int64_t offset_s)
{
    if (zone->n > 0 && zone->from[zone->n - 1] == from)
        zone->n--;
    if (zone->n > 0 && zone->offset[zone->n - 1] == offset_s * WEIR_S)
        return;
    zone->from[zone->n] = from;
    zone->offset[zone->n] = offset_s * WEIR_S;
    zone->n++;
}

static weir_zone *zone_new(size_t capacity)
{
    weir_zone *zone = weir_alloc_zero(1, sizeof *zone);
    if (!zone)
        return NULL;
    zone->cycle_until = INT64_MAX;
    zone->from = weir_alloc_zero(capacity, sizeof *zone->from);
    zone->offset = weir_alloc_zero(capacity, sizeof *zone->offset);
    if (zone->from && zone->offset)
        return zone;
    weir_zone_free(zone);
    return NULL;
}

void weir_zone_free(weir_zone *zone)
{
    if (!zone)
        return;
    weir_free(zone->from);
    weir_free(zone->offset);
    weir_free(zone);
}

/* ---- the footer: a POSIX TZ string (RFC 9636 3.3.1) ---- */

typedef enum zone_rule_kind {
    ZONE_RULE_JULIAN, /* Jn: day 1 to 365, 29 February is never counted */
    ZONE_RULE_DAY,    /* n: day 0 to 365 */
    ZONE_RULE_WEEK,   /* Mm.w.d: weekday d (0 = Sunday) of week w (5 = the last) of month m */
} zone_rule_kind;

typedef struct zone_rule {
    zone_rule_kind kind;
    int month, week, day;
    int time_s; /* local time of that day, -167 h to 167 h */
} zone_rule;

typedef struct zone_footer {
    int standard_s, saving_s; /* east of UTC */
    bool has_saving;
    zone_rule begins, ends;
} zone_footer;

static bool take(const char **at, char c)
{
    if (**at != c)
        return false;
    (*at)++;
    return true;
}

/* A number of one to three digits. */
static bool take_number(const char **at, int min, int max, int *ret)
{
    int v = 0, digits = 0;
    for (; **at >= '0' && **at <= '9' && digits < 3; digits++, (*at)++)
        v = v * 10 + (**at - '0');
    *ret = v;
    return digits > 0 && v >= min && v <= max;
}

/* [+-]hh[:mm[:ss]] in seconds. */
static bool take_time(const char **at, int hours_max, int *ret)
{
    int hours, minutes = 0, seconds = 0;
    const bool negative = **at == '-';
    if (**at == '+' || **at == '-')
        (*at)++;
    if (!take_number(at, 0, hours_max, &hours))
        return false;
    if (take(at, ':')) {
        if (!take_number(at, 0, 59, &minutes))
            return false;
        if (take(at, ':') && !take_number(at, 0, 59, &seconds))
            return false;
    }
    const int time = hours * 3600 + minutes * 60 + seconds;
    *ret = negative ? -time : time;
    return true;
}

/* "CET" or "<+0330>". Names are not kept. */
static bool take_name(const char **at)
{
    const bool quoted = take(at, '<');
    int n = 0;
    for (;; n++, (*at)++) {
        const char c = **at;
        const bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        const bool sign_or_digit = (c >= '0' && c <= '9') || c == '+' || c == '-';
        if (!letter && !(quoted && sign_or_digit))
            break;
    }
    return n >= 3 && (!quoted || take(at, '>'));
}

static bool take_rule(const char **at, zone_rule *ret)
{
    zone_rule r = {.kind = ZONE_RULE_DAY, .time_s = 2 * 3600}; /* 02:00 unless said */
    if (!take(at, ','))
        return false;
    if (take(at, 'M')) {
        r.kind = ZONE_RULE_WEEK;
        if (!take_number(at, 1, 12, &r.month) || !take(at, '.') ||
            !take_number(at, 1, 5, &r.week) || !take(at, '.') || !take_number(at, 0, 6, &r.day))
            return false;
    } else if (take(at, 'J')) {
        r.kind = ZONE_RULE_JULIAN;
        if (!take_number(at, 1, 365, &r.day))
            return false;
    } else if (!take_number(at, 0, 365, &r.day)) {
        return false;
    }
    if (take(at, '/') && !take_time(at, 167, &r.time_s))
        return false;
    *ret = r;
    return true;
}

/* Offsets are written west of UTC: "CET-1CEST,M3.5.0,M10.5.0/3". */
static bool footer_parse(const char *text, zone_footer *ret)
{
    zone_footer f = {0};
    int west;
    if (!take_name(&text) || !take_time(&text, 24, &west))
        return false;
    f.standard_s = -west;
    if (*text) {
        f.has_saving = true;
        f.saving_s = f.standard_s + 3600;
        if (!take_name(&text))
            return false;
        if (*text && *text != ',') {
            if (!take_time(&text, 24, &west))
                return false;
            f.saving_s = -west;
        }
        if (!take_rule(&text, &f.begins) || !take_rule(&text, &f.ends))
            return false;
    }
    *ret = f;
    return *text == '\0';
}

/* The moment of the rule in that year, for a clock with this offset. */
static int64_t rule_moment(const zone_rule *r, int64_t year, int offset_s)
{
    const int64_t january = weir_month_first_day(year * 12);
    const int64_t march = weir_month_first_day(year * 12 + 2);
    int64_t day = january + r->day;
    switch (r->kind) {
    case ZONE_RULE_DAY:
        break;
    case ZONE_RULE_JULIAN:
        day = r->day > 59 ? march + r->day - 60 : day - 1; /* day 60 is 1 March */
        break;
    case ZONE_RULE_WEEK: {
        const int64_t month = year * 12 + r->month - 1;
        const int64_t first = weir_month_first_day(month);
        const int64_t weekday = (first + 4) - floor_divide(first + 4, 7) * 7; /* Thursday in 1970 */
        day = first + (r->day - weekday + 7) % 7 + (r->week - 1) * 7;
        if (day >= weir_month_first_day(month + 1))
            day -= 7;
        break;
    }
    }
    return day * WEIR_DAY + (r->time_s - offset_s) * WEIR_S;
}

typedef struct zone_change {
    int64_t at;
    int offset_s;
} zone_change;

/* Keeps the list sorted; of changes at the same moment the later added counts. */
static void changes_add(zone_change *changes, size_t *n, zone_change change)
{
    size_t i = (*n)++;
    for (; i > 0 && changes[i - 1].at > change.at; i--)
        changes[i] = changes[i - 1];
    changes[i] = change;
}

/* Appends the rule's changes after `last`, the file's last transition, and says how they repeat.
 * The offset at `last` itself is the footer's matter too (RFC 9636 3.3). */
static void zone_add_rule(weir_zone *zone, const zone_footer *f, int64_t last)
{
    zone_change changes[2 * ZONE_YEARS];
    size_t n = 0;
    const bool always = last == INT64_MIN; /* no transitions: the rule holds for the past as well */
    const int64_t since = always ? 0 : last;
    const int64_t year = floor_divide(weir_month_of_day(floor_divide(since, WEIR_DAY)), 12);
    const int64_t cycle_year = year + ZONE_CYCLE_DELAY;
    const int64_t cycle_from = weir_month_first_day(cycle_year * 12) * WEIR_DAY;
    for (int64_t i = 0; i < ZONE_YEARS; i++) {
        /* Saving all the year ends when it begins again ("0/0,J365/25"): the beginning wins. */
        const int64_t y = year - ZONE_YEARS_BEFORE + i;
        const int64_t ends = rule_moment(&f->ends, y, f->saving_s);
        const int64_t begins = rule_moment(&f->begins, y, f->standard_s);
        changes_add(changes, &n, (zone_change){ends, f->standard_s});
        changes_add(changes, &n, (zone_change){begins, f->saving_s});
    }
    size_t i = 0;
    while (i < n && changes[i].at <= since)
        i++;
    zone_add(zone, last, i > 0 ? changes[i - 1].offset_s : f->standard_s);
    for (; i < n && changes[i].at < cycle_from + ZONE_CYCLE; i++)
        zone_add(zone, changes[i].at, changes[i].offset_s);
    if (zone->from[zone->n - 1] < cycle_from)
        return; /* both offsets are the same, or saving never ends */
    zone->cycle_from = cycle_from;
    zone->cycle_until = cycle_from + ZONE_CYCLE;
    zone->cycle_backwards = always;
    while (zone->from[zone->cycle_first] < cycle_from)
        zone->cycle_first++;
}

/* ---- the file ---- */

typedef struct zone_header {
    char version; /* 0 for version 1, else '2' ... */
    uint32_t n_ut, n_standard, n_leaps, n_transitions, n_types, n_chars;
    size_t time_size; /* bytes of one time in the block that follows */
} zone_header;

/* How many bytes follow the header before the next part. Cannot overflow: 2^32 * 33. */
static uint64_t header_block_size(const zone_header *h)
{
    return (uint64_t)h->n_transitions * (h->time_size + 1) + (uint64_t)h->n_types * 6 + h->n_chars +
           (uint64_t)h->n_leaps * (h->time_size + 4) + h->n_standard + h->n_ut;
}

static weir_err header_read(weir_reader *r, size_t time_size, zone_header *ret, weir_error *error)
{
    const uint8_t *magic = weir_read_bytes(r, 4);
    if (!magic || memcmp(magic, "TZif", 4) != 0)
        return weir_fail(error, WEIR_EDAMAGED, "not a time zone file: no \"TZif\"");
    zone_header h = {.version = (char)weir_read_u8(r), .time_size = time_size};
    (void)weir_read_bytes(r, 15); /* reserved */
    h.n_ut = weir_read_u32(r);
    h.n_standard = weir_read_u32(r);
    h.n_leaps = weir_read_u32(r);
    h.n_transitions = weir_read_u32(r);
    h.n_types = weir_read_u32(r);
    h.n_chars = weir_read_u32(r);
    if (h.version != '\0' && h.version < '2')
        return weir_fail(error, WEIR_EDAMAGED, "version %d is none", h.version);
    if (r->failed || header_block_size(&h) > weir_reader_left(r))
        return weir_fail(error, WEIR_EDAMAGED, "cut short");
    *ret = h;
    return WEIR_OK;
}

static weir_err header_check(const zone_header *h, weir_error *error)
{
    if (h->n_leaps > 0)
        return weir_fail(error, WEIR_EUNSUPPORTED,
                         "counts leap seconds; take the zone of that name without \"right/\"");
    if (h->n_transitions > ZONE_TRANSITIONS_MAX)
        return weir_fail(error, WEIR_EDAMAGED, "%u transitions, more than %d", h->n_transitions,
                         ZONE_TRANSITIONS_MAX);
    if (h->n_types == 0 || h->n_types > 256 || h->n_chars == 0)
        return weir_fail(error, WEIR_EDAMAGED, "%u types, %u bytes of names", h->n_types,
                         h->n_chars);
    if ((h->n_ut != 0 && h->n_ut != h->n_types) ||
        (h->n_standard != 0 && h->n_standard != h->n_types))
        return weir_fail(error, WEIR_EDAMAGED, "counts contradict each other");
    return WEIR_OK;
}

/* The offsets of the types, in seconds. */
static weir_err types_read(weir_reader *r, const zone_header *h, int32_t offsets[256],
                           weir_error *error)
{
    for (uint32_t i = 0; i < h->n_types; i++) {
        offsets[i] = (int32_t)weir_read_u32(r);
        const uint8_t saving = weir_read_u8(r), name = weir_read_u8(r);
        if (offsets[i] < ZONE_OFFSET_MIN_S || offsets[i] > ZONE_OFFSET_MAX_S)
            return weir_fail(error, WEIR_EDAMAGED, "type %u is %d s off UTC", i, offsets[i]);
        if (saving > 1 || name >= h->n_chars)
            return weir_fail(error, WEIR_EDAMAGED, "type %u has no name or a wrong flag", i);
    }
    return WEIR_OK;
}

/* The block behind the header. Its size was checked. ret_last: INT64_MIN without transitions. */
static weir_err block_read(weir_reader *r, const zone_header *h, weir_zone *zone, int64_t *ret_last,
                           weir_error *error)
{
    int32_t offsets[256];
    weir_reader times = weir_reader_of(r->at, h->n_transitions * h->time_size);
    weir_reader indexes = weir_reader_of(r->at + h->n_transitions * h->time_size, h->n_transitions);
    weir_reader types =
        weir_reader_of(r->at + h->n_transitions * (h->time_size + 1), (size_t)h->n_types * 6);
    int64_t last_s = INT64_MIN, last = INT64_MIN;
    weir_err err = types_read(&types, h, offsets, error);
    if (err != WEIR_OK)
        return err;
    zone_add(zone, INT64_MIN, offsets[0]);
    for (uint32_t i = 0; i < h->n_transitions; i++) {
        const uint64_t bits = weir_read_be(&times, h->time_size);
        const int64_t s = h->time_size == 4 ? (int32_t)bits : (int64_t)bits;
        const uint8_t type = weir_read_u8(&indexes);
        if (i > 0 && s <= last_s)
            return weir_fail(error, WEIR_EDAMAGED, "transition %u is not after the one before", i);
        if (type >= h->n_types)
            return weir_fail(error, WEIR_EDAMAGED, "transition %u to type %u of %u", i, type,
                             h->n_types);
        last_s = s;
        last = clamp(s, -WEIR_ZONE_LIMIT / WEIR_S, WEIR_ZONE_LIMIT / WEIR_S) * WEIR_S;
        zone_add(zone, last, offsets[type]);
    }
    (void)weir_read_bytes(r, (size_t)header_block_size(h));
    *ret_last = last;
    return WEIR_OK;
}

/* The line between two newlines behind the second block; may be empty. */
static weir_err footer_read(weir_reader *r, weir_zone *zone, int64_t last, weir_error *error)
{
    char text[128]; /* today's longest has fewer than 50 characters */
    zone_footer f;
    const bool opened = weir_read_u8(r) == '\n';
    const uint8_t *end = opened ? memchr(r->at, '\n', weir_reader_left(r)) : NULL;
    if (!end)
        return weir_fail(error, WEIR_EDAMAGED, "the footer is cut short");
    const size_t n = (size_t)(end - r->at);
    if (n == 0)
        return WEIR_OK;
    if (n >= sizeof text || memchr(r->at, '\0', n))
        return weir_fail(error, WEIR_EDAMAGED, "the footer is too long or no text");
    memcpy(text, r->at, n);
    text[n] = '\0';
    if (!footer_parse(text, &f))
        return weir_fail(error, WEIR_EDAMAGED, "the footer \"%s\" is no rule", text);
    if (f.has_saving)
        zone_add_rule(zone, &f, last);
    else
        zone_add(zone, last, f.standard_s);
    return WEIR_OK;
}

weir_err weir_zone_parse(const void *bytes, size_t n, weir_zone **ret_zone, weir_error *error)
{
    weir_reader r = weir_reader_of(bytes, n);
    zone_header h;
    weir_err err = header_read(&r, 4, &h, error);
    if (err == WEIR_OK && h.version != '\0') {
        (void)weir_read_bytes(&r, (size_t)header_block_size(&h));
        err = header_read(&r, 8, &h, error);
    }
    if (err == WEIR_OK)
        err = header_check(&h, error);
    if (err != WEIR_OK)
        return err;
    /* One span before all transitions, one at `last` for the footer. */
    WEIR_CLEANUP(weir_zone_free)
    weir_zone *zone = zone_new(h.n_transitions + 2 + (h.time_size == 8 ? 2 * ZONE_YEARS : 0));
    if (!zone)
        return weir_fail(error, WEIR_ENOMEM, "no memory for a time zone");
    int64_t last;
    err = block_read(&r, &h, zone, &last, error);
    if (err == WEIR_OK && h.time_size == 8)
        err = footer_read(&r, zone, last, error);
    if (err != WEIR_OK)
        return err;
    *ret_zone = zone;
    zone = NULL;
    return WEIR_OK;
}

bool weir_zone_name_is_safe(const char *name)
{
    size_t n = 0;
    for (; name[n]; n++) {
        const char c = name[n];
        const bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        const bool other = (c >= '0' && c <= '9') || c == '_' || c == '+' || c == '-';
        const bool inner_slash = c == '/' && n > 0 && name[n - 1] != '/' && name[n + 1];
        if (n == 64 || (!letter && !other && !inner_slash))
            return false;
    }
    return n > 0;
}
