// What the routes do. Calls: on the thread of the server; none waits.
#pragma once

#include "admin/engine_view.h"
#include "admin/exchange.h"
#include "admin/routes.h"

namespace df::admin {

Answer GetStatus(const Call& call, EngineView& engine);
Answer GetLiveness(const Call& call, EngineView& engine);
Answer GetReadiness(const Call& call, EngineView& engine);
Answer GetDocument(const Call& call, EngineView& engine);
Answer PostReload(const Call& call, EngineView& engine);
Answer PostShutdown(const Call& call, EngineView& engine);
Answer GetOpenApi(const Call& call, EngineView& engine);
Answer GetOperatorPage(const Call& call, EngineView& engine);

Answer GetMetrics(const Call& call, EngineView& engine);
Answer GetLogs(const Call& call, EngineView& engine);
Answer GetLogLevel(const Call& call, EngineView& engine);
Answer PutLogLevel(const Call& call, EngineView& engine);

Answer GetPipeline(const Call& call, EngineView& engine);
Answer PutPipeline(const Call& call, EngineView& engine);
Answer DeletePipeline(const Call& call, EngineView& engine);
Answer GetPipelineStatus(const Call& call, EngineView& engine);
Answer GetPipelineLiveness(const Call& call, EngineView& engine);
Answer GetPipelineReadiness(const Call& call, EngineView& engine);
Answer StopPipeline(const Call& call, EngineView& engine);
Answer StartPipeline(const Call& call, EngineView& engine);
Answer PausePipeline(const Call& call, EngineView& engine);
Answer ResumePipeline(const Call& call, EngineView& engine);
Answer StepPipeline(const Call& call, EngineView& engine);
Answer GetTapped(const Call& call, EngineView& engine);
Answer GetOperation(const Call& call, EngineView& engine);

}  // namespace df::admin
