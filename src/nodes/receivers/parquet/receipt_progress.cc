#include "nodes/receivers/parquet/receipt_progress.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "config/value_writer.h"

namespace df::nodes::receivers::parquet {
namespace {

using Json = nlohmann::json;

std::string TextAt(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_string() ? found->get<std::string>() : "";
}

/// Takes out what is not set, as configuration is printed: a document cannot say so.
nlohmann::ordered_json WithoutUnset(const nlohmann::ordered_json& json) {
  if (!json.is_object()) {
    return json;
  }
  nlohmann::ordered_json kept = nlohmann::ordered_json::object();
  for (const auto& [key, value] : json.items()) {
    nlohmann::ordered_json inner = WithoutUnset(value);
    const bool is_unset = inner.is_null() || inner == "none" || inner == "" ||
                          (inner.is_structured() && inner.empty());
    if (!is_unset) {
      kept[key] = std::move(inner);
    }
  }
  return kept;
}

/// Puts what was printed over several lines on one.
std::string OnOneLine(const std::string& text) {
  std::string line;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\n') {
      i = std::min(text.find_first_not_of(' ', i + 1), text.size()) - 1;
    } else {
      line += text[i];
    }
  }
  return PrintableText(line);
}

/// Calls `visit` with each source of a receipt.
template <typename Visit>
Status VisitSources(const Json& receipt, const Visit& visit) {
  const auto pipelines = receipt.find("pipelines");
  if (pipelines == receipt.end() || !pipelines->is_array()) {
    return Status::OK();
  }
  for (const Json& pipeline : *pipelines) {
    const auto nodes = pipeline.find("nodes");
    if (nodes == pipeline.end() || !nodes->is_array()) {
      continue;
    }
    for (const Json& node : *nodes) {
      const auto source = node.find("source");
      if (source != node.end() && source->is_object()) {
        ARROW_RETURN_NOT_OK(visit(*source));
      }
    }
  }
  return Status::OK();
}

}  // namespace

std::string WriteReceiptProgress(const ParquetReceiverConfig& config,
                                 const std::vector<lake::DeliveredFile>& files,
                                 int64_t* num_left_out) {
  nlohmann::ordered_json signals = nlohmann::ordered_json::array();
  for (const otap::Signal signal : config.signal_types) {
    signals.push_back(otap::Name(signal));
  }
  nlohmann::ordered_json select;
  if (config.select.has_value()) {
    select = WithoutUnset(nlohmann::ordered_json::parse(
        config::ToJson(*config::Write(select::SelectFields(), *config.select)), nullptr, false));
  }
  const nlohmann::ordered_json fingerprint = DescribeSent(config);
  return fmt::format(R"({{"signals":{},"select":{},"selection":{},"files":{}}})", signals.dump(),
                     select.dump(),
                     fingerprint.dump(-1, ' ', false, Json::error_handler_t::replace),
                     lake::WriteProgress(files, num_left_out));
}

Result<std::vector<lake::DeliveredFile>> ReadReceiptProgress(const std::string& path,
                                                             const std::string& base,
                                                             const ParquetReceiverConfig& config) {
  std::error_code error;
  const bool is_file = std::filesystem::is_regular_file(path, error);
  std::ifstream file(is_file ? path : "", std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (!file.is_open() || file.bad()) {
    return Status::IOError(fmt::format("'{}' cannot be read", PrintableText(path)));
  }
  const auto fail = [&](std::string_view what) {
    return Status::Invalid(fmt::format("'{}': {}", PrintableText(path), what));
  };
  const Json receipt = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!receipt.is_object() || !receipt.contains("receipt") || receipt["receipt"] != 1) {
    return fail("found no receipt of version 1");
  }
  std::vector<lake::DeliveredFile> files;
  std::string other_base;
  bool is_of_base = false;
  bool has_progress = false;
  ARROW_RETURN_NOT_OK(VisitSources(receipt, [&](const Json& source) -> Status {
    const std::string found = TextAt(source, "base");
    if (found != base) {
      other_base = found;
      return Status::OK();
    }
    is_of_base = true;
    const auto progress = source.find("progress");
    if (progress == source.end() || !progress->is_object() || !progress->contains("files")) {
      return Status::OK();
    }
    has_progress = true;
    // What one selection leaves out of a batch counts with it, and another may want it.
    const std::string selection = TextAt(*progress, "selection");
    if (selection != DescribeSent(config)) {
      return fail(fmt::format(
          "it is of a replay that sent {}, and this one sends {}",
          selection.empty() ? "everything" : OnOneLine(selection),
          DescribeSent(config).empty() ? "everything" : OnOneLine(DescribeSent(config))));
    }
    auto read = lake::ReadProgress((*progress)["files"].dump());
    if (!read.ok()) {
      return fail(read.status().message());
    }
    files.insert(files.end(), std::make_move_iterator(read->begin()),
                 std::make_move_iterator(read->end()));
    return Status::OK();
  }));
  if (!is_of_base) {
    return fail(other_base.empty() ? "it is of no replay"
                                   : fmt::format("it is of a replay of '{}', not of '{}'",
                                                 PrintableText(other_base), PrintableText(base)));
  }
  if (!has_progress) {
    return fail(
        "it does not say which files were delivered: the run was not told to "
        "(progress.in_receipt)");
  }
  return files;
}

}  // namespace df::nodes::receivers::parquet
