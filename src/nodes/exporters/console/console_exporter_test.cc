#include "nodes/exporters/console/console_exporter.h"

#include <algorithm>
#include <random>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "otlp/encode.h"
#include "testing/pipeline_harness.h"
#include "testing/random_batch.h"

namespace df::nodes::exporters::console {

extern const engine::NodeDescriptor kDescriptor;

namespace {

using otap::Signal;
using ::testing::HasSubstr;

std::string Document(const std::string& config) {
  return fmt::format(R"({{nodes: {{
      source: {{kind: receiver, plugin_urn: "urn:otel:receiver:test_scripted",
               out_ports: {{out: {{destinations: [sink]}}}}}},
      sink: {{kind: exporter, plugin_urn: "urn:otel:exporter:console", config: {{{}}}}}}}}})",
                     config);
}

/// The descriptor that the next pipeline prints to.
int output_descriptor = -1;

const engine::NodeDescriptor& TestDescriptor() {
  static const engine::NodeDescriptor descriptor = [] {
    engine::NodeDescriptor changed = kDescriptor;
    changed.make_shared = [](const engine::NodeConfig&,
                             const engine::ValidateContext&) -> Result<engine::NodeSharedPtr> {
      return std::make_shared<ConsoleOutput>(output_descriptor);
    };
    return changed;
  }();
  return descriptor;
}

class ConsoleExporterTest : public ::testing::Test {
 protected:
  ConsoleExporterTest() : file_(memfd_create("console", MFD_CLOEXEC)) {}
  ~ConsoleExporterTest() override { close(file_); }

  /// Returns what is printed of the batches.
  std::string Print(const std::string& config, const std::vector<otap::BatchPtr>& batches) {
    EXPECT_EQ(ftruncate(file_, 0), 0);
    EXPECT_EQ(lseek(file_, 0, SEEK_SET), 0);
    Run(config, batches, file_);
    struct stat info{};
    EXPECT_EQ(fstat(file_, &info), 0);
    std::string text(static_cast<size_t>(info.st_size), '\0');
    EXPECT_EQ(pread(file_, text.data(), text.size(), 0), info.st_size);
    return text;
  }

  void Run(const std::string& config, const std::vector<otap::BatchPtr>& batches, int descriptor) {
    output_descriptor = descriptor;
    harness_ = std::make_unique<testing::PipelineHarness>(Document(config),
                                                          std::vector{&TestDescriptor()});
    ASSERT_TRUE(harness_->status().ok()) << harness_->status();
    for (const otap::BatchPtr& batch : batches) {
      harness_->source().Send(batch);
    }
    harness_->source().End();
    harness_->RunUntilIdle();
    ASSERT_TRUE(harness_->has_ended());
    ASSERT_EQ(harness_->source().num_outcomes, static_cast<int64_t>(batches.size()));
  }

  int file_;
  std::unique_ptr<testing::PipelineHarness> harness_;
};

/// The text without guides, bullets and colours.
std::string Undress(std::string text) {
  for (const std::string_view part : {"\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[31m", "\x1b[32m",
                                      "\x1b[33m", "\x1b[34m", "\x1b[36m"}) {
    for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at)) {
      text.erase(at, part.size());
    }
  }
  return text;
}

TEST_F(ConsoleExporterTest, PrintsEveryRecordOfEverySignalInItsFormat) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  testing::RandomEngine rng(seed);
  for (int round = 0; round < 3; ++round) {
    for (const Signal signal : otap::kAllSignals) {
      const otap::BatchPtr batch = testing::RandomBatch(signal, {}, rng);
      EXPECT_EQ(Print("format: json", {batch}), otlp::EncodeJson(*batch).ValueOrDie() + "\n");
      for (const auto& [word, layout] : {std::pair("normal", otlp::TextLayout::kLines),
                                         std::pair("detailed", otlp::TextLayout::kDetailed)}) {
        const std::string text = Print(fmt::format("verbosity: {}, color: always", word), {batch});
        const std::string plain = otlp::EncodeText(*batch, layout).ValueOrDie();
        std::string expected;
        for (size_t at = 0; at < plain.size();) {
          const size_t end = plain.find('\n', at);
          std::string_view line = std::string_view(plain).substr(at, end - at);
          for (; line.starts_with("  "); line.remove_prefix(2)) {
            expected += "│ ";
          }
          expected += std::string(line) + "\n";
          at = end + 1;
        }
        const std::string undressed = Undress(text);
        EXPECT_EQ(undressed.substr(undressed.find('\n') + 1), expected);
        EXPECT_THAT(undressed, ::testing::StartsWith(fmt::format("● {}: 40 ", otap::Name(signal))));
      }
      EXPECT_TRUE(harness_->source().outcomes.at(0).is_ack);
    }
  }
}

TEST_F(ConsoleExporterTest, WithoutUnicodeEverythingIsAscii) {
  testing::RandomEngine rng(3);
  const std::string text = Print("unicode: false", {testing::RandomBatch(Signal::kLogs, {}, rng)});
  EXPECT_TRUE(std::all_of(text.begin(), text.end(),
                          [](char byte) { return static_cast<unsigned char>(byte) < 0x80; }));
  EXPECT_THAT(text, ::testing::StartsWith("* logs: 40 log records\n"));
  EXPECT_EQ(Dress("log body=\"ä€𝄞\"\n", {.has_color = false, .has_unicode = false}),
            "log body=\"\\u00e4\\u20ac\\ud834\\udd1e\"\n");
}

TEST_F(ConsoleExporterTest, ColoursTellErrors) {
  const PrettyStyle style = {.has_color = true, .has_unicode = false};
  EXPECT_EQ(Dress("log severityText=\"ERROR\"\n", style),
            "\x1b[31mlog\x1b[0m severityText=\"ERROR\"\n");
  EXPECT_EQ(Dress("log severityText=\"INFO\"\n", style),
            "\x1b[32mlog\x1b[0m severityText=\"INFO\"\n");
  EXPECT_EQ(Dress("  scope\n", style), "\x1b[2m| \x1b[0m\x1b[34mscope\x1b[0m\n");
}

TEST_F(ConsoleExporterTest, ThereAreNoColoursUnlessItIsATerminal) {
  testing::RandomEngine rng(4);
  const otap::BatchPtr batch = testing::RandomBatch(Signal::kTraces, {}, rng);
  EXPECT_THAT(Print("color: auto", {batch}), ::testing::Not(HasSubstr("\x1b")));
  EXPECT_THAT(Print("color: never", {batch}), ::testing::Not(HasSubstr("\x1b")));
  EXPECT_THAT(Print("color: always", {batch}), HasSubstr("\x1b"));
}

TEST_F(ConsoleExporterTest, NoMoreRecordsArePrintedThanAllowed) {
  testing::RandomEngine rng(5);
  for (const Signal signal : otap::kAllSignals) {
    const otap::BatchPtr batch = testing::RandomBatch(signal, {}, rng);
    const otap::BatchPtr first = FirstRecords(batch, 7).ValueOrDie();
    EXPECT_EQ(first->num_root_rows(), 7);
    const std::string text = Print("max_records: 7", {batch});
    EXPECT_THAT(text, HasSubstr("the first 7 of them"));
    EXPECT_EQ(Print("max_records: 7, format: json", {batch}),
              otlp::EncodeJson(*first).ValueOrDie() + "\n");
    EXPECT_THAT(Print("max_records: 40", {batch}), ::testing::Not(HasSubstr("of them")));
  }
}

TEST_F(ConsoleExporterTest, AWriteThatFailsIsANackForNow) {
  const int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
  ASSERT_GE(full, 0);
  Run("", {testing::SmallLogs(3)}, full);
  close(full);
  const engine::Outcome& outcome = harness_->source().outcomes.at(0);
  EXPECT_FALSE(outcome.is_ack);
  EXPECT_FALSE(outcome.is_permanent);
  EXPECT_THAT(outcome.reason, HasSubstr("cannot print to the console: No space left"));
  EXPECT_EQ(harness_->metric("sink", "df.console.failures", {{"reason", "write"}}), 1);
  EXPECT_EQ(harness_->TakeResult().reports.back().num_problems, 0)
      << "the sender may send it again";
}

TEST_F(ConsoleExporterTest, ABatchWithoutTextIsRefusedForGood) {
  const auto batch = otap::BatchBuilder(Signal::kLogs, otap::IdEncoding::kTransport).Build();
  EXPECT_EQ(Print("", {batch, testing::SmallLogs(1)}),
            "● logs: 1 log records\nresource\n│ scope\n│ │ log\n");
  EXPECT_TRUE(harness_->source().outcomes.at(0).is_permanent);
  EXPECT_TRUE(harness_->source().outcomes.at(1).is_ack);
  EXPECT_EQ(harness_->metric("sink", "df.console.failures", {{"reason", "encode"}}), 1);
  EXPECT_EQ(harness_->TakeResult().reports.back().num_problems, 1);
}

TEST_F(ConsoleExporterTest, BadKeysAreRefused) {
  const auto problem = [](const std::string& config) {
    return testing::PipelineHarness(Document(config), {&kDescriptor}).status().message();
  };
  EXPECT_THAT(problem("format: xml"), HasSubstr("one of pretty, json"));
  EXPECT_THAT(problem("colour: auto"), HasSubstr("did you mean 'color'"));
  EXPECT_THAT(problem("max_records: -1"), HasSubstr("max_records"));
}

}  // namespace
}  // namespace df::nodes::exporters::console
