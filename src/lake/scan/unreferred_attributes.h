// Resource and scope attributes that no root row refers to: what is left of rows that lost their
// ids.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include <arrow/result.h>

#include "lake/catalog/file_summary.h"
#include "lake/scan/table_cursor.h"

namespace df::lake {

struct UnreferredAttributes {
  int64_t num_rows = 0;
  IdRange parents = kEmptyIdRange;
};

/// Counts the rows of resource_attrs or scope_attrs of a partition that no root row of it can refer
/// to, whatever its signal; `listed` are the signals whose root files are in `files`, those of
/// others are looked for. Where the offset of upstream's ids matters, every offset that the ids of
/// a root file allow is taken to be right, so rows that are counted are nobody's. Errors: when a
/// root file cannot be read. Cost: reads the id columns of all root files, so it is for rows that
/// have lost theirs; what it holds is charged to the budget of the context.
Result<UnreferredAttributes> FindUnreferredAttributes(const PartitionFiles& files,
                                                      otap::TableKind kind,
                                                      std::span<const otap::Signal> listed,
                                                      const ReadContext& context);

/// Tells whether any row of a root file has an id in the struct, "resource" or "scope".
Result<bool> HasNestedIds(const FileSummary& file, std::string_view name,
                          const ReadContext& context);

/// Says that root rows have lost the ids of their resources or scopes. `where`: in how many files
/// or rows, as " in 3 files"; empty for those of the file that `first` names.
Status DescribeLostIds(otap::TableKind kind, std::string_view where,
                       const UnreferredAttributes& unreferred, const Location& first);

}  // namespace df::lake
