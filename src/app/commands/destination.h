// Where a command sends records: the node that stands for it.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"

namespace df::app {

/// How a destination is reached, as the command line says it.
struct DestinationFlags {
  std::string to;
  std::vector<std::string> headers;  ///< "NAME=VALUE"
  std::string compression;
  std::string tls_ca;
  std::string tls_cert;
  std::string tls_key;
  std::string tls_server_name;
};

struct Destination {
  std::string node;    ///< type of the exporter
  std::string config;  ///< of it, as JSON; references to the environment are escaped
  bool is_network = false;
  bool is_stdout = false;
  bool needs_one_core = false;  ///< every core would write a file of its own
  std::string folder;           ///< of star-schema Parquet: where it goes
};

/// Finds out what a text names: grpc://HOST:PORT, grpcs://, http://, https://, otap://, otaps://,
/// file:PATH (.json, .jsonl, .ndjson: OTLP JSON, a request a line; .binpb, .pb: OTLP protobuf, a
/// file for each signal), `-` (OTLP JSON on stdout), `null`, or a folder or URI of a store for
/// star-schema Parquet. Errors: Invalid with what was found.
Result<Destination> ParseDestination(const DestinationFlags& flags);

/// Returns the files that it is written into: one for each signal, or several times the same; none
/// where it is no file.
std::vector<std::string> FilesOf(const Destination& destination);

}  // namespace df::app
