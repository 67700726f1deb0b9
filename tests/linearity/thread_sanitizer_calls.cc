// The calls that gcc puts into code compiled for ThreadSanitizer. The harness links the libraries
// of the tsan build, so that nothing is compiled twice, but runs them without the sanitizer: these
// do nothing, or what the atomic operation would have done.
#include <atomic>
#include <cstdint>

// NOLINTBEGIN: names and types are the compiler's
extern "C" {

void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_vptr_update(void**, void*) {}
void __tsan_vptr_read(void**) {}
void __tsan_read_range(void*, unsigned long) {}
void __tsan_write_range(void*, unsigned long) {}

#define DF_ACCESS(size)                       \
  void __tsan_read##size(void*) {}            \
  void __tsan_write##size(void*) {}           \
  void __tsan_unaligned_read##size(void*) {}  \
  void __tsan_unaligned_write##size(void*) {} \
  void __tsan_volatile_read##size(void*) {}   \
  void __tsan_volatile_write##size(void*) {}
DF_ACCESS(1)
DF_ACCESS(2)
DF_ACCESS(4)
DF_ACCESS(8)
DF_ACCESS(16)

void __tsan_atomic_thread_fence(int) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
void __tsan_atomic_signal_fence(int) { __atomic_signal_fence(__ATOMIC_SEQ_CST); }

#define DF_ATOMIC(bits, type)                                                                      \
  type __tsan_atomic##bits##_load(const volatile type* at, int) {                                  \
    return __atomic_load_n(at, __ATOMIC_SEQ_CST);                                                  \
  }                                                                                                \
  void __tsan_atomic##bits##_store(volatile type* at, type value, int) {                           \
    __atomic_store_n(at, value, __ATOMIC_SEQ_CST);                                                 \
  }                                                                                                \
  type __tsan_atomic##bits##_exchange(volatile type* at, type value, int) {                        \
    return __atomic_exchange_n(at, value, __ATOMIC_SEQ_CST);                                       \
  }                                                                                                \
  type __tsan_atomic##bits##_fetch_add(volatile type* at, type value, int) {                       \
    return __atomic_fetch_add(at, value, __ATOMIC_SEQ_CST);                                        \
  }                                                                                                \
  type __tsan_atomic##bits##_fetch_sub(volatile type* at, type value, int) {                       \
    return __atomic_fetch_sub(at, value, __ATOMIC_SEQ_CST);                                        \
  }                                                                                                \
  type __tsan_atomic##bits##_fetch_and(volatile type* at, type value, int) {                       \
    return __atomic_fetch_and(at, value, __ATOMIC_SEQ_CST);                                        \
  }                                                                                                \
  type __tsan_atomic##bits##_fetch_or(volatile type* at, type value, int) {                        \
    return __atomic_fetch_or(at, value, __ATOMIC_SEQ_CST);                                         \
  }                                                                                                \
  type __tsan_atomic##bits##_fetch_xor(volatile type* at, type value, int) {                       \
    return __atomic_fetch_xor(at, value, __ATOMIC_SEQ_CST);                                        \
  }                                                                                                \
  int __tsan_atomic##bits##_compare_exchange_strong(volatile type* at, type* expected, type value, \
                                                    int, int) {                                    \
    return __atomic_compare_exchange_n(at, expected, value, false, __ATOMIC_SEQ_CST,               \
                                       __ATOMIC_SEQ_CST);                                          \
  }                                                                                                \
  int __tsan_atomic##bits##_compare_exchange_weak(volatile type* at, type* expected, type value,   \
                                                  int, int) {                                      \
    return __atomic_compare_exchange_n(at, expected, value, true, __ATOMIC_SEQ_CST,                \
                                       __ATOMIC_SEQ_CST);                                          \
  }
DF_ATOMIC(8, uint8_t)
DF_ATOMIC(16, uint16_t)
DF_ATOMIC(32, uint32_t)
DF_ATOMIC(64, uint64_t)

}  // extern "C"
// NOLINTEND
