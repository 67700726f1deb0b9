#include "select/condition.h"

#include <algorithm>
#include <utility>

#include "select/program.h"

namespace df::select {

namespace {

/// Tells whether all that a program reads stands in columns of the root table that are no ids.
bool ReadsRootOnly(const Program& program, otap::Signal signal) {
  return std::all_of(program.paths.begin(), program.paths.end(), [signal](const Path& path) {
    return path.info->reading != Reading::kAttributes &&
           (signal != otap::Signal::kMetrics || path.info->place != Place::kItem);
  });
}

/// Makes a program of what the root table alone answers: of all, or of the first parts that must
/// all hold. Later ones are not asked where an earlier one has no answer, so they do not count.
Result<std::shared_ptr<const Program>> CompileRootPart(
    std::string_view text, otap::Signal signal, const std::shared_ptr<const Program>& whole) {
  if (ReadsRootOnly(*whole, signal)) {
    return whole;
  }
  ARROW_ASSIGN_OR_RAISE(const TestSyntaxPtr syntax, ParseCondition(text));
  if (syntax->kind != TestSyntax::Kind::kAnd) {
    return nullptr;
  }
  size_t num_parts = 0;
  for (; num_parts < syntax->parts.size(); ++num_parts) {
    ARROW_ASSIGN_OR_RAISE(const Program part,
                          CompileCondition(*syntax->parts[num_parts], ContextOf(signal)));
    if (!ReadsRootOnly(part, signal)) {
      break;
    }
  }
  if (num_parts == 0) {
    return nullptr;
  }
  syntax->parts.resize(num_parts);
  ARROW_ASSIGN_OR_RAISE(Program part, CompileCondition(*syntax, ContextOf(signal)));
  return std::make_shared<const Program>(std::move(part));
}

Answer AskProgram(const Program& program, const otap::Batch& batch, otap::TableKind table,
                  const otap::RowSet& asked) {
  Answer answer(asked.num_rows());
  const Items items(batch, table);
  Frame frame(&items, program.paths);
  program.test->Ask(frame, asked, &answer);
  return answer;
}

}  // namespace

Result<Condition> Condition::Compile(std::string_view text, otap::Signal signal) {
  ARROW_ASSIGN_OR_RAISE(const TestSyntaxPtr syntax, ParseCondition(text));
  ARROW_ASSIGN_OR_RAISE(Program program, CompileCondition(*syntax, ContextOf(signal)));
  Condition condition;
  condition.text_ = text;
  condition.signal_ = signal;
  condition.program_ = std::make_shared<const Program>(std::move(program));
  ARROW_ASSIGN_OR_RAISE(condition.root_part_, CompileRootPart(text, signal, condition.program_));
  return condition;
}

std::vector<std::string_view> Condition::RootPartColumns() const {
  std::vector<std::string_view> columns;
  for (const Path& path : root_part_->paths) {
    columns.push_back(path.info->column);
    if (path.info->reading == Reading::kEndNanos || path.info->reading == Reading::kEndTime) {
      columns.push_back("duration_time_unix_nano");
    } else if (path.info->reading == Reading::kForTypes) {
      columns.push_back("metric_type");
    }
  }
  return columns;
}

Answer Condition::AskRootPart(const otap::Batch& batch, const otap::RowSet& asked) const {
  return AskProgram(*root_part_, batch, otap::RootTable(signal_), asked);
}

Answer Condition::Ask(const otap::Batch& batch, otap::TableKind table,
                      const otap::RowSet& asked) const {
  return AskProgram(*program_, batch, table, asked);
}

}  // namespace df::select
