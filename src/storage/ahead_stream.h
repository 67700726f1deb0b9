// A stretch of a remote file, read front to back.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include <arrow/io/interfaces.h>

#include "storage/remote_file.h"

namespace df::storage {

/// Fetches the next piece while one is read. For what is too large to be fetched as a whole. The
/// first two pieces are asked for at once.
class AheadStream final : public arrow::io::InputStream {
 public:
  /// `piece_bytes` is at least 1. Held: two pieces.
  AheadStream(std::shared_ptr<RemoteFile> file, int64_t start, int64_t num_bytes,
              int64_t piece_bytes);

  arrow::Result<int64_t> Read(int64_t num_bytes, void* out) override;
  arrow::Result<std::shared_ptr<arrow::Buffer>> Read(int64_t num_bytes) override;
  arrow::Result<int64_t> Tell() const override { return position_; }
  Status Close() override;
  bool closed() const override { return file_ == nullptr; }

 private:
  void Fetch(int64_t piece);

  std::shared_ptr<RemoteFile> file_;
  const int64_t start_;
  const int64_t num_bytes_;
  const int64_t piece_bytes_;
  int64_t position_ = 0;
  int64_t next_piece_ = 0;                  ///< the first that was not asked for
  std::array<RemoteFile::Hold, 2> pieces_;  ///< the one that is read and the next
};

}  // namespace df::storage
