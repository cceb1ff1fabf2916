#include "CMeshShims.h"
#include <stdlib.h>
#include <string.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

#ifdef SANITIZED
// A block that is kept would hide its use after it was freed.
void *mesh_block_new(size_t size, void *unused) { (void)unused; return malloc(size); }
void mesh_block_free(void *block, void *unused) { (void)unused; free(block); }
void *mesh_block_zeroed(size_t count, size_t size, void *unused) { (void)unused; return calloc(count, size); }
void *mesh_block_resize(void *block, size_t size, void *unused) { (void)unused; return realloc(block, size); }
#else

#define CLASS_BYTES 32                   // sizes are rounded up to a multiple
#define CLASSES 32                       // blocks above CLASSES * CLASS_BYTES are not kept
#define KEPT_BYTES_MAX (256 * 1024)      // per thread and size; beyond, blocks go back to the heap

// Before each block; 16 bytes keep its alignment.
struct head {
  size_t size; // what the caller may use
  struct head *next;
};
_Static_assert(sizeof(struct head) == 16, "blocks are aligned to 16");

static __thread struct head *kept[CLASSES + 1] __attribute__((tls_model("initial-exec")));
static __thread uint32_t kept_bytes[CLASSES + 1] __attribute__((tls_model("initial-exec")));

void *mesh_block_new(size_t size, void *unused) {
  (void)unused;
  if (size == 0) size = 1;
  size_t class = (size + CLASS_BYTES - 1) / CLASS_BYTES;
  struct head *head;
  if (class <= CLASSES) {
    size = class * CLASS_BYTES;
    head = kept[class];
    if (head) {
      kept[class] = head->next;
      kept_bytes[class] -= (uint32_t)size;
      return head + 1;
    }
  } else if (size > SIZE_MAX - sizeof *head) {
    return NULL;
  }
  head = malloc(sizeof *head + size);
  if (!head) return NULL;
  head->size = size;
  return head + 1;
}

void mesh_block_free(void *block, void *unused) {
  (void)unused;
  if (!block) return;
  struct head *head = (struct head *)block - 1;
  size_t class = head->size / CLASS_BYTES;
  if (class <= CLASSES && kept_bytes[class] < KEPT_BYTES_MAX && head->size % CLASS_BYTES == 0) {
    head->next = kept[class];
    kept[class] = head;
    kept_bytes[class] += (uint32_t)head->size;
  } else {
    free(head);
  }
}

void *mesh_block_zeroed(size_t count, size_t size, void *unused) {
  size_t bytes;
  if (__builtin_mul_overflow(count, size, &bytes)) return NULL;
  void *block = mesh_block_new(bytes, unused);
  if (block) memset(block, 0, bytes);
  return block;
}

void *mesh_block_resize(void *block, size_t size, void *unused) {
  if (!block) return mesh_block_new(size, unused);
  size_t old = ((struct head *)block - 1)->size;
  if (size <= old && size >= old / 2) return block;
  void *moved = mesh_block_new(size, unused);
  if (!moved) return NULL;
  memcpy(moved, block, old < size ? old : size);
  mesh_block_free(block, unused);
  return moved;
}
#endif
