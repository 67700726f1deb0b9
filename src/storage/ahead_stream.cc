#include "storage/ahead_stream.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include <arrow/buffer.h>

namespace df::storage {

AheadStream::AheadStream(std::shared_ptr<RemoteFile> file, int64_t start, int64_t num_bytes,
                         int64_t piece_bytes)
    : file_(std::move(file)), start_(start), num_bytes_(num_bytes), piece_bytes_(piece_bytes) {
  Fetch(1);
}

/// Asks for the pieces up to one.
void AheadStream::Fetch(int64_t piece) {
  for (; next_piece_ <= piece && next_piece_ * piece_bytes_ < num_bytes_; ++next_piece_) {
    const int64_t offset = next_piece_ * piece_bytes_;
    pieces_[static_cast<size_t>(next_piece_ % 2)] =
        file_->Announce({{start_ + offset, std::min(piece_bytes_, num_bytes_ - offset)}});
  }
}

arrow::Result<int64_t> AheadStream::Read(int64_t num_bytes, void* out) {
  if (closed()) {
    return Status::Invalid("the stream is closed");
  }
  const int64_t expected = std::min(num_bytes, num_bytes_ - position_);
  for (int64_t got = 0; got < expected;) {
    const int64_t piece = position_ / piece_bytes_;
    Fetch(piece + 1);
    const int64_t count = std::min(expected - got, (piece + 1) * piece_bytes_ - position_);
    ARROW_RETURN_NOT_OK(
        file_->ReadAt(start_ + position_, count, static_cast<uint8_t*>(out) + got).status());
    position_ += count;
    got += count;
  }
  return expected;
}

arrow::Result<std::shared_ptr<arrow::Buffer>> AheadStream::Read(int64_t num_bytes) {
  ARROW_ASSIGN_OR_RAISE(
      auto buffer, arrow::AllocateResizableBuffer(std::min(num_bytes, num_bytes_ - position_)));
  ARROW_RETURN_NOT_OK(Read(buffer->size(), buffer->mutable_data()));
  return std::shared_ptr<arrow::Buffer>(std::move(buffer));
}

Status AheadStream::Close() {
  pieces_ = {};
  file_ = nullptr;
  return Status::OK();
}

}  // namespace df::storage
