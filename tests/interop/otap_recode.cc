// otap_recode: OTLP export requests to the messages of one OTAP stream, and back.
#include <fstream>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <arrow/compute/initialize.h>
#include <fmt/format.h>

#include "otap_wire/consumer.h"
#include "otap_wire/producer.h"
#include "otlp/decode.h"
#include "otlp/encode.h"
#include "otlp/request_file.h"

namespace {

using namespace df;  // NOLINT: a program of one file

arrow::Status Append(const std::string& bytes, std::ofstream* out) {
  ARROW_ASSIGN_OR_RAISE(const auto head, otlp::RequestHead(bytes.size()));
  out->write(head.data(), head.size());
  out->write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  return *out ? arrow::Status::OK() : arrow::Status::IOError("cannot write");
}

arrow::Status ToOtap(otap::Signal signal, const std::string& in, std::ofstream* out) {
  otap_wire::Producer producer(signal);
  int64_t batch_id = 0;
  ARROW_RETURN_NOT_OK(otlp::VisitRequests(in, [&](std::string_view request) -> arrow::Status {
    ARROW_ASSIGN_OR_RAISE(const auto batches, otlp::DecodeRequest(signal, request));
    for (const otap::BatchPtr& batch : batches) {
      ARROW_ASSIGN_OR_RAISE(const std::string message, producer.Produce(batch, batch_id++));
      ARROW_RETURN_NOT_OK(Append(message, out));
    }
    return arrow::Status::OK();
  }));
  fmt::print("{} messages, {} schemas, {} orphans\n", producer.stats().messages,
             producer.stats().schemas, producer.stats().orphans_dropped);
  return arrow::Status::OK();
}

arrow::Status ToOtlp(otap::Signal signal, const std::string& in, std::ofstream* out) {
  otap_wire::Consumer consumer(signal);
  return otlp::VisitRequests(in, [&](std::string_view message) -> arrow::Status {
    ARROW_ASSIGN_OR_RAISE(const otap::BatchPtr batch, consumer.Consume(message));
    ARROW_ASSIGN_OR_RAISE(const std::string request, otlp::EncodeRequest(*batch));
    return Append(request, out);
  });
}

arrow::Status Run(const std::string& signal_name, bool is_to_otap, const std::string& in,
                  const std::string& out_path) {
  ARROW_RETURN_NOT_OK(arrow::compute::Initialize());
  std::ofstream out(out_path, std::ios::binary);
  const otap::Signal signal = *otap::FindSignal(signal_name);
  ARROW_RETURN_NOT_OK(is_to_otap ? ToOtap(signal, in, &out) : ToOtlp(signal, in, &out));
  return out.flush() ? arrow::Status::OK() : arrow::Status::IOError("cannot write ", out_path);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "Turns a file of OTLP export requests into the messages of one OTAP stream, or back; each "
      "behind a 4-byte big-endian length.");
  std::string signal;
  std::string form;
  std::string in;
  std::string out;
  app.add_option("signal", signal, "logs, traces or metrics")
      ->required()
      ->check(CLI::IsMember({"logs", "traces", "metrics"}));
  app.add_option("to", form, "what to write: otap or otlp")
      ->required()
      ->check(CLI::IsMember({"otap", "otlp"}));
  app.add_option("in", in, "file to read")->required();
  app.add_option("out", out, "file to write")->required();
  CLI11_PARSE(app, argc, argv);
  if (const arrow::Status status = Run(signal, form == "otap", in, out); !status.ok()) {
    fmt::print(stderr, "otap_recode: {}\n", status.ToString());
    return 1;
  }
  return 0;
}
