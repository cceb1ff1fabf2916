// What Glibc's module map leaves out, and relaxed words shared between one writer thread and its readers.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <time.h>

/// Adds to a word that only the calling thread writes; other threads may read it at any time.
static inline void mesh_word_add(uint64_t *word, uint64_t amount) {
  __atomic_store_n(word, __atomic_load_n(word, __ATOMIC_RELAXED) + amount, __ATOMIC_RELAXED);
}
static inline void mesh_word_store(uint64_t *word, uint64_t value) { __atomic_store_n(word, value, __ATOMIC_RELAXED); }
static inline uint64_t mesh_word_load(const uint64_t *word) { return __atomic_load_n(word, __ATOMIC_RELAXED); }
/// For a word that is an address: who acquires it sees what was written before it was published.
static inline void mesh_word_publish(uint64_t *word, uint64_t value) { __atomic_store_n(word, value, __ATOMIC_RELEASE); }
static inline uint64_t mesh_word_acquire(const uint64_t *word) { return __atomic_load_n(word, __ATOMIC_ACQUIRE); }

/// Nanoseconds on CLOCK_MONOTONIC.
static inline uint64_t mesh_monotonic_nanoseconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}
/// Nanoseconds since the Unix epoch.
static inline uint64_t mesh_wall_nanoseconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}
/// epoll_event is packed on x86-64; Swift reads it through these.
static inline void mesh_epoll_set(struct epoll_event *event, uint32_t events, void *data) {
  event->events = events;
  event->data.ptr = data;
}
static inline void *mesh_epoll_data(const struct epoll_event *event) { return event->data.ptr; }

/// accept4 with SOCK_NONBLOCK | SOCK_CLOEXEC. The peer's address goes to `address` (sockaddr_storage), or -1 with errno.
int mesh_accept(int listener, void *address, uint32_t *length);
/// Names the calling thread; at most 15 bytes are kept.
void mesh_name_thread(const char *name);
/// Lets the calling thread run only where no other wants to (SCHED_IDLE), for good. Where that is forbidden it goes on
/// as it was.
void mesh_idle_thread(void);

/// recv and send (with MSG_NOSIGNAL) without glibc's thread cancellation points, which cost two function calls each.
long mesh_recv(int descriptor, void *buffer, long count);
long mesh_send(int descriptor, const void *buffer, long count);

/// malloc and its relatives for small blocks that come and go, as libnghttp2's do: each thread keeps freed blocks of up
/// to 992 bytes, at most 256 KiB of each size. A block may be freed by another thread, which then keeps it. Larger ones
/// come from `arena`, if there is one and it has room, else from the heap. In builds with a sanitizer these are malloc's
/// own.
void *mesh_block_new(size_t size, void *arena);
void mesh_block_free(void *block, void *arena);
void *mesh_block_zeroed(size_t count, size_t size, void *arena);
void *mesh_block_resize(void *block, size_t size, void *arena);

/// Arenas: 28 KiB on pages of their own for the blocks that a session has for as long as it lives. The first block of
/// 16 KiB or more is its buffer, and its last. An arena can be parked: what is not zero is copied to the heap, the buffer
/// left out, and all pages go back to the system. Addresses stay as they are.
/// Any thread may call these; nobody must touch a block between `park` and `fetch`.
///
/// Reserves address space; once, before all else. 0: there are no arenas.
int mesh_arenas_prepare(void);
/// NULL: none is left.
void *mesh_arena_new(void);
/// Its blocks are freed, or go with it. Not while it is parked.
void mesh_arena_free(void *arena);
/// What `fetch` wants back; after that the buffer's contents are undefined. NULL, and nothing has changed: it has no
/// buffer yet, or memory is short.
void *mesh_arena_park(void *arena);
void mesh_arena_fetch(void *arena, void *parked);

/// Slots: blocks of up to 8 KiB on two pages of their own, so that one which is mostly zeros can be parked: its words
/// that are not zero are copied to the heap, and its pages go back to the system. Its address stays its own.
/// Any thread may call these; a slot's user must not touch it between `park` and `fetch`.
///
/// Reserves address space; once, before all else. 0: there are no slots, and all blocks come from the heap.
int mesh_slots_prepare(void);
/// Whether the next block of 4 to 8 KiB that the calling thread asks for is to be a slot.
void mesh_slot_expect(int expects);
/// As OpenSSL wants its allocator: malloc and its relatives, but for slots.
void *mesh_slot_malloc(size_t size, const char *file, int line);
void *mesh_slot_realloc(void *block, size_t size, const char *file, int line);
void mesh_slot_free(void *block, const char *file, int line);
/// What `fetch` wants back; NULL if the block is no slot, or memory is short: then nothing has changed.
void *mesh_slot_park(void *slot);
void mesh_slot_fetch(void *slot, void *parked);

/// Gives freed heap back to the system.
void mesh_trim_heap(void);
