#include "otlp/compare/item_texts.h"

#include <algorithm>
#include <fstream>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <protozero/exception.hpp>

#include "otlp/compare/json_request.h"
#include "otlp/request_file.h"

namespace df::otlp {
namespace {

constexpr uint32_t kScopesNumber = kLogsShapes.fields().scopes.number;    // as in all signals
constexpr uint32_t kRecordsNumber = kLogsShapes.fields().records.number;  // as in all signals

// The texts of a message that stands above items, without the items.
std::string EnvelopeText(const MessageShape& shape, const std::vector<RawField>& fields,
                         const CompareOptions& options, std::string_view items) {
  return CanonicalText(shape, fields, options, {items});
}

const std::vector<std::string_view>& ItemsOf(const RawField* field) {
  static const std::vector<std::string_view> kNone;
  return field == nullptr ? kNone : field->items;
}

class Walk {
 public:
  Walk(otap::Signal signal, const CompareOptions& options,
       const std::function<void(const ItemText&)>& visit)
      : signal_(signal), options_(options), visit_(visit) {}

  arrow::Status Run(std::string_view request) {
    try {
      for (const RawField& field : SplitMessage(RequestShape(signal_), request)) {
        if (field.shape == nullptr) {
          return arrow::Status::Invalid(
              fmt::format("field {} is not one of an export request", field.number));
        }
        for (const std::string_view resource : field.items) {
          VisitResource(*field.shape->message, resource);
        }
      }
    } catch (const protozero::exception& error) {
      return arrow::Status::Invalid(fmt::format("not protobuf: {}", error.what()));
    }
    return arrow::Status::OK();
  }

 private:
  void VisitResource(const MessageShape& shape, std::string_view bytes) {
    const std::vector<RawField> fields = SplitMessage(shape, bytes);
    const RawField* scopes = FindField(fields, shape.Find(kScopesNumber)->name);
    if (scopes == nullptr) {
      return;
    }
    const std::string head = EnvelopeText(shape, fields, options_, scopes->shape->name);
    for (const std::string_view scope : scopes->items) {
      VisitScope(*scopes->shape->message, scope, head);
    }
  }

  void VisitScope(const MessageShape& shape, std::string_view bytes, std::string_view head) {
    const FieldShape& records_shape = *shape.Find(kRecordsNumber);
    const std::vector<RawField> fields = SplitMessage(shape, bytes);
    const std::string whole =
        fmt::format("{} | {}", head, EnvelopeText(shape, fields, options_, records_shape.name));
    for (const std::string_view record : ItemsOf(FindField(fields, records_shape.name))) {
      if (signal_ == otap::Signal::kMetrics) {
        VisitMetric(*records_shape.message, record, whole);
      } else {
        visit_({whole, "", CanonicalText(*records_shape.message, record, options_)});
      }
    }
  }

  void VisitMetric(const MessageShape& shape, std::string_view bytes, std::string_view head) {
    const std::vector<RawField> fields = SplitMessage(shape, bytes);
    const auto data = std::find_if(fields.begin(), fields.end(), [](const RawField& field) {
      return field.shape != nullptr && field.shape->presence == Presence::kOneof;
    });
    if (data == fields.end()) {
      visit_({head, "", fmt::format("{} | no data", CanonicalText(shape, fields, options_))});
      return;
    }
    const MessageShape& data_shape = *data->shape->message;
    const std::vector<RawField> data_fields = SplitMessage(data_shape, data->bytes);
    const RawField* points = FindField(data_fields, "data_points");
    const std::string metric_head = fmt::format(
        "{} | {} {}", CanonicalText(shape, fields, options_, {data->shape->name}),
        data->shape->name, EnvelopeText(data_shape, data_fields, options_, "data_points"));
    for (const std::string_view point : ItemsOf(points)) {
      visit_({head, metric_head, CanonicalText(*points->shape->message, point, options_)});
    }
  }

  otap::Signal signal_;
  const CompareOptions& options_;
  const std::function<void(const ItemText&)>& visit_;
};

// A framed file cannot begin with a brace: its first request would have 2 GB.
arrow::Result<bool> IsJson(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return arrow::Status::IOError(fmt::format("cannot open {}", path));
  }
  return file.peek() == '{';
}

/// The signal that the first key of a request names, or nothing.
bool IsOfAnotherSignal(otap::Signal signal, std::string_view line) {
  constexpr std::string_view kKeys[] = {"\"resourceLogs\"", "\"resourceSpans\"",
                                        "\"resourceMetrics\""};
  const std::string_view begin = line.substr(0, 256);
  size_t first = std::string_view::npos;
  otap::Signal found = signal;
  for (const otap::Signal one : otap::kAllSignals) {
    const size_t at = begin.find(kKeys[static_cast<size_t>(one)]);
    if (at < first) {
      first = at;
      found = one;
    }
  }
  return found != signal;
}

arrow::Status VisitJsonRequests(otap::Signal signal, const std::string& path,
                                const std::function<arrow::Status(std::string_view)>& visit) {
  std::ifstream file(path, std::ios::binary);
  std::string line;
  for (int64_t number = 1; std::getline(file, line); ++number) {
    if (IsOfAnotherSignal(signal, line)) {
      continue;
    }
    arrow::Result<std::string> request = RequestFromJson(signal, line);
    if (!request.ok()) {
      return request.status().WithMessage(
          fmt::format("{}:{}: {}", path, number, request.status().message()));
    }
    ARROW_RETURN_NOT_OK(visit(*request));
  }
  return arrow::Status::OK();
}

}  // namespace

arrow::Status VisitItemTexts(otap::Signal signal, std::string_view request,
                             const CompareOptions& options,
                             const std::function<void(const ItemText& item)>& visit) {
  return Walk(signal, options, visit).Run(request);
}

arrow::Status VisitRequestsOf(otap::Signal signal, const std::string& path,
                              const std::function<arrow::Status(std::string_view)>& visit) {
  ARROW_ASSIGN_OR_RAISE(const bool is_json, IsJson(path));
  return is_json ? VisitJsonRequests(signal, path, visit) : VisitRequests(path, visit);
}

}  // namespace df::otlp
