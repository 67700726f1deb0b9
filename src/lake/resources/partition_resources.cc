#include "lake/resources/partition_resources.h"

#include <algorithm>
#include <utility>

namespace df::lake {
namespace {

bool HasFiles(const PartitionFiles& files, otap::TableKind kind, bool has_key) {
  const auto& list = files.of(kind);
  return std::any_of(list.begin(), list.end(), [&](const FileSummaryPtr& file) {
    return file->num_rows() > 0 && file->has_partition_scope_ids == has_key;
  });
}

}  // namespace

PartitionResources::PartitionResources(const PartitionFiles& files, otap::Signal signal,
                                       ResourceJoin policy, ReadContext* context)
    : files_(files),
      signal_(signal),
      policy_(policy),
      context_(context),
      joins_(files.joins == nullptr ? std::make_shared<PartitionJoins>() : files.joins) {}

Result<std::vector<ResourceStretch>> PartitionResources::Resolve(const TableFile& file,
                                                                 size_t file_index) {
  ResourceStretch whole;
  if (file.has_partition_scope_ids()) {
    whole.join = StretchJoin::kAsStored;
    if (HasFiles(files_, otap::TableKind::kResourceAttrs, false) ||
        HasFiles(files_, otap::TableKind::kScopeAttrs, false) || HasSeveralWriters()) {
      joins_->LoadParents(files_, context_);
      files_.joins = joins_->has_failed() ? nullptr : joins_;
    }
    return std::vector{whole};
  }
  if (policy_ == ResourceJoin::kDrop) {
    whole.join = StretchJoin::kUnknown;
    return std::vector{whole};
  }
  auto stretches = Infer(file_index);
  files_.joins = joins_->has_failed() ? nullptr : joins_;
  return stretches;
}

bool PartitionResources::HasSeveralWriters() {
  if (!has_several_writers_.has_value()) {
    has_several_writers_ = KeyedRootsShareIds(files_);
  }
  return *has_several_writers_;
}

Result<std::vector<ResourceStretch>> PartitionResources::Infer(size_t file_index) {
  ResourceStretch whole;
  joins_->LoadParents(files_, context_);
  const auto& resources = joins_->attributes(AttributeKind::kResource);
  const auto& scopes = joins_->attributes(AttributeKind::kScope);
  const bool has_attributes = !resources.keyed.empty() || !resources.unkeyed.empty() ||
                              !scopes.keyed.empty() || !scopes.unkeyed.empty();
  if (!has_attributes && joins_->is_complete()) {
    return std::vector{whole};  // nothing to join
  }
  ARROW_RETURN_NOT_OK(joins_->Infer(files_, context_));
  if (resources.joins_as_stored || scopes.joins_as_stored) {
    whole.join = StretchJoin::kProved;
    return std::vector{whole};
  }
  ARROW_RETURN_NOT_OK(joins_->ErrorOf(signal_, file_index));
  std::vector<ResourceStretch> stretches = joins_->StretchesOf(signal_, file_index);
  if (stretches.empty()) {  // no rows
    stretches.push_back(whole);
  }
  return stretches;
}

bool PartitionResources::IsKnown(AttributeKind kind, const ResourceStretch& stretch,
                                 uint32_t nested_id) const {
  const PartitionJoins::Attributes& attributes = joins_->attributes(kind);
  switch (stretch.join) {
    case StretchJoin::kUnknown:
      return false;
    case StretchJoin::kAsStored:
      // Those may be of another writer.
      return !attributes.unkeyed.Has(nested_id) && !attributes.keyed_twice.Has(nested_id);
    case StretchJoin::kProved:
      return attributes.joins_as_stored || (attributes.keyed.empty() && attributes.unkeyed.empty());
    case StretchJoin::kInferred:
      break;
  }
  if (!attributes.keyed.empty() &&
      (!attributes.has_unkeyed_files ||
       attributes.keyed.HasAnyIn(uint64_t{stretch.least_offset} + nested_id,
                                 uint64_t{stretch.offset} + nested_id))) {
    return false;  // attribute rows of another writer, or of this one without its key
  }
  const auto& joins = joins_->joins();
  return !joins.has_value() || joins->IsKnown(kind, stretch, nested_id);
}

}  // namespace df::lake
