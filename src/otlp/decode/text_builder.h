// Text and binary columns: dictionaries while values repeat, plain where they do not.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "otap/schema.h"
#include "otlp/decode/table_frame.h"

namespace df::otlp {

/// The first and the last bytes of a string, which may overlap. With the length they are all of a
/// string of up to 16 bytes, as most are: two loads instead of a walk whose end cannot be foreseen.
struct StringEnds {
  static constexpr size_t kMaxWhole = 16;

  uint64_t first = 0;
  uint64_t last = 0;

  bool operator==(const StringEnds&) const = default;

  [[gnu::always_inline]] static StringEnds Of(std::string_view bytes) {
    const size_t size = bytes.size();
    const auto load = [&bytes]<typename Word>(Word word, size_t at) -> uint64_t {
      std::memcpy(&word, bytes.data() + at, sizeof(Word));
      return word;
    };
    if (size >= 8) {
      return {load(uint64_t{}, 0), load(uint64_t{}, size - 8)};
    }
    if (size >= 4) {
      return {load(uint32_t{}, 0), load(uint32_t{}, size - 4)};
    }
    if (size == 0) {
      return {};
    }
    return {load(uint8_t{}, 0), load(uint8_t{}, size / 2) << 8U | load(uint8_t{}, size - 1)};
  }
};

/// Different byte strings by code, in the order of their first use.
/// Cost: a hash for each look-up; none where a value follows the one that it followed before, as
/// the keys of attributes do.
class StringTable {
 public:
  /// Returned when the table is no place for the string: too many of it share a hash, which only
  /// happens when somebody wants it.
  static constexpr uint32_t kNoCode = UINT32_MAX;

  uint32_t size() const { return static_cast<uint32_t>(hashes_.size()); }
  /// Tells whether a string is the one of a code; `string_ends` are its ends.
  bool IsAt(uint32_t code, std::string_view bytes, const StringEnds& string_ends) const {
    if (string_ends_[code] != string_ends ||
        static_cast<size_t>(ends_[code + 1] - ends_[code]) != bytes.size()) {
      return false;
    }
    return bytes.size() <= StringEnds::kMaxWhole ||
           std::memcmp(data_.data() + ends_[code], bytes.data(), bytes.size()) == 0;
  }
  std::string_view At(uint32_t code) const {
    return {data_.data() + ends_[code], static_cast<size_t>(ends_[code + 1] - ends_[code])};
  }
  /// The strings one behind the other, and where each begins; one place more than strings.
  const std::string& data() const { return data_; }
  const std::vector<int32_t>& offsets() const { return ends_; }

  /// Finds a string or adds it; `is_new` tells which.
  uint32_t FindOrAdd(std::string_view bytes, const StringEnds& string_ends, bool* is_new);
  /// Adds a string that is not looked for and will not be found.
  uint32_t Add(std::string_view bytes, const StringEnds& string_ends);

  /// Forgets the strings, keeps the memory. Cost: O(size).
  void Clear();

 private:
  struct Slot {
    uint32_t hash = 0;
    uint32_t code = kNoCode;
  };
  static constexpr size_t kFirstSlots = 64;
  static constexpr int kMaxProbes = 128;

  void Grow();

  std::string data_;
  std::vector<int32_t> ends_ = {0};
  std::vector<uint32_t> hashes_;         ///< by code
  std::vector<StringEnds> string_ends_;  ///< by code
  std::vector<Slot> slots_;              ///< a power of two, at most half full
};

/// A column of texts or binaries. Rows are set in ascending order, each once; others are null.
class TextBuilder {
 public:
  enum class Kind : uint8_t { kText, kBinary };

  /// `rule` is kAny or kWide: what the model allows the column.
  TextBuilder(Kind kind, otap::DictionaryRule rule) : kind_(kind), rule_(rule) {}

  /// Returns false when the bytes are no UTF-8 and the column is text.
  [[gnu::always_inline]] bool Set(int64_t row, std::string_view bytes) {
    const StringEnds string_ends = StringEnds::Of(bytes);
    if (predicted_ < table_.size() && table_.IsAt(predicted_, bytes, string_ends)) {
      ++num_set_;
      trust_ += trust_ < kMostTrust ? 1 : 0;
      SetCode(row, predicted_);
      Follow(predicted_);
      return true;
    }
    return SetSlow(row, bytes, string_ends);
  }
  /// For fields whose default says as much as their absence.
  [[gnu::always_inline]] bool SetUnlessEmpty(int64_t row, std::string_view bytes) {
    return bytes.empty() || Set(row, bytes);
  }

  /// A value that many rows share: found once, set in each of them.
  static constexpr uint32_t kNull = StringTable::kNoCode;
  /// Returns false when the bytes are no UTF-8 and the column is text.
  bool Intern(std::string_view bytes, uint32_t* code);
  void SetCode(int64_t row, uint32_t code) {
    const auto position = static_cast<size_t>(row);
    if (position != codes_.size()) {
      codes_.resize(position, kNull);
    }
    codes_.push_back(code);
  }
  /// The same for all rows up to `end`.
  void SetCodes(int64_t row, int64_t end, uint32_t code) {
    codes_.resize(static_cast<size_t>(row), kNull);
    codes_.resize(static_cast<size_t>(end), code);
  }

  bool empty() const { return codes_.empty(); }
  /// No column when no row was set. Rows that were never set are null; with `fill_empty` they are
  /// empty, for required columns, and there is a column. Errors: OutOfMemory.
  arrow::Result<ArrayDataPtr> Finish(int64_t num_rows, bool fill_empty = false);
  void Clear();

 private:
  /// A column whose values hardly ever repeat stays plain for so many batches before it is looked
  /// at again.
  static constexpr int kPlainBatches = 31;
  static constexpr uint32_t kLeastToJudge = 512;
  /// Predictions that may fail in a row before no more are made in the batch.
  static constexpr int kMostTrust = 64;

  bool SetSlow(int64_t row, std::string_view bytes, const StringEnds& string_ends);
  void Learn(uint32_t code);
  void Follow(uint32_t code) {
    previous_ = code;
    predicted_ = code < successors_.size() ? successors_[code] : kNull;
  }
  std::shared_ptr<arrow::DataType> type() const;
  template <typename Index>
  arrow::Result<ArrayDataPtr> FinishDictionary(std::shared_ptr<arrow::DataType> index_type,
                                               int64_t num_rows, Validity validity);
  arrow::Result<ArrayDataPtr> FinishPlain(int64_t num_rows, Validity validity);

  Kind kind_;
  otap::DictionaryRule rule_;
  StringTable table_;
  std::vector<uint32_t> codes_;       ///< by row
  std::vector<uint32_t> successors_;  ///< by code: which one came next
  uint32_t previous_ = kNull;
  uint32_t predicted_ = kNull;
  int trust_ = kMostTrust;
  bool is_plain_ = false;  ///< every row has a string of its own in the table
  int plain_batches_ = 0;  ///< left to go
  int64_t num_set_ = 0;    ///< since the last Clear, by Set
};

}  // namespace df::otlp
