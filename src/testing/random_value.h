// Random column values, from small pools so that dictionaries and runs occur.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "otap/schema.h"
#include "testing/cell.h"

namespace df::testing {

using RandomEngine = std::mt19937_64;

/// Returns true with the given probability.
bool Chance(RandomEngine& rng, double probability);

/// Returns a whole number of [low, high].
int64_t Between(RandomEngine& rng, int64_t low, int64_t high);

struct RandomValueOptions {
  int distinct_texts = 24;          ///< size of the pool that texts and binaries come from
  int max_text_bytes = 24;          ///< length of pool entries, before their number is added
  double default_share = 0.15;      ///< values that are 0, 0.0, "" or all-zero bytes
  bool whole_milliseconds = false;  ///< times are multiples of a millisecond
};

/// Draws values. The pools depend on the engine's state at construction. Owner: keeps a reference
/// to the engine.
class RandomValues {
 public:
  RandomValues(RandomEngine& rng, const RandomValueOptions& options);

  /// Returns valid UTF-8: empty, ASCII, several scripts, quotes, control characters, NUL.
  std::string Text();

  /// Returns any bytes.
  std::string Bytes();

  /// Returns one well-formed CBOR map or array as the format reference 2.13 has them.
  std::string Cbor(bool is_map);

  /// Returns a double: whole, fractional, huge, tiny, infinite, NaN, -0.0.
  double Double();

  /// Returns a value of a column; never null. Lists may be empty.
  Cell Value(const otap::Column& column);

 private:
  int64_t Time();
  Cell List(otap::ColumnType type);

  RandomEngine& rng_;
  RandomValueOptions options_;
  std::vector<std::string> texts_;
  std::vector<std::string> binaries_;
};

}  // namespace df::testing
