#include <nlohmann/json.hpp>

#include "telemetry/exposition.h"

namespace df::telemetry {
namespace {

using Json = nlohmann::ordered_json;

Json ToObject(const Attributes& attributes) {
  Json json = Json::object();
  for (const auto& [name, value] : attributes.entries()) {
    json[name] = value;
  }
  return json;
}

Json ToNumber(const MetricFamily& family, int64_t value) {
  return family.is_time() ? Json(ToSeconds(value)) : Json(value);
}

Json ToObject(const MetricFamily& family, const MetricPoint& point) {
  Json json = {{"scope", point.set->scope},
               {"set", ToObject(point.set->attributes)},
               {"attributes", ToObject(point.attributes)}};
  if (family.kind != InstrumentKind::kHistogram) {
    json["value"] = ToNumber(family, point.value);
    return json;
  }
  const HistogramValue& histogram = point.histogram;
  json["count"] = histogram.count;
  json["sum"] = ToNumber(family, histogram.sum);
  if (histogram.count > 0) {
    json["min"] = ToNumber(family, histogram.min);
    json["max"] = ToNumber(family, histogram.max);
  }
  Json& buckets = json["buckets"] = Json::array();
  for (size_t i = 0; i < histogram.counts.size(); ++i) {
    buckets.push_back(
        {{"le", i < histogram.bounds.size() ? ToNumber(family, histogram.bounds[i]) : Json("+Inf")},
         {"count", histogram.counts[i]}});
  }
  return json;
}

}  // namespace

std::string ToJson(const MetricSnapshot& snapshot, const Attributes& resource) {
  Json json = {{"time_unix_nano", snapshot.unix_nanos}, {"resource", ToObject(resource)}};
  Json& metrics = json["metrics"] = Json::array();
  for (const MetricFamily& family : snapshot.families) {
    Json points = Json::array();
    for (const MetricPoint& point : family.points) {
      points.push_back(ToObject(family, point));
    }
    metrics.push_back({{"name", family.name},
                       {"unit", family.unit},
                       {"description", family.description},
                       {"kind", Name(family.kind)},
                       {"points", std::move(points)}});
  }
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace df::telemetry
