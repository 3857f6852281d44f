/* SPDX-License-Identifier: MIT */
/* Heap memory that tests can refuse, and an arena that is dropped at once. */

#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/* As malloc, calloc (with its overflow check), realloc (n * size, checked) and free. NULL when
 * memory is short. Any thread. */
void *weir_alloc(size_t size) WEIR_MUST_CHECK;
void *weir_alloc_zero(size_t n, size_t size) WEIR_MUST_CHECK;
void *weir_realloc_array(void *old, size_t n, size_t size) WEIR_MUST_CHECK;
void weir_free(void *p);

/* Room for one more behind the n elements of an array: where the array is now, with its capacity
 * doubled if that was used up. NULL when memory is short: array and capacity are as they were. */
void *weir_array_room(void *array, size_t n, size_t *capacity, size_t size) WEIR_MUST_CHECK;

/* Test hook: the n-th allocation from now (1 = the next one) fails, once, or for ever when
 * persistent. n = 0 switches it off. Returns how many allocations were counted since the last
 * call. For single-threaded tests. */
size_t weir_alloc_fail_nth(size_t n, bool persistent);

/* A copy of the text, freed with weir_free; of its first n bytes, which need no NUL behind. */
char *weir_alloc_text(const char *text) WEIR_MUST_CHECK;
char *weir_alloc_text_n(const char *text, size_t n) WEIR_MUST_CHECK;

/*
 * An arena: memory that lives and dies together (a catalog snapshot, one parsed file).
 * Nothing is released singly. Not thread-safe while being filled; read-only use from any thread.
 */
typedef struct weir_arena weir_arena;

weir_arena *weir_arena_new(void) WEIR_MUST_CHECK;
void weir_arena_free(weir_arena *arena); /* accepts NULL */

/* Zeroed memory aligned for any type; NULL when memory is short. */
void *weir_arena_alloc(weir_arena *arena, size_t n, size_t size) WEIR_MUST_CHECK;

/* Copies n bytes of text and adds a NUL. */
char *weir_arena_text_n(weir_arena *arena, const char *text, size_t n) WEIR_MUST_CHECK;
char *weir_arena_text(weir_arena *arena, const char *text) WEIR_MUST_CHECK;
char *weir_arena_format(weir_arena *arena, const char *format, ...)
    WEIR_PRINTF(2, 3) WEIR_MUST_CHECK;

/* Bytes handed out so far, for limits and statistics. */
size_t weir_arena_size(const weir_arena *arena);

WEIR_DEFINE_CLEANUP(weir_arena, weir_arena_free)
WEIR_DEFINE_CLEANUP(void, weir_free)
