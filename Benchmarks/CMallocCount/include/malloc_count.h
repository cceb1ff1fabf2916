// Counts allocations: malloc and its relatives are replaced for the whole process, and each thread has its own counts.
#pragma once
#include <stdbool.h>
#include <stdint.h>

/// Whether allocations are counted in this build; a sanitizer needs the allocator for itself.
bool malloc_count_works(void);

/// Allocations (malloc, calloc, realloc, aligned ones) of the calling thread since it started.
uint64_t malloc_count_here(void);

/// Allocations of a living thread of this process, by its kernel id; 0 if it never allocated.
uint64_t malloc_count_of(int thread_id);

/// Prints the stack of the next `count` allocations of a thread to standard error.
void malloc_count_show(int thread_id, int count);
