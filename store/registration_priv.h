/* SPDX-License-Identifier: MIT */
/* A registration under way, shared by the files that give tags their uids. */

#pragma once
#include "model/diff.h"
#include "store/file/database.h"
#include "store/store.h"

/* What has become of a tag in the table. */
typedef enum weir_taken {
    WEIR_TAKEN_NOT,
    WEIR_TAKEN_IN_PLACE, /* a tag of the catalog is this one, under the name it has */
    WEIR_TAKEN_MOVED,    /* the same, and it has given its name up for another */
} weir_taken;

/* Statements of one registration, and what it has seen. */
typedef struct weir_registration {
    weir_store *store;
    weir_catalog *catalog;
    const weir_diff *diff; /* from what is registered; NULL: nothing is known of that */
    sqlite3_stmt *lookup, *find, *add, *activate, *retire, *version, *device, *device_keep;
    sqlite3_stmt *former, *move, *displace;
    sqlite3_stmt *key_find, *key_put, *key_drop, *had_point;
    weir_tag_uid *uids; /* of the catalog's tags; 0: not found yet */
    uint8_t *same;      /* by device: nothing of its tags is different from what is registered */
    uint8_t *taken;     /* by uid of the table as it was: weir_taken */
    size_t n_taken;
    size_t n_named; /* names that are new, or of another tag than before */
    int64_t last;   /* uid */
} weir_registration;

/* What a tag is known by, whatever its name is; device "": by its point alone. */
typedef struct weir_tag_key {
    const char *device, *point;
    uint32_t element;
} weir_tag_key;

/*
 * The key of a tag of a catalog: weir_device.key and weir_point.key. A point without one, of a
 * device with one, is known by its name, with a "/" in front, which no key has. room: for that.
 * False: nothing knows it by more than its name. room->failed: memory is short.
 */
bool weir_tag_key_of(const weir_catalog *catalog, const weir_tag *tag, weir_text *room,
                     weir_tag_key *ret);

/* Which tag was registered with this key; 0: none. */
weir_err weir_registration_find_key(weir_registration *r, const weir_tag_key *key,
                                    weir_tag_uid *ret, weir_error *error) WEIR_MUST_CHECK;

/* All tags have their uids: the table gets the keys they have now, and loses all others. */
weir_err weir_registration_put_keys(weir_registration *r, weir_error *error) WEIR_MUST_CHECK;

/*
 * Before uids are given by name: finds the tags that may be called otherwise than before, and gives
 * them the uids and, in the table, the names they have now:
 *
 * - by the keys they were registered with;
 * - by what the configuration says (weir_device.was, weir_point.was);
 * - where nobody has the name, by keys that are guesses (WEIR_KEY_GUESS).
 *
 * Names may go round in a circle. A name that belonged to a tag which is not in the catalog goes on
 * with a "~" and its uid behind. What was renamed before stays as it is.
 */
weir_err weir_registration_rename(weir_registration *r, weir_error *error) WEIR_MUST_CHECK;
