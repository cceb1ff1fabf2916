// Lots: address space cut into places of one size, each on pages of its own, which go back to the system when their
// contents are kept elsewhere.
#pragma once
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1 // A place would hide the use of a block after it was freed.
#endif
#endif

#define PLACE_BYTES_MAX 32768
#define WORDS_PER_GROUP 64

struct lot {
  const size_t place_bytes;    // whole pages
  const uint32_t places_max;   // address space, not memory
  const uint32_t warm_max;     // vacant places that keep their pages
  uint32_t *const warm, *const cold;  // room for warm_max and places_max
  char *base;
  pthread_mutex_t lock;
  // Under the lock.
  uint32_t opened, handed_out, warm_count, cold_count;
};

// Reserves the address space; once, before all else. 0: there is none, or no lots in this build.
int lot_prepare(struct lot *lot);
// A place, whose contents are undefined; NULL: none is left.
void *lot_take(struct lot *lot);
void lot_give(struct lot *lot, void *place);

static inline int lot_holds(const struct lot *lot, const void *block) {
  return lot->base && (uintptr_t)block - (uintptr_t)lot->base < lot->places_max * lot->place_bytes;
}

// Copies those of the first `bytes` of `from` that are not zero to the heap, and gives all pages of `from`'s place back.
// `bytes` is a multiple of 8, at most PLACE_BYTES_MAX. NULL: memory is short, and nothing has changed.
void *lot_keep(struct lot *lot, const void *from, size_t bytes);
// Writes them back, and frees the copy.
void lot_restore(void *to, void *kept);
