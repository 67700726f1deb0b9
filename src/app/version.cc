#include "app/version.h"

#include <arrow/config.h>
#include <boost/version.hpp>
#include <cbor.h>
#include <fmt/format.h>
#include <gnu/libc-version.h>
#include <nghttp2/nghttp2.h>
#include <nlohmann/json.hpp>
#include <openssl/crypto.h>
#include <spdlog/version.h>
#include <zlib.h>
#include <zstd.h>

#include "app/build_commit.h"

namespace df::app {

std::string Version() { return DF_ENGINE_VERSION; }

std::string VersionDetails() {
  std::string text = fmt::format("df_engine {}\n", Version());
  const auto add = [&text](std::string_view name, const std::string& version) {
    text += fmt::format("  {:<14} {}\n", name, version);
  };
  add("commit", std::string(BuildCommit()));
  add("compiler", __VERSION__);
  add("C library", gnu_get_libc_version());
  add("Arrow", arrow::GetBuildInfo().version_string);
  add("OpenSSL", OpenSSL_version(OPENSSL_VERSION_STRING));
  add("nghttp2", nghttp2_version(0)->version_str);
  add("Boost", fmt::format("{}.{}.{}", BOOST_VERSION / 100'000, BOOST_VERSION / 100 % 1000,
                           BOOST_VERSION % 100));
  add("zlib", zlibVersion());
  add("Zstandard", ZSTD_versionString());
  add("fmt",
      fmt::format("{}.{}.{}", FMT_VERSION / 10'000, FMT_VERSION / 100 % 100, FMT_VERSION % 100));
  add("spdlog", fmt::format("{}.{}.{}", SPDLOG_VER_MAJOR, SPDLOG_VER_MINOR, SPDLOG_VER_PATCH));
  add("libcbor", CBOR_VERSION);
  add("JSON", fmt::format("nlohmann {}.{}.{}", NLOHMANN_JSON_VERSION_MAJOR,
                          NLOHMANN_JSON_VERSION_MINOR, NLOHMANN_JSON_VERSION_PATCH));
  return text;
}

}  // namespace df::app
