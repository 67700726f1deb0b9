#include "otlp/decode/text_builder.h"

#include <algorithm>
#include <utility>

#include <arrow/util/hashing.h>

#include "base/text.h"

namespace df::otlp {

namespace {

/// Of strings that are all in their ends; anybody who can make them collide still meets a bound.
uint32_t HashOf(const StringEnds& string_ends, size_t size) {
  uint64_t mixed = (string_ends.first ^ size << 56U) * 0x9E3779B97F4A7C15U;
  mixed ^= mixed >> 32U;
  mixed = (mixed ^ string_ends.last) * 0xD6E8FEB86659FD93U;
  return static_cast<uint32_t>(mixed >> 32U);
}

}  // namespace

uint32_t StringTable::Add(std::string_view bytes, const StringEnds& string_ends) {
  const uint32_t code = size();
  data_.append(bytes);
  string_ends_.push_back(string_ends);
  ends_.push_back(static_cast<int32_t>(data_.size()));
  hashes_.push_back(0);
  return code;
}

uint32_t StringTable::FindOrAdd(std::string_view bytes, const StringEnds& string_ends,
                                bool* is_new) {
  if (2 * (static_cast<size_t>(size()) + 1) > slots_.size()) {
    Grow();
  }
  const uint32_t hash = bytes.size() <= StringEnds::kMaxWhole
                            ? HashOf(string_ends, bytes.size())
                            : static_cast<uint32_t>(arrow::internal::ComputeStringHash<0>(
                                  bytes.data(), static_cast<int64_t>(bytes.size())));
  const size_t mask = slots_.size() - 1;
  size_t place = hash & mask;
  for (int probe = 0; probe < kMaxProbes; ++probe, place = (place + 1) & mask) {
    Slot& slot = slots_[place];
    if (slot.code == kNoCode) {
      *is_new = true;
      slot = {hash, Add(bytes, string_ends)};
      hashes_.back() = hash;
      return slot.code;
    }
    if (slot.hash == hash && IsAt(slot.code, bytes, string_ends)) {
      *is_new = false;
      return slot.code;
    }
  }
  return kNoCode;
}

void StringTable::Grow() {
  std::vector<Slot> slots(slots_.empty() ? kFirstSlots : 2 * slots_.size());
  const size_t mask = slots.size() - 1;
  for (const Slot& slot : slots_) {
    if (slot.code != kNoCode) {
      size_t place = slot.hash & mask;
      while (slots[place].code != kNoCode) {
        place = (place + 1) & mask;
      }
      slots[place] = slot;
    }
  }
  slots_ = std::move(slots);
}

void StringTable::Clear() {
  // From the place of each string to the end of its run: a table that was large once must not make
  // small batches slow for ever.
  const size_t mask = slots_.size() - 1;
  if (!slots_.empty()) {
    for (const uint32_t hash : hashes_) {
      for (size_t place = hash & mask; slots_[place].code != kNoCode; place = (place + 1) & mask) {
        slots_[place] = {};
      }
    }
  }
  data_.clear();
  ends_.resize(1);
  hashes_.clear();
  string_ends_.clear();
}

bool TextBuilder::Intern(std::string_view bytes, uint32_t* code) {
  bool is_new = true;
  const StringEnds string_ends = StringEnds::Of(bytes);
  *code = table_.FindOrAdd(bytes, string_ends, &is_new);
  if (*code == StringTable::kNoCode) {
    *code = table_.Add(bytes, string_ends);
  }
  return !is_new || kind_ == Kind::kBinary || IsValidUtf8(bytes);
}

bool TextBuilder::SetSlow(int64_t row, std::string_view bytes, const StringEnds& string_ends) {
  if (is_plain_) {
    SetCode(row, table_.Add(bytes, string_ends));
    return kind_ == Kind::kBinary || IsValidUtf8(bytes);
  }
  ++num_set_;
  bool is_new = true;
  uint32_t code = table_.FindOrAdd(bytes, string_ends, &is_new);
  if (code == StringTable::kNoCode) {
    is_plain_ = true;
    code = table_.Add(bytes, string_ends);
  }
  SetCode(row, code);
  if (trust_ > 0) {
    Learn(code);
  }
  if (!is_new) {
    return true;
  }
  const int64_t num_codes = table_.size();
  if ((num_codes >= kLeastToJudge && 4 * num_codes > 3 * num_set_) ||
      num_codes > otap::kMaxDictionary16) {
    is_plain_ = true;
    plain_batches_ = kPlainBatches;
    predicted_ = kNull;
  }
  return kind_ == Kind::kBinary || IsValidUtf8(bytes);
}

void TextBuilder::Learn(uint32_t code) {
  trust_ -= predicted_ == kNull ? 0 : 1;
  if (previous_ != kNull) {
    if (successors_.size() <= previous_) {
      successors_.resize(previous_ + 1, kNull);
    }
    successors_[previous_] = code;
  }
  Follow(code);
  if (trust_ == 0) {
    predicted_ = kNull;
  }
}

std::shared_ptr<arrow::DataType> TextBuilder::type() const {
  return kind_ == Kind::kText ? arrow::utf8() : arrow::binary();
}

template <typename Index>
arrow::Result<ArrayDataPtr> TextBuilder::FinishDictionary(
    std::shared_ptr<arrow::DataType> index_type, int64_t num_rows, Validity validity) {
  ARROW_ASSIGN_OR_RAISE(std::shared_ptr<arrow::Buffer> indices,
                        arrow::AllocateBuffer(num_rows * static_cast<int64_t>(sizeof(Index))));
  auto* index = reinterpret_cast<Index*>(indices->mutable_data());
  for (const uint32_t code : codes_) {
    *index++ = code == kNull ? Index{0} : static_cast<Index>(code);
  }
  ARROW_ASSIGN_OR_RAISE(auto offsets,
                        CopyToBuffer(table_.offsets().data(), table_.offsets().size()));
  ARROW_ASSIGN_OR_RAISE(auto data, CopyToBuffer(table_.data().data(), table_.data().size()));
  ArrayDataPtr column =
      arrow::ArrayData::Make(arrow::dictionary(std::move(index_type), type()), num_rows,
                             {std::move(validity.bitmap), std::move(indices)}, validity.null_count);
  column->dictionary = arrow::ArrayData::Make(type(), table_.size(),
                                              {nullptr, std::move(offsets), std::move(data)}, 0);
  return column;
}

arrow::Result<ArrayDataPtr> TextBuilder::FinishPlain(int64_t num_rows, Validity validity) {
  ARROW_ASSIGN_OR_RAISE(
      std::shared_ptr<arrow::Buffer> offsets,
      arrow::AllocateBuffer((num_rows + 1) * static_cast<int64_t>(sizeof(int32_t))));
  auto* offset = reinterpret_cast<int32_t*>(offsets->mutable_data());
  int64_t size_bytes = 0;
  *offset++ = 0;
  for (const uint32_t code : codes_) {
    size_bytes += code == kNull ? 0 : static_cast<int64_t>(table_.At(code).size());
    *offset++ = static_cast<int32_t>(size_bytes);
  }
  if (size_bytes > INT32_MAX) {
    return arrow::Status::CapacityError("a text column of one batch would exceed 2 GiB");
  }
  ARROW_ASSIGN_OR_RAISE(std::shared_ptr<arrow::Buffer> data, arrow::AllocateBuffer(size_bytes));
  uint8_t* to = data->mutable_data();
  for (const uint32_t code : codes_) {
    if (code != kNull) {
      const std::string_view bytes = table_.At(code);
      if (!bytes.empty()) {
        std::memcpy(to, bytes.data(), bytes.size());
        to += bytes.size();
      }
    }
  }
  return arrow::ArrayData::Make(type(), num_rows,
                                {std::move(validity.bitmap), std::move(offsets), std::move(data)},
                                validity.null_count);
}

arrow::Result<ArrayDataPtr> TextBuilder::Finish(int64_t num_rows, bool fill_empty) {
  if (empty() && !fill_empty) {
    return nullptr;
  }
  uint32_t gap = kNull;
  if (fill_empty && codes_.size() < static_cast<size_t>(num_rows)) {
    if (!Intern({}, &gap)) {
      return arrow::Status::Invalid("an empty text is no text");
    }
  }
  codes_.resize(static_cast<size_t>(num_rows), gap);
  ARROW_ASSIGN_OR_RAISE(Validity validity, MakeValidity(num_rows, [&](int64_t row) {
                          return codes_[static_cast<size_t>(row)] != kNull;
                        }));
  const int64_t num_codes = table_.size();
  if (is_plain_ || num_codes > otap::kMaxDictionary16) {
    return FinishPlain(num_rows, std::move(validity));
  }
  if (rule_ == otap::DictionaryRule::kAny && num_codes <= otap::kMaxDictionary8) {
    return FinishDictionary<uint8_t>(arrow::uint8(), num_rows, std::move(validity));
  }
  return FinishDictionary<uint16_t>(arrow::uint16(), num_rows, std::move(validity));
}

void TextBuilder::Clear() {
  table_.Clear();
  codes_.clear();
  successors_.clear();
  previous_ = kNull;
  predicted_ = kNull;
  trust_ = kMostTrust;
  num_set_ = 0;
  plain_batches_ = std::max(0, plain_batches_ - 1);
  is_plain_ = plain_batches_ > 0;
}

}  // namespace df::otlp
