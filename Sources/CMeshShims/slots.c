#include "CMeshShims.h"
#include "lots.h"
#include <stdlib.h>
#include <string.h>

#define SLOT_BYTES 8192 // two pages
#define SLOTS_MAX (1u << 20)
#define WARM_MAX 256

static uint32_t warm[WARM_MAX], cold[SLOTS_MAX];
static struct lot lot = {.place_bytes = SLOT_BYTES, .places_max = SLOTS_MAX, .warm_max = WARM_MAX, .warm = warm,
                         .cold = cold, .lock = PTHREAD_MUTEX_INITIALIZER};
static __thread int expects_slot __attribute__((tls_model("initial-exec")));

int mesh_slots_prepare(void) { return lot_prepare(&lot); }

void mesh_slot_expect(int expects) { expects_slot = expects; }

void *mesh_slot_malloc(size_t size, const char *file, int line) {
  (void)file, (void)line;
  if (__builtin_expect(expects_slot, 0) && size > SLOT_BYTES / 2 && size <= SLOT_BYTES) {
    expects_slot = 0;
    void *slot = lot_take(&lot);
    if (slot) return slot;
  }
  return size ? malloc(size) : NULL;
}

void mesh_slot_free(void *block, const char *file, int line) {
  (void)file, (void)line;
  if (__builtin_expect(lot_holds(&lot, block), 0)) lot_give(&lot, block);
  else free(block);
}

void *mesh_slot_realloc(void *block, size_t size, const char *file, int line) {
  if (!lot_holds(&lot, block)) {
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

void *mesh_slot_park(void *slot) { return lot_holds(&lot, slot) ? lot_keep(&lot, slot, SLOT_BYTES) : NULL; }
void mesh_slot_fetch(void *slot, void *parked) { lot_restore(slot, parked); }
