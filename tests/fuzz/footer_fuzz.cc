// Feeds bytes to the footer rewriter: it must refuse or keep the length, and what it wrote must
// need no second repair.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "lake/format/footer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string footer(reinterpret_cast<const char*>(data), size);
  const auto repaired = df::lake::RepairFooter(&footer);
  if (repaired.ok()) {
    if (footer.size() != size || df::lake::RepairFooter(&footer).ValueOr(-1) != 0) {
      std::abort();
    }
  }
  return 0;
}
