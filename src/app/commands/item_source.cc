#include "app/commands/item_source.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include <fmt/format.h>

#include "app/commands/signal_names.h"
#include "base/text.h"
#include "otlp/compare/item_texts.h"
#include "otlp/encode.h"
#include "otlp/request_file.h"

namespace df::app {
namespace {

namespace fs = std::filesystem;

class ArchiveSource final : public ItemSource {
 public:
  explicit ArchiveSource(Archive* archive) : archive_(*archive) {}

  int num_threads() const override { return archive_.options().num_threads; }

  Status Read(const std::vector<otap::Signal>& signals, const VisitRequest& visit) override {
    return archive_.Read(
        {},
        [&](const lake::Payload& payload, size_t thread) -> Status {
          ARROW_ASSIGN_OR_RAISE(const std::string request, otlp::EncodeRequest(*payload.batch));
          return visit(payload.batch->signal(), request, thread);
        },
        signals);
  }

 private:
  Archive& archive_;
};

/// The signal that the name of a file tells: logs.binpb, traces-0.otlp, x-spans.pb.
std::optional<otap::Signal> SignalOfName(const std::string& path) {
  const std::string name = fs::path(path).filename().string();
  for (const otap::Signal signal : otap::kAllSignals) {
    if (name.find(otap::Name(signal)) != std::string::npos ||
        name.find(ItemsName(signal)) != std::string::npos) {
      return signal;
    }
  }
  return std::nullopt;
}

bool IsJsonName(const std::string& path) {
  const std::string ending = fs::path(path).extension().string();
  return ending == ".json" || ending == ".jsonl" || ending == ".ndjson";
}

class FileSource final : public ItemSource {
 public:
  explicit FileSource(std::vector<std::string> paths) : paths_(std::move(paths)) {}

  int num_threads() const override { return 1; }

  Status Read(const std::vector<otap::Signal>& signals, const VisitRequest& visit) override {
    for (const std::string& path : paths_) {
      for (const otap::Signal signal : signals) {
        if (!IsJsonName(path) && SignalOfName(path) != signal) {
          continue;
        }
        const Status status = otlp::VisitRequestsOf(
            signal, path, [&](std::string_view request) { return visit(signal, request, 0); });
        if (!status.ok()) {
          return status.WithMessage(PrintableText(path), ": ", status.message());
        }
      }
    }
    return Status::OK();
  }

 private:
  std::vector<std::string> paths_;
};

}  // namespace

std::unique_ptr<ItemSource> MakeArchiveSource(Archive* archive) {
  return std::make_unique<ArchiveSource>(archive);
}

Result<std::unique_ptr<ItemSource>> MakeFileSource(const std::string& path) {
  auto paths = otlp::ExpandPath(path);
  if (!paths.ok()) {
    return Status::Invalid(fmt::format("'{}': {}", PrintableText(path), paths.status().message()));
  }
  for (const std::string& one : *paths) {
    if (!IsJsonName(one) && !SignalOfName(one).has_value()) {
      return Status::Invalid(fmt::format(
          "'{}' is neither an archive nor OTLP: expected a file that ends in .jsonl, or "
          "one of protobuf whose name says logs, traces or metrics",
          PrintableText(one)));
    }
  }
  return std::make_unique<FileSource>(*std::move(paths));
}

bool IsOtlp(const std::string& path) { return MakeFileSource(path).ok(); }

Result<std::vector<otlp::ItemDigest>> DigestItems(ItemSource* source,
                                                  const std::vector<otap::Signal>& signals) {
  std::vector<otlp::ItemDigest> empty;
  for (const otap::Signal signal : otap::kAllSignals) {
    empty.emplace_back(signal);
  }
  std::vector<std::vector<otlp::ItemDigest>> by_thread(static_cast<size_t>(source->num_threads()),
                                                       empty);
  ARROW_RETURN_NOT_OK(
      source->Read(signals, [&](otap::Signal signal, std::string_view request, size_t thread) {
        return by_thread[thread][static_cast<size_t>(signal)].Add(request);
      }));
  for (size_t thread = 1; thread < by_thread.size(); ++thread) {
    for (size_t i = 0; i < empty.size(); ++i) {
      by_thread[0][i].Merge(by_thread[thread][i]);
    }
  }
  return std::move(by_thread[0]);
}

}  // namespace df::app
