#include "app/commands/text_table.h"

#include <algorithm>

namespace df::app {
size_t WidthOf(const std::string& text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

std::string TextTable::ToText() const {
  std::vector<size_t> widths;
  for (size_t i = 0; i < columns_.size(); ++i) {
    size_t width = columns_[i].title.size();
    for (const auto& row : rows_) {
      width = std::max(width, WidthOf(row[i]));
    }
    widths.push_back(width);
  }
  std::string text;
  const auto append = [&](const auto& cell_of) {
    std::string line;
    for (size_t i = 0; i < columns_.size(); ++i) {
      const std::string& cell = cell_of(i);
      const std::string space(widths[i] - std::min(widths[i], WidthOf(cell)), ' ');
      line += (i == 0 ? "" : "  ") + (columns_[i].is_number ? space + cell : cell + space);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + '\n';
  };
  append([this](size_t i) -> const std::string& { return columns_[i].title; });
  for (const auto& row : rows_) {
    append([&row](size_t i) -> const std::string& { return row[i]; });
  }
  return text;
}

}  // namespace df::app
