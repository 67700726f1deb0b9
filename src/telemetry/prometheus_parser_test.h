// A strict reader of the Prometheus text format 0.0.4, for tests.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace df::telemetry {

/// Reads a whole page. Demands more than a scraper does: HELP and TYPE in front of every family,
/// families and series that are there once, and histograms whose buckets rise, end in +Inf and
/// agree with their count.
class PrometheusParser {
 public:
  using Labels = std::map<std::string, std::string>;

  /// Returns what is wrong with the page and where, or "".
  std::string Parse(std::string_view page);

  /// Returns the value of a series; not a number when there is none.
  double Value(const std::string& name, const Labels& labels) const;

  size_t num_samples() const { return samples_.size(); }

 private:
  std::string ParseComment(std::string_view line);
  std::string ParseSample(std::string_view line);
  std::string CheckHistogram(const std::string& family) const;

  std::map<std::string, std::string> types_;
  std::string family_;  // whose samples may come now
  bool has_type_ = false;
  std::map<std::pair<std::string, Labels>, double> samples_;
  std::map<std::string, std::map<Labels, std::vector<std::pair<double, double>>>> buckets_;
};

}  // namespace df::telemetry
