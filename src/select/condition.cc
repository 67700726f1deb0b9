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

/// What can be known of a row without putting it together: the first parts of a condition that must
/// all hold. Later ones are not asked where an earlier one has no answer, so they do not count.
struct FirstParts {
  std::shared_ptr<const Program> root_part;  ///< what the root table alone answers; or null
  std::vector<AttributeNeeds> needs;         ///< of the parts behind it
  std::string needed_of_trace;  ///< what the first of them all asks of traces, and no more
};

Result<FirstParts> CompileFirstParts(std::string_view text, otap::Signal signal,
                                     const std::shared_ptr<const Program>& whole,
                                     std::vector<std::string>* questions) {
  FirstParts first;
  const bool is_root_only = ReadsRootOnly(*whole, signal);
  if (is_root_only) {
    first.root_part = whole;
    if (questions->empty()) {
      return first;
    }
  }
  ARROW_ASSIGN_OR_RAISE(TestSyntaxPtr syntax, ParseCondition(text));
  if (syntax->kind != TestSyntax::Kind::kAnd) {
    auto all = std::make_unique<TestSyntax>();
    all->kind = TestSyntax::Kind::kAnd;
    all->position = syntax->position;
    all->parts.push_back(std::move(syntax));
    syntax = std::move(all);
  }
  size_t num_parts = 0;
  for (; num_parts < syntax->parts.size(); ++num_parts) {
    ARROW_ASSIGN_OR_RAISE(const Program part, CompileCondition(*syntax->parts[num_parts],
                                                               ContextOf(signal), questions));
    if (!ReadsRootOnly(part, signal)) {
      break;
    }
    if (num_parts == 0 && syntax->parts[0]->kind == TestSyntax::Kind::kTraceAny) {
      first.needed_of_trace = syntax->parts[num_parts]->asked_of_trace;
    }
  }
  if (is_root_only) {
    return first;
  }
  for (size_t i = num_parts; i < syntax->parts.size(); ++i) {
    auto needs = FindAttributeNeeds(*syntax->parts[i], ContextOf(signal));
    // Attributes of data points are not reached from the root table.
    if (!needs.has_value() || (signal == otap::Signal::kMetrics && needs->place == Place::kItem)) {
      break;
    }
    first.needs.push_back(*std::move(needs));
  }
  if (num_parts > 0) {
    syntax->parts.resize(num_parts);
    ARROW_ASSIGN_OR_RAISE(Program part, CompileCondition(*syntax, ContextOf(signal), questions));
    first.root_part = std::make_shared<const Program>(std::move(part));
  }
  return first;
}

Answer AskProgram(const Program& program, std::span<const TraceIdsPtr> traces,
                  const otap::Batch& batch, otap::TableKind table, const otap::RowSet& asked) {
  Answer answer(asked.num_rows());
  const Items items(batch, table);
  Frame frame(&items, program.paths, traces);
  program.test->Ask(frame, asked, &answer);
  return answer;
}

}  // namespace

Result<Condition> Condition::Compile(std::string_view text, otap::Signal signal,
                                     TraceQuestions questions) {
  ARROW_ASSIGN_OR_RAISE(const TestSyntaxPtr syntax, ParseCondition(text));
  Condition condition;
  ARROW_ASSIGN_OR_RAISE(
      Program program,
      CompileCondition(*syntax, ContextOf(signal),
                       questions == TraceQuestions::kAllowed ? &condition.questions_ : nullptr));
  condition.text_ = text;
  condition.signal_ = signal;
  condition.program_ = std::make_shared<const Program>(std::move(program));
  ARROW_ASSIGN_OR_RAISE(FirstParts first,
                        CompileFirstParts(text, signal, condition.program_, &condition.questions_));
  condition.root_part_ = std::move(first.root_part);
  condition.attribute_needs_ = std::move(first.needs);
  if (!first.needed_of_trace.empty()) {
    const auto& all = condition.questions_;
    condition.needed_question_ =
        static_cast<size_t>(std::find(all.begin(), all.end(), first.needed_of_trace) - all.begin());
  }
  return condition;
}

Condition Condition::WithTraces(std::vector<TraceIdsPtr> found) const {
  Condition condition = *this;
  condition.found_ = std::move(found);
  return condition;
}

bool Condition::ReadsAttributes(Place place) const {
  return std::any_of(program_->paths.begin(), program_->paths.end(), [place](const Path& path) {
    return path.info->reading == Reading::kAttributes && path.info->place == place;
  });
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
  return AskProgram(*root_part_, found_, batch, otap::RootTable(signal_), asked);
}

Answer Condition::Ask(const otap::Batch& batch, otap::TableKind table,
                      const otap::RowSet& asked) const {
  return AskProgram(*program_, found_, batch, table, asked);
}

}  // namespace df::select
