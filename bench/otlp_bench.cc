// Decoding and encoding of OTLP requests beside a copy and a bare skim of the same bytes, in time
// of one core: bench/otlp_bench SIGNAL FILE.. [--seconds N], files of requests behind 4-byte
// lengths.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <protozero/pbf_reader.hpp>

#include "otlp/decode.h"
#include "otlp/decode/proto_fault.h"
#include "otlp/encode.h"
#include "otlp/request_file.h"
#include "otlp/schema/messages.h"

namespace {

using df::otap::Signal;

/// Seconds of this thread on a core: what else runs on the machine does not count.
double CpuSeconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

/// Reads every field of every known message and keeps nothing: what any reader has to do.
uint64_t Skim(const df::otlp::MessageShape& shape, std::string_view message) {
  uint64_t sum = 0;
  protozero::pbf_reader reader(message.data(), message.size());
  while (reader.next()) {
    switch (reader.wire_type()) {
      case protozero::pbf_wire_type::varint:
        sum += reader.get_uint64();
        break;
      case protozero::pbf_wire_type::fixed64:
        sum += reader.get_fixed64();
        break;
      case protozero::pbf_wire_type::fixed32:
        sum += reader.get_fixed32();
        break;
      case protozero::pbf_wire_type::length_delimited: {
        const df::otlp::FieldShape* field = shape.Find(reader.tag());
        const protozero::data_view view = reader.get_view();
        sum += field == nullptr || field->message == nullptr
                   ? view.size()
                   : Skim(*field->message, {view.data(), view.size()});
        break;
      }
      default:
        reader.skip();
    }
  }
  return sum;
}

/// Runs passes over all requests until the time is over; returns the best pass in MB/s.
double Measure(double seconds, size_t size_bytes, const std::function<void()>& pass) {
  pass();  // the first one takes memory
  double best = 0;
  const double start = CpuSeconds();
  double now = start;
  do {
    const double before = now;
    pass();
    now = CpuSeconds();
    best = std::max(best, static_cast<double>(size_bytes) / (now - before) / 1e6);
  } while (now - start < seconds);
  return best;
}

template <typename T>
T OrDie(arrow::Result<T> result) {
  if (!result.ok()) {
    fmt::print(stderr, "{}\n", result.status().ToString());
    std::exit(1);
  }
  return *std::move(result);
}

void Run(Signal signal, const std::vector<std::string>& requests, double seconds) {
  size_t size_bytes = 0;
  for (const std::string& request : requests) {
    size_bytes += request.size();
  }
  df::otlp::Decoder decoder;
  df::otlp::DecodeStats stats;
  std::vector<df::otap::BatchPtr> batches;
  std::vector<std::string> json;
  size_t json_bytes = 0;
  for (const std::string& request : requests) {
    for (auto& batch : OrDie(decoder.DecodeRequest(signal, request, &stats))) {
      json.push_back(OrDie(df::otlp::EncodeJson(*batch)));
      json_bytes += json.back().size();
      batches.push_back(std::move(batch));
    }
  }
  std::string buffer;
  const double copy = Measure(seconds, size_bytes, [&] {
    for (const std::string& request : requests) {
      buffer.assign(request);
    }
  });
  uint64_t sum = 0;
  const double skim = Measure(seconds, size_bytes, [&] {
    for (const std::string& request : requests) {
      sum += Skim(df::otlp::RequestShape(signal), request);
    }
  });
  const double check = Measure(seconds, size_bytes, [&] {
    for (const std::string& request : requests) {
      sum += df::otlp::FindFault(df::otlp::RequestShape(signal), request, 128).has_value() ? 0 : 1;
    }
  });
  const double decode = Measure(seconds, size_bytes, [&] {
    for (const std::string& request : requests) {
      (void)OrDie(decoder.DecodeRequest(signal, request));
    }
  });
  const double encode = Measure(seconds, size_bytes, [&] {
    for (const auto& batch : batches) {
      (void)OrDie(df::otlp::EncodeRequestInto(*batch, &buffer));
    }
  });
  const double from_json = Measure(seconds, json_bytes, [&] {
    for (const std::string& text : json) {
      (void)OrDie(decoder.DecodeJson(signal, text));
    }
  });
  fmt::print(
      "{:8} requests {:5} items {:8} MB {:7.2f} | MB/s: copy {:7.0f} skim {:6.0f} check {:6.0f} "
      "decode {:6.0f} "
      "encode {:6.0f} json {:5.0f} | decode/skim {:4.2f}{}\n",
      df::otap::Name(signal), requests.size(), stats.items, static_cast<double>(size_bytes) / 1e6,
      copy, skim, check, decode, encode, from_json, decode / skim,
      sum == 0 ? " (nothing read)" : "");
}

}  // namespace

int main(int argc, char** argv) {
  std::string name;
  std::vector<std::string> files;
  double seconds = 2;
  CLI::App app("OTLP decoding and encoding beside a copy and a skim of the same bytes");
  app.add_option("signal", name, "logs, traces or metrics")->required();
  app.add_option("files", files, "requests, each behind a 4-byte big-endian length")->required();
  app.add_option("--seconds", seconds, "time for each figure");
  CLI11_PARSE(app, argc, argv);
  const auto signal = df::otap::FindSignal(name);
  if (!signal.has_value()) {
    fmt::print(stderr, "found signal {}, expected logs, traces or metrics\n", name);
    return 2;
  }
  std::vector<std::string> requests;
  for (const std::string& file : files) {
    const arrow::Status status = df::otlp::VisitRequests(file, [&](std::string_view request) {
      requests.emplace_back(request);
      return arrow::Status::OK();
    });
    if (!status.ok()) {
      fmt::print(stderr, "{}\n", status.ToString());
      return 1;
    }
  }
  Run(*signal, requests, seconds);
  return 0;
}
