#include "app/commands/tap_command.h"

#include <charconv>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "app/commands/archive_flags.h"
#include "app/commands/exit_codes.h"
#include "app/control/admin_client.h"
#include "app/control/admin_flags.h"
#include "app/control/metrics_look.h"
#include "app/control/tapped_records.h"
#include "app/standard_output.h"
#include "base/text.h"
#include "config/environment.h"

namespace df::app {
namespace {

constexpr const char* kCommand = "df_engine tap";
/// How long the server waits for a batch, before it is asked again.
constexpr std::chrono::seconds kWait{5};
/// More than the 64 MiB of records that the server puts into one answer.
constexpr int64_t kMaxReplyBytes = 65 << 20;

struct TapFlags {
  AdminFlags access;
  std::string node;
  std::string where;
  std::string sample;
  int64_t count = 0;
  std::vector<std::string> redact;
  bool is_json = false;
};

struct TappedNode {
  PipelineName pipeline;
  std::string node;

  std::string ToString() const { return pipeline.ToString() + ":" + node; }
};

/// Reads "1/N".
Result<int64_t> ReadSample(const std::string& text) {
  int64_t every = 1;
  if (text.empty()) {
    return every;
  }
  const char* end = text.data() + text.size();
  const bool has_one = text.starts_with("1/");
  const auto parsed = std::from_chars(text.data() + (has_one ? 2 : 0), end, every);
  if (!has_one || parsed.ec != std::errc() || parsed.ptr != end || every < 1) {
    return Status::Invalid(
        fmt::format("--sample: found '{}', expected 1/N, such as 1/100", PrintableText(text)));
  }
  return every;
}

/// Finds the node that "NODE", "PIPELINE:NODE" or "GROUP/PIPELINE:NODE" means. Errors: KeyError,
/// and Invalid where it may be several.
Result<TappedNode> FindNode(const std::string& name, const MetricsLook& look) {
  const size_t colon = name.find(':');
  const std::string pipeline = colon == std::string::npos ? "" : name.substr(0, colon);
  const std::string node = colon == std::string::npos ? name : name.substr(colon + 1);
  std::vector<TappedNode> found;
  std::vector<std::string> known;
  std::vector<std::string> found_names;
  for (const auto& [key, numbers] : look.pipelines) {
    const PipelineName candidate{key.first, key.second};
    for (const auto& [id, of_node] : numbers.nodes) {
      known.push_back(pipeline.empty() ? id : candidate.ToString() + ":" + id);
      if (id == node && (pipeline.empty() || pipeline == candidate.pipeline ||
                         pipeline == candidate.ToString())) {
        found.push_back({candidate, id});
        found_names.push_back(found.back().ToString());
      }
    }
  }
  if (found.size() == 1) {
    return found.front();
  }
  if (found.size() > 1) {
    return Status::Invalid(fmt::format("'{}' may mean any of {}: write the pipeline too",
                                       PrintableText(name), fmt::join(found_names, ", ")));
  }
  const std::string nearest = NearestName(name, known);
  return Status::KeyError(fmt::format("there is no node '{}'{}", PrintableText(name),
                                      nearest.empty()
                                          ? "; 'df_engine top --once' lists them"
                                          : fmt::format("; did you mean '{}'?", nearest)));
}

Result<TappedNode> LookUpNode(const AdminClient& client, const std::string& name) {
  ARROW_ASSIGN_OR_RAISE(const AdminReply reply, client.Get("/api/v1/metrics?format=json"));
  ARROW_ASSIGN_OR_RAISE(const MetricsLook look, ReadMetrics(reply.json));
  return FindNode(name, look);
}

void Remark(const std::string& text) {
  // When stderr cannot be written, there is no other place to say it.
  const Status ignored = PrintTo(stderr, text + "\n");
}

/// Goes on until enough was shown, or nobody reads any more.
Status Follow(const AdminClient& client, const TappedNode& node, TappedRecords* records) {
  // A number that no other tap has; the server takes those of 63 bits.
  const uint64_t session = std::random_device()() + 1;
  const std::string path = fmt::format("{}/nodes/{}/tap?session={}", node.pipeline.Path(),
                                       PathSegment(node.node), session);
  AnswerWriter writer;
  int64_t num_dropped = 0;
  bool has_begun = false;
  while (!records->is_done() && !writer.has_no_reader()) {
    const std::string wait = has_begun ? fmt::format("&wait={}s", kWait.count()) : "";
    ARROW_ASSIGN_OR_RAISE(
        const AdminReply reply,
        client.AskAndWait(
            {.target = path + wait, .wait = kWait, .max_reply_bytes = kMaxReplyBytes}));
    if (reply.is_refusal()) {
      return RefusalOf(reply, "");
    }
    ARROW_ASSIGN_OR_RAISE(const std::string lines, records->Take(reply.json));
    ARROW_RETURN_NOT_OK(writer.Add(lines));
    ARROW_RETURN_NOT_OK(writer.Flush());
    if (!has_begun) {
      Remark(fmt::format("{}: records that pass from now on; Ctrl-C ends", node.ToString()));
    }
    if (records->num_dropped() > num_dropped) {
      Remark(fmt::format("{} more were dropped from the tap, not from the pipeline",
                         ShowCount(records->num_dropped() - num_dropped)));
      num_dropped = records->num_dropped();
    }
    has_begun = true;
  }
  return Status::OK();
}

int Fail(const Status& status) {
  const int code = FailCommand(kCommand, status);
  return status.IsKeyError() ? kExitNothingFound : code;
}

Result<TappedRecords> RecordsOf(const TapFlags& flags) {
  TappedOptions options{.where = flags.where, .redact = flags.redact};
  ARROW_ASSIGN_OR_RAISE(options.every, ReadSample(flags.sample));
  if (flags.count > 0) {
    options.count = flags.count;
  }
  options.style = {.form = flags.is_json ? RecordForm::kJson : RecordForm::kLine};
  return TappedRecords::Make(std::move(options));
}

void AddFlags(CLI::App* command, TapFlags* flags) {
  command
      ->add_option(
          "NODE", flags->node,
          "A node, like out, main:out or default/main:out where several pipelines have one")
      ->required()
      ->type_name("");
  AddAdminFlags(command, &flags->access);
  command
      ->add_option("--where", flags->where,
                   "Only records for which a condition in OTTL holds (docs/conditions.md)")
      ->type_name("CONDITION");
  command->add_option("--sample", flags->sample, "One record of N")->type_name("1/N");
  command->add_option("-n,--count", flags->count, "End after so many records")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 53).description(""))
      ->type_name("N");
  command
      ->add_option("--redact", flags->redact,
                   "Do not print values of attributes with this key; may be given again")
      ->allow_extra_args(false)
      ->type_name("KEY");
  command->add_flag("--json", flags->is_json, "Print an object for each record, on a line");
  command->footer(
      "Receivers show what they send, other nodes what they take. What comes faster than it is "
      "read\n"
      "is dropped from the tap and counted on stderr, never from the pipeline.");
}

}  // namespace

int TapCommand(int argc, char** argv) {
  CLI::App command("Prints records that pass a node of a running engine.", kCommand);
  TapFlags flags;
  AddFlags(&command, &flags);
  if (const auto code = ParseCommandLine(&command, argc, argv)) {
    return *code;
  }
  auto records = RecordsOf(flags);
  if (!records.ok()) {
    return Fail(records.status());
  }
  auto access = ReadAdminFlags(flags.access, config::ProcessEnvironment());
  if (!access.ok()) {
    return Fail(access.status());
  }
  const AdminClient client(*std::move(access));
  const auto node = LookUpNode(client, flags.node);
  if (!node.ok()) {
    return Fail(node.status());
  }
  const Status followed = Follow(client, *node, &*records);
  return followed.ok() ? kExitClean : Fail(followed);
}

}  // namespace df::app
