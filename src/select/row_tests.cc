#include "select/row_tests.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace df::select {
namespace {

class ConstantTest final : public Test {
 public:
  explicit ConstantTest(bool constant) : constant_(constant) {}
  void Ask(Frame&, const otap::RowSet& asked, Answer* answer) const override {
    if (constant_) {
      answer->yes.Unite(asked);
    }
  }
  std::optional<bool> constant() const override { return constant_; }

 private:
  bool constant_;
};

/// Asks about one row after the other; where all it reads is one column with a dictionary, once for
/// each entry.
class RowTest : public Test {
 public:
  void Ask(Frame& frame, const otap::RowSet& asked, Answer* answer) const final {
    std::vector<size_t> paths;
    AddPaths(&paths);
    std::sort(paths.begin(), paths.end());
    paths.erase(std::unique(paths.begin(), paths.end()), paths.end());
    const Source* source = paths.size() == 1 ? &frame.source(paths.front()) : nullptr;
    const int64_t num_codes = source == nullptr ? 0 : source->num_codes();
    std::vector<uint8_t> known(static_cast<size_t>(num_codes), kUnknown);
    asked.ForEach([&](int64_t row) {
      const int64_t code = num_codes == 0 ? -1 : source->CodeAt(row);
      uint8_t found = code < 0 ? static_cast<uint8_t>(kUnknown) : known[static_cast<size_t>(code)];
      if (found == kUnknown) {
        found = AskRow(frame, row, answer);
        if (code >= 0) {
          known[static_cast<size_t>(code)] = found;
        }
      }
      if (found == kYes) {
        answer->yes.Set(row);
      } else if (found == kFailed) {
        answer->failed.Set(row);
      }
    });
  }

 protected:
  enum Found : uint8_t { kUnknown, kNo, kYes, kFailed };

  virtual Found AskRow(Frame& frame, int64_t row, Answer* answer) const = 0;
  virtual void AddPaths(std::vector<size_t>* paths) const = 0;

  static Found Note(const Value& failure, Answer* answer) {
    if (answer->first_failure.empty()) {
      answer->first_failure = *failure.As<Failure>()->reason;
    }
    return kFailed;
  }
};

class ComparisonTest final : public RowTest {
 public:
  ComparisonTest(OperandPtr left, Comparison comparison, OperandPtr right)
      : left_(std::move(left)), comparison_(comparison), right_(std::move(right)) {}

 private:
  Found AskRow(Frame& frame, int64_t row, Answer* answer) const override {
    const Value left = left_->At(frame, row);
    if (left.As<Failure>() != nullptr) {
      return Note(left, answer);
    }
    if (const Value* constant = right_->constant(); constant != nullptr) {
      return Compare(left, comparison_, *constant) ? kYes : kNo;
    }
    const Value right = right_->At(frame, row);
    if (right.As<Failure>() != nullptr) {
      return Note(right, answer);
    }
    return Compare(left, comparison_, right) ? kYes : kNo;
  }
  void AddPaths(std::vector<size_t>* paths) const override {
    left_->AddPaths(paths);
    right_->AddPaths(paths);
  }

  OperandPtr left_;
  Comparison comparison_;
  OperandPtr right_;
};

class TruthTest final : public RowTest {
 public:
  explicit TruthTest(OperandPtr value) : value_(std::move(value)) {}

 private:
  Found AskRow(Frame& frame, int64_t row, Answer* answer) const override {
    const Value value = value_->At(frame, row);
    if (const auto* truth = value.As<bool>()) {
      return *truth ? kYes : kNo;
    }
    return Note(value.As<Failure>() != nullptr
                    ? value
                    : Fail(fmt::format("found {}, expected true or false", KindName(value))),
                answer);
  }
  void AddPaths(std::vector<size_t>* paths) const override { value_->AddPaths(paths); }

  OperandPtr value_;
};

class TraceAnyTest final : public RowTest {
 public:
  TraceAnyTest(size_t question, OperandPtr trace_id)
      : question_(question), trace_id_(std::move(trace_id)) {}

 private:
  Found AskRow(Frame& frame, int64_t row, Answer* answer) const override {
    const TraceIds* found = frame.traces(question_);
    if (found == nullptr) {
      return Note(Fail("its traces were not looked for"), answer);
    }
    const Value value = trace_id_->At(frame, row);
    const Id* id = value.As<Id>();
    return id != nullptr && found->Has(id->view()) ? kYes : kNo;
  }
  void AddPaths(std::vector<size_t>* paths) const override { trace_id_->AddPaths(paths); }

  size_t question_;
  OperandPtr trace_id_;
};

/// Answers of a part, kept apart from those of others.
Answer AskAlone(const Test& test, Frame& frame, const otap::RowSet& asked) {
  Answer answer(asked.num_rows());
  test.Ask(frame, asked, &answer);
  return answer;
}

void AddFailures(Answer* part, Answer* answer) {
  answer->failed.Unite(part->failed);
  if (answer->first_failure.empty()) {
    answer->first_failure = std::move(part->first_failure);
  }
}

otap::RowSet Without(otap::RowSet rows, const otap::RowSet& others) {
  otap::RowSet kept = others;
  kept.Invert();
  rows.Intersect(kept);
  return rows;
}

class NotTest final : public Test {
 public:
  explicit NotTest(TestPtr test) : test_(std::move(test)) {}
  void Ask(Frame& frame, const otap::RowSet& asked, Answer* answer) const override {
    Answer part = AskAlone(*test_, frame, asked);
    answer->yes.Unite(Without(Without(asked, part.yes), part.failed));
    AddFailures(&part, answer);
  }

 private:
  TestPtr test_;
};

class ChainTest final : public Test {
 public:
  ChainTest(bool is_or, std::vector<TestPtr> tests) : is_or_(is_or), tests_(std::move(tests)) {}
  void Ask(Frame& frame, const otap::RowSet& asked, Answer* answer) const override {
    otap::RowSet open = asked;
    for (const TestPtr& test : tests_) {
      if (open.Count() == 0) {
        return;
      }
      Answer part = AskAlone(*test, frame, open);
      AddFailures(&part, answer);
      if (is_or_) {
        answer->yes.Unite(part.yes);
        open = Without(Without(std::move(open), part.yes), part.failed);
      } else {
        open = std::move(part.yes);
      }
    }
    if (!is_or_) {
      answer->yes.Unite(open);
    }
  }

 private:
  bool is_or_;
  std::vector<TestPtr> tests_;
};

}  // namespace

TestPtr MakeConstantTest(bool constant) { return std::make_unique<ConstantTest>(constant); }

TestPtr MakeComparison(OperandPtr left, Comparison comparison, OperandPtr right) {
  return std::make_unique<ComparisonTest>(std::move(left), comparison, std::move(right));
}

TestPtr MakeTruth(OperandPtr value) { return std::make_unique<TruthTest>(std::move(value)); }

TestPtr MakeTraceAny(size_t question, OperandPtr trace_id) {
  return std::make_unique<TraceAnyTest>(question, std::move(trace_id));
}

TestPtr MakeNot(TestPtr test) {
  const std::optional<bool> constant = test->constant();
  return constant.has_value() ? MakeConstantTest(!*constant)
                              : std::make_unique<NotTest>(std::move(test));
}

TestPtr MakeChain(bool is_or, std::vector<TestPtr> tests) {
  // A constant settles the chain, or says nothing; OTTL does not ask the others then.
  std::vector<TestPtr> open;
  for (TestPtr& test : tests) {
    const std::optional<bool> constant = test->constant();
    if (!constant.has_value()) {
      open.push_back(std::move(test));
    } else if (*constant == is_or) {
      return MakeConstantTest(is_or);
    }
  }
  if (open.empty()) {
    return MakeConstantTest(!is_or);
  }
  if (open.size() == 1) {
    return std::move(open.front());
  }
  return std::make_unique<ChainTest>(is_or, std::move(open));
}

}  // namespace df::select
