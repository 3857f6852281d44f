/* SPDX-License-Identifier: MIT */
/* What a server's answer to a write means. */

/*
 * 204, or 200 that is not a web page: delivered. Else the status says what kind of trouble it is,
 * except for 400, 422 and 500, where servers of different versions say the same things under
 * different numbers: there the message decides. What names a line is a rejection of its row; what
 * only counts what was dropped is a rejection of a row not known, unless it can be worked out.
 */

#include "sinks/influxdb/reply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/number.h"

enum { MESSAGE_MAX = 8 * 1024 }; /* of a message that is looked into; a line of 64 KiB is echoed */

/* --- the message -------------------------------------------------------------------------- */

/* Behind the quote that begins the text of "key": in a JSON object; NULL: there is none. Not a JSON
 * parser: the body may be cut, or not be UTF-8, and its message is wanted nevertheless. */
static const char *json_text(const char *body, const char *end, const char *key)
{
    const size_t n = strlen(key);
    for (const char *p = body; p && p < end; p++) {
        p = memmem(p, (size_t)(end - p), key, n);
        if (!p)
            return NULL;
        const char *q = p + n;
        while (q < end && (*q == ' ' || *q == '\t' || *q == '\n' || *q == '\r'))
            q++;
        if (q >= end || *q++ != ':')
            continue;
        while (q < end && (*q == ' ' || *q == '\t' || *q == '\n' || *q == '\r'))
            q++;
        if (q < end && *q == '"')
            return q + 1;
    }
    return NULL;
}

static char json_escape(char c)
{
    static const char codes[] = "n\nt\tr\rb\bf\f";
    const char *at = c ? strchr(codes, c) : NULL;
    return at && (at - codes) % 2 == 0 ? at[1] : c;
}

static unsigned hex4(const char *p, const char *end)
{
    char digits[5] = "";
    if (end - p < 4)
        return 0;
    memcpy(digits, p, 4);
    return (unsigned)strtoul(digits, NULL, 16);
}

/* Copies the text up to its closing quote, escapes undone. Go writes < > & as \u003c: what is not
 * ASCII is never written so by it, and becomes a question mark. */
static size_t json_copy(const char *p, const char *end, char *ret, size_t size)
{
    size_t n = 0;
    while (p < end && *p != '"' && n + 1 < size) {
        if (*p != '\\' || p + 1 >= end) {
            ret[n++] = *p++;
            continue;
        }
        if (p[1] == 'u') {
            const unsigned code = hex4(p + 2, end);
            ret[n++] = code > 0 && code < 128 ? (char)code : '?';
            p += end - p < 6 ? end - p : 6;
            continue;
        }
        ret[n++] = json_escape(p[1]);
        p += 2;
    }
    ret[n] = '\0';
    return n;
}

/* What people read: one line, no control characters, only whole characters. */
static void clean(char *text)
{
    char *to = text;
    size_t left = strlen(text);
    for (const char *p = text; left > 0;) {
        const size_t n = weir_utf8_char(p, left);
        const unsigned char c = (unsigned char)*p;
        if (n > 1) {
            memmove(to, p, n);
            to += n;
        } else if (n == 1 && c >= ' ' && c != 127) {
            *to++ = *p;
        } else if (to > text && to[-1] != ' ') {
            *to++ = ' ';
        }
        p += n ? n : 1;
        left -= n ? n : 1;
    }
    *to = '\0';
}

/* The message as it is, of at most size - 1 bytes. */
static void message_raw(const weir_influxdb_reply *reply, char *ret, size_t size)
{
    static const char *const keys[] = {"\"error_message\"", "\"message\"", "\"error\"", "\"err\""};
    const char *end = reply->body + reply->n;
    for (size_t i = 0; reply->n > 0 && *reply->body == '{' && i < sizeof keys / sizeof *keys; i++) {
        const char *text = json_text(reply->body, end, keys[i]);
        if (text && json_copy(text, end, ret, size) > 0)
            return;
    }
    (void)snprintf(ret, size, "%.*s", (int)(reply->n < size ? reply->n : size - 1), reply->body);
}

void weir_influxdb_message(const weir_influxdb_reply *reply, char *ret, size_t size)
{
    message_raw(reply, ret, size);
    clean(ret);
}

static bool is_web_page(const weir_influxdb_reply *reply)
{
    const char *p = reply->body, *end = p + reply->n;
    while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
        p++;
    return strncasecmp(reply->content_type, "text/html", 9) == 0 || (p < end && *p == '<');
}

/* --- which row ---------------------------------------------------------------------------- */

static bool line_begins(const weir_influxdb_text *lines, size_t i, const char *text, size_t n)
{
    const size_t length = lines->offsets[i + 1] - lines->offsets[i] - 1; /* without its \n */
    return length == n && memcmp(lines->text + lines->offsets[i], text, n) == 0;
}

/*
 * "unable to parse 'LINE': reason": the line is there as it was sent, only that a long one may have
 * been cut by us. A quote in the line does no harm: the text up to each "': " is tried.
 */
static size_t row_of_echo(const char *message, const weir_influxdb_text *lines)
{
    static const char before[] = "unable to parse '";
    const char *line = strstr(message, before);
    if (!line)
        return SIZE_MAX;
    line += sizeof before - 1;
    for (const char *end = strstr(line, "': "); end; end = strstr(end + 1, "': "))
        for (size_t i = 0; i < lines->n_lines; i++)
            if (line_begins(lines, i, line, (size_t)(end - line)))
                return lines->rows[i];
    return SIZE_MAX;
}

/* "line": 2 of InfluxDB 2.x, "line_number": 2 of 3.x: of the body, where a text may have breaks. */
static size_t row_of_number(const weir_influxdb_reply *reply, const weir_influxdb_text *lines)
{
    static const char *const keys[] = {"\"line\":", "\"line_number\":"};
    const char *end = reply->body + reply->n;
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
        const char *at = memmem(reply->body, reply->n, keys[k], strlen(keys[k]));
        unsigned long number = 0;
        for (at = at ? at + strlen(keys[k]) : end;
             at < end && (*at == ' ' || (*at >= '0' && *at <= '9')) && number < 100000000; at++)
            number = *at == ' ' ? number : number * 10 + (unsigned long)(*at - '0');
        size_t physical = 0;
        for (size_t i = 0; number > 0 && i < lines->n_lines; i++) {
            for (size_t b = lines->offsets[i]; b < lines->offsets[i + 1]; b++)
                physical += lines->text[b] == '\n';
            if (physical >= number)
                return lines->rows[i];
        }
    }
    return SIZE_MAX;
}

/* Of points older than the retention policy keeps the oldest is one, whichever the others are. */
static size_t row_of_oldest(const weir_influxdb_text *lines, const weir_sink_row *rows)
{
    size_t oldest = SIZE_MAX;
    for (size_t i = 0; i < lines->n_lines; i++)
        if (oldest == SIZE_MAX || rows[lines->rows[i]].sample.ts.us < rows[oldest].sample.ts.us)
            oldest = lines->rows[i];
    return oldest;
}

/* --- field type conflicts ----------------------------------------------------------------- */

typedef struct conflict {
    char field[128], measurement[128], type[16];
    uint64_t dropped; /* 0: not said */
} conflict;

/* Text between `before` and the first `after` behind it. */
static bool between(const char *text, const char *before, const char *after, char *ret, size_t size)
{
    const char *start = strstr(text, before);
    const char *end = start ? strstr(start + strlen(before), after) : NULL;
    if (!end)
        return false;
    start += strlen(before);
    (void)snprintf(ret, size, "%.*s", (int)(end - start), start);
    return (size_t)(end - start) < size;
}

/* 'input field "v" on measurement "a" is type integer, already exists as type float dropped=1' */
static bool conflict_parse(const char *message, conflict *ret)
{
    char number[24];
    *ret = (conflict){.dropped = 0};
    const char *dropped = strstr(message, "dropped=");
    if (dropped) {
        (void)snprintf(number, sizeof number, "%.*s", (int)strspn(dropped + 8, "0123456789"),
                       dropped + 8);
        (void)weir_parse_u64(number, &ret->dropped);
    }
    return between(message, "input field \"", "\" on measurement", ret->field, sizeof ret->field) &&
           between(message, "on measurement \"", "\" is type ", ret->measurement,
                   sizeof ret->measurement) &&
           between(message, "\" is type ", ", already", ret->type, sizeof ret->type);
}

static bool type_fits(const char *value, const char *type)
{
    if (*value == '"')
        return strcmp(type, "string") == 0;
    if (*value == 't' || *value == 'f')
        return strcmp(type, "boolean") == 0;
    const size_t n = strspn(value, "0123456789+-.eE");
    return strcmp(type, value[n] == 'i' ? "integer" : "float") == 0;
}

/* Names are compared as they are sent, so one that needs an escape is not found: then delivery
 * looks for the row by halves. */
static bool line_conflicts(const weir_influxdb_text *lines, size_t i, const conflict *c)
{
    const char *line = lines->text + lines->offsets[i];
    const size_t n = lines->offsets[i + 1] - lines->offsets[i], m = strlen(c->measurement);
    char field[132];
    (void)snprintf(field, sizeof field, "%s=", c->field);
    if (m >= n || memcmp(line, c->measurement, m) != 0 || (line[m] != ',' && line[m] != ' '))
        return false;
    for (size_t at = m; at < n; at++) { /* the first blank that is not escaped */
        if (line[at] != ' ' || line[at - 1] == '\\')
            continue;
        const size_t f = strlen(field);
        return at + 1 + f < n && memcmp(line + at + 1, field, f) == 0 &&
               type_fits(line + at + 1 + f, c->type);
    }
    return false;
}

/*
 * A field has one type in each shard, so of the rows that write that field with that type some may
 * be right and some wrong. If as many were dropped as there are such rows, all of them are wrong.
 */
static size_t row_of_conflict(const char *message, const weir_influxdb_text *lines)
{
    conflict c;
    size_t first = SIZE_MAX, n = 0;
    if (!conflict_parse(message, &c))
        return SIZE_MAX;
    for (size_t i = 0; i < lines->n_lines; i++)
        if (line_conflicts(lines, i, &c)) {
            first = first == SIZE_MAX ? lines->rows[i] : first;
            n++;
        }
    return n == 1 || (n > 0 && c.dropped == n) ? first : SIZE_MAX;
}

/* --- answers ------------------------------------------------------------------------------ */

typedef struct judge {
    const weir_influxdb_options *options;
    const weir_influxdb_reply *reply;
    const weir_influxdb_text *lines;
    const weir_sink_row *rows;
    const char *message; /* raw */
    weir_send_answer *ret;
} judge;

static void answer(const judge *j, weir_trouble trouble, const char *remedy, const char *why)
{
    char shown[200];
    (void)snprintf(shown, sizeof shown, "%.190s", j->message);
    clean(shown);
    *j->ret = (weir_send_answer){
        .result = WEIR_SEND_LATER, .trouble = trouble, .retry_after_us = j->reply->retry_after_us};
    (void)snprintf(j->ret->remedy, sizeof j->ret->remedy, "%s", remedy);
    if (*shown)
        (void)snprintf(j->ret->why, sizeof j->ret->why, "%s: the server says (%d): %s", why,
                       j->reply->status, shown);
    else
        (void)snprintf(j->ret->why, sizeof j->ret->why, "%s: the server answers %d", why,
                       j->reply->status);
}

static void reject(const judge *j, size_t row, const char *why)
{
    answer(j, WEIR_TROUBLE_NONE, "", why);
    j->ret->result = WEIR_SEND_REJECTED;
    j->ret->retry_after_us = 0;
    j->ret->first_bad = row;
}

static void no_database(const judge *j)
{
    WEIR_TEXT_AUTO command = WEIR_TEXT_INIT;
    WEIR_TEXT_AUTO remedy = WEIR_TEXT_INIT;
    weir_influxdb_add_schema(j->options, &command);
    for (; command.length > 0 && command.text[command.length - 1] == '\n'; command.length--)
        command.text[command.length - 1] = '\0';
    if (weir_influxdb_is_v2(j->options))
        weir_text_format(&remedy, "create it: %s", weir_text_get(&command));
    else
        weir_text_format(&remedy, "create_database: true, or: influx -execute '%s'",
                         weir_text_get(&command));
    clean(remedy.text ? remedy.text : (char[]){""});
    answer(j, WEIR_TROUBLE_MISCONFIGURED, weir_text_get(&remedy),
           weir_influxdb_is_v2(j->options) ? "there is no such bucket"
                                           : "there is no such database");
}

static void not_found(const judge *j)
{
    const char *m = j->message;
    if (strstr(m, "organization") || strstr(m, "org not found"))
        answer(j, WEIR_TROUBLE_MISCONFIGURED, "the right name is in: influx org list",
               "there is no such organization");
    else if (strstr(m, "database not found") || strstr(m, "bucket"))
        no_database(j);
    else if (weir_influxdb_is_v2(j->options) && strncmp(j->reply->version, "1.", 2) == 0)
        answer(j, WEIR_TROUBLE_MISCONFIGURED, "write database instead of org and bucket",
               "the server is of version 1");
    else
        answer(j, WEIR_TROUBLE_MISCONFIGURED,
               "does url belong to an InfluxDB, with the right path?", "nothing takes lines there");
}

static void refused(const judge *j)
{
    char remedy[250];
    if (j->reply->status == 407)
        answer(j, WEIR_TROUBLE_REFUSED, "set proxy: false, or a user in https_proxy",
               "the proxy wants a password");
    else if (weir_influxdb_is_v2(j->options))
        answer(j, WEIR_TROUBLE_REFUSED,
               "give a token that may write into the bucket: influx auth list",
               "the token is refused");
    else if (j->reply->status == 403 && j->options->username) {
        (void)snprintf(remedy, sizeof remedy,
                       "influx -execute 'GRANT WRITE ON \"%.80s\" TO \"%.80s\"'",
                       j->options->database, j->options->username);
        answer(j, WEIR_TROUBLE_REFUSED, remedy, "the user may not write");
    } else
        answer(j, WEIR_TROUBLE_REFUSED, "check username and password, as file or as text",
               "user or password is refused");
}

/* Whatever the status: what only a message can say. True: judged. */
static bool message_judged(const judge *j)
{
    const char *m = j->message;
    if (strstr(m, "beyond retention policy"))
        reject(j, row_of_oldest(j->lines, j->rows), "older than the retention policy keeps");
    else if (strstr(m, "field type conflict"))
        reject(j, row_of_conflict(m, j->lines), "a field of another type");
    else if (strstr(m, "limit exceeded") && strstr(m, "max-"))
        answer(j, WEIR_TROUBLE_FULL,
               "raise that limit in the server's configuration, or drop series",
               "the database has as many series or values as it may");
    else if (strstr(m, "retention policy not found"))
        answer(j, WEIR_TROUBLE_MISCONFIGURED, "the commands to create it: weir sink schema NAME",
               "there is no such retention policy");
    else if (strstr(m, "no space left on device") || strstr(m, "disk quota exceeded"))
        answer(j, WEIR_TROUBLE_FULL, "make room on the server's disk", "its disk is full");
    else if (strstr(m, "cache-max-memory-size exceeded"))
        answer(j, WEIR_TROUBLE_BUSY, "raise cache-max-memory-size if it lasts",
               "the server cannot write as fast as it gets");
    else if (strstr(m, "unable to parse '") || strstr(m, "partial write") ||
             strstr(m, "failed to parse line protocol")) {
        const size_t row = row_of_echo(m, j->lines);
        reject(j, row != SIZE_MAX ? row : row_of_number(j->reply, j->lines), "a line is refused");
    } else
        return false;
    return true;
}

static void bad_request(const judge *j)
{
    const char *m = j->message;
    if (message_judged(j))
        return;
    if (is_web_page(j->reply) || !*m) /* a database says what is wrong with a line */
        answer(j, WEIR_TROUBLE_MISCONFIGURED, "does url belong to an InfluxDB?",
               "a web server answers, not a database");
    else if (strstr(m, "gzip") || strcmp(m, "unexpected EOF") == 0)
        answer(j, WEIR_TROUBLE_MISCONFIGURED, "set gzip: false",
               "what is compressed is not understood");
    else if (strstr(m, "required") || strstr(m, "precision"))
        answer(j, WEIR_TROUBLE_MISCONFIGURED, "check database, or org and bucket",
               "the server misses something");
    else
        reject(j, row_of_number(j->reply, j->lines), "refused");
}

static void server_error(const judge *j)
{
    if (message_judged(j))
        return;
    if (weir_influxdb_lacks_database(j->reply))
        no_database(j);
    else if (j->reply->status == 502 || j->reply->status == 504)
        answer(j, WEIR_TROUBLE_OFFLINE, "is the database behind the proxy running?",
               "a proxy cannot reach the server");
    else
        answer(j, WEIR_TROUBLE_BUSY, "look at the server's log", "the server cannot take it now");
}

static void success(const judge *j)
{
    const weir_influxdb_reply *r = j->reply;
    if (r->status == 204 || (r->status == 200 && r->n == 0))
        *j->ret = (weir_send_answer){.result = WEIR_SEND_DELIVERED};
    else if (r->status != 200 || is_web_page(r) || *r->body != '{')
        answer(j, WEIR_TROUBLE_MISCONFIGURED,
               "does url belong to an InfluxDB? A portal or proxy may be in between",
               "a web server answers, not a database");
    else if (json_text(r->body, r->body + r->n, "\"error\""))
        bad_request(j);
    else
        *j->ret = (weir_send_answer){.result = WEIR_SEND_DELIVERED};
}

static void redirected(const judge *j)
{
    char where[160];
    /* What follows ? may be a ticket of somebody's login. */
    (void)snprintf(where, sizeof where, "%.*s", (int)strcspn(j->reply->location, "?#"),
                   j->reply->location);
    clean(where);
    weir_send_later(j->ret, WEIR_TROUBLE_MISCONFIGURED,
                    "write the address of the database itself in url; https:// if that is all",
                    "the server sends elsewhere (%d)%s%.120s, where weir does not follow",
                    j->reply->status, *where ? ", to " : "", where);
}

bool weir_influxdb_lacks_database(const weir_influxdb_reply *reply)
{
    char message[200];
    message_raw(reply, message, sizeof message);
    return reply->status >= 400 && strstr(message, "database not found") != NULL;
}

void weir_influxdb_judge(const weir_influxdb_options *options, const weir_influxdb_reply *reply,
                         const weir_influxdb_text *lines, const weir_sink_row *rows,
                         weir_send_answer *ret)
{
    char message[MESSAGE_MAX];
    const judge j = {options, reply, lines, rows, message, ret};
    const int status = reply->status;
    message_raw(reply, message, sizeof message);
    if (is_web_page(reply))
        message[0] = '\0'; /* a page is no message */
    if (status >= 200 && status < 300)
        success(&j);
    else if (status >= 300 && status < 400)
        redirected(&j);
    else if (status == 400 || status == 422)
        bad_request(&j);
    else if (status == 401 || status == 403 || status == 407)
        refused(&j);
    else if (status == 404)
        not_found(&j);
    else if (status == 413) {
        answer(&j, WEIR_TROUBLE_NONE, "", "more than the server takes at a time");
        ret->result = WEIR_SEND_TOO_LARGE;
        ret->retry_after_us = 0;
    } else if (status == 429 || status == 503)
        answer(&j, WEIR_TROUBLE_BUSY, "", "the server asks to wait");
    else if (status >= 500)
        server_error(&j);
    else
        answer(&j, WEIR_TROUBLE_MISCONFIGURED, "does url belong to an InfluxDB?",
               "not an answer of a database");
}
