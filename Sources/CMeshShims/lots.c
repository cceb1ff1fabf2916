#include "lots.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PLACES_PER_STEP 64 // made usable at a time

int lot_prepare(struct lot *lot) {
#ifdef SANITIZED
  (void)lot;
  return 0;
#else
  size_t bytes = lot->places_max * lot->place_bytes;
  void *base = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED) return 0;
  madvise(base, bytes, MADV_NOHUGEPAGE);
  lot->base = base;
  return 1;
#endif
}

void *lot_take(struct lot *lot) {
  if (!lot->base) return NULL;
  uint32_t index = lot->places_max;
  pthread_mutex_lock(&lot->lock);
  if (lot->warm_count > 0) {
    index = lot->warm[--lot->warm_count];
  } else if (lot->cold_count > 0) {
    index = lot->cold[--lot->cold_count];
  } else {
    if (lot->handed_out == lot->opened && lot->opened < lot->places_max
        && mprotect(lot->base + lot->opened * lot->place_bytes, PLACES_PER_STEP * lot->place_bytes,
                    PROT_READ | PROT_WRITE) == 0)
      lot->opened += PLACES_PER_STEP;
    if (lot->handed_out < lot->opened) index = lot->handed_out++;
  }
  pthread_mutex_unlock(&lot->lock);
  return index < lot->places_max ? lot->base + index * lot->place_bytes : NULL;
}

static uint32_t place_index(const struct lot *lot, const void *block) {
  return (uint32_t)((size_t)((const char *)block - lot->base) / lot->place_bytes);
}

static int give_pages_back(const struct lot *lot, const void *block) {
  return madvise(lot->base + place_index(lot, block) * lot->place_bytes, lot->place_bytes, MADV_DONTNEED) == 0;
}

void lot_give(struct lot *lot, void *place) {
  uint32_t index = place_index(lot, place);
  pthread_mutex_lock(&lot->lock);
  int is_warm = lot->warm_count < lot->warm_max;
  if (is_warm) lot->warm[lot->warm_count++] = index;
  pthread_mutex_unlock(&lot->lock);
  if (is_warm) return;
  give_pages_back(lot, place);
  pthread_mutex_lock(&lot->lock);
  lot->cold[lot->cold_count++] = index;
  pthread_mutex_unlock(&lot->lock);
}

// For each group of words, a bit for each that is not zero; then those words.
struct kept {
  size_t groups;
  uint64_t words[];
};

void *lot_keep(struct lot *lot, const void *from, size_t bytes) {
  const uint64_t *words = from;
  size_t total = bytes / sizeof *words, groups = (total + WORDS_PER_GROUP - 1) / WORDS_PER_GROUP, count = 0;
  uint64_t bits[PLACE_BYTES_MAX / sizeof *words / WORDS_PER_GROUP] = {0};
  if (groups > sizeof bits / sizeof *bits) return NULL;
  for (size_t i = 0; i < total; i++) {
    uint64_t is_set = words[i] != 0;
    bits[i / WORDS_PER_GROUP] |= is_set << (i % WORDS_PER_GROUP);
    count += is_set;
  }
  struct kept *kept = malloc(sizeof *kept + (groups + count) * sizeof *words);
  if (!kept) return NULL;
  kept->groups = groups;
  memcpy(kept->words, bits, groups * sizeof *bits);
  uint64_t *next = kept->words + groups;
  for (size_t group = 0; group < groups; group++)
    for (uint64_t rest = bits[group]; rest; rest &= rest - 1)
      *next++ = words[group * WORDS_PER_GROUP + (size_t)__builtin_ctzll(rest)];
  if (give_pages_back(lot, from)) return kept;
  free(kept);
  return NULL;
}

void lot_restore(void *to, void *parked) {
  struct kept *kept = parked;
  uint64_t *words = to;
  const uint64_t *next = kept->words + kept->groups;
  for (size_t group = 0; group < kept->groups; group++)
    for (uint64_t rest = kept->words[group]; rest; rest &= rest - 1)
      words[group * WORDS_PER_GROUP + (size_t)__builtin_ctzll(rest)] = *next++;
  // There may be keys among them.
  explicit_bzero(kept, (size_t)((const char *)next - (const char *)kept));
  free(kept);
}
