// EncodeRequest and EncodeJson against a naive encoder: row by row, one resource for each record,
// everything found by searching.
#include <bit>

#include <cbor.h>
#include <gtest/gtest.h>
#include <protozero/pbf_writer.hpp>

#include "otlp/compare/item_counts.h"
#include "otlp/compare/json_request.h"
#include "otlp/encode.h"
#include "testing/cell.h"
#include "testing/random_batch.h"

namespace df::otlp {
namespace {

using otap::Signal;
using otap::TableKind;
using protozero::pbf_writer;
using testing::Cell;
using testing::CellColumn;
using testing::CellTable;
using testing::FindCells;

/// One row of a table or struct, by column names.
struct Row {
  const std::vector<CellColumn>* columns = nullptr;
  size_t row = 0;

  const CellColumn* Find(std::string_view name) const {
    return columns == nullptr ? nullptr : FindCells(*columns, name);
  }
  const Cell& operator[](std::string_view name) const {
    static const Cell kNull;
    const CellColumn* column = Find(name);
    return column == nullptr ? kNull : column->cells[row];
  }
  /// A row of nothing when the struct is absent or null.
  Row Struct(std::string_view name) const {
    return IsNull((*this)[name]) ? Row() : Row{&Find(name)->children, row};
  }
};

std::string Message(const std::function<void(pbf_writer&)>& write) {
  std::string bytes;
  pbf_writer writer(bytes);
  write(writer);
  return bytes;
}

std::string TextOf(const Cell& cell) {
  return testing::IsNull(cell) ? std::string() : std::get<std::string>(cell);
}
uint64_t Unsigned(const Cell& cell) {
  if (const auto* value = std::get_if<int64_t>(&cell)) {
    return static_cast<uint64_t>(*value);
  }
  return testing::IsNull(cell) ? 0 : std::get<uint64_t>(cell);
}
int64_t Signed(const Cell& cell) { return static_cast<int64_t>(Unsigned(cell)); }
double Real(const Cell& cell) { return testing::IsNull(cell) ? 0 : std::get<double>(cell); }

std::string CborValue(const cbor_item_t* item);

std::string CborPair(const cbor_pair& pair) {
  return Message([&](pbf_writer& out) {
    if (cbor_isa_string(pair.key)) {
      out.add_string(1, reinterpret_cast<const char*>(cbor_string_handle(pair.key)),
                     cbor_string_length(pair.key));
    }
    out.add_message(2, CborValue(pair.value));
  });
}

/// An AnyValue of a tree that the library has built.
std::string CborValue(const cbor_item_t* item) {
  return Message([&](pbf_writer& out) {
    if (cbor_isa_uint(item)) {
      out.add_int64(3, static_cast<int64_t>(cbor_get_int(item)));
    } else if (cbor_isa_negint(item)) {
      out.add_int64(3, -1 - static_cast<int64_t>(cbor_get_int(item)));
    } else if (cbor_isa_bytestring(item)) {
      out.add_bytes(7, reinterpret_cast<const char*>(cbor_bytestring_handle(item)),
                    cbor_bytestring_length(item));
    } else if (cbor_isa_string(item)) {
      out.add_string(1, reinterpret_cast<const char*>(cbor_string_handle(item)),
                     cbor_string_length(item));
    } else if (cbor_isa_array(item)) {
      out.add_message(5, Message([&](pbf_writer& list) {
                        for (size_t i = 0; i < cbor_array_size(item); ++i) {
                          list.add_message(1, CborValue(cbor_array_handle(item)[i]));
                        }
                      }));
    } else if (cbor_isa_map(item)) {
      out.add_message(6, Message([&](pbf_writer& list) {
                        for (size_t i = 0; i < cbor_map_size(item); ++i) {
                          list.add_message(1, CborPair(cbor_map_handle(item)[i]));
                        }
                      }));
    } else if (cbor_is_float(item)) {
      out.add_double(4, cbor_float_get_float(item));
    } else if (cbor_is_bool(item)) {
      out.add_bool(2, cbor_get_bool(item));
    }
  });
}

std::string CborMessage(const std::string& bytes) {
  cbor_load_result result{};
  cbor_item_t* item =
      cbor_load(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), &result);
  EXPECT_NE(item, nullptr);
  std::string message = CborValue(item);
  cbor_decref(&item);
  return message;
}

std::string AnyValue(const Row& row) {
  switch (Unsigned(row["type"])) {
    case 1:
      return Message([&](pbf_writer& out) { out.add_string(1, TextOf(row["str"])); });
    case 2:
      return Message([&](pbf_writer& out) { out.add_int64(3, Signed(row["int"])); });
    case 3:
      return Message([&](pbf_writer& out) { out.add_double(4, Real(row["double"])); });
    case 4:
      if (row.Find("bool") != nullptr && IsNull(row["bool"])) {
        return "";
      }
      return Message([&](pbf_writer& out) {
        out.add_bool(2, !IsNull(row["bool"]) && std::get<bool>(row["bool"]));
      });
    case 5:
    case 6:
      return IsNull(row["ser"]) ? "" : CborMessage(std::get<std::string>(row["ser"]));
    case 7:
      return Message([&](pbf_writer& out) { out.add_bytes(7, TextOf(row["bytes"])); });
    default:
      return "";
  }
}

class NaiveEncoder {
 public:
  explicit NaiveEncoder(const otap::Batch& batch) : signal_(batch.signal()) {
    for (const otap::TableInfo& info : otap::AllTables()) {
      if (batch.table(info.kind) != nullptr) {
        tables_[info.kind] = testing::ReadCells(*batch.table(info.kind)).ValueOrDie();
      }
    }
  }

  /// Returns a request for each root row.
  std::vector<std::string> Requests() const {
    std::vector<std::string> requests;
    for (const Row& row : Rows(otap::RootTable(signal_))) {
      requests.push_back(Message([&](pbf_writer& out) { out.add_message(1, Resource(row)); }));
    }
    return requests;
  }

 private:
  std::vector<Row> Rows(TableKind kind) const {
    std::vector<Row> rows;
    if (const auto at = tables_.find(kind); at != tables_.end()) {
      for (size_t i = 0; i < static_cast<size_t>(at->second.num_rows); ++i) {
        rows.push_back({&at->second.columns, i});
      }
    }
    return rows;
  }

  std::vector<Row> Children(TableKind kind, const Cell& parent) const {
    std::vector<Row> rows;
    for (const Row& row : Rows(kind)) {
      if (!IsNull(parent) && Unsigned(row["parent_id"]) == Unsigned(parent)) {
        rows.push_back(row);
      }
    }
    return rows;
  }

  void Attributes(TableKind kind, const Cell& parent, uint32_t number, pbf_writer& out) const {
    for (const Row& row : Children(kind, parent)) {
      out.add_message(number, Message([&](pbf_writer& pair) {
                        pair.add_string(1, TextOf(row["key"]));
                        pair.add_message(2, AnyValue(row));
                      }));
    }
  }

  std::string Resource(const Row& row) const {
    const Row resource = row.Struct("resource");
    return Message([&](pbf_writer& out) {
      out.add_message(1, Message([&](pbf_writer& fields) {
                        Attributes(TableKind::kResourceAttrs, resource["id"], 1, fields);
                        fields.add_uint64(2, Unsigned(resource["dropped_attributes_count"]));
                      }));
      out.add_message(2, Scope(row));
      out.add_string(3, TextOf(resource["schema_url"]));
    });
  }

  std::string Scope(const Row& row) const {
    const Row scope = row.Struct("scope");
    return Message([&](pbf_writer& out) {
      out.add_message(1, Message([&](pbf_writer& fields) {
                        fields.add_string(1, TextOf(scope["name"]));
                        fields.add_string(2, TextOf(scope["version"]));
                        Attributes(TableKind::kScopeAttrs, scope["id"], 3, fields);
                        fields.add_uint64(4, Unsigned(scope["dropped_attributes_count"]));
                      }));
      out.add_message(2, signal_ == Signal::kLogs     ? Log(row)
                         : signal_ == Signal::kTraces ? Span(row)
                                                      : Metric(row));
      out.add_string(3, TextOf(row["schema_url"]));
    });
  }

  std::string Log(const Row& row) const {
    return Message([&](pbf_writer& out) {
      out.add_fixed64(1, Unsigned(row["time_unix_nano"]));
      out.add_int64(2, Signed(row["severity_number"]));
      out.add_string(3, TextOf(row["severity_text"]));
      if (!IsNull(row["body"])) {
        out.add_message(5, AnyValue(row.Struct("body")));
      }
      Attributes(TableKind::kLogAttrs, row["id"], 6, out);
      out.add_uint64(7, Unsigned(row["dropped_attributes_count"]));
      out.add_fixed32(8, static_cast<uint32_t>(Unsigned(row["flags"])));
      out.add_bytes(9, TextOf(row["trace_id"]));
      out.add_bytes(10, TextOf(row["span_id"]));
      out.add_fixed64(11, Unsigned(row["observed_time_unix_nano"]));
      out.add_string(12, TextOf(row["event_name"]));
    });
  }

  std::string Span(const Row& row) const {
    return Message([&](pbf_writer& out) {
      out.add_bytes(1, TextOf(row["trace_id"]));
      out.add_bytes(2, TextOf(row["span_id"]));
      out.add_string(3, TextOf(row["trace_state"]));
      out.add_bytes(4, TextOf(row["parent_span_id"]));
      out.add_string(5, TextOf(row["name"]));
      out.add_int64(6, Signed(row["kind"]));
      out.add_fixed64(7, Unsigned(row["start_time_unix_nano"]));
      out.add_fixed64(
          8, Unsigned(row["start_time_unix_nano"]) + Unsigned(row["duration_time_unix_nano"]));
      Attributes(TableKind::kSpanAttrs, row["id"], 9, out);
      out.add_uint64(10, Unsigned(row["dropped_attributes_count"]));
      for (const Row& event : Children(TableKind::kSpanEvents, row["id"])) {
        out.add_message(11, Message([&](pbf_writer& fields) {
                          fields.add_fixed64(1, Unsigned(event["time_unix_nano"]));
                          fields.add_string(2, TextOf(event["name"]));
                          Attributes(TableKind::kSpanEventAttrs, event["id"], 3, fields);
                          fields.add_uint64(4, Unsigned(event["dropped_attributes_count"]));
                        }));
      }
      out.add_uint64(12, Unsigned(row["dropped_events_count"]));
      for (const Row& link : Children(TableKind::kSpanLinks, row["id"])) {
        out.add_message(13, Message([&](pbf_writer& fields) {
                          fields.add_bytes(1, TextOf(link["trace_id"]));
                          fields.add_bytes(2, TextOf(link["span_id"]));
                          fields.add_string(3, TextOf(link["trace_state"]));
                          Attributes(TableKind::kSpanLinkAttrs, link["id"], 4, fields);
                          fields.add_uint64(5, Unsigned(link["dropped_attributes_count"]));
                          fields.add_fixed32(6, static_cast<uint32_t>(Unsigned(link["flags"])));
                        }));
      }
      out.add_uint64(14, Unsigned(row["dropped_links_count"]));
      const Row status = row.Struct("status");
      out.add_message(15, Message([&](pbf_writer& fields) {
                        fields.add_string(2, TextOf(status["status_message"]));
                        fields.add_int64(3, Signed(status["code"]));
                      }));
      out.add_fixed32(16, static_cast<uint32_t>(Unsigned(row["flags"])));
    });
  }

  std::string Metric(const Row& row) const {
    return Message([&](pbf_writer& out) {
      out.add_string(1, TextOf(row["name"]));
      out.add_string(2, TextOf(row["description"]));
      out.add_string(3, TextOf(row["unit"]));
      constexpr std::array<uint32_t, 6> kNumbers = {0, 5, 7, 9, 10, 11};
      if (const uint64_t type = Unsigned(row["metric_type"]); type != 0) {
        out.add_message(kNumbers.at(type), Data(row, type));
      }
      Attributes(TableKind::kMetricAttrs, row["id"], 12, out);
    });
  }

  std::string Data(const Row& metric, uint64_t type) const {
    constexpr std::array kTables = {
        TableKind::kNumberDataPoints,       TableKind::kNumberDataPoints,
        TableKind::kNumberDataPoints,       TableKind::kHistogramDataPoints,
        TableKind::kExpHistogramDataPoints, TableKind::kSummaryDataPoints};
    return Message([&](pbf_writer& out) {
      for (const Row& point : Children(kTables.at(type), metric["id"])) {
        out.add_message(1, type <= 2   ? Number(point)
                           : type == 3 ? Histogram(point)
                           : type == 4 ? ExpHistogram(point)
                                       : Summary(point));
      }
      if (type >= 2 && type <= 4) {
        out.add_int64(2, Signed(metric["aggregation_temporality"]));
      }
      if (type == 2 && !IsNull(metric["is_monotonic"])) {
        out.add_bool(3, std::get<bool>(metric["is_monotonic"]));
      }
    });
  }

  static void Times(const Row& point, pbf_writer& out) {
    out.add_fixed64(2, Unsigned(point["start_time_unix_nano"]));
    out.add_fixed64(3, Unsigned(point["time_unix_nano"]));
  }

  static void Optional(const Cell& cell, uint32_t number, pbf_writer& out) {
    if (!IsNull(cell)) {
      out.add_double(number, Real(cell));
    }
  }

  static void Value(const Row& row, uint32_t real, uint32_t integer, pbf_writer& out) {
    if (!IsNull(row["double_value"])) {
      out.add_double(real, Real(row["double_value"]));
    } else if (!IsNull(row["int_value"])) {
      out.add_sfixed64(integer, Signed(row["int_value"]));
    }
  }

  void Exemplars(TableKind kind, TableKind attributes, const Cell& point, uint32_t number,
                 pbf_writer& out) const {
    const auto id = [](const Cell& cell) {
      const std::string bytes = TextOf(cell);
      return bytes == std::string(bytes.size(), '\0') ? std::string() : bytes;
    };
    for (const Row& row : Children(kind, point)) {
      out.add_message(number, Message([&](pbf_writer& fields) {
                        fields.add_fixed64(2, Unsigned(row["time_unix_nano"]));
                        Value(row, 3, 6, fields);
                        fields.add_bytes(4, id(row["span_id"]));
                        fields.add_bytes(5, id(row["trace_id"]));
                        Attributes(attributes, row["id"], 7, fields);
                      }));
    }
  }

  std::string Number(const Row& point) const {
    return Message([&](pbf_writer& out) {
      Times(point, out);
      Value(point, 4, 6, out);
      Exemplars(TableKind::kNumberDpExemplars, TableKind::kNumberDpExemplarAttrs, point["id"], 5,
                out);
      Attributes(TableKind::kNumberDpAttrs, point["id"], 7, out);
      out.add_uint64(8, Unsigned(point["flags"]));
    });
  }

  std::string Histogram(const Row& point) const {
    return Message([&](pbf_writer& out) {
      Times(point, out);
      out.add_fixed64(4, Unsigned(point["count"]));
      Optional(point["sum"], 5, out);
      if (const auto* counts = std::get_if<std::vector<uint64_t>>(&point["bucket_counts"])) {
        for (const uint64_t count : *counts) {
          out.add_fixed64(6, count);
        }
      }
      if (const auto* bounds = std::get_if<std::vector<double>>(&point["explicit_bounds"])) {
        for (const double bound : *bounds) {
          out.add_double(7, bound);
        }
      }
      Exemplars(TableKind::kHistogramDpExemplars, TableKind::kHistogramDpExemplarAttrs, point["id"],
                8, out);
      Attributes(TableKind::kHistogramDpAttrs, point["id"], 9, out);
      out.add_uint64(10, Unsigned(point["flags"]));
      Optional(point["min"], 11, out);
      Optional(point["max"], 12, out);
    });
  }

  static std::string Buckets(const Row& buckets) {
    return Message([&](pbf_writer& out) {
      out.add_sint64(1, Signed(buckets["offset"]));
      const Cell& counts = buckets["bucket_counts"];
      if (const auto* values = std::get_if<std::vector<uint64_t>>(&counts)) {
        for (const uint64_t value : *values) {
          out.add_uint64(2, value);
        }
      }
    });
  }

  std::string ExpHistogram(const Row& point) const {
    return Message([&](pbf_writer& out) {
      Attributes(TableKind::kExpHistogramDpAttrs, point["id"], 1, out);
      Times(point, out);
      out.add_fixed64(4, Unsigned(point["count"]));
      Optional(point["sum"], 5, out);
      out.add_sint64(6, Signed(point["scale"]));
      out.add_fixed64(7, Unsigned(point["zero_count"]));
      out.add_message(8, Buckets(point.Struct("positive")));
      out.add_message(9, Buckets(point.Struct("negative")));
      out.add_uint64(10, Unsigned(point["flags"]));
      Exemplars(TableKind::kExpHistogramDpExemplars, TableKind::kExpHistogramDpExemplarAttrs,
                point["id"], 11, out);
      Optional(point["min"], 12, out);
      Optional(point["max"], 13, out);
      out.add_double(14, Real(point["zero_threshold"]));
    });
  }

  std::string Summary(const Row& point) const {
    return Message([&](pbf_writer& out) {
      Times(point, out);
      out.add_fixed64(4, Unsigned(point["count"]));
      out.add_double(5, Real(point["sum"]));
      const Cell& quantiles = point["quantile"];
      if (const auto* values = std::get_if<std::vector<testing::QuantileCell>>(&quantiles)) {
        for (const testing::QuantileCell& value : *values) {
          out.add_message(6, Message([&](pbf_writer& fields) {
                            fields.add_double(1, value.quantile);
                            fields.add_double(2, value.value);
                          }));
        }
      }
      Attributes(TableKind::kSummaryDpAttrs, point["id"], 7, out);
      out.add_uint64(8, Unsigned(point["flags"]));
    });
  }

  Signal signal_;
  std::map<TableKind, CellTable> tables_;
};

class RandomEncode : public ::testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    rng_.seed(static_cast<uint64_t>(GetParam()));
    RecordProperty("seed", GetParam());
    const Signal signal = otap::kAllSignals[static_cast<size_t>(GetParam()) % 3];
    batch_ = testing::RandomBatch(signal, {}, rng_);
  }

  Comparison CompareWithNaive(std::string_view request) const {
    ItemCounts counts(batch_->signal(), {});
    for (const std::string& expected : NaiveEncoder(*batch_).Requests()) {
      EXPECT_TRUE(counts.AddExpected(expected).ok());
    }
    EXPECT_TRUE(counts.AddActual(request).ok());
    return counts.Compare();
  }

  static std::string Describe(const Comparison& comparison) {
    return fmt::format("seed {}\n- {}\n+ {}", GetParam(),
                       fmt::join(comparison.missing_examples, "\n- "),
                       fmt::join(comparison.extra_examples, "\n+ "));
  }

  testing::RandomEngine rng_;
  otap::BatchPtr batch_;
};
INSTANTIATE_TEST_SUITE_P(Seeds, RandomEncode, ::testing::Range(1, 61));

TEST_P(RandomEncode, ProtobufHoldsWhatANaiveEncoderWrites) {
  EncodeStats stats;
  const Comparison comparison = CompareWithNaive(EncodeRequest(*batch_, &stats).ValueOrDie());
  EXPECT_TRUE(comparison.is_equal()) << Describe(comparison);
  EXPECT_EQ(stats.items, batch_->num_items());
  EXPECT_TRUE(stats.is_exact());
}

TEST_P(RandomEncode, JsonHoldsWhatProtobufHolds) {
  const std::string json = EncodeJson(*batch_).ValueOrDie();
  EXPECT_EQ(json.find('\n'), std::string::npos);
  const Comparison comparison =
      CompareWithNaive(RequestFromJson(batch_->signal(), json).ValueOrDie());
  EXPECT_TRUE(comparison.is_equal()) << Describe(comparison);
}

}  // namespace
}  // namespace df::otlp
