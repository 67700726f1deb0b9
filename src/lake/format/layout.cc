#include "lake/format/layout.h"

#include <algorithm>
#include <optional>
#include <span>
#include <utility>

#include <arrow/type.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <parquet/metadata.h>
#include <parquet/schema.h>
#include <parquet/statistics.h>

#include "base/text.h"
#include "lake/format/column_names.h"
#include "lake/format/leaf.h"
#include "lake/format/leaf_decoder.h"
#include "lake/format/list_shape.h"
#include "lake/format/other_names.h"
#include "lake/format/own_keys.h"
#include "lake/format/partition_value.h"
#include "lake/format/stored_schema.h"

namespace df::lake {
namespace {

bool IsWholeNumber(const parquet::schema::Node& node) {
  const auto* column = dynamic_cast<const parquet::schema::PrimitiveNode*>(&node);
  return column != nullptr && (column->physical_type() == parquet::Type::INT32 ||
                               column->physical_type() == parquet::Type::INT64);
}

using otap::ColumnType;
using parquet::schema::GroupNode;
using parquet::schema::Node;

constexpr std::string_view kCompanionSuffix = "__unix_nanos";
constexpr std::string_view kForeignPrefix = "_otel_";
constexpr size_t kMostNames = 12;

/// Columns that many tables have: they do not tell which table a file is of.
constexpr std::string_view kCommonColumns[] = {"id",    "parent_id",  "resource",
                                               "scope", "schema_url", "dropped_attributes_count",
                                               "flags", "trace_id",   "span_id"};

template <typename List>
bool Contains(const List& list, std::string_view name) {
  return std::find(std::begin(list), std::end(list), name) != std::end(list);
}

bool IsTime(const otap::Column& column) { return column.type == ColumnType::kTimestamp; }

std::string Describe(const Node& node) {
  const auto& logical = node.logical_type();
  const bool has_logical = logical != nullptr && !logical->is_none();
  if (node.is_group()) {
    return has_logical ? fmt::format("a group ({})", logical->ToString())
                       : std::string(node.is_repeated() ? "a repeated group" : "a struct");
  }
  return fmt::format("{}{} ({})", node.is_repeated() ? "repeated " : "",
                     parquet::TypeToString(
                         static_cast<const parquet::schema::PrimitiveNode&>(node).physical_type()),
                     has_logical ? logical->ToString() : std::string("no logical type"));
}

std::string Expected(const otap::Column& column) {
  return column.type == ColumnType::kStruct ? std::string("a struct")
                                            : otap::NativeType(column)->ToString();
}

/// Lists names, not more of them than anybody reads.
std::string Join(const std::vector<std::string>& names, std::string_view separator) {
  const size_t count = std::min(names.size(), kMostNames);
  std::string text;
  for (size_t i = 0; i < count; ++i) {
    text += i == 0 ? "" : separator;
    text += PrintableText(names[i]);
  }
  return names.size() > count ? fmt::format("{} and {} more", text, names.size() - count) : text;
}

/// How badly the columns of a file fit a table: names that it does not have, and required columns
/// that the file does not have.
int64_t Misfit(const otap::TableInfo& table, const GroupNode& root) {
  int64_t misfit = 0;
  for (int i = 0; i < root.field_count(); ++i) {
    misfit += otap::FindColumn(table.columns, root.field(i)->name()) == nullptr ? 1 : 0;
  }
  for (const otap::Column& column : table.columns) {
    misfit += column.required && root.FieldIndex(std::string(column.name)) < 0 ? 1 : 0;
  }
  return misfit;
}

class LayoutProbe {
 public:
  LayoutProbe(otap::TableKind kind, const Footer& footer, const Location& location)
      : table_(otap::GetTable(kind)),
        leaves_(LeavesOf(kind)),
        metadata_(*footer.metadata),
        schema_(*metadata_.schema()),
        encrypted_(footer.encrypted_columns),
        location_(location),
        stored_(footer) {
    layout_.columns.assign(leaves_.size(), -1);
    layout_.companions.assign(leaves_.size(), -1);
    layout_.nanos_per_unit.assign(leaves_.size(), 1);
    is_named_.assign(leaves_.size(), false);
  }

  Result<Layout> Run() {
    const GroupNode& root = *schema_.group_node();
    for (int i = 0; i < root.field_count(); ++i) {
      VisitTop(*root.field(i));
    }
    for (const Unknown& unknown : unknown_) {
      Place(unknown);
    }
    FindUnits();
    if (metadata_.num_rows() > 0) {
      CheckTable(root);
      if (!refusals_.empty()) {
        return MakeError(ErrorKind::kSchemaReconstruction, Join(refusals_, "; "), location_);
      }
    }
    AddNotices();
    return std::move(layout_);
  }

 private:
  /// A node that has the name of no column.
  struct Unknown {
    const Node* node;
    const otap::Column* parent;  ///< the struct of the model that it stands in, or null
    int first_column;
    int16_t level;
    std::string path() const {
      return parent == nullptr ? node->name() : fmt::format("{}.{}", parent->name, node->name());
    }
  };

  void VisitTop(const Node& node) {
    const int first = next_column_;
    next_column_ += NumLeaves(node);
    const auto level = static_cast<int16_t>(node.is_required() ? 0 : 1);
    const otap::Column* column = otap::FindColumn(table_.columns, node.name());
    if (column == nullptr) {
      unknown_.push_back({&node, nullptr, first, level});
      return;
    }
    const int leaf = LeafIndex(table_.kind, column->name,
                               column->children.empty() ? "" : column->children.front().name);
    const int num_leaves = std::max<int>(1, static_cast<int>(column->children.size()));
    if (!Claim(leaf, num_leaves, node.name())) {
      return;
    }
    if (column->type != ColumnType::kStruct) {
      VisitLeaf(node, leaf, first, level);
    } else if (IsStruct(node)) {
      VisitStruct(static_cast<const GroupNode&>(node), *column, leaf, first, level);
    } else {
      MustBeEmpty(
          node, leaf, num_leaves, first, level,
          fmt::format("column {}: found {}, expected a struct", node.name(), Describe(node)));
    }
  }

  /// Refuses what stands for columns of the model and is encrypted: nobody knows what it holds.
  bool RefuseEncrypted(const Node& node, int first, const std::string& path) {
    const auto found = std::lower_bound(encrypted_.begin(), encrypted_.end(), first);
    if (found == encrypted_.end() || *found >= first + NumLeaves(node)) {
      return false;
    }
    refusals_.push_back(
        fmt::format("column {}: found encrypted values, expected plain ones: encrypted columns are "
                    "not read",
                    path));
    return true;
  }

  /// Notes that the file has a column; false when it has it already.
  bool Claim(int leaf, int num_leaves, const std::string& name) {
    if (is_named_[static_cast<size_t>(leaf)]) {
      refusals_.push_back(fmt::format("column {} stands twice in the schema", name));
      return false;
    }
    std::fill_n(is_named_.begin() + leaf, num_leaves, true);
    return true;
  }

  void VisitStruct(const GroupNode& group, const otap::Column& column, int first_leaf, int first,
                   int16_t level) {
    // Only the children that are there are there.
    std::fill_n(is_named_.begin() + first_leaf, column.children.size(), false);
    for (int i = 0; i < group.field_count(); ++i) {
      const Node& child = *group.field(i);
      const int child_first = first;
      first += NumLeaves(child);
      const auto child_level = static_cast<int16_t>(level + (child.is_required() ? 0 : 1));
      const int leaf = LeafIndex(table_.kind, column.name, child.name());
      if (leaf < 0 || otap::FindColumn(column.children, child.name()) == nullptr) {
        unknown_.push_back({&child, &column, child_first, child_level});
      } else if (Claim(leaf, 1, leaves_[static_cast<size_t>(leaf)].path())) {
        VisitLeaf(child, leaf, child_first, child_level);
      }
    }
  }

  void VisitLeaf(const Node& node, int leaf, int first, int16_t level) {
    const Leaf& info = leaves_[static_cast<size_t>(leaf)];
    if (RefuseEncrypted(node, first, info.path())) {
      return;
    }
    std::string refusal;
    if (info.is_list()) {
      if (IsListOf(node, info.column->type)) {
        layout_.columns[static_cast<size_t>(leaf)] = first;
        return;
      }
    } else if (node.is_primitive()) {
      const Status status = CheckLeafType(*schema_.Column(first), ReadAs(info), {});
      if (status.ok()) {
        layout_.columns[static_cast<size_t>(leaf)] = first;
        return;
      }
      refusal = status.message();
    }
    if (refusal.empty()) {
      refusal = fmt::format("column {}: found {}, expected {}", info.path(), Describe(node),
                            Expected(*info.column));
    }
    layout_.empty_leaves.push_back(leaf);
    MustBeEmpty(node, leaf, 1, first, level, std::move(refusal));
  }

  /// Ids have 32 bits in files, whatever their width in memory.
  static otap::Column ReadAs(const Leaf& leaf) {
    otap::Column column = *leaf.column;
    if (column.role != otap::ColumnRole::kData) {
      column.type = ColumnType::kUInt32;
    }
    return column;
  }

  /// The node stands for leaves and cannot be read: all its rows must be null.
  void MustBeEmpty(const Node& node, int leaf, int num_leaves, int first, int16_t level,
                   std::string refusal) {
    if (RefuseEncrypted(node, first, node.name())) {
      return;
    }
    const int end = first + NumLeaves(node);
    const bool is_known_to_hold = level == 0 || HoldsValues(first, end);
    if (is_known_to_hold) {
      refusals_.push_back(std::move(refusal));
      return;
    }
    for (int column = first; column < end; ++column) {
      layout_.empty_columns.push_back({column, level, leaf, num_leaves, refusal});
    }
  }

  /// Tells whether statistics tell of values; what they do not tell of may be there as well.
  bool HoldsValues(int first, int end) const {
    try {
      for (int group = 0; group < metadata_.num_row_groups(); ++group) {
        const auto row_group = metadata_.RowGroup(group);
        for (int column = first; column < end && column < row_group->num_columns(); ++column) {
          const auto statistics = row_group->ColumnChunk(column)->statistics();
          if (statistics != nullptr &&
              (statistics->HasMinMax() ||
               (statistics->HasNullCount() && statistics->num_values() > 0))) {
            return true;
          }
        }
      }
    } catch (const std::exception&) {
      return false;  // the levels of the pages tell
    }
    return false;
  }

  bool IsMissing(int leaf) const { return leaf >= 0 && !is_named_[static_cast<size_t>(leaf)]; }

  /// Decides what a node without a column is.
  void Place(const Unknown& unknown) {
    const std::string& name = unknown.node->name();
    if (unknown.parent == nullptr && (PlaceCompanion(unknown) || IsUpstreamExtra(unknown) ||
                                      IsToldByPartition(metadata_, name, location_.partition))) {
      return;
    }
    if (unknown.parent == nullptr && name.starts_with(kForeignPrefix)) {
      refusals_.push_back(
          fmt::format("column {}: ids are unique only together with it, and it is not read", name));
      return;
    }
    if (auto damage = NameContradiction(metadata_, unknown.first_column); !damage.empty()) {
      refusals_.push_back(std::move(damage));
      return;
    }
    if (const auto [leaf, count] = FindMeant(unknown); count > 0) {
      const Leaf& meant = leaves_[static_cast<size_t>(leaf)];
      MustBeEmpty(*unknown.node, leaf, count, unknown.first_column, unknown.level,
                  Misnamed(unknown, meant, count));
      return;
    }
    const auto& logical = unknown.node->logical_type();
    const bool may_nest = unknown.node->is_group() || (logical != nullptr && logical->is_JSON());
    if (may_nest && Contains(kNestedTables, SpellingKey(name))) {
      nested_tables_.push_back(unknown.path());
    } else {
      foreign_.push_back(unknown.path());
      if (IsWholeNumber(*unknown.node)) {
        foreign_numbers_.push_back(unknown.path());
      }
    }
  }

  static std::string Misnamed(const Unknown& unknown, const Leaf& meant, int count) {
    if (unknown.parent == nullptr && meant.parent != nullptr && count == 1) {
      return fmt::format("column {}: found a column of its own, expected {} in the struct {}",
                         unknown.path(), meant.column->name, meant.parent->name);
    }
    return fmt::format("column {}: may be {}, and is not read under this name", unknown.path(),
                       count > 1 ? std::string(meant.parent->name) : meant.path());
  }

  bool PlaceCompanion(const Unknown& unknown) {
    std::string_view name = unknown.node->name();
    if (!name.ends_with(kCompanionSuffix)) {
      return false;
    }
    name.remove_suffix(kCompanionSuffix.size());
    const int leaf = LeafIndex(table_.kind, name);
    if (leaf < 0 || !IsTime(*leaves_[static_cast<size_t>(leaf)].column)) {
      return false;
    }
    const auto index = static_cast<size_t>(leaf);
    const Status readable =
        unknown.node->is_primitive()
            ? CheckLeafType(*schema_.Column(unknown.first_column), {name, ColumnType::kInt64}, {})
            : Status::Invalid("no integers");
    if (!readable.ok()) {
      return false;
    }
    if (RefuseEncrypted(*unknown.node, unknown.first_column, unknown.node->name())) {
      return true;
    }
    if (layout_.columns[index] >= 0) {
      layout_.companions[index] = unknown.first_column;
    } else if (!is_named_[index]) {
      is_named_[index] = true;
      layout_.columns[index] = unknown.first_column;  // whole nanoseconds without the coarse time
    } else {
      return false;
    }
    return true;
  }

  /// Upstream's files have one column that is not in the model and holds nothing (format
  /// reference 2.6).
  bool IsUpstreamExtra(const Unknown& unknown) const {
    return table_.kind == otap::TableKind::kUnivariateMetrics &&
           unknown.node->name() == "dropped_attributes_count" &&
           !HoldsValues(unknown.first_column, unknown.first_column + NumLeaves(*unknown.node));
  }

  /// Finds the leaves that a column may be meant for: those of the same name in another spelling,
  /// or of a well-known other name, that the file does not have. Returns the first and how many.
  std::pair<int, int> FindMeant(const Unknown& unknown) const {
    const std::string key = SpellingKey(unknown.path());
    for (const otap::Column& column : table_.columns) {
      if (unknown.parent != nullptr && unknown.parent != &column) {
        continue;
      }
      if (column.type != ColumnType::kStruct) {
        const int leaf = LeafIndex(table_.kind, column.name);
        if (key == SpellingKey(column.name) && IsMissing(leaf)) {
          return {leaf, 1};
        }
        continue;
      }
      bool is_missing = true;
      for (const otap::Column& child : column.children) {
        const int leaf = LeafIndex(table_.kind, column.name, child.name);
        is_missing = is_missing && IsMissing(leaf);
        if (key == SpellingKey(fmt::format("{}.{}", column.name, child.name)) && IsMissing(leaf)) {
          return {leaf, 1};
        }
      }
      if (key == SpellingKey(column.name) && is_missing) {
        return {LeafIndex(table_.kind, column.name, column.children.front().name),
                static_cast<int>(column.children.size())};
      }
    }
    for (const OtherName& other : kOtherNames) {
      const int leaf = LeafIndex(table_.kind, other.column, other.child);
      if (key == other.key && IsMissing(leaf)) {
        return {leaf, 1};
      }
    }
    return {-1, 0};
  }

  /// Parquet has no durations: their unit is in the schema that the writer stored beside it, or
  /// they are nanoseconds, as upstream exporters write them.
  void FindUnits() {
    for (size_t leaf = 0; leaf < leaves_.size(); ++leaf) {
      if (layout_.columns[leaf] >= 0) {
        FindUnit(leaves_[leaf], &layout_.nanos_per_unit[leaf]);
      }
    }
  }

  void FindUnit(const Leaf& leaf, int64_t* nanos_per_unit) {
    const otap::Column& column = *leaf.column;
    const std::optional<StoredDuration> found =
        leaf.parent == nullptr ? stored_.DurationOf(column.name)
                               : stored_.DurationOf(leaf.parent->name, column.name);
    const bool is_duration = column.type == ColumnType::kDuration;
    if (IsTime(column)) {
      *nanos_per_unit = NanosPerUnit(*schema_.Column(
          layout_.columns[static_cast<size_t>(LeafIndex(table_.kind, column.name))]));
    }
    if (found.has_value() && (!is_duration || found->nanos_per_unit == 0)) {
      refusals_.push_back(fmt::format("column {}: found {}, expected {}", leaf.path(), found->type,
                                      Expected(column)));
    } else if (is_duration && found.has_value()) {
      *nanos_per_unit = found->nanos_per_unit;
    } else if (is_duration && !stored_.problem().empty() && !WritesNanoseconds()) {
      refusals_.push_back(
          fmt::format("column {}: its unit is unknown: {}", column.name, stored_.problem()));
    }
  }

  /// Tells whether the writer is one that stores all times in nanoseconds.
  bool WritesNanoseconds() const {
    const auto& keys = metadata_.key_value_metadata();
    return metadata_.created_by().starts_with("parquet-rs") ||
           (keys != nullptr && keys->Contains(kFormatVersionKey));
  }

  /// A struct that is there has the children that the model requires.
  void CheckStruct(const otap::Column& column) {
    const auto is_missing = [&](const otap::Column& child) {
      return IsMissing(LeafIndex(table_.kind, column.name, child.name));
    };
    if (std::all_of(column.children.begin(), column.children.end(), is_missing)) {
      return;
    }
    for (const otap::Column& child : column.children) {
      if (child.required && is_missing(child)) {
        refusals_.push_back(fmt::format("column {}.{}: found none, expected {}", column.name,
                                        child.name, Expected(child)));
      }
    }
  }

  void CheckTable(const GroupNode& root) {
    if (const int64_t misfit = Misfit(table_, root); misfit > 0) {
      for (const otap::TableInfo& other : otap::AllTables()) {
        if (!other.columns.empty() && Misfit(other, root) < misfit) {
          refusals_ = {fmt::format(
              "the columns are those of {}",
              other.is_attributes ? "an attribute table" : std::string(other.directory))};
          return;
        }
      }
    }
    if (!refusals_.empty()) {
      return;
    }
    for (const otap::Column& column : table_.columns) {
      if (column.required && IsMissing(LeafIndex(table_.kind, column.name))) {
        refusals_.push_back(
            fmt::format("column {}: found none, expected {}", column.name, Expected(column)));
      }
      CheckStruct(column);
    }
    if (refusals_.empty() && !foreign_.empty() && !HasOwnColumn(root)) {
      refusals_.push_back(
          fmt::format("the columns are those of no table of the model: {}", Join(foreign_, ", ")));
    }
  }

  /// Tells whether the file has a column that says which table it is of.
  bool HasOwnColumn(const GroupNode& root) const {
    return std::any_of(table_.columns.begin(), table_.columns.end(),
                       [&](const otap::Column& column) {
                         const int leaf = LeafIndex(table_.kind, column.name);
                         const bool is_read = leaf >= 0 && !IsMissing(leaf);
                         return !Contains(kCommonColumns, column.name) &&
                                (is_read || root.FieldIndex(std::string(column.name)) >= 0);
                       });
  }

  /// Tells whether a column of numbers that is not of the model stands where a leaf stands.
  bool HasForeignBeside(const Leaf& leaf) const {
    return std::any_of(
        foreign_numbers_.begin(), foreign_numbers_.end(), [&](const std::string& path) {
          return leaf.parent == nullptr ? path.find('.') == std::string::npos
                                        : path.starts_with(fmt::format("{}.", leaf.parent->name));
        });
  }

  /// Tells whether numbers of a leaf have 32 bits; a list of quantiles is two columns.
  bool HasShortFloats(size_t leaf) const {
    const int first = layout_.columns[leaf];
    const int count = leaves_[leaf].column->type == ColumnType::kListQuantile ? 2 : 1;
    for (int column = first; column < first + count; ++column) {
      if (schema_.Column(column)->physical_type() == parquet::Type::FLOAT) {
        return true;
      }
    }
    return false;
  }

  void AddNotices() {
    const Location table{.partition = "", .table = location_.table, .file = ""};
    auto notice = [&](std::string text, const Location& where) {
      layout_.notices.push_back(
          MakeError(ErrorKind::kSchemaReconstruction, std::move(text), where));
    };
    if (!foreign_.empty()) {
      notice(
          fmt::format("columns that are not of the model are not read: {}", Join(foreign_, ", ")),
          table);
    }
    if (!nested_tables_.empty()) {
      layout_.problems.push_back(
          MakeError(ErrorKind::kSchemaReconstruction,
                    fmt::format("columns that may hold rows of other tables are not read: {}",
                                Join(nested_tables_, ", ")),
                    table));
    }
    for (size_t leaf = 0; leaf < leaves_.size(); ++leaf) {
      if (leaves_[leaf].column->role == otap::ColumnRole::kId && !is_named_[leaf] &&
          HasForeignBeside(leaves_[leaf])) {
        layout_.problems.push_back(MakeError(
            ErrorKind::kSchemaReconstruction,
            fmt::format(
                "column {}: found none, and columns that are not of the model, one of which "
                "may be it: rows of other tables may miss theirs",
                leaves_[leaf].path()),
            table));
      }
    }
    std::vector<std::string> coarse_times;
    std::vector<std::string> short_floats;
    for (size_t leaf = 0; leaf < leaves_.size(); ++leaf) {
      if (layout_.columns[leaf] < 0) {
        continue;
      }
      if (layout_.nanos_per_unit[leaf] > 1 && layout_.companions[leaf] < 0) {
        coarse_times.push_back(leaves_[leaf].path());
      }
      if (HasShortFloats(leaf)) {
        short_floats.push_back(leaves_[leaf].path());
      }
    }
    if (!coarse_times.empty()) {
      notice(fmt::format("times coarser than nanoseconds are read as they are stored: {}",
                         Join(coarse_times, ", ")),
             table);
    }
    if (!short_floats.empty()) {
      notice(fmt::format("numbers of 32 bits are read as they are stored: {}",
                         Join(short_floats, ", ")),
             table);
    }
    if (!stored_.problem().empty()) {
      notice(stored_.problem(), location_);
    }
  }

  const otap::TableInfo& table_;
  std::span<const Leaf> leaves_;
  const parquet::FileMetaData& metadata_;
  const parquet::SchemaDescriptor& schema_;
  const std::vector<int>& encrypted_;
  const Location& location_;
  StoredSchema stored_;
  Layout layout_;
  int next_column_ = 0;
  std::vector<bool>
      is_named_;  ///< by leaf: the file has a column of its name, or read in its place
  std::vector<Unknown> unknown_;
  std::vector<std::string> foreign_;
  std::vector<std::string> foreign_numbers_;  ///< of them
  std::vector<std::string> nested_tables_;
  std::vector<std::string> refusals_;
};

}  // namespace

Result<Layout> ProbeLayout(otap::TableKind kind, const Footer& footer, const Location& location) {
  return LayoutProbe(kind, footer, location).Run();
}

}  // namespace df::lake
