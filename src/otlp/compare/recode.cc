// otlp_recode: decodes each request of a file and encodes it again, for the comparison with another
// implementation (tests/interop/otlp_decode.py). Writes one answer for each request to the standard
// output, behind its length: "O" and the request, or "E" and the error.
#include <cstdio>
#include <string>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "otap/validate.h"
#include "otlp/decode.h"
#include "otlp/encode.h"
#include "otlp/request_file.h"

namespace {

using df::otap::Signal;

arrow::Result<std::string> Recode(df::otlp::Decoder& decoder, Signal signal, bool is_json,
                                  std::string_view request) {
  ARROW_ASSIGN_OR_RAISE(const auto batches, is_json ? decoder.DecodeJson(signal, request)
                                                    : decoder.DecodeRequest(signal, request));
  std::string recoded;
  for (const df::otap::BatchPtr& batch : batches) {
    ARROW_RETURN_NOT_OK(df::otap::Validate(*batch));
    // Requests one behind the other are one request with the resources of both.
    ARROW_ASSIGN_OR_RAISE(const std::string part, df::otlp::EncodeRequest(*batch));
    recoded += part;
  }
  return recoded;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Decodes OTLP requests, each behind a 4-byte big-endian length, and encodes them");
  std::string signal_name;
  std::string path;
  bool is_json = false;
  app.add_option("signal", signal_name, "logs, traces or metrics")
      ->required()
      ->check(CLI::IsMember({"logs", "traces", "metrics"}));
  app.add_option("file", path, "requests")->required();
  app.add_flag("--json", is_json, "the requests are OTLP JSON");
  CLI11_PARSE(app, argc, argv);
  const Signal signal = *df::otap::FindSignal(signal_name);
  df::otlp::Decoder decoder;
  const arrow::Status status =
      df::otlp::VisitRequests(path, [&](std::string_view request) -> arrow::Status {
        const auto recoded = Recode(decoder, signal, is_json, request);
        const std::string answer = recoded.ok() ? "O" + *recoded : "E" + recoded.status().message();
        ARROW_ASSIGN_OR_RAISE(const auto head, df::otlp::RequestHead(answer.size()));
        std::fwrite(head.data(), 1, head.size(), stdout);
        std::fwrite(answer.data(), 1, answer.size(), stdout);
        return arrow::Status::OK();
      });
  if (!status.ok()) {
    fmt::print(stderr, "otlp_recode: {}\n", status.message());
    return 2;
  }
  return 0;
}
