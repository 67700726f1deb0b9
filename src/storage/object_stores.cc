#include "storage/object_stores.h"

#include <array>
#include <atomic>
#include <cctype>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <arrow/filesystem/azurefs.h>
#include <arrow/filesystem/filesystem.h>
#include <arrow/filesystem/gcsfs.h>
#include <arrow/filesystem/s3fs.h>
#include <dlfcn.h>
#include <fmt/format.h>

#include "storage/store_failure.h"

namespace df::storage {
namespace {

std::atomic<bool> is_s3_loaded{false};

/// How long the client of GCS makes a request again by itself: long enough for one page of a
/// listing to come after all.
constexpr double kGcsRetrySeconds = 3.0;

/// Leaves to the SDK how a request is made again, and decides whether and when: it alone sees each
/// page of a listing and each part of an upload. Retry::LeaveToClient keeps attempts from
/// multiplying.
class SdkRetry final : public arrow::fs::S3RetryStrategy {
 public:
  explicit SdkRetry(Retry* retry) : retry_(retry) {}

  bool ShouldRetry(const AWSErrorDetail& error, int64_t attempted_retries) override {
    if (error.exception_name.find("SlowDown") != std::string::npos ||
        error.exception_name.find("Throttl") != std::string::npos) {
      ++retry_->counters().num_throttled;
    }
    if (!error.should_retry || attempted_retries >= retry_->options().max_retries ||
        retry_->clock().is_stopped() ||
        MostWait(attempted_retries) > retry_->options().retry_timeout) {
      return false;
    }
    ++retry_->counters().num_retries;
    return true;
  }

  /// Waits itself, since nobody can end a wait of the SDK.
  int64_t CalculateDelayBeforeNextRetry(const AWSErrorDetail& /*error*/,
                                        int64_t attempted_retries) override {
    retry_->clock().Wait(retry_->Backoff(attempted_retries + 1));
    return 0;
  }

 private:
  /// The SDK does not say since when it tries: the longest waits so far stand for that.
  std::chrono::nanoseconds MostWait(int64_t attempted_retries) const {
    const RetryOptions& options = retry_->options();
    double sum = 0;
    double wait = static_cast<double>(options.init_backoff.count());
    for (int64_t i = 0; i <= attempted_retries; ++i) {
      sum += std::min(wait, static_cast<double>(options.max_backoff.count()));
      wait *= options.backoff_base;
    }
    return std::chrono::nanoseconds(static_cast<int64_t>(std::min(sum, 9e18)));
  }

  Retry* retry_;
};

/// A name or value inside a URI.
std::string Escape(std::string_view text, std::string_view kept) {
  std::string escaped;
  for (const char c : text) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0 ||
        kept.find(c) != std::string_view::npos) {
      escaped += c;
    } else {
      escaped += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return escaped;
}

struct Endpoint {
  std::string scheme = "https";
  std::string authority;
};

/// Errors: Invalid naming the key.
Result<Endpoint> ParseEndpoint(std::string_view store, const std::string& text, bool allow_http) {
  Endpoint endpoint;
  const size_t separator = text.find("://");
  if (separator == std::string::npos) {
    return Status::Invalid(
        fmt::format("storage.{}.endpoint: found '{}', expected http:// or https:// and a host, as "
                    "in http://127.0.0.1:9000",
                    store, text));
  }
  endpoint.scheme = text.substr(0, separator);
  endpoint.authority = text.substr(separator + 3);
  while (endpoint.authority.ends_with('/')) {
    endpoint.authority.pop_back();
  }
  if ((endpoint.scheme != "http" && endpoint.scheme != "https") || endpoint.authority.empty() ||
      endpoint.authority.find('/') != std::string::npos) {
    return Status::Invalid(fmt::format(
        "storage.{}.endpoint: found '{}', expected http:// or https:// and a host without a path",
        store, text));
  }
  if (endpoint.scheme == "http" && !allow_http) {
    return Status::Invalid(
        fmt::format("storage.{}.endpoint: '{}' is not encrypted; set "
                    "storage.{}.allow_http: true to accept that",
                    store, text, store));
  }
  return endpoint;
}

/// Takes what the URI says into a setting. Errors: Invalid when both say it.
Status TakeText(std::map<std::string, std::string>* query, const std::string& key,
                std::string_view store, std::string* setting) {
  const auto found = query->find(key);
  if (found == query->end()) {
    return Status::OK();
  }
  if (!setting->empty() && *setting != found->second) {
    return Status::Invalid(fmt::format("the URI says {}={}, storage.{}.{} says '{}'", key,
                                       found->second, store, key, *setting));
  }
  *setting = found->second;
  query->erase(found);
  return Status::OK();
}

/// Errors: Invalid naming the value.
Result<bool> TakeBool(std::map<std::string, std::string>* query, const std::string& key) {
  const auto found = query->find(key);
  if (found == query->end()) {
    return false;
  }
  if (found->second != "true" && found->second != "false") {
    return Status::Invalid(
        fmt::format("the URI says {}={}, expected true or false", key, found->second));
  }
  const bool value = found->second == "true";
  query->erase(found);
  return value;
}

Status RefuseRest(const std::map<std::string, std::string>& query, std::string_view known) {
  return query.empty() ? Status::OK()
                       : Status::Invalid(fmt::format("the URI has an unknown key '{}', expected {}",
                                                     query.begin()->first, known));
}

bool HasVariable(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nothing sets variables
  return value != nullptr && *value != '\0';
}

/// Returns the folder of the library that this code calls.
std::filesystem::path ArrowFolder() {
  Dl_info info{};
  if (dladdr(reinterpret_cast<const void*>(&arrow::fs::LoadFileSystemFactories), &info) == 0 ||
      info.dli_fname == nullptr) {
    return {};
  }
  return std::filesystem::path(info.dli_fname).parent_path();
}

/// S3 is 17 MB that whoever has files only does not need. Errors: NotImplemented.
Status LoadS3() {
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  if (is_s3_loaded) {
    return Status::OK();
  }
  const std::filesystem::path library = ArrowFolder() / "libarrow_s3.so.2600";
  const Status loaded = arrow::fs::LoadFileSystemFactories(library.c_str());
  if (!loaded.ok()) {
    return Status::NotImplemented(
        fmt::format("s3:// needs the library {}, which cannot be loaded: {}", library.string(),
                    loaded.message()));
  }
  is_s3_loaded = true;
  return Status::OK();
}

Result<std::shared_ptr<arrow::fs::FileSystem>> MakeS3(const StoreUri& uri, S3Options options,
                                                      Retry* retry) {
  std::map<std::string, std::string> query = uri.query;
  ARROW_RETURN_NOT_OK(TakeText(&query, "region", "s3", &options.region));
  ARROW_RETURN_NOT_OK(TakeText(&query, "endpoint", "s3", &options.endpoint));
  ARROW_ASSIGN_OR_RAISE(const bool is_anonymous, TakeBool(&query, "anonymous"));
  ARROW_ASSIGN_OR_RAISE(const bool allow_http, TakeBool(&query, "allow_http"));
  ARROW_RETURN_NOT_OK(RefuseRest(query, "region, endpoint, allow_http or anonymous"));
  if (is_anonymous && options.auth.kind == S3Auth::Kind::kKeys) {
    return Status::Invalid("the URI says anonymous=true, storage.s3.auth gives keys");
  }
  std::vector<std::pair<std::string, std::string>> settings;
  if (!options.endpoint.empty()) {
    ARROW_ASSIGN_OR_RAISE(const Endpoint endpoint,
                          ParseEndpoint("s3", options.endpoint, options.allow_http || allow_http));
    settings.emplace_back("scheme", endpoint.scheme);
    settings.emplace_back("endpoint_override", endpoint.authority);
    // Servers of others take any region; the SDK would ask Amazon's machines for one.
    if (options.region.empty() && !HasVariable("AWS_REGION") &&
        !HasVariable("AWS_DEFAULT_REGION")) {
      options.region = "us-east-1";
    }
  }
  if (!options.region.empty()) {
    settings.emplace_back("region", options.region);
  }
  if (!options.tls_ca_file.empty()) {
    settings.emplace_back("tls_ca_file_path", options.tls_ca_file);
  }
  if (!options.verify_tls) {
    settings.emplace_back("tls_verify_certificates", "false");
  }
  std::string text = fmt::format("s3://{}", Escape(uri.path, "/-._~"));
  for (const auto& [key, value] : settings) {
    text += fmt::format("{}{}={}", text.find('?') == std::string::npos ? '?' : '&', key,
                        Escape(value, "-._~"));
  }
  arrow::fs::FileSystemFactoryOptions made = {
      {"retry_strategy", std::shared_ptr<arrow::fs::S3RetryStrategy>(new SdkRetry(retry))}};
  if (is_anonymous || options.auth.kind == S3Auth::Kind::kAnonymous) {
    // Without keys the SDK does not sign.
    made.push_back({"access_key", std::string()});
    made.push_back({"secret_key", std::string()});
  } else if (options.auth.kind == S3Auth::Kind::kKeys) {
    made.push_back({"access_key", options.auth.access_key_id});
    made.push_back({"secret_key", options.auth.secret_access_key});
    if (!options.auth.session_token.empty()) {
      made.push_back({"session_token", options.auth.session_token});
    }
  }
  ARROW_RETURN_NOT_OK(LoadS3());
  return arrow::fs::FileSystemFromUriAndOptions(text, made);
}

Result<std::string> ReadServiceAccount(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string json{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (!file || json.empty()) {
    return Status::Invalid(fmt::format(
        "storage.gcs.auth.service_account_file: '{}' cannot be read, or is empty", path));
  }
  return json;
}

Result<std::shared_ptr<arrow::fs::FileSystem>> MakeGcs(const StoreUri& uri, GcsOptions options,
                                                       const RetryOptions& retry) {
  std::map<std::string, std::string> query = uri.query;
  ARROW_RETURN_NOT_OK(TakeText(&query, "endpoint", "gcs", &options.endpoint));
  ARROW_ASSIGN_OR_RAISE(const bool is_anonymous, TakeBool(&query, "anonymous"));
  ARROW_ASSIGN_OR_RAISE(const bool allow_http, TakeBool(&query, "allow_http"));
  ARROW_RETURN_NOT_OK(RefuseRest(query, "endpoint, allow_http or anonymous"));
  arrow::fs::GcsOptions made = arrow::fs::GcsOptions::Defaults();
  if (is_anonymous || options.auth.kind == GcsAuth::Kind::kAnonymous) {
    made = arrow::fs::GcsOptions::Anonymous();
  } else if (options.auth.kind == GcsAuth::Kind::kServiceAccount) {
    ARROW_ASSIGN_OR_RAISE(const std::string json,
                          ReadServiceAccount(options.auth.service_account_file));
    made = arrow::fs::GcsOptions::FromServiceAccountCredentials(json);
  }
  if (!options.endpoint.empty()) {
    ARROW_ASSIGN_OR_RAISE(const Endpoint endpoint,
                          ParseEndpoint("gcs", options.endpoint, options.allow_http || allow_http));
    made.scheme = endpoint.scheme;
    made.endpoint_override = endpoint.authority;
  }
  // Short, since nobody can end a wait of the client: Retry goes on behind it.
  made.retry_limit_seconds =
      std::min(kGcsRetrySeconds, std::chrono::duration<double>(retry.retry_timeout).count());
  return arrow::fs::GcsFileSystem::Make(made);
}

Status ConfigureAzure(const AzureAuth& auth, arrow::fs::AzureOptions* made) {
  switch (auth.kind) {
    case AzureAuth::Kind::kDefault:
      return made->ConfigureDefaultCredential();
    case AzureAuth::Kind::kAnonymous:
      return made->ConfigureAnonymousCredential();
    case AzureAuth::Kind::kAccountKey:
      return made->ConfigureAccountKeyCredential(auth.account_key);
    case AzureAuth::Kind::kSasToken:
      return made->ConfigureSASCredential(auth.sas_token.starts_with('?') ? auth.sas_token
                                                                          : "?" + auth.sas_token);
    case AzureAuth::Kind::kClientSecret:
      return made->ConfigureClientSecretCredential(auth.tenant_id, auth.client_id,
                                                   auth.client_secret);
    case AzureAuth::Kind::kManagedIdentity:
      return made->ConfigureManagedIdentityCredential(auth.client_id);
    case AzureAuth::Kind::kWorkloadIdentity:
      return made->ConfigureWorkloadIdentityCredential();
    case AzureAuth::Kind::kEnvironment:
      return made->ConfigureEnvironmentCredential();
    case AzureAuth::Kind::kCli:
      break;
  }
  return made->ConfigureCLICredential();
}

Result<std::shared_ptr<arrow::fs::FileSystem>> MakeAzure(const StoreUri& uri,
                                                         AzureOptions options) {
  std::map<std::string, std::string> query = uri.query;
  ARROW_RETURN_NOT_OK(TakeText(&query, "account", "azure", &options.account));
  ARROW_RETURN_NOT_OK(TakeText(&query, "endpoint", "azure", &options.endpoint));
  ARROW_ASSIGN_OR_RAISE(const bool is_anonymous, TakeBool(&query, "anonymous"));
  ARROW_ASSIGN_OR_RAISE(const bool allow_http, TakeBool(&query, "allow_http"));
  ARROW_RETURN_NOT_OK(RefuseRest(query, "account, endpoint, allow_http or anonymous"));
  if (!uri.account.empty() && !options.account.empty() && uri.account != options.account) {
    return Status::Invalid(
        fmt::format("the URI names the account {}, storage.azure.account says {}", uri.account,
                    options.account));
  }
  arrow::fs::AzureOptions made;
  made.background_writes = false;  // what its client throws in another thread ends the process
  made.account_name = options.account.empty() ? uri.account : options.account;
  if (made.account_name.empty()) {
    return Status::Invalid(
        "no account is named: write abfs://container@account.dfs.core.windows.net/.., or set "
        "storage.azure.account");
  }
  if (!options.endpoint.empty()) {
    ARROW_ASSIGN_OR_RAISE(const Endpoint endpoint, ParseEndpoint("azure", options.endpoint,
                                                                 options.allow_http || allow_http));
    made.blob_storage_authority = made.dfs_storage_authority = endpoint.authority;
    made.blob_storage_scheme = made.dfs_storage_scheme = endpoint.scheme;
  } else if (const size_t dot = uri.host.find('.'); dot != std::string::npos) {
    // "account.dfs.core.windows.net" and "account.blob.core.windows.net" are two doors of one room.
    std::string_view domain = std::string_view(uri.host).substr(dot + 1);
    domain.remove_prefix(domain.starts_with("dfs.") ? 4 : domain.starts_with("blob.") ? 5 : 0);
    made.blob_storage_authority = fmt::format(".blob.{}", domain);
    made.dfs_storage_authority = fmt::format(".dfs.{}", domain);
  }
  AzureAuth auth = options.auth;
  if (is_anonymous) {
    auth.kind = AzureAuth::Kind::kAnonymous;
  }
  ARROW_RETURN_NOT_OK(ConfigureAzure(auth, &made));
  return arrow::fs::AzureFileSystem::Make(made);
}

}  // namespace

Result<std::shared_ptr<arrow::fs::FileSystem>> MakeObjectFileSystem(const StoreUri& uri,
                                                                    const StoreOptions& options,
                                                                    Retry* retry) {
  switch (uri.kind) {
    case StoreKind::kS3:
      return MakeS3(uri, options.s3.value_or(S3Options()), retry);
    case StoreKind::kGcs:
      return MakeGcs(uri, options.gcs.value_or(GcsOptions()), options.retry);
    case StoreKind::kAzure:
      return MakeAzure(uri, options.azure.value_or(AzureOptions()));
    case StoreKind::kLocal:
      break;
  }
  return Status::Invalid("a local path has no object store");
}

void FinalizeStores() {
  if (is_s3_loaded) {
    arrow::fs::EnsureFinalized();
  }
}

}  // namespace df::storage
