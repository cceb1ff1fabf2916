#include "CMeshShims.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

#define SLOT_BYTES 8192                // two pages
#define SLOTS_MAX (1u << 20)           // beyond, blocks come from the heap; address space, not memory
#define SLOTS_PER_STEP 64              // made usable at a time
#define WARM_MAX 256                   // vacant slots that keep their pages
#define WORDS (SLOT_BYTES / 8)

static char *lot;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
// Under the lock.
static uint32_t opened, handed_out, warm_count, cold_count;
static uint32_t warm[WARM_MAX], cold[SLOTS_MAX];
static __thread int expects_slot __attribute__((tls_model("initial-exec")));

int mesh_slots_prepare(void) {
#ifdef SANITIZED
  return 0; // A slot would hide the use of a block after it was freed.
#else
  void *base = mmap(NULL, (size_t)SLOTS_MAX * SLOT_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED) return 0;
  madvise(base, (size_t)SLOTS_MAX * SLOT_BYTES, MADV_NOHUGEPAGE);
  lot = base;
  return 1;
#endif
}

static int is_slot(const void *block) {
  return lot && (uintptr_t)block - (uintptr_t)lot < (uintptr_t)SLOTS_MAX * SLOT_BYTES;
}

static void *slot_new(void) {
  if (!lot) return NULL;
  uint32_t index = SLOTS_MAX;
  pthread_mutex_lock(&lock);
  if (warm_count > 0) {
    index = warm[--warm_count];
  } else if (cold_count > 0) {
    index = cold[--cold_count];
  } else {
    if (handed_out == opened && opened < SLOTS_MAX
        && mprotect(lot + (size_t)opened * SLOT_BYTES, SLOTS_PER_STEP * SLOT_BYTES, PROT_READ | PROT_WRITE) == 0)
      opened += SLOTS_PER_STEP;
    if (handed_out < opened) index = handed_out++;
  }
  pthread_mutex_unlock(&lock);
  return index < SLOTS_MAX ? lot + (size_t)index * SLOT_BYTES : NULL;
}

static void slot_free(void *slot) {
  uint32_t index = (uint32_t)(((char *)slot - lot) / SLOT_BYTES);
  pthread_mutex_lock(&lock);
  int is_warm = warm_count < WARM_MAX;
  if (is_warm) warm[warm_count++] = index;
  pthread_mutex_unlock(&lock);
  if (is_warm) return;
  madvise(slot, SLOT_BYTES, MADV_DONTNEED);
  pthread_mutex_lock(&lock);
  cold[cold_count++] = index;
  pthread_mutex_unlock(&lock);
}

void mesh_slot_expect(int expects) { expects_slot = expects; }

void *mesh_slot_malloc(size_t size, const char *file, int line) {
  (void)file, (void)line;
  if (__builtin_expect(expects_slot, 0) && size > SLOT_BYTES / 2 && size <= SLOT_BYTES) {
    expects_slot = 0;
    void *slot = slot_new();
    if (slot) return slot;
  }
  return size ? malloc(size) : NULL;
}

void mesh_slot_free(void *block, const char *file, int line) {
  (void)file, (void)line;
  if (__builtin_expect(is_slot(block), 0)) slot_free(block);
  else free(block);
}

void *mesh_slot_realloc(void *block, size_t size, const char *file, int line) {
  if (!is_slot(block)) {
    if (size) return realloc(block, size);
    free(block);
    return NULL;
  }
  void *moved = size ? malloc(size) : NULL;
  if (size && !moved) return NULL;
  if (moved) memcpy(moved, block, size < SLOT_BYTES ? size : SLOT_BYTES);
  mesh_slot_free(block, file, line);
  return moved;
}

// What is kept of a slot: a bit for each word that is not zero, then those words.
struct kept {
  uint64_t bits[WORDS / 64];
  uint64_t words[];
};

void *mesh_slot_park(void *slot) {
  if (!is_slot(slot)) return NULL;
  const uint64_t *words = slot;
  uint64_t bits[WORDS / 64] = {0};
  size_t count = 0;
  for (size_t i = 0; i < WORDS; i++) {
    uint64_t is_set = words[i] != 0;
    bits[i / 64] |= is_set << (i % 64);
    count += is_set;
  }
  struct kept *kept = malloc(sizeof *kept + count * sizeof *words);
  if (!kept) return NULL;
  memcpy(kept->bits, bits, sizeof bits);
  uint64_t *next = kept->words;
  for (size_t group = 0; group < WORDS / 64; group++)
    for (uint64_t rest = bits[group]; rest; rest &= rest - 1) *next++ = words[group * 64 + (size_t)__builtin_ctzll(rest)];
  if (madvise(slot, SLOT_BYTES, MADV_DONTNEED) == 0) return kept;
  free(kept);
  return NULL;
}

void mesh_slot_fetch(void *slot, void *parked) {
  struct kept *kept = parked;
  uint64_t *words = slot;
  const uint64_t *next = kept->words;
  for (size_t group = 0; group < WORDS / 64; group++)
    for (uint64_t rest = kept->bits[group]; rest; rest &= rest - 1) words[group * 64 + (size_t)__builtin_ctzll(rest)] = *next++;
  // There are keys among them.
  explicit_bzero(kept, (size_t)((const char *)next - (const char *)kept));
  free(kept);
}
