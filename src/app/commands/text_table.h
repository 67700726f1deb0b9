// Tables for people: columns of one width.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace df::app {

/// Returns the number of characters of Unicode of a text.
size_t WidthOf(const std::string& text);

class TextTable {
 public:
  struct Column {
    std::string title;
    bool is_number = false;  ///< stands at the right
  };

  explicit TextTable(std::vector<Column> columns) : columns_(std::move(columns)) {}

  /// Adds a row with a text for each column, none of which has ends of lines.
  void Add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }

  /// Returns a line for the titles and one for each row. Widths count characters of Unicode.
  std::string ToText() const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace df::app
