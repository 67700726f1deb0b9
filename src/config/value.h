// A parsed document that knows where everything stands.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "config/problems.h"

namespace df::config {

class Value;
using ValuePtr = std::shared_ptr<const Value>;

/// One node of a YAML or JSON document. Owner: immutable and shared once parsed.
class Value {
 public:
  enum class Kind { kNull, kScalar, kList, kMap };
  struct Entry {
    std::string key;
    Mark key_mark;
    ValuePtr value;
  };

  Kind kind = Kind::kNull;
  Mark mark;
  std::string scalar;           ///< kScalar: the text without quotes
  bool is_quoted = false;       ///< kScalar: it is text whatever it looks like
  std::string reference;        ///< the scalar as written, when it names an environment variable
  std::vector<ValuePtr> items;  ///< kList
  std::vector<Entry> entries;   ///< kMap, in the order of the document

  /// Returns the value of a key of a map, or null.
  const Value* Find(std::string_view key) const;

  /// Says what this is, for messages: "'text'", "a list", "a map", "nothing".
  std::string Describe() const;
};

/// What a document may have, at most. One that people write has some hundreds of values.
inline constexpr size_t kMaxDocumentBytes = size_t{4} << 20;
inline constexpr size_t kMaxDocumentValues = 100'000;  ///< keys too, and what aliases stand for
inline constexpr size_t kMaxKeyBytes = 1024;

/// Parses YAML or JSON text (JSON is read as the YAML that it is). Problems: syntax, duplicate
/// keys, keys that are no scalars or too long, several documents, more bytes or values than there
/// may be. Returns null when the text cannot be understood at all. Cost: linear in the text.
ValuePtr ParseDocument(std::string_view text, Problems* problems);

}  // namespace df::config
