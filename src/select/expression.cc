#include "select/expression.h"

#include <utility>

#include "select/program.h"

namespace df::select {

Result<Expression> Expression::Compile(std::string_view text, otap::Signal signal) {
  Expression expression;
  expression.text_ = text;
  ARROW_ASSIGN_OR_RAISE(const ValueSyntaxPtr syntax, ParseValue(text));
  ARROW_ASSIGN_OR_RAISE(ValueProgram program, CompileValue(*syntax, ContextOf(signal)));
  expression.program_ = std::make_shared<const ValueProgram>(std::move(program));
  return expression;
}

struct ExpressionReader::Bound {
  Bound(std::shared_ptr<const ValueProgram> bound, const otap::Batch& batch, otap::TableKind table)
      : program(std::move(bound)), items(batch, table), frame(&items, program->paths) {
    // A field alone has the codes of its column.
    if (program->paths.size() == 1 && program->is_field) {
      source = &frame.source(0);
    }
  }

  std::shared_ptr<const ValueProgram> program;
  Items items;
  Frame frame;
  const Source* source = nullptr;
};

ExpressionReader::ExpressionReader(const Expression& expression, const otap::Batch& batch,
                                   otap::TableKind table)
    : bound_(std::make_unique<Bound>(expression.program_, batch, table)) {}
ExpressionReader::~ExpressionReader() = default;
ExpressionReader::ExpressionReader(ExpressionReader&&) noexcept = default;

Value ExpressionReader::At(int64_t row) { return bound_->program->value->At(bound_->frame, row); }

int64_t ExpressionReader::num_codes() const {
  return bound_->source == nullptr ? 0 : bound_->source->num_codes();
}

int64_t ExpressionReader::CodeAt(int64_t row) const { return bound_->source->CodeAt(row); }

}  // namespace df::select
