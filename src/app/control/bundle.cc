#include "app/control/bundle.h"

#include <array>
#include <chrono>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "app/commands/exit_codes.h"
#include "app/control/operations.h"
#include "app/control/reply_fields.h"
#include "app/control/tar_text.h"
#include "app/standard_output.h"
#include "app/version.h"
#include "base/durable_file.h"
#include "runtime/clock.h"

namespace df::app {
namespace {

/// Files of a bundle stand in a folder of this name, so that they unpack into one.
constexpr std::string_view kFolder = "df_engine-bundle/";

struct Part {
  std::string_view file;
  std::string_view target;
  bool is_text = false;
};

constexpr auto kParts = std::to_array<Part>({
    {"status.json", "/api/v1/status"},
    {"readyz.json", "/api/v1/readyz"},
    {"config.json", "/api/v1/config"},
    {"metrics.txt", "/api/v1/metrics", /*is_text=*/true},
    {"logs.json", "/api/v1/telemetry/logs?limit=1000"},
});

}  // namespace

int WriteBundle(const AdminClient& client, const std::string& path) {
  std::vector<TarEntry> entries;
  std::string missing;
  std::string version;
  for (const Part& part : kParts) {
    const Result<AdminReply> reply =
        client.AskAndWait({.target = std::string(part.target), .is_text = part.is_text});
    if (!reply.ok() && entries.empty()) {
      return FailControl(reply.status());  // there is nothing to write
    }
    if (!reply.ok() || (reply->is_refusal() && !reply->json.contains("reasons"))) {
      missing += fmt::format("{}: {}\n", part.file,
                             (reply.ok() ? RefusalOf(*reply, "") : reply.status()).message());
      continue;
    }
    if (entries.empty()) {
      version = TextOf(reply->json, "version");
    }
    entries.emplace_back(std::string(kFolder) + std::string(part.file), reply->body);
  }
  entries.emplace_back(std::string(kFolder) + "version.txt",
                       fmt::format("engine: {}\nasked by: {}\n", version, VersionDetails()));
  if (!missing.empty()) {
    entries.emplace_back(std::string(kFolder) + "missing.txt", missing);
  }
  const auto now = std::chrono::duration_cast<std::chrono::seconds>(
      runtime::SystemClock().WallNow().time_since_epoch());
  const Result<std::string> tar = TarText(entries, now.count());
  const Status written = tar.ok() ? ReplaceFile(&SystemFileCalls(), path, *tar) : tar.status();
  if (!written.ok()) {
    return FailControl(written);
  }
  // Nothing is printed to stdout: the answer is the file.
  const Status ignored =
      PrintTo(stderr, fmt::format("{}: {} files{}\n", path, entries.size(),
                                  missing.empty() ? "" : "; what is missing:\n" + missing));
  return missing.empty() ? kExitClean : kExitIncomplete;
}

}  // namespace df::app
