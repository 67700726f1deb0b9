// How many items have which values.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "app/commands/archive.h"
#include "base/error.h"
#include "lake/read/payload.h"
#include "select/expression.h"

namespace df::app {

/// A field by which items are counted, as it was named.
struct GroupField {
  enum class Kind : uint8_t {
    kExpression,
    kSeverity,  ///< the name of the severity number, without its last digit
    kStatus,    ///< of spans: unset, ok, error
    kPeriod,    ///< the begin of the period that the event time is in
  };
  std::string name;
  Kind kind = Kind::kExpression;
  std::optional<select::Expression> expression;
  int64_t period_nanos = 0;
};

/// Finds the field of a name: service, severity, status, hour, day, minute, or an expression of
/// docs/conditions.md. Errors: Invalid naming what was found.
Result<GroupField> FindGroupField(const std::string& name, otap::Signal signal);

/// A period as a field. Errors: Invalid for one that is not positive.
Result<GroupField> PeriodField(const std::string& duration);

/// Counts items by the values of some fields. Calls: from one thread.
class GroupCounts {
 public:
  /// More groups than these are an error: each takes memory.
  static constexpr size_t kMostGroups = 1'000'000;

  explicit GroupCounts(const std::vector<GroupField>& fields) : fields_(fields) {}

  /// Adds all items of a payload. Errors: Invalid when there are too many groups.
  Status Add(const lake::Payload& payload);
  /// Adds what another one has counted by the same fields. Errors: as Add.
  Status Merge(const GroupCounts& other);

  /// By the values of the fields, each as JSON.
  const std::map<std::vector<std::string>, int64_t>& groups() const { return groups_; }
  int64_t num_items() const { return num_items_; }

 private:
  Status AddTable(const otap::Batch& batch, otap::TableKind table);
  Status CheckSize() const;

  const std::vector<GroupField>& fields_;
  std::map<std::vector<std::string>, int64_t> groups_;
  int64_t num_items_ = 0;
};

/// Counts what is wanted of an archive, of some signals (none: all that are open). Errors: as
/// Archive::Read and GroupCounts::Add. Owner: the counts borrow the fields.
Result<GroupCounts> CountBy(Archive* archive, const std::vector<GroupField>& fields,
                            const std::vector<otap::Signal>& signals = {});

}  // namespace df::app
