// Row groups of a store that is far away, fetched before they are asked for.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <arrow/util/future.h>

#include "lake/catalog/file_summary.h"
#include "lake/format/table_file.h"
#include "storage/store.h"

namespace df::lake {

/// Opens the files that a reader of a partition needs next, and fetches their row groups, or what
/// it looks at first of them. A reader alone waits for one answer at a time. Row groups that are
/// fetched and not yet read take at most Store::ahead_bytes. Errors: none. A file that cannot be
/// opened ahead is opened again by the reader, which reports why. Calls: from one thread, that of
/// the reader.
class Prefetcher {
 public:
  static constexpr size_t kMost = 64;  ///< row groups that are begun and not opened

  /// `store` is borrowed.
  Prefetcher(storage::Store* store, std::string base, std::string partition);
  ~Prefetcher();
  Prefetcher(const Prefetcher&) = delete;
  Prefetcher& operator=(const Prefetcher&) = delete;

  using IsNeeded = std::function<bool(const RowGroupSummary&)>;

  /// Adds files of one table, in the order in which they are read. Tables are read side by side:
  /// the rows in the middle of one when those in the middle of the others are. `is_needed`: whether
  /// a row group is read. `plan`: what of it; null: all.
  void Add(const std::vector<FileSummaryPtr>& files, const IsNeeded& is_needed,
           std::shared_ptr<const ScreenPlan> plan = nullptr);

  /// Adds one row group, all of it. Those of lower `place` are fetched first.
  void AddRowGroup(const FileSummaryPtr& file, int row_group, double place);

  /// Begins to fetch what there is room for. The calls below do so, too.
  void GoOn();

  /// Returns a file that was opened ahead, or null. Waits until it is open.
  std::shared_ptr<TableFile> Find(const FileSummary& file);

  /// Takes a file that the reader has opened itself: what follows is fetched through it.
  void Keep(const FileSummary& file, std::shared_ptr<TableFile> opened);

  /// The reader opens a row group now, or passes over it. Makes room, and fetches the next ones.
  void Leave(const FileSummary& file, int row_group);

  /// The reader does not open a row group: what was fetched of it goes.
  void PassOver(const FileSummary& file, int row_group);

  /// Closes a file that could not be read. No more of it is fetched ahead.
  void Forget(const FileSummary& file);

 private:
  using Opened = arrow::Future<std::shared_ptr<TableFile>>;

  struct Item {
    double place = 0;  ///< share of the rows of the table that lie before it
    FileSummaryPtr file;
    int row_group = 0;
  };
  struct File {
    std::shared_ptr<const ScreenPlan> plan;
    std::set<int> ahead;            ///< row groups that were not left
    std::set<int> begun;            ///< of these
    Opened opened;                  ///< not valid before the file is opened
    int64_t bytes_to_announce = 0;  ///< while it is being opened
  };

  bool Begin(const Item& item);
  Opened Open(const Item& item, const File& file);
  static int64_t BytesOf(const RowGroupSummary& group, const ScreenPlan* plan);
  void Close(std::map<const FileSummary*, File>::iterator file);

  storage::Store* store_;
  std::string base_;
  std::string partition_;
  std::vector<Item> items_;  ///< by place, the first last
  bool is_sorted_ = true;
  std::map<const FileSummary*, File> files_;  ///< with row groups ahead
  std::vector<File*> opening_;                ///< of these: with bytes to announce
  size_t num_begun_ = 0;                      ///< row groups
};

}  // namespace df::lake
