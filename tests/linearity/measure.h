// What a shape costs at several sizes, counted by callgrind.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <arrow/result.h>

#include "linearity/shape.h"

namespace df::linearity {

/// The sizes of a shape: nothing, n, 2 n, 4 n.
inline constexpr std::array<int64_t, 4> kSizes = {0, 1, 2, 4};

/// What the input of one size cost. Those of the other sizes are given without what the input of
/// size 0 costs.
struct SizeCost {
  int64_t input_bytes = 0;
  int64_t instructions = 0;
  int64_t allocated_bytes = 0;
  int64_t amount = 0;  ///< what the call returned
};
using ShapeCost = std::array<SizeCost, kSizes.size()>;

/// Makes the inputs of a shape below `folder`. Run in a process that counts nothing.
arrow::Status MakeInputs(const Shape& shape, const std::filesystem::path& folder);

/// Reads the inputs below `folder`, each once; run under callgrind, which writes two files of
/// counts for each: of what came before the call, and of the call. Prints amount and allocated
/// bytes, a line for each size.
arrow::Status ReadInputs(const Shape& shape, const std::filesystem::path& folder);

/// Has this program make the inputs and read them under callgrind, in processes of their own.
/// Errors: Invalid, with what they printed.
arrow::Result<ShapeCost> MeasureShape(const std::string& self, const Shape& shape,
                                      const std::filesystem::path& folder);

/// Says what is wrong with the cost of a shape, one text for each fault; none where it is linear.
std::vector<std::string> FaultsOf(const Shape& shape, const ShapeCost& cost);

}  // namespace df::linearity
