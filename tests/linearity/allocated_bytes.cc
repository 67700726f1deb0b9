#include "linearity/allocated_bytes.h"

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

namespace df::linearity {
namespace {

std::atomic<int64_t> allocated_bytes{0};

void Count(size_t size) {
  allocated_bytes.fetch_add(static_cast<int64_t>(size), std::memory_order_relaxed);
}

}  // namespace

int64_t AllocatedBytes() { return allocated_bytes.load(std::memory_order_relaxed); }

}  // namespace df::linearity

extern "C" {

void* malloc(size_t size) {
  df::linearity::Count(size);
  return __libc_malloc(size);
}

void* calloc(size_t count, size_t size) {
  df::linearity::Count(count * size);
  return __libc_calloc(count, size);
}

void* realloc(void* memory, size_t size) {
  df::linearity::Count(size);
  return __libc_realloc(memory, size);
}

void* aligned_alloc(size_t alignment, size_t size) {
  df::linearity::Count(size);
  return __libc_memalign(alignment, size);
}

void* memalign(size_t alignment, size_t size) {
  df::linearity::Count(size);
  return __libc_memalign(alignment, size);
}

int posix_memalign(void** result, size_t alignment, size_t size) {
  df::linearity::Count(size);
  *result = __libc_memalign(alignment, size);
  return *result == nullptr ? ENOMEM : 0;
}

}  // extern "C"
