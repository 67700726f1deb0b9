// What the operations on batches cost: filter by an attribute beside a memcpy of the same columns,
// rename of a key for tables of growing size, and joining and dividing batches.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <arrow/api.h>
#include <arrow/compute/initialize.h>
#include <arrow/util/logging.h>
#include <fmt/format.h>

#include "base/error.h"
#include "otap/attribute_edit.h"
#include "otap/concat.h"
#include "otap/filter.h"
#include "otap/match.h"
#include "otap/split.h"

namespace {

using namespace df::otap;  // NOLINT: the program is about nothing else

constexpr int kAttributesPerLog = 8;

/// Best of many runs: what the code costs when nothing else disturbs it.
double BestSeconds(const std::function<void()>& run) {
  double best = 1e9;
  const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(700);
  while (std::chrono::steady_clock::now() < until) {
    const auto begin = std::chrono::steady_clock::now();
    run();
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
    best = std::min(best, taken.count());
  }
  return best;
}

std::shared_ptr<arrow::Array> Dictionary(const std::shared_ptr<arrow::Array>& keys,
                                         const std::vector<std::string>& entries) {
  arrow::StringBuilder builder;
  ARROW_CHECK_OK(builder.AppendValues(entries));
  return arrow::DictionaryArray::FromArrays(arrow::dictionary(keys->type(), arrow::utf8()), keys,
                                            builder.Finish().ValueOrDie())
      .ValueOrDie();
}

/// Log records with eight attributes each: dictionary keys, text and integer values. The attribute
/// "http.route" has twenty values.
BatchPtr MakeLogs(int64_t num_logs) {
  std::mt19937_64 rng(7);
  arrow::UInt16Builder ids;
  arrow::UInt16Builder parents;
  arrow::UInt8Builder keys;
  arrow::UInt8Builder types;
  arrow::UInt16Builder texts;
  arrow::Int64Builder integers;
  std::vector<std::string> key_entries;
  std::vector<std::string> text_entries;
  for (int i = 0; i < kAttributesPerLog; ++i) {
    key_entries.push_back(i == 0 ? "http.route" : fmt::format("attribute.key.{}", i));
  }
  for (int i = 0; i < 2000; ++i) {
    text_entries.push_back(fmt::format("/value/of/an/attribute/{}", i));
  }
  for (int64_t log = 0; log < num_logs; ++log) {
    ARROW_CHECK_OK(ids.Append(static_cast<uint16_t>(log)));
    for (int i = 0; i < kAttributesPerLog; ++i) {
      ARROW_CHECK_OK(parents.Append(static_cast<uint16_t>(log)));
      ARROW_CHECK_OK(keys.Append(static_cast<uint8_t>(i)));
      const bool is_text = i < 6;
      ARROW_CHECK_OK(types.Append(is_text ? 1 : 2));
      ARROW_CHECK_OK(is_text ? texts.Append(static_cast<uint16_t>(rng() % (i == 0 ? 20 : 2000)))
                             : texts.AppendNull());
      ARROW_CHECK_OK(is_text ? integers.AppendNull()
                             : integers.Append(static_cast<int64_t>(rng() % 100'000)));
    }
  }
  auto id_array = ids.Finish().ValueOrDie();
  const arrow::ArrayVector columns = {
      parents.Finish().ValueOrDie(), Dictionary(keys.Finish().ValueOrDie(), key_entries),
      types.Finish().ValueOrDie(), Dictionary(texts.Finish().ValueOrDie(), text_entries),
      integers.Finish().ValueOrDie()};
  arrow::FieldVector fields;
  for (size_t i = 0; i < columns.size(); ++i) {
    const std::vector<std::string> names = {"parent_id", "key", "type", "str", "int"};
    fields.push_back(arrow::field(names[i], columns[i]->type()));
  }
  BatchBuilder batch(Signal::kLogs);
  ARROW_CHECK_OK(
      batch.Set(TableKind::kLogs,
                arrow::RecordBatch::Make(arrow::schema({arrow::field("id", arrow::uint16())}),
                                         num_logs, {std::move(id_array)})));
  ARROW_CHECK_OK(batch.Set(TableKind::kLogAttrs,
                           arrow::RecordBatch::Make(arrow::schema(std::move(fields)),
                                                    num_logs * kAttributesPerLog, columns)));
  return batch.Build();
}

/// Bytes of the values and validity of a table's rows, dictionaries left out.
void CopyColumns(const arrow::RecordBatch& table, std::vector<std::vector<uint8_t>>* copies) {
  copies->resize(static_cast<size_t>(table.num_columns()) * 2);
  size_t next = 0;
  for (int i = 0; i < table.num_columns(); ++i) {
    for (const auto& buffer : table.column_data(i)->buffers) {
      if (buffer != nullptr && next < copies->size()) {
        std::vector<uint8_t>& copy = (*copies)[next++];
        copy.resize(static_cast<size_t>(buffer->size()));
        std::memcpy(copy.data(), buffer->data(), copy.size());
      }
    }
  }
}

void BenchFilter(int64_t num_logs) {
  const BatchPtr batch = MakeLogs(num_logs);
  const arrow::RecordBatch& attributes = *batch->table(TableKind::kLogAttrs);
  const auto rows = static_cast<double>(attributes.num_rows());
  std::vector<std::vector<uint8_t>> copies;
  const double copy = BestSeconds([&] { CopyColumns(attributes, &copies); });
  const AttributePredicate one_of_twenty = {
      "http.route", ValueMatcher(AttributeValue(std::string("/value/of/an/attribute/3")))};
  const AttributePredicate pattern = {"http.route",
                                      ValueMatcher(Pattern::Compile("/3$").ValueOrDie())};
  int64_t kept_items = 0;
  const auto filter = [&](const AttributePredicate& predicate) {
    const RowSet kept =
        RowsWithIds(*batch->root()->GetColumnByName("id"),
                    ParentsWithAttribute(batch->table(TableKind::kLogAttrs), predicate));
    kept_items = FilterRoots(batch, kept).ValueOrDie()->num_items();
  };
  const double match =
      BestSeconds([&] { ParentsWithAttribute(batch->table(TableKind::kLogAttrs), one_of_twenty); });
  const double strict = BestSeconds([&] { filter(one_of_twenty); });
  const double regexp = BestSeconds([&] { filter(pattern); });
  const auto print = [&](const char* what, double seconds) {
    fmt::print("  {:<34} {:8.1f} M rows/s   {:5.2f} x memcpy\n", what, rows / seconds / 1e6,
               seconds / copy);
  };
  fmt::print("filter by an attribute, {} attribute rows, {:.1f} % dropped (must: >= 50 M rows/s)\n",
             attributes.num_rows(),
             100.0 * (1 - static_cast<double>(kept_items) / static_cast<double>(num_logs)));
  print("memcpy of the attribute columns", copy);
  print("match only", match);
  print("match and filter, strict", strict);
  print("match and filter, regexp", regexp);
}

void BenchRename() {
  fmt::print("rename of an attribute key, dictionary keys (must: independent of rows)\n");
  AttributeAction action;
  action.kind = AttributeActionKind::kRename;
  action.key = "http.route";
  action.new_key = "url.template";
  for (const int64_t num_logs : {1'000, 8'000, 64'000}) {
    const BatchPtr batch = MakeLogs(num_logs);
    const auto& table = batch->table(TableKind::kLogAttrs);
    std::vector<std::vector<uint8_t>> copies;
    const double copy = BestSeconds([&] { CopyColumns(*table, &copies); });
    const auto rename = [&](AttributeCounts* counts) {
      return BestSeconds([&] {
        ARROW_CHECK_OK(
            EditAttributeTable(TableKind::kLogAttrs, table, {}, action, counts).status());
      });
    };
    AttributeCounts counts{};
    const double plain = rename(nullptr);
    const double counted = rename(&counts);
    fmt::print("  {:>7} rows {:10.2f} us   {:6.3f} x memcpy;   with its rows counted {:8.2f} us\n",
               table->num_rows(), plain * 1e6, plain / copy, counted * 1e6);
  }
}

void BenchConcatAndSplit() {
  const std::vector<BatchPtr> small(8, MakeLogs(1'000));
  const BatchPtr large = Concat(small).ValueOrDie();
  const auto rows = static_cast<double>(large->table(TableKind::kLogAttrs)->num_rows());
  std::vector<std::vector<uint8_t>> copies;
  const double copy =
      BestSeconds([&] { CopyColumns(*large->table(TableKind::kLogAttrs), &copies); });
  const double concat = BestSeconds([&] { ARROW_CHECK_OK(Concat(small).status()); });
  const double split = BestSeconds([&] { ARROW_CHECK_OK(Split(large, 1'000).status()); });
  fmt::print("8 batches of 1000 log records as one, and back\n");
  fmt::print("  concat {:8.1f} M attribute rows/s   {:5.2f} x memcpy\n", rows / concat / 1e6,
             concat / copy);
  fmt::print("  split  {:8.1f} M attribute rows/s   {:5.2f} x memcpy\n", rows / split / 1e6,
             split / copy);
}

}  // namespace

int main() {
  ARROW_CHECK_OK(arrow::compute::Initialize());
  BenchFilter(8'192);
  BenchFilter(60'000);
  BenchRename();
  BenchConcatAndSplit();
  return 0;
}
