#include "lake/queue/trace_search.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include <arrow/api.h>
#include <arrow/util/checked_cast.h>
#include <fmt/format.h>

#include "base/text.h"
#include "otap/rows.h"

namespace df::lake {
namespace {

using arrow::internal::checked_cast;
using otap::Signal;
using select::TraceId;

/// Where ids are made unique for the first time.
constexpr size_t kLeastIds = 65'536;

size_t IndexOf(Signal signal) { return static_cast<size_t>(signal); }

/// Returns the ids of a root table that are ids.
std::vector<TraceId> TracesOf(const arrow::RecordBatch& rows) {
  std::vector<TraceId> traces;
  const auto column = rows.GetColumnByName("trace_id");
  if (column == nullptr) {
    return traces;
  }
  const bool is_coded = column->type_id() == arrow::Type::DICTIONARY;
  const auto* coded = is_coded ? &checked_cast<const arrow::DictionaryArray&>(*column) : nullptr;
  const auto& ids =
      checked_cast<const arrow::FixedSizeBinaryArray&>(is_coded ? *coded->dictionary() : *column);
  for (int64_t row = 0; row < column->length(); ++row) {
    const int64_t place = is_coded && !column->IsNull(row) ? coded->GetValueIndex(row) : row;
    if (column->IsNull(row) || ids.IsNull(place)) {
      continue;
    }
    const std::string_view bytes = ids.GetView(place);
    TraceId id{};
    std::memcpy(id.data(), bytes.data(), std::min(sizeof(id), bytes.size()));
    if (id != TraceId{}) {  // zeros stand for no trace
      traces.push_back(id);
    }
  }
  return traces;
}

/// Leaves of a partition what a condition on a root table reads.
std::shared_ptr<const PartitionFiles> FilesFor(const select::Condition& question,
                                               const PartitionFiles& files) {
  auto needed = std::make_shared<PartitionFiles>(files);
  needed->joins = nullptr;  // what is learnt of fewer files is not for other readers
  const bool has_groups = question.ReadsAttributes(select::Place::kResource) ||
                          question.ReadsAttributes(select::Place::kScope);
  const bool has_items = question.ReadsAttributes(select::Place::kItem);
  const otap::TableKind root = otap::RootTable(question.signal());
  for (const otap::TableInfo& table : otap::AllTables()) {
    const bool is_group =
        table.kind == otap::TableKind::kResourceAttrs || table.kind == otap::TableKind::kScopeAttrs;
    const bool is_of_item = table.parent == root && table.is_attributes;
    if (table.kind != root && !(is_group && has_groups) && !(is_of_item && has_items)) {
      needed->of(table.kind).clear();
      needed->has_unreadable[otap::TableIndex(table.kind)] = true;  // nothing of it is expected
    }
  }
  return needed;
}

}  // namespace

TraceSearch::TraceSearch(std::shared_ptr<storage::Store> store, std::string base, ReadOptions read,
                         MakeList make_list, int64_t max_bytes)
    : store_(std::move(store)),
      base_(std::move(base)),
      read_(std::move(read)),
      make_list_(std::move(make_list)),
      max_bytes_(max_bytes) {
  for (const Signal signal : read_.signals) {
    if (const auto& where = read_.selector->wishes().where[IndexOf(signal)]; where.has_value()) {
      questions_[IndexOf(signal)].assign(where->trace_questions().begin(),
                                         where->trace_questions().end());
    }
  }
}

bool TraceSearch::IsNeeded(const ReadOptions& read) {
  return read.selector != nullptr &&
         std::any_of(read.signals.begin(), read.signals.end(), [&](Signal signal) {
           const auto& where = read.selector->wishes().where[IndexOf(signal)];
           return where.has_value() && !where->trace_questions().empty();
         });
}

void TraceSearch::BeginPass() {
  pass_ = read_;
  pass_.signals.clear();
  select::Wishes wishes = read_.selector->wishes();
  wishes.where = {};
  for (const Signal signal : read_.signals) {
    const std::vector<std::string>& questions = questions_[IndexOf(signal)];
    if (num_passes_ < questions.size()) {
      pass_.signals.push_back(signal);
      // It was compiled as a part of the whole condition.
      wishes.where[IndexOf(signal)] =
          select::Condition::Compile(questions[num_passes_], signal).ValueOrDie();
    }
  }
  if (pass_.signals.empty()) {
    selector_ = std::make_shared<const select::Selector>(read_.selector->WithTraces(found_));
    list_ = nullptr;
    is_done_ = true;
    return;
  }
  pass_.selector = std::make_shared<const select::Selector>(std::move(wishes));
  list_ = nullptr;
  auto list = make_list_(pass_);
  if (!list.ok()) {
    status_ = list.status();
    return;
  }
  list_ = *std::move(list);
}

void TraceSearch::EndPass() {
  for (const Signal signal : pass_.signals) {
    found_[IndexOf(signal)].push_back(
        std::make_shared<const select::TraceIds>(std::exchange(ids_[IndexOf(signal)], {})));
    CheckSize(signal, found_[IndexOf(signal)].back()->ids().size());
    num_unique_[IndexOf(signal)] = 0;
  }
  report_.Merge(list_->Report());
  ++num_passes_;
  BeginPass();
}

Status TraceSearch::Run(int64_t budget_bytes, const std::function<bool()>& is_stopped) {
  std::unique_lock lock(mutex_);
  if (IsRetryable(status_)) {
    status_ = Status::OK();
  }
  if (list_ == nullptr && !is_done_ && status_.ok()) {
    BeginPass();
  }
  while (!is_done_) {
    ARROW_RETURN_NOT_OK(status_);
    if (is_stopped()) {
      return Status::Cancelled("stopped while traces were looked for");
    }
    const std::shared_ptr<WorkList> list = list_;
    const ReadOptions read = pass_;
    Result<WorkList::Taken> taken = WorkList::Taken{};
    ++num_busy_;
    if (!left_.empty()) {
      taken->work = std::move(left_.front());
      left_.pop_front();
    } else {
      lock.unlock();
      taken = list->Take();
      lock.lock();
    }
    if (!taken.ok()) {
      status_ = status_.ok() ? taken.status() : status_;
    } else if (taken->work.has_value()) {
      lock.unlock();
      const bool is_whole = Look(*taken->work, list.get(), read, budget_bytes, is_stopped);
      lock.lock();
      if (!is_whole) {
        left_.push_back(*std::move(taken->work));
      }
    }
    --num_busy_;
    changed_.notify_all();
    if (!taken.ok() || taken->work.has_value() || list != list_) {
      continue;
    }
    if (taken->wait_until.has_value()) {
      changed_.wait_for(lock, *taken->wait_until - std::chrono::system_clock::now());
    } else if (num_busy_ > 0) {
      changed_.wait(lock);
    } else if (left_.empty() && status_.ok()) {
      EndPass();
      changed_.notify_all();
    }
  }
  return status_;
}

void TraceSearch::Wake() {
  const std::lock_guard lock(mutex_);
  changed_.notify_all();
}

/// Returns false where it was stopped: somebody has to look at the work again.
bool TraceSearch::Look(const PartitionWork& work, WorkList* list, const ReadOptions& read,
                       int64_t budget_bytes, const std::function<bool()>& is_stopped) {
  MemoryBudget budget(budget_bytes);
  ReadReport report;
  std::vector<RootOutcome> outcomes;
  for (const PartitionTask& task : work.tasks) {
    if (!LookAt(task, read, &budget, &report, is_stopped, &outcomes)) {
      return false;
    }
  }
  report.partitions = 1;
  list->Done(outcomes, std::move(report));
  return true;
}

bool TraceSearch::LookAt(PartitionTask task, const ReadOptions& read, MemoryBudget* budget,
                         ReadReport* report, const std::function<bool()>& is_stopped,
                         std::vector<RootOutcome>* outcomes) {
  const Signal signal = task.signal;
  task.files = FilesFor(*read.selector->wishes().where[IndexOf(signal)], *task.files);
  auto reader = PartitionReader::Make(store_.get(), base_, std::move(task), read, budget, report);
  if (!reader.ok()) {
    report->Add(reader.status());
    return true;
  }
  while (true) {
    auto payload = (*reader)->Next();
    if (is_stopped()) {
      return false;
    }
    if (!payload.ok()) {
      report->Add(payload.status());
      break;
    }
    if (!payload->has_value()) {
      break;
    }
    if ((*payload)->batch != nullptr) {
      Add(signal, TracesOf(*(*payload)->batch->root()));
    }
  }
  outcomes->insert(outcomes->end(), (*reader)->outcomes().begin(), (*reader)->outcomes().end());
  return true;
}

void TraceSearch::Add(Signal signal, std::vector<TraceId> ids) {
  const std::lock_guard lock(mutex_);
  std::vector<TraceId>& all = ids_[IndexOf(signal)];
  size_t& num_unique = num_unique_[IndexOf(signal)];
  all.insert(all.end(), ids.begin(), ids.end());
  if (all.size() < std::max(num_unique * 2, kLeastIds)) {
    return;
  }
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  num_unique = all.size();
  CheckSize(signal, num_unique);
}

void TraceSearch::CheckSize(Signal signal, size_t num_unique) {
  const auto num_fitting = static_cast<size_t>(max_bytes_) / (2 * sizeof(TraceId));
  if (num_unique > num_fitting && status_.ok()) {
    status_ = MakeError(
        ErrorKind::kQuery,
        fmt::format("trace.any({}) is true of more than {} traces, whose ids do not fit a share of "
                    "memory_limit; raise it, or ask for less time",
                    PrintableText(questions_[IndexOf(signal)][num_passes_]), num_fitting));
  }
}

ReadReport TraceSearch::Report() const {
  const std::lock_guard lock(mutex_);
  return report_;
}

ReadReport TraceSearch::Problems() const {
  const ReadReport found = Report();
  ReadReport named;
  for (const auto* list : {&found.problems, &found.latest}) {
    for (const Problem& problem : *list) {
      named.Add(MakeError(problem.kind, "looking for traces: " + problem.message), problem.count);
    }
  }
  if (found.num_forgotten > 0) {
    named.Add(MakeError(ErrorKind::kQuery,
                        fmt::format("looking for traces: {} more problems", found.num_forgotten)),
              found.num_forgotten);
  }
  return named;
}

std::vector<std::string> TraceSearch::Describe() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> lines;
  for (const Signal signal : read_.signals) {
    for (size_t i = 0; i < found_[IndexOf(signal)].size(); ++i) {
      lines.push_back(fmt::format("trace.any({}) is true of {} traces of {}",
                                  PrintableText(questions_[IndexOf(signal)][i]),
                                  found_[IndexOf(signal)][i]->ids().size(), otap::Name(signal)));
    }
  }
  return lines;
}

}  // namespace df::lake
