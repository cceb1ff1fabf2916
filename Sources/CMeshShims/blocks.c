#include "CMeshShims.h"
#include "lots.h"
#include <stdlib.h>
#include <string.h>

#ifdef SANITIZED
// A block that is kept would hide its use after it was freed.
void *mesh_block_new(size_t size, void *arena) { (void)arena; return malloc(size); }
void mesh_block_free(void *block, void *arena) { (void)arena; free(block); }
void *mesh_block_zeroed(size_t count, size_t size, void *arena) { (void)arena; return calloc(count, size); }
void *mesh_block_resize(void *block, size_t size, void *arena) { (void)arena; return realloc(block, size); }

int mesh_arenas_prepare(void) { return 0; }
void *mesh_arena_new(void) { return NULL; }
void mesh_arena_free(void *arena) { (void)arena; }
void *mesh_arena_park(void *arena) { (void)arena; return NULL; }
void mesh_arena_fetch(void *arena, void *parked) { (void)arena, (void)parked; }
#else

#define CLASS_BYTES 32                   // sizes are rounded up to a multiple
#define CLASSES 31                       // blocks above CLASSES * CLASS_BYTES are not kept
#define KEPT_BYTES_MAX (256 * 1024)      // per thread and size; beyond, blocks go back to the heap

// Before each block; 16 bytes keep its alignment.
struct head {
  size_t size; // what the caller may use; and IN_ARENA
  struct head *next;
};
_Static_assert(sizeof(struct head) == 16, "blocks are aligned to 16");
#define IN_ARENA ((size_t)1 << 63)

// Seven pages, an odd number, and 16 offsets in turn: what all sessions use most must not meet in the same cache lines.
#define ARENA_BYTES 28672
#define OFFSETS 16
#define OFFSET_BYTES 192
#define ARENAS_MAX (1u << 18)
#define ARENAS_WARM_MAX 64
#define BUFFER_BYTES_MIN 16384 // a block of that size is the buffer, the arena's last block

struct arena {
  size_t used;   // from the arena's start
  size_t buffer; // where the buffer's contents begin; 0: there is none yet
  size_t end;    // of what it may use
  size_t unused;
};
_Static_assert(sizeof(struct arena) % 16 == 0, "blocks are aligned to 16");

static uint32_t arenas_warm[ARENAS_WARM_MAX], arenas_cold[ARENAS_MAX];
static struct lot arenas = {.place_bytes = ARENA_BYTES, .places_max = ARENAS_MAX, .warm_max = ARENAS_WARM_MAX,
                            .warm = arenas_warm, .cold = arenas_cold, .lock = PTHREAD_MUTEX_INITIALIZER};

static __thread struct head *kept[CLASSES + 1] __attribute__((tls_model("initial-exec")));
static __thread uint32_t kept_bytes[CLASSES + 1] __attribute__((tls_model("initial-exec")));

static void *arena_take(struct arena *arena, size_t size) {
  size = (size + 15) & ~(size_t)15;
  if (arena->buffer || size > arena->end - arena->used - sizeof(struct head)) return NULL;
  struct head *head = (struct head *)((char *)arena + arena->used);
  head->size = size | IN_ARENA;
  arena->used += sizeof *head + size;
  if (size >= BUFFER_BYTES_MIN) arena->buffer = arena->used - size;
  return head + 1;
}

void *mesh_block_new(size_t size, void *arena) {
  if (size == 0) size = 1;
  size_t class = (size - 1) / CLASS_BYTES + 1;
  struct head *head;
  if (class <= CLASSES) {
    size = class * CLASS_BYTES;
    head = kept[class];
    if (head) {
      kept[class] = head->next;
      kept_bytes[class] -= (uint32_t)size;
      return head + 1;
    }
  } else if (size > PTRDIFF_MAX - sizeof *head) {
    return NULL;
  } else if (arena) {
    void *block = arena_take(arena, size);
    if (block) return block;
  }
  head = malloc(sizeof *head + size);
  if (!head) return NULL;
  head->size = size;
  return head + 1;
}

void mesh_block_free(void *block, void *arena) {
  (void)arena;
  if (!block) return;
  struct head *head = (struct head *)block - 1;
  size_t class = head->size / CLASS_BYTES;
  if (class <= CLASSES && kept_bytes[class] < KEPT_BYTES_MAX && head->size % CLASS_BYTES == 0) {
    head->next = kept[class];
    kept[class] = head;
    kept_bytes[class] += (uint32_t)head->size;
  } else if (!(head->size & IN_ARENA)) {
    free(head);
  } else if ((head->size & ~IN_ARENA) < BUFFER_BYTES_MIN) {
    // It comes back with its arena; zeros need no place when that is parked.
    memset(block, 0, head->size & ~IN_ARENA);
  }
}

void *mesh_block_zeroed(size_t count, size_t size, void *arena) {
  size_t bytes;
  if (__builtin_mul_overflow(count, size, &bytes)) return NULL;
  void *block = mesh_block_new(bytes, arena);
  if (block) memset(block, 0, bytes);
  return block;
}

void *mesh_block_resize(void *block, size_t size, void *arena) {
  if (!block) return mesh_block_new(size, arena);
  size_t old = ((struct head *)block - 1)->size & ~IN_ARENA;
  if (size <= old && size >= old / 2) return block;
  void *moved = mesh_block_new(size, arena);
  if (!moved) return NULL;
  memcpy(moved, block, old < size ? old : size);
  mesh_block_free(block, arena);
  return moved;
}

int mesh_arenas_prepare(void) { return lot_prepare(&arenas); }

void *mesh_arena_new(void) {
  char *place = lot_take(&arenas);
  if (!place) return NULL;
  size_t offset = (size_t)(place - arenas.base) / ARENA_BYTES % OFFSETS * OFFSET_BYTES;
  struct arena *arena = (struct arena *)(place + offset);
  *arena = (struct arena){.used = sizeof *arena, .end = ARENA_BYTES - offset};
  return arena;
}

void mesh_arena_free(void *arena) { lot_give(&arenas, arena); }

void *mesh_arena_park(void *arena) {
  size_t bytes = ((struct arena *)arena)->buffer;
  return bytes ? lot_keep(&arenas, arena, bytes) : NULL;
}

void mesh_arena_fetch(void *arena, void *parked) { lot_restore(arena, parked); }
#endif
