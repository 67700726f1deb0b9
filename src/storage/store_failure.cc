#include "storage/store_failure.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <string>

#include <arrow/util/io_util.h>
#include <fmt/format.h>

namespace df::storage {
namespace {

struct Sign {
  std::string_view text;
  Failure failure;
};

// The first sign that a message has decides.
constexpr std::array kSigns = {
    Sign{kReplacedText, Failure::kReplaced},
    Sign{kCutOffText, Failure::kCutOff},
    Sign{"REQUEST_TIME_TOO_SKEWED", Failure::kClock},
    Sign{"RequestTimeTooSkewed", Failure::kClock},
    Sign{"SSL peer certificate", Failure::kTls},
    Sign{"curlCode: 60", Failure::kTls},
    Sign{"curlCode: 77", Failure::kTls},
    Sign{"SSL certificate problem", Failure::kTls},
    Sign{"certificate verify failed", Failure::kTls},
    Sign{"SLOW_DOWN", Failure::kThrottled},
    Sign{"THROTTLING", Failure::kThrottled},
    Sign{"RESOURCE_EXHAUSTED", Failure::kThrottled},
    Sign{"HTTP status 429", Failure::kThrottled},
    Sign{"ServerBusy", Failure::kThrottled},
    Sign{"HTTP status 503", Failure::kThrottled},
    Sign{"ACCESS_DENIED", Failure::kDenied},
    Sign{"INVALID_ACCESS_KEY_ID", Failure::kDenied},
    Sign{"INVALID_CLIENT_TOKEN_ID", Failure::kDenied},
    Sign{"SIGNATURE_DOES_NOT_MATCH", Failure::kDenied},
    Sign{"INVALID_SIGNATURE", Failure::kDenied},
    Sign{"EXPIRED_TOKEN", Failure::kDenied},
    Sign{"ExpiredToken", Failure::kDenied},
    Sign{"MISSING_AUTHENTICATION_TOKEN", Failure::kDenied},
    Sign{"HTTP status 401", Failure::kDenied},
    Sign{"HTTP status 403", Failure::kDenied},
    Sign{"PERMISSION_DENIED", Failure::kDenied},
    Sign{"UNAUTHENTICATED", Failure::kDenied},
    Sign{"AuthenticationFailed", Failure::kDenied},
    Sign{"AuthorizationFailure", Failure::kDenied},
    Sign{"AuthorizationPermissionMismatch", Failure::kDenied},
    Sign{"NoAuthenticationInformation", Failure::kDenied},
    Sign{"PublicAccessNotPermitted", Failure::kDenied},
    Sign{"GetToken", Failure::kDenied},
    Sign{"HTTP status 301", Failure::kRegion},
    Sign{"HTTP status 307", Failure::kRegion},
    Sign{"PERMANENT_REDIRECT", Failure::kRegion},
    Sign{"AuthorizationHeaderMalformed", Failure::kRegion},
    Sign{"NO_SUCH_BUCKET", Failure::kNotFound},
    Sign{"NO_SUCH_KEY", Failure::kNotFound},
    Sign{"RESOURCE_NOT_FOUND", Failure::kNotFound},
    Sign{"NOT_FOUND", Failure::kNotFound},
    Sign{"HTTP status 404", Failure::kNotFound},
    Sign{"BlobNotFound", Failure::kNotFound},
    Sign{"ContainerNotFound", Failure::kNotFound},
    Sign{"Path does not exist", Failure::kNotFound},
    Sign{"HTTP status 400", Failure::kPermanent},
    Sign{"HTTP status 416", Failure::kPermanent},
    Sign{"InvalidRange", Failure::kPermanent},
    Sign{"INVALID_ARGUMENT", Failure::kPermanent},
    Sign{"InvalidUri", Failure::kPermanent},
};

std::string_view PermissionOf(StoreKind kind, Operation operation) {
  switch (kind) {
    case StoreKind::kS3:
      switch (operation) {
        case Operation::kList:
          return "s3:ListBucket on the bucket";
        case Operation::kOpen:
        case Operation::kRead:
          return "s3:GetObject on the objects";
        case Operation::kWrite:
          return "s3:PutObject and s3:AbortMultipartUpload on the objects";
        case Operation::kRemove:
          return "s3:GetObject, s3:DeleteObject and s3:PutObject on the objects";
      }
      break;
    case StoreKind::kGcs:
      switch (operation) {
        case Operation::kList:
          return "storage.objects.list on the bucket";
        case Operation::kOpen:
        case Operation::kRead:
          return "storage.objects.get on the objects";
        case Operation::kWrite:
          return "storage.objects.create on the bucket";
        case Operation::kRemove:
          return "storage.objects.delete on the objects";
      }
      break;
    case StoreKind::kAzure:
      return operation == Operation::kWrite || operation == Operation::kRemove
                 ? "the role Storage Blob Data Contributor on the container"
                 : "the role Storage Blob Data Reader on the container";
    case StoreKind::kLocal:
      break;
  }
  return "";
}

/// Where the keys come from that were refused.
std::string_view KeysOf(StoreKind kind) {
  switch (kind) {
    case StoreKind::kS3:
      return "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, a web identity, the role "
             "of the machine, or storage.s3.auth";
    case StoreKind::kGcs:
      return "GOOGLE_APPLICATION_CREDENTIALS, the service account of the machine, or "
             "storage.gcs.auth";
    case StoreKind::kAzure:
      return "AZURE_CLIENT_ID and its companions, the identity of the machine, or "
             "storage.azure.auth";
    case StoreKind::kLocal:
      break;
  }
  return "";
}

std::string_view VerbOf(Operation operation) {
  switch (operation) {
    case Operation::kList:
      return "cannot be listed";
    case Operation::kOpen:
      return "cannot be opened";
    case Operation::kRead:
      return "cannot be read";
    case Operation::kWrite:
      return "cannot be written";
    case Operation::kRemove:
      break;
  }
  return "cannot be removed";
}

/// Azure's client names URLs whole, with the signature of a SAS token.
std::string WithoutSignature(std::string message) {
  constexpr std::string_view kKey = "sig=";
  for (size_t at = message.find(kKey); at != std::string::npos; at = message.find(kKey, at)) {
    at += kKey.size();
    message.replace(at, std::min(message.find_first_of("&'\" ", at), message.size()) - at, "..");
  }
  return message;
}

}  // namespace

Failure FailureOf(StoreKind kind, const Status& status) {
  if (arrow::internal::ErrnoFromStatus(status) == ENOENT) {
    return Failure::kNotFound;
  }
  const std::string message = status.message();
  if (kind == StoreKind::kAzure && message.find("Failed to get token") != std::string::npos) {
    return Failure::kDenied;  // the chain of keys has none; the status is of any kind
  }
  if (kind == StoreKind::kLocal || !status.IsIOError()) {
    return status.IsIOError() ? Failure::kMayPass : Failure::kPermanent;
  }
  for (const Sign& sign : kSigns) {
    if (message.find(sign.text) != std::string::npos) {
      return sign.failure;
    }
  }
  return Failure::kMayPass;
}

Status ExplainFailure(const StoreUri& uri, Operation operation, std::string_view path,
                      const Status& status) {
  if (status.ok() || uri.is_local()) {
    return status;
  }
  const std::string where = uri.Describe(path);
  const std::string_view verb = VerbOf(operation);
  const std::string cause = WithoutSignature(status.message());
  switch (FailureOf(uri.kind, status)) {
    case Failure::kNotFound:
      if (path.find('/') == std::string_view::npos || cause.find("BUCKET") != std::string::npos ||
          cause.find("Container") != std::string::npos) {
        return Status::IOError(fmt::format(
            "{} {}: there is no {} of that name, or the keys may not see it ({})", where, verb,
            uri.kind == StoreKind::kAzure ? "container" : "bucket", cause));
      }
      return Status::IOError(fmt::format("{} {}: nothing is there ({})", where, verb, cause));
    case Failure::kDenied:
      return Status::IOError(
          fmt::format("{} {}: access denied; this needs {}, and the keys come from {} ({})", where,
                      verb, PermissionOf(uri.kind, operation), KeysOf(uri.kind), cause));
    case Failure::kRegion:
      if (uri.kind != StoreKind::kS3) {
        return Status::IOError(
            fmt::format("{} {}: the store sends the request elsewhere ({})", where, verb, cause));
      }
      return Status::IOError(
          fmt::format("{} {}: the bucket is in another region; set storage.s3.region "
                      "({})",
                      where, verb, cause));
    case Failure::kClock:
      return Status::IOError(
          fmt::format("{} {}: the clock of this machine differs too much from the store's ({})",
                      where, verb, cause));
    case Failure::kTls:
      if (uri.kind != StoreKind::kS3) {
        return Status::IOError(fmt::format(
            "{} {}: the certificate of the endpoint does not fit ({})", where, verb, cause));
      }
      return Status::IOError(
          fmt::format("{} {}: the certificate of the endpoint does not fit; storage.s3.tls_ca_file "
                      "names the authorities to trust ({})",
                      where, verb, cause));
    case Failure::kThrottled:
      return Status::IOError(
          fmt::format("{} {}: the store asks for fewer requests ({})", where, verb, cause));
    case Failure::kReplaced:
    case Failure::kCutOff:
    case Failure::kMayPass:
    case Failure::kPermanent:
      break;
  }
  return Status::IOError(fmt::format("{} {}: {}", where, verb, cause));
}

}  // namespace df::storage
