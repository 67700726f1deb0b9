// How stores are reached.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "base/units.h"

namespace df::storage {

/// Keys of S3. Where `kind` is kDefault the usual chain gives them: the environment, the profile
/// that AWS_PROFILE names, a web identity, the machine's role.
struct S3Auth {
  enum class Kind : uint8_t { kDefault, kAnonymous, kKeys };
  Kind kind = Kind::kDefault;
  std::string access_key_id;
  std::string secret_access_key;
  std::string session_token;
};

/// Files of the machine.
struct FileOptions {
  std::string base_uri;
};

struct S3Options {
  std::string base_uri;     ///< where this is not said elsewhere
  std::string region;       ///< "": the bucket is asked, or us-east-1 beside an endpoint
  std::string endpoint;     ///< "http://host:port" or "https://..", "": Amazon's
  bool allow_http = false;  ///< an http:// endpoint is a mistake without it
  std::string tls_ca_file;  ///< PEM of the authorities that are trusted; "": the system's
  bool verify_tls = true;   ///< off: any certificate will do
  S3Auth auth;
};

/// Keys of Google Cloud Storage. kDefault: application default credentials.
struct GcsAuth {
  enum class Kind : uint8_t { kDefault, kAnonymous, kServiceAccount };
  Kind kind = Kind::kDefault;
  std::string service_account_file;  ///< path of the JSON file
};

struct GcsOptions {
  std::string base_uri;  ///< where this is not said elsewhere
  std::string endpoint;  ///< "http://host:port" of another server; "": Google's
  bool allow_http = false;
  GcsAuth auth;
};

/// Keys of Azure Blob Storage. kDefault: the chain of Azure's SDK.
struct AzureAuth {
  enum class Kind : uint8_t {
    kDefault,
    kAnonymous,
    kAccountKey,
    kSasToken,
    kClientSecret,
    kManagedIdentity,
    kWorkloadIdentity,
    kEnvironment,
    kCli,
  };
  Kind kind = Kind::kDefault;
  std::string account_key;
  std::string sas_token;
  std::string tenant_id;
  std::string client_id;
  std::string client_secret;
};

struct AzureOptions {
  std::string base_uri;  ///< where this is not said elsewhere
  std::string account;   ///< "": the URI names it
  std::string endpoint;  ///< "http://host:port" of another server; "": Azure's
  bool allow_http = false;
  AzureAuth auth;
};

/// When a request that failed is made again. The wait before attempt n is
/// init_backoff * backoff_base^(n-1), at most max_backoff, less up to a half by chance.
struct RetryOptions {
  int64_t max_retries = 10;
  std::chrono::nanoseconds init_backoff = std::chrono::milliseconds(100);
  std::chrono::nanoseconds max_backoff = std::chrono::seconds(15);
  double backoff_base = 2.0;
  /// No attempt begins later than this after the first.
  std::chrono::nanoseconds retry_timeout = std::chrono::minutes(3);
};

/// What is asked of a store at once.
struct ReadOptions {
  int64_t request_bytes = 16_MiB;  ///< most of one request
  int64_t hole_bytes = 1_MiB;      ///< ranges with less between them are one request
  int64_t tail_bytes = 64_KiB;     ///< of the end of a file, read when it is opened
  int64_t cache_bytes = 32_MiB;    ///< ends of files that are kept
  int64_t ahead_bytes = 64_MiB;    ///< of row groups that are fetched before they are needed
};

struct StoreOptions {
  std::optional<FileOptions> file;
  std::optional<S3Options> s3;
  std::optional<GcsOptions> gcs;
  std::optional<AzureOptions> azure;
  RetryOptions retry;
  ReadOptions read;
};

}  // namespace df::storage
