// Every metric of the engine and every attribute, once. docs/metrics.md says what they mean; a test
// compares the two. Names do not change: dashboards hang on them.
#pragma once

#include <array>
#include <string_view>

#include "telemetry/instrument.h"

namespace df::telemetry::names {

/// Scopes of metric sets.
inline constexpr std::string_view kProcessScope = "df.process";
inline constexpr std::string_view kCoreScope = "df.core";
inline constexpr std::string_view kPipelineScope = "df.pipeline";
inline constexpr std::string_view kNodeScope = "df.node";
inline constexpr std::string_view kEdgeScope = "df.edge";

/// Attributes of sets.
inline constexpr std::string_view kPipelineGroupId = "pipeline.group.id";
inline constexpr std::string_view kPipelineId = "pipeline.id";
inline constexpr std::string_view kCoreId = "core.id";
inline constexpr std::string_view kNodeId = "node.id";
inline constexpr std::string_view kNodeType = "node.type";  ///< "receiver:parquet"
/// Which copy, in place of core.id where threads are not pinned.
inline constexpr std::string_view kInstanceIndex = "instance.index";

/// Attributes of points.
inline constexpr std::string_view kReason = "reason";
inline constexpr std::string_view kCause = "cause";
inline constexpr std::string_view kErrorKind = "kind";       ///< a name of df::ErrorKind
inline constexpr std::string_view kOutcome = "outcome";      ///< "ack", "nack"
inline constexpr std::string_view kPermanent = "permanent";  ///< "true", "false"
inline constexpr std::string_view kSignal = "signal";        ///< "logs", "traces", "metrics"
/// "list", "open", "read", "write", "remove".
inline constexpr std::string_view kOperation = "operation";
inline constexpr std::string_view kLevel = "level";  ///< "debug", "info", "warning", "error"

using enum InstrumentKind;

// Nodes (df.node): pipeline.group.id, pipeline.id, core.id, node.id, node.type.
inline constexpr Instrument kNodeBatchesIn = {kCounter, "df.node.batches.in", "{batch}",
                                              "Batches that the node has taken", "signal"};
inline constexpr Instrument kNodeItemsIn = {
    kCounter, "df.node.items.in", "{item}",
    "Log records, spans and data points in the batches that the node has taken", "signal"};
inline constexpr Instrument kNodeBatchesOut = {kCounter, "df.node.batches.out", "{batch}",
                                               "Batches that the node has sent", "signal"};
inline constexpr Instrument kNodeItemsOut = {
    kCounter, "df.node.items.out", "{item}",
    "Log records, spans and data points in the batches that the node has sent", "signal"};
inline constexpr Instrument kNodeBatchesAcked = {
    kCounter, "df.node.batches.acked", "{batch}",
    "Batches this node originated that were acknowledged"};
inline constexpr Instrument kNodeBatchesNacked = {kCounter, "df.node.batches.nacked", "{batch}",
                                                  "Batches this node originated that were rejected",
                                                  "permanent,reason"};
inline constexpr Instrument kNodeBatchesPending = {
    kUpDownCounter, "df.node.batches.pending", "{batch}",
    "Batches this node originated that are still in flight"};
inline constexpr Instrument kNodeItemsDropped = {
    kCounter, "df.node.items.dropped", "{item}",
    "Log records, spans and data points that the node has left out on purpose", "reason"};
inline constexpr Instrument kNodeBusyTime = {kCounter, "df.node.busy.time", "s",
                                             "Time inside calls of the node without its waits"};
inline constexpr Instrument kNodeWaits = {kCounter, "df.node.waits", "{wait}",
                                          "How often the node or its inbox had to wait", "reason"};
inline constexpr Instrument kNodeWaitTime = {
    kCounter, "df.node.wait.time", "s", "How long the node or its inbox had to wait", "reason"};
inline constexpr Instrument kNodeTicksLeftOut = {
    kCounter, "df.node.timer.ticks_left_out", "{tick}",
    "Timer ticks skipped because the previous one was still queued"};
inline constexpr Instrument kNodeOutcomeLatency = {
    kHistogram, "df.node.outcome.latency", "s",
    "Time from sending a batch this node originated until its outcome", "outcome"};
inline constexpr Instrument kNodeCallDuration = {kHistogram, "df.node.call.duration", "s",
                                                 "Time of each call of the node with a batch"};

inline constexpr Instrument kNodeFailingTime = {
    kUpDownCounter, "df.node.failing.time", "s",
    "Time since which an exporter has delivered nothing, each batch being refused; 0 while it "
    "delivers"};

// Receivers that read files; in the set of their node.
inline constexpr Instrument kReceiverSizeFound = {
    kUpDownCounter, "df.receiver.size.found", "By",
    "Bytes of the files in which something new was found, and of those beside them"};
inline constexpr Instrument kReceiverSizeWaiting = {
    kUpDownCounter, "df.receiver.size.waiting", "By",
    "Of these, the bytes of files whose reading has not begun"};
inline constexpr Instrument kReceiverPaceLag = {
    kGauge, "df.receiver.pace.lag", "s", "How far behind its time the last paced batch went out"};
inline constexpr Instrument kReceiverPaceSkipped = {
    kCounter, "df.receiver.pace.skipped.time", "s",
    "Waits that a paced replay left out because nothing was due for longer than the longest gap"};
inline constexpr Instrument kReceiverCheckpointFailures = {
    kCounter, "df.receiver.checkpoint.failures", "{save}",
    "Saves of the checkpoint that failed; what was delivered since is sent again after a kill"};
inline constexpr Instrument kReceiverCheckpointAge = {
    kGauge, "df.receiver.checkpoint.age", "s",
    "Time since the checkpoint last had everything that was delivered"};
inline constexpr Instrument kReceiverLeasesHeld = {
    kUpDownCounter, "df.receiver.leases.held", "{lease}",
    "Leases that this process has in a checkpoint that it shares"};
inline constexpr Instrument kReceiverLeasesLost = {
    kCounter, "df.receiver.leases.lost", "{lease}",
    "Leases that other processes took over because this one did not renew them in time"};
// Those that read rows.
inline constexpr Instrument kReceiverRowsListed = {
    kCounter, "df.receiver.rows.listed", "{row}",
    "Rows of root tables in the files that were taken"};
inline constexpr Instrument kReceiverRowsRead = {kCounter, "df.receiver.rows.read", "{row}",
                                                 "Rows of root tables that were read and selected"};
inline constexpr Instrument kReceiverRowsEmitted = {
    kCounter, "df.receiver.rows.emitted", "{row}", "Rows of root tables that were sent in batches"};
inline constexpr Instrument kReceiverRowsAcked = {
    kCounter, "df.receiver.rows.acked", "{row}",
    "Rows of root tables in the batches that were delivered"};
inline constexpr Instrument kReceiverRowsRefused = {
    kCounter, "df.receiver.rows.refused", "{row}",
    "Rows of root tables in the batches that were refused"};
inline constexpr Instrument kReceiverRowsDropped = {
    kCounter, "df.receiver.rows.dropped", "{row}",
    "Rows of root tables that could not be sent, or that nobody wanted", "reason"};
inline constexpr Instrument kReceiverSkippedFolders = {
    kCounter, "df.receiver.skipped.folders", "{folder}",
    "Folders of times that a selection does not need, not listed"};
inline constexpr Instrument kReceiverPaused = {kGauge, "df.receiver.paused", "{receiver}",
                                               "1 while the replay is paused, and 0 else"};
inline constexpr Instrument kReceiverWatchGaps = {
    kCounter, "df.receiver.watch.gaps", "{gap}",
    "Folders that are not watched, and times at which more had changed than is kept in mind: new "
    "files are found by polling there",
    "cause"};
inline constexpr Instrument kReceiverSkippedFiles = {
    kCounter, "df.receiver.skipped.files", "{file}",
    "Files of root tables of which a selection needs nothing but the footer", "cause"};
inline constexpr Instrument kReceiverSkippedRowGroups = {
    kCounter, "df.receiver.skipped.row_groups", "{row_group}",
    "Row groups of any table that a selection does not need", "cause"};
inline constexpr Instrument kReceiverSkippedPages = {
    kCounter, "df.receiver.skipped.pages", "{page}",
    "Pages that a selection does not need, of row groups that it needs", "cause"};
inline constexpr Instrument kReceiverSkippedRows = {
    kCounter, "df.receiver.skipped.rows", "{row}", "Rows of any table that a selection passes over",
    "cause"};
inline constexpr Instrument kReceiverSkippedSize = {
    kCounter, "df.receiver.skipped.size", "By", "Bytes of row groups and pages that were not read",
    "cause"};
inline constexpr Instrument kReceiverErrors = {
    kCounter, "df.receiver.errors", "{error}",
    "What could not be read, or was found to be missing, by kind", "kind"};

// Nodes that read or write object stores; in the set of their node.
inline constexpr Instrument kStoreRequests = {kCounter, "df.store.requests", "{request}",
                                              "Requests that were made of an object store",
                                              "operation"};
inline constexpr Instrument kStoreRequestTime = {
    kCounter, "df.store.request.time", "s",
    "Time from making requests until their last answers, repeats and waits between them included",
    "operation"};
inline constexpr Instrument kStoreRetries = {kCounter, "df.store.requests.retried", "{request}",
                                             "Requests that were made again"};
inline constexpr Instrument kStoreThrottled = {
    kCounter, "df.store.requests.throttled", "{request}",
    "Requests that an object store refused because there were too many"};
inline constexpr Instrument kStoreFailed = {kCounter, "df.store.requests.failed", "{request}",
                                            "Requests that were given up"};
inline constexpr Instrument kStoreFetchedSize = {kCounter, "df.store.fetched.size", "By",
                                                 "Bytes that came from an object store"};
inline constexpr Instrument kStoreUsedSize = {
    kCounter, "df.store.used.size", "By",
    "Bytes of an object store that were asked for, what was asked for again included"};
inline constexpr Instrument kStoreWrittenSize = {kCounter, "df.store.written.size", "By",
                                                 "Bytes of files that an object store has taken"};

// Edges (df.edge): pipeline.group.id, pipeline.id, core.id, node.id, node.type of the destination.
inline constexpr Instrument kEdgeBatches = {kUpDownCounter, "df.edge.batches", "{batch}",
                                            "Batches that wait in front of the node"};
inline constexpr Instrument kEdgeSize = {kUpDownCounter, "df.edge.size", "By",
                                         "Bytes of the batches that wait in front of the node"};
inline constexpr Instrument kEdgeBatchesLimit = {kGauge, "df.edge.batches.limit", "{batch}",
                                                 "Most batches that may wait"};
inline constexpr Instrument kEdgeSizeLimit = {kGauge, "df.edge.size.limit", "By",
                                              "Most bytes that may wait"};
inline constexpr Instrument kEdgeWaitDuration = {
    kHistogram, "df.edge.wait.duration", "s",
    "Time that each batch has waited in front of the node"};

// Pipelines (df.pipeline): pipeline.group.id, pipeline.id, core.id.
inline constexpr Instrument kPipelineUptime = {kGauge, "df.pipeline.uptime", "s",
                                               "Time since the instance was started"};
inline constexpr Instrument kPipelineRestarts = {
    kCounter, "df.pipeline.restarts", "{restart}",
    "How often the instance was started again after a failure"};
inline constexpr Instrument kPipelineForcedDrains = {
    kCounter, "df.pipeline.drains.forced", "{drain}", "Drains that missed their deadline"};
inline constexpr Instrument kPipelineMemory = {kUpDownCounter, "df.pipeline.memory.usage", "By",
                                               "Bytes of the batches that are in the pipeline"};
inline constexpr Instrument kPipelineMemorySoftLimit = {kGauge, "df.pipeline.memory.soft_limit",
                                                        "By", "Bytes from which on receivers wait"};
inline constexpr Instrument kPipelineMemoryHardLimit = {
    kGauge, "df.pipeline.memory.hard_limit", "By", "Bytes from which on batches are refused"};
inline constexpr Instrument kPipelineMemoryPressure = {kGauge, "df.pipeline.memory.pressure", "",
                                                       "0: normal, 1: soft limit, 2: hard limit"};

// Cores (df.core): core.id.
inline constexpr Instrument kCoreCpuTime = {kCounter, "df.core.cpu.time", "s",
                                            "Processor time of the thread of the core"};
inline constexpr Instrument kCoreInstances = {kUpDownCounter, "df.core.instances", "{instance}",
                                              "Pipeline instances that run on the core"};

// The process (df.process): no attributes.
inline constexpr Instrument kProcessCpuTime = {kCounter, "process.cpu.time", "s",
                                               "Processor time of the process", "cpu.mode"};
inline constexpr Instrument kProcessMemoryUsage = {kUpDownCounter, "process.memory.usage", "By",
                                                   "Physical memory in use"};
inline constexpr Instrument kProcessMemoryPeak = {kGauge, "df.process.memory.peak", "By",
                                                  "Most physical memory that was ever in use"};
inline constexpr Instrument kProcessMemoryVirtual = {kUpDownCounter, "process.memory.virtual", "By",
                                                     "Virtual memory"};
inline constexpr Instrument kProcessOpenFiles = {kUpDownCounter,
                                                 "process.open_file_descriptor.count",
                                                 "{file_descriptor}", "Open file descriptors"};
inline constexpr Instrument kProcessThreads = {kUpDownCounter, "process.thread.count", "{thread}",
                                               "Threads"};
inline constexpr Instrument kProcessContextSwitches = {kCounter, "process.context_switches",
                                                       "{context_switch}", "Context switches",
                                                       "process.context_switch.type"};
inline constexpr Instrument kProcessPageFaults = {kCounter, "process.paging.faults", "{fault}",
                                                  "Page faults", "system.paging.fault.type"};
inline constexpr Instrument kProcessUptime = {kGauge, "process.uptime", "s",
                                              "Time since the process was started"};
inline constexpr Instrument kBuildInfo = {kGauge, "df.build.info", "",
                                          "Always 1; the attributes tell what was built",
                                          "build.compiler,build.type"};
inline constexpr Instrument kLogRecords = {kCounter, "df.log.records", "{record}",
                                           "Log records that were written", "level"};
inline constexpr Instrument kLogSuppressed = {
    kCounter, "df.log.records.suppressed", "{record}",
    "Log records suppressed by per-call-site rate limiting", "level"};

/// All of the above, by scope.
inline constexpr std::array kAll = {
    &kNodeBatchesIn,
    &kNodeItemsIn,
    &kNodeBatchesOut,
    &kNodeItemsOut,
    &kNodeBatchesAcked,
    &kNodeBatchesNacked,
    &kNodeBatchesPending,
    &kNodeItemsDropped,
    &kNodeBusyTime,
    &kNodeWaits,
    &kNodeWaitTime,
    &kNodeTicksLeftOut,
    &kNodeOutcomeLatency,
    &kNodeCallDuration,
    &kNodeFailingTime,
    &kReceiverSizeFound,
    &kReceiverSizeWaiting,
    &kReceiverPaceLag,
    &kReceiverPaceSkipped,
    &kReceiverCheckpointFailures,
    &kReceiverCheckpointAge,
    &kReceiverLeasesHeld,
    &kReceiverLeasesLost,
    &kReceiverRowsListed,
    &kReceiverRowsRead,
    &kReceiverRowsEmitted,
    &kReceiverRowsAcked,
    &kReceiverRowsRefused,
    &kReceiverRowsDropped,
    &kReceiverSkippedFolders,
    &kReceiverPaused,
    &kReceiverWatchGaps,
    &kReceiverSkippedFiles,
    &kReceiverSkippedRowGroups,
    &kReceiverSkippedPages,
    &kReceiverSkippedRows,
    &kReceiverSkippedSize,
    &kReceiverErrors,
    &kStoreRequests,
    &kStoreRequestTime,
    &kStoreRetries,
    &kStoreThrottled,
    &kStoreFailed,
    &kStoreFetchedSize,
    &kStoreUsedSize,
    &kStoreWrittenSize,
    &kEdgeBatches,
    &kEdgeSize,
    &kEdgeBatchesLimit,
    &kEdgeSizeLimit,
    &kEdgeWaitDuration,
    &kPipelineUptime,
    &kPipelineRestarts,
    &kPipelineForcedDrains,
    &kPipelineMemory,
    &kPipelineMemorySoftLimit,
    &kPipelineMemoryHardLimit,
    &kPipelineMemoryPressure,
    &kCoreCpuTime,
    &kCoreInstances,
    &kProcessCpuTime,
    &kProcessMemoryUsage,
    &kProcessMemoryPeak,
    &kProcessMemoryVirtual,
    &kProcessOpenFiles,
    &kProcessThreads,
    &kProcessContextSwitches,
    &kProcessPageFaults,
    &kProcessUptime,
    &kBuildInfo,
    &kLogRecords,
    &kLogSuppressed,
};

}  // namespace df::telemetry::names
