// The values of a program.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "select/functions.h"
#include "select/program.h"

namespace df::select {

OperandPtr MakeConstant(Value value, StaticKind kind);
OperandPtr MakeField(size_t path, StaticKind kind);
OperandPtr MakeList(std::vector<OperandPtr> items);
/// The first of some values that is not nil; those behind it are not looked at.
OperandPtr MakeFirstOf(std::vector<OperandPtr> values);
OperandPtr MakeMap(std::vector<std::pair<std::string, OperandPtr>> entries);
/// `operation` is one of + - * /.
OperandPtr MakeArithmetic(char operation, OperandPtr left, OperandPtr right);
OperandPtr MakeNegation(OperandPtr value);
/// A call; keys name a member of its result, which must be there.
OperandPtr MakeCall(const Function* function, std::vector<OperandPtr> arguments,
                    std::vector<KeySyntax> keys);
/// IsMatch with a pattern that does not change. Errors: Invalid for what is no pattern.
Result<OperandPtr> MakePatternMatch(const Function* function, OperandPtr target,
                                    const std::string& pattern, Position position);

/// Returns the kind of a value.
StaticKind KindOf(const Value& value);

}  // namespace df::select
