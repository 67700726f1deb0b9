#include <algorithm>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "select/functions.h"
#include "select/operands.h"
#include "select/program.h"
#include "select/row_tests.h"

namespace df::select {
namespace {

std::string_view NameOf(StaticKind kind) {
  static constexpr std::string_view kNames[] = {
      "a value", "true or false", "an integer", "a double", "text", "bytes",
      "an id",   "a time",        "a duration", "a list",   "a map"};
  return kNames[static_cast<size_t>(kind)];
}

bool IsNumber(StaticKind kind) {
  return kind == StaticKind::kInteger || kind == StaticKind::kDouble;
}

class Compiler {
 public:
  Compiler(Context context, std::vector<std::string>* questions, bool is_inside_trace = false)
      : context_(context), questions_(questions), is_inside_trace_(is_inside_trace) {}

  Result<Program> Run(const TestSyntax& syntax) {
    ARROW_ASSIGN_OR_RAISE(TestPtr test, Compile(syntax));
    return Program{std::move(test), std::move(paths_)};
  }

  Result<ValueProgram> RunValue(const ValueSyntax& syntax) {
    ARROW_ASSIGN_OR_RAISE(OperandPtr value, CompileValue(syntax));
    return ValueProgram{std::move(value), std::move(paths_),
                        std::holds_alternative<PathSyntax>(syntax.form)};
  }

 private:
  Result<TestPtr> Compile(const TestSyntax& syntax) {
    switch (syntax.kind) {
      case TestSyntax::Kind::kConstant:
        return MakeConstantTest(syntax.constant);
      case TestSyntax::Kind::kCall:
        return CompileTruth(syntax);
      case TestSyntax::Kind::kComparison:
        return CompileComparison(syntax);
      case TestSyntax::Kind::kTraceAny:
        return CompileTraceAny(syntax);
      case TestSyntax::Kind::kNot: {
        ARROW_ASSIGN_OR_RAISE(TestPtr test, Compile(*syntax.parts.front()));
        return MakeNot(std::move(test));
      }
      case TestSyntax::Kind::kAnd:
      case TestSyntax::Kind::kOr:
        break;
    }
    std::vector<TestPtr> tests;
    for (const TestSyntaxPtr& part : syntax.parts) {
      ARROW_ASSIGN_OR_RAISE(TestPtr test, Compile(*part));
      tests.push_back(std::move(test));
    }
    return MakeChain(syntax.kind == TestSyntax::Kind::kOr, std::move(tests));
  }

  Result<TestPtr> CompileTraceAny(const TestSyntax& syntax) {
    if (context_ == Context::kDataPoint) {
      return SyntaxError(syntax.position, "found trace.any, but data points are of no trace");
    }
    if (is_inside_trace_) {
      return SyntaxError(syntax.position, "found trace.any inside trace.any");
    }
    if (questions_ == nullptr) {
      return SyntaxError(syntax.position,
                         "found trace.any, which looks through a whole archive first: it has its "
                         "place in select of receiver:parquet");
    }
    ARROW_RETURN_NOT_OK(Compiler(context_, questions_, true).Run(*syntax.parts.front()).status());
    const auto known = std::find(questions_->begin(), questions_->end(), syntax.asked_of_trace);
    const auto question = static_cast<size_t>(known - questions_->begin());
    if (known == questions_->end()) {
      questions_->push_back(syntax.asked_of_trace);
    }
    PathSyntax trace_id;
    trace_id.fields.push_back({"trace_id", {}, syntax.position});
    ARROW_ASSIGN_OR_RAISE(OperandPtr field, CompilePath(trace_id, syntax.position));
    return MakeTraceAny(question, std::move(field));
  }

  Result<TestPtr> CompileTruth(const TestSyntax& syntax) {
    ARROW_ASSIGN_OR_RAISE(OperandPtr value, CompileValue(*syntax.left));
    if (value->kind() != StaticKind::kAny && value->kind() != StaticKind::kBool) {
      return SyntaxError(syntax.position,
                         fmt::format("found {}, expected true or false", NameOf(value->kind())));
    }
    if (const Value* constant = value->constant(); constant != nullptr) {
      const auto* truth = constant->As<bool>();
      return truth == nullptr
                 ? SyntaxError(syntax.position,
                               fmt::format("found {}, expected true or false", KindName(*constant)))
                 : Result<TestPtr>(MakeConstantTest(*truth));
    }
    return MakeTruth(std::move(value));
  }

  Result<TestPtr> CompileComparison(const TestSyntax& syntax) {
    ARROW_ASSIGN_OR_RAISE(OperandPtr left, CompileValue(*syntax.left));
    ARROW_ASSIGN_OR_RAISE(OperandPtr right, CompileValue(*syntax.right));
    ARROW_RETURN_NOT_OK(CheckKinds(syntax, *left, *right));
    if (left->constant() != nullptr && right->constant() != nullptr) {
      return MakeConstantTest(Compare(*left->constant(), syntax.comparison, *right->constant()));
    }
    return MakeComparison(std::move(left), syntax.comparison, std::move(right));
  }

  /// Refuses comparisons of which the answer is known before any data: they are mistakes.
  Status CheckKinds(const TestSyntax& syntax, const Operand& left, const Operand& right) const {
    const bool has_nil = IsNil(left) || IsNil(right);
    const StaticKind known = IsNil(left) ? right.kind() : left.kind();
    if (has_nil) {
      return known == StaticKind::kAny ||
                     (left.constant() != nullptr && right.constant() != nullptr)
                 ? Status::OK()
                 : SyntaxError(syntax.position,
                               fmt::format("found {} compared with nil; where it was not set it is "
                                           "{}, never nil",
                                           NameOf(known), EmptyOf(known)));
    }
    if (left.kind() == StaticKind::kAny || right.kind() == StaticKind::kAny ||
        left.kind() == right.kind() || (IsNumber(left.kind()) && IsNumber(right.kind()))) {
      return CheckOrder(syntax, left.kind());
    }
    const bool has_id = left.kind() == StaticKind::kId || right.kind() == StaticKind::kId;
    return SyntaxError(
        syntax.position,
        fmt::format("found {} compared with {}, which are never equal{}", NameOf(left.kind()),
                    NameOf(right.kind()),
                    has_id ? "; write TraceID(0x..) or SpanID(0x..), or compare the field's "
                             ".string with text"
                           : ""));
  }

  static Status CheckOrder(const TestSyntax& syntax, StaticKind kind) {
    const bool has_order =
        kind != StaticKind::kId && kind != StaticKind::kList && kind != StaticKind::kMap;
    const bool is_order =
        syntax.comparison != Comparison::kEqual && syntax.comparison != Comparison::kNotEqual;
    return has_order || !is_order
               ? Status::OK()
               : SyntaxError(
                     syntax.position,
                     fmt::format("found {} compared for order, expected == or !=", NameOf(kind)));
  }

  static bool IsNil(const Operand& operand) {
    return operand.constant() != nullptr && operand.constant()->is_nil();
  }

  static std::string_view EmptyOf(StaticKind kind) {
    switch (kind) {
      case StaticKind::kText:
        return "\"\"";
      case StaticKind::kId:
        return "zeros";
      case StaticKind::kMap:
      case StaticKind::kList:
        return "empty";
      case StaticKind::kBool:
        return "false";
      default:
        return "0";
    }
  }

  Result<OperandPtr> CompileValue(const ValueSyntax& syntax) {
    if (const auto* path = std::get_if<PathSyntax>(&syntax.form)) {
      return CompilePath(*path, syntax.position);
    }
    if (const auto* call = std::get_if<CallSyntax>(&syntax.form)) {
      return CompileCall(*call, syntax.position);
    }
    if (const auto* name = std::get_if<EnumSyntax>(&syntax.form)) {
      ARROW_ASSIGN_OR_RAISE(const int64_t number, FindEnum(context_, name->name, syntax.position));
      return MakeConstant({number}, StaticKind::kInteger);
    }
    if (const auto* list = std::get_if<ListSyntax>(&syntax.form)) {
      ARROW_ASSIGN_OR_RAISE(std::vector<OperandPtr> items, CompileAll(list->items));
      return Fold(MakeList(std::move(items)), syntax.position);
    }
    if (const auto* map = std::get_if<MapSyntax>(&syntax.form)) {
      return CompileMap(*map, syntax.position);
    }
    if (const auto* arithmetic = std::get_if<ArithmeticSyntax>(&syntax.form)) {
      ARROW_ASSIGN_OR_RAISE(OperandPtr left, CompileNumber(*arithmetic->left));
      ARROW_ASSIGN_OR_RAISE(OperandPtr right, CompileNumber(*arithmetic->right));
      return Fold(MakeArithmetic(arithmetic->operation, std::move(left), std::move(right)),
                  syntax.position);
    }
    if (const auto* negation = std::get_if<NegationSyntax>(&syntax.form)) {
      ARROW_ASSIGN_OR_RAISE(OperandPtr value, CompileNumber(*negation->value));
      return Fold(MakeNegation(std::move(value)), syntax.position);
    }
    Value value = Literal(syntax);
    const StaticKind kind = KindOf(value);
    return MakeConstant(std::move(value), kind);
  }

  static Value Literal(const ValueSyntax& syntax) {
    if (const auto* truth = std::get_if<bool>(&syntax.form)) {
      return {*truth};
    }
    if (const auto* integer = std::get_if<int64_t>(&syntax.form)) {
      return {*integer};
    }
    if (const auto* number = std::get_if<double>(&syntax.form)) {
      return {*number};
    }
    if (const auto* text = std::get_if<std::string>(&syntax.form)) {
      return MakeText(*text);
    }
    if (const auto* bytes = std::get_if<BytesSyntax>(&syntax.form)) {
      return {Bytes{Chars::Own(bytes->bytes)}};
    }
    return {};
  }

  Result<std::vector<OperandPtr>> CompileAll(const std::vector<ValueSyntaxPtr>& values) {
    std::vector<OperandPtr> operands;
    for (const ValueSyntaxPtr& value : values) {
      ARROW_ASSIGN_OR_RAISE(OperandPtr operand, CompileValue(*value));
      operands.push_back(std::move(operand));
    }
    return operands;
  }

  Result<OperandPtr> CompileMap(const MapSyntax& map, Position position) {
    std::vector<std::pair<std::string, OperandPtr>> entries;
    for (const auto& [key, value] : map.entries) {
      ARROW_ASSIGN_OR_RAISE(OperandPtr operand, CompileValue(*value));
      std::erase_if(entries, [&key](const auto& entry) { return entry.first == key; });
      entries.emplace_back(key, std::move(operand));
    }
    return Fold(MakeMap(std::move(entries)), position);
  }

  /// A part of a calculation.
  Result<OperandPtr> CompileNumber(const ValueSyntax& syntax) {
    ARROW_ASSIGN_OR_RAISE(OperandPtr value, CompileValue(syntax));
    const StaticKind kind = value->kind();
    if (kind == StaticKind::kAny || IsNumber(kind) || kind == StaticKind::kTime ||
        kind == StaticKind::kDuration) {
      return value;
    }
    return SyntaxError(syntax.position,
                       fmt::format("found {} in a calculation, expected a number, a time or a "
                                   "duration",
                                   NameOf(kind)));
  }

  Result<OperandPtr> CompilePath(const PathSyntax& syntax, Position position) {
    Path path;
    ARROW_ASSIGN_OR_RAISE(path.info, FindPath(context_, syntax, position, &path.keys));
    const StaticKind kind = path.keys.empty() ? path.info->kind : StaticKind::kAny;
    return MakeField(Number(std::move(path)), kind);
  }

  size_t Number(Path path) {
    const auto [known, is_new] = numbers_.try_emplace({path.info, path.keys}, paths_.size());
    if (is_new) {
      paths_.push_back(std::move(path));
    }
    return known->second;
  }

  Result<OperandPtr> CompileCall(const CallSyntax& call, Position position) {
    ARROW_ASSIGN_OR_RAISE(const Function* function, FindFunction(context_, call.name, position));
    ARROW_ASSIGN_OR_RAISE(std::vector<OperandPtr> arguments,
                          CompileArguments(*function, call, position));
    const auto* values = call.arguments.empty()
                             ? nullptr
                             : std::get_if<ListSyntax>(&call.arguments.front().value->form);
    if (function->name == kCoalesce && values != nullptr && call.keys.empty()) {
      ARROW_ASSIGN_OR_RAISE(std::vector<OperandPtr> items, CompileAll(values->items));
      return Fold(MakeFirstOf(std::move(items)), position);
    }
    if (function->name == kIsRootSpan) {
      PathSyntax parent;
      parent.fields.push_back({"parent_span_id", {}, position});
      ARROW_ASSIGN_OR_RAISE(OperandPtr field, CompilePath(parent, position));
      arguments.push_back(std::move(field));
    }
    if (function->name == kIsMatch && call.keys.empty() && arguments[1]->constant() != nullptr) {
      const std::string pattern(arguments[1]->constant()->As<Text>()->view());
      ARROW_ASSIGN_OR_RAISE(OperandPtr match,
                            MakePatternMatch(function, std::move(arguments[0]), pattern, position));
      return Fold(std::move(match), position);
    }
    return Fold(MakeCall(function, std::move(arguments), call.keys), position);
  }

  /// Puts arguments into the order of the parameters.
  Result<std::vector<OperandPtr>> CompileArguments(const Function& function, const CallSyntax& call,
                                                   Position position) {
    std::vector<OperandPtr> arguments(function.parameters.size());
    bool has_names = false;
    for (size_t i = 0; i < call.arguments.size(); ++i) {
      const CallSyntax::Argument& argument = call.arguments[i];
      has_names = has_names || !argument.name.empty();
      if (has_names && argument.name.empty()) {
        return SyntaxError(argument.value->position,
                           "found an argument without a name behind one with a name");
      }
      size_t place = i;
      if (has_names) {
        place = static_cast<size_t>(
            std::find_if(function.parameters.begin(), function.parameters.end(),
                         [&](const Parameter& known) { return known.name == argument.name; }) -
            function.parameters.begin());
      }
      if (place >= arguments.size() || arguments[place] != nullptr) {
        return SyntaxError(argument.value->position, DescribeCall(function));
      }
      ARROW_ASSIGN_OR_RAISE(arguments[place], CompileValue(*argument.value));
      ARROW_RETURN_NOT_OK(
          CheckArgument(function, function.parameters[place], *arguments[place], argument));
    }
    while (!arguments.empty() && arguments.back() == nullptr &&
           function.parameters[arguments.size() - 1].is_optional) {
      arguments.pop_back();
    }
    if (std::any_of(arguments.begin(), arguments.end(),
                    [](const OperandPtr& argument) { return argument == nullptr; })) {
      return SyntaxError(position, DescribeCall(function));
    }
    return arguments;
  }

  static Status CheckArgument(const Function& function, const Parameter& parameter,
                              const Operand& operand, const CallSyntax::Argument& argument) {
    const Position position = argument.value->position;
    if (operand.constant() != nullptr) {
      const Value value = ToWanted(function, parameter, *operand.constant());
      return value.As<Failure>() == nullptr ? Status::OK()
                                            : SyntaxError(position, *value.As<Failure>()->reason);
    }
    return MayBe(operand.kind(), parameter.wanted)
               ? Status::OK()
               : SyntaxError(position, fmt::format("found {} for {} of {}", NameOf(operand.kind()),
                                                   parameter.name, function.name));
  }

  static std::string DescribeCall(const Function& function) {
    std::string parameters;
    for (const Parameter& parameter : function.parameters) {
      parameters +=
          fmt::format("{}{}{}{}", parameters.empty() ? "" : ", ", parameter.is_optional ? "[" : "",
                      parameter.name, parameter.is_optional ? "]" : "");
    }
    return fmt::format("expected {}({})", function.name, parameters);
  }

  /// Computes what reads no field now. A failure is a mistake in the condition then.
  static Result<OperandPtr> Fold(OperandPtr operand, Position position) {
    std::vector<size_t> paths;
    operand->AddPaths(&paths);
    if (!paths.empty()) {
      return operand;
    }
    static const std::vector<Path> kNoPaths;
    Frame frame(nullptr, kNoPaths);
    Value value = operand->At(frame, 0);
    if (const auto* failure = value.As<Failure>()) {
      return SyntaxError(position, *failure->reason);
    }
    const StaticKind kind = KindOf(value);
    return MakeConstant(std::move(value), kind);
  }

  Context context_;
  std::vector<std::string>* questions_;
  bool is_inside_trace_;
  std::vector<Path> paths_;
  std::map<std::pair<const PathInfo*, std::vector<KeySyntax>>, size_t> numbers_;
};

}  // namespace

Result<Program> CompileCondition(const TestSyntax& syntax, Context context,
                                 std::vector<std::string>* questions) {
  return Compiler(context, questions).Run(syntax);
}

Result<ValueProgram> CompileValue(const ValueSyntax& syntax, Context context) {
  return Compiler(context, nullptr).RunValue(syntax);
}

}  // namespace df::select
