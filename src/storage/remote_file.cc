#include "storage/remote_file.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include <arrow/buffer.h>
#include <arrow/util/future.h>
#include <fmt/format.h>

#include "storage/store_failure.h"

namespace df::storage {
namespace {

/// Row groups whose ranges are kept: the one that is read, and the next.
constexpr size_t kMostAnnounced = 2;

/// Reads on from where the file stands.
template <typename File>
arrow::Result<std::shared_ptr<arrow::Buffer>> ReadOn(File* file, int64_t* position,
                                                     int64_t num_bytes) {
  ARROW_ASSIGN_OR_RAISE(auto buffer, file->ReadAt(*position, num_bytes));
  *position += buffer->size();
  return buffer;
}

template <typename File>
arrow::Result<int64_t> ReadOn(File* file, int64_t* position, int64_t num_bytes, void* out) {
  ARROW_ASSIGN_OR_RAISE(const int64_t got, file->ReadAt(*position, num_bytes, out));
  *position += got;
  return got;
}

Status CheckRange(int64_t position, int64_t num_bytes, int64_t size_bytes) {
  return position < 0 || num_bytes < 0 || position > size_bytes
             ? Status::Invalid(
                   fmt::format("{} bytes at {} of a file of {}", num_bytes, position, size_bytes))
             : Status::OK();
}

}  // namespace

RetriedFile::RetriedFile(std::shared_ptr<RemoteContext> context, std::string path,
                         std::shared_ptr<arrow::io::RandomAccessFile> file, int64_t size_bytes)
    : context_(std::move(context)),
      path_(std::move(path)),
      file_(std::move(file)),
      size_bytes_(size_bytes) {}

arrow::Result<int64_t> RetriedFile::ReadAt(int64_t position, int64_t num_bytes, void* out) {
  ARROW_RETURN_NOT_OK(CheckRange(position, num_bytes, size_bytes_));
  const int64_t expected = std::min(num_bytes, size_bytes_ - position);
  if (expected == 0) {
    return 0;
  }
  const Status status = context_->retry->Run([&]() -> Status {
    ++context_->counters.num_reads;
    ARROW_ASSIGN_OR_RAISE(const int64_t got, file_->ReadAt(position, expected, out));
    context_->counters.bytes_fetched += got;
    return got == expected
               ? Status::OK()
               : Status::IOError(fmt::format("the answer ended early: found {} bytes at {}, "
                                             "expected {}",
                                             got, position, expected));
  });
  ARROW_RETURN_NOT_OK(ExplainFailure(context_->uri, Operation::kRead, path_, status));
  return expected;
}

arrow::Result<std::shared_ptr<arrow::Buffer>> RetriedFile::ReadAt(int64_t position,
                                                                  int64_t num_bytes) {
  ARROW_RETURN_NOT_OK(CheckRange(position, num_bytes, size_bytes_));
  ARROW_ASSIGN_OR_RAISE(
      auto buffer, arrow::AllocateResizableBuffer(std::min(num_bytes, size_bytes_ - position)));
  ARROW_RETURN_NOT_OK(ReadAt(position, buffer->size(), buffer->mutable_data()));
  return std::shared_ptr<arrow::Buffer>(std::move(buffer));
}

arrow::Result<int64_t> RetriedFile::Read(int64_t num_bytes, void* out) {
  return ReadOn(this, &position_, num_bytes, out);
}

arrow::Result<std::shared_ptr<arrow::Buffer>> RetriedFile::Read(int64_t num_bytes) {
  return ReadOn(this, &position_, num_bytes);
}

Status RetriedFile::Seek(int64_t position) {
  ARROW_RETURN_NOT_OK(CheckRange(position, 0, size_bytes_));
  position_ = position;
  return Status::OK();
}

Status RetriedFile::Close() { return file_->Close(); }

RemoteFile::RemoteFile(std::shared_ptr<RemoteContext> context, std::string path,
                       std::string version, std::shared_ptr<RetriedFile> file, int64_t size_bytes,
                       int64_t listing)
    : context_(std::move(context)),
      key_(version.empty() ? "" : fmt::format("{}\n{}\n{}", path, size_bytes, version)),
      whole_key_(size_bytes <= context_->options.tail_bytes ? KeyOf(path, listing) : ""),
      file_(std::move(file)),
      size_bytes_(size_bytes) {}

RemoteFile::~RemoteFile() { static_cast<void>(Close()); }

std::string RemoteFile::KeyOf(const std::string& path, int64_t listing) {
  return fmt::format("{}\n{}", path, listing);
}

arrow::Result<std::shared_ptr<arrow::Buffer>> RemoteFile::Tail() {
  const std::lock_guard lock(mutex_);
  if (tail_ == nullptr && !key_.empty()) {
    tail_ = context_->tails.Find(key_);
  }
  if (tail_ == nullptr) {
    const int64_t size = std::min(context_->options.tail_bytes, size_bytes_);
    ARROW_ASSIGN_OR_RAISE(tail_, file_->ReadAt(size_bytes_ - size, size));
    if (!key_.empty()) {
      context_->tails.Add(key_, tail_);
    }
  }
  if (!whole_key_.empty()) {
    context_->files.Add(std::exchange(whole_key_, ""), tail_);
  }
  return tail_;
}

Status RemoteFile::WillNeed(const std::vector<arrow::io::ReadRange>& ranges) {
  const int64_t tail_begin = size_bytes_ - std::min(context_->options.tail_bytes, size_bytes_);
  Announced announced;
  for (const arrow::io::ReadRange& range : ranges) {
    if (range.length > 0 && range.offset >= 0 && range.offset < tail_begin) {
      announced.ranges.push_back(
          {range.offset, std::min(range.length, size_bytes_ - range.offset)});
    }
  }
  std::sort(announced.ranges.begin(), announced.ranges.end(),
            [](const auto& a, const auto& b) { return a.offset < b.offset; });
  // Ranges that overlap are read each by itself when they are needed.
  const auto overlap = [](const auto& a, const auto& b) { return a.offset + a.length > b.offset; };
  if (announced.ranges.empty() ||
      std::adjacent_find(announced.ranges.begin(), announced.ranges.end(), overlap) !=
          announced.ranges.end()) {
    return Status::OK();
  }
  arrow::io::CacheOptions options{.hole_size_limit = context_->options.hole_bytes,
                                  .range_size_limit = std::max(context_->options.request_bytes,
                                                               context_->options.hole_bytes + 1),
                                  .lazy = false,
                                  .prefetch_limit = 0};
  announced.cache = std::make_shared<arrow::io::internal::ReadRangeCache>(
      file_, arrow::io::default_io_context(), options);
  ARROW_RETURN_NOT_OK(announced.cache->Cache(announced.ranges));
  const std::lock_guard lock(mutex_);
  announced_.push_back(std::move(announced));
  while (announced_.size() > kMostAnnounced) {
    announced_.pop_front();
  }
  return Status::OK();
}

std::shared_ptr<arrow::io::internal::ReadRangeCache> RemoteFile::CacheOf(
    int64_t position, int64_t num_bytes, arrow::io::ReadRange* whole) {
  const std::lock_guard lock(mutex_);
  for (const Announced& announced : announced_) {
    auto range = std::upper_bound(announced.ranges.begin(), announced.ranges.end(), position,
                                  [](int64_t at, const auto& next) { return at < next.offset; });
    if (range != announced.ranges.begin() &&
        (--range)->offset + range->length >= position + num_bytes) {
      *whole = *range;
      return announced.cache;
    }
  }
  return nullptr;
}

arrow::Result<std::shared_ptr<arrow::Buffer>> RemoteFile::ReadAt(int64_t position,
                                                                 int64_t num_bytes) {
  ARROW_RETURN_NOT_OK(CheckRange(position, num_bytes, size_bytes_));
  num_bytes = std::min(num_bytes, size_bytes_ - position);
  context_->counters.bytes_used += num_bytes;
  if (position >= size_bytes_ - context_->options.tail_bytes) {
    ARROW_ASSIGN_OR_RAISE(const auto tail, Tail());
    return arrow::SliceBuffer(tail, position - (size_bytes_ - tail->size()), num_bytes);
  }
  arrow::io::ReadRange whole;
  if (const auto cache = CacheOf(position, num_bytes, &whole); cache != nullptr) {
    ARROW_ASSIGN_OR_RAISE(const auto buffer, cache->Read(whole));
    return arrow::SliceBuffer(buffer, position - whole.offset, num_bytes);
  }
  return file_->ReadAt(position, num_bytes);
}

arrow::Result<int64_t> RemoteFile::ReadAt(int64_t position, int64_t num_bytes, void* out) {
  ARROW_ASSIGN_OR_RAISE(const auto buffer, ReadAt(position, num_bytes));
  if (buffer->size() > 0) {
    std::memcpy(out, buffer->data(), static_cast<size_t>(buffer->size()));
  }
  return buffer->size();
}

arrow::Result<int64_t> RemoteFile::Read(int64_t num_bytes, void* out) {
  return ReadOn(this, &position_, num_bytes, out);
}

arrow::Result<std::shared_ptr<arrow::Buffer>> RemoteFile::Read(int64_t num_bytes) {
  return ReadOn(this, &position_, num_bytes);
}

Status RemoteFile::Seek(int64_t position) {
  ARROW_RETURN_NOT_OK(CheckRange(position, 0, size_bytes_));
  position_ = position;
  return Status::OK();
}

Status RemoteFile::Close() {
  if (std::exchange(is_closed_, true)) {
    return Status::OK();
  }
  for (const Announced& announced : announced_) {
    announced.cache->Wait().Wait();
  }
  announced_.clear();
  return file_->Close();
}

}  // namespace df::storage
