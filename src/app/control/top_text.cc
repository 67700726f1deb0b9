#include "app/control/top_text.h"

#include <chrono>
#include <cmath>

#include <fmt/format.h>

#include "app/commands/archive_flags.h"
#include "app/commands/text_table.h"
#include "base/text.h"

namespace df::app {
namespace {

using Json = nlohmann::ordered_json;

/// Longer names are cut: the numbers are what is looked for.
constexpr size_t kLongestName = 40;

/// Returns at most so many characters of Unicode.
std::string Cut(const std::string& text, size_t most) {
  size_t count = 0;
  for (size_t at = 0; at < text.size(); ++at) {
    const bool is_first = (static_cast<unsigned char>(text[at]) & 0xC0) != 0x80;
    if (is_first && ++count > most) {
      return text.substr(0, at);
    }
  }
  return text;
}

std::string CutName(const std::string& name) {
  return WidthOf(name) <= kLongestName ? name : Cut(name, kLongestName - 2) + "..";
}

/// What is nothing is not worth a digit.
std::string Count(double number) {
  return number <= 0     ? "-"
         : number < 9.95 ? fmt::format("{:.1f}", number)
                         : ShowCount(std::llround(number));
}

std::string Bytes(double number) { return number < 0.5 ? "-" : FormatSize(std::llround(number)); }

std::string Duration(double seconds) {
  return seconds < 1 ? (seconds <= 0 ? "-" : "<1s")
                     : FormatDuration(std::chrono::seconds(static_cast<int64_t>(seconds)));
}

void AddRow(const std::string& name, const TopRow& row, TextTable* table) {
  table->Add({CutName(name), Count(row.items_in), Count(row.items_out), Bytes(row.bytes_in),
              Bytes(row.bytes_out), Count(row.refused), Count(row.queued), Bytes(row.queued_bytes),
              Bytes(row.memory_bytes), Duration(row.failing_seconds)});
}

void AddNumbers(const TopRow& row, Json* json) {
  (*json)["items_in_per_second"] = row.items_in;
  (*json)["items_out_per_second"] = row.items_out;
  (*json)["bytes_in_per_second"] = row.bytes_in;
  (*json)["bytes_out_per_second"] = row.bytes_out;
  (*json)["refused_batches_per_second"] = row.refused;
  (*json)["queued_batches"] = row.queued;
  (*json)["queued_bytes"] = row.queued_bytes;
  (*json)["failing_seconds"] = row.failing_seconds;
}

}  // namespace

std::string TopText(const std::vector<TopPipeline>& pipelines, size_t width) {
  TextTable table({{"PIPELINE, NODE"},
                   {"ITEMS IN/S", true},
                   {"OUT/S", true},
                   {"BYTES IN/S", true},
                   {"OUT/S", true},
                   {"REFUSED/S", true},
                   {"QUEUED", true},
                   {"SIZE", true},
                   {"MEMORY", true},
                   {"FAILING", true}});
  for (const TopPipeline& pipeline : pipelines) {
    AddRow(pipeline.name.ToString(), pipeline.whole, &table);
    for (const TopRow& node : pipeline.nodes) {
      AddRow(fmt::format("  {} ({})", node.node, node.type), node, &table);
    }
  }
  const std::string text = table.ToText();
  std::string cut;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = text.find('\n', begin);
    cut += Cut(text.substr(begin, end - begin), width) + "\n";
    begin = end + 1;
  }
  return cut;
}

std::string TopJson(const std::vector<TopPipeline>& pipelines, const MetricsLook& before,
                    const MetricsLook& after) {
  Json json = {{"time_unix_nano", after.unix_nanos},
               {"seconds", SecondsBetween(before, after)},
               {"pipelines", Json::array()}};
  for (const TopPipeline& pipeline : pipelines) {
    Json entry = {{"group", pipeline.name.group}, {"pipeline", pipeline.name.pipeline}};
    AddNumbers(pipeline.whole, &entry);
    entry["memory_bytes"] = pipeline.whole.memory_bytes;
    entry["nodes"] = Json::array();
    for (const TopRow& node : pipeline.nodes) {
      Json of_node = {{"node", node.node}, {"type", node.type}};
      AddNumbers(node, &of_node);
      entry["nodes"].push_back(std::move(of_node));
    }
    json["pipelines"].push_back(std::move(entry));
  }
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace df::app
