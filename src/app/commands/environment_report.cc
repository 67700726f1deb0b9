#include "app/commands/environment_report.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "admin/admin_environment.h"
#include "base/text.h"

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

std::vector<Finding> RunChecks(const EnvironmentChecks& checks,
                               const engine::CheckConditions& conditions) {
  std::vector<Finding> findings(checks.size());
  std::atomic<size_t> next{0};
  const auto work = [&checks, &conditions, &findings, &next] {
    for (size_t at = next++; at < checks.size(); at = next++) {
      if (checks[at].kind != kListen) {
        findings[at] = checks[at].run(conditions);
      }
    }
  };
  std::vector<std::thread> threads;
  for (size_t i = 0; i < std::min(checks.size(), kMostAtOnce); ++i) {
    threads.emplace_back(work);
  }
  const auto rivals = FindRivals(checks);
  for (size_t at = 0; at < checks.size(); ++at) {
    if (const auto rival = rivals.find(&checks[at]); rival != rivals.end()) {
      findings[at] = {Verdict::kFail, fmt::format("{} listens there too, at line {}",
                                                  rival->second->path, rival->second->mark.line)};
    } else if (checks[at].kind == kListen) {
      findings[at] = checks[at].run(conditions);
    }
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  return findings;
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
