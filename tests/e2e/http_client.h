// Asks the admin interface of a process under test.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace df::e2e {

struct HttpAnswer {
  int status = 0;  ///< 0 when there was no answer
  std::string body;
};

/// Sends one request to 127.0.0.1 and reads the whole answer.
HttpAnswer Http(uint16_t port, const std::string& method, const std::string& target,
                const std::string& body = "", const std::string& content_type = "");

/// Returns the numbers of Prometheus text by series: `name{a="b"}` as it is written.
std::map<std::string, double> ReadSeries(const std::string& text);

/// Returns the sum of the series of a metric whose labels contain every one of `labels`, each
/// written as `name="value"`.
double Sum(const std::map<std::string, double>& series, const std::string& metric,
           const std::map<std::string, std::string>& labels = {});

}  // namespace df::e2e
