#include "lake/read/ambiguous_rows.h"

#include <fmt/format.h>

namespace df::lake {

void AmbiguousRows::Name(const std::string& partition, ReadReport* report) const {
  const auto add = [&](int64_t rows, std::string_view what) {
    if (rows > 0) {
      report->Add(MakeError(ErrorKind::kReconstruction,
                            fmt::format("{} rows {}: which are theirs cannot be told", rows, what),
                            {.partition = partition,
                             .table = std::string(otap::GetTable(root_).directory),
                             .file = ""}));
    }
  };
  add(num_emitted_, "go out without resource or scope attributes");
  add(num_left_out_, "are left out by a condition on resource or scope attributes");
}

}  // namespace df::lake
