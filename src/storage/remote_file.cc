#include "storage/remote_file.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include <arrow/buffer.h>
#include <arrow/util/future.h>
#include <arrow/util/thread_pool.h>
#include <fmt/format.h>

#include "base/text.h"
#include "storage/store_failure.h"

namespace df::storage {
namespace {

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

/// Reads once. The client of S3 says that it has all bytes whatever the answer held: the last one
/// is marked, and where the mark is still there it is looked whether that is what the file has.
arrow::Result<int64_t> RetriedFile::ReadMarked(int64_t position, int64_t num_bytes, uint8_t* out) {
  uint8_t& last = out[num_bytes - 1];
  int64_t got = 0;
  for (const uint8_t mark : {0xA5, 0x5A}) {
    context_->counters.CountRequest(Operation::kRead);
    last = mark;
    ARROW_ASSIGN_OR_RAISE(got, file_->ReadAt(position, num_bytes, out));
    context_->counters.bytes_fetched += got;
    if (context_->uri.kind != StoreKind::kS3 || got < num_bytes || last != mark) {
      return got;
    }
  }
  return got - 1;  // at most
}

arrow::Result<int64_t> RetriedFile::ReadAt(int64_t position, int64_t num_bytes, void* out) {
  ARROW_RETURN_NOT_OK(CheckRange(position, num_bytes, facts_.size_bytes));
  const int64_t expected = std::min(num_bytes, facts_.size_bytes - position);
  if (expected == 0) {
    return 0;
  }
  bool has_looked = false;
  const Status status = context_->retry->Run(Operation::kRead, [&]() -> Status {
    ARROW_ASSIGN_OR_RAISE(const int64_t got,
                          ReadMarked(position, expected, static_cast<uint8_t*>(out)));
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

RemoteFile::Announced::~Announced() { Drop(); }

void RemoteFile::Announced::Drop() {
  if (const auto dropped = std::exchange(cache, nullptr); dropped != nullptr) {
    dropped->Wait().Wait();  // requests use the file, which may be closed next
    checked.Wait();
    context->ahead_bytes -= num_bytes;
  }
}

int64_t RemoteFile::ahead_left() const {
  return context_->options.ahead_bytes - context_->ahead_bytes;
}

RemoteFile::Hold RemoteFile::Announce(std::vector<arrow::io::ReadRange> ranges,
                                      std::optional<int64_t> hole_bytes) {
  const int64_t tail_begin = size_bytes_ - std::min(context_->options.tail_bytes, size_bytes_);
  std::sort(ranges.begin(), ranges.end(),
            [](const auto& a, const auto& b) { return a.offset < b.offset; });
  auto announced = std::make_shared<Announced>(context_);
  int64_t end = 0;
  for (const arrow::io::ReadRange& range : ranges) {
    if (range.length <= 0 || range.offset < end || range.offset >= tail_begin) {
      continue;
    }
    end = range.offset + std::min(range.length, size_bytes_ - range.offset);
    for (int64_t at = range.offset; at < end; at += context_->options.request_bytes) {
      announced->ranges.push_back({at, std::min(context_->options.request_bytes, end - at)});
      announced->num_bytes += announced->ranges.back().length;
    }
  }
  if (announced->ranges.empty()) {
    return nullptr;
  }
  const int64_t hole = hole_bytes.value_or(context_->options.hole_bytes);
  const arrow::io::CacheOptions options{
      .hole_size_limit = hole,
      .range_size_limit = std::max(context_->options.request_bytes, hole + 1),
      .lazy = false,
      .prefetch_limit = 0};
  auto cache = std::make_shared<Cache>(file_, arrow::io::default_io_context(), options);
  if (!cache->Cache(announced->ranges).ok()) {
    return nullptr;  // they are read one by one
  }
  // One look is enough for all of them, when the last has come.
  announced->checked = cache->Wait().Then([file = file_]() -> arrow::Future<> {
    return arrow::DeferNotOk(arrow::io::default_io_context().executor()->Submit(
        [file] { return file->CheckVersion(); }));
  });
  announced->cache = std::move(cache);
  announced->num_unread = announced->ranges.size();
  announced->is_read.assign(announced->num_unread, false);
  context_->ahead_bytes += announced->num_bytes;
  const std::lock_guard lock(mutex_);
  has_read_ = true;
  std::erase_if(announced_, [](const auto& earlier) { return earlier.expired(); });
  announced_.push_back(announced);
  return announced;
}

bool RemoteFile::IsAnnounced(arrow::io::ReadRange range) {
  return Find(range.offset, range.length).announced != nullptr;
}

RemoteFile::Place RemoteFile::Find(int64_t position, int64_t num_bytes) {
  const std::lock_guard lock(mutex_);
  for (const auto& weak : announced_) {
    auto announced = weak.lock();
    if (announced == nullptr || announced->cache == nullptr) {
      continue;
    }
    const auto& ranges = announced->ranges;
    const auto behind =
        std::upper_bound(ranges.begin(), ranges.end(), position,
                         [](int64_t at, const auto& next) { return at < next.offset; });
    if (behind == ranges.begin()) {
      continue;
    }
    auto last = std::prev(behind);
    while (last->offset + last->length < position + num_bytes && std::next(last) != ranges.end() &&
           std::next(last)->offset == last->offset + last->length) {
      ++last;
    }
    if (last->offset + last->length >= position + num_bytes) {
      auto cache = announced->cache;
      return {.announced = std::move(announced),
              .cache = std::move(cache),
              .first_range = static_cast<size_t>(std::prev(behind) - ranges.begin())};
    }
  }
  return {};
}

arrow::Result<std::shared_ptr<arrow::Buffer>> RemoteFile::ReadAnnounced(const Place& place,
                                                                        int64_t position,
                                                                        int64_t num_bytes) {
  std::vector<std::shared_ptr<arrow::Buffer>> pieces;
  const int64_t end = position + num_bytes;
  size_t index = place.first_range;
  for (int64_t at = position; at < end; ++index) {
    const arrow::io::ReadRange range = place.announced->ranges[index];
    ARROW_ASSIGN_OR_RAISE(auto buffer, place.cache->Read(range));
    const int64_t length = std::min(range.offset + range.length, end) - at;
    pieces.push_back(arrow::SliceBuffer(std::move(buffer), at - range.offset, length));
    at += length;
  }
  // Where that look could not be taken, or other ranges did not come: one for these.
  if (!place.announced->checked.status().ok()) {
    ARROW_RETURN_NOT_OK(file_->CheckVersion());
  }
  MarkRead(place, end);
  return pieces.size() == 1 ? std::move(pieces.front()) : arrow::ConcatenateBuffers(pieces);
}

/// The bytes of a place have been read, up to an end.
void RemoteFile::MarkRead(const Place& place, int64_t end) {
  const std::lock_guard lock(mutex_);
  Announced& announced = *place.announced;
  for (size_t i = place.first_range;
       i < announced.ranges.size() && announced.ranges[i].offset < end; ++i) {
    if (!announced.is_read[i] && announced.ranges[i].offset + announced.ranges[i].length <= end) {
      announced.is_read[i] = true;
      --announced.num_unread;
    }
  }
  if (announced.num_unread == 0) {
    announced.Drop();
  }
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
  if (const Place place = Find(position, num_bytes); place.announced != nullptr && num_bytes > 0) {
    return ReadAnnounced(place, position, num_bytes);
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
  std::vector<std::weak_ptr<Announced>> announced;
  {
    const std::lock_guard lock(mutex_);
    announced.swap(announced_);
  }
  for (const auto& weak : announced) {
    if (const auto held = weak.lock(); held != nullptr && held->cache != nullptr) {
      held->cache->Wait().Wait();
      held->checked.Wait();
    }
  }
  return file_->Close();
}

}  // namespace df::storage
