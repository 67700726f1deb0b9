#include "app/commands/graph_svg.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <utility>

#include <fmt/format.h>

#include "app/commands/text_table.h"
#include "base/text.h"

namespace df::app {
namespace {

// Lengths in pixels.
constexpr int kLetterWidth = 8;  // of a monospaced font of 13 pixels, rounded up
constexpr int kPadding = 12;
constexpr int kNodeHeight = 44;
constexpr int kRowHeight = 68;
constexpr int kGap = 56;  // between columns, without labels
constexpr int kMargin = 20;
constexpr int kTitleHeight = 32;
constexpr int kLabelStep = 14;

constexpr std::string_view kStyle =
    "text{font:13px ui-monospace,Menlo,Consolas,monospace;fill:#1f2933}"
    ".type{font-size:11px;fill:#52606d}.title{font-weight:bold}"
    ".label{font-size:11px;text-anchor:middle;paint-order:stroke;stroke:#fff;stroke-width:4px}"
    "rect{stroke:#52606d;rx:6px}.receiver{fill:#e3f8e9}.processor{fill:#e6f0fb}"
    ".exporter{fill:#fdf0df}path.edge{fill:none;stroke:#7b8794;stroke-width:1.5px}";

int WidthOfText(const std::string& text) { return static_cast<int>(WidthOf(text)) * kLetterWidth; }

std::string Escaped(std::string_view text) {
  std::string escaped;
  for (const char letter : text) {
    switch (letter) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      case '\'':
        escaped += "&#39;";
        break;
      default:
        escaped += letter;
    }
  }
  return escaped;
}

struct Point {
  int x = 0;
  int y = 0;
};

/// A node, or a place where an edge passes a column.
struct Stop {
  size_t column = 0;
  double rank = 0;  ///< decides the order in a column
  int row = 0;
  std::vector<size_t> before;  ///< stops of the columns before that lead here
};

/// All edges between two nodes.
struct Strand {
  std::vector<size_t> stops;  ///< from the node that sends to the one that takes
  std::string label;
};

/// Where everything of one pipeline is.
class Layout {
 public:
  explicit Layout(const PipelineGraph& graph) : graph_(graph), stops_(graph.nodes.size()) {
    AssignColumns();
    LayStrands();
    OrderRows();
    Measure();
  }

  int width() const { return width_; }
  int height() const { return kTitleHeight + num_rows_ * kRowHeight; }

  /// Appends the picture; `top` is where it begins.
  void Draw(int top, std::string* out) const;

 private:
  /// Places where long edges pass a column. Edges beyond so many go straight.
  size_t MostPasses() const { return 4 * (graph_.nodes.size() + graph_.edges.size()); }

  void AssignColumns() {
    for (const GraphEdge& edge : graph_.edges) {  // by `from`, whose column is final by then
      size_t& column = stops_[edge.to].column;
      column = std::max(column, stops_[edge.from].column + 1);
      num_columns_ = std::max(num_columns_, column + 1);
    }
  }

  void LayStrands() {
    std::map<std::pair<size_t, size_t>, std::string> between;
    for (const GraphEdge& edge : graph_.edges) {
      std::string& label = between[{edge.from, edge.to}];
      const std::string more = edge.Label();
      label += (label.empty() || more.empty() ? "" : "; ") + more;
    }
    for (auto& [ends, label] : between) {
      Strand strand{.stops = {ends.first}, .label = std::move(label)};
      const size_t last = stops_[ends.second].column;
      const size_t first = stops_[ends.first].column + 1;
      if (stops_.size() - graph_.nodes.size() + (last - first) <= MostPasses()) {
        for (size_t column = first; column < last; ++column) {
          strand.stops.push_back(stops_.size());
          stops_.push_back({.column = column});
        }
      }
      strand.stops.push_back(ends.second);
      for (size_t at = 1; at < strand.stops.size(); ++at) {
        stops_[strand.stops[at]].before.push_back(strand.stops[at - 1]);
      }
      strands_.push_back(std::move(strand));
    }
  }

  /// Each stop goes beside those that lead to it.
  void OrderRows() {
    std::vector<std::vector<size_t>> columns(num_columns_);
    for (size_t stop = 0; stop < stops_.size(); ++stop) {
      columns[stops_[stop].column].push_back(stop);
    }
    for (const auto& column : columns) {
      num_rows_ = std::max(num_rows_, static_cast<int>(column.size()));
    }
    for (auto& column : columns) {
      for (const size_t stop : column) {
        const std::vector<size_t>& before = stops_[stop].before;
        if (!before.empty()) {
          const int sum =
              std::accumulate(before.begin(), before.end(), 0,
                              [this](int so_far, size_t one) { return so_far + stops_[one].row; });
          stops_[stop].rank = static_cast<double>(sum) / static_cast<double>(before.size());
        }
      }
      std::stable_sort(column.begin(), column.end(),
                       [this](size_t a, size_t b) { return stops_[a].rank < stops_[b].rank; });
      // In half rows, so that a short column stands at the middle of a long one.
      int row = num_rows_ - static_cast<int>(column.size());
      for (const size_t stop : column) {
        stops_[stop].row = row;
        row += 2;
      }
    }
  }

  int NodeWidth(size_t node) const {
    return 2 * kPadding +
           std::max(WidthOfText(graph_.nodes[node].name), WidthOfText(graph_.nodes[node].type));
  }

  void Measure() {
    std::vector<int> widths(num_columns_);
    std::vector<int> gaps(num_columns_, kGap);
    for (size_t node = 0; node < graph_.nodes.size(); ++node) {
      int& width = widths[stops_[node].column];
      width = std::max(width, NodeWidth(node));
    }
    for (const Strand& strand : strands_) {
      int& gap = gaps[stops_[strand.stops[0]].column];
      gap = std::max(gap, kGap + WidthOfText(strand.label));
    }
    int x = kMargin;
    for (size_t column = 0; column < num_columns_; ++column) {
      lefts_.push_back(x);
      x += widths[column];
      rights_.push_back(x);
      x += gaps[column];
    }
    width_ = std::max(rights_.back(), kMargin + WidthOfText(graph_.Title())) + kMargin;
  }

  int MiddleOf(size_t stop) const {
    return kTitleHeight + stops_[stop].row * kRowHeight / 2 + kRowHeight / 2;
  }
  Point LeftOf(size_t stop) const { return {lefts_[stops_[stop].column], MiddleOf(stop)}; }
  Point RightOf(size_t stop) const {
    const size_t column = stops_[stop].column;
    const bool is_node = stop < graph_.nodes.size();
    return {is_node ? lefts_[column] + NodeWidth(stop) : rights_[column], MiddleOf(stop)};
  }

  void DrawStrand(const Strand& strand, int top, std::map<std::pair<int, int>, int>* labels,
                  std::string* out) const;

  const PipelineGraph& graph_;
  std::vector<Stop> stops_;  ///< those of the nodes first
  std::vector<Strand> strands_;
  size_t num_columns_ = 1;
  int num_rows_ = 0;
  std::vector<int> lefts_;   ///< of columns
  std::vector<int> rights_;  ///< the same
  int width_ = 0;
};

void Layout::DrawStrand(const Strand& strand, int top, std::map<std::pair<int, int>, int>* labels,
                        std::string* out) const {
  Point from = RightOf(strand.stops[0]);
  std::string path = fmt::format("M{} {}", from.x, from.y + top);
  Point label;
  for (size_t at = 1; at < strand.stops.size(); ++at) {
    const size_t stop = strand.stops[at];
    const Point to = LeftOf(stop);
    const int bend = from.x + (to.x - from.x) / 2;
    path +=
        fmt::format("C{} {} {} {} {} {}", bend, from.y + top, bend, to.y + top, to.x, to.y + top);
    if (at == 1) {
      label = {bend, (from.y + to.y) / 2 - 5};
    }
    from = to;
    if (at + 1 < strand.stops.size()) {
      from = RightOf(stop);
      path += fmt::format("H{}", from.x);
    }
  }
  *out += fmt::format("<path class=\"edge\" d=\"{}\" marker-end=\"url(#arrow)\"/>\n", path);
  if (!strand.label.empty()) {
    const int num_there = (*labels)[{label.x, label.y}]++;
    *out += fmt::format("<text class=\"label\" x=\"{}\" y=\"{}\">{}</text>\n", label.x,
                        label.y + top + num_there * kLabelStep, Escaped(strand.label));
  }
}

void Layout::Draw(int top, std::string* out) const {
  *out += fmt::format("<text class=\"title\" x=\"{}\" y=\"{}\">{}</text>\n", kMargin, top + 18,
                      Escaped(graph_.Title()));
  std::map<std::pair<int, int>, int> labels;
  for (const Strand& strand : strands_) {
    DrawStrand(strand, top, &labels, out);
  }
  for (size_t node = 0; node < graph_.nodes.size(); ++node) {
    const GraphNode& one = graph_.nodes[node];
    const Point left = LeftOf(node);
    const int y = left.y + top - kNodeHeight / 2;
    *out += fmt::format(
        "<rect class=\"{}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"/>\n"
        "<text x=\"{}\" y=\"{}\">{}</text>\n"
        "<text class=\"type\" x=\"{}\" y=\"{}\">{}</text>\n",
        Name(one.kind), left.x, y, NodeWidth(node), kNodeHeight, left.x + kPadding, y + 19,
        Escaped(one.name), left.x + kPadding, y + 35, Escaped(one.type));
  }
}

}  // namespace

std::string DrawSvg(std::string_view title, const std::vector<PipelineGraph>& graphs) {
  std::string body;
  int width = 0;
  int top = kMargin;
  for (const PipelineGraph& graph : graphs) {
    const Layout layout(graph);
    layout.Draw(top, &body);
    width = std::max(width, layout.width());
    top += layout.height() + kMargin;
  }
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} "
      "{1}\" role=\"img\">\n<title>{2}</title>\n<style>{3}</style>\n"
      "<defs><marker id=\"arrow\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"8\" "
      "markerHeight=\"8\" orient=\"auto\"><path d=\"M0 0L8 4L0 8z\" fill=\"#7b8794\"/></marker>"
      "</defs>\n<rect width=\"{0}\" height=\"{1}\" fill=\"#fff\"/>\n{4}</svg>\n",
      width, top, Escaped(PrintableText(title)), kStyle, body);
}

}  // namespace df::app
