#include "otap/split.h"

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include <arrow/compute/api_vector.h>
#include <arrow/datum.h>

#include "base/error.h"
#include "otap/id_remap.h"
#include "otap/rows.h"

namespace df::otap {
namespace {

using TablePtr = std::shared_ptr<arrow::RecordBatch>;

bool IsPoints(const TableInfo& info) {
  return info.parent == TableKind::kUnivariateMetrics && !info.is_attributes;
}

/// For each of a dense range of keys a list of numbers, all in one array.
class Lists {
 public:
  struct Pair {
    uint32_t key;
    uint32_t value;
  };

  Lists() = default;
  /// Values of one key keep their order.
  Lists(size_t num_keys, const std::vector<Pair>& pairs)
      : starts_(num_keys + 1), values_(pairs.size()) {
    for (const Pair& pair : pairs) {
      ++starts_[pair.key + 1];
    }
    for (size_t key = 0; key < num_keys; ++key) {
      starts_[key + 1] += starts_[key];
    }
    std::vector<uint32_t> next(starts_.begin(), starts_.end() - 1);
    for (const Pair& pair : pairs) {
      values_[next[pair.key]++] = pair.value;
    }
  }

  std::span<const uint32_t> Of(size_t key) const {
    return {values_.data() + starts_[key], starts_[key + 1] - starts_[key]};
  }

 private:
  std::vector<uint32_t> starts_ = {0};
  std::vector<uint32_t> values_;
};

/// The pieces that each id of a table is in.
struct PiecesById {
  IdNumbers numbers;
  Lists pieces;

  std::span<const uint32_t> Find(uint32_t id) const {
    const uint32_t number = numbers.Find(id);
    return number == IdNumbers::kAbsent ? std::span<const uint32_t>() : pieces.Of(number);
  }
};

/// What one root row takes: items and the pieces they are in.
struct RootPlace {
  int64_t num_items = 0;
  uint32_t first_piece = 0;
  uint32_t last_piece = 0;
  int64_t in_first = 0;  ///< items in the first piece; the others are full up to the last
};

class Splitter {
 public:
  Splitter(const Batch& batch, int64_t first_items, int64_t max_items)
      : batch_(batch),
        root_info_(GetTable(RootTable(batch.signal()))),
        roots_(static_cast<size_t>(batch.num_root_rows())),
        first_items_(first_items),
        max_items_(max_items) {}

  Result<std::vector<BatchPtr>> Run() {
    CountItems();
    PlaceRoots();
    // One by one: copies of a builder would fill the same batch.
    for (size_t i = 0; i < num_pieces_; ++i) {
      builders_.emplace_back(batch_.signal());
    }
    ARROW_RETURN_NOT_OK(CutRoot());
    ARROW_RETURN_NOT_OK(CutGroups());
    for (const TableInfo& info : AllTables()) {
      if (info.parent.has_value() && batch_.table(info.kind) != nullptr) {
        ARROW_RETURN_NOT_OK(CutChild(info));
      }
    }
    std::vector<BatchPtr> pieces;
    for (BatchBuilder& builder : builders_) {
      pieces.push_back(builder.Build());
    }
    return pieces;
  }

 private:
  /// Visits the data points, table by table, as the root row of each.
  template <typename Visit>
  void VisitPoints(const Visit& visit) const {
    for (const TableInfo& info : AllTables()) {
      const auto parents = FindArray(batch_.table(info.kind), "parent_id");
      if (IsPoints(info) && parents != nullptr) {
        VisitIds(*parents, [&](int64_t row, uint32_t id) {
          const uint32_t root = row_of_id_.Find(id);
          if (root != IdNumbers::kAbsent) {
            visit(info, row, root_of_number_[root]);
          }
        });
      }
    }
  }

  void CountItems() {
    if (batch_.signal() != Signal::kMetrics) {
      for (RootPlace& root : roots_) {
        root.num_items = 1;
      }
      return;
    }
    if (const auto ids = FindArray(batch_.root(), "id")) {
      row_of_id_ = NumberIds(*ids);
      root_of_number_.resize(row_of_id_.size());
      VisitIds(*ids, [&](int64_t row, uint32_t id) {
        root_of_number_[row_of_id_.Find(id)] = static_cast<size_t>(row);
      });
    }
    VisitPoints([&](const TableInfo&, int64_t, size_t root) { ++roots_[root].num_items; });
  }

  void PlaceRoots() {
    uint32_t piece = 0;
    int64_t room = first_items_;
    int64_t used = 0;  // root rows in this piece
    for (RootPlace& root : roots_) {
      const bool goes_whole = root.num_items <= max_items_;
      if (root.num_items > room && (room == 0 || (goes_whole && used > 0))) {
        ++piece;
        room = max_items_;
        used = 0;
      }
      root.first_piece = piece;
      root.in_first = std::min(room, root.num_items);
      int64_t rest = root.num_items - root.in_first;
      room -= root.in_first;
      ++used;
      while (rest > 0) {
        ++piece;
        const int64_t taken = std::min(rest, max_items_);
        rest -= taken;
        room = max_items_ - taken;
        used = 1;
      }
      root.last_piece = piece;
    }
    num_pieces_ = size_t{piece} + 1;
  }

  /// The piece of the item `number` of a root row.
  uint32_t PieceOfItem(const RootPlace& root, int64_t number) const {
    return number < root.in_first
               ? root.first_piece
               : root.first_piece + 1 +
                     static_cast<uint32_t>((number - root.in_first) / max_items_);
  }

  Status CutRoot() {
    std::vector<Lists::Pair> rows;
    for (size_t row = 0; row < roots_.size(); ++row) {
      for (uint32_t piece = roots_[row].first_piece; piece <= roots_[row].last_piece; ++piece) {
        rows.push_back({piece, static_cast<uint32_t>(row)});
      }
    }
    Remember(root_info_, batch_.root(), rows);
    return Cut(root_info_, rows);
  }

  /// Resources and scopes go into every piece in which a row refers to them.
  Status CutGroups() {
    for (const GroupTable& group : kGroupTables) {
      const auto parents = FindArray(batch_.table(group.attributes), "parent_id");
      const auto ids = GroupIds(batch_.root(), group.group);
      if (parents == nullptr || ids == nullptr) {
        continue;
      }
      PiecesById groups{NumberIds(*ids), {}};
      std::vector<Lists::Pair> pairs;
      std::vector<uint32_t> last(groups.numbers.size(), UINT32_MAX);
      VisitIds(*ids, [&](int64_t row, uint32_t id) {
        const RootPlace& root = roots_[static_cast<size_t>(row)];
        const uint32_t number = groups.numbers.Find(id);
        for (uint32_t piece = root.first_piece; piece <= root.last_piece; ++piece) {
          // Pieces come in ascending order, so the last one is enough to see a repeat.
          if (last[number] != piece) {
            last[number] = piece;
            pairs.push_back({number, piece});
          }
        }
      });
      groups.pieces = Lists(groups.numbers.size(), pairs);
      ARROW_RETURN_NOT_OK(Cut(GetTable(group.attributes), RowsByParent(*parents, groups)));
    }
    return Status::OK();
  }

  Status CutChild(const TableInfo& info) {
    const auto& table = batch_.table(info.kind);
    std::vector<Lists::Pair> rows;
    if (IsPoints(info)) {
      VisitPointsOf(info, &rows);
    } else {
      rows = RowsByParent(*FindArray(table, "parent_id"), by_id_[TableIndex(*info.parent)]);
    }
    Remember(info, table, rows);
    return Cut(info, rows);
  }

  void VisitPointsOf(const TableInfo& wanted, std::vector<Lists::Pair>* rows) {
    if (next_item_.empty()) {
      next_item_.resize(roots_.size());
      points_.resize(kTableCount);
      VisitPoints([&](const TableInfo& info, int64_t row, size_t root) {
        points_[TableIndex(info.kind)].push_back(
            {PieceOfItem(roots_[root], next_item_[root]++), static_cast<uint32_t>(row)});
      });
    }
    *rows = std::move(points_[TableIndex(wanted.kind)]);
  }

  static std::vector<Lists::Pair> RowsByParent(const arrow::Array& parents,
                                               const PiecesById& by_id) {
    std::vector<Lists::Pair> rows;
    rows.reserve(static_cast<size_t>(parents.length()));
    VisitIds(parents, [&](int64_t row, uint32_t id) {
      for (const uint32_t piece : by_id.Find(id)) {
        rows.push_back({piece, static_cast<uint32_t>(row)});
      }
    });
    return rows;
  }

  /// Keeps the pieces of the ids of a table for its children.
  void Remember(const TableInfo& info, const TablePtr& table,
                const std::vector<Lists::Pair>& rows) {
    const auto ids = FindArray(table, "id");
    if (ids == nullptr) {
      return;
    }
    PiecesById& by_id = by_id_[TableIndex(info.kind)];
    by_id.numbers = NumberIds(*ids);
    std::vector<uint32_t> number_of_row(static_cast<size_t>(ids->length()), IdNumbers::kAbsent);
    VisitIds(*ids, [&](int64_t row, uint32_t id) {
      number_of_row[static_cast<size_t>(row)] = by_id.numbers.Find(id);
    });
    std::vector<Lists::Pair> pairs;
    pairs.reserve(rows.size());
    for (const auto& [piece, row] : rows) {
      if (number_of_row[row] != IdNumbers::kAbsent) {
        pairs.push_back({number_of_row[row], piece});
      }
    }
    by_id.pieces = Lists(by_id.numbers.size(), pairs);
  }

  /// Gives every piece its rows of a table. `rows` are pairs of piece and row, rows ascending.
  Status Cut(const TableInfo& info, const std::vector<Lists::Pair>& rows) {
    const TablePtr& table = batch_.table(info.kind);
    const Lists by_piece(num_pieces_, rows);
    for (size_t piece = 0; piece < num_pieces_; ++piece) {
      const std::span<const uint32_t> taken = by_piece.Of(piece);
      if (taken.empty()) {
        continue;
      }
      TablePtr part;
      if (taken.back() - taken.front() + 1 == taken.size()) {
        part = table->Slice(taken.front(), static_cast<int64_t>(taken.size()));
      } else {
        const arrow::UInt32Array indices(
            static_cast<int64_t>(taken.size()),
            std::make_shared<arrow::Buffer>(reinterpret_cast<const uint8_t*>(taken.data()),
                                            static_cast<int64_t>(taken.size_bytes())));
        ARROW_ASSIGN_OR_RAISE(arrow::Datum gathered,
                              arrow::compute::Take(table, arrow::Datum(indices.data()),
                                                   arrow::compute::TakeOptions::NoBoundsCheck()));
        part = gathered.record_batch();
      }
      ARROW_RETURN_NOT_OK(builders_[piece].Set(info.kind, std::move(part)));
    }
    return Status::OK();
  }

  const Batch& batch_;
  const TableInfo& root_info_;
  std::vector<RootPlace> roots_;
  int64_t first_items_;
  int64_t max_items_;
  size_t num_pieces_ = 0;
  std::vector<BatchBuilder> builders_;
  std::array<PiecesById, kTableCount> by_id_;

  // Metrics only.
  IdNumbers row_of_id_;
  std::vector<size_t> root_of_number_;
  std::vector<int64_t> next_item_;                ///< of each root row, while points are placed
  std::vector<std::vector<Lists::Pair>> points_;  ///< piece and row of the points of each table
};

}  // namespace

arrow::Result<std::vector<BatchPtr>> Split(const BatchPtr& batch, int64_t first_items,
                                           int64_t max_items) {
  if (first_items < 1 || max_items < 1) {
    return Status::Invalid("found a limit below 1, expected pieces of at least one item");
  }
  if (batch->num_root_rows() == 0 || batch->num_items() <= first_items) {
    return std::vector<BatchPtr>{batch};
  }
  return Splitter(*batch, first_items, max_items).Run();
}

}  // namespace df::otap
