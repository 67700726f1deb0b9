// OTAP streams: the messages of one stream, read and written again.
#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "linearity/families.h"
#include "otap_wire/consumer.h"
#include "otap_wire/producer.h"
#include "otlp/decode.h"

namespace df::linearity {
namespace {

using otap::Signal;

/// A request of n log records; `attributes` are those of each, `first` numbers their values.
std::string JsonLogs(int64_t n, int64_t attributes, int64_t first) {
  return R"({"resourceLogs":[{"scopeLogs":[{"logRecords":[)" +
         Repeat(
             n,
             [&](int64_t i) {
               return fmt::format(
                   R"({}{{"timeUnixNano":"{}","body":{{"stringValue":"text {}"}},"attributes":[{}]}})",
                   i == 0 ? "" : ",", i + 1, first + i, Repeat(attributes, [&](int64_t k) {
                     return fmt::format(R"({}{{"key":"k{}","value":{{"stringValue":"v{}"}}}})",
                                        k == 0 ? "" : ",", k, first + i + k);
                   }));
             }) +
         "]}]}]}";
}

/// Messages that stand behind their lengths.
Make Messages(std::function<std::vector<std::string>(int64_t n)> requests) {
  return Text([requests = std::move(requests)](int64_t n) {
    otap_wire::Producer producer(Signal::kLogs);
    std::string stream;
    int64_t id = 0;
    for (const std::string& request : requests(n)) {
      otlp::Decoder decoder;
      for (const otap::BatchPtr& batch : decoder.DecodeJson(Signal::kLogs, request).ValueOrDie()) {
        const std::string message = producer.Produce(batch, id++).ValueOrDie();
        stream += fmt::format("{:08}", message.size()) + message;
      }
    }
    return stream;
  });
}

/// The batches go out again on a stream of their own.
Read ReadStream() {
  return TextRead([](const std::string& text) -> arrow::Result<int64_t> {
    otap_wire::Consumer consumer(Signal::kLogs);
    otap_wire::Producer producer(Signal::kLogs);
    int64_t rows = 0;
    std::string_view rest = text;
    while (!rest.empty()) {
      const auto size = static_cast<size_t>(std::stoll(std::string(rest.substr(0, 8))));
      ARROW_ASSIGN_OR_RAISE(const auto batch, consumer.Consume(rest.substr(8, size)));
      rest.remove_prefix(size + 8);
      for (const otap::TableInfo& table : otap::AllTables()) {
        rows += batch->table(table.kind) == nullptr ? 0 : batch->table(table.kind)->num_rows();
      }
      ARROW_RETURN_NOT_OK(producer.Produce(batch, rows).status());
    }
    return rows;
  });
}

std::vector<std::string> RequestsOf(int64_t n, const std::function<std::string(int64_t)>& request) {
  std::vector<std::string> requests;
  for (int64_t i = 0; i < n; ++i) {
    requests.push_back(request(i));
  }
  return requests;
}

}  // namespace

std::vector<Shape> StreamShapes() {
  std::vector<Shape> shapes = {
      {"stream/messages", 12,
       Messages([](int64_t n) { return RequestsOf(n, [](int64_t) { return JsonLogs(4, 2, 0); }); }),
       ReadStream()},
      {"stream/messages with other columns", 10, Messages([](int64_t n) {
         return RequestsOf(n, [](int64_t i) { return JsonLogs(4, i % 2 == 0 ? 2 : 0, 0); });
       }),
       ReadStream()},
      {"stream/messages with new texts", 10, Messages([](int64_t n) {
         return RequestsOf(n, [](int64_t i) { return JsonLogs(20, 2, i * 20); });
       }),
       ReadStream()},
      {"stream/records of a message", 2000,
       Messages([](int64_t n) { return std::vector<std::string>{JsonLogs(n + 1, 1, 0)}; }),
       ReadStream()},
      {"stream/attributes of a record", 5000,
       Messages([](int64_t n) { return std::vector<std::string>{JsonLogs(1, n, 0)}; }),
       ReadStream()},
  };
  for (Shape& shape : shapes) {
    // A small message inflates through buffers of a fixed size, and is deflated again through
    // others.
    shape.most_bytes_per_byte = 2500;
  }
  return shapes;
}

}  // namespace df::linearity
