#include "lake/resources/resource_joins.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <random>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>

namespace df::lake {
namespace {

// The exporter's rule, written down once more and as plainly as possible (format reference 3.6).

struct Row {
  int64_t id = -1;  // -1 = null
  int64_t resource = -1;
  int64_t scope = -1;
  size_t batch = 0;
  uint32_t true_resource = 0;  ///< nested ids that the batch gave, whatever is null in the row
  uint32_t true_scope = 0;
};

struct AttributeRow {
  uint32_t parent = 0;
  uint8_t type = 1;
  std::string key;
  size_t batch = 0;
  uint32_t nested = 0;
  size_t number = 0;  ///< identity
};

struct Batch {
  int signal = 0;
  std::vector<Row> rows;
  std::vector<AttributeRow> attributes[2];
  int64_t largest_other_id = -1;  ///< of events, links and points
  int64_t largest_id = 0;         ///< that the exporter saw
};

struct Shape {
  double bare_resource = 0.2;
  double bare_scope = 0.5;
  double empty_group = 0.1;  ///< resources and scopes without rows
  double null_log_id = 0.3;
  double null_nested = 0.02;  ///< rows with a null struct
  double filtered = 0.0;      ///< rows removed
  double by_key = 0.3;        ///< batches whose attribute rows stand by key
  int most_resources = 4;
  int most_scopes = 3;
  int most_rows = 6;
  int most_other_ids = 0;
  int batches = 8;
  int signals = 3;
  int most_batches_per_file = 8;
  int most_rows_per_file = 0;  ///< files of another writer, cut anywhere; 0 = the exporter's own
  bool shares_scopes = false;  ///< scopes of one number are one, whatever the resource
};

class Exporter {
 public:
  Exporter(const Shape& shape, uint32_t seed) : shape_(shape), random_(seed) {
    while (batches_.size() < static_cast<size_t>(shape.batches)) {
      Batch batch = MakeBatch();
      if (!batch.rows.empty()) {  // a request without records is not exported
        Filter(&batch);
        DropWhatLeavesNoTrace(&batch);
        batches_.push_back(std::move(batch));
      }
    }
    CutFiles();
    MakeHiddenBatchesWhole();
    Write();
  }

  bool Chance(double share) { return std::uniform_real_distribution<>(0, 1)(random_) < share; }
  int UpTo(int most) { return static_cast<int>(random_() % static_cast<uint32_t>(most)) + 1; }

  struct File {
    bool starts_batch = true;
    std::vector<Row> rows;
  };
  std::vector<std::vector<File>> files = std::vector<std::vector<File>>(3);
  std::vector<std::vector<AttributeRow>> attributes[2];  ///< by file

 private:
  Batch MakeBatch() {
    Batch batch;
    batch.signal = static_cast<int>(random_() % static_cast<uint32_t>(shape_.signals));
    int64_t next_id = 0;
    uint32_t scope_id = 0;
    std::set<uint32_t> known_scopes;
    const int resources = UpTo(shape_.most_resources);
    for (int r = 0; r < resources; ++r) {
      const bool null_resource = Chance(shape_.null_nested);
      AddAttributes(&batch, 0, static_cast<uint32_t>(r),
                    null_resource || Chance(shape_.bare_resource) ? 0 : UpTo(2));
      const int scopes = UpTo(shape_.most_scopes);
      const bool is_empty = Chance(shape_.empty_group);
      for (int s = 0; s < scopes; ++s, ++scope_id) {
        const bool null_scope = Chance(shape_.null_nested);
        scope_id = shape_.shares_scopes ? static_cast<uint32_t>(s) : scope_id;
        if (known_scopes.insert(scope_id).second) {
          AddAttributes(&batch, 1, scope_id, null_scope || Chance(shape_.bare_scope) ? 0 : UpTo(2));
        }
        const int rows = is_empty || Chance(shape_.empty_group) ? 0 : UpTo(shape_.most_rows);
        for (int i = 0; i < rows; ++i) {
          Row row{.true_resource = static_cast<uint32_t>(r), .true_scope = scope_id};
          row.id = batch.signal == 0 && Chance(shape_.null_log_id) ? -1 : next_id++;
          row.resource = null_resource ? -1 : r;
          row.scope = null_scope ? -1 : int64_t{scope_id};
          batch.rows.push_back(row);
        }
      }
    }
    if (batch.signal != 0 && shape_.most_other_ids > 0) {
      batch.largest_other_id = UpTo(shape_.most_other_ids) - 1;
    }
    if (Chance(shape_.by_key)) {
      for (auto& rows : batch.attributes) {
        std::stable_sort(
            rows.begin(), rows.end(), [](const AttributeRow& a, const AttributeRow& b) {
              return std::tie(a.type, a.key, a.nested) < std::tie(b.type, b.key, b.nested);
            });
      }
    }
    return batch;
  }

  void AddAttributes(Batch* batch, int table, uint32_t nested, int count) {
    for (int i = 0; i < count; ++i) {
      batch->attributes[table].push_back(
          {.type = static_cast<uint8_t>(1 + random_() % 2),
           .key = std::string(1, static_cast<char>('a' + random_() % 4)),
           .nested = nested});
    }
  }

  static int64_t LargestId(const Batch& batch) {
    int64_t largest = std::max<int64_t>(batch.largest_other_id, 0);
    for (const Row& row : batch.rows) {
      largest = std::max(largest, row.id);
    }
    return largest;
  }

  /// Rows go before the export or after it, with the attributes that nobody refers to any more or
  /// without.
  void Filter(Batch* batch) {
    batch->largest_id = LargestId(*batch);
    if (shape_.filtered <= 0 || Chance(0.5)) {
      return;
    }
    const int64_t first_id = FirstId(*batch);
    std::erase_if(batch->rows, [&](const Row&) { return Chance(shape_.filtered); });
    if (Chance(0.5)) {
      batch->largest_id = LargestId(*batch);
    }
    if (FirstId(*batch) != first_id) {
      MakeWhole(batch);
    }
    if (Chance(0.5)) {
      for (int table = 0; table < 2; ++table) {
        std::erase_if(batch->attributes[table], [&](const AttributeRow& attribute) {
          return std::none_of(batch->rows.begin(), batch->rows.end(), [&](const Row& row) {
            return (table == 0 ? row.true_resource : row.true_scope) == attribute.nested;
          });
        });
      }
    }
  }

  static int64_t FirstId(const Batch& batch) {
    for (const Row& row : batch.rows) {
      if (row.id >= 0) {
        return row.id;
      }
    }
    return -1;
  }

  /// Attributes of resources and scopes without rows that stand past all ids of their batch look
  /// like those of the batches behind it (docs/decisions/0007).
  static void DropWhatLeavesNoTrace(Batch* batch) {
    for (int table = 0; table < 2; ++table) {
      int64_t largest = batch->largest_id;
      for (const Row& row : batch->rows) {
        largest = std::max(largest, table == 0 ? row.resource : row.scope);
      }
      std::erase_if(batch->attributes[table],
                    [&](const AttributeRow& row) { return row.nested > largest; });
    }
  }

  void CutFiles() {
    std::vector<size_t> room(3, 0);
    file_of_.assign(batches_.size(), 0);
    std::vector<size_t> count(3, 0);
    for (size_t i = 0; i < batches_.size(); ++i) {
      const auto signal = static_cast<size_t>(batches_[i].signal);
      if (count[signal] == 0 ||
          (shape_.most_rows_per_file == 0 && (room[signal] == 0 || StartsUnseenPastZero(i)))) {
        ++count[signal];
        room[signal] = static_cast<size_t>(UpTo(shape_.most_batches_per_file));
      }
      --room[signal];
      file_of_[i] = count[signal] - 1;
    }
  }

  /// A batch without rows of its first resource or scope, behind one that ends with no higher ones:
  /// nothing tells the two from one batch (docs/decisions/0007).
  bool StartsUnseenPastZero(size_t batch) const {
    const auto& rows = batches_[batch].rows;
    if (rows.empty() || (rows.front().true_resource == 0 && rows.front().true_scope == 0)) {
      return false;
    }
    for (size_t before = batch; before-- > 0;) {
      if (batches_[before].signal == batches_[batch].signal && !batches_[before].rows.empty()) {
        return !IsVisible(before, batch);
      }
    }
    return false;
  }

  /// What the reader has to assume: a batch that starts where no root row shows it has attributes
  /// on every resource, and so has the one that it follows.
  void MakeHiddenBatchesWhole() {
    for (int signal = 0; signal < 3; ++signal) {
      std::optional<size_t> before;
      std::vector<bool> is_hidden(batches_.size(), false);
      for (size_t i = 0; i < batches_.size(); ++i) {
        if (batches_[i].signal != signal || batches_[i].rows.empty()) {
          continue;
        }
        if (before.has_value() && file_of_[*before] == file_of_[i] && !IsVisible(*before, i)) {
          MakeWhole(&batches_[*before]);
          MakeWhole(&batches_[i]);
        }
        before = i;
      }
    }
  }

  bool IsVisible(size_t before, size_t batch) const {
    const auto steps_back = [&](int64_t Row::* id) {
      int64_t last = -1;
      for (const Row& row : batches_[before].rows) {
        last = row.*id >= 0 ? row.*id : last;
      }
      const int64_t first = batches_[batch].rows.front().*id;
      return first >= 0 && first < last;
    };
    return steps_back(&Row::resource) || steps_back(&Row::scope);
  }

  void MakeWhole(Batch* batch) {
    std::set<uint32_t> has;
    for (const AttributeRow& row : batch->attributes[0]) {
      has.insert(row.nested);
    }
    for (const Row& row : batch->rows) {
      if (row.resource >= 0 && has.insert(row.true_resource).second) {
        batch->attributes[0].push_back({.key = "z", .nested = row.true_resource});
      }
    }
    std::stable_sort(
        batch->attributes[0].begin(), batch->attributes[0].end(),
        [](const AttributeRow& a, const AttributeRow& b) { return a.nested < b.nested; });
  }

  void Write() {
    uint32_t offset = 0;
    size_t number = 0;
    std::vector<size_t> room(2, 0);
    std::map<std::pair<int, size_t>, size_t> file_index;
    for (size_t i = 0; i < batches_.size(); ++i) {
      Batch& batch = batches_[i];
      auto& signal_files = files[static_cast<size_t>(batch.signal)];
      signal_files.resize(std::max(signal_files.size(), file_of_[i] + 1));
      for (Row row : batch.rows) {
        row.id = row.id < 0 ? -1 : row.id + offset;
        row.batch = i;
        signal_files[file_of_[i]].rows.push_back(row);
      }
      for (int table = 0; table < 2; ++table) {
        if (batch.attributes[table].empty()) {
          continue;
        }
        if (room[static_cast<size_t>(table)] == 0) {
          attributes[table].emplace_back();
          room[static_cast<size_t>(table)] =
              static_cast<size_t>(UpTo(shape_.most_batches_per_file));
        }
        --room[static_cast<size_t>(table)];
        for (AttributeRow row : batch.attributes[table]) {
          row.parent = row.nested + offset;
          row.batch = i;
          row.number = number++;
          attributes[table].back().push_back(row);
        }
      }
      offset += static_cast<uint32_t>(batch.largest_id) + 1;
    }
    if (shape_.most_rows_per_file > 0) {
      Rewrite();
    }
  }

  void Rewrite() {
    for (auto& signal_files : files) {
      std::vector<File> cut;
      for (const File& file : signal_files) {
        size_t room = 0;
        for (const Row& row : file.rows) {
          if (room == 0) {
            cut.push_back({.starts_batch = false, .rows = {}});
            room = static_cast<size_t>(UpTo(shape_.most_rows_per_file));
          }
          --room;
          cut.back().rows.push_back(row);
        }
      }
      signal_files = std::move(cut);
    }
  }

  Shape shape_;
  std::mt19937 random_;
  std::vector<Batch> batches_;
  std::vector<size_t> file_of_;
};

IdColumn ToColumn(const std::vector<Row>& rows, size_t begin, size_t end, int64_t Row::* member) {
  IdColumn column;
  column.validity = arrow::AllocateEmptyBitmap(static_cast<int64_t>(end - begin)).ValueOrDie();
  for (size_t i = begin; i < end; ++i) {
    const int64_t value = rows[i].*member;
    column.values.push_back(static_cast<uint32_t>(std::max<int64_t>(value, 0)));
    if (value >= 0) {
      column.validity->mutable_data()[(i - begin) / 8] |=
          static_cast<uint8_t>(1 << ((i - begin) % 8));
      ++column.num_valid;
    }
  }
  return column;
}

struct Outcome {
  int64_t rows = 0;
  int64_t wrong = 0;
  int64_t ambiguous_resource = 0;
  int64_t ambiguous_scope = 0;
  std::string first_wrong;
};

class Reader {
 public:
  explicit Reader(const Exporter& exporter) : exporter_(exporter) {
    ResolverInput input;
    for (int table = 0; table < 2; ++table) {
      std::vector<uint32_t> parents;
      for (const auto& file : exporter.attributes[table]) {
        for (const AttributeRow& row : file) {
          parents.push_back(row.parent);
        }
      }
      std::vector<uint32_t> several;
      std::sort(parents.begin(), parents.end());
      for (size_t i = 1; i < parents.size(); ++i) {
        if (parents[i] == parents[i - 1]) {
          several.push_back(parents[i]);
        }
      }
      parents_[table] = ParentIdSet(parents);
      several_[table] = ParentIdSet(several);
    }
    input.several_resources = &several_[0];
    input.several_scopes = &several_[1];
    input.resources = &parents_[0];
    input.scopes = &parents_[1];
    int with_rows = 0;
    for (const auto& files : exporter.files) {
      input.signals.emplace_back();
      with_rows += files.empty() ? 0 : 1;
      for (const auto& file : files) {
        // Three row groups: what is known must survive the borders.
        input.signals.back().push_back(
            {3, file.starts_batch, [&file](int group) -> Result<RootIds> {
               const size_t size = file.rows.size();
               const size_t begin = size * static_cast<size_t>(group) / 3;
               const size_t end = size * (static_cast<size_t>(group) + 1) / 3;
               return RootIds{ToColumn(file.rows, begin, end, &Row::id),
                              ToColumn(file.rows, begin, end, &Row::resource),
                              ToColumn(file.rows, begin, end, &Row::scope)};
             }});
      }
    }
    input.is_only_signal = with_rows == 1;
    joins_ = ResourceJoins::Make(input).ValueOrDie();
  }

  Outcome Compare() {
    Outcome outcome;
    for (size_t signal = 0; signal < exporter_.files.size(); ++signal) {
      for (size_t file = 0; file < exporter_.files[signal].size(); ++file) {
        const auto& rows = exporter_.files[signal][file].rows;
        const auto& stretches = joins_.stretches(signal, file);
        size_t stretch = 0;
        for (size_t i = 0; i < rows.size(); ++i) {
          while (stretch + 1 < stretches.size() &&
                 stretches[stretch + 1].first_row <= static_cast<int64_t>(i)) {
            ++stretch;
          }
          ++outcome.rows;
          CompareRow(rows[i], signal, stretches[stretch], 0, &outcome);
          CompareRow(rows[i], signal, stretches[stretch], 1, &outcome);
        }
      }
    }
    return outcome;
  }

 private:
  std::set<size_t> RowsOf(int table, uint64_t parent) const {
    std::set<size_t> numbers;
    for (const auto& file : exporter_.attributes[table]) {
      for (const AttributeRow& row : file) {
        if (row.parent == parent) {
          numbers.insert(row.number);
        }
      }
    }
    return numbers;
  }

  void CompareRow(const Row& row, size_t signal, const ResourceStretch& stretch, int table,
                  Outcome* outcome) {
    const int64_t nested = table == 0 ? row.resource : row.scope;
    if (nested < 0) {
      return;
    }
    if (!joins_.IsKnown(static_cast<AttributeKind>(table), stretch,
                        static_cast<uint32_t>(nested))) {
      ++(table == 0 ? outcome->ambiguous_resource : outcome->ambiguous_scope);
      return;
    }
    std::set<size_t> expected;
    for (const auto& file : exporter_.attributes[table]) {
      for (const AttributeRow& attribute : file) {
        if (attribute.batch == row.batch && attribute.nested == static_cast<uint32_t>(nested)) {
          expected.insert(attribute.number);
        }
      }
    }
    const std::set<size_t> actual =
        RowsOf(table, uint64_t{stretch.offset} + static_cast<uint64_t>(nested));
    if (actual != expected && outcome->wrong++ == 0) {
      outcome->first_wrong = "signal " + std::to_string(signal) + " id " + std::to_string(row.id) +
                             (table == 0 ? " resource " : " scope ") + std::to_string(nested) +
                             " batch " + std::to_string(row.batch) + " taken for offset " +
                             std::to_string(stretch.offset) + "; found " +
                             std::to_string(actual.size()) + " rows, expected " +
                             std::to_string(expected.size());
    }
  }

  const Exporter& exporter_;
  ParentIdSet parents_[2];
  ParentIdSet several_[2];
  ResourceJoins joins_;
};

std::string Describe(const Exporter& exporter) {
  std::string text;
  for (size_t signal = 0; signal < 3; ++signal) {
    for (const auto& file : exporter.files[signal]) {
      text += "signal " + std::to_string(signal) + ":";
      for (const Row& row : file.rows) {
        text += " " + std::to_string(row.id) + "/" + std::to_string(row.resource) + "/" +
                std::to_string(row.scope) + "b" + std::to_string(row.batch);
      }
      text += "\n";
    }
  }
  for (int table = 0; table < 2; ++table) {
    for (const auto& file : exporter.attributes[table]) {
      text += table == 0 ? "resource_attrs:" : "scope_attrs:";
      for (const AttributeRow& row : file) {
        text += " " + std::to_string(row.parent) + row.key + "b" + std::to_string(row.batch);
      }
      text += "\n";
    }
  }
  return text;
}

/// Seeds of every random test here; DF_SEEDS asks for more.
uint32_t NumSeeds(uint32_t usual) {
  const char* asked = std::getenv("DF_SEEDS");
  return asked == nullptr ? usual : static_cast<uint32_t>(std::atoi(asked));
}

Outcome Run(const Shape& shape, uint32_t seed) {
  const Exporter exporter(shape, seed);
  Outcome outcome = Reader(exporter).Compare();
  EXPECT_EQ(outcome.wrong, 0) << "seed " << seed << "\n"
                              << outcome.first_wrong << "\n"
                              << Describe(exporter);
  return outcome;
}

Outcome RunSeeds(const Shape& shape) {
  Outcome sum;
  for (uint32_t seed = 0; seed < NumSeeds(300) && sum.wrong == 0; ++seed) {
    const Outcome outcome = Run(shape, seed);
    sum.rows += outcome.rows;
    sum.wrong += outcome.wrong;
    sum.ambiguous_resource += outcome.ambiguous_resource;
    sum.ambiguous_scope += outcome.ambiguous_scope;
  }
  testing::Test::RecordProperty("rows", std::to_string(sum.rows));
  testing::Test::RecordProperty("ambiguous_resource", std::to_string(sum.ambiguous_resource));
  testing::Test::RecordProperty("ambiguous_scope", std::to_string(sum.ambiguous_scope));
  return sum;
}

TEST(ResourceJoins, NoRowOfOrdinaryBatchesGetsAnothersAttributes) {
  const Outcome sum = RunSeeds({.bare_resource = 0,
                                .empty_group = 0,
                                .null_nested = 0,
                                .most_rows = 20,
                                .most_other_ids = 60});
  EXPECT_LT(sum.ambiguous_resource, sum.rows / 50);
  EXPECT_LT(sum.ambiguous_scope, sum.rows / 50);
}

TEST(ResourceJoins, NoRowGetsAnothersAttributesWhereResourcesOutnumberIds) {
  RunSeeds({.bare_resource = 0, .empty_group = 0, .most_resources = 12, .most_rows = 1});
}

TEST(ResourceJoins, NoRowGetsAnothersAttributesWhereResourcesHaveNone) {
  RunSeeds({.empty_group = 0});
}

TEST(ResourceJoins, MostRowsAreToldWhereResourcesOutnumberIds) {
  const Outcome sum = RunSeeds({.bare_resource = 0,
                                .empty_group = 0,
                                .null_nested = 0,
                                .most_resources = 12,
                                .most_rows = 1});
  EXPECT_LT(sum.ambiguous_resource, sum.rows / 5);
}

TEST(ResourceJoins, NoRowGetsAnothersAttributesWhereGroupsHaveNoRows) {
  RunSeeds({});
  const Outcome sum =
      RunSeeds({.bare_resource = 0, .null_nested = 0, .most_rows = 20, .most_other_ids = 60});
  EXPECT_LT(sum.ambiguous_resource, sum.rows / 5);
}

TEST(ResourceJoins, NoRowGetsAnothersAttributesWhereRowsAreGone) {
  RunSeeds({.empty_group = 0, .filtered = 0.3, .most_other_ids = 60});
  RunSeeds({.bare_resource = 0,
            .empty_group = 0,
            .null_nested = 0,
            .filtered = 0.2,
            .most_rows = 20,
            .most_other_ids = 60});
}

TEST(ResourceJoins, NoRowGetsAnothersAttributesWhateverIsMissing) {
  RunSeeds({.filtered = 0.2, .most_other_ids = 30});
}

TEST(ResourceJoins, NoRowGetsAnothersAttributesWhereResourcesShareScopes) {
  RunSeeds({.most_rows = 1, .batches = 1, .shares_scopes = true});
  RunSeeds({.most_resources = 8, .most_rows = 20, .shares_scopes = true});
}

TEST(ResourceJoins, NoRowGetsAnothersAttributesInRewrittenFiles) {
  RunSeeds({.empty_group = 0, .most_other_ids = 30, .most_rows_per_file = 10});
  RunSeeds({.bare_resource = 0,
            .empty_group = 0,
            .most_resources = 12,
            .most_rows = 1,
            .most_rows_per_file = 10});
}

}  // namespace
}  // namespace df::lake
