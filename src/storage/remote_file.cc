#include "storage/remote_file.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include <arrow/buffer.h>
#include <arrow/util/future.h>
#include <fmt/format.h>

#include "base/text.h"
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
                         std::shared_ptr<arrow::io::RandomAccessFile> file, FileFacts facts,
                         FactsNow now)
    : context_(std::move(context)),
      path_(std::move(path)),
      file_(std::move(file)),
      facts_(std::move(facts)),
      now_(std::move(now)) {}

Status RetriedFile::Replaced(std::string_view found) {
  is_replaced_ = true;
  return Status::IOError(fmt::format(
      "{}: {}; opened with {} bytes{}", kReplacedText, found, facts_.size_bytes,
      facts_.etag.empty() ? "" : fmt::format(" and the ETag {}", PrintableText(facts_.etag))));
}

Status RetriedFile::CheckVersion() {
  if (now_ == nullptr && !is_replaced_) {
    return Status::OK();
  }
  Status status = Status::OK();
  if (is_replaced_) {
    status = Replaced("there is another version by now");
  } else if (const Result<FileFacts> now = now_(); !now.ok()) {
    status = FailureOf(context_->uri.kind, now.status()) == Failure::kNotFound
                 ? Replaced("nothing is there by now")
                 : now.status();
  } else if (*now != facts_) {
    status = Replaced(fmt::format(
        "found {} bytes{}", now->size_bytes,
        now->etag.empty() ? "" : fmt::format(" and the ETag {}", PrintableText(now->etag))));
  }
  return ExplainFailure(context_->uri, Operation::kRead, path_, status);
}

arrow::Result<int64_t> RetriedFile::ReadAt(int64_t position, int64_t num_bytes, void* out) {
  ARROW_RETURN_NOT_OK(CheckRange(position, num_bytes, facts_.size_bytes));
  const int64_t expected = std::min(num_bytes, facts_.size_bytes - position);
  if (expected == 0) {
    return 0;
  }
  bool has_looked = false;
  const Status status = context_->retry->Run([&]() -> Status {
    ++context_->counters.num_reads;
    ARROW_ASSIGN_OR_RAISE(const int64_t got, file_->ReadAt(position, expected, out));
    context_->counters.bytes_fetched += got;
    if (got == expected) {
      return Status::OK();
    }
    if (!std::exchange(has_looked, true)) {  // a shorter version looks like this too
      const Status version = CheckVersion();
      ARROW_RETURN_NOT_OK(IsReplaced(version) ? version : Status::OK());
    }
    return Status::IOError(
        fmt::format("{}: found {} bytes at {}, expected {}", kCutOffText, got, position, expected));
  });
  if (IsReplaced(status)) {
    return status;
  }
  if (!status.ok()) {
    const Failure failure = FailureOf(context_->uri.kind, status);
    if (failure == Failure::kNotFound) {
      return ExplainFailure(context_->uri, Operation::kRead, path_,
                            Replaced("the version that was opened is not there by now"));
    }
    if (failure == Failure::kPermanent) {  // a range behind the end of a shorter version
      ARROW_RETURN_NOT_OK(CheckVersion());
    }
  }
  ARROW_RETURN_NOT_OK(ExplainFailure(context_->uri, Operation::kRead, path_, status));
  return expected;
}

arrow::Result<std::shared_ptr<arrow::Buffer>> RetriedFile::ReadAt(int64_t position,
                                                                  int64_t num_bytes) {
  ARROW_RETURN_NOT_OK(CheckRange(position, num_bytes, facts_.size_bytes));
  ARROW_ASSIGN_OR_RAISE(auto buffer, arrow::AllocateResizableBuffer(
                                         std::min(num_bytes, facts_.size_bytes - position)));
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
  ARROW_RETURN_NOT_OK(CheckRange(position, 0, facts_.size_bytes));
  position_ = position;
  return Status::OK();
}

Status RetriedFile::Close() { return file_->Close(); }

RemoteFile::RemoteFile(std::shared_ptr<RemoteContext> context, const std::string& path,
                       std::shared_ptr<RetriedFile> file, int64_t listing)
    : context_(std::move(context)), file_(std::move(file)), size_bytes_(file_->facts().size_bytes) {
  if (const std::string& etag = file_->facts().etag; !etag.empty()) {
    key_ = fmt::format("{}\n{}\n{}", path, size_bytes_, etag);
  }
  if (size_bytes_ <= context_->options.tail_bytes) {
    whole_key_ = KeyOf(path, listing);
  }
}

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
    ARROW_ASSIGN_OR_RAISE(auto tail, file_->ReadAt(size_bytes_ - size, size));
    if (has_read_) {
      ARROW_RETURN_NOT_OK(file_->CheckVersion());
    }
    tail_ = std::move(tail);
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
  auto announced = std::make_shared<Announced>();
  for (const arrow::io::ReadRange& range : ranges) {
    if (range.length > 0 && range.offset >= 0 && range.offset < tail_begin) {
      announced->ranges.push_back(
          {range.offset, std::min(range.length, size_bytes_ - range.offset)});
    }
  }
  std::sort(announced->ranges.begin(), announced->ranges.end(),
            [](const auto& a, const auto& b) { return a.offset < b.offset; });
  // Ranges that overlap are read each by itself when they are needed.
  const auto overlap = [](const auto& a, const auto& b) { return a.offset + a.length > b.offset; };
  if (announced->ranges.empty() ||
      std::adjacent_find(announced->ranges.begin(), announced->ranges.end(), overlap) !=
          announced->ranges.end()) {
    return Status::OK();
  }
  arrow::io::CacheOptions options{.hole_size_limit = context_->options.hole_bytes,
                                  .range_size_limit = std::max(context_->options.request_bytes,
                                                               context_->options.hole_bytes + 1),
                                  .lazy = false,
                                  .prefetch_limit = 0};
  announced->cache = std::make_shared<arrow::io::internal::ReadRangeCache>(
      file_, arrow::io::default_io_context(), options);
  ARROW_RETURN_NOT_OK(announced->cache->Cache(announced->ranges));
  const std::lock_guard lock(mutex_);
  has_read_ = true;
  announced_.push_back(std::move(announced));
  while (announced_.size() > kMostAnnounced) {
    announced_.pop_front();
  }
  return Status::OK();
}

std::shared_ptr<RemoteFile::Announced> RemoteFile::AnnouncedWith(int64_t position,
                                                                 int64_t num_bytes,
                                                                 arrow::io::ReadRange* whole) {
  const std::lock_guard lock(mutex_);
  for (const auto& announced : announced_) {
    auto range = std::upper_bound(announced->ranges.begin(), announced->ranges.end(), position,
                                  [](int64_t at, const auto& next) { return at < next.offset; });
    if (range != announced->ranges.begin() &&
        (--range)->offset + range->length >= position + num_bytes) {
      *whole = *range;
      return announced;
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
  if (const auto announced = AnnouncedWith(position, num_bytes, &whole); announced != nullptr) {
    ARROW_ASSIGN_OR_RAISE(const auto buffer, announced->cache->Read(whole));
    if (!announced->is_checked) {
      announced->cache->Wait().Wait();  // one look is enough for all of them
      ARROW_RETURN_NOT_OK(file_->CheckVersion());
      announced->is_checked = true;
    }
    return arrow::SliceBuffer(buffer, position - whole.offset, num_bytes);
  }
  {
    const std::lock_guard lock(mutex_);
    has_read_ = true;
  }
  ARROW_ASSIGN_OR_RAISE(auto buffer, file_->ReadAt(position, num_bytes));
  ARROW_RETURN_NOT_OK(num_bytes == 0 ? Status::OK() : file_->CheckVersion());
  return buffer;
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
  for (const auto& announced : announced_) {
    announced->cache->Wait().Wait();
  }
  announced_.clear();
  return file_->Close();
}

}  // namespace df::storage
