// Cuts the rows of an attribute table where another batch certainly begins.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lake/attribute_owners.h"

namespace df::lake {

/// Inside a batch attribute rows stand by parent, as encoders write them, or by type and key, as
/// they come off the wire (format reference 3.2). Where both go down at once, another batch begins.
/// Shape: one run for rows of one parent that stand together.
class ParentRunBuilder {
 public:
  /// Where the rows of a run stand.
  struct Place {
    size_t file = 0;
    int row_group = 0;
    int64_t first_row = 0;  ///< in the row group
    int64_t num_rows = 0;
  };

  /// `follows`: the rows before are of earlier batches, none of which goes on here.
  void StartFile(bool follows);
  void StartRowGroup();
  void Add(uint32_t parent, uint8_t type, std::string_view key);
  void AddNull();

  const std::vector<Place>& places() const { return places_; }

  /// Returns the runs. Rows in neither order tell nothing: every run then stands alone.
  std::vector<ParentRun> Take();

 private:
  std::vector<ParentRun> runs_;
  std::vector<Place> places_;
  size_t next_file_ = 0;
  int row_group_ = -1;
  int64_t row_ = 0;
  bool is_border_ = true;
  bool starts_chain_ = true;
  bool starts_batch_ = false;
  uint32_t parent_ = 0;
  uint8_t type_ = 0;
  std::string key_;
  bool is_by_parent_ = true;  ///< since the last certain start
  bool is_by_key_ = true;
  bool is_ordered_ = true;
};

}  // namespace df::lake
