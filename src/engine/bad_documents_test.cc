// Documents that are refused: the table in tests/cases/bad_documents.yaml.
#include <array>
#include <ctime>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/document_source.h"
#include "engine/checked_engine.h"

namespace df::engine {
namespace {

using ::testing::Contains;
using ::testing::IsEmpty;
using ::testing::StartsWith;

struct ProbeConfig : NodeConfig {
  std::string path = "here";
  int64_t limit = 10;
};

const config::FieldTable<ProbeConfig>& ProbeFields() {
  static const config::FieldTable<ProbeConfig> table = {
      config::String("path", &ProbeConfig::path, "a path"),
      config::Integer("limit", &ProbeConfig::limit, {1, 100}, "a limit"),
  };
  return table;
}

NodeConfigPtr ParseProbe(const config::Section& section, const ValidateContext&) {
  return std::make_shared<ProbeConfig>(config::Read(ProbeFields(), section));
}

std::vector<config::FieldDescription> DescribeProbe() { return config::Describe(ProbeFields()); }

constexpr NodeDescriptor kIn = {.urn = "urn:otel:receiver:in",
                                .kind = NodeKind::kReceiver,
                                .fields = DescribeProbe,
                                .parse = ParseProbe};
constexpr NodeDescriptor kMid = {.urn = "urn:otel:processor:mid",
                                 .kind = NodeKind::kProcessor,
                                 .fields = DescribeProbe,
                                 .parse = ParseProbe};
constexpr NodeDescriptor kOut = {.urn = "urn:otel:exporter:out",
                                 .kind = NodeKind::kExporter,
                                 .fields = DescribeProbe,
                                 .parse = ParseProbe};
constexpr std::array<const NodeDescriptor*, 3> kAll = {&kIn, &kMid, &kOut};

std::optional<std::string> TestEnvironment(const std::string& name) {
  if (name == "NINE") {
    return "nine";
  }
  return name == "MAP" ? std::optional<std::string>("{limit: 5}") : std::nullopt;
}

std::vector<std::string> ProblemsOf(const std::string& text) {
  config::Problems problems("f.yaml");
  const config::ValuePtr root =
      config::ReadDocument({.name = "f.yaml", .text = text}, {}, TestEnvironment, &problems);
  if (root != nullptr) {
    CheckEngine(config::ReadEngineDocument(root, &problems), NodeRegistry(kAll),
                {.allowed_cores = {0, 1, 2, 3}}, &problems);
  }
  return problems.Lines();
}

struct BadDocument {
  std::string name;
  std::string text;
  std::string expected;
};

void PrintTo(const BadDocument& bad, std::ostream* out) { *out << bad.name; }

config::ValuePtr ReadTable() {
  std::ifstream file(OTAP_SOURCE_DIR "/tests/cases/bad_documents.yaml");
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  config::Problems problems("bad_documents.yaml");
  return config::ParseDocument(text, &problems);
}

std::vector<BadDocument> BadDocuments() {
  const config::ValuePtr table = ReadTable();
  std::vector<BadDocument> documents;
  for (const config::ValuePtr& item : table->Find("cases")->items) {
    BadDocument bad{item->Find("name")->scalar, item->Find("to")->scalar,
                    "f.yaml:" + item->Find("expected")->scalar};
    if (const config::Value* from = item->Find("from")) {
      const std::string to = bad.text;
      bad.text = table->Find("good")->scalar;
      // A piece that is not there leaves the good document, which is not refused.
      const size_t at = bad.text.find(from->scalar);
      if (at != std::string::npos) {
        bad.text.replace(at, from->scalar.size(), to);
      }
    }
    documents.push_back(std::move(bad));
  }
  return documents;
}

class BadDocumentsV1 : public ::testing::TestWithParam<BadDocument> {};

TEST_P(BadDocumentsV1, AreRefusedWithPlaceAndReasonInTime) {
  const std::clock_t begin = std::clock();
  const std::vector<std::string> problems = ProblemsOf(GetParam().text);
  const double seconds = static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
  EXPECT_THAT(problems, Contains(GetParam().expected));
  for (const std::string& problem : problems) {
    EXPECT_THAT(problem, StartsWith("f.yaml:"));
  }
  EXPECT_LT(seconds, 0.1);
}

INSTANTIATE_TEST_SUITE_P(Engine, BadDocumentsV1, ::testing::ValuesIn(BadDocuments()),
                         [](const auto& tested) { return tested.param.name; });

TEST(BadDocumentsTable, TheGoodDocumentIsGoodAndTheTableIsLarge) {
  EXPECT_THAT(ProblemsOf(ReadTable()->Find("good")->scalar), IsEmpty());
  EXPECT_GE(BadDocuments().size(), 80u);
}

}  // namespace
}  // namespace df::engine
