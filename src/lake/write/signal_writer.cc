#include "lake/write/signal_writer.h"

#include <algorithm>
#include <array>
#include <exception>
#include <new>
#include <utility>

#include "lake/write/staging_area.h"

namespace df::lake {

std::string_view Name(CloseReason reason) {
  static constexpr std::array<std::string_view, kNumCloseReasons> kNames = {
      "rows", "bytes", "age", "partition", "levels", "all_wait", "drain", "end", "error"};
  return kNames[static_cast<size_t>(reason)];
}

template <typename Call>
void SignalWriter::Contain(Call&& call) {
  Status status;
  try {
    call();
  } catch (const std::bad_alloc&) {
    status = Status::OutOfMemory("an allocation failed");
  } catch (const std::exception& error) {
    status = Status::UnknownError(error.what());
  }
  const std::optional<uint64_t> adding = std::exchange(adding_, std::nullopt);
  if (status.ok()) {
    return;
  }
  if (adding.has_value()) {
    batches_.push_back(*adding);
  }
  CloseWith(CloseReason::kError, status);
}

void SignalWriter::Add(const otap::BatchPtr& batch, uint64_t number) {
  Contain([&] {
    adding_ = number;
    AddToSet(batch, number);
  });
}

void SignalWriter::Encode() {
  Contain([this] { EncodeSet(); });
}

void SignalWriter::Close(CloseReason reason) {
  Contain([&] { CloseSet(reason); });
}

void SignalWriter::Refuse(uint64_t number, const Status& status) {
  adding_ = std::nullopt;
  listener_->OnRefused(number, status);
}

void SignalWriter::AddToSet(const otap::BatchPtr& batch, uint64_t number) {
  Status status = CheckShape(*batch);
  if (status.ok()) {
    auto parts = SplitByLevel(batch, settings_.options.time_levels);
    status = parts.status();
    if (status.ok() && CountIds(*parts) > kMostIds) {
      parts = std::vector<LevelPart>{{std::nullopt, batch}};
    }
    if (status.ok()) {
      status = AddParts(*std::move(parts));
    }
  }
  if (!status.ok()) {
    Refuse(number, status);
    return;
  }
  batches_.push_back(number);
  adding_ = std::nullopt;
  if (IsRowGroupFull()) {
    EncodeSet();
  }
  if (set_ == nullptr) {
    return;
  }
  if (set_->num_root_rows() >= settings_.limits.rows) {
    CloseSet(CloseReason::kRows);
  } else if (set_->largest_file_bytes() >= settings_.limits.bytes) {
    CloseSet(CloseReason::kBytes);
  }
}

Status SignalWriter::AddParts(std::vector<LevelPart> parts) {
  const uint64_t num_ids = CountIds(parts);
  if (set_ != nullptr && !set_->HasRoomFor(parts)) {
    CloseSet(CloseReason::kLevels);
  }
  std::optional<uint32_t> first_id = ids_.Take(num_ids);
  if (!first_id.has_value()) {
    CloseSet(CloseReason::kPartition);
    ids_.StartPartition();
    first_id = ids_.Take(num_ids);
  }
  // Where the whole range was free before, a batch fits, whatever its ids.
  if (!first_id.has_value()) {
    return Status::Invalid("the largest id of the batch leaves no room for any other");
  }
  if (set_ == nullptr) {
    last_millis_ = std::max(settings_.unix_millis(), last_millis_ + 1);
    set_ = std::make_unique<LevelledSet>(store_, settings_.options, signal_,
                                         "_part_id=" + ids_.partition(), last_millis_, staging_);
  }
  return set_->Add(parts, *first_id);
}

bool SignalWriter::IsRowGroupFull() const {
  const WriteOptions& options = settings_.options;
  const double expected_bytes = static_cast<double>(set_->largest_file_bytes()) +
                                static_cast<double>(set_->pending_bytes()) * bytes_ratio_;
  return set_->pending_bytes() >= options.row_group_bytes ||
         set_->largest_pending_rows() >= options.row_group_rows ||
         expected_bytes >= static_cast<double>(settings_.limits.bytes);
}

void SignalWriter::EncodeSet() {
  if (set_ == nullptr || num_encoded_ == batches_.size()) {
    return;
  }
  encoded_memory_ += set_->pending_bytes();
  if (const Status status = set_->Encode(); !status.ok()) {
    CloseWith(CloseReason::kError, status);
    return;
  }
  if (encoded_memory_ > 0) {
    bytes_ratio_ =
        static_cast<double>(set_->largest_file_bytes()) / static_cast<double>(encoded_memory_);
  }
  listener_->OnEncoded(std::span(batches_).subspan(num_encoded_));
  num_encoded_ = batches_.size();
}

void SignalWriter::CloseSet(CloseReason reason) {
  if (set_ == nullptr) {
    return;
  }
  if (batches_.empty()) {
    set_.reset();
    return;
  }
  const Status status = set_->Publish();
  if (status.ok() && staging_ != nullptr) {
    for (StagedSet& staged : set_->staged()) {
      staging_->Add(std::move(staged));
    }
  }
  CloseWith(status.ok() ? reason : CloseReason::kError, status);
}

void SignalWriter::CloseWith(CloseReason reason, const Status& status) {
  const FileCounts counts = status.ok() ? set_->counts() : FileCounts{};
  set_.reset();
  num_encoded_ = 0;
  encoded_memory_ = 0;
  const std::vector<uint64_t> closed = std::exchange(batches_, {});
  listener_->OnClosed(closed, reason, counts, status);
}

}  // namespace df::lake
