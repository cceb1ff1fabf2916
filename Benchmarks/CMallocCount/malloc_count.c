#define _GNU_SOURCE
#include "malloc_count.h"
#include <errno.h>
#include <execinfo.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

// Threads of a benchmark are few and live as long as it does; those beyond the table are not counted.
#define THREADS_MAX 256
struct counter {
  int thread_id;
  int show;
  uint64_t count;
};
static struct counter counters[THREADS_MAX];
static int used;
static __thread struct counter *mine __attribute__((tls_model("initial-exec")));
static __thread bool inside __attribute__((tls_model("initial-exec")));

static struct counter *counter_here(void) {
  if (!mine) {
    int index = __atomic_fetch_add(&used, 1, __ATOMIC_RELAXED);
    if (index >= THREADS_MAX) index = THREADS_MAX - 1;
    counters[index].thread_id = (int)syscall(SYS_gettid);
    mine = &counters[index];
  }
  return mine;
}

uint64_t malloc_count_here(void) { return __atomic_load_n(&counter_here()->count, __ATOMIC_RELAXED); }

static struct counter *find(int thread_id) {
  for (int i = 0; i < THREADS_MAX; i++)
    if (counters[i].thread_id == thread_id) return &counters[i];
  return NULL;
}

uint64_t malloc_count_of(int thread_id) {
  struct counter *counter = find(thread_id);
  return counter ? __atomic_load_n(&counter->count, __ATOMIC_RELAXED) : 0;
}

void malloc_count_show(int thread_id, int count) {
  void *frames[4];
  backtrace(frames, 4); // loads what it needs now, so that it allocates nothing later
  struct counter *counter = find(thread_id);
  if (counter) __atomic_store_n(&counter->show, count, __ATOMIC_RELAXED);
}

#ifdef SANITIZED
bool malloc_count_works(void) { return false; }
#else
bool malloc_count_works(void) { return true; }

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

static void count_one(void) {
  struct counter *counter = counter_here();
  __atomic_store_n(&counter->count, counter->count + 1, __ATOMIC_RELAXED);
  if (__atomic_load_n(&counter->show, __ATOMIC_RELAXED) > 0 && !inside) {
    inside = true;
    __atomic_fetch_sub(&counter->show, 1, __ATOMIC_RELAXED);
    void *frames[24];
    int depth = backtrace(frames, 24);
    backtrace_symbols_fd(frames, depth, 2);
    (void)!write(2, "\n", 1);
    inside = false;
  }
}

void *malloc(size_t size) {
  count_one();
  return __libc_malloc(size);
}
void *calloc(size_t count, size_t size) {
  count_one();
  return __libc_calloc(count, size);
}
void *realloc(void *old, size_t size) {
  count_one();
  return __libc_realloc(old, size);
}
void free(void *block) { __libc_free(block); }
void *memalign(size_t alignment, size_t size) {
  count_one();
  return __libc_memalign(alignment, size);
}
void *aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }
int posix_memalign(void **result, size_t alignment, size_t size) {
  if (alignment % sizeof(void *) || (alignment & (alignment - 1)) || alignment == 0) return EINVAL;
  void *block = memalign(alignment, size);
  if (!block) return ENOMEM;
  *result = block;
  return 0;
}
#endif
