// The table of routes, and nothing else.
#include <array>

#include "admin/handlers.h"
#include "admin/routes.h"

namespace df::admin {
namespace {

using Type = ParameterRule::Type;

constexpr std::array kJsonOnly = {kJson};
constexpr std::array kHtmlOnly = {kHtml};
constexpr std::array kDocumentTypes = {kYaml, kJson};
constexpr std::array kMetricTypes = {kPrometheus, kOpenMetrics, kJson};

constexpr std::array<std::string_view, 3> kMetricFormats = {"prometheus", "openmetrics", "json"};
constexpr std::array kMetricParameters = {
    ParameterRule{.name = kFormatParameter,
                  .type = Type::kChoice,
                  .description = "counts before the Accept header",
                  .choices = kMetricFormats}};
constexpr std::array kLogParameters = {
    ParameterRule{.name = "after",
                  .type = Type::kNumber,
                  .default_value = "-1",
                  .description = "records with a greater sequence, oldest first; -1: the newest",
                  .min = -1},
    ParameterRule{.name = "limit",
                  .type = Type::kNumber,
                  .default_value = "100",
                  .description = "how many records",
                  .min = 1,
                  .max = 1000}};

constexpr std::array kTapParameters = {
    ParameterRule{.name = "session",
                  .type = Type::kNumber,
                  .default_value = "0",
                  .description = "who looks: a number of one's own, the same in each request",
                  .min = 0},
    ParameterRule{.name = "wait",
                  .type = Type::kDuration,
                  .default_value = "0s",
                  .description = "how long to wait for a batch when there is none yet",
                  .max = 10}};

constexpr std::array kStepParameters = {
    ParameterRule{.name = "batches",
                  .type = Type::kNumber,
                  .default_value = "1",
                  .description = "so many batches of each receiver",
                  .min = 1,
                  .max = 1'000'000},
    ParameterRule{.name = "time",
                  .type = Type::kDuration,
                  .default_value = "0s",
                  .description =
                      "in place of batches, with pace.speed: what is due while the clock "
                      "of the records goes on for this, at its speed"}};

constexpr ParameterRule kWait = {"wait", Type::kFlag, "false",
                                 "answer when it has ended, not when it has been accepted"};
constexpr ParameterRule kWaitTimeout = {
    .name = "timeout",
    .type = Type::kDuration,
    .default_value = "150s",  // a step and a drain with their defaults end before
    .description = "with wait: how long to wait for the end; the operation goes on after that",
    .max = 600};
constexpr ParameterRule kDrainTimeout = {
    "drain_timeout", Type::kDuration, "60s",
    "how long what is stopped may take to deliver what it holds"};
constexpr ParameterRule kStepTimeout = {"step_timeout", Type::kDuration, "60s",
                                        "how long each new instance may take to become ready"};

constexpr std::array kPutParameters = {kWait, kWaitTimeout, kStepTimeout, kDrainTimeout};
constexpr std::array kStopParameters = {kWait, kWaitTimeout, kDrainTimeout};
constexpr std::array kWaitParameters = {kWait, kWaitTimeout};

constexpr ResponseRule kNoPipeline = {404, "there is no such pipeline", "Problem"};
constexpr ResponseRule kConflict = {409, "another operation of the pipeline is under way",
                                    "Problem"};
constexpr ResponseRule kAccepted = {202, "accepted; the operation goes on", "Operation"};
constexpr ResponseRule kEndedWell = {200, "the operation has ended well", "Operation"};
constexpr ResponseRule kEndedBadly = {500, "with wait: the operation has failed",
                                      "OperationProblem"};
constexpr ResponseRule kWaitedLong = {
    504, "with wait: the operation has not ended in time and goes on", "OperationProblem"};

constexpr std::array kStatusResponses = {ResponseRule{200, "the engine's state", "EngineStatus"}};
constexpr std::array kLiveResponses = {ResponseRule{200, "every pipeline is live", "Probe"},
                                       ResponseRule{500, "a pipeline is not live", "Probe"}};
constexpr std::array kReadyResponses = {
    ResponseRule{200, "every pipeline is ready", "Probe"},
    ResponseRule{503, "a pipeline is not ready, or the engine drains", "Probe"}};
constexpr std::array kDocumentResponses = {ResponseRule{200, "the effective document", ""}};
constexpr std::array kShutdownResponses = {
    ResponseRule{200, "every pipeline has ended", "Shutdown"},
    ResponseRule{202, "the engine drains and will end", "Shutdown"},
    ResponseRule{504, "with wait: not every pipeline has ended in time", "Shutdown"}};
constexpr std::array kReloadResponses = {
    ResponseRule{200, "everything that has changed is rolled out", "Reload"},
    ResponseRule{202, "what has changed is being rolled out", "Reload"},
    ResponseRule{409, "the document did not come from a file", "Problem"},
    ResponseRule{422, "the document is wrong; every problem is listed", "Problem"},
    ResponseRule{500, "a pipeline was not changed; or the file cannot be read", "ReloadOrProblem"},
    ResponseRule{504, "not everything has ended in time, and goes on", "ReloadOrProblem"}};
constexpr std::array kTapResponses = {
    ResponseRule{200, "batches that have passed the node since the request before", "Tapped"},
    ResponseRule{404, "no such node runs", "Problem"},
    ResponseRule{409, "too many taps are open, or the session looks at another node", "Problem"}};
constexpr std::array kOpenApiResponses = {ResponseRule{200, "this document", ""}};
constexpr std::array kPageResponses = {ResponseRule{200, "a page that shows the engine", ""}};
constexpr std::array kMetricResponses = {ResponseRule{200, "every metric", ""}};
constexpr std::array kLogResponses = {ResponseRule{200, "records that are still kept", "Logs"}};
constexpr std::array kLogLevelResponses = {
    ResponseRule{200, "the level from which on records are written", "LogLevel"}};
constexpr std::array kPutLogLevelResponses = {
    ResponseRule{200, "the level has been set", "LogLevel"},
    ResponseRule{415, "the body is no JSON", "Problem"},
    ResponseRule{422, "there is no such level", "Problem"}};
constexpr std::array kPipelineResponses = {
    ResponseRule{200, "the pipeline's document and state", "Pipeline"}, kNoPipeline};
constexpr std::array kPipelineStatusResponses = {
    ResponseRule{200, "the pipeline's state", "PipelineStatus"}, kNoPipeline};
constexpr std::array kPipelineLiveResponses = {ResponseRule{200, "the pipeline is live", "Probe"},
                                               ResponseRule{500, "it is not live", "Probe"},
                                               kNoPipeline};
constexpr std::array kPipelineReadyResponses = {ResponseRule{200, "the pipeline is ready", "Probe"},
                                                ResponseRule{503, "it is not ready", "Probe"},
                                                kNoPipeline};
constexpr std::array kPutResponses = {
    kEndedWell,
    kAccepted,
    ResponseRule{404, "there is no such group", "Problem"},
    kConflict,
    ResponseRule{413, "the document is too large", "Problem"},
    ResponseRule{415, "the body is neither YAML nor JSON", "Problem"},
    ResponseRule{422, "the document is wrong; every problem is listed", "Problem"},
    kEndedBadly,
    kWaitedLong};
constexpr std::array kOperationResponses = {kEndedWell, kAccepted,   kNoPipeline,
                                            kConflict,  kEndedBadly, kWaitedLong};
constexpr std::array kGetOperationResponses = {
    ResponseRule{200, "the operation", "Operation"},
    ResponseRule{404, "there is no such pipeline, or it does not know the operation", "Problem"}};

constexpr std::array kPauseResponses = {
    ResponseRule{200, "the pipeline, with what is paused", "PipelineStatus"},
    ResponseRule{404, "there is no such pipeline", "Problem"},
    ResponseRule{409, "no receiver that runs can be paused, or the step cannot be made",
                 "Problem"}};

constexpr std::array kRoutes = {
    Route{.method = Method::kGet,
          .path = "/",
          .operation_id = "getOperatorPage",
          .summary = "A page that shows pipelines, their rates and queues; it polls this API",
          .is_open = true,
          .produces = kHtmlOnly,
          .responses = kPageResponses,
          .handler = GetOperatorPage},
    Route{.method = Method::kGet,
          .path = "/api/v1/status",
          .operation_id = "getStatus",
          .summary = "Every pipeline with its instances and operations",
          .produces = kJsonOnly,
          .responses = kStatusResponses,
          .handler = GetStatus},
    Route{
        .method = Method::kGet,
        .path = "/api/v1/livez",
        .operation_id = "getLiveness",
        .summary = "Whether the process should be left running; why not is told to who is trusted",
        .is_open = true,
        .produces = kJsonOnly,
        .responses = kLiveResponses,
        .handler = GetLiveness},
    Route{.method = Method::kGet,
          .path = "/api/v1/readyz",
          .operation_id = "getReadiness",
          .summary = "Whether data should be sent here; why not is told to who is trusted",
          .is_open = true,
          .produces = kJsonOnly,
          .responses = kReadyResponses,
          .handler = GetReadiness},
    // Where probes and scrapers look when nobody tells them otherwise.
    Route{.method = Method::kGet,
          .path = "/livez",
          .operation_id = "getLivenessAtRoot",
          .summary = "As /api/v1/livez",
          .is_open = true,
          .produces = kJsonOnly,
          .responses = kLiveResponses,
          .handler = GetLiveness},
    Route{.method = Method::kGet,
          .path = "/readyz",
          .operation_id = "getReadinessAtRoot",
          .summary = "As /api/v1/readyz",
          .is_open = true,
          .produces = kJsonOnly,
          .responses = kReadyResponses,
          .handler = GetReadiness},
    Route{.method = Method::kGet,
          .path = "/metrics",
          .operation_id = "getMetricsAtRoot",
          .summary = "As /api/v1/metrics",
          .parameters = kMetricParameters,
          .produces = kMetricTypes,
          .responses = kMetricResponses,
          .handler = GetMetrics},
    Route{.method = Method::kGet,
          .path = "/api/v1/config",
          .operation_id = "getDocument",
          .summary = "The effective document of the engine, secrets replaced",
          .produces = kJsonOnly,
          .responses = kDocumentResponses,
          .handler = GetDocument},
    Route{.method = Method::kGet,
          .path = "/api/v1/metrics",
          .operation_id = "getMetrics",
          .summary = "Every metric as Prometheus text, OpenMetrics or JSON",
          .parameters = kMetricParameters,
          .produces = kMetricTypes,
          .responses = kMetricResponses,
          .handler = GetMetrics},
    Route{.method = Method::kGet,
          .path = "/api/v1/telemetry/logs",
          .operation_id = "getLogs",
          .summary = "The last records of the log that the engine keeps in memory",
          .parameters = kLogParameters,
          .produces = kJsonOnly,
          .responses = kLogResponses,
          .handler = GetLogs},
    Route{.method = Method::kGet,
          .path = "/api/v1/log-level",
          .operation_id = "getLogLevel",
          .summary = "The level from which on records are written",
          .produces = kJsonOnly,
          .responses = kLogLevelResponses,
          .handler = GetLogLevel},
    Route{.method = Method::kPut,
          .path = "/api/v1/log-level",
          .operation_id = "putLogLevel",
          .summary = "Sets the level until the process ends",
          .body_types = kJsonOnly,
          .body_schema = "LogLevel",
          .produces = kJsonOnly,
          .responses = kPutLogLevelResponses,
          .handler = PutLogLevel},
    Route{.method = Method::kGet,
          .path = "/api/v1/openapi.json",
          .operation_id = "getOpenApi",
          .summary = "This API as an OpenAPI 3.1 document",
          .produces = kJsonOnly,
          .responses = kOpenApiResponses,
          .handler = GetOpenApi},
    Route{.method = Method::kPost,
          .path = "/api/v1/reload",
          .operation_id = "reload",
          .summary = "Reads the document again and rolls out what has changed, as a SIGHUP does",
          .parameters = kWaitParameters,
          .produces = kJsonOnly,
          .responses = kReloadResponses,
          .handler = PostReload},
    Route{.method = Method::kPost,
          .path = "/api/v1/shutdown",
          .operation_id = "shutdown",
          .summary = "Drains every pipeline and ends the process",
          .parameters = kWaitParameters,
          .produces = kJsonOnly,
          .responses = kShutdownResponses,
          .handler = PostShutdown},
    Route{.method = Method::kGet,
          .path = "/api/v1/groups/{group}/pipelines/{pipeline}",
          .operation_id = "getPipeline",
          .summary = "The effective document of a pipeline, secrets replaced, and its generation",
          .produces = kJsonOnly,
          .responses = kPipelineResponses,
          .handler = GetPipeline},
    Route{.method = Method::kPut,
          .path = "/api/v1/groups/{group}/pipelines/{pipeline}",
          .operation_id = "putPipeline",
          .summary = "Creates or changes a pipeline; each core is replaced when its successor is "
                     "ready, and everything is taken back when one does not become ready",
          .parameters = kPutParameters,
          .body_types = kDocumentTypes,
          .produces = kJsonOnly,
          .responses = kPutResponses,
          .handler = PutPipeline},
    Route{.method = Method::kDelete,
          .path = "/api/v1/groups/{group}/pipelines/{pipeline}",
          .operation_id = "deletePipeline",
          .summary = "Drains a pipeline and removes it",
          .parameters = kStopParameters,
          .produces = kJsonOnly,
          .responses = kOperationResponses,
          .handler = DeletePipeline},
    Route{.method = Method::kGet,
          .path = "/api/v1/groups/{group}/pipelines/{pipeline}/status",
          .operation_id = "getPipelineStatus",
          .summary = "A pipeline with its instances and operations",
          .produces = kJsonOnly,
          .responses = kPipelineStatusResponses,
          .handler = GetPipelineStatus},
    Route{.method = Method::kGet,
          .path = "/api/v1/groups/{group}/pipelines/{pipeline}/livez",
          .operation_id = "getPipelineLiveness",
          .summary = "Whether a pipeline is live, and why not",
          .produces = kJsonOnly,
          .responses = kPipelineLiveResponses,
          .handler = GetPipelineLiveness},
    Route{.method = Method::kGet,
          .path = "/api/v1/groups/{group}/pipelines/{pipeline}/readyz",
          .operation_id = "getPipelineReadiness",
          .summary = "Whether a pipeline is ready, and why not",
          .produces = kJsonOnly,
          .responses = kPipelineReadyResponses,
          .handler = GetPipelineReadiness},
    Route{.method = Method::kPost,
          .path = "/api/v1/groups/{group}/pipelines/{pipeline}/stop",
          .operation_id = "stopPipeline",
          .summary = "Drains a pipeline; it stays known and can be started again",
          .parameters = kStopParameters,
          .produces = kJsonOnly,
          .responses = kOperationResponses,
          .handler = StopPipeline},
    Route{.method = Method::kPost,
          .path = "/api/v1/groups/{group}/pipelines/{pipeline}/start",
          .operation_id = "startPipeline",
          .summary = "Starts a pipeline that has been stopped",
          .parameters = kWaitParameters,
          .produces = kJsonOnly,
          .responses = kOperationResponses,
          .handler = StartPipeline},
    Route{.method = Method::kPost,
          .path = "/api/v1/groups/{group}/pipelines/{pipeline}/pause",
          .operation_id = "pausePipeline",
          .summary = "Holds the receivers of a pipeline before their next batch",
          .produces = kJsonOnly,
          .responses = kPauseResponses,
          .handler = PausePipeline},
    Route{.method = Method::kPost,
          .path = "/api/v1/groups/{group}/pipelines/{pipeline}/resume",
          .operation_id = "resumePipeline",
          .summary = "Lets the receivers of a pipeline that was paused go on",
          .produces = kJsonOnly,
          .responses = kPauseResponses,
          .handler = ResumePipeline},
    Route{.method = Method::kPost,
          .path = "/api/v1/groups/{group}/pipelines/{pipeline}/step",
          .operation_id = "stepPipeline",
          .summary = "Lets some of what a paused pipeline holds through; it stays paused",
          .parameters = kStepParameters,
          .produces = kJsonOnly,
          .responses = kPauseResponses,
          .handler = StepPipeline},
    Route{.method = Method::kGet,
          .path = "/api/v1/groups/{group}/pipelines/{pipeline}/operations/{operation}",
          .operation_id = "getOperation",
          .summary = "How an operation of a pipeline goes, or how it has ended",
          .produces = kJsonOnly,
          .responses = kGetOperationResponses,
          .handler = GetOperation},
    Route{.method = Method::kGet,
          .path = "/api/v1/groups/{group}/pipelines/{pipeline}/nodes/{node}/tap",
          .operation_id = "getTapped",
          .summary = "Batches that pass a node, as OTLP requests; the first request opens the tap, "
                     "and without another one it is closed after 15 s",
          .parameters = kTapParameters,
          .produces = kJsonOnly,
          .responses = kTapResponses,
          .handler = GetTapped},
};

}  // namespace

std::span<const Route> Routes() { return kRoutes; }

}  // namespace df::admin
