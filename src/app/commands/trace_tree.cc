#include "app/commands/trace_tree.h"

#include <algorithm>
#include <map>
#include <set>
#include <string_view>
#include <unordered_map>

#include <fmt/format.h>

#include "app/commands/duration_text.h"
#include "app/commands/moment.h"
#include "app/commands/text_table.h"

namespace df::app {
namespace {

/// Deeper spans stand no further to the right.
constexpr int kMostIndented = 24;

/// "13:00:06.600" of a time.
std::string TimeOfDay(int64_t nanos) {
  const std::string moment = ShowMoment(nanos);
  return moment.substr(moment.find(' ') + 1, 12);
}

std::string Padded(const std::string& text, size_t width) {
  return text + std::string(width - std::min(width, WidthOf(text)), ' ');
}

}  // namespace

std::vector<TreeLine> OrderTree(const std::vector<TraceSpan>& spans) {
  std::unordered_map<std::string_view, size_t> by_id;
  for (size_t i = 0; i < spans.size(); ++i) {
    by_id.try_emplace(spans[i].span_id, i);
  }
  const auto is_earlier = [&spans](size_t a, size_t b) {
    return std::tie(spans[a].start, spans[a].span_id, a) <
           std::tie(spans[b].start, spans[b].span_id, b);
  };
  std::vector<std::vector<size_t>> children(spans.size());
  std::vector<size_t> roots;
  std::vector<bool> is_detached(spans.size(), false);
  for (size_t i = 0; i < spans.size(); ++i) {
    const auto parent = by_id.find(spans[i].parent_id);
    if (spans[i].parent_id.empty()) {
      roots.push_back(i);
    } else if (parent == by_id.end() || parent->second == i) {
      is_detached[i] = true;
      roots.push_back(i);
    } else {
      children[parent->second].push_back(i);
    }
  }
  std::sort(roots.begin(), roots.end(), is_earlier);
  for (std::vector<size_t>& below : children) {
    std::sort(below.begin(), below.end(), is_earlier);
  }
  std::vector<TreeLine> lines;
  std::vector<bool> is_placed(spans.size(), false);
  const auto place = [&](size_t root) {
    std::vector<std::pair<size_t, int>> open = {{root, 0}};
    while (!open.empty()) {
      const auto [span, depth] = open.back();
      open.pop_back();
      if (is_placed[span]) {
        continue;
      }
      is_placed[span] = true;
      lines.push_back({span, depth, is_detached[span]});
      for (auto child = children[span].rbegin(); child != children[span].rend(); ++child) {
        open.emplace_back(*child, depth + 1);
      }
    }
  };
  std::for_each(roots.begin(), roots.end(), place);
  // What is left goes round in a circle: it begins at its earliest span.
  std::vector<size_t> left;
  for (size_t i = 0; i < spans.size(); ++i) {
    if (!is_placed[i]) {
      left.push_back(i);
    }
  }
  std::sort(left.begin(), left.end(), is_earlier);
  for (const size_t span : left) {
    is_detached[span] = !is_placed[span];
    place(span);
  }
  return lines;
}

std::string DrawTrace(const Trace& trace, size_t width, bool has_color) {
  const std::vector<TreeLine> lines = OrderTree(trace.spans);
  int64_t begin = INT64_MAX;
  int64_t end = INT64_MIN;
  std::set<std::string> services;
  std::set<std::string_view> ids;
  for (const TraceSpan& span : trace.spans) {
    ids.insert(span.span_id);
    begin = std::min(begin, span.start);
    end = std::max(end, std::max(span.end, span.start));
    services.insert(span.service);
  }
  size_t name_width = 0;
  size_t service_width = 0;
  for (const TreeLine& line : lines) {
    const TraceSpan& span = trace.spans[line.span];
    const auto indent = static_cast<size_t>(2 * std::min(line.depth, kMostIndented));
    name_width = std::max(name_width, std::min<size_t>(WidthOf(span.name) + indent, 60));
    service_width = std::max(service_width, std::min<size_t>(WidthOf(span.service), 24));
  }
  std::string text = fmt::format("{}  {} spans, {} log records, {} services", trace.id,
                                 trace.spans.size(), trace.logs.size(), services.size());
  if (!trace.spans.empty()) {
    text += fmt::format(", {}, from {}", ShowDuration(end - begin), ShowMoment(begin));
  }
  text += '\n';
  std::multimap<std::string_view, const TraceLog*> logs;
  for (const TraceLog& log : trace.logs) {
    logs.emplace(log.span_id, &log);
  }
  const double length = std::max(1.0, static_cast<double>(end) - static_cast<double>(begin));
  for (const TreeLine& line : lines) {
    const TraceSpan& span = trace.spans[line.span];
    const auto at = [&](int64_t time) {
      const double share = (static_cast<double>(time) - static_cast<double>(begin)) / length;
      return static_cast<size_t>(std::clamp(share, 0.0, 1.0) * static_cast<double>(width));
    };
    const size_t first = std::min(at(span.start), width - 1);
    const size_t last = std::clamp(at(span.end), first + 1, width);
    const std::string bar =
        std::string(first, ' ') + std::string(last - first, '#') + std::string(width - last, ' ');
    const auto indent = static_cast<size_t>(2 * std::min(line.depth, kMostIndented));
    text +=
        fmt::format("  {}  {}  {}  |{}| {}", TimeOfDay(span.start),
                    Padded(std::string(indent, ' ') + span.name, name_width),
                    Padded(span.service, service_width), bar, ShowDuration(span.end - span.start));
    if (!span.error.empty()) {
      text += has_color ? "  \x1b[31m" + span.error + "\x1b[0m" : "  " + span.error;
    }
    if (line.is_detached) {
      text += fmt::format("  (its parent {} is {})", span.parent_id,
                          ids.contains(span.parent_id) ? "itself, or below it" : "not there");
    }
    text += span.detail.empty() ? "\n" : "  " + span.detail + "\n";
    const auto [from, to] = logs.equal_range(span.span_id);
    for (auto log = from; log != to; ++log) {
      text += std::string(indent + 6, ' ') + log->second->line + '\n';
    }
    logs.erase(from, to);
  }
  for (const auto& [span_id, log] : logs) {
    text += "  " + log->line + (span_id.empty() ? "" : "  (its span is not there)") + "\n";
  }
  return text;
}

}  // namespace df::app
