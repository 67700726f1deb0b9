// The tests of a program.
#pragma once

#include <vector>

#include "select/program.h"

namespace df::select {

TestPtr MakeConstantTest(bool constant);
TestPtr MakeComparison(OperandPtr left, Comparison comparison, OperandPtr right);
/// True for a row whose value is true, false for one whose value is false. Any other value fails.
TestPtr MakeTruth(OperandPtr value);
/// True for a row whose id of a trace, a field, is one of those that were found for a question.
TestPtr MakeTraceAny(size_t question, OperandPtr trace_id);
TestPtr MakeNot(TestPtr test);
/// True where all of them, or one of them, are true. Later ones are not asked about rows that
/// earlier ones have settled, so their failures do not count there.
TestPtr MakeChain(bool is_or, std::vector<TestPtr> tests);

}  // namespace df::select
