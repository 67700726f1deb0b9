// Records in files of bounded size, each whole and durable or not there.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/durable_file.h"
#include "base/error.h"
#include "base/file_calls.h"
#include "otap/schema.h"

namespace df::nodes::processors::durable_buffer {

/// What is known of a record without reading it.
struct RecordFacts {
  uint64_t sequence = 0;  ///< rises from record to record, also over starts of the program
  otap::Signal signal = otap::Signal::kLogs;
  int64_t num_items = 0;
  int64_t accepted_nanos = 0;  ///< since 1970
  int64_t size_bytes = 0;      ///< in its file
};

/// What an earlier run has left.
struct RecoveredRecords {
  std::vector<RecordFacts> records;  ///< in the order in which they were added
  std::vector<std::string>
      findings;             ///< torn ends that were cut off, and damage, by file and place
  int64_t num_damaged = 0;  ///< places that were set aside
};

/// A folder with segments `<number>.segment`, one after the other; beside each `<number>.done`
/// names the records that are delivered. A segment whose records are all delivered is removed.
/// Every record has a head and a payload with a CRC-32C each.
///
/// Opening it looks at heads, and at the payload of the last record of each segment. An incomplete
/// end is cut off; damage elsewhere costs the records that it touches. What is cut off or damaged
/// is kept in the folder `damaged`. The payload of any other record is checked when it is read.
///
/// Owner: holds the lock of the folder. Calls: from one thread, blocking on the file system.
/// Memory: some 100 bytes a record.
class SegmentStore {
 public:
  struct Settings {
    std::filesystem::path folder;
    int64_t segment_bytes = 0;  ///< a segment that has as many is followed by another
  };

  /// Makes the folder where it is missing. `calls` is borrowed. Errors: kind io; another process,
  /// or another node of this one, holds the folder.
  static Result<std::unique_ptr<SegmentStore>> Open(Settings settings, FileCalls* calls,
                                                    RecoveredRecords* recovered);
  ~SegmentStore();
  SegmentStore(const SegmentStore&) = delete;
  SegmentStore& operator=(const SegmentStore&) = delete;

  /// Adds a record behind all others; `facts` has all but sequence and size, which are returned
  /// with the rest. It is not durable before Sync. May sync those before it, and lose them as Sync
  /// does: Has tells. Errors: kind io; nothing of it is there then.
  Result<RecordFacts> Add(RecordFacts facts, std::string_view payload);

  /// Makes every record durable that was added. Errors: kind io; the records that were added since
  /// the last call that succeeded are not there any more, and must not count as stored.
  Status Sync();

  /// Returns the payload of a record. Errors: kind io, not retryable where the bytes are not what
  /// was written: they are set aside then, and the record is removed.
  Result<std::string> Read(uint64_t sequence);

  /// Forgets records: they are delivered, or given up. Numbers that are not there are passed over.
  /// Errors: kind io; the records are forgotten all the same, and come back at the next start.
  Status Remove(std::span<const uint64_t> sequences);

  /// Removes the oldest segment with all of its records, and returns those. Nothing where there is
  /// none but the one that is written. Errors: kind io.
  Result<std::vector<RecordFacts>> RemoveOldest();

  /// Bytes of the segments, with what is delivered and not removed yet.
  int64_t size_bytes() const { return size_bytes_; }
  size_t num_records() const { return places_.size(); }
  bool Has(uint64_t sequence) const { return places_.contains(sequence); }

  /// Bytes that a record takes beside its payload.
  static int64_t HeadBytes();

 private:
  struct Segment {
    int64_t size_bytes = 0;
    int64_t num_records = 0;  ///< that are not removed
    int done = -1;            ///< descriptor of the file of removed ones
    int64_t done_bytes = 0;   ///< of it
  };
  struct Place {
    RecordFacts facts;
    uint64_t segment = 0;
    int64_t offset = 0;  ///< of its head
  };

  SegmentStore(Settings settings, FileCalls* calls)
      : settings_(std::move(settings)), calls_(calls), folders_(calls) {}

  std::filesystem::path PathOf(uint64_t segment, std::string_view ending) const;
  Status LockFolder();
  Status Recover(RecoveredRecords* recovered);
  Status RecoverSegment(uint64_t number, RecoveredRecords* recovered);
  Status ReadDone(uint64_t number, std::vector<uint64_t>* sequences) const;
  Status SetAside(uint64_t segment, int descriptor, int64_t offset, int64_t size);
  Status BeginSegment();
  /// Takes back what was written of the newest segment behind `size_bytes`.
  void TakeBack(int64_t size_bytes);
  /// Removes it where all of its records are.
  void CloseNewest();
  Status Erase(uint64_t segment);
  Status MarkDone(uint64_t segment, std::string_view entries);
  Result<std::string> ReadRange(const std::filesystem::path& path, int descriptor, int64_t offset,
                                int64_t size) const;

  Settings settings_;
  FileCalls* calls_;
  DurableFolders folders_;
  int lock_ = -1;
  std::map<uint64_t, Segment> segments_;
  std::map<uint64_t, Place> places_;  ///< by sequence
  uint64_t next_segment_ = 1;
  uint64_t next_sequence_ = 1;
  std::optional<uint64_t> newest_;  ///< the segment that is written
  int newest_descriptor_ = -1;
  int64_t synced_bytes_ = 0;  ///< of it
  std::vector<uint64_t> unsynced_;
  std::optional<uint64_t> read_segment_;
  int read_descriptor_ = -1;
  int64_t size_bytes_ = 0;
};

}  // namespace df::nodes::processors::durable_buffer
