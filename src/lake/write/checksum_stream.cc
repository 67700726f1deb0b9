#include "lake/write/checksum_stream.h"

#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

#include <arrow/buffer.h>
#include <arrow/util/endian.h>

#include "lake/format/footer_checksum.h"

namespace df::lake {
namespace {

constexpr size_t kTailBytes = 8;  // length of the footer (4) and magic (4)

}  // namespace

arrow::Status ChecksumStream::Write(const void* data, int64_t size) {
  if (!holds_back_) {
    return sink_->Write(data, size);
  }
  held_back_.append(static_cast<const char*>(data), static_cast<size_t>(size));
  return arrow::Status::OK();
}

arrow::Status ChecksumStream::Write(const std::shared_ptr<arrow::Buffer>& data) {
  return holds_back_ ? Write(data->data(), data->size()) : sink_->Write(data);
}

arrow::Result<int64_t> ChecksumStream::Tell() const {
  ARROW_ASSIGN_OR_RAISE(const int64_t written, sink_->Tell());
  return written + static_cast<int64_t>(held_back_.size());
}

arrow::Status ChecksumStream::Release() {
  uint32_t length = 0;
  if (held_back_.size() >= kTailBytes) {
    std::memcpy(&length, held_back_.data() + held_back_.size() - kTailBytes, sizeof(length));
    length = arrow::bit_util::FromLittleEndian(length);
  }
  if (held_back_.size() < kTailBytes || length > held_back_.size() - kTailBytes) {
    return arrow::Status::Invalid("found no footer at the end of what was written");
  }
  const size_t begin = held_back_.size() - kTailBytes - length;
  const std::string footer = held_back_.substr(begin, length);
  const std::optional<size_t> place = FindFooterChecksum(footer);
  if (!place.has_value()) {
    return arrow::Status::Invalid("found no place for the checksum of the footer");
  }
  held_back_.replace(begin + *place, kUnknownFooterChecksum.size(),
                     ComputeFooterChecksum(footer, *place));
  holds_back_ = false;
  const std::string released = std::move(held_back_);
  held_back_.clear();
  return sink_->Write(released.data(), static_cast<int64_t>(released.size()));
}

}  // namespace df::lake
