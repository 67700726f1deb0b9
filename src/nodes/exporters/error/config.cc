#include "nodes/exporters/error/config.h"

namespace df::nodes::exporters::error {

const config::FieldTable<ErrorConfig>& ErrorFields() {
  static const config::FieldTable<ErrorConfig> table = {
      config::String("message", &ErrorConfig::message, "the reason that every refusal gives")
          .Required(),
      config::Bool("permanent", &ErrorConfig::permanent,
                   "refuse for good, so that nobody sends the batch again"),
      config::Number("ratio", &ErrorConfig::ratio, {0, 1},
                     "share of the batches that are refused; the others are acked"),
      config::Integer("seed", &ErrorConfig::seed, {0, INT64_MAX},
                      "chooses which batches; the same seed refuses the same ones"),
  };
  return table;
}

}  // namespace df::nodes::exporters::error
