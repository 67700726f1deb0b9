// Telemetry that is made to be looked for.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "otap/schema.h"
#include "otlp/compare/item_digests.h"

namespace df::app {

/// The attribute of the resource by which the items of a cycle are found.
inline constexpr std::string_view kCanaryAttribute = "df_engine.canary.id";

/// What a cycle sends.
struct CanaryItems {
  std::string lines;                      ///< OTLP JSON, a request a line
  std::vector<otap::Signal> signals;      ///< of the lines
  std::vector<otlp::ItemDigest> digests;  ///< by signal, of the items as they are to come back
};

/// Makes `count` log records, spans and metrics each, with attributes of every type, events, links,
/// exemplars and all kinds of points. All have the time `unix_nanos` and the resource attribute
/// kCanaryAttribute with the value `id`. Errors: none but defects of this code.
Result<CanaryItems> MakeCanaryItems(std::string_view id, int64_t unix_nanos, int count,
                                    std::span<const otap::Signal> signals);

}  // namespace df::app
