// Every column of every table, rewritten one at a time as other writers leave them: what comes out
// is exact or named, there is no third.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <arrow/api.h>
#include <arrow/io/file.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <parquet/arrow/writer.h>

#include "testing/lake_writer.h"
#include "testing/naive_join.h"
#include "testing/random_batch.h"
#include "testing/table_rewrites.h"
#include "testing/tree_replay.h"

namespace df::lake {
namespace {

namespace fs = std::filesystem;
using df::testing::CanonicalRecords;
using df::testing::ReplaceColumn;

using Records = std::vector<std::string>;

/// How a file is written again.
struct FileForm {
  bool dictionary = true;
  std::optional<parquet::Encoding::type> encoding;
  bool page_v2 = false;
  bool stored_schema = true;
};

/// One rewritten file and what may come out.
struct Rewrite {
  std::string what;
  std::shared_ptr<arrow::RecordBatch> file;
  /// The table as the file means it, with the model's types; null when only naming is right.
  std::shared_ptr<arrow::RecordBatch> meaning;
  bool must_be_named = false;  ///< in a notice at least
  bool is_id = false;          ///< rows of other tables lose their parents, and are named
  FileForm form;
};

/// A small tree of all tables, with one file each and values in every column.
class Tree {
 public:
  Tree() {
    df::testing::RandomEngine random(20'260'801);
    df::testing::RandomBatchOptions shape;
    shape.root_rows = 9;
    shape.missing_column = 0;
    shape.dictionary = 0;
    shape.without_attributes = 0.1;
    shape.without_children = 0.1;
    shape.valueless_exemplars = false;
    std::vector<otap::BatchPtr> batches;
    for (const otap::Signal signal : otap::kAllSignals) {
      batches.push_back(df::testing::RandomBatch(signal, shape, random));
    }
    df::testing::LakeWriterOptions layout;
    layout.layout = df::testing::LakeLayout::kOwn;
    layout.partition_levels = 0;
    layout.dictionary = df::testing::DictionaryForm::kNone;
    const auto written = df::testing::WriteLake(folder_.path(), batches, layout, 7).ValueOrDie();
    for (const auto& file : written.files) {
      paths_[file.table] = folder_.path() / file.path;
      tables_[file.table] = Read(file.table);
    }
    for (const otap::BatchPtr& batch : df::testing::ReadLakeNaively(folder_.path()).ValueOrDie()) {
      naive_[static_cast<size_t>(batch->signal())] = batch;
    }
  }

  const std::map<otap::TableKind, std::shared_ptr<arrow::RecordBatch>>& tables() const {
    return tables_;
  }

  /// Writes one file again, replays one signal, and puts the file back.
  df::testing::Replayed Replay(otap::TableKind kind, otap::Signal signal, const Rewrite& rewrite) {
    const fs::path& path = paths_.at(kind);
    const std::string before = Bytes(path);
    EXPECT_TRUE(Write(path, *rewrite.file, rewrite.form).ok()) << rewrite.what;
    ReadOptions options;
    options.signals = {signal};
    auto replayed = df::testing::ReplayTree(folder_.path(), options);
    std::ofstream(path, std::ios::binary) << before;
    return replayed;
  }

  /// Returns the records of a signal with another content of one table.
  Records Answer(otap::TableKind kind, otap::Signal signal,
                 const std::shared_ptr<arrow::RecordBatch>& content) const {
    otap::BatchBuilder builder(signal);
    const otap::Batch& whole = *naive_[static_cast<size_t>(signal)];
    for (const otap::TableInfo& table : otap::AllTables()) {
      auto records = table.kind == kind ? content : whole.table(table.kind);
      if (records != nullptr) {
        EXPECT_TRUE(builder.Set(table.kind, std::move(records)).ok());
      }
    }
    return CanonicalRecords({builder.Build()});
  }

 private:
  std::shared_ptr<arrow::RecordBatch> Read(otap::TableKind kind) const {
    return df::testing::ReadTable(paths_.at(kind).string()).ValueOrDie();
  }

  static std::string Bytes(const fs::path& path) {
    std::ifstream stream(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
  }

  static Status Write(const fs::path& path, const arrow::RecordBatch& batch, const FileForm& form) {
    parquet::WriterProperties::Builder properties;
    properties.data_page_version(form.page_v2 ? parquet::ParquetDataPageVersion::V2
                                              : parquet::ParquetDataPageVersion::V1);
    if (!form.dictionary) {
      properties.disable_dictionary();
    }
    if (form.encoding.has_value()) {
      properties.encoding(*form.encoding);
    }
    parquet::ArrowWriterProperties::Builder arrow_properties;
    if (form.stored_schema) {
      arrow_properties.store_schema();
    }
    ARROW_ASSIGN_OR_RAISE(const auto table, arrow::Table::FromRecordBatches({batch.Slice(0)}));
    ARROW_ASSIGN_OR_RAISE(const auto sink, arrow::io::FileOutputStream::Open(path.string()));
    ARROW_ASSIGN_OR_RAISE(auto writer, parquet::arrow::FileWriter::Open(
                                           *table->schema(), arrow::default_memory_pool(), sink,
                                           properties.build(), arrow_properties.build()));
    ARROW_RETURN_NOT_OK(writer->WriteTable(*table));
    ARROW_RETURN_NOT_OK(writer->AddKeyValueMetadata(
        arrow::key_value_metadata({"otap.format_version", "otap.id_scope"}, {"1", "partition"})));
    ARROW_RETURN_NOT_OK(writer->Close());
    return sink->Close();
  }

  df::testing::TemporaryFolder folder_;
  std::map<otap::TableKind, fs::path> paths_;
  std::map<otap::TableKind, std::shared_ptr<arrow::RecordBatch>> tables_;
  std::array<otap::BatchPtr, otap::kAllSignals.size()> naive_;
};

Tree& SharedTree() {
  static Tree tree;
  return tree;
}

/// Tells whether anything that was said names the table.
bool IsNamed(const ProblemList& list, std::string_view table) {
  return std::any_of(list.begin(), list.end(), [&](const Problem& problem) {
    return problem.message.find(fmt::format("table={}", table)) != std::string::npos;
  });
}

std::string Said(const ReadReport& report) {
  std::string text;
  for (const Problem& problem : report.problems) {
    text += "\n  problem: " + problem.message;
  }
  for (const Problem& notice : report.notices) {
    text += "\n  notice: " + notice.message;
  }
  return text;
}

class ColumnRewrites : public ::testing::TestWithParam<otap::TableKind> {
 protected:
  const otap::TableInfo& info() const { return otap::GetTable(GetParam()); }
  const arrow::RecordBatch& table() const { return *SharedTree().tables().at(GetParam()); }

  /// The first signal whose records the table is part of.
  otap::Signal signal() const {
    return *std::find_if(otap::kAllSignals.begin(), otap::kAllSignals.end(),
                         [&](otap::Signal s) { return info().has_signal(s); });
  }

  void Check(const Rewrite& rewrite) {
    const auto replayed = SharedTree().Replay(GetParam(), signal(), rewrite);
    ++num_checked_;
    const bool is_named = rewrite.is_id ? !replayed.report.problems.empty()
                                        : IsNamed(replayed.report.problems, info().directory);
    if (is_named) {
      return;
    }
    if (rewrite.meaning == nullptr) {
      ADD_FAILURE() << rewrite.what << " was neither refused nor named" << Said(replayed.report);
      return;
    }
    if (rewrite.must_be_named && !IsNamed(replayed.report.notices, info().directory)) {
      ADD_FAILURE() << rewrite.what << " was not named" << Said(replayed.report);
    }
    const Records wanted = SharedTree().Answer(GetParam(), signal(), rewrite.meaning);
    const Records found = CanonicalRecords(replayed.batches);
    EXPECT_EQ(wanted, found) << rewrite.what << df::testing::DescribeDifference(wanted, found, 2)
                             << Said(replayed.report);
  }

  std::shared_ptr<arrow::RecordBatch> With(const std::string& path, const std::string& name,
                                           const std::shared_ptr<arrow::Array>& column) const {
    return ReplaceColumn(table(), path, name, column).ValueOrDie();
  }

  std::shared_ptr<arrow::Array> Nulls(const arrow::DataType& type) const {
    return arrow::MakeArrayOfNull(type.GetSharedPtr(), table().num_rows()).ValueOrDie();
  }

  std::shared_ptr<arrow::Array> Falses() const {
    return arrow::MakeArrayFromScalar(arrow::BooleanScalar(false), table().num_rows()).ValueOrDie();
  }

  /// Children lose their parents with these, which the table of either may tell.
  static bool IsId(const std::string& path) {
    return path == "id" || path.ends_with(".id") || path == "parent_id";
  }

  static inline int num_checked_ = 0;
};

std::string LastName(const std::string& path) { return path.substr(path.rfind('.') + 1); }

TEST_P(ColumnRewrites, DroppedNulledAndRenamedColumnsAreAsNullOrNamed) {
  for (const std::string& path : df::testing::ColumnPaths(*table().schema())) {
    SCOPED_TRACE(path);
    const auto column = df::testing::ColumnAt(table(), path).ValueOrDie();
    const auto nulled = With(path, LastName(path), Nulls(*column->type()));
    const auto meaning = IsId(path) ? nullptr : nulled;
    // Without its column a boolean is false, and one that is null is empty.
    const auto missing = LastName(path) == "bool" ? With(path, "bool", Falses()) : meaning;
    Check({"dropped " + path, With(path, "", nullptr), missing, false, IsId(path), {}});
    Check({"nulled " + path, nulled, meaning, false, IsId(path), {}});
    Check({"typed null " + path,
           With(path, LastName(path), Nulls(*arrow::null())),
           meaning,
           false,
           IsId(path),
           {}});
    std::string upper = LastName(path);
    std::transform(upper.begin(), upper.end(), upper.begin(), ::toupper);
    std::string camel;
    for (const char c : LastName(path)) {
      camel += !camel.empty() && camel.back() == '_' ? static_cast<char>(::toupper(c)) : c;
    }
    std::erase(camel, '_');
    const bool is_null = column->null_count() == column->length();
    for (const std::string& name : {upper, camel}) {
      if (name != LastName(path)) {
        Check({path + " named " + name,
               With(path, name, column),
               is_null ? nulled : nullptr,
               false,
               false,
               {}});
      }
    }
    Check({path + " named renamed_1",
           With(path, "renamed_1", column),
           missing,
           true,
           IsId(path),
           {}});
  }
}

TEST_P(ColumnRewrites, ColumnsOfOtherTypesAreExactOrNamed) {
  const auto types = df::testing::RewriteTypes();
  size_t next = static_cast<size_t>(GetParam());
  for (const std::string& path : df::testing::ColumnPaths(*table().schema())) {
    SCOPED_TRACE(path);
    const auto column = df::testing::ColumnAt(table(), path).ValueOrDie();
    // A share of the types for each column: over all tables every type meets every kind of column.
    for (size_t i = 0; i < types.size(); i += 6) {
      const auto& type = types[next++ % types.size()];
      const auto retyped = df::testing::Retype(column, type);
      if (!retyped.ok()) {
        ADD_FAILURE() << path << " as " << type->ToString() << ": " << retyped.status();
        continue;
      }
      const bool is_null = retyped->column->null_count() == retyped->column->length();
      const auto meaning = is_null ? Nulls(*column->type()) : retyped->meaning;
      Check({fmt::format("{} as {}", path, type->ToString()),
             With(path, LastName(path), retyped->column),
             meaning == nullptr ? nullptr : With(path, LastName(path), meaning),
             false,
             IsId(path),
             {}});
    }
  }
}

TEST_P(ColumnRewrites, OtherEncodingsAndOrdersAreExact) {
  using parquet::Encoding;
  const auto whole = table().Slice(0);
  std::vector<FileForm> forms = {{.dictionary = false},
                                 {.page_v2 = true},
                                 {.stored_schema = false},
                                 {.dictionary = false, .page_v2 = true, .stored_schema = false}};
  for (const FileForm& form : forms) {
    Check({"written again", whole, whole, false, false, form});
  }
  std::vector<int> order(static_cast<size_t>(whole->num_columns()));
  for (size_t i = 0; i < order.size(); ++i) {
    order[i] = static_cast<int>(order.size() - 1 - i);
  }
  Check({"reversed columns", whole->SelectColumns(order).ValueOrDie(), whole, false, false, {}});
}

/// Tables whose schemas differ; of tables with the same schema one is tried.
INSTANTIATE_TEST_SUITE_P(
    Tables, ColumnRewrites,
    ::testing::Values(otap::TableKind::kResourceAttrs, otap::TableKind::kLogs,
                      otap::TableKind::kLogAttrs, otap::TableKind::kSpans,
                      otap::TableKind::kSpanEvents, otap::TableKind::kSpanLinks,
                      otap::TableKind::kUnivariateMetrics, otap::TableKind::kNumberDataPoints,
                      otap::TableKind::kSummaryDataPoints, otap::TableKind::kHistogramDataPoints,
                      otap::TableKind::kExpHistogramDataPoints,
                      otap::TableKind::kHistogramDpExemplars),
    [](const auto& param) { return std::string(otap::GetTable(param.param).directory); });

}  // namespace
}  // namespace df::lake
