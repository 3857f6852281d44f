/* SPDX-License-Identifier: MIT */
/* Heap memory that tests can refuse, and an arena that is dropped at once. */

#include "base/alloc.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ARRAY_FIRST = 16 }; /* elements: few arrays stay smaller, and none grows often */

/* The one global of lib/: a test hook, zero in every real program. */
static _Atomic size_t fail_countdown;
static _Atomic bool fail_persistent;
static _Atomic size_t counted;
static _Atomic bool counting;

static bool refused(void)
{
    if (!atomic_load_explicit(&counting, memory_order_relaxed))
        return false;
    counted++;
    if (fail_countdown == 0)
        return false;
    if (fail_countdown > 1) {
        fail_countdown--;
        return false;
    }
    if (!fail_persistent)
        fail_countdown = 0;
    return true;
}

size_t weir_alloc_fail_nth(size_t n, bool persistent)
{
    size_t old = counted;
    counted = 0;
    fail_countdown = n;
    fail_persistent = persistent;
    counting = true;
    return old;
}

void *weir_alloc(size_t size)
{
    return refused() ? NULL : malloc(size ? size : 1);
}

void *weir_alloc_zero(size_t n, size_t size)
{
    return refused() ? NULL : calloc(n ? n : 1, size ? size : 1);
}

char *weir_alloc_text_n(const char *text, size_t n)
{
    char *copy = weir_alloc(n + 1);
    if (copy) {
        memcpy(copy, text, n);
        copy[n] = '\0';
    }
    return copy;
}

char *weir_alloc_text(const char *text)
{
    return weir_alloc_text_n(text, strlen(text));
}

void *weir_realloc_array(void *old, size_t n, size_t size)
{
    size_t total;
    if (refused() || __builtin_mul_overflow(n, size, &total))
        return NULL;
    return realloc(old, total ? total : 1);
}

void *weir_array_room(void *array, size_t n, size_t *capacity, size_t size)
{
    if (n < *capacity)
        return array;
    const size_t more = *capacity ? 2 * *capacity : ARRAY_FIRST;
    void *grown = weir_realloc_array(array, more, size);
    if (grown)
        *capacity = more;
    return grown;
}

void weir_free(void *p)
{
    free(p);
}

/* First chunk small (most parsed things are), later ones doubling up to 256 KiB. */
enum { CHUNK_FIRST = 4096, CHUNK_MAX = 256 * 1024 };

struct chunk {
    struct chunk *next;
    size_t used;
    size_t capacity;
    _Alignas(max_align_t) unsigned char bytes[];
};

struct weir_arena {
    struct chunk *head;
    size_t next_capacity;
    size_t handed_out;
};

weir_arena *weir_arena_new(void)
{
    weir_arena *arena = weir_alloc_zero(1, sizeof *arena);
    if (arena)
        arena->next_capacity = CHUNK_FIRST;
    return arena;
}

void weir_arena_free(weir_arena *arena)
{
    if (!arena)
        return;
    for (struct chunk *c = arena->head; c;) {
        struct chunk *next = c->next;
        weir_free(c);
        c = next;
    }
    weir_free(arena);
}

static struct chunk *arena_grow(weir_arena *arena, size_t need)
{
    size_t capacity = arena->next_capacity > need ? arena->next_capacity : need;
    if (capacity > SIZE_MAX - sizeof(struct chunk))
        return NULL;
    struct chunk *c = weir_alloc(sizeof *c + capacity);
    if (!c)
        return NULL;
    c->used = 0;
    c->capacity = capacity;
    c->next = arena->head;
    arena->head = c;
    if (arena->next_capacity < CHUNK_MAX)
        arena->next_capacity *= 2;
    return c;
}

void *weir_arena_alloc(weir_arena *arena, size_t n, size_t size)
{
    const size_t align = _Alignof(max_align_t);
    size_t total;
    if (__builtin_mul_overflow(n, size, &total) || total > SIZE_MAX - align)
        return NULL;
    total = (total + align - 1) / align * align;
    struct chunk *c = arena->head;
    if (!c || c->capacity - c->used < total)
        c = arena_grow(arena, total);
    if (!c)
        return NULL;
    void *p = c->bytes + c->used;
    c->used += total;
    arena->handed_out += total;
    return memset(p, 0, total);
}

char *weir_arena_text_n(weir_arena *arena, const char *text, size_t n)
{
    char *copy = n < SIZE_MAX ? weir_arena_alloc(arena, n + 1, 1) : NULL;
    if (copy && n)
        memcpy(copy, text, n);
    return copy;
}

char *weir_arena_text(weir_arena *arena, const char *text)
{
    return weir_arena_text_n(arena, text, strlen(text));
}

char *weir_arena_format(weir_arena *arena, const char *format, ...)
{
    va_list va, again;
    va_start(va, format);
    va_copy(again, va);
    int n = vsnprintf(NULL, 0, format, va);
    va_end(va);
    char *text = n >= 0 ? weir_arena_alloc(arena, (size_t)n + 1, 1) : NULL;
    if (text)
        (void)vsnprintf(text, (size_t)n + 1, format, again);
    va_end(again);
    return text;
}

size_t weir_arena_size(const weir_arena *arena)
{
    return arena->handed_out;
}
