// Rows of a payload that repeat the id of an earlier one.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "base/error.h"
#include "lake/report/read_report.h"
#include "lake/scan/id_map.h"
#include "otap/schema.h"

namespace df::lake {

/// Notes them of the payload in hand, and reports them when that is kept.
class DuplicateIds {
 public:
  void Note(otap::TableKind kind, const IdMap& map, const Location& location);
  void Rollback() { rows_.clear(); }
  void Commit(ReadReport* report);

 private:
  struct Rows {
    int64_t num_rows = 0;
    Status status;
  };
  std::vector<std::pair<otap::TableKind, Rows>> rows_;
};

}  // namespace df::lake
