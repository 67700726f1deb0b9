#include "app/control/pipeline_names.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "app/control/admin_client.h"
#include "base/text.h"

namespace df::app {
namespace {

/// So many names are listed in a message.
constexpr size_t kMostNamed = 10;

std::string Named(const std::vector<PipelineName>& pipelines) {
  std::vector<std::string> names;
  for (const PipelineName& pipeline : pipelines) {
    if (names.size() == kMostNamed) {
      names.emplace_back("..");
      break;
    }
    names.push_back(PrintableText(pipeline.ToString()));
  }
  return fmt::format("{}", fmt::join(names, ", "));
}

/// Every pipeline that a name may mean.
std::vector<PipelineName> Candidates(const std::string& name,
                                     const std::vector<PipelineName>& known) {
  std::vector<PipelineName> found;
  for (const PipelineName& pipeline : known) {
    if (pipeline.ToString() == name || pipeline.pipeline == name) {
      found.push_back(pipeline);
    }
  }
  return found;
}

Status Ambiguous(const std::string& name, const std::vector<PipelineName>& found) {
  return Status::Invalid(fmt::format("'{}' may mean any of {}: write the group too",
                                     PrintableText(name), Named(found)));
}

}  // namespace

std::string PipelineName::Path() const {
  return fmt::format("/api/v1/groups/{}/pipelines/{}", PathSegment(group), PathSegment(pipeline));
}

std::vector<PipelineName> PipelinesOf(const nlohmann::json& status) {
  std::vector<PipelineName> names;
  if (!status.is_object() || !status.contains("pipelines") || !status["pipelines"].is_array()) {
    return names;
  }
  for (const nlohmann::json& pipeline : status["pipelines"]) {
    if (pipeline.is_object() && pipeline.contains("group") && pipeline["group"].is_string() &&
        pipeline.contains("pipeline") && pipeline["pipeline"].is_string()) {
      names.push_back(
          {pipeline["group"].get<std::string>(), pipeline["pipeline"].get<std::string>()});
    }
  }
  return names;
}

Result<PipelineName> FindPipeline(const std::string& name, const std::vector<PipelineName>& known) {
  const std::vector<PipelineName> found = Candidates(name, known);
  if (found.size() == 1) {
    return found.front();
  }
  if (found.size() > 1) {
    return Ambiguous(name, found);
  }
  if (known.empty()) {
    return Status::KeyError("the engine has no pipeline");
  }
  std::vector<std::string> names;
  for (const PipelineName& pipeline : known) {
    names.push_back(name.find('/') == std::string::npos ? pipeline.pipeline : pipeline.ToString());
  }
  const std::string nearest = NearestName(name, names);
  return Status::KeyError(
      fmt::format("there is no pipeline '{}'; {}", PrintableText(name),
                  nearest.empty() ? "there are " + Named(known)
                                  : fmt::format("did you mean '{}'?", PrintableText(nearest))));
}

Result<PipelineName> FindOrNamePipeline(const std::string& name,
                                        const std::vector<PipelineName>& known) {
  const std::vector<PipelineName> found = Candidates(name, known);
  if (found.size() == 1) {
    return found.front();
  }
  if (found.size() > 1) {
    return Ambiguous(name, found);
  }
  const size_t slash = name.find('/');
  const PipelineName made = slash == std::string::npos
                                ? PipelineName{"default", name}
                                : PipelineName{name.substr(0, slash), name.substr(slash + 1)};
  if (made.group.empty() || made.pipeline.empty()) {
    return Status::Invalid(
        fmt::format("found '{}', expected PIPELINE or GROUP/PIPELINE", PrintableText(name)));
  }
  return made;
}

}  // namespace df::app
