#include "nodes/processors/dead_letters/config.h"

namespace df::nodes::processors::dead_letters {

const config::FieldTable<DeadLettersConfig>& DeadLettersFields() {
  static const config::FieldTable<DeadLettersConfig> table = {
      config::Enum(
          "on_error", &DeadLettersConfig::on_error,
          {{"continue", OnError::kContinue}, {"stop", OnError::kStop}},
          "what happens when a dead letter cannot be written: its sender hears that it was "
          "not delivered (continue), or the pipeline fails, too (stop)"),
      config::Integer(
          "max_in_flight", &DeadLettersConfig::max_in_flight, {1, 1'000'000},
          "batches kept until they have an outcome; when there are as many, input waits"),
  };
  return table;
}

}  // namespace df::nodes::processors::dead_letters
