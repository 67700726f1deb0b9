#include "nodes/exporters/file/config.h"

#include <algorithm>
#include <vector>

#include <fmt/format.h>

namespace df::nodes::exporters::file {
namespace {

constexpr std::string_view kSignal = "signal";
constexpr std::string_view kCoreId = "core_id";

std::string Placeholder(std::string_view name) { return fmt::format("{{{}}}", name); }

void ReplaceAll(std::string_view from, std::string_view to, std::string* text) {
  for (size_t at = text->find(from); at != std::string::npos; at = text->find(from, at)) {
    text->replace(at, from.size(), to);
    at += to.size();
  }
}

}  // namespace

const config::FieldTable<FileConfig>& FileFields() {
  static const config::FieldTable<FileConfig> kTable = {
      config::String("path", &FileConfig::path,
                     "where to write; {signal} and {core_id} are filled in, folders are created")
          .Required(),
      config::Enum("format", &FileConfig::format,
                   {{"otlp_json", Format::kOtlpJson}, {"otlp_proto", Format::kOtlpProto}},
                   "one JSON request a line, or protobuf requests each behind a 4-byte length"),
      config::Enum("open_mode", &FileConfig::open_mode,
                   {{"truncate", OpenMode::kTruncate},
                    {"append", OpenMode::kAppend},
                    {"create_new", OpenMode::kCreateNew}},
                   "what to do with a file that exists: empty it, write behind it, refuse it"),
      config::Enum(
          "durability", &FileConfig::durability,
          {{"none", Durability::kNone}, {"flush", Durability::kFlush}, {"sync", Durability::kSync}},
          "a batch is acked when it waits to be written, when the operating system has it, "
          "or when the disk has it"),
      config::Size("queue_size", &FileConfig::queue_size, {64_KiB, 64_GiB},
                   "encoded requests that wait to be written, on each core"),
  };
  return kTable;
}

bool HasPlaceholder(const std::string& path, std::string_view name) {
  return path.find(Placeholder(name)) != std::string::npos;
}

void CheckPath(const FileConfig& config, const engine::ValidateContext& context,
               const config::Section& section) {
  const std::vector<std::string> known = {std::string(kSignal), std::string(kCoreId)};
  for (size_t begin = config.path.find('{'); begin != std::string::npos;
       begin = config.path.find('{', begin + 1)) {
    const size_t end = std::min(config.path.find('}', begin), config.path.size());
    const std::string name = config.path.substr(begin + 1, end - begin - 1);
    if (name != kSignal && name != kCoreId) {
      section.AddUnknown(
          fmt::format("unknown placeholder '{{{}}}', expected {{signal}} or {{core_id}}", name),
          name, known);
    }
  }
  if (context.num_cores > 1 && !HasPlaceholder(config.path, kCoreId)) {
    section.Add(
        fmt::format("{} cores would write to one file, expected {{core_id}} in the path, "
                    "as in out/{{signal}}-{{core_id}}.otlp",
                    context.num_cores));
  }
  // A protobuf request does not say of which signal it is.
  if (config.format == Format::kOtlpProto && !HasPlaceholder(config.path, kSignal)) {
    section.Add(
        "signals could not be told apart in one file of format otlp_proto, expected {signal} in "
        "the path, as in out/{signal}.otlp");
  }
}

std::string ExpandPath(const std::string& path, otap::Signal signal, int core_id) {
  std::string expanded = path;
  ReplaceAll(Placeholder(kSignal), otap::Name(signal), &expanded);
  ReplaceAll(Placeholder(kCoreId), std::to_string(core_id), &expanded);
  return expanded;
}

}  // namespace df::nodes::exporters::file
