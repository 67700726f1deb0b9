#include "runtime/certificate.h"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <memory>
#include <optional>

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

namespace df::runtime {
namespace {

using BioPtr = std::unique_ptr<BIO, decltype(&BIO_free)>;
using Moment = std::chrono::system_clock::time_point;

std::optional<Moment> MomentOf(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) {
    return std::nullopt;
  }
  return std::chrono::system_clock::from_time_t(timegm(&parts));
}

Result<CertificateTimes> ReadAll(BIO* source) {
  std::optional<CertificateTimes> all;
  while (true) {
    const std::unique_ptr<X509, decltype(&X509_free)> one(
        PEM_read_bio_X509(source, nullptr, nullptr, nullptr), X509_free);
    if (one == nullptr) {
      break;
    }
    const auto begin = MomentOf(X509_get0_notBefore(one.get()));
    const auto end = MomentOf(X509_get0_notAfter(one.get()));
    if (!begin.has_value() || !end.has_value()) {
      return Status::Invalid("a certificate has a time that cannot be read");
    }
    if (!all.has_value()) {
      all = CertificateTimes{*begin, *end};
    }
    all->begin = std::max(all->begin, *begin);
    all->end = std::min(all->end, *end);
  }
  // The end of the text is an error to OpenSSL, which would be told to whoever asks it next.
  ERR_clear_error();
  return all.has_value() ? Result<CertificateTimes>(*all)
                         : Status::Invalid("found no certificate, expected PEM");
}

}  // namespace

Result<CertificateTimes> ReadCertificateTimes(const std::string& pem) {
  const BioPtr source(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free);
  return ReadAll(source.get());
}

Result<CertificateTimes> ReadCertificateFileTimes(const std::string& path) {
  const BioPtr source(BIO_new_file(path.c_str(), "r"), BIO_free);
  if (source == nullptr) {
    ERR_clear_error();
    return MakeError(ErrorKind::kIo, fmt::format("cannot read '{}'", path));
  }
  return ReadAll(source.get());
}

}  // namespace df::runtime
