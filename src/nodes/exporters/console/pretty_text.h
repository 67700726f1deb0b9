// Dresses the text of a batch for a terminal.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "otap/batch.h"

namespace df::nodes::exporters::console {

struct PrettyStyle {
  bool has_color = false;
  bool has_unicode = true;
};

/// Returns "logs: 12 log records" and what is left out, as one line.
std::string Headline(const otap::Batch& batch, int64_t num_printed, PrettyStyle style);

/// Returns the lines of otlp::EncodeText with guides in place of their indentation, and colours
/// for their first words and for records that tell of an error. Without unicode every character
/// outside of ASCII is written as \uXXXX. Cost: one pass.
std::string Dress(std::string_view text, PrettyStyle style);

/// Returns a batch with the first `max_records` rows of the root table; children of others stay,
/// and are not printed. The batch itself when it has no more.
Result<otap::BatchPtr> FirstRecords(const otap::BatchPtr& batch, int64_t max_records);

}  // namespace df::nodes::exporters::console
