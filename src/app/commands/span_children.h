// Events and links of spans as text.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "otap/batch.h"
#include "select/source.h"

namespace df::app {

/// Calls: from one thread. Owner: borrows the batch, which has plain ids.
class SpanChildren {
 public:
  explicit SpanChildren(const otap::Batch& batch);
  ~SpanChildren();

  /// Returns the events, or the links, of a row of spans as a list of JSON; "" where it has none.
  std::string EventsOf(int64_t row) const;
  std::string LinksOf(int64_t row) const;

  /// Appends ,"events":[..] and ,"links":[..] of a row of spans; nothing where it has none.
  void AppendJsonOf(int64_t row, std::string* json) const;

  /// Appends a line for each event and link.
  void AppendLinesOf(int64_t row, std::string* text) const;

 private:
  /// One of the two tables.
  struct Table {
    std::shared_ptr<arrow::RecordBatch> rows;
    std::unordered_map<uint32_t, std::vector<int64_t>> by_parent;
    std::unique_ptr<select::Source> attributes;
  };

  static Table MakeTable(const otap::Batch& batch, otap::TableKind kind,
                         otap::TableKind attributes);
  const std::vector<int64_t>* RowsOf(const Table& table, int64_t row) const;
  template <typename Write>
  std::string ListOf(const Table& table, int64_t row, const Write& write) const;
  std::string EventJson(int64_t row) const;
  std::string LinkJson(int64_t row) const;

  std::shared_ptr<arrow::Array> ids_;
  Table events_;
  Table links_;
};

}  // namespace df::app
