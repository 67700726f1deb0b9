// A condition that has been checked: a tree of tests over values.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "otap/rows.h"
#include "select/condition.h"
#include "select/source.h"
#include "select/syntax.h"
#include "select/trace_ids.h"
#include "select/value.h"

namespace df::select {

/// The fields of a program, bound to the rows of one table as they are asked for.
class Frame {
 public:
  /// Owner: borrows all. `items` may be null for values that read no field. `traces`: those that
  /// were found, by question.
  Frame(const Items* items, const std::vector<Path>& paths,
        std::span<const TraceIdsPtr> traces = {})
      : items_(items), paths_(paths), traces_(traces), sources_(paths.size()) {}

  /// Returns the traces that were found for a question; null where nobody has looked.
  const TraceIds* traces(size_t question) const {
    return question < traces_.size() ? traces_[question].get() : nullptr;
  }

  const Source& source(size_t path) {
    if (sources_[path] == nullptr) {
      sources_[path] = items_->Bind(paths_[path]);
    }
    return *sources_[path];
  }

 private:
  const Items* items_;
  const std::vector<Path>& paths_;
  std::span<const TraceIdsPtr> traces_;
  std::vector<std::unique_ptr<Source>> sources_;
};

/// Something that has a value for each row.
class Operand {
 public:
  virtual ~Operand() = default;
  virtual Value At(Frame& frame, int64_t row) const = 0;
  virtual StaticKind kind() const { return StaticKind::kAny; }
  /// Its value where that is the same for all rows, or null.
  virtual const Value* constant() const { return nullptr; }
  /// Adds the paths that it reads, as numbers in the program.
  virtual void AddPaths(std::vector<size_t>* paths) const = 0;
};
using OperandPtr = std::unique_ptr<Operand>;

/// Something that is true or false for each row, or fails.
class Test {
 public:
  virtual ~Test() = default;
  /// Adds what holds for the rows in `asked` to the answer.
  virtual void Ask(Frame& frame, const otap::RowSet& asked, Answer* answer) const = 0;
  /// Its answer where that is the same for all rows.
  virtual std::optional<bool> constant() const { return std::nullopt; }
};
using TestPtr = std::unique_ptr<Test>;

/// Owner: owns the tests, which refer to its paths by number. Calls: from any thread.
struct Program {
  TestPtr test;
  std::vector<Path> paths;
};

/// Checks a condition and makes a program of it. Errors: Invalid naming line, column, what was
/// found and what was expected. `questions` takes the texts of what is asked of traces, each once,
/// and may have some of other parts; it is null where that cannot be answered.
Result<Program> CompileCondition(const TestSyntax& syntax, Context context,
                                 std::vector<std::string>* questions = nullptr);

/// A value that has been checked. Owner and calls: as Program.
struct ValueProgram {
  OperandPtr value;
  std::vector<Path> paths;
  bool is_field = false;  ///< the value is its one path
};

/// Checks a value and makes a program of it. Errors: as CompileCondition.
Result<ValueProgram> CompileValue(const ValueSyntax& syntax, Context context);

}  // namespace df::select
