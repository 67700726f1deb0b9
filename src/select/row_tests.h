// The tests of a program.
#pragma once

#include <vector>

#include "select/program.h"

namespace df::select {

TestPtr MakeConstantTest(bool constant);
TestPtr MakeComparison(OperandPtr left, Comparison comparison, OperandPtr right);
/// True where a value is the truth value true; fails where it is none.
TestPtr MakeTruth(OperandPtr value);
TestPtr MakeNot(TestPtr test);
/// True where all of them, or one of them, are true. Later ones are not asked about rows that
/// earlier ones have settled, so their failures do not count there.
TestPtr MakeChain(bool is_or, std::vector<TestPtr> tests);

}  // namespace df::select
