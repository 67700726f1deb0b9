#include "otlp/decode.h"

#include <bit>
#include <functional>

#include <arrow/api.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <protozero/pbf_writer.hpp>

#include "otap/validate.h"
#include "otlp/encode.h"
#include "testing/cell.h"

namespace df::otlp {
namespace {

using otap::BatchPtr;
using otap::Signal;
using otap::TableKind;
using protozero::pbf_writer;
using testing::Cell;
using testing::CellTable;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Write = std::function<void(pbf_writer&)>;

std::string Message(const Write& write) {
  std::string bytes;
  pbf_writer writer(bytes);
  write(writer);
  return bytes;
}

/// A request of one resource and scope with records of these bytes.
std::string Request(const std::vector<std::string>& records) {
  return Message([&](pbf_writer& request) {
    request.add_message(1, Message([&](pbf_writer& resource) {
                          resource.add_message(2, Message([&](pbf_writer& scope) {
                                                 for (const std::string& record : records) {
                                                   scope.add_message(2, record);
                                                 }
                                               }));
                        }));
  });
}

std::string Attribute(std::string_view key, const Write& value) {
  return Message([&](pbf_writer& out) {
    out.add_string(1, key.data(), key.size());
    out.add_message(2, Message(value));
  });
}

BatchPtr DecodeOne(Signal signal, const std::string& request, DecodeStats* stats = nullptr) {
  const auto batches = DecodeRequest(signal, request, {}, stats);
  EXPECT_TRUE(batches.ok()) << batches.status();
  EXPECT_EQ(batches->size(), 1);
  const arrow::Status valid = otap::Validate(*batches->at(0));
  EXPECT_TRUE(valid.ok()) << valid;
  return batches->at(0);
}

/// A column as text, one cell after the other; "" when it is absent. Children as "body.int".
std::string Column(const BatchPtr& batch, TableKind kind, std::string_view path) {
  if (batch->table(kind) == nullptr) {
    return "";
  }
  const CellTable table = testing::ReadCells(*batch->table(kind)).ValueOrDie();
  const size_t dot = path.find('.');
  const testing::CellColumn* column = testing::FindCells(table.columns, path.substr(0, dot));
  if (column != nullptr && dot != std::string_view::npos) {
    column = testing::FindCells(column->children, path.substr(dot + 1));
  }
  std::string text;
  for (size_t row = 0; column != nullptr && row < column->cells.size(); ++row) {
    text += (row == 0 ? "" : " ") + testing::CellText(column->cells[row]);
  }
  return text;
}

TEST(DecodeLogs, ReadsEveryField) {
  const std::string request = Request({Message([](pbf_writer& log) {
    log.add_fixed64(1, 1000);
    log.add_enum(2, 9);
    log.add_string(3, "INFO");
    log.add_message(5, Message([](pbf_writer& body) { body.add_string(1, "hello"); }));
    log.add_message(6, Attribute("k", [](pbf_writer& value) { value.add_int64(3, -5); }));
    log.add_uint32(7, 2);
    log.add_fixed32(8, 1);
    log.add_bytes(9, "0123456789abcdef");
    log.add_bytes(10, "01234567");
    log.add_fixed64(11, UINT64_MAX);
    log.add_string(12, "event");
  })});
  const BatchPtr batch = DecodeOne(Signal::kLogs, request);
  EXPECT_EQ(Column(batch, TableKind::kLogs, "id"), testing::CellText(Cell(uint64_t{0})));
  EXPECT_EQ(Column(batch, TableKind::kLogs, "time_unix_nano"),
            testing::CellText(Cell(int64_t{1000})));
  EXPECT_EQ(Column(batch, TableKind::kLogs, "observed_time_unix_nano"),
            testing::CellText(Cell(int64_t{-1})));
  EXPECT_EQ(Column(batch, TableKind::kLogs, "severity_number"),
            testing::CellText(Cell(int64_t{9})));
  EXPECT_EQ(Column(batch, TableKind::kLogs, "severity_text"), testing::CellText(Cell("INFO")));
  EXPECT_EQ(Column(batch, TableKind::kLogs, "event_name"), testing::CellText(Cell("event")));
  EXPECT_EQ(Column(batch, TableKind::kLogs, "body.type"), testing::CellText(Cell(uint64_t{1})));
  EXPECT_EQ(Column(batch, TableKind::kLogs, "body.str"), testing::CellText(Cell("hello")));
  EXPECT_EQ(Column(batch, TableKind::kLogs, "dropped_attributes_count"),
            testing::CellText(Cell(uint64_t{2})));
  EXPECT_EQ(Column(batch, TableKind::kLogs, "flags"), testing::CellText(Cell(uint64_t{1})));
  EXPECT_EQ(Column(batch, TableKind::kLogs, "trace_id"),
            testing::CellText(Cell("0123456789abcdef")));
  EXPECT_EQ(Column(batch, TableKind::kLogs, "span_id"), testing::CellText(Cell("01234567")));
  EXPECT_EQ(Column(batch, TableKind::kLogAttrs, "key"), testing::CellText(Cell("k")));
  EXPECT_EQ(Column(batch, TableKind::kLogAttrs, "int"), testing::CellText(Cell(int64_t{-5})));
}

TEST(DecodeLogs, AnEmptyRecordIsARowOfNothing) {
  const BatchPtr batch = DecodeOne(Signal::kLogs, Request({""}));
  EXPECT_EQ(batch->num_root_rows(), 1);
  for (const char* absent :
       {"id", "severity_text", "body", "trace_id", "flags", "event_name", "schema_url"}) {
    EXPECT_EQ(Column(batch, TableKind::kLogs, absent), "") << absent;
  }
  EXPECT_EQ(Column(batch, TableKind::kLogs, "time_unix_nano"), testing::CellText(Cell(int64_t{0})));
}

TEST(DecodeLogs, RequestsWithoutRecordsGiveNoBatch) {
  for (const std::string& request : {std::string(), Request({}), Message([](pbf_writer& out) {
                                       out.add_message(1, std::string(""));
                                       out.add_uint64(99, 7);
                                     })}) {
    EXPECT_EQ(DecodeRequest(Signal::kLogs, request)->size(), 0);
  }
}

TEST(DecodeLogs, IdsGoToRecordsWithAttributesOnly) {
  const std::string with =
      Message([](pbf_writer& log) { log.add_message(6, Attribute("k", [](pbf_writer&) {})); });
  const BatchPtr batch = DecodeOne(Signal::kLogs, Request({"", with, "", with}));
  const std::string null = testing::CellText(Cell());
  EXPECT_EQ(Column(batch, TableKind::kLogs, "id"),
            null + " " + testing::CellText(Cell(uint64_t{0})) + " " + null + " " +
                testing::CellText(Cell(uint64_t{1})));
}

TEST(DecodeLogs, AnEmptyBodyIsNotAMissingOne) {
  const std::string empty = Message([](pbf_writer& log) { log.add_message(5, std::string("")); });
  const BatchPtr batch = DecodeOne(Signal::kLogs, Request({empty, ""}));
  EXPECT_EQ(Column(batch, TableKind::kLogs, "body"),
            testing::CellText(Cell(true)) + " " + testing::CellText(Cell()));
  EXPECT_EQ(
      EncodeRequest(*batch).ValueOrDie(),
      EncodeRequest(*DecodeOne(Signal::kLogs, EncodeRequest(*batch).ValueOrDie())).ValueOrDie());
}

TEST(DecodeLogs, TheHeadMayStandBehindTheRecords) {
  const std::string request = Message([](pbf_writer& out) {
    out.add_message(
        1, Message([](pbf_writer& resource) {
          resource.add_message(
              2, Message([](pbf_writer& scope) {
                scope.add_message(2, std::string(""));
                scope.add_string(3, "scope-url");
                scope.add_message(1, Message([](pbf_writer& head) { head.add_string(1, "name"); }));
                scope.add_message(1,
                                  Message([](pbf_writer& head) { head.add_string(2, "version"); }));
              }));
          resource.add_message(1, Message([](pbf_writer& head) {
                                 head.add_message(1, Attribute("a", [](pbf_writer& value) {
                                                    value.add_bool(2, true);
                                                  }));
                                 head.add_uint32(2, 4);
                               }));
          resource.add_string(3, "resource-url");
        }));
  });
  const BatchPtr batch = DecodeOne(Signal::kLogs, request);
  EXPECT_EQ(Column(batch, TableKind::kLogs, "scope.name"), testing::CellText(Cell("name")));
  EXPECT_EQ(Column(batch, TableKind::kLogs, "scope.version"), testing::CellText(Cell("version")));
  EXPECT_EQ(Column(batch, TableKind::kLogs, "schema_url"), testing::CellText(Cell("scope-url")));
  EXPECT_EQ(Column(batch, TableKind::kLogs, "resource.schema_url"),
            testing::CellText(Cell("resource-url")));
  EXPECT_EQ(Column(batch, TableKind::kLogs, "resource.dropped_attributes_count"),
            testing::CellText(Cell(uint64_t{4})));
  EXPECT_EQ(Column(batch, TableKind::kResourceAttrs, "bool"), testing::CellText(Cell(true)));
}

TEST(DecodeLogs, IdsOfAWrongLengthAreCountedAndReadAsNone) {
  DecodeStats stats;
  const BatchPtr batch = DecodeOne(Signal::kLogs, Request({Message([](pbf_writer& log) {
                                     log.add_bytes(9, "short");
                                     log.add_bytes(10, "0123456789abcdef");
                                   })}),
                                   &stats);
  EXPECT_EQ(Column(batch, TableKind::kLogs, "trace_id"), "");
  EXPECT_EQ(stats.invalid_ids, 2);
}

TEST(DecodeLogs, RequestsOfMoreThan65535RecordsAreSplit) {
  const std::string record = Message([](pbf_writer& log) {
    log.add_message(6, Attribute("k", [](pbf_writer& value) { value.add_string(1, "v"); }));
  });
  const std::vector<std::string> records(65'536, record);
  const auto batches = DecodeRequest(Signal::kLogs, Request(records)).ValueOrDie();
  ASSERT_EQ(batches.size(), 2);
  EXPECT_EQ(batches[0]->num_root_rows(), 65'535);
  EXPECT_EQ(batches[1]->num_root_rows(), 1);
  for (const BatchPtr& batch : batches) {
    const arrow::Status valid = otap::Validate(*batch);
    EXPECT_TRUE(valid.ok()) << valid;
    EXPECT_EQ(batch->table(TableKind::kLogAttrs)->num_rows(), batch->num_root_rows());
  }
}

TEST(DecodeLogs, MoreThan65535ResourcesAreSplit) {
  std::string request;
  for (int i = 0; i < 65'536; ++i) {
    request += Request({""});
  }
  const auto batches = DecodeRequest(Signal::kLogs, request).ValueOrDie();
  ASSERT_EQ(batches.size(), 2);
  EXPECT_EQ(batches[0]->num_root_rows(), 65'535);
}

/// The value of one attribute, read and written again as an AnyValue.
std::string ThroughTables(const std::string& any_value) {
  const std::string attribute = Message([&](pbf_writer& out) {
    out.add_string(1, "k");
    out.add_message(2, any_value);
  });
  const BatchPtr batch = DecodeOne(
      Signal::kLogs, Request({Message([&](pbf_writer& log) { log.add_message(6, attribute); })}));
  const std::string request = EncodeRequest(*batch).ValueOrDie();
  const size_t at = request.find("\n\x01k\x12");
  EXPECT_NE(at, std::string::npos);
  const auto size = static_cast<size_t>(static_cast<uint8_t>(request[at + 4]));
  return request.substr(at + 5, size);
}

TEST(DecodeValues, EveryBitSurvives) {
  for (const uint64_t bits :
       std::vector<uint64_t>{0x8000000000000000U, 0x7FF8000000000123U, 0xFFF0000000000001U,
                             0x0000000000000001U, 0x0000000000000000U}) {
    const double real = std::bit_cast<double>(bits);
    const std::string value = Message([&](pbf_writer& out) { out.add_double(4, real); });
    EXPECT_EQ(ThroughTables(value), value);
    const std::string nested = Message([&](pbf_writer& out) {
      out.add_message(5, Message([&](pbf_writer& list) { list.add_message(1, value); }));
    });
    EXPECT_EQ(ThroughTables(nested), nested);
  }
  for (const int64_t integer :
       {INT64_MIN, int64_t{-257}, int64_t{-1}, int64_t{0}, int64_t{23}, int64_t{24}, int64_t{255},
        int64_t{256}, int64_t{65'536}, int64_t{1} << 32, INT64_MAX}) {
    const std::string value = Message([&](pbf_writer& out) { out.add_int64(3, integer); });
    EXPECT_EQ(ThroughTables(value), value);
    const std::string nested = Message([&](pbf_writer& out) {
      out.add_message(5, Message([&](pbf_writer& list) { list.add_message(1, value); }));
    });
    EXPECT_EQ(ThroughTables(nested), nested);
  }
}

TEST(DecodeValues, EmptyAndDefaultValuesStayWhatTheyAre) {
  const std::vector<std::string> values = {
      "",
      Message([](pbf_writer& out) { out.add_string(1, ""); }),
      Message([](pbf_writer& out) { out.add_bool(2, false); }),
      Message([](pbf_writer& out) { out.add_message(5, std::string("")); }),
      Message([](pbf_writer& out) { out.add_message(6, std::string("")); }),
      Message([](pbf_writer& out) { out.add_bytes(7, ""); })};
  for (const std::string& value : values) {
    EXPECT_EQ(ThroughTables(value), value);
    const std::string in_map = Message([&](pbf_writer& out) {
      out.add_message(6, Message([&](pbf_writer& list) {
                        for (const char* key : {"a", "a", ""}) {  // a key twice, and none
                          list.add_message(1, Message([&](pbf_writer& pair) {
                                             pair.add_string(1, key);
                                             pair.add_message(2, value);
                                           }));
                        }
                      }));
    });
    EXPECT_EQ(ThroughTables(in_map), in_map);
  }
}

TEST(DecodeValues, TheLastMemberCountsAndPartsOfOneAreMerged) {
  const auto list = [](int64_t integer) {
    return Message([&](pbf_writer& out) {
      out.add_message(1, Message([&](pbf_writer& value) { value.add_int64(3, integer); }));
    });
  };
  const std::string merged =
      Message([&](pbf_writer& out) { out.add_message(5, list(1) + list(2)); });
  EXPECT_EQ(ThroughTables(Message([&](pbf_writer& out) {
              out.add_string(1, "gone");
              out.add_message(5, list(1));
              out.add_message(5, list(2));
            })),
            merged);
  EXPECT_EQ(ThroughTables(Message([&](pbf_writer& out) {
              out.add_message(5, list(1));
              out.add_bool(2, true);
            })),
            Message([](pbf_writer& out) { out.add_bool(2, true); }));
}

/// Arrays inside each other, so many of them.
std::string Nested(int depth) {
  std::string value;
  for (int i = 0; i < depth; ++i) {
    value = Message([&](pbf_writer& out) {
      out.add_message(5, Message([&](pbf_writer& list) { list.add_message(1, value); }));
    });
  }
  return value;
}

TEST(DecodeValues, DepthIsLimited) {
  const auto request = [](int depth) {
    return Request({Message([&](pbf_writer& log) { log.add_message(5, Nested(depth)); })});
  };
  const auto refused = DecodeRequest(Signal::kLogs, request(3), {.max_value_depth = 2});
  EXPECT_THAT(refused.status().message(), HasSubstr("deeper than 2 arrays and maps"));
  EXPECT_TRUE(DecodeRequest(Signal::kLogs, request(2), {.max_value_depth = 2}).ok());
}

TEST(DecodeTraces, DurationsAreModular) {
  const std::string span = Message([](pbf_writer& out) {
    out.add_string(5, "s");
    out.add_fixed64(7, 100);
    out.add_fixed64(8, 90);
    out.add_message(15, std::string(""));
  });
  const BatchPtr batch = DecodeOne(Signal::kTraces, Request({span, ""}));
  EXPECT_EQ(Column(batch, TableKind::kSpans, "duration_time_unix_nano"),
            testing::CellText(Cell(int64_t{-10})) + " " + testing::CellText(Cell(int64_t{0})));
  EXPECT_EQ(Column(batch, TableKind::kSpans, "status"),
            testing::CellText(Cell(true)) + " " + testing::CellText(Cell()));
  EXPECT_EQ(Column(batch, TableKind::kSpans, "name"),
            testing::CellText(Cell("s")) + " " + testing::CellText(Cell("")));
}

std::string Histogram(const Write& point) {
  return Message([&](pbf_writer& metric) {
    metric.add_message(
        9, Message([&](pbf_writer& histogram) { histogram.add_message(1, Message(point)); }));
  });
}

TEST(DecodeMetrics, ExplicitZerosAreNotUnset) {
  const BatchPtr batch = DecodeOne(Signal::kMetrics, Request({Histogram([](pbf_writer& point) {
                                                                point.add_double(5, 0.0);
                                                                point.add_double(11, -0.0);
                                                              }),
                                                              Histogram([](pbf_writer&) {})}));
  EXPECT_EQ(Column(batch, TableKind::kHistogramDataPoints, "sum"),
            testing::CellText(Cell(0.0)) + " " + testing::CellText(Cell()));
  EXPECT_EQ(Column(batch, TableKind::kHistogramDataPoints, "min"),
            testing::CellText(Cell(-0.0)) + " " + testing::CellText(Cell()));
  EXPECT_EQ(Column(batch, TableKind::kHistogramDataPoints, "max"), "");
}

TEST(DecodeMetrics, ListsMayBePackedOrNot) {
  const BatchPtr batch =
      DecodeOne(Signal::kMetrics, Request({Histogram([](pbf_writer& point) {
                  const std::vector<uint64_t> packed = {1, 2};
                  point.add_packed_fixed<uint64_t>(6, packed.begin(), packed.end());
                  point.add_fixed64(6, 3);
                  point.add_double(7, 0.5);
                })}));
  EXPECT_EQ(Column(batch, TableKind::kHistogramDataPoints, "bucket_counts"),
            testing::CellText(Cell(std::vector<uint64_t>{1, 2, 3})));
  EXPECT_EQ(Column(batch, TableKind::kHistogramDataPoints, "explicit_bounds"),
            testing::CellText(Cell(std::vector<double>{0.5})));
}

TEST(DecodeMetrics, TheLastKindOfDataCounts) {
  const auto points = [](int count) {
    return Message([&](pbf_writer& data) {
      for (int i = 0; i < count; ++i) {
        data.add_message(1, std::string(""));
      }
    });
  };
  const BatchPtr batch = DecodeOne(Signal::kMetrics, Request({Message([&](pbf_writer& metric) {
                                     metric.add_message(7, points(5));
                                     metric.add_message(5, points(1));
                                     metric.add_message(5, points(2));
                                   })}));
  EXPECT_EQ(Column(batch, TableKind::kUnivariateMetrics, "metric_type"),
            testing::CellText(Cell(uint64_t{1})));
  EXPECT_EQ(batch->num_items(), 3);
}

struct MalformedCase {
  const char* name;
  Signal signal;
  std::string request;
  std::string message;
};

class Malformed : public ::testing::TestWithParam<MalformedCase> {};

TEST_P(Malformed, IsRefusedWithItsPathAndOffset) {
  const auto decoded = DecodeRequest(GetParam().signal, GetParam().request);
  ASSERT_FALSE(decoded.ok());
  EXPECT_EQ(decoded.status().message(), GetParam().message);
}

std::vector<MalformedCase> MalformedCases() {
  const std::string kRecord = "resource_logs[0].scope_logs[0].log_records[0]";
  const auto log = [](const Write& write) { return Request({Message(write)}); };
  const auto value = [&](const std::string& bytes) {
    return log([&](pbf_writer& record) {
      record.add_message(6, Message([&](pbf_writer& pair) {
                           pair.add_string(1, "k");
                           pair.add_message(2, bytes);
                         }));
    });
  };
  const std::string kNotText = "found bytes that are not UTF-8, expected text";
  const std::string kPast = "found a length past the end of the message, expected it inside";
  return {
      {"CutOff", Signal::kLogs, "\n\x05\x12", "resource_logs[0]: at offset 0: " + kPast},
      {"FieldZero", Signal::kLogs, std::string("\0\0", 2),
       "at offset 0: found no tag of a field, expected a number from 1 and a wire type"},
      {"WireType7", Signal::kLogs, "\x17", "at offset 0: found wire type 7, expected 0, 1, 2 or 5"},
      {"EndOfGroup", Signal::kLogs, "\x14",
       "at offset 0: found the end of a group, expected its start before it"},
      {"OpenGroup", Signal::kLogs, "\x13\x18\x01",
       "at offset 0: found a group that does not end, expected its end"},
      {"LongVarint", Signal::kLogs, log([](pbf_writer& out) {
                                      out.add_uint64(2, UINT64_MAX);
                                    }).replace(8, 10, std::string(10, '\xFF')),
       kRecord + ".severity_number: at offset 6: found a number that does not end within ten bytes "
                 "and the message, expected one that does"},
      {"SeverityText", Signal::kLogs, log([](pbf_writer& out) { out.add_string(3, "\xC0\xAF"); }),
       kRecord + ".severity_text: at offset 8: " + kNotText},
      {"Surrogate", Signal::kLogs,
       value(Message([](pbf_writer& out) { out.add_string(1, "\xED\xA0\x80"); })),
       kRecord + ".attributes[0].value.string_value: at offset 15: " + kNotText},
      {"NestedValue", Signal::kLogs, value(Message([](pbf_writer& out) {
         out.add_message(5, Message([](pbf_writer& list) {
                           list.add_message(1, std::string(""));
                           list.add_message(1, std::string("\x0A\x09"));
                         }));
       })),
       kRecord + ".attributes[0].value.array_value.values[1].string_value: at offset 19: " + kPast},
      {"Fixed64", Signal::kLogs,
       log([](pbf_writer& out) { out.add_fixed64(1, 1); })
           .replace(5, 1, "\x05")
           .replace(3, 1, "\x07")
           .replace(1, 1, "\x09")
           .substr(0, 11),
       kRecord + ".time_unix_nano: at offset 6: found the end of the message, expected a value"},
      {"PackedBounds", Signal::kMetrics,
       Request({Histogram([](pbf_writer& point) { point.add_bytes(7, "1234567"); })}),
       "resource_metrics[0].scope_metrics[0].metrics[0].histogram.data_points[0].explicit_bounds: "
       "at offset 12: found 7 bytes, expected a multiple of 8"},
      {"SecondSpan", Signal::kTraces, Request({"", Message([](pbf_writer& out) {
                                                 out.add_message(11, std::string(""));
                                                 out.add_message(11, std::string("\x0A"));
                                               })}),
       "resource_spans[0].scope_spans[0].spans[1].events[1].time_unix_nano: at offset 12: found a "
       "length past the "
       "end of the message, expected it inside"},
      {"TextThatIsReplaced", Signal::kLogs, log([](pbf_writer& out) {
         out.add_string(3, "\xFF");
         out.add_string(3, "fine");
       }),
       kRecord + ".severity_text: at offset 8: " + kNotText},
      {"HeadOfNothing", Signal::kLogs, Message([](pbf_writer& out) {
         out.add_message(1, Message([](pbf_writer& resource) {
                           resource.add_message(1, Message([](pbf_writer& head) {
                                                  head.add_message(1, std::string("\x0A\x01\xFF"));
                                                }));
                         }));
       }),
       "resource_logs[0].resource.attributes[0].key: at offset 8: " + kNotText},
  };
}

INSTANTIATE_TEST_SUITE_P(Cases, Malformed, ::testing::ValuesIn(MalformedCases()),
                         [](const auto& test) { return test.param.name; });

TEST(DecodeUnknown, FieldsAndWireTypesAreSkipped) {
  const std::string known = Message([](pbf_writer& log) { log.add_fixed64(1, 5); });
  const std::string odd =
      Message([](pbf_writer& log) {
        log.add_uint64(99, 1);
        log.add_string(1, "a time is no text");
        log.add_fixed32(98, 1);
        log.add_fixed64(97, 1);
        log.add_fixed64(1, 5);
      }) +
      "\xA3\x06\x08\x01\xAB\x06\xAC\x06\xA4\x06";  // group 100 with group 101 in it
  EXPECT_EQ(EncodeRequest(*DecodeOne(Signal::kLogs, Request({odd}))).ValueOrDie(),
            EncodeRequest(*DecodeOne(Signal::kLogs, Request({known}))).ValueOrDie());
}

}  // namespace
}  // namespace df::otlp
