#include "select/condition.h"

#include <algorithm>
#include <utility>

#include "select/program.h"

namespace df::select {

Result<Condition> Condition::Compile(std::string_view text, otap::Signal signal) {
  ARROW_ASSIGN_OR_RAISE(const TestSyntaxPtr syntax, ParseCondition(text));
  ARROW_ASSIGN_OR_RAISE(Program program, CompileCondition(*syntax, ContextOf(signal)));
  Condition condition;
  condition.text_ = text;
  condition.signal_ = signal;
  condition.program_ = std::make_shared<const Program>(std::move(program));
  return condition;
}

bool Condition::reads_root_only() const {
  return signal_ != otap::Signal::kMetrics &&
         std::none_of(program_->paths.begin(), program_->paths.end(),
                      [](const Path& path) { return path.info->reading == Reading::kAttributes; });
}

Answer Condition::Ask(const otap::Batch& batch, otap::TableKind table,
                      const otap::RowSet& asked) const {
  Answer answer(asked.num_rows());
  const Items items(batch, table);
  Frame frame(&items, program_->paths);
  program_->test->Ask(frame, asked, &answer);
  return answer;
}

}  // namespace df::select
