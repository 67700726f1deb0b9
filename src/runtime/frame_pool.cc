#include "runtime/frame_pool.h"

#include <array>
#include <new>

namespace df::runtime {
namespace {

// Frames are kept by size class of 64 bytes up to 4 KiB, at most 64 of each: more than the depth of
// calls that one loop holds open at the same time between two passes.
constexpr std::size_t kClassBytes = 64;
constexpr std::size_t kNumClasses = 64;
constexpr int kMaxKept = 64;

// A pool would hide uses of freed frames from AddressSanitizer.
#if defined(__SANITIZE_ADDRESS__)
constexpr bool kPoolFrames = false;
#else
constexpr bool kPoolFrames = true;
#endif

struct FreeFrameLink {
  FreeFrameLink* next = nullptr;
};

class FramePool {
 public:
  ~FramePool() {
    for (FreeList& list : lists_) {
      while (list.head != nullptr) {
        FreeFrameLink* link = list.head;
        list.head = link->next;
        ::operator delete(link);
      }
    }
  }

  void* Take(std::size_t class_index) {
    FreeList& list = lists_[class_index];
    if (list.head == nullptr) {
      return ::operator new((class_index + 1) * kClassBytes);
    }
    FreeFrameLink* link = list.head;
    list.head = link->next;
    --list.num_kept;
    return link;
  }

  void Give(void* frame, std::size_t class_index) {
    FreeList& list = lists_[class_index];
    if (list.num_kept == kMaxKept) {
      ::operator delete(frame);
      return;
    }
    list.head = new (frame) FreeFrameLink{list.head};
    ++list.num_kept;
  }

 private:
  struct FreeList {
    FreeFrameLink* head = nullptr;
    int num_kept = 0;
  };
  std::array<FreeList, kNumClasses> lists_;
};

FramePool& Pool() {
  thread_local FramePool pool;
  return pool;
}

std::size_t ClassOf(std::size_t size_bytes) { return (size_bytes - 1) / kClassBytes; }

}  // namespace

void* AllocateFrame(std::size_t size_bytes) {
  const std::size_t class_index = ClassOf(size_bytes);
  if (!kPoolFrames || class_index >= kNumClasses) {
    return ::operator new(size_bytes);
  }
  return Pool().Take(class_index);
}

void FreeFrame(void* frame, std::size_t size_bytes) noexcept {
  const std::size_t class_index = ClassOf(size_bytes);
  if (!kPoolFrames || class_index >= kNumClasses) {
    ::operator delete(frame);
    return;
  }
  Pool().Give(frame, class_index);
}

}  // namespace df::runtime
