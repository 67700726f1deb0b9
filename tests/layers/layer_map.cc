#include "layers/layer_map.h"

#include <sstream>
#include <utility>
#include <vector>

#include <arrow/status.h>

namespace df::layers {
namespace {

using Edges = std::map<std::string, LayerEdges, std::less<>>;

arrow::Status ParseLine(const std::string& line, int line_number, Edges* edges) {
  const size_t colon = line.find(':');
  if (colon == std::string::npos) {
    return arrow::Status::Invalid("line ", line_number, ": expected 'layer: others', found '", line,
                                  "'");
  }
  LayerEdges parsed;
  std::istringstream words(line.substr(colon + 1));
  for (std::string word; words >> word;) {
    if (word.front() == '+') {
      parsed.in_tests.insert(word.substr(1));
    } else {
      parsed.always.insert(word);
    }
  }
  const std::string layer = line.substr(0, colon);
  if (!edges->emplace(layer, std::move(parsed)).second) {
    return arrow::Status::Invalid("line ", line_number, ": layer '", layer, "' is stated twice");
  }
  return arrow::Status::OK();
}

arrow::Status CheckTargets(const Edges& edges) {
  for (const auto& [layer, targets] : edges) {
    for (const auto* names : {&targets.always, &targets.in_tests}) {
      for (const std::string& name : *names) {
        if (edges.find(name) == edges.end()) {
          return arrow::Status::Invalid("layer '", layer, "' names '", name,
                                        "', which is not stated");
        }
      }
    }
  }
  return arrow::Status::OK();
}

// Takes away layers that lean on nothing left; what cannot be taken away leans on itself.
arrow::Status CheckAcyclic(const Edges& edges) {
  std::set<std::string, std::less<>> left;
  for (const auto& [layer, targets] : edges) {
    left.insert(layer);
  }
  bool progress = true;
  while (progress) {
    progress = false;
    for (const auto& [layer, targets] : edges) {
      bool leans = false;
      for (const std::string& name : targets.always) {
        leans = leans || left.count(name) > 0;
      }
      if (!leans && left.erase(layer) > 0) {
        progress = true;
      }
    }
  }
  if (!left.empty()) {
    return arrow::Status::Invalid("layer '", *left.begin(), "' leads back to itself");
  }
  return arrow::Status::OK();
}

}  // namespace

arrow::Result<LayerMap> LayerMap::Parse(std::string_view text) {
  LayerMap map;
  std::istringstream lines{std::string(text)};
  int line_number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++line_number;
    if (line.empty() || line.front() == '#') {
      continue;
    }
    ARROW_RETURN_NOT_OK(ParseLine(line, line_number, &map.edges_));
  }
  ARROW_RETURN_NOT_OK(CheckTargets(map.edges_));
  ARROW_RETURN_NOT_OK(CheckAcyclic(map.edges_));
  return map;
}

bool LayerMap::Allows(std::string_view from, std::string_view to, bool is_test) const {
  if (from == to) {
    return true;
  }
  const auto found = edges_.find(from);
  if (found == edges_.end() || !Contains(to)) {
    return false;
  }
  if (found->second.always.count(to) > 0) {
    return true;
  }
  return is_test && (to == "testing" || found->second.in_tests.count(to) > 0);
}

}  // namespace df::layers
