// Footers of Parquet files that do not tell the truth.
#pragma once

#include <cstdint>
#include <filesystem>

namespace df::testing {

/// Replaces each place of the footer that has the four bytes of a number, as statistics do. Fails
/// the test when there is none.
void ReplaceInFooter(const std::filesystem::path& path, uint32_t from, uint32_t to);

}  // namespace df::testing
