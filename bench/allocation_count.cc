#include "allocation_count.h"

#include <atomic>
#include <cerrno>
#include <cstddef>

// glibc lets a program put its own functions in place of these, and keeps its own under other
// names; operator new calls malloc.
extern "C" {
void* __libc_malloc(size_t size);
void* __libc_calloc(size_t count, size_t size);
void* __libc_realloc(void* memory, size_t size);
void* __libc_memalign(size_t alignment, size_t size);
}

namespace df::bench {
namespace {

std::atomic<int64_t> num_allocations{0};

void Count() { num_allocations.fetch_add(1, std::memory_order_relaxed); }

}  // namespace

int64_t NumAllocations() { return num_allocations.load(std::memory_order_relaxed); }

}  // namespace df::bench

extern "C" {

void* malloc(size_t size) {
  df::bench::Count();
  return __libc_malloc(size);
}

void* calloc(size_t count, size_t size) {
  df::bench::Count();
  return __libc_calloc(count, size);
}

void* realloc(void* memory, size_t size) {
  df::bench::Count();
  return __libc_realloc(memory, size);
}

void* aligned_alloc(size_t alignment, size_t size) {
  df::bench::Count();
  return __libc_memalign(alignment, size);
}

int posix_memalign(void** result, size_t alignment, size_t size) {
  df::bench::Count();
  *result = __libc_memalign(alignment, size);
  return *result == nullptr ? ENOMEM : 0;
}

}  // extern "C"
