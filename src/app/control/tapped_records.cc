#include "app/control/tapped_records.h"

#include <algorithm>
#include <utility>

#include "app/control/reply_fields.h"
#include "otap/rows.h"
#include "otlp/decode.h"

namespace df::app {
namespace {

using nlohmann::json;

constexpr const char* kRedacted = "[redacted]";

size_t IndexOf(otap::Signal signal) { return static_cast<size_t>(signal); }

std::optional<otap::Signal> SignalOf(const std::string& name) {
  for (const otap::Signal signal : otap::kAllSignals) {
    if (otap::Name(signal) == name) {
      return signal;
    }
  }
  return std::nullopt;
}

bool IsAttribute(const json& value) {
  return value.is_object() && value.contains("key") && value["key"].is_string() &&
         value.contains("value");
}

}  // namespace

void Redact(const std::vector<std::string>& keys, json* request) {
  std::vector<json*> open = {request};
  while (!open.empty()) {
    json& value = *open.back();
    open.pop_back();
    if (IsAttribute(value) &&
        std::find(keys.begin(), keys.end(), value["key"].get<std::string>()) != keys.end()) {
      value["value"] = {{"stringValue", kRedacted}};
      continue;
    }
    for (json& part : value) {
      if (part.is_structured()) {
        open.push_back(&part);
      }
    }
  }
}

Result<TappedRecords> TappedRecords::Make(TappedOptions options) {
  TappedRecords records(std::move(options));
  Status first_problem;
  bool is_understood = records.options_.where.empty();
  for (const otap::Signal signal : otap::kAllSignals) {
    ARROW_ASSIGN_OR_RAISE(records.fields_[IndexOf(signal)], RecordFields::Make(signal));
    if (records.options_.where.empty()) {
      continue;
    }
    auto condition = select::Condition::Compile(records.options_.where, signal);
    if (condition.ok()) {
      records.conditions_[IndexOf(signal)] = *std::move(condition);
      is_understood = true;
    } else if (first_problem.ok()) {
      first_problem = condition.status();
    }
  }
  if (!is_understood) {
    return first_problem.WithMessage("--where:", first_problem.message());
  }
  return records;
}

Result<std::string> TappedRecords::Take(const json& answer) {
  if (!answer.is_object() || !answer.contains("requests")) {
    return Status::Invalid("found something else than what a tap gives");
  }
  num_dropped_ += NumberOf(answer, "dropped_items");
  std::string lines;
  for (const json& entry : PartsOf(answer, "requests")) {
    const std::optional<otap::Signal> signal = SignalOf(TextOf(entry, "signal"));
    if (signal.has_value() && !is_done()) {
      ARROW_ASSIGN_OR_RAISE(const std::string more, Show(*signal, PartsOf(entry, "request")));
      lines += more;
    }
  }
  return lines;
}

Result<std::string> TappedRecords::Show(otap::Signal signal, const json& request) {
  const bool is_asked = !options_.where.empty();
  std::string lines;
  if (is_asked && !conditions_[IndexOf(signal)].has_value()) {
    return lines;  // its condition is about another signal
  }
  json redacted = request;
  Redact(options_.redact, &redacted);
  // The condition is asked of what was there; what is printed is another reading of the same rows.
  otlp::Decoder decoder;
  ARROW_ASSIGN_OR_RAISE(const auto shown, decoder.DecodeJson(signal, redacted.dump()));
  std::vector<otap::BatchPtr> whole = shown;
  if (is_asked && !options_.redact.empty()) {
    ARROW_ASSIGN_OR_RAISE(whole, decoder.DecodeJson(signal, request.dump()));
  }
  for (size_t i = 0; i < std::min(shown.size(), whole.size()); ++i) {
    ARROW_RETURN_NOT_OK(ShowBatch(*whole[i], *shown[i], &lines));
  }
  return lines;
}

Status TappedRecords::ShowBatch(const otap::Batch& whole, const otap::Batch& shown,
                                std::string* lines) {
  const size_t signal = IndexOf(shown.signal());
  for (const otap::TableKind table : ItemTablesOf(shown)) {
    const int64_t num_rows = shown.table(table)->num_rows();
    if (whole.table(table) == nullptr || whole.table(table)->num_rows() != num_rows) {
      return Status::Invalid("the rows of a request differ when it is read again");
    }
    otap::RowSet wanted(num_rows, true);
    if (conditions_[signal].has_value()) {
      wanted = conditions_[signal]->Ask(whole, table, wanted).yes;
    }
    RecordTexts texts(*fields_[signal], shown, table, options_.style);
    wanted.ForEach([&](int64_t row) {
      if (!is_done() && num_fitting_++ % options_.every == 0) {
        *lines += texts.At(row);
        ++num_shown_;
      }
    });
  }
  return Status::OK();
}

}  // namespace df::app
