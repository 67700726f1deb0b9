// Export requests as a multiset of log records, spans or data points.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <arrow/result.h>

#include "otap/schema.h"
#include "otlp/compare/canonical_text.h"

namespace df::otlp {

/// What two sets of requests differ in.
struct Comparison {
  int64_t expected = 0;                       ///< items expected
  int64_t missing = 0;                        ///< items expected more often than they are there
  int64_t extra = 0;                          ///< items there more often than expected
  std::vector<std::string> missing_examples;  ///< "2 x <text>", a few
  std::vector<std::string> extra_examples;

  bool is_equal() const { return missing == 0 && extra == 0; }
  /// Returns "logs: 1999/2000 items equal, 0 extra".
  std::string Line(otap::Signal signal) const;
};

/// Counts the items of expected and of actual requests, each with its resource, scope, schema URLs
/// and metric head, whatever they are grouped by. A metric without data points is one item.
class ItemCounts {
 public:
  ItemCounts(otap::Signal signal, const CompareOptions& options)
      : signal_(signal), options_(options) {}

  /// Adds a request. Errors: Invalid when it is not protobuf.
  arrow::Status AddExpected(std::string_view request) { return Add(request, 1); }
  arrow::Status AddActual(std::string_view request) { return Add(request, -1); }

  Comparison Compare() const;

 private:
  struct Balance {
    int64_t expected = 0;
    int64_t actual = 0;
  };

  arrow::Status Add(std::string_view request, int side);
  void Count(std::string item, int side);

  /// Returns the number of a head that many items share, so that it is kept once.
  std::string Share(std::string text);
  std::string Explain(const std::string& item) const;

  otap::Signal signal_;
  CompareOptions options_;
  std::unordered_map<std::string, int64_t> head_numbers_;
  std::vector<std::string> heads_;
  std::unordered_map<std::string, Balance> items_;
};

/// Compares files: of requests behind their lengths, or of OTLP JSON, one request a line.
/// Errors: those of VisitRequests, RequestFromJson and ItemCounts.
arrow::Result<Comparison> CompareFiles(otap::Signal signal, const std::string& expected,
                                       const std::vector<std::string>& actual,
                                       const CompareOptions& options);

}  // namespace df::otlp
