/* SPDX-License-Identifier: MIT */
/* What PostgreSQL's refusals mean: for the rows, for the sink's state, for the person. */

#include "sinks/postgres/trouble.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

void weir_pg_remedy(weir_send_answer *ret, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(ret->remedy, sizeof ret->remedy, format, arguments);
    va_end(arguments);
}

/* --- SQLSTATE ----------------------------------------------------------------------------- */

/* In remedies: @H host, @P port, @D database, @U user, @T tags table, @S samples table, @N schema,
 * @K the sink. */
typedef struct meaning {
    const char *sqlstate; /* or its first two letters, the class; the first that fits counts */
    bool is_rejection;    /* the server says it of a row */
    weir_trouble trouble;
    const char *remedy;
} meaning;

static const meaning meanings[] = {
    /* class 08: connection exception */
    {"08", false, WEIR_TROUBLE_OFFLINE, ""},
    /* class 22, 23, 44: of what a row holds, but 22P03 and 22P04: of the form it is sent in */
    {"22P03", false, WEIR_TROUBLE_MISCONFIGURED, "compare the table with: weir sink schema @K"},
    {"22P04", false, WEIR_TROUBLE_MISCONFIGURED, "compare the table with: weir sink schema @K"},
    {"22", true, WEIR_TROUBLE_MISCONFIGURED, ""},
    {"23", true, WEIR_TROUBLE_MISCONFIGURED, ""},
    {"44", true, WEIR_TROUBLE_MISCONFIGURED, ""},
    {"25006", false, WEIR_TROUBLE_MISCONFIGURED,
     "this server only reads (a standby?): give the primary's address in url, or all of them: "
     "postgresql://a,b/@D?target_session_attrs=read-write"},
    {"28P01", false, WEIR_TROUBLE_REFUSED,
     "set password_file of the sink; try it: psql -h @H -p @P -U @U @D"},
    {"28", false, WEIR_TROUBLE_REFUSED,
     "the server's pg_hba.conf must let @U into @D from here, and the role must exist; with "
     "\"no encryption\" there: sslmode: verify-full or require"},
    {"3D", false, WEIR_TROUBLE_MISCONFIGURED,
     "createdb -h @H -p @P @D, or set database of the sink"},
    {"3F", false, WEIR_TROUBLE_MISCONFIGURED, "CREATE SCHEMA @N; or set schema of the sink"},
    {"40", false, WEIR_TROUBLE_BUSY, ""},
    {"42501", false, WEIR_TROUBLE_REFUSED,
     "as its owner: GRANT SELECT, INSERT, UPDATE ON @T, @S TO @U; GRANT TEMPORARY ON DATABASE @D "
     "TO "
     "@U; or GRANT CREATE, USAGE ON SCHEMA @N TO @U"},
    {"42", false, WEIR_TROUBLE_MISCONFIGURED, "compare the table with: weir sink schema @K"},
    {"0A", false, WEIR_TROUBLE_MISCONFIGURED, "compare the table with: weir sink schema @K"},
    {"53100", false, WEIR_TROUBLE_FULL, "make room on the disk of the server @H"},
    {"53400", false, WEIR_TROUBLE_FULL, "raise temp_file_limit of the server"},
    {"53300", false, WEIR_TROUBLE_BUSY, "raise max_connections of the server, or close others"},
    {"53", false, WEIR_TROUBLE_BUSY, ""},
    {"54", true, WEIR_TROUBLE_MISCONFIGURED, ""},
    {"55P03", false, WEIR_TROUBLE_BUSY, "see who holds a lock: SELECT * FROM pg_locks"},
    {"55", false, WEIR_TROUBLE_BUSY, ""},
    {"57014", false, WEIR_TROUBLE_BUSY,
     "see what it waits for: SELECT pid, wait_event, query FROM pg_stat_activity"},
    {"57P04", false, WEIR_TROUBLE_MISCONFIGURED, "the database was dropped: createdb @D"},
    {"57", false, WEIR_TROUBLE_OFFLINE, ""},
    {"58", false, WEIR_TROUBLE_OFFLINE, "see the server's log: its disk has an error"},
    {"XX", false, WEIR_TROUBLE_OFFLINE, "see the server's log"},
    /* class P0 and a trigger's own: raised because of a row */
    {"", true, WEIR_TROUBLE_MISCONFIGURED, ""},
};

static const meaning *meaning_of(const char *sqlstate)
{
    const meaning *m = meanings;
    while (strncmp(m->sqlstate, sqlstate, strlen(m->sqlstate)) != 0)
        m++;
    return m;
}

static void remedy_fill(const char *text, const weir_pg_place *place, weir_send_answer *ret)
{
    WEIR_TEXT_AUTO t = WEIR_TEXT_INIT;
    while (*text) {
        const size_t n = strcspn(text, "@");
        weir_text_add_n(&t, text, n);
        text += n;
        if (!*text)
            break;
        switch (text[1]) {
        case 'H':
            weir_text_add(&t, place->host);
            break;
        case 'P':
            weir_text_add(&t, place->port);
            break;
        case 'D':
            weir_text_add(&t, place->database);
            break;
        case 'U':
            weir_text_add(&t, place->user);
            break;
        case 'T':
            weir_text_add(&t, place->tags);
            break;
        case 'S':
            weir_text_add(&t, place->samples);
            break;
        case 'K':
            weir_text_add(&t, place->sink);
            break;
        default:
            weir_text_add(&t, place->schema);
        }
        text += 2;
    }
    weir_pg_remedy(ret, "%s", weir_text_get(&t));
}

/* "COPY weir_samples, line 3, column ts" on a line of its own: 2. The words between the commas are
 * in the server's language. */
static size_t line_of(const char *context, const char *table, size_t n_rows)
{
    const size_t length = strlen(table);
    for (const char *at = context; at && *at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL) {
        if (strncmp(at, "COPY ", 5) != 0 || strncmp(at + 5, table, length) != 0 ||
            at[5 + length] != ',')
            continue;
        const char *digits = at + 5 + length + strcspn(at + 5 + length, "0123456789\n");
        const unsigned long long line = strtoull(digits, NULL, 10);
        return line >= 1 && line <= n_rows ? (size_t)line - 1 : SIZE_MAX;
    }
    return SIZE_MAX;
}

void weir_pg_judge(const weir_pg_fault *fault, const weir_pg_place *place, const char *table,
                   size_t n_rows, weir_send_answer *ret)
{
    const char *sqlstate = fault->sqlstate ? fault->sqlstate : "XX000";
    const char *message = fault->message ? fault->message : "";
    const bool has_detail = fault->detail && *fault->detail;
    const meaning *m = meaning_of(sqlstate);
    weir_send_later(ret, m->trouble, "", "the server says: %s (%s)%s%s", message, sqlstate,
                    has_detail ? ": " : "", has_detail ? fault->detail : "");
    remedy_fill(m->remedy, place, ret);
    if (m->is_rejection && n_rows > 0) {
        ret->result = WEIR_SEND_REJECTED;
        ret->trouble = WEIR_TROUBLE_NONE;
        ret->first_bad = line_of(fault->context, table, n_rows);
    }
}

/* --- messages of libpq -------------------------------------------------------------------- */

/* "FATAL:  28P01: password ..." of PQERRORS_VERBOSE: where the five characters begin. The word
 * before is in the server's language. */
static const char *sqlstate_find(const char *message)
{
    for (const char *at = strstr(message, ":  "); at; at = strstr(at + 1, ":  ")) {
        size_t n = 0;
        while (n < 5 && (isdigit((unsigned char)at[3 + n]) || isupper((unsigned char)at[3 + n])))
            n++;
        if (n == 5 && at[8] == ':' && at[9] == ' ')
            return at + 3;
    }
    return NULL;
}

static const struct connection_meaning {
    const char *words;
    weir_trouble trouble;
    const char *remedy;
} connection_meanings[] = {
    {"could not translate host name", WEIR_TROUBLE_OFFLINE,
     "is the name in url right? Try: getent hosts @H"},
    {"name server does not answer", WEIR_TROUBLE_OFFLINE,
     "is the network up? Try: getent hosts @H"},
    {"Connection refused", WEIR_TROUBLE_OFFLINE,
     "does PostgreSQL run there, with that port in listen_addresses? Try: pg_isready -h @H -p @P"},
    {"server does not support SSL", WEIR_TROUBLE_REFUSED,
     "set ssl = on with a certificate in its postgresql.conf; or, on a network you trust, sslmode: "
     "disable"},
    {"does not match host name", WEIR_TROUBLE_REFUSED,
     "write the name that the certificate is for in url, or sslmode: verify-ca"},
    {"root certificate file", WEIR_TROUBLE_MISCONFIGURED,
     "set ssl_root_cert of the sink to the file of the CA that made the server's certificate"},
    {"certificate verify failed", WEIR_TROUBLE_REFUSED,
     "set ssl_root_cert of the sink to the file of the CA that made the server's certificate"},
    {"alert", WEIR_TROUBLE_REFUSED,
     "the server refuses weir's certificate: see ssl_cert and ssl_key of the sink"},
    {"private key file", WEIR_TROUBLE_MISCONFIGURED, "see ssl_key of the sink: chmod 0600"},
    {"certificate", WEIR_TROUBLE_MISCONFIGURED, "see ssl_cert of the sink"},
    {"No such file or directory", WEIR_TROUBLE_OFFLINE,
     "does PostgreSQL run on this machine, with its socket there? Try: pg_isready -h @H -p @P"},
    {"no password supplied", WEIR_TROUBLE_REFUSED,
     "set password_file of the sink; try it: psql -h @H -p @P -U @U @D"},
    {"invalid response to SSL", WEIR_TROUBLE_MISCONFIGURED,
     "that is not PostgreSQL: is the port in url right?"},
    {"expected authentication request", WEIR_TROUBLE_MISCONFIGURED,
     "that is not PostgreSQL: is the port in url right?"},
    {"invalid port number", WEIR_TROUBLE_MISCONFIGURED, "see url of the sink"},
    {"invalid", WEIR_TROUBLE_MISCONFIGURED, "see the options of the sink"},
    {"", WEIR_TROUBLE_OFFLINE, "try: pg_isready -h @H -p @P"},
};

/* In one line. */
static void words_add(weir_text *t, const char *words, size_t n)
{
    bool is_blank = true;
    for (size_t i = 0; i < n && words[i]; i++) {
        const bool blank = isspace((unsigned char)words[i]);
        if (blank && !is_blank && words[i + 1])
            weir_text_add_char(t, ' ');
        if (!blank)
            weir_text_add_char(t, words[i]);
        is_blank = blank;
    }
    while (t->length > 0 && t->text[t->length - 1] == ' ')
        t->text[--t->length] = '\0';
}

void weir_pg_judge_connection(const char *message, const weir_pg_place *place,
                              weir_send_answer *ret)
{
    WEIR_TEXT_AUTO words = WEIR_TEXT_INIT;
    const char *found = sqlstate_find(message);
    if (found) {
        const char sqlstate[6] = {found[0], found[1], found[2], found[3], found[4], '\0'};
        words_add(&words, found + 7, strcspn(found + 7, "\n"));
        weir_pg_judge(&(weir_pg_fault){.sqlstate = sqlstate, .message = weir_text_get(&words)},
                      place, "", 0, ret);
        return;
    }
    const struct connection_meaning *m = connection_meanings;
    while (!strstr(message, m->words))
        m++;
    words_add(&words, message, strlen(message));
    weir_send_later(ret, m->trouble, "", "%s", weir_text_get(&words));
    remedy_fill(m->remedy, place, ret);
}
