// The spans and log records of one trace, and who is below whom.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace df::app {

struct TraceSpan {
  std::string span_id;  ///< in hexadecimal
  std::string parent_id;
  int64_t start = 0;  ///< nanoseconds since 1970
  int64_t end = 0;
  std::string name;
  std::string service;
  std::string error;   ///< what its status says; "" when that is no error
  std::string detail;  ///< its attributes, on one line
  std::string json;    ///< of `spans --json`, without an end of line
};

struct TraceLog {
  std::string span_id;
  int64_t time = 0;
  std::string line;  ///< of `logs`, without an end of line
  std::string json;
};

struct Trace {
  std::string id;
  std::vector<TraceSpan> spans;
  std::vector<TraceLog> logs;
};

/// A span in the order of the tree.
struct TreeLine {
  size_t span = 0;  ///< in Trace::spans
  int depth = 0;
  bool is_detached = false;  ///< its parent is not among the spans, or is below it
};

/// Puts spans below their parents, children by their start. Each stands once, also where span ids
/// stand twice or parents go round in circles. Cost: O(n log n).
std::vector<TreeLine> OrderTree(const std::vector<TraceSpan>& spans);

/// Writes the tree with a bar for each span. `width` is that of the bars, in characters.
std::string DrawTrace(const Trace& trace, size_t width, bool has_color);

}  // namespace df::app
