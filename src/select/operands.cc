#include "select/operands.h"

#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include "otap/pattern.h"

namespace df::select {
namespace {

void AddPathsOf(const std::vector<OperandPtr>& operands, std::vector<size_t>* paths) {
  for (const OperandPtr& operand : operands) {
    operand->AddPaths(paths);
  }
}

class Constant final : public Operand {
 public:
  Constant(Value value, StaticKind kind) : value_(std::move(value)), kind_(kind) {}
  Value At(Frame&, int64_t) const override { return value_; }
  StaticKind kind() const override { return kind_; }
  const Value* constant() const override { return &value_; }
  void AddPaths(std::vector<size_t>*) const override {}

 private:
  Value value_;
  StaticKind kind_;
};

class Field final : public Operand {
 public:
  Field(size_t path, StaticKind kind) : path_(path), kind_(kind) {}
  Value At(Frame& frame, int64_t row) const override { return frame.source(path_).At(row); }
  StaticKind kind() const override { return kind_; }
  void AddPaths(std::vector<size_t>* paths) const override { paths->push_back(path_); }

 private:
  size_t path_;
  StaticKind kind_;
};

class ListOperand final : public Operand {
 public:
  explicit ListOperand(std::vector<OperandPtr> items) : items_(std::move(items)) {}
  Value At(Frame& frame, int64_t row) const override {
    auto list = std::make_shared<List>();
    for (const OperandPtr& item : items_) {
      list->push_back(item->At(frame, row));
      if (list->back().As<Failure>() != nullptr) {
        return list->back();
      }
    }
    return {std::shared_ptr<const List>(std::move(list))};
  }
  StaticKind kind() const override { return StaticKind::kList; }
  void AddPaths(std::vector<size_t>* paths) const override { AddPathsOf(items_, paths); }

 private:
  std::vector<OperandPtr> items_;
};

class FirstOf final : public Operand {
 public:
  explicit FirstOf(std::vector<OperandPtr> values) : values_(std::move(values)) {}
  Value At(Frame& frame, int64_t row) const override {
    for (const OperandPtr& operand : values_) {
      Value value = operand->At(frame, row);
      if (!value.is_nil()) {
        return value;
      }
    }
    return {};
  }
  void AddPaths(std::vector<size_t>* paths) const override { AddPathsOf(values_, paths); }

 private:
  std::vector<OperandPtr> values_;
};

class MapOperand final : public Operand {
 public:
  explicit MapOperand(std::vector<std::pair<std::string, OperandPtr>> entries)
      : entries_(std::move(entries)) {}
  Value At(Frame& frame, int64_t row) const override {
    auto map = std::make_shared<Map>();
    for (const auto& [key, operand] : entries_) {
      map->emplace_back(key, operand->At(frame, row));
      if (map->back().second.As<Failure>() != nullptr) {
        return map->back().second;
      }
    }
    return {std::shared_ptr<const Map>(std::move(map))};
  }
  StaticKind kind() const override { return StaticKind::kMap; }
  void AddPaths(std::vector<size_t>* paths) const override {
    for (const auto& [key, operand] : entries_) {
      operand->AddPaths(paths);
    }
  }

 private:
  std::vector<std::pair<std::string, OperandPtr>> entries_;
};

Value Calculate(char operation, double left, double right) {
  switch (operation) {
    case '+':
      return {left + right};
    case '-':
      return {left - right};
    case '*':
      return {left * right};
    default:
      return right == 0 ? Fail("a number is divided by 0") : Value{left / right};
  }
}

/// Wraps around, as in Go.
Value Calculate(char operation, int64_t left, int64_t right) {
  const auto wrapped = [](uint64_t bits) { return Value{static_cast<int64_t>(bits)}; };
  const auto a = static_cast<uint64_t>(left);
  const auto b = static_cast<uint64_t>(right);
  switch (operation) {
    case '+':
      return wrapped(a + b);
    case '-':
      return wrapped(a - b);
    case '*':
      return wrapped(a * b);
    default:
      break;
  }
  if (right == 0) {
    return Fail("a number is divided by 0");
  }
  return right == -1 ? wrapped(0 - a) : Value{left / right};
}

/// Of times and durations.
Value CalculateTime(char operation, const Value& left, const Value& right) {
  const auto* left_time = left.As<Time>();
  const auto* right_time = right.As<Time>();
  const auto* left_duration = left.As<Duration>();
  const auto* right_duration = right.As<Duration>();
  const auto sum = [operation](__int128 a, __int128 b) { return operation == '+' ? a + b : a - b; };
  if (operation == '+' || operation == '-') {
    if (left_time != nullptr && right_duration != nullptr) {
      return {Time{sum(left_time->nanos, right_duration->nanos)}};
    }
    if (left_duration != nullptr && right_duration != nullptr) {  // wraps around
      return {Duration{
          *Calculate(operation, left_duration->nanos, right_duration->nanos).As<int64_t>()}};
    }
    if (operation == '-' && left_time != nullptr && right_time != nullptr) {
      // The longest where it is longer, as in Go.
      const __int128 nanos = left_time->nanos - right_time->nanos;
      return {Duration{static_cast<int64_t>(std::clamp<__int128>(
          nanos, std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max()))}};
    }
    if (operation == '+' && left_duration != nullptr && right_time != nullptr) {
      return {Time{sum(left_duration->nanos, right_time->nanos)}};
    }
  }
  return Fail(fmt::format("found {} {} {}", KindName(left), operation, KindName(right)));
}

class Arithmetic final : public Operand {
 public:
  Arithmetic(char operation, OperandPtr left, OperandPtr right)
      : operation_(operation), left_(std::move(left)), right_(std::move(right)) {}
  Value At(Frame& frame, int64_t row) const override {
    Value left = left_->At(frame, row);
    if (left.As<Failure>() != nullptr) {
      return left;
    }
    Value right = right_->At(frame, row);
    if (right.As<Failure>() != nullptr) {
      return right;
    }
    const auto* left_integer = left.As<int64_t>();
    const auto* right_integer = right.As<int64_t>();
    if (left_integer != nullptr && right_integer != nullptr) {
      return Calculate(operation_, *left_integer, *right_integer);
    }
    const auto* left_double = left.As<double>();
    const auto* right_double = right.As<double>();
    if ((left_integer != nullptr || left_double != nullptr) &&
        (right_integer != nullptr || right_double != nullptr)) {
      return Calculate(
          operation_, left_double != nullptr ? *left_double : static_cast<double>(*left_integer),
          right_double != nullptr ? *right_double : static_cast<double>(*right_integer));
    }
    return CalculateTime(operation_, left, right);
  }
  void AddPaths(std::vector<size_t>* paths) const override {
    left_->AddPaths(paths);
    right_->AddPaths(paths);
  }

 private:
  char operation_;
  OperandPtr left_;
  OperandPtr right_;
};

class Negation final : public Operand {
 public:
  explicit Negation(OperandPtr value) : value_(std::move(value)) {}
  Value At(Frame& frame, int64_t row) const override {
    Value value = value_->At(frame, row);
    if (const auto* integer = value.As<int64_t>()) {
      return Calculate('-', int64_t{0}, *integer);
    }
    if (const auto* number = value.As<double>()) {
      return {-*number};
    }
    return value.As<Failure>() != nullptr ? value
                                          : Fail(fmt::format("found - {}", KindName(value)));
  }
  void AddPaths(std::vector<size_t>* paths) const override { value_->AddPaths(paths); }

 private:
  OperandPtr value_;
};

class Call final : public Operand {
 public:
  Call(const Function* function, std::vector<OperandPtr> arguments, std::vector<KeySyntax> keys)
      : function_(function), arguments_(std::move(arguments)), keys_(std::move(keys)) {}

  Value At(Frame& frame, int64_t row) const override {
    std::vector<Value> values;
    values.reserve(arguments_.size());
    for (size_t i = 0; i < arguments_.size(); ++i) {
      const Parameter& parameter =
          i < function_->parameters.size() ? function_->parameters[i] : kImplied;
      values.push_back(ToWanted(*function_, parameter, arguments_[i]->At(frame, row)));
      if (values.back().As<Failure>() != nullptr) {
        return values.back();
      }
    }
    Value value = function_->call(values);
    for (const KeySyntax& key : keys_) {
      bool is_missing = false;
      value = value.As<Failure>() != nullptr ? value : MemberOf(value, key, &is_missing);
      if (is_missing) {
        return Fail(
            fmt::format("{}: its map has no '{}'", function_->name, std::get<std::string>(key)));
      }
    }
    return value;
  }
  StaticKind kind() const override { return keys_.empty() ? function_->result : StaticKind::kAny; }
  void AddPaths(std::vector<size_t>* paths) const override { AddPathsOf(arguments_, paths); }

 private:
  static constexpr Parameter kImplied{"the field that it reads", Wanted::kAny};

  const Function* function_;
  std::vector<OperandPtr> arguments_;
  std::vector<KeySyntax> keys_;
};

class PatternMatch final : public Operand {
 public:
  PatternMatch(const Function* function, OperandPtr target, otap::Pattern pattern)
      : function_(function), target_(std::move(target)), pattern_(std::move(pattern)) {}

  Value At(Frame& frame, int64_t row) const override {
    const Value value = ToWanted(*function_, function_->parameters[0], target_->At(frame, row));
    if (value.As<Failure>() != nullptr) {
      return value;
    }
    return {!value.is_nil() && pattern_.Matches(value.As<Text>()->view())};
  }
  StaticKind kind() const override { return StaticKind::kBool; }
  void AddPaths(std::vector<size_t>* paths) const override { target_->AddPaths(paths); }

 private:
  const Function* function_;
  OperandPtr target_;
  otap::Pattern pattern_;
};

}  // namespace

StaticKind KindOf(const Value& value) {
  static constexpr StaticKind kKinds[] = {
      StaticKind::kAny,      StaticKind::kBool,  StaticKind::kInteger, StaticKind::kDouble,
      StaticKind::kText,     StaticKind::kBytes, StaticKind::kId,      StaticKind::kTime,
      StaticKind::kDuration, StaticKind::kList,  StaticKind::kMap,     StaticKind::kAny};
  return kKinds[value.held.index()];
}

OperandPtr MakeConstant(Value value, StaticKind kind) {
  return std::make_unique<Constant>(std::move(value), kind);
}
OperandPtr MakeField(size_t path, StaticKind kind) { return std::make_unique<Field>(path, kind); }
OperandPtr MakeList(std::vector<OperandPtr> items) {
  return std::make_unique<ListOperand>(std::move(items));
}
OperandPtr MakeFirstOf(std::vector<OperandPtr> values) {
  return std::make_unique<FirstOf>(std::move(values));
}
OperandPtr MakeMap(std::vector<std::pair<std::string, OperandPtr>> entries) {
  return std::make_unique<MapOperand>(std::move(entries));
}
OperandPtr MakeArithmetic(char operation, OperandPtr left, OperandPtr right) {
  return std::make_unique<Arithmetic>(operation, std::move(left), std::move(right));
}
OperandPtr MakeNegation(OperandPtr value) { return std::make_unique<Negation>(std::move(value)); }
OperandPtr MakeCall(const Function* function, std::vector<OperandPtr> arguments,
                    std::vector<KeySyntax> keys) {
  return std::make_unique<Call>(function, std::move(arguments), std::move(keys));
}

Result<OperandPtr> MakePatternMatch(const Function* function, OperandPtr target,
                                    const std::string& pattern, Position position) {
  auto compiled = otap::Pattern::Compile(pattern);
  if (!compiled.ok()) {
    return SyntaxError(
        position, fmt::format("found the pattern '{}': {}", pattern, compiled.status().message()));
  }
  return OperandPtr(
      std::make_unique<PatternMatch>(function, std::move(target), *std::move(compiled)));
}

}  // namespace df::select
