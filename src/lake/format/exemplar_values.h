// Which of the two value columns of an exemplar is the real one.
#pragma once

#include <vector>

#include "lake/format/leaf_decoder.h"

namespace df::lake {

class TableFile;

/// Exporters fill the value column that a batch lacks with zeros that are not null (format
/// reference 2.11 and 3.9), so a stored exemplar may have two values. Zeros of a double_value that
/// is stored in integers are always padding. Of two values, this keeps one:
/// where int_value cannot be null and double_value can, int_value is padding when all of it is
/// zero, and a double wins; else the value that is not zero wins, and int 0 when both are.
class ExemplarValues {
 public:
  /// Looks at the columns of a file; for other tables Apply does nothing.
  static ExemplarValues Make(const TableFile& file);

  /// Turns the losing value of each row into null.
  Status Apply(std::vector<LeafSlice>* slices) const;

 private:
  int int_leaf_ = -1;
  int double_leaf_ = -1;
  bool is_int_padding_ = false;
  bool is_double_padding_ = false;  ///< its zeros are no values
};

}  // namespace df::lake
