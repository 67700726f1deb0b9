#include "app/commands/absent_flags.h"

#include <algorithm>
#include <array>

namespace df::app {
namespace {

constexpr auto kAbsent = std::to_array<AbsentFlag>({
    {"replay", "--rate", "is not known: --rate-limit 5000/s or 10MiB/s, or --speed 10x"},
    {"replay", "--state",
     "is not known: --checkpoint DIR/NAME keeps what was delivered; or --receipt FILE writes it at "
     "the end, and --resume FILE goes on from there"},
    {"replay", "--on-reject",
     "is not known: --dead-letters DIR keeps what the destination refuses permanently; or the "
     "receipt (--receipt FILE) says what was refused, and --resume FILE sends it again"},
    {"count", "--csv", "is not supported yet: --json prints an object for each group, on a line"},
    {"count", "--format",
     "is not known: --json prints an object for each group, on a line; without it there is a "
     "table"},
    {"convert", "--lines", "is not needed: otlp-json is a request a line"},
    {"compact", "--partition-by", "is not known: --by day or --by hour says it"},
    {"generate", "--signals", "is not known: --signal names one, and may be given again"},
    {"generate", "--profile",
     "is not supported yet: a document with receiver:traffic_generator says the shape of the load"},
    {"receive", "--flush",
     "is not known: a document with receiver:otlp and exporter:parquet says when files are written "
     "(flush_when_older_than)"},
    {"run", "--watch",
     "is not supported yet: SIGHUP and 'df_engine ctl reload' read the document again"},
    {"validate", "--watch", "is not supported yet: run it again"},
});

}  // namespace

std::span<const AbsentFlag> AllAbsentFlags() { return kAbsent; }

std::string_view WhyAbsent(std::string_view verb, std::string_view flag) {
  const auto found = std::find_if(kAbsent.begin(), kAbsent.end(), [&](const AbsentFlag& absent) {
    return absent.verb == verb && absent.flag == flag;
  });
  return found == kAbsent.end() ? "" : found->why;
}

}  // namespace df::app
