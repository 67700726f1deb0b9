// Prints batches of every signal.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include "engine/node.h"
#include "nodes/exporters/console/config.h"
#include "nodes/exporters/console/console_output.h"
#include "nodes/exporters/console/pretty_text.h"

namespace df::nodes::exporters::console {

/// Acks what has been printed. What could not be written is nacked for now, what has no text for
/// good.
class ConsoleExporter final : public engine::Exporter {
 public:
  ConsoleExporter(std::shared_ptr<const ConsoleConfig> config,
                  std::shared_ptr<ConsoleOutput> output);

  Status Start(engine::Effects& effects) override;
  runtime::Task<Status> Export(engine::Pdata pdata, engine::Effects& effects) override;
  runtime::Task<Status> OnTimer(engine::TimerId id, engine::Effects& effects) override;
  runtime::Task<Status> Finish(engine::Effects& effects) override;

  /// One line: what was printed. What was not counts as a problem.
  engine::NodeReport Report() override;

 private:
  Result<std::string> TextOf(const otap::BatchPtr& batch) const;

  std::shared_ptr<const ConsoleConfig> config_;
  std::shared_ptr<ConsoleOutput> output_;
  PrettyStyle style_;
  std::array<int64_t, 3> num_items_{};
  int64_t num_batches_ = 0;
  int64_t num_failed_ = 0;
  int64_t num_refused_ = 0;  ///< of these, batches that have no text
  std::string first_error_;
  telemetry::Counter* write_failures_ = nullptr;
  telemetry::Counter* encode_failures_ = nullptr;
};

}  // namespace df::nodes::exporters::console
