#include "nodes/processors/durable_buffer/segment_store.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>

#include "base/text.h"
#include "nodes/processors/durable_buffer/checksum.h"

namespace df::nodes::processors::durable_buffer {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSegmentEnding = ".segment";
constexpr std::string_view kDoneEnding = ".done";
constexpr std::string_view kDamagedFolder = "damaged";
constexpr std::array<char, 4> kMagic = {'D', 'F', 'B', '1'};
constexpr int64_t kMaxPayloadBytes = INT32_MAX;
/// Read at a time where a head is looked for.
constexpr int64_t kScanBytes = int64_t{1} << 20;

/// Stands in front of each payload. Byte order: that of the machine.
struct Head {
  std::array<char, 4> magic = kMagic;
  uint32_t payload_bytes = 0;
  uint32_t payload_checksum = 0;
  uint32_t signal = 0;
  uint64_t sequence = 0;
  int64_t num_items = 0;
  int64_t accepted_nanos = 0;
  uint32_t reserved = 0;
  uint32_t checksum = 0;  ///< of all before
};
static_assert(sizeof(Head) == 48);

/// An entry of a file of removed records.
struct Done {
  uint64_t sequence = 0;
  uint32_t reserved = 0;
  uint32_t checksum = 0;  ///< of all before
};
static_assert(sizeof(Done) == 16);

template <typename Entry>
std::string_view BytesOf(const Entry& entry) {
  return {reinterpret_cast<const char*>(&entry), sizeof(entry)};
}

template <typename Entry>
uint32_t ChecksumOf(const Entry& entry) {
  return Checksum(BytesOf(entry).substr(0, sizeof(entry) - sizeof(uint32_t)));
}

/// Nothing where the bytes are no head.
std::optional<Head> HeadAt(std::string_view bytes) {
  Head head;
  if (bytes.size() < sizeof(head)) {
    return std::nullopt;
  }
  std::memcpy(&head, bytes.data(), sizeof(head));
  const bool is_right = head.magic == kMagic && head.checksum == ChecksumOf(head) &&
                        head.signal < otap::kAllSignals.size() &&
                        head.payload_bytes <= kMaxPayloadBytes;
  return is_right ? std::optional(head) : std::nullopt;
}

std::optional<uint64_t> NumberOf(const fs::path& path, std::string_view ending) {
  const std::string name = path.filename().string();
  if (!name.ends_with(ending)) {
    return std::nullopt;
  }
  uint64_t number = 0;
  const char* end = name.data() + name.size() - ending.size();
  const auto parsed = std::from_chars(name.data(), end, number);
  return parsed.ec == std::errc() && parsed.ptr == end ? std::optional(number) : std::nullopt;
}

/// A descriptor that is closed at the end.
class OpenFile {
 public:
  OpenFile(FileCalls* calls, const fs::path& path, int flags)
      : calls_(calls), descriptor_(calls->Open(path.string(), flags | O_CLOEXEC, 0600)) {}
  ~OpenFile() {
    if (descriptor_ >= 0) {
      calls_->Close(descriptor_);
    }
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  int descriptor() const { return descriptor_; }

 private:
  FileCalls* calls_;
  int descriptor_;
};

}  // namespace

int64_t SegmentStore::HeadBytes() { return sizeof(Head); }

Result<std::unique_ptr<SegmentStore>> SegmentStore::Open(Settings settings, FileCalls* calls,
                                                         RecoveredRecords* recovered) {
  std::unique_ptr<SegmentStore> store(new SegmentStore(std::move(settings), calls));
  ARROW_RETURN_NOT_OK(store->folders_.Make(store->settings_.folder));
  ARROW_RETURN_NOT_OK(store->LockFolder());
  ARROW_RETURN_NOT_OK(store->Recover(recovered));
  return store;
}

SegmentStore::~SegmentStore() {
  CloseNewest();
  for (const auto& [number, segment] : segments_) {
    if (segment.done >= 0) {
      calls_->Close(segment.done);
    }
  }
  for (const int descriptor : {read_descriptor_, lock_}) {
    if (descriptor >= 0) {
      calls_->Close(descriptor);
    }
  }
}

fs::path SegmentStore::PathOf(uint64_t segment, std::string_view ending) const {
  return settings_.folder / fmt::format("{:016}{}", segment, ending);
}

Status SegmentStore::LockFolder() {
  const fs::path path = settings_.folder / "lock";
  lock_ = calls_->Open(path.string(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock_ < 0) {
    return FileError(path, "cannot be opened", lock_);
  }
  const int error = calls_->Lock(lock_, FileLock::kExclusive);
  if (error == -EWOULDBLOCK) {
    return MakeError(ErrorKind::kIo,
                     fmt::format("'{}': another process, or another node of this one, is using it; "
                                 "each needs a folder of its own",
                                 PrintableText(settings_.folder.string())),
                     {}, /*retryable=*/true);
  }
  return error < 0 ? FileError(path, "cannot be locked", error) : Status::OK();
}

Status SegmentStore::Recover(RecoveredRecords* recovered) {
  std::vector<uint64_t> segments;
  std::vector<fs::path> strays;
  std::error_code error;
  fs::directory_iterator entry(settings_.folder, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    if (const auto number = NumberOf(entry->path(), kSegmentEnding)) {
      segments.push_back(*number);
    } else if (const auto done = NumberOf(entry->path(), kDoneEnding);
               done.has_value() && !fs::exists(PathOf(*done, kSegmentEnding))) {
      strays.push_back(entry->path());
    }
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    return FileError(settings_.folder, "cannot be listed", error.value());
  }
  for (const fs::path& stray : strays) {
    calls_->Unlink(stray.string());
  }
  std::sort(segments.begin(), segments.end());
  for (const uint64_t segment : segments) {
    next_segment_ = std::max(next_segment_, segment + 1);
    ARROW_RETURN_NOT_OK(RecoverSegment(segment, recovered));
  }
  for (const auto& [sequence, place] : places_) {
    recovered->records.push_back(place.facts);
  }
  return Status::OK();
}

Result<std::string> SegmentStore::ReadRange(const fs::path& path, int descriptor, int64_t offset,
                                            int64_t size) const {
  std::string bytes(static_cast<size_t>(size), '\0');
  int64_t num_read = 0;
  while (num_read < size) {
    const int64_t count = calls_->ReadAt(descriptor, bytes.data() + num_read,
                                         static_cast<size_t>(size - num_read), offset + num_read);
    if (count == -EINTR) {
      continue;
    }
    if (count < 0) {
      return FileError(path, "cannot be read", static_cast<int>(count));
    }
    if (count == 0) {
      break;
    }
    num_read += count;
  }
  bytes.resize(static_cast<size_t>(num_read));
  return bytes;
}

Status SegmentStore::ReadDone(uint64_t number, std::vector<uint64_t>* sequences) const {
  const fs::path path = PathOf(number, kDoneEnding);
  const OpenFile file(calls_, path, O_RDONLY);
  if (file.descriptor() == -ENOENT) {
    return Status::OK();
  }
  if (file.descriptor() < 0) {
    return FileError(path, "cannot be opened", file.descriptor());
  }
  FileFacts facts;
  if (const int error = calls_->Stat(file.descriptor(), &facts); error < 0) {
    return FileError(path, "cannot be looked at", error);
  }
  ARROW_ASSIGN_OR_RAISE(const std::string bytes,
                        ReadRange(path, file.descriptor(), 0, facts.size_bytes));
  for (size_t at = 0; at + sizeof(Done) <= bytes.size(); at += sizeof(Done)) {
    Done done;
    std::memcpy(&done, bytes.data() + at, sizeof(done));
    if (done.checksum == ChecksumOf(done)) {  // else it is delivered once more
      sequences->push_back(done.sequence);
    }
  }
  return Status::OK();
}

Status SegmentStore::RecoverSegment(uint64_t number, RecoveredRecords* recovered) {
  const fs::path path = PathOf(number, kSegmentEnding);
  const OpenFile file(calls_, path, O_RDWR);
  if (file.descriptor() < 0) {
    return FileError(path, "cannot be opened", file.descriptor());
  }
  FileFacts file_facts;
  if (const int error = calls_->Stat(file.descriptor(), &file_facts); error < 0) {
    return FileError(path, "cannot be looked at", error);
  }
  int64_t size = file_facts.size_bytes;
  std::vector<Place> places;
  const auto tell = [&](std::string_view what, int64_t offset, int64_t count) {
    recovered->findings.push_back(fmt::format("'{}': {} at byte {} ({} bytes), kept in '{}'",
                                              PrintableText(path.string()), what, offset, count,
                                              kDamagedFolder));
  };
  int64_t offset = 0;
  int64_t bad_from = -1;  // where what cannot be read begins
  std::string window;     // of the file, from `window_at` on
  int64_t window_at = 0;
  while (offset < size) {
    if (offset + HeadBytes() > window_at + std::ssize(window) || offset < window_at) {
      window_at = offset;
      ARROW_ASSIGN_OR_RAISE(
          window, ReadRange(path, file.descriptor(), offset, std::min(kScanBytes, size - offset)));
    }
    const auto head =
        HeadAt(std::string_view(window).substr(static_cast<size_t>(offset - window_at)));
    const bool is_whole =
        head.has_value() && offset + HeadBytes() + int64_t{head->payload_bytes} <= size;
    if (!is_whole) {
      bad_from = bad_from < 0 ? offset : bad_from;
      ++offset;
      continue;
    }
    if (bad_from >= 0) {
      ARROW_RETURN_NOT_OK(SetAside(number, file.descriptor(), bad_from, offset - bad_from));
      tell("damaged records", bad_from, offset - bad_from);
      ++recovered->num_damaged;
      bad_from = -1;
    }
    const int64_t record_bytes = HeadBytes() + int64_t{head->payload_bytes};
    places.push_back({.facts = {.sequence = head->sequence,
                                .signal = static_cast<otap::Signal>(head->signal),
                                .num_items = head->num_items,
                                .accepted_nanos = head->accepted_nanos,
                                .size_bytes = record_bytes},
                      .segment = number,
                      .offset = offset});
    next_sequence_ = std::max(next_sequence_, head->sequence + 1);
    offset += record_bytes;
  }
  if (bad_from < 0 && !places.empty()) {
    // A crash may leave the right size and other bytes.
    const Place& last = places.back();
    ARROW_ASSIGN_OR_RAISE(const std::string record,
                          ReadRange(path, file.descriptor(), last.offset, last.facts.size_bytes));
    const auto head = HeadAt(record);
    if (!head.has_value() ||
        Checksum(std::string_view(record).substr(sizeof(Head))) != head->payload_checksum) {
      bad_from = last.offset;
      places.pop_back();
    }
  }
  if (bad_from >= 0) {
    ARROW_RETURN_NOT_OK(SetAside(number, file.descriptor(), bad_from, size - bad_from));
    if (const int error = calls_->Truncate(file.descriptor(), bad_from); error < 0) {
      return FileError(path, "cannot be cut", error);
    }
    if (const int error = calls_->Sync(file.descriptor()); error < 0) {
      return FileError(path, "cannot be synced", error);
    }
    tell("an incomplete end was cut off", bad_from, size - bad_from);
    size = bad_from;
  }
  std::vector<uint64_t> done;
  ARROW_RETURN_NOT_OK(ReadDone(number, &done));
  std::sort(done.begin(), done.end());
  Segment& segment = segments_[number];
  segment.size_bytes = size;
  size_bytes_ += size;
  for (Place& place : places) {
    if (!std::binary_search(done.begin(), done.end(), place.facts.sequence)) {
      segment.num_records += places_.emplace(place.facts.sequence, place).second ? 1 : 0;
    }
  }
  return segment.num_records == 0 ? Erase(number) : Status::OK();
}

Status SegmentStore::SetAside(uint64_t segment, int descriptor, int64_t offset, int64_t size) {
  const fs::path folder = settings_.folder / kDamagedFolder;
  ARROW_RETURN_NOT_OK(folders_.Make(folder));
  const fs::path path = folder / fmt::format("{:016}-{}", segment, offset);
  const OpenFile file(calls_, path, O_WRONLY | O_CREAT | O_TRUNC);
  if (file.descriptor() < 0) {
    return FileError(path, "cannot be made", file.descriptor());
  }
  for (int64_t at = 0; at < size; at += kScanBytes) {
    ARROW_ASSIGN_OR_RAISE(const std::string bytes,
                          ReadRange(PathOf(segment, kSegmentEnding), descriptor, offset + at,
                                    std::min(kScanBytes, size - at)));
    ARROW_RETURN_NOT_OK(WriteAll(calls_, file.descriptor(), path, bytes));
  }
  if (const int error = calls_->Sync(file.descriptor()); error < 0) {
    return FileError(path, "cannot be synced", error);
  }
  return SyncDirectory(calls_, folder);
}

Status SegmentStore::BeginSegment() {
  const uint64_t number = next_segment_++;
  const fs::path path = PathOf(number, kSegmentEnding);
  const int descriptor =
      calls_->Open(path.string(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
  if (descriptor < 0) {
    return FileError(path, "cannot be made", descriptor);
  }
  if (Status synced = SyncDirectory(calls_, settings_.folder); !synced.ok()) {
    calls_->Close(descriptor);
    calls_->Unlink(path.string());
    return synced;
  }
  newest_ = number;
  newest_descriptor_ = descriptor;
  synced_bytes_ = 0;
  segments_[number];
  return Status::OK();
}

void SegmentStore::CloseNewest() {
  if (newest_descriptor_ >= 0) {
    calls_->Close(std::exchange(newest_descriptor_, -1));
  }
  const auto number = std::exchange(newest_, std::nullopt);
  if (number.has_value() && segments_.at(*number).num_records == 0) {
    (void)Erase(*number);  // what cannot be removed is found empty at the next start
  }
}

Result<RecordFacts> SegmentStore::Add(RecordFacts facts, std::string_view payload) {
  if (std::ssize(payload) > kMaxPayloadBytes) {
    return Status::Invalid(fmt::format("a batch takes {} bytes, expected at most {}",
                                       payload.size(), kMaxPayloadBytes));
  }
  const bool is_full =
      newest_.has_value() && segments_.at(*newest_).size_bytes >= settings_.segment_bytes;
  if (is_full) {
    ARROW_RETURN_NOT_OK(Sync());
    CloseNewest();
  }
  if (!newest_.has_value()) {
    ARROW_RETURN_NOT_OK(BeginSegment());
  }
  facts.sequence = next_sequence_;
  facts.size_bytes = HeadBytes() + std::ssize(payload);
  Head head;
  head.payload_bytes = static_cast<uint32_t>(payload.size());
  head.payload_checksum = Checksum(payload);
  head.signal = static_cast<uint32_t>(facts.signal);
  head.sequence = facts.sequence;
  head.num_items = facts.num_items;
  head.accepted_nanos = facts.accepted_nanos;
  head.checksum = ChecksumOf(head);
  Segment& segment = segments_.at(*newest_);
  const fs::path path = PathOf(*newest_, kSegmentEnding);
  Status written = WriteAll(calls_, newest_descriptor_, path, BytesOf(head));
  if (written.ok()) {
    written = WriteAll(calls_, newest_descriptor_, path, payload);
  }
  if (!written.ok()) {
    TakeBack(segment.size_bytes);
    return written;
  }
  ++next_sequence_;
  places_.emplace(facts.sequence,
                  Place{.facts = facts, .segment = *newest_, .offset = segment.size_bytes});
  unsynced_.push_back(facts.sequence);
  segment.size_bytes += facts.size_bytes;
  size_bytes_ += facts.size_bytes;
  ++segment.num_records;
  return facts;
}

/// What cannot be cut off is behind all that counts: the next start cuts it off.
void SegmentStore::TakeBack(int64_t size_bytes) {
  if (calls_->Truncate(newest_descriptor_, size_bytes) < 0) {
    (void)Sync();
    CloseNewest();
  }
}

Status SegmentStore::Sync() {
  if (unsynced_.empty()) {
    return Status::OK();
  }
  if (const int error = calls_->Sync(newest_descriptor_); error < 0) {
    // What a failed sync leaves is not known, and the next one may succeed without it.
    const fs::path path = PathOf(*newest_, kSegmentEnding);
    const std::vector<uint64_t> lost = std::exchange(unsynced_, {});
    Segment& segment = segments_.at(*newest_);
    (void)calls_->Truncate(newest_descriptor_, synced_bytes_);
    size_bytes_ -= segment.size_bytes - synced_bytes_;
    segment.size_bytes = synced_bytes_;
    CloseNewest();
    (void)Remove(lost);  // should they be there at the next start all the same
    return FileError(path, "cannot be synced", error);
  }
  unsynced_.clear();
  synced_bytes_ = segments_.at(*newest_).size_bytes;
  return Status::OK();
}

Result<std::string> SegmentStore::Read(uint64_t sequence) {
  const auto found = places_.find(sequence);
  if (found == places_.end()) {
    return Status::KeyError(fmt::format("record {} is not there", sequence));
  }
  const Place place = found->second;
  const fs::path path = PathOf(place.segment, kSegmentEnding);
  if (read_segment_ != place.segment) {
    if (read_descriptor_ >= 0) {
      calls_->Close(read_descriptor_);
    }
    read_segment_.reset();
    read_descriptor_ = calls_->Open(path.string(), O_RDONLY | O_CLOEXEC, 0);
    if (read_descriptor_ < 0) {
      return FileError(path, "cannot be opened", read_descriptor_);
    }
    read_segment_ = place.segment;
  }
  ARROW_ASSIGN_OR_RAISE(std::string record,
                        ReadRange(path, read_descriptor_, place.offset, place.facts.size_bytes));
  const auto head = HeadAt(record);
  const bool is_right =
      head.has_value() && head->sequence == sequence &&
      std::ssize(record) == place.facts.size_bytes &&
      Checksum(std::string_view(record).substr(sizeof(Head))) == head->payload_checksum;
  if (!is_right) {
    ARROW_RETURN_NOT_OK(
        SetAside(place.segment, read_descriptor_, place.offset, place.facts.size_bytes));
    (void)Remove(std::array{sequence});
    return MakeError(
        ErrorKind::kIo,
        fmt::format("'{}': the record at byte {} ({} bytes, {} items of {}) is not "
                    "what was written; it is kept in '{}'",
                    PrintableText(path.string()), place.offset, place.facts.size_bytes,
                    place.facts.num_items, otap::Name(place.facts.signal), kDamagedFolder));
  }
  record.erase(0, sizeof(Head));
  return record;
}

Status SegmentStore::MarkDone(uint64_t number, std::string_view entries) {
  Segment& segment = segments_.at(number);
  const fs::path path = PathOf(number, kDoneEnding);
  if (segment.done < 0) {
    segment.done = calls_->Open(path.string(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (segment.done < 0) {
      return FileError(path, "cannot be opened", segment.done);
    }
    FileFacts facts;
    if (const int error = calls_->Stat(segment.done, &facts); error < 0) {
      calls_->Close(std::exchange(segment.done, -1));
      return FileError(path, "cannot be looked at", error);
    }
    segment.done_bytes = facts.size_bytes;
    // A part of an entry would hide all behind it.
    segment.done_bytes -= segment.done_bytes % static_cast<int64_t>(sizeof(Done));
    (void)calls_->Truncate(segment.done, segment.done_bytes);
  }
  const Status written = WriteAll(calls_, segment.done, path, entries);
  if (written.ok()) {
    segment.done_bytes += std::ssize(entries);
  } else {
    (void)calls_->Truncate(segment.done, segment.done_bytes);
  }
  return written;
}

Status SegmentStore::Remove(std::span<const uint64_t> sequences) {
  std::map<uint64_t, std::string> entries;  // by segment
  for (const uint64_t sequence : sequences) {
    const auto found = places_.find(sequence);
    if (found == places_.end()) {
      continue;
    }
    Done done{.sequence = sequence};
    done.checksum = ChecksumOf(done);
    entries[found->second.segment] += BytesOf(done);
    --segments_.at(found->second.segment).num_records;
    places_.erase(found);
  }
  Status status;
  for (const auto& [number, bytes] : entries) {
    const bool is_over = segments_.at(number).num_records == 0 && newest_ != number;
    const Status one = is_over ? Erase(number) : MarkDone(number, bytes);
    status = status.ok() ? one : status;
  }
  return status;
}

Status SegmentStore::Erase(uint64_t number) {
  Segment& segment = segments_.at(number);
  if (segment.done >= 0) {
    calls_->Close(segment.done);
  }
  if (read_segment_ == number) {
    calls_->Close(std::exchange(read_descriptor_, -1));
    read_segment_.reset();
  }
  size_bytes_ -= segment.size_bytes;
  segments_.erase(number);
  const fs::path path = PathOf(number, kSegmentEnding);
  const int error = calls_->Unlink(path.string());
  if (error < 0 && error != -ENOENT) {
    return FileError(path, "cannot be removed", error);
  }
  // Behind the segment: without this one it would be delivered once more.
  calls_->Unlink(PathOf(number, kDoneEnding).string());
  return Status::OK();
}

Result<std::vector<RecordFacts>> SegmentStore::RemoveOldest() {
  if (segments_.empty() || segments_.begin()->first == newest_) {
    return std::vector<RecordFacts>();
  }
  const uint64_t number = segments_.begin()->first;
  std::vector<RecordFacts> removed;
  std::erase_if(places_, [&](const auto& entry) {
    if (entry.second.segment == number) {
      removed.push_back(entry.second.facts);
      return true;
    }
    return false;
  });
  ARROW_RETURN_NOT_OK(Erase(number));
  return removed;
}

}  // namespace df::nodes::processors::durable_buffer
