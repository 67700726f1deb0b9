#include "app/commands/environment_report.h"

#include <algorithm>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "admin/admin_environment.h"
#include "base/state_directory.h"
#include "base/text.h"
#include "lake/write/try_write.h"

namespace df::app {
namespace {

using engine::EnvironmentCheck;
using engine::EnvironmentChecks;
using engine::Finding;
using engine::Verdict;

constexpr std::string_view kListen = "listen";
constexpr size_t kMostAtOnce = 16;

/// A port that is bound and closed is free again: that two of a document want it shows here only.
std::map<const EnvironmentCheck*, const EnvironmentCheck*> FindRivals(
    const EnvironmentChecks& checks) {
  std::map<std::string_view, const EnvironmentCheck*> first;
  std::map<const EnvironmentCheck*, const EnvironmentCheck*> rivals;
  for (const EnvironmentCheck& check : checks) {
    if (check.kind == kListen && !check.subject.ends_with(":0")) {
      const auto [found, is_new] = first.emplace(check.subject, &check);
      if (!is_new) {
        rivals[&check] = found->second;
      }
    }
  }
  return rivals;
}

/// Checks that are made one after another.
using Job = std::vector<size_t>;

std::vector<Job> JobsOf(const EnvironmentChecks& checks) {
  std::vector<Job> jobs;
  Job ports;
  for (size_t at = 0; at < checks.size(); ++at) {
    if (checks[at].kind == kListen) {
      ports.push_back(at);
    } else {
      jobs.push_back({at});
    }
  }
  if (!ports.empty()) {
    jobs.insert(jobs.begin(), std::move(ports));
  }
  return jobs;
}

/// What threads work at. Owner: shared, also with a thread that nobody waits for any more.
struct Work {
  Work(EnvironmentChecks all, const engine::CheckConditions& with)
      : checks(std::move(all)),
        conditions(with),
        rivals(FindRivals(checks)),
        jobs(JobsOf(checks)),
        findings(checks.size()),
        is_done(jobs.size()) {}

  Finding Find(const EnvironmentCheck& check) const {
    const auto rival = rivals.find(&check);
    return rival == rivals.end()
               ? check.run(conditions)
               : Finding{Verdict::kFail,
                         fmt::format("{} listens there too, at line {}", rival->second->path,
                                     rival->second->mark.line)};
  }

  void Do(size_t job) {
    for (const size_t at : jobs[job]) {
      Finding finding = Find(checks[at]);
      const std::lock_guard lock(mutex);
      findings[at] = std::move(finding);
    }
    const std::lock_guard lock(mutex);
    is_done[job] = true;
    changed.notify_all();
  }

  /// Waits for jobs until the time is over. Returns which of them are done.
  std::vector<bool> WaitFor(size_t first, size_t behind, std::chrono::nanoseconds at_most) {
    std::unique_lock lock(mutex);
    const auto done = [&] {
      return std::vector<bool>(is_done.begin() + static_cast<std::ptrdiff_t>(first),
                               is_done.begin() + static_cast<std::ptrdiff_t>(behind));
    };
    changed.wait_for(lock, at_most, [&] {
      const std::vector<bool> now = done();
      return std::find(now.begin(), now.end(), false) == now.end();
    });
    return done();
  }

  const EnvironmentChecks checks;
  const engine::CheckConditions conditions;
  const std::map<const EnvironmentCheck*, const EnvironmentCheck*> rivals;
  const std::vector<Job> jobs;
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::optional<Finding>> findings;  // by mutex, as is is_done
  std::vector<bool> is_done;                     // of each job
};

std::string PlaceOf(std::string_view document, const EnvironmentCheck& check) {
  return check.mark.source == 0
             ? fmt::format("{}:{}:{}", document, check.mark.line, check.mark.column)
             : "command line";
}

}  // namespace

EnvironmentChecks ChecksOf(const engine::CheckedEngine& engine,
                           std::span<const engine::NodeEnvironment* const> environments) {
  EnvironmentChecks checks;
  config::Problems unheard("");  // what is wrong with it has been said where it was checked
  if (const auto& admin = engine.settings.http_admin; admin.has_value()) {
    const config::Section section(*engine.document.engine, "engine", &unheard);
    admin::AddAdminChecks(*section.Find("http_admin"), *admin, &checks);
  }
  if (const std::string& state_dir = engine.settings.state_dir; !state_dir.empty()) {
    const config::Section section(*engine.document.engine, "engine", &unheard);
    EnvironmentCheck check = engine::MakeCheck(section, "state_dir", "write", state_dir);
    check.run = [state_dir](const engine::CheckConditions&) {
      const Status status = CheckStateDirectory(state_dir);
      return engine::FindingOf(status.ok() ? lake::TryWrite(state_dir) : status);
    };
    checks.push_back(std::move(check));
  }
  for (const config::PipelineDocument& pipeline : engine.document.pipelines) {
    for (const config::NodeDocument& node : pipeline.nodes) {
      const auto found = std::find_if(
          environments.begin(), environments.end(),
          [&node](const engine::NodeEnvironment* one) { return one->urn == node.urn.name; });
      if (found != environments.end()) {
        (*found)->add_checks(config::Section(*node.config, node.path + ".config", &unheard),
                             &checks);
      }
    }
  }
  std::stable_sort(checks.begin(), checks.end(),
                   [](const EnvironmentCheck& a, const EnvironmentCheck& b) {
                     return std::pair(a.mark.source, a.mark) < std::pair(b.mark.source, b.mark);
                   });
  return checks;
}

CheckedEnvironment RunChecks(EnvironmentChecks checks, const engine::CheckConditions& conditions,
                             std::chrono::nanoseconds grace) {
  const auto work = std::make_shared<Work>(std::move(checks), conditions);
  const std::vector<Job>& jobs = work->jobs;
  CheckedEnvironment checked;
  size_t behind = 0;
  for (size_t first = 0; first < jobs.size(); first = behind) {
    // A port that is just being tried is no server that a connection may be made to.
    const bool is_of_ports = work->checks[jobs[first].front()].kind == kListen;
    behind = std::min(first + (is_of_ports ? 1 : kMostAtOnce), jobs.size());
    std::vector<std::thread> threads;
    for (size_t job = first; job < behind; ++job) {
      threads.emplace_back([work, job] { work->Do(job); });
    }
    const std::vector<bool> is_done = work->WaitFor(first, behind, conditions.timeout + grace);
    for (size_t at = 0; at < threads.size(); ++at) {
      is_done[at] ? threads[at].join() : threads[at].detach();
      checked.has_left_behind = checked.has_left_behind || !is_done[at];
    }
  }
  const std::lock_guard lock(work->mutex);
  for (const std::optional<Finding>& finding : work->findings) {
    checked.findings.push_back(finding.value_or(
        Finding{Verdict::kFail,
                fmt::format("no answer within {}", config::ShowDuration(conditions.timeout))}));
  }
  return checked;
}

VerdictCounts CountVerdicts(const std::vector<Finding>& findings) {
  VerdictCounts counts;
  for (const Finding& finding : findings) {
    ++(finding.verdict == Verdict::kOk     ? counts.ok
       : finding.verdict == Verdict::kWarn ? counts.warn
                                           : counts.fail);
  }
  return counts;
}

std::string DescribeFindings(std::string_view document, const EnvironmentChecks& checks,
                             const std::vector<Finding>& findings) {
  size_t width = 0;
  for (const EnvironmentCheck& check : checks) {
    width = std::max(width, PlaceOf(document, check).size());
  }
  std::string text;
  for (size_t at = 0; at < checks.size(); ++at) {
    const Finding& finding = findings[at];
    text += fmt::format("{:<4}  {:<{}}  {:<11}  {}{}{}\n", Name(finding.verdict),
                        PlaceOf(document, checks[at]), width, checks[at].kind,
                        PrintableText(checks[at].subject), finding.message.empty() ? "" : ": ",
                        PrintableText(finding.message));
  }
  return text;
}

}  // namespace df::app
