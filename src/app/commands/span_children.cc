#include "app/commands/span_children.h"

#include <array>

#include <arrow/api.h>
#include <fmt/format.h>

#include "app/commands/moment.h"
#include "app/commands/value_json.h"
#include "otap/any_value.h"
#include "otap/rows.h"
#include "select/attribute_source.h"
#include "select/value.h"

namespace df::app {
namespace {

using arrow::internal::checked_cast;
using select::Value;

/// The number of an id column of either width, or nothing.
std::optional<uint32_t> IdAt(const arrow::Array* ids, int64_t row) {
  if (ids == nullptr || ids->IsNull(row)) {
    return std::nullopt;
  }
  return ids->type_id() == arrow::Type::UINT16
             ? checked_cast<const arrow::UInt16Array&>(*ids).Value(row)
             : checked_cast<const arrow::UInt32Array&>(*ids).Value(row);
}

std::string TextAt(const std::shared_ptr<arrow::RecordBatch>& rows, std::string_view name,
                   int64_t row) {
  return std::string(otap::BytesColumn(otap::FindArray(rows, name)).At(row));
}

/// The bytes of an id in hexadecimal, of a plain or dictionary column.
std::string HexAt(const std::shared_ptr<arrow::RecordBatch>& rows, std::string_view name,
                  int64_t row) {
  std::shared_ptr<arrow::Array> array = otap::FindArray(rows, name);
  if (array == nullptr || array->IsNull(row)) {
    return "";
  }
  if (array->type_id() == arrow::Type::DICTIONARY) {
    const auto& codes = checked_cast<const arrow::DictionaryArray&>(*array);
    row = codes.GetValueIndex(row);
    array = codes.dictionary();
  }
  return select::ToHex(checked_cast<const arrow::FixedSizeBinaryArray&>(*array).GetView(row));
}

int64_t TimeAt(const std::shared_ptr<arrow::RecordBatch>& rows, int64_t row) {
  const auto times = otap::FindArray(rows, "time_unix_nano");
  return times == nullptr || times->IsNull(row)
             ? 0
             : checked_cast<const arrow::TimestampArray&>(*times).Value(row);
}

void AppendField(std::string_view name, const Value& value, std::string* json) {
  const select::Map* map = value.map();
  const auto* text = value.As<select::Text>();
  if (value.is_nil() || (map != nullptr && map->empty()) ||
      (text != nullptr && text->view().empty())) {
    return;
  }
  *json += fmt::format("{}\"{}\":", json->size() == 1 ? "" : ",", name);
  AppendJson(value, json);
}

}  // namespace

SpanChildren::Table SpanChildren::MakeTable(const otap::Batch& batch, otap::TableKind kind,
                                            otap::TableKind attributes) {
  Table table;
  table.rows = batch.table(kind);
  if (table.rows == nullptr) {
    return table;
  }
  const auto parents = otap::FindArray(table.rows, "parent_id");
  for (int64_t row = 0; row < table.rows->num_rows(); ++row) {
    if (const auto parent = IdAt(parents.get(), row)) {
      table.by_parent[*parent].push_back(row);
    }
  }
  table.attributes =
      select::MakeAttributeSource(otap::FindArray(table.rows, "id"), batch.table(attributes), {});
  return table;
}

SpanChildren::SpanChildren(const otap::Batch& batch)
    : ids_(otap::FindArray(batch.root(), "id")),
      events_(MakeTable(batch, otap::TableKind::kSpanEvents, otap::TableKind::kSpanEventAttrs)),
      links_(MakeTable(batch, otap::TableKind::kSpanLinks, otap::TableKind::kSpanLinkAttrs)) {}
SpanChildren::~SpanChildren() = default;

const std::vector<int64_t>* SpanChildren::RowsOf(const Table& table, int64_t row) const {
  const auto id = IdAt(ids_.get(), row);
  if (!id.has_value()) {
    return nullptr;
  }
  const auto found = table.by_parent.find(*id);
  return found == table.by_parent.end() ? nullptr : &found->second;
}

std::string SpanChildren::EventJson(int64_t row) const {
  std::string json = "{";
  if (const int64_t time = TimeAt(events_.rows, row); time != 0) {
    AppendField("time", Value{select::Time{time}}, &json);
  }
  AppendField("name", select::MakeText(TextAt(events_.rows, "name", row)), &json);
  AppendField("attributes", events_.attributes->At(row), &json);
  return json + "}";
}

std::string SpanChildren::LinkJson(int64_t row) const {
  std::string json = "{";
  for (const std::string_view name : {"trace_id", "span_id"}) {
    AppendField(name, select::MakeText(HexAt(links_.rows, name, row)), &json);
  }
  AppendField("trace_state", select::MakeText(TextAt(links_.rows, "trace_state", row)), &json);
  AppendField("attributes", links_.attributes->At(row), &json);
  return json + "}";
}

template <typename Write>
std::string SpanChildren::ListOf(const Table& table, int64_t row, const Write& write) const {
  const std::vector<int64_t>* rows = RowsOf(table, row);
  if (rows == nullptr) {
    return "";
  }
  std::string json = "[";
  for (size_t i = 0; i < rows->size(); ++i) {
    json += (i == 0 ? "" : ",") + write((*rows)[i]);
  }
  return json + ']';
}

std::string SpanChildren::EventsOf(int64_t row) const {
  return ListOf(events_, row, [this](int64_t event) { return EventJson(event); });
}

std::string SpanChildren::LinksOf(int64_t row) const {
  return ListOf(links_, row, [this](int64_t link) { return LinkJson(link); });
}

void SpanChildren::AppendJsonOf(int64_t row, std::string* json) const {
  if (const std::string events = EventsOf(row); !events.empty()) {
    *json += ",\"events\":" + events;
  }
  if (const std::string links = LinksOf(row); !links.empty()) {
    *json += ",\"links\":" + links;
  }
}

void SpanChildren::AppendLinesOf(int64_t row, std::string* text) const {
  if (const auto* rows = RowsOf(events_, row); rows != nullptr) {
    for (const int64_t event : *rows) {
      const int64_t time = TimeAt(events_.rows, event);
      *text += "    event " + (time == 0 ? std::string("(no time)") : ShowMoment(time)) + "  ";
      AppendLine(TextAt(events_.rows, "name", event), text);
      if (const Value attributes = events_.attributes->At(event);
          attributes.map() != nullptr && !attributes.map()->empty()) {
        *text += "  ";
        AppendPlain(attributes, text);
      }
      *text += '\n';
    }
  }
  if (const auto* rows = RowsOf(links_, row); rows != nullptr) {
    for (const int64_t link : *rows) {
      *text += fmt::format("    link to trace {} span {}\n", HexAt(links_.rows, "trace_id", link),
                           HexAt(links_.rows, "span_id", link));
    }
  }
}

}  // namespace df::app
