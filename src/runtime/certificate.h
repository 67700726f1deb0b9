// What a certificate says of itself.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/error.h"

namespace df::runtime {

/// When certificates may be used.
struct CertificateTimes {
  std::chrono::system_clock::time_point begin;  ///< the latest of all
  std::chrono::system_clock::time_point end;    ///< the earliest of all
};

/// Reads the times of all certificates in a text of PEM; other parts of it are passed over.
/// Errors: Invalid where there is none.
Result<CertificateTimes> ReadCertificateTimes(const std::string& pem);

/// The same of a file. Errors: kind io where it cannot be read.
Result<CertificateTimes> ReadCertificateFileTimes(const std::string& path);

}  // namespace df::runtime
