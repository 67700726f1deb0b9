// Finds out what is wrong with a request that could not be decoded.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "otlp/schema/messages.h"

namespace df::otlp {

/// The first thing that is wrong with a message.
struct ProtoFault {
  std::string path;     ///< "resource_logs[3].scope_logs[0].log_records[17].body", "" at the top
  size_t offset = 0;    ///< of the field, from the first byte of the message
  std::string problem;  ///< "found .., expected .."

  /// Returns "<path>: at offset <offset>: <problem>".
  std::string ToString() const;
};

/// Walks a whole message by its shape. Nothing when all is well: tags, lengths and numbers can be
/// read, texts are UTF-8, values are at most `max_value_depth` arrays and maps deep, and messages
/// kMaxMessageDepth; this one is in `level` others already. Decoders say
/// only that they failed, so that they need not keep track of where they are; this says why.
/// Cost: one pass; no allocation unless there is a fault.
std::optional<ProtoFault> FindFault(const MessageShape& shape, std::string_view message,
                                    int max_value_depth, int level = 0);

}  // namespace df::otlp
