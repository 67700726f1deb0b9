#include "otlp/compare/item_counts.h"

#include <algorithm>
#include <fstream>
#include <functional>

#include <fmt/format.h>
#include <protozero/exception.hpp>

#include "otlp/compare/json_request.h"
#include "otlp/request_file.h"

namespace df::otlp {
namespace {

constexpr size_t kMaxExamples = 6;
constexpr uint32_t kScopesNumber = kLogsShapes.fields().scopes.number;    // as in all signals
constexpr uint32_t kRecordsNumber = kLogsShapes.fields().records.number;  // as in all signals
constexpr char kHeadEnd = '\n';  // never in a canonical text, where it is escaped

// The texts of a message that stands above items, without the items.
std::string EnvelopeText(const MessageShape& shape, const std::vector<RawField>& fields,
                         const CompareOptions& options, std::string_view items) {
  return CanonicalText(shape, fields, options, {items});
}

const std::vector<std::string_view>& ItemsOf(const RawField* field) {
  static const std::vector<std::string_view> kNone;
  return field == nullptr ? kNone : field->items;
}

}  // namespace

std::string Comparison::Line(otap::Signal signal) const {
  return fmt::format("{}: {}/{} items equal, {} extra", otap::Name(signal), expected - missing,
                     expected, extra);
}

arrow::Status ItemCounts::Add(std::string_view request, int side) {
  try {
    const MessageShape& shape = RequestShape(signal_);
    for (const RawField& field : SplitMessage(shape, request)) {
      if (field.shape == nullptr) {
        return arrow::Status::Invalid(
            fmt::format("field {} is not one of an export request", field.number));
      }
      for (const std::string_view resource : field.items) {
        AddResource(*field.shape->message, resource, side);
      }
    }
  } catch (const protozero::exception& error) {
    return arrow::Status::Invalid(fmt::format("not protobuf: {}", error.what()));
  }
  return arrow::Status::OK();
}

void ItemCounts::AddResource(const MessageShape& shape, std::string_view bytes, int side) {
  const std::vector<RawField> fields = SplitMessage(shape, bytes);
  const RawField* scopes = FindField(fields, shape.Find(kScopesNumber)->name);
  if (scopes == nullptr) {
    return;
  }
  const std::string head = EnvelopeText(shape, fields, options_, scopes->shape->name);
  for (const std::string_view scope : scopes->items) {
    AddScope(*scopes->shape->message, scope, head, side);
  }
}

void ItemCounts::AddScope(const MessageShape& shape, std::string_view bytes, std::string_view head,
                          int side) {
  const FieldShape& records_shape = *shape.Find(kRecordsNumber);
  const std::vector<RawField> fields = SplitMessage(shape, bytes);
  const std::string shared = Share(
      fmt::format("{} | {}", head, EnvelopeText(shape, fields, options_, records_shape.name)));
  for (const std::string_view record : ItemsOf(FindField(fields, records_shape.name))) {
    if (signal_ == otap::Signal::kMetrics) {
      AddMetric(*records_shape.message, record, shared, side);
    } else {
      Count(shared + CanonicalText(*records_shape.message, record, options_), side);
    }
  }
}

void ItemCounts::AddMetric(const MessageShape& shape, std::string_view bytes, std::string_view head,
                           int side) {
  const std::vector<RawField> fields = SplitMessage(shape, bytes);
  const auto data = std::find_if(fields.begin(), fields.end(), [](const RawField& field) {
    return field.shape != nullptr && field.shape->presence == Presence::kOneof;
  });
  if (data == fields.end()) {
    Count(fmt::format("{}{} | no data", head, CanonicalText(shape, fields, options_)), side);
    return;
  }
  const MessageShape& data_shape = *data->shape->message;
  const std::vector<RawField> data_fields = SplitMessage(data_shape, data->bytes);
  const RawField* points = FindField(data_fields, "data_points");
  const std::string metric_head = Share(fmt::format(
      "{} | {} {}", CanonicalText(shape, fields, options_, {data->shape->name}), data->shape->name,
      EnvelopeText(data_shape, data_fields, options_, "data_points")));
  for (const std::string_view point : ItemsOf(points)) {
    Count(fmt::format("{}{}{}", head, metric_head,
                      CanonicalText(*points->shape->message, point, options_)),
          side);
  }
}

void ItemCounts::Count(std::string item, int side) {
  Balance& balance = items_[std::move(item)];
  ++(side > 0 ? balance.expected : balance.actual);
}

std::string ItemCounts::Share(std::string text) {
  const auto [at, is_new] = head_numbers_.try_emplace(text, static_cast<int64_t>(heads_.size()));
  if (is_new) {
    heads_.push_back(std::move(text));
  }
  return std::to_string(at->second) + kHeadEnd;
}

std::string ItemCounts::Explain(const std::string& item) const {
  std::string text;
  size_t begin = 0;
  for (size_t end = item.find(kHeadEnd); end != std::string::npos;
       end = item.find(kHeadEnd, begin)) {
    text += heads_[std::stoul(item.substr(begin, end - begin))] + " | ";
    begin = end + 1;
  }
  return text + item.substr(begin);
}

Comparison ItemCounts::Compare() const {
  Comparison result;
  for (const auto& [item, balance] : items_) {
    result.expected += balance.expected;
    const int64_t missing = std::max<int64_t>(balance.expected - balance.actual, 0);
    const int64_t extra = std::max<int64_t>(balance.actual - balance.expected, 0);
    result.missing += missing;
    result.extra += extra;
    auto* examples = missing > 0 ? &result.missing_examples : &result.extra_examples;
    if (missing + extra > 0 && examples->size() < kMaxExamples) {
      examples->push_back(fmt::format("{} x {}", missing + extra, Explain(item)));
    }
  }
  return result;
}

namespace {

// A framed file cannot begin with a brace: its first request would have 2 GB.
arrow::Result<bool> IsJson(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return arrow::Status::IOError(fmt::format("cannot open {}", path));
  }
  return file.peek() == '{';
}

arrow::Status VisitJsonRequests(otap::Signal signal, const std::string& path,
                                const std::function<arrow::Status(std::string_view)>& visit) {
  std::ifstream file(path, std::ios::binary);
  std::string line;
  for (int64_t number = 1; std::getline(file, line); ++number) {
    arrow::Result<std::string> request = RequestFromJson(signal, line);
    if (!request.ok()) {
      return request.status().WithMessage(
          fmt::format("{}:{}: {}", path, number, request.status().message()));
    }
    ARROW_RETURN_NOT_OK(visit(*request));
  }
  return arrow::Status::OK();
}

arrow::Status VisitFile(otap::Signal signal, const std::string& path,
                        const std::function<arrow::Status(std::string_view)>& visit) {
  ARROW_ASSIGN_OR_RAISE(const bool is_json, IsJson(path));
  return is_json ? VisitJsonRequests(signal, path, visit) : VisitRequests(path, visit);
}

}  // namespace

arrow::Result<Comparison> CompareFiles(otap::Signal signal, const std::string& expected,
                                       const std::vector<std::string>& actual,
                                       const CompareOptions& options) {
  ItemCounts counts(signal, options);
  ARROW_RETURN_NOT_OK(VisitFile(
      signal, expected, [&](std::string_view request) { return counts.AddExpected(request); }));
  for (const std::string& path : actual) {
    ARROW_RETURN_NOT_OK(VisitFile(
        signal, path, [&](std::string_view request) { return counts.AddActual(request); }));
  }
  return counts.Compare();
}

}  // namespace df::otlp
