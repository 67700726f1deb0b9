// What is asked of the pipelines of a running engine, and how it ends.
#pragma once

#include <chrono>
#include <string>

#include "app/control/admin_client.h"
#include "app/control/pipeline_names.h"

namespace df::app {

struct OperationOptions {
  std::string action;  ///< stop, start, put, delete, reload, shutdown
  std::string file;    ///< put: a path, or "-" for stdin
  bool waits = true;
  std::chrono::nanoseconds timeout = std::chrono::seconds(150);
  bool is_json = false;  ///< prints what the server answers as it is
};

/// Asks for an operation of a pipeline, waits for its end and prints how it has ended. Returns the
/// exit code: kExitIncomplete where the end did not come in time.
int RunOperation(const AdminClient& client, const std::string& name,
                 const OperationOptions& options);

/// Pauses a pipeline, lets it go on, or lets some of it through (`options.action`: pause, resume,
/// step), and prints its status. `step`: a number of batches, a duration, or "" for one batch.
/// Returns the exit code.
int RunPause(const AdminClient& client, const std::string& name, const std::string& step,
             const OperationOptions& options);

/// Drains everything and ends the process, as RunOperation does it.
int RunShutdown(const AdminClient& client, const OperationOptions& options);

/// Has the engine read its document again, and waits for what that begins, as RunOperation does.
int RunReload(const AdminClient& client, const OperationOptions& options);

/// Finds a pipeline among those of the engine. Errors: as Get and FindPipeline.
Result<PipelineName> LookUpPipeline(const AdminClient& client, const std::string& name);

/// Prints what went wrong. Returns the exit code.
int FailControl(const Status& status);

}  // namespace df::app
