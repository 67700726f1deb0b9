// Whose attribute rows are whose where the ids of exported batches overlap.
//
// A batch with more resources than ids numbers their attribute rows past its own ids, into those of
// the batches behind it, whatever their signal: one parent_id then has several possible owners. A
// file holds the rows of one batch after those of another, so order tells some of them apart; what
// it does not tell belongs to nobody, by name (docs/decisions/0012).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "lake/parent_id_set.h"
#include "lake/table_file.h"

namespace df::lake {

/// Ids of attributes that the root rows of one exported batch may refer to.
struct AttributeClaim {
  uint32_t group = 0;         ///< its signal: two of one offset are two batches
  uint32_t offset = 0;        ///< largest possible offset of the batch
  uint32_t least_offset = 0;  ///< smallest
  bool is_certain = true;     ///< its batch has this offset, and no other
  IdRange nested = kEmptyIdRange;
};

/// Attribute rows of one parent that stand together in a file.
struct ParentRun {
  uint32_t parent = 0;
  bool starts_chain = false;  ///< nothing is known of its order to the runs before it
  bool starts_batch = false;  ///< it is of a later batch than the run before it
};

class AttributeOwners {
 public:
  enum class Answer : uint8_t {
    kAsStored,  ///< the rows with this parent_id, if there are any
    kNone,      ///< no row
    kRenumbered,
    kUnknown,  ///< some rows, which cannot be told from another batch's
  };
  struct Found {
    Answer answer = Answer::kAsStored;
    uint32_t parent = 0;  ///< kRenumbered: the id given to the rows
  };

  AttributeOwners() = default;
  /// Finds the parents with several possible owners. `parents` is borrowed.
  AttributeOwners(const ParentIdSet* parents, std::vector<AttributeClaim> claims);

  bool has_contested() const { return has_contested_; }
  bool IsContested(uint32_t parent) const;

  /// Tells contested runs apart by their order. `runs`: all of the table, in file order. An order
  /// that no sequence of batches explains settles nothing.
  void Settle(std::span<const ParentRun> runs);

  /// Says which rows are those of `parent` for a batch of a certain offset and signal.
  Found Find(uint64_t parent, uint32_t offset, uint32_t group) const;

  /// Parent ids by run after Settle, where they differ from the stored ones.
  struct Renumbered {
    size_t run = 0;
    uint32_t parent = 0;
  };
  const std::vector<Renumbered>& renumbered() const { return renumbered_; }

 private:
  /// Possible owners of a parent: owners_[begin, end), ascending. Wild: some cannot be placed.
  struct Cover {
    uint32_t begin = 0;
    uint32_t end = 0;
    bool is_wild = false;
    uint32_t size() const { return end - begin; }
  };
  struct Bounds {
    int64_t low = -1;
    int64_t high = -1;
  };
  struct Settled {
    uint32_t parent = 0;
    int64_t low = -1;
    int64_t high = -1;
    uint32_t renumbered = 0;
  };

  std::vector<AttributeClaim> MergeBatches(std::vector<AttributeClaim> claims);
  void CoverParents(const std::vector<AttributeClaim>& claims);
  std::span<const uint32_t> OwnersOf(const Cover& cover) const {
    return std::span(owners_).subspan(cover.begin, cover.size());
  }
  bool FindBounds(std::span<const ParentRun> runs, std::vector<Bounds>* bounds) const;

  const ParentIdSet* parents_ = nullptr;
  std::vector<std::pair<uint32_t, uint32_t>> batches_;  ///< offset and group of the exact ones,
                                                        ///< ascending
  std::vector<Cover> covers_;                           ///< by place in parents_
  std::vector<uint32_t> owners_;                        ///< places in batches_
  std::vector<Settled> settled_;                        ///< contested runs, by parent
  std::vector<Renumbered> renumbered_;
  bool has_contested_ = false;
  bool is_settled_ = false;
};

}  // namespace df::lake
