// Conditions beside the OpenTelemetry Collector: tests/ottl has what its OTTL package answers.

#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include <arrow/api.h>
#include <arrow/util/checked_cast.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "otap/rows.h"
#include "otlp/decode.h"
#include "select/condition.h"

namespace df::select {
namespace {

const std::string kFolder = OTAP_SOURCE_DIR "/tests/ottl/";

std::string ReadFile(const std::string& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file) << path;
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

otap::BatchPtr Records(otap::Signal signal) {
  otlp::Decoder decoder;
  const auto batches = decoder.DecodeJson(
      signal, ReadFile(fmt::format("{}records/{}.json", kFolder, otap::Name(signal))));
  EXPECT_TRUE(batches.ok()) << batches.status();
  EXPECT_EQ(batches->size(), 1U);
  return batches->front();
}

/// The items of a batch in the order of its document.
using Places = std::vector<std::pair<otap::TableKind, int64_t>>;

Places PlacesOf(const otap::Batch& batch) {
  const otap::TableKind root = otap::RootTable(batch.signal());
  Places places;
  if (batch.signal() != otap::Signal::kMetrics) {
    for (int64_t row = 0; row < batch.num_root_rows(); ++row) {
      places.emplace_back(root, row);
    }
    return places;
  }
  std::map<uint32_t, Places> by_metric;
  for (const otap::TableInfo& info : otap::AllTables()) {
    if (info.parent == root && !info.is_attributes && batch.table(info.kind) != nullptr) {
      otap::VisitIds(*batch.table(info.kind)->GetColumnByName("parent_id"),
                     [&](int64_t row, uint32_t id) { by_metric[id].emplace_back(info.kind, row); });
    }
  }
  otap::VisitIds(*batch.root()->GetColumnByName("id"), [&](int64_t, uint32_t id) {
    places.insert(places.end(), by_metric[id].begin(), by_metric[id].end());
  });
  return places;
}

std::string Ask(const Condition& condition, const otap::Batch& batch, const Places& places) {
  std::map<otap::TableKind, Answer> answers;
  for (const auto& [table, row] : places) {
    if (!answers.contains(table)) {
      const otap::RowSet all(batch.table(table)->num_rows(), true);
      answers.emplace(table, condition.Ask(batch, table, all));
    }
  }
  std::string found;
  for (const auto& [table, row] : places) {
    const Answer& answer = answers.at(table);
    found += answer.failed.Has(row) ? 'e' : answer.yes.Has(row) ? 't' : 'f';
  }
  return found;
}

/// Refused here, although the Collector takes it: the answer is the same for every item, or the
/// condition needs what there is not here (docs/conditions.md).
bool IsKnownRefusal(const std::string& message) {
  for (const char* reason :
       {"never equal", "never nil", "compared for order", "conditions do not have"}) {
    if (message.find(reason) != std::string::npos) {
      return true;
    }
  }
  return false;
}

/// What is answered otherwise here, and why: tests/ottl/differences.txt. By context and condition.
std::map<std::string, std::string> Differences() {
  std::map<std::string, std::string> differences;
  std::ifstream table(kFolder + "differences.txt");
  std::string line;
  while (std::getline(table, line)) {
    if (!line.empty() && line.front() != '#') {
      const size_t last = line.rfind('\t');
      differences[line.substr(0, last)] = line.substr(last + 1);
    }
  }
  return differences;
}

TEST(Collector, AnswersOfItsTableAreTheSame) {
  std::map<std::string, otap::Signal> signals = {{"log", otap::Signal::kLogs},
                                                 {"span", otap::Signal::kTraces},
                                                 {"datapoint", otap::Signal::kMetrics}};
  std::map<std::string, otap::BatchPtr> batches;
  for (const auto& [context, signal] : signals) {
    batches[context] = Records(signal);
  }
  std::map<std::string, std::string> differences = Differences();
  std::ifstream table(kFolder + "expected.txt");
  std::string line;
  int num_same = 0;
  int num_refused = 0;
  int num_invalid = 0;
  while (std::getline(table, line)) {
    if (line.empty() || line.front() == '#') {
      continue;
    }
    const size_t first = line.find('\t');
    const size_t last = line.rfind('\t');
    ASSERT_LT(first, last) << line;
    const std::string context = line.substr(0, first);
    const std::string text = line.substr(first + 1, last - first - 1);
    const std::string expected = line.substr(last + 1);
    const otap::Batch& batch = *batches.at(context);
    const auto condition = Condition::Compile(text, batch.signal());
    const std::string found =
        condition.ok() ? Ask(*condition, batch, PlacesOf(batch)) : std::string("invalid");
    const auto difference = differences.find(line.substr(0, last));
    if (difference != differences.end()) {
      EXPECT_EQ(found, difference->second) << context << ": " << text;
      EXPECT_NE(found, expected) << context << ": " << text << " is no difference";
      differences.erase(difference);
    } else if (condition.ok()) {
      EXPECT_EQ(found, expected) << context << ": " << text;
      ++num_same;
    } else if (expected == "invalid") {
      ++num_invalid;
    } else if (expected.find_first_not_of('e') == std::string::npos) {
      ++num_refused;  // it fails for every item there
    } else {
      EXPECT_TRUE(IsKnownRefusal(condition.status().message()))
          << context << ": " << text << "\n"
          << condition.status() << "\nexpected " << expected;
      ++num_refused;
    }
  }
  EXPECT_TRUE(differences.empty()) << differences.begin()->first << " is not in the table";
  RecordProperty("same", num_same);
  RecordProperty("refused_here", num_refused);
  RecordProperty("refused_by_both", num_invalid);
  std::printf("%d conditions with the same answers, %d refused here only, %d by both\n", num_same,
              num_refused, num_invalid);
  EXPECT_GE(num_same, 300);
  EXPECT_GE(num_invalid, 40);
}

}  // namespace
}  // namespace df::select
