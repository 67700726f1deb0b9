#include "lake/lists/line_reader.h"

#include <algorithm>

#include <arrow/buffer.h>

namespace df::lake {
namespace {

constexpr int64_t kPieceBytes = int64_t{1} << 20;

bool IsBlank(std::string_view text) {
  return text.find_first_not_of(" \t\r") == std::string_view::npos;
}

}  // namespace

Result<bool> LineReader::Fill() {
  ARROW_ASSIGN_OR_RAISE(const auto bytes, file_->Read(kPieceBytes));
  piece_.assign(reinterpret_cast<const char*>(bytes->data()), static_cast<size_t>(bytes->size()));
  position_ = 0;
  return !piece_.empty();
}

Result<std::optional<LineReader::Line>> LineReader::Next() {
  while (true) {
    line_.clear();
    bool is_too_long = false;
    bool has_any = false;
    while (true) {
      if (position_ >= piece_.size()) {
        ARROW_ASSIGN_OR_RAISE(const bool has_more, Fill());
        if (!has_more) {
          break;
        }
      }
      has_any = true;
      const size_t end = std::min(piece_.find('\n', position_), piece_.size());
      const size_t taken = std::min(end - position_, max_line_bytes_ - line_.size());
      line_.append(piece_, position_, taken);
      is_too_long = is_too_long || taken < end - position_;
      position_ = end + 1;
      if (end < piece_.size()) {
        break;
      }
    }
    if (!has_any) {
      return std::optional<Line>();
    }
    ++number_;
    if (!IsBlank(line_)) {
      return Line{.text = line_, .number = number_, .is_too_long = is_too_long};
    }
  }
}

}  // namespace df::lake
