// A value of a document together with its key path and the place where its problems go.
#pragma once

#include <chrono>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "config/value.h"

namespace df::config {

/// Smallest and largest value allowed.
struct Range {
  int64_t min = INT64_MIN;
  int64_t max = INT64_MAX;
};

/// Smallest and largest number allowed, both finite.
struct NumberRange {
  double min = std::numeric_limits<double>::lowest();
  double max = std::numeric_limits<double>::max();
};

/// Reads typed values. Every Read returns nothing and adds a problem when the value is not what is
/// expected. Owner: borrows the value and the problems.
class Section {
 public:
  Section(const Value& value, std::string path, Problems* problems)
      : value_(&value), path_(std::move(path)), problems_(problems) {}

  const Value& value() const { return *value_; }
  const std::string& path() const { return path_; }
  Problems* problems() const { return problems_; }

  /// Adds a problem at this value: "<path>: <message>".
  void Add(std::string_view message) const;

  /// Adds a problem at a key of this map; `message` begins behind the path of the map.
  void AddAtKey(std::string_view key, std::string_view message) const;

  /// Adds a notice at this value.
  void AddNotice(std::string_view message) const;

  /// Adds a problem about a name in this value; the nearest of `known` is offered.
  void AddUnknown(std::string_view message, std::string_view name,
                  std::span<const std::string> known) const;

  /// Tells whether this is a map (or nothing), and adds a problem for every key that is neither in
  /// `names` nor in `passed_over`.
  bool CheckMap(std::span<const std::string> names,
                std::span<const std::string> passed_over = {}) const;

  /// Returns the value of a key of a map.
  std::optional<Section> Find(std::string_view key) const;

  /// Returns the value of an entry of this map.
  Section At(const Value::Entry& entry) const;

  /// Returns the entries of a map or list, with their paths.
  std::vector<Section> Items() const;

  std::optional<std::string> ReadString() const;
  std::optional<int64_t> ReadInteger(const Range& range) const;
  /// Reads a decimal number that may have a fraction.
  std::optional<double> ReadNumber(const NumberRange& range) const;
  std::optional<bool> ReadBool() const;
  std::optional<std::chrono::nanoseconds> ReadDuration(const Range& range) const;
  /// Returns an empty inner optional for null.
  std::optional<std::optional<std::chrono::nanoseconds>> ReadOptionalDuration(
      const Range& range) const;
  std::optional<int64_t> ReadSize(const Range& range) const;
  /// Returns the index of the name that the scalar is.
  std::optional<size_t> ReadName(std::span<const std::string> names) const;
  /// Returns the indices of the names that a list holds.
  std::optional<std::vector<size_t>> ReadNames(std::span<const std::string> names) const;
  std::optional<std::vector<std::string>> ReadStringList() const;
  std::optional<std::map<std::string, std::string>> ReadStringMap() const;

 private:
  const Value* value_;
  std::string path_;
  Problems* problems_;
};

/// Texts for tables and messages.
std::string IntegerType(const Range& range);
std::string NumberType(const NumberRange& range);
std::string NamesType(std::span<const std::string> names);  ///< "one of a, b"
std::string ShowDuration(const std::chrono::nanoseconds& duration);
std::string ShowSize(const int64_t& size_bytes);

}  // namespace df::config
