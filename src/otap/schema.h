// The 27 tables of the OTAP data model as data. Readers, writers, validators and codecs iterate
// this registry.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include <arrow/type_fwd.h>

namespace df::otap {

enum class Signal : uint8_t { kLogs = 0, kTraces = 1, kMetrics = 2 };
inline constexpr std::array<Signal, 3> kAllSignals = {Signal::kLogs, Signal::kTraces,
                                                      Signal::kMetrics};

/// Returns "logs", "traces" or "metrics".
std::string_view Name(Signal signal);

/// Finds a signal by its name, or nothing.
std::optional<Signal> FindSignal(std::string_view name);

/// The tables; the value is the ArrowPayloadType number on the wire.
enum class TableKind : uint8_t {
  kResourceAttrs = 1,
  kScopeAttrs = 2,
  kUnivariateMetrics = 10,
  kNumberDataPoints = 11,
  kSummaryDataPoints = 12,
  kHistogramDataPoints = 13,
  kExpHistogramDataPoints = 14,
  kNumberDpAttrs = 15,
  kSummaryDpAttrs = 16,
  kHistogramDpAttrs = 17,
  kExpHistogramDpAttrs = 18,
  kNumberDpExemplars = 19,
  kHistogramDpExemplars = 20,
  kExpHistogramDpExemplars = 21,
  kNumberDpExemplarAttrs = 22,
  kHistogramDpExemplarAttrs = 23,
  kExpHistogramDpExemplarAttrs = 24,
  kMultivariateMetrics = 25,
  kMetricAttrs = 26,
  kLogs = 30,
  kLogAttrs = 31,
  kSpans = 40,
  kSpanAttrs = 41,
  kSpanEvents = 42,
  kSpanLinks = 43,
  kSpanEventAttrs = 44,
  kSpanLinkAttrs = 45,
};
inline constexpr size_t kTableCount = 27;

enum class ColumnType : uint8_t {
  kUInt8,
  kUInt16,
  kUInt32,
  kUInt64,
  kInt32,
  kInt64,
  kFloat64,
  kBool,
  kUtf8,
  kBinary,
  kFixedBinary8,
  kFixedBinary16,
  kTimestamp,  ///< nanoseconds, no zone
  kDuration,   ///< nanoseconds
  kListUInt64,
  kListFloat64,
  kListQuantile,  ///< list of struct{quantile double, value double}
  kStruct,
};

/// Which dictionary forms a column may take in memory besides its native form.
enum class DictionaryRule : uint8_t {
  kNone,  ///< native only
  kAny,   ///< Dictionary(UInt8) or Dictionary(UInt16)
  kWide,  ///< Dictionary(UInt16) only
};

/// What a column means to the joins.
enum class ColumnRole : uint8_t { kData, kId, kParentId };

struct Column {
  std::string_view name;
  ColumnType type;
  DictionaryRule dictionary = DictionaryRule::kNone;
  bool required = false;
  ColumnRole role = ColumnRole::kData;
  std::span<const Column> children = {};
};

/// How `parent_id` is written on the wire (format reference 3.2).
enum class ParentEncoding : uint8_t {
  kNone,  ///< the table has no parent_id
  kDelta,
  kQuasiDelta,           ///< restarts when TableInfo::quasi_delta_key changes
  kQuasiDeltaAttribute,  ///< restarts when (type, key, active value) changes
};

struct TableInfo {
  TableKind kind;
  std::string_view directory;  ///< folder under the base of a lake; the lower-case payload name
  uint8_t signals;             ///< bit (1 << Signal)
  std::optional<TableKind> parent;  ///< nothing for roots, and for resource and scope attributes,
                                    ///< whose parent is any root
  uint8_t id_bits;                  ///< 0, 16 or 32
  uint8_t parent_id_bits;           ///< 0, 16 or 32
  ParentEncoding parent_encoding;
  std::array<std::string_view, 2> quasi_delta_key;  ///< column names, "" where unused
  bool is_attributes;
  std::span<const Column> columns;

  bool is_root() const { return parent_id_bits == 0; }
  bool has_signal(Signal signal) const { return (signals >> static_cast<int>(signal) & 1) != 0; }
};

/// All tables, in the order in which a payload lists them: resource and scope attributes, root,
/// then by level.
std::span<const TableInfo, kTableCount> AllTables();

/// Returns the description of a table.
const TableInfo& GetTable(TableKind kind);

/// Returns the position of a table in AllTables(): dense, for arrays indexed by table.
size_t TableIndex(TableKind kind);

/// Finds a table by its directory name, or returns null.
const TableInfo* FindTable(std::string_view directory);

/// Finds a table by its payload number, or returns null.
const TableInfo* FindTable(int payload_number);

/// Returns the root table of a signal: logs, spans or univariate_metrics.
TableKind RootTable(Signal signal);

/// Finds a column of a table or struct by name, or returns null.
const Column* FindColumn(std::span<const Column> columns, std::string_view name);

/// Returns the native (not dictionary) Arrow type of a column as held in memory.
std::shared_ptr<arrow::DataType> NativeType(const Column& column);

/// Largest number of root rows in a batch: ids are u16 and 65,535 is the count that every known
/// peer accepts.
inline constexpr int64_t kMaxRootRows = 65'535;

/// Most entries of a dictionary by key width; one below the theoretical limit, as peers do when
/// they merge dictionaries.
inline constexpr int64_t kMaxDictionary8 = 255;
inline constexpr int64_t kMaxDictionary16 = 65'535;

}  // namespace df::otap
