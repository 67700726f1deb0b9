#include "lake/read/duplicate_ids.h"

#include <fmt/format.h>

namespace df::lake {

void DuplicateIds::Note(otap::TableKind kind, const IdMap& map, const Location& location) {
  if (map.num_duplicates() == 0) {
    return;
  }
  rows_.push_back(
      {kind,
       {map.num_duplicates(),
        MakeError(ErrorKind::kReconstruction,
                  fmt::format("{} rows repeat the id of an earlier row and go out without children",
                              map.num_duplicates()),
                  location)}});
}

void DuplicateIds::Commit(ReadReport* report) {
  for (const auto& [kind, rows] : rows_) {
    report->table(kind).duplicate_ids += rows.num_rows;
    report->Add(rows.status);
  }
  rows_.clear();
}

}  // namespace df::lake
