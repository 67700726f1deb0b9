// OTLP requests over protobuf: checked, decoded, counted, cut, and written again in every form.
#include <memory>
#include <utility>

#include <arrow/buffer.h>
#include <fmt/format.h>
#include <protozero/pbf_writer.hpp>

#include "linearity/families.h"
#include "otlp/count_items.h"
#include "otlp/decode.h"
#include "otlp/encode.h"
#include "otlp/request_cutter.h"

namespace df::linearity {
namespace {

using otap::Signal;

/// A field that is a message or a text.
std::string Field(uint32_t number, const std::string& bytes) {
  std::string field;
  protozero::pbf_writer(field).add_message(number, bytes);
  return field;
}

std::string Number(uint32_t number, uint64_t value) {
  std::string field;
  protozero::pbf_writer(field).add_fixed64(number, value);
  return field;
}

std::string Integer(uint32_t number, uint64_t value) {
  std::string field;
  protozero::pbf_writer(field).add_uint64(number, value);
  return field;
}

std::string TextValue(int64_t i) { return Field(1, fmt::format("value {}", i)); }

/// An attribute, as field `number` of what has it.
std::string Attribute(uint32_t number, int64_t i) {
  return Field(number, Field(1, fmt::format("key {}", i)) + Field(2, TextValue(i)));
}

std::string Attributes(uint32_t number, int64_t n) {
  return Repeat(n, [number](int64_t i) { return Attribute(number, i); });
}

/// A request of one resource and one scope; `records` are fields 2.
std::string Request(const std::string& records, const std::string& resource = "",
                    const std::string& scope = "") {
  return Field(1, Field(1, resource) + Field(2, Field(1, scope) + records));
}

/// Repeats a record, whose fields depend on its number.
std::function<std::string(int64_t)> Records(std::function<std::string(int64_t)> record) {
  return [record = std::move(record)](int64_t n) {
    return Request(Repeat(n, [&](int64_t i) { return Field(2, record(i)); }));
  };
}

/// One record of n parts, and what stands in front of them.
std::function<std::string(int64_t)> Parts(std::function<std::string(int64_t)> part,
                                          const std::string& first = "") {
  return [part = std::move(part), first](int64_t n) {
    return Request(Field(2, first + Repeat(n, part)));
  };
}

std::string Span(int64_t i) {
  return Field(1, fmt::format("{:016}", i)) + Field(2, fmt::format("{:08}", i)) +
         Field(5, fmt::format("span {}", i)) + Number(7, 1'700'000'000 + i) +
         Number(8, 1'700'000'100 + i);
}

/// A metric with points; `kind` is the field of its data.
std::string Metric(uint32_t kind, const std::string& points) {
  return Field(1, "metric") + Field(kind, points);
}

std::string Point(int64_t i) { return Number(3, 1'700'000'000 + i) + Number(6, i); }

int64_t RowsOf(const otap::Batch& batch) {
  int64_t rows = 0;
  for (const otap::TableInfo& table : otap::AllTables()) {
    if (const auto& rows_of_table = batch.table(table.kind); rows_of_table != nullptr) {
      rows += rows_of_table->num_rows();
    }
  }
  return rows;
}

arrow::Result<int64_t> WriteAgain(const std::vector<otap::BatchPtr>& batches) {
  int64_t rows = 0;
  for (const otap::BatchPtr& batch : batches) {
    ARROW_RETURN_NOT_OK(otlp::EncodeRequest(*batch).status());
    ARROW_RETURN_NOT_OK(otlp::EncodeJson(*batch).status());
    ARROW_RETURN_NOT_OK(otlp::EncodeText(*batch, otlp::TextLayout::kDetailed).status());
    rows += RowsOf(*batch);
  }
  return rows;
}

/// Everything that is done with a request.
Read ReadRequest(Signal signal) {
  return TextRead([signal](const std::string& text) -> arrow::Result<int64_t> {
    ARROW_RETURN_NOT_OK(otlp::MakeRequestBatches(signal, arrow::Buffer::FromString(text)).status());
    ARROW_ASSIGN_OR_RAISE(auto cutter, otlp::RequestCutter::Make(signal, text));
    while (cutter.has_more()) {
      cutter.Next(64 << 10);
    }
    ARROW_ASSIGN_OR_RAISE(const auto batches, otlp::DecodeRequest(signal, text));
    return WriteAgain(batches);
  });
}

/// The same for one of which nothing is kept but its bytes.
Read SkipRequest(Signal signal) {
  return TextRead([signal](const std::string& text) -> arrow::Result<int64_t> {
    ARROW_RETURN_NOT_OK(otlp::MakeRequestBatches(signal, arrow::Buffer::FromString(text)).status());
    ARROW_ASSIGN_OR_RAISE(const auto batches, otlp::DecodeRequest(signal, text));
    ARROW_RETURN_NOT_OK(WriteAgain(batches).status());
    return static_cast<int64_t>(text.size());
  });
}

Read ReadJson(Signal signal) {
  return TextRead([signal](const std::string& text) -> arrow::Result<int64_t> {
    otlp::Decoder decoder;
    ARROW_ASSIGN_OR_RAISE(const auto batches, decoder.DecodeJson(signal, text));
    return WriteAgain(batches);
  });
}

Read SkipJson(Signal signal) {
  return TextRead([signal](const std::string& text) -> arrow::Result<int64_t> {
    otlp::Decoder decoder;
    ARROW_RETURN_NOT_OK(decoder.DecodeJson(signal, text).status());
    return static_cast<int64_t>(text.size());
  });
}

const Read kLogs = ReadRequest(Signal::kLogs);
const Read kTraces = ReadRequest(Signal::kTraces);
const Read kMetrics = ReadRequest(Signal::kMetrics);

std::string JsonLogs(const std::string& records, const std::string& resource = "") {
  return R"({"resourceLogs":[{"resource":{)" + resource +
         R"(},"scopeLogs":[{"logRecords":[{"body":{"stringValue":"first"}})" + records + "]}]}]}";
}

}  // namespace

std::vector<Shape> RequestShapes() {
  const auto record = [](int64_t i) { return Number(1, i) + Field(5, TextValue(i)); };
  return {
      {"request/log records", 250, Text(Records(record)), kLogs},
      {"request/resources", 125, Text([record](int64_t n) {
         return Repeat(n, [&](int64_t i) {
           return Field(1, Field(1, Attribute(1, i)) + Field(2, Field(2, record(i))));
         });
       }),
       kLogs},
      {"request/equal resources", 125, Text([record](int64_t n) {
         return Repeat(n, [&](int64_t i) {
           return Field(1, Field(1, Attribute(1, 0)) + Field(2, Field(2, record(i))));
         });
       }),
       kLogs},
      {"request/scopes", 300, Text([record](int64_t n) {
         return Field(1, Repeat(n, [&](int64_t i) {
                        return Field(2, Field(1, Field(1, fmt::format("scope {}", i))) +
                                            Field(2, record(i)));
                      }));
       }),
       kLogs},
      {"request/resources without records", 4000, Text([](int64_t n) {
         return Repeat(n, [](int64_t i) { return Field(1, Field(1, Attribute(1, i))); });
       }),
       SkipRequest(Signal::kLogs)},
      {"request/attributes of a record", 800,
       Text(Parts([](int64_t i) { return Attribute(6, i); })), kLogs},
      {"request/equal attributes of a record", 1000,
       Text(Parts([](int64_t) { return Attribute(6, 0); })), kLogs},
      {"request/attributes of a resource", 1000,
       Text([record](int64_t n) { return Request(Field(2, record(0)), Attributes(1, n)); }), kLogs},
      {"request/attributes of a scope", 1000,
       Text([record](int64_t n) { return Request(Field(2, record(0)), "", Attributes(3, n)); }),
       kLogs},
      {"request/parts of a body", 10'000,
       Text(Parts([](int64_t i) { return Field(5, TextValue(i)); })), SkipRequest(Signal::kLogs)},
      {"request/parts of a map in a body", 1000,
       Text(Parts([](int64_t i) { return Field(5, Field(6, Attribute(1, i))); })),
       SkipRequest(Signal::kLogs)},
      {"request/parts of a map in parts of a value", 1000, Text([](int64_t n) {
         return Request(Field(2, Field(6, Field(1, "key") + Repeat(n, [](int64_t i) {
                                            return Field(2, Field(6, Attribute(1, i)));
                                          }))));
       }),
       SkipRequest(Signal::kLogs)},
      {"request/parts of a resource", 800, Text([record](int64_t n) {
         return Field(1, Repeat(n, [](int64_t i) { return Field(1, Attribute(1, i)); }) +
                             Field(2, Field(2, record(0))));
       }),
       kLogs},
      {"request/parts of a scope", 800, Text([record](int64_t n) {
         return Field(1, Field(2, Repeat(n, [](int64_t i) { return Field(1, Attribute(3, i)); }) +
                                      Field(2, record(0))));
       }),
       kLogs},
      {"request/values of a map", 1000,
       Text([](int64_t n) { return Request(Field(2, Field(5, Field(6, Attributes(1, n))))); }),
       SkipRequest(Signal::kLogs)},
      {"request/values of an array", 2000, Text([](int64_t n) {
         return Request(Field(
             2, Field(5, Field(5, Repeat(n, [](int64_t i) { return Field(1, TextValue(i)); })))));
       }),
       SkipRequest(Signal::kLogs)},
      {"request/deep values", 25, Text(Records([](int64_t i) {
         std::string value = TextValue(i);
         for (int depth = 0; depth < 40; ++depth) {
           value = Field(5, Field(1, value));
         }
         return Field(5, value);
       })),
       SkipRequest(Signal::kLogs)},
      {"request/bytes of a text", 300'000, Text([](int64_t n) {
         return Request(Field(2, Field(5, Field(1, std::string(static_cast<size_t>(n), 'x')))));
       }),
       SkipRequest(Signal::kLogs)},
      {"request/letters that are escaped", 12'500, Text([](int64_t n) {
         return Request(Field(2, Field(5, Field(1, std::string(static_cast<size_t>(n), '"')))));
       }),
       SkipRequest(Signal::kLogs)},
      {"request/unknown fields of a record", 3000,
       Text(Parts([](int64_t i) { return Integer(static_cast<uint32_t>(100 + i), 1); })),
       SkipRequest(Signal::kLogs)},
      {"request/unknown fields of the request", 3000, Text([record](int64_t n) {
         return Request(Field(2, record(0))) +
                Repeat(n, [](int64_t i) { return Integer(static_cast<uint32_t>(100 + i), 1); });
       }),
       SkipRequest(Signal::kLogs)},
      {"request/records under a large resource", 300, Text([record](int64_t n) {
         return Request(Repeat(n, [&](int64_t i) { return Field(2, record(i)); }),
                        Attributes(1, n));
       }),
       kLogs},
      {"request/spans", 125, Text(Records(Span)), kTraces},
      {"request/events of a span", 300,
       Text(Parts(
           [](int64_t i) {
             return Field(11,
                          Number(1, i) + Field(2, fmt::format("event {}", i)) + Attribute(3, i));
           },
           Span(0))),
       kTraces},
      {"request/links of a span", 400,
       Text(Parts(
           [](int64_t i) {
             return Field(13, Field(1, fmt::format("{:016}", i)) +
                                  Field(2, fmt::format("{:08}", i)) + Attribute(4, i));
           },
           Span(0))),
       kTraces},
      {"request/attributes of an event", 1000,
       Text([](int64_t n) { return Request(Field(2, Span(0) + Field(11, Attributes(3, n)))); }),
       kTraces},
      {"request/parts of a status", 15'000,
       Text(Parts([](int64_t i) { return Field(15, Field(2, fmt::format("message {}", i))); },
                  Span(0))),
       SkipRequest(Signal::kTraces)},
      {"request/metrics", 300, Text(Records([](int64_t i) {
         return Field(1, fmt::format("metric {}", i)) + Field(5, Field(1, Point(i)));
       })),
       kMetrics},
      {"request/points of a metric", 250, Text([](int64_t n) {
         return Request(Field(2, Metric(5, Repeat(n, [](int64_t i) {
                                          return Field(1, Point(i) + Attribute(7, i));
                                        }))));
       }),
       kMetrics},
      {"request/parts of a gauge", 500,
       Text(Parts([](int64_t i) { return Field(5, Field(1, Point(i))); }, Field(1, "metric"))),
       kMetrics},
      {"request/exemplars of a point", 300, Text([](int64_t n) {
         return Request(Field(2, Metric(5, Field(1, Point(0) + Repeat(n, [](int64_t i) {
                                                      return Field(5, Number(2, i) + Number(6, i) +
                                                                          Attribute(7, i));
                                                    })))));
       }),
       kMetrics},
      {"request/buckets of a histogram", 5000, Text([](int64_t n) {
         std::string counts;
         protozero::pbf_writer writer(counts);
         const std::vector<uint64_t> ones(static_cast<size_t>(n), 1);
         writer.add_packed_fixed64(6, ones.begin(), ones.end());
         return Request(Field(2, Metric(9, Field(1, Number(3, 1) + Number(4, n) + counts))));
       }),
       SkipRequest(Signal::kMetrics)},
      {"request/quantiles of a summary", 1250, Text([](int64_t n) {
         return Request(Field(2, Metric(11, Field(1, Number(3, 1) + Repeat(n, [](int64_t i) {
                                                       return Field(6, Number(1, i) + Number(2, i));
                                                     })))));
       }),
       SkipRequest(Signal::kMetrics)},
  };
}

std::vector<Shape> JsonShapes() {
  const Read logs = ReadJson(Signal::kLogs);
  const Read skipped = SkipJson(Signal::kLogs);
  const auto attribute = [](int64_t i) {
    return fmt::format(R"({{"key":"k{0}","value":{{"stringValue":"v{0}"}}}})", i);
  };
  return {
      {"json/log records", 250, Text([](int64_t n) {
         return JsonLogs(Repeat(n, [](int64_t i) {
           return fmt::format(R"(,{{"timeUnixNano":"{0}","body":{{"stringValue":"text {0}"}}}})",
                              i);
         }));
       }),
       logs},
      {"json/resources", 300, Text([](int64_t n) {
         return R"({"resourceLogs":[{})" +
                Repeat(n,
                       [](int64_t) {
                         return R"(,{"scopeLogs":[{"logRecords":[{"timeUnixNano":"1"}]}]})";
                       }) +
                "]}";
       }),
       logs},
      {"json/attributes of a record", 800, Text([attribute](int64_t n) {
         return JsonLogs(R"(,{"attributes":[{})" +
                         Repeat(n, [&](int64_t i) { return "," + attribute(i); }) + "]}");
       }),
       logs},
      {"json/attributes of a resource", 800, Text([attribute](int64_t n) {
         return JsonLogs("", R"("attributes":[{})" +
                                 Repeat(n, [&](int64_t i) { return "," + attribute(i); }) + "]");
       }),
       logs},
      {"json/unknown keys", 750, Text([](int64_t n) {
         return "{" +
                Repeat(n, [](int64_t i) { return fmt::format(R"("k{}":{{"a":{}}},)", i, i); }) +
                R"("resourceLogs":[]})";
       }),
       skipped},
      {"json/keys in front of a list", 2000, Text([](int64_t n) {
         // What is needed first stands last.
         return R"({"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"kvlistValue":{"values":[{})" +
                Repeat(n,
                       [](int64_t i) {
                         return fmt::format(R"(,{{"value":{{"intValue":"{0}"}},"key":"k{0}"}})", i);
                       }) +
                "]}}}]}]}]}";
       }),
       skipped},
      {"json/escapes", 5000, Text([](int64_t n) {
         return JsonLogs(R"(,{"body":{"stringValue":")" +
                         Repeat(n, [](int64_t) { return R"(\u00e9\n)"; }) + R"("}})");
       }),
       skipped},
      {"json/halves of surrogate pairs", 20'000, Text([](int64_t n) {
         return JsonLogs(R"(,{"body":{"stringValue":")" +
                         Repeat(n, [](int64_t) { return R"(\ud800)"; }) + R"("}})");
       }),
       skipped},
      {"json/deep values", 50, Text([](int64_t n) {
         std::string begin;
         std::string end;
         for (int depth = 0; depth < 40; ++depth) {
           begin += R"({"arrayValue":{"values":[)";
           end += "]}}";
         }
         return JsonLogs(Repeat(n, [&](int64_t) { return R"(,{"body":)" + begin + end + "}"; }));
       }),
       skipped},
      {"json/deep unknown values", 500, Text([](int64_t n) {
         return "{" +
                Repeat(n,
                       [](int64_t i) {
                         return fmt::format(R"("k{}":{}{},)", i, std::string(40, '['),
                                            std::string(40, ']'));
                       }) +
                R"("resourceLogs":[]})";
       }),
       skipped},
      {"json/spaces", 600'000, Text([](int64_t n) {
         return "{" + std::string(static_cast<size_t>(n), ' ') + R"("resourceLogs":[]})";
       }),
       skipped},
      {"json/base64", 60'000, Text([](int64_t n) {
         return JsonLogs(R"(,{"body":{"bytesValue":")" + Repeat(n, [](int64_t) { return "QUJD"; }) +
                         R"("}})");
       }),
       skipped},
      {"json/points of a metric", 250, Text([](int64_t n) {
         return R"({"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"m","gauge":{"dataPoints":[{"asInt":"1"})" +
                Repeat(n,
                       [](int64_t i) {
                         return fmt::format(R"(,{{"timeUnixNano":"{0}","asDouble":{0}.5}})", i);
                       }) +
                "]}}]}]}]}";
       }),
       ReadJson(Signal::kMetrics)},
  };
}

}  // namespace df::linearity
