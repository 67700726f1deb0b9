#include "storage/store_fields.h"

#include <array>
#include <utility>

#include <fmt/format.h>

namespace df::storage {
namespace {

using config::Section;

constexpr std::string_view kUpstreamAuth =
    "is not read here: the identity comes from auth, or from the environment";

const config::FieldTable<FileOptions>& FileFields() {
  static const config::FieldTable<FileOptions> kTable = {
      config::String("base_uri", &FileOptions::base_uri,
                     "folder: a path, or file:// and an absolute path")
          .Required(),
  };
  return kTable;
}

const config::FieldTable<S3Auth>& S3AuthFields() {
  static const config::FieldTable<S3Auth> kTable = {
      config::Enum("type", &S3Auth::kind,
                   {{"default", S3Auth::Kind::kDefault},
                    {"anonymous", S3Auth::Kind::kAnonymous},
                    {"keys", S3Auth::Kind::kKeys}},
                   "default: environment, AWS_PROFILE, web identity, role of the machine"),
      config::String("access_key_id", &S3Auth::access_key_id, "with type keys"),
      config::String("secret_access_key", &S3Auth::secret_access_key,
                     "with type keys; by ${env:..} or ${file:..}"),
      config::String("session_token", &S3Auth::session_token, "of keys that expire"),
  };
  return kTable;
}

void CheckS3Auth(const Section& section, const S3Auth& auth) {
  const bool has_keys =
      !auth.access_key_id.empty() || !auth.secret_access_key.empty() || !auth.session_token.empty();
  if (auth.kind == S3Auth::Kind::kKeys) {
    if (auth.access_key_id.empty() || auth.secret_access_key.empty()) {
      section.Add("type keys needs access_key_id and secret_access_key");
    }
  } else if (has_keys) {
    section.Add("found keys, expected type: keys beside them");
  }
}

const config::FieldTable<S3Options>& S3Fields() {
  static const config::FieldTable<S3Options> kTable = {
      config::String("base_uri", &S3Options::base_uri, "s3://bucket/prefix").PrintedWhenGiven(),
      config::String(
          "region", &S3Options::region,
          "of the bucket; else the bucket is asked for it, or it is us-east-1 beside an endpoint"),
      config::String("endpoint", &S3Options::endpoint,
                     "of another server than Amazon's, as in https://minio.example:9000"),
      config::Bool("allow_http", &S3Options::allow_http, "the endpoint may be http://"),
      config::String("tls_ca_file", &S3Options::tls_ca_file,
                     "authorities that the certificate of the endpoint may be of, PEM"),
      config::Group("auth", &S3Options::auth, S3AuthFields(), "keys", CheckS3Auth),
      config::Refused<S3Options>("virtual_hosted_style_request",
                                 "is not known: buckets of another endpoint are asked for by path, "
                                 "those of Amazon by host"),
  };
  return kTable;
}

const config::FieldTable<GcsAuth>& GcsAuthFields() {
  static const config::FieldTable<GcsAuth> kTable = {
      config::Enum("type", &GcsAuth::kind,
                   {{"default", GcsAuth::Kind::kDefault},
                    {"anonymous", GcsAuth::Kind::kAnonymous},
                    {"service_account", GcsAuth::Kind::kServiceAccount}},
                   "default: application default credentials"),
      config::String("service_account_file", &GcsAuth::service_account_file,
                     "JSON of the account, with type service_account"),
  };
  return kTable;
}

void CheckGcsAuth(const Section& section, const GcsAuth& auth) {
  if ((auth.kind == GcsAuth::Kind::kServiceAccount) == auth.service_account_file.empty()) {
    section.Add("type service_account and service_account_file go together");
  }
}

const config::FieldTable<GcsOptions>& GcsFields() {
  static const config::FieldTable<GcsOptions> kTable = {
      config::String("base_uri", &GcsOptions::base_uri, "gs://bucket/prefix").PrintedWhenGiven(),
      config::String("endpoint", &GcsOptions::endpoint,
                     "of another server than Google's, as in http://127.0.0.1:4443"),
      config::Bool("allow_http", &GcsOptions::allow_http, "the endpoint may be http://"),
      config::Group("auth", &GcsOptions::auth, GcsAuthFields(), "keys", CheckGcsAuth),
  };
  return kTable;
}

const config::FieldTable<AzureAuth>& AzureAuthFields() {
  using Kind = AzureAuth::Kind;
  static const config::FieldTable<AzureAuth> kTable = {
      config::Enum("type", &AzureAuth::kind,
                   {{"default", Kind::kDefault},
                    {"anonymous", Kind::kAnonymous},
                    {"account_key", Kind::kAccountKey},
                    {"sas_token", Kind::kSasToken},
                    {"client_secret", Kind::kClientSecret},
                    {"managed_identity", Kind::kManagedIdentity},
                    {"workload_identity", Kind::kWorkloadIdentity},
                    {"environment", Kind::kEnvironment},
                    {"cli", Kind::kCli}},
                   "default: the chain of Azure's SDK"),
      config::String("account_key", &AzureAuth::account_key,
                     "with type account_key; by ${env:..} or ${file:..}"),
      config::String("sas_token", &AzureAuth::sas_token,
                     "with type sas_token; by ${env:..} or ${file:..}"),
      config::String("tenant_id", &AzureAuth::tenant_id, "with type client_secret"),
      config::String("client_id", &AzureAuth::client_id,
                     "with type client_secret, or which managed identity"),
      config::String("client_secret", &AzureAuth::client_secret,
                     "with type client_secret; by ${env:..} or ${file:..}"),
  };
  return kTable;
}

void CheckAzureAuth(const Section& section, const AzureAuth& auth) {
  using Kind = AzureAuth::Kind;
  const bool is_secret = auth.kind == Kind::kClientSecret;
  const bool may_have_client = is_secret || auth.kind == Kind::kManagedIdentity;
  for (const auto& [name, value, type, is_expected, is_needed] :
       {std::tuple<std::string_view, const std::string&, std::string_view, bool, bool>{
            "account_key", auth.account_key, "account_key", auth.kind == Kind::kAccountKey,
            auth.kind == Kind::kAccountKey},
        {"sas_token", auth.sas_token, "sas_token", auth.kind == Kind::kSasToken,
         auth.kind == Kind::kSasToken},
        {"tenant_id", auth.tenant_id, "client_secret", is_secret, is_secret},
        {"client_id", auth.client_id, "client_secret or managed_identity", may_have_client,
         is_secret},
        {"client_secret", auth.client_secret, "client_secret", is_secret, is_secret}}) {
    if (is_needed && value.empty()) {
      section.Add(fmt::format("key '{}' is missing beside its type", name));
    } else if (!is_expected && !value.empty()) {
      section.Add(fmt::format("found {}, expected type: {} beside it", name, type));
    }
  }
}

const config::FieldTable<AzureOptions>& AzureFields() {
  static const config::FieldTable<AzureOptions> kTable = {
      config::String("base_uri", &AzureOptions::base_uri,
                     "abfs://container@account.dfs.core.windows.net/prefix")
          .PrintedWhenGiven(),
      config::String("account", &AzureOptions::account, "where the URI does not name it"),
      config::String("endpoint", &AzureOptions::endpoint,
                     "of another server than Azure's, as in http://127.0.0.1:10000"),
      config::Bool("allow_http", &AzureOptions::allow_http, "the endpoint may be http://"),
      config::Group("auth", &AzureOptions::auth, AzureAuthFields(), "keys", CheckAzureAuth),
      config::Refused<AzureOptions>("storage_scope", std::string(kUpstreamAuth)),
  };
  return kTable;
}

const config::FieldTable<RetryOptions>& RetryFields() {
  static const config::FieldTable<RetryOptions> kTable = {
      config::Integer("max_retries", &RetryOptions::max_retries, {0, 1000},
                      "of one request, after the first attempt"),
      config::Duration("init_backoff", &RetryOptions::init_backoff, "before the first of them"),
      config::Duration("max_backoff", &RetryOptions::max_backoff, "longest wait between two"),
      config::Number("backoff_base", &RetryOptions::backoff_base, {1.0, 100.0},
                     "how much longer each wait is than the one before"),
      config::Duration("retry_timeout", &RetryOptions::retry_timeout,
                       "no attempt begins later than this after the first"),
  };
  return kTable;
}

const config::FieldTable<ReadOptions>& ReadFields() {
  static const config::FieldTable<ReadOptions> kTable = {
      config::Size("request_size", &ReadOptions::request_bytes, {64_KiB, 1_GiB},
                   "most of one request"),
      config::Size("hole_size", &ReadOptions::hole_bytes, {1, 1_GiB},
                   "ranges with less between them are one request"),
      config::Size("tail_size", &ReadOptions::tail_bytes, {64, 64_MiB},
                   "of the end of a file, read when it is opened"),
      config::Size("cache_size", &ReadOptions::cache_bytes, {1_KiB, 1024_GiB},
                   "ends of files that are kept"),
      config::Size("ahead_size", &ReadOptions::ahead_bytes, {0, 1024_GiB},
                   "of row groups that are fetched before they are needed"),
  };
  return kTable;
}

/// A store that `storage` speaks of.
struct Named {
  std::string_view key;
  StoreKind kind;
  const std::string* base_uri;  ///< null: `storage` does not speak of it
};

}  // namespace

const config::FieldTable<StoreOptions>& StoreFields() {
  static const config::FieldTable<StoreOptions> kTable = {
      config::OptionalGroup("file", &StoreOptions::file, FileFields(), "a folder"),
      config::OptionalGroup("s3", &StoreOptions::s3, S3Fields(), "S3, of Amazon or others"),
      config::OptionalGroup("gcs", &StoreOptions::gcs, GcsFields(), "Google Cloud Storage"),
      config::OptionalGroup("azure", &StoreOptions::azure, AzureFields(), "Azure Blob Storage"),
      config::Group("retry", &StoreOptions::retry, RetryFields(),
                    "when a request that failed is made again"),
      config::Group("read", &StoreOptions::read, ReadFields(), "what is asked of a store at once"),
  };
  return kTable;
}

std::optional<StoreUri> ReadStoreUri(const Section& section, const std::string& base_uri,
                                     const std::optional<StoreOptions>& storage) {
  const StoreOptions options = storage.value_or(StoreOptions());
  const std::array stores = {
      Named{"file", StoreKind::kLocal, options.file ? &options.file->base_uri : nullptr},
      Named{"s3", StoreKind::kS3, options.s3 ? &options.s3->base_uri : nullptr},
      Named{"gcs", StoreKind::kGcs, options.gcs ? &options.gcs->base_uri : nullptr},
      Named{"azure", StoreKind::kAzure, options.azure ? &options.azure->base_uri : nullptr},
  };
  std::string text = base_uri;
  std::string_view said_by = base_uri.empty() ? "" : "base_uri";
  for (const Named& store : stores) {
    if (store.base_uri == nullptr || store.base_uri->empty()) {
      continue;
    }
    if (!said_by.empty()) {
      section.AddAtKey("storage", fmt::format("storage.{}.base_uri and {} both say where, expected "
                                              "one of the two",
                                              store.key, said_by));
      return std::nullopt;
    }
    text = *store.base_uri;
    said_by = store.key;
  }
  if (text.empty()) {
    if (!section.Find("base_uri").has_value()) {  // else its own problem is told
      section.Add("key 'base_uri' is missing, expected text");
    }
    return std::nullopt;
  }
  const std::string at_key = said_by == "base_uri" ? "base_uri" : "storage";
  auto uri = ParseStoreUri(text);
  if (!uri.ok()) {
    section.AddAtKey(at_key, uri.status().message());
    return std::nullopt;
  }
  for (const Named& store : stores) {
    if (store.base_uri != nullptr && store.kind != uri->kind) {
      section.AddAtKey("storage", fmt::format("storage.{} means nothing for '{}'", store.key,
                                              uri->Describe(uri->path)));
      return std::nullopt;
    }
  }
  return *std::move(uri);
}

}  // namespace df::storage
