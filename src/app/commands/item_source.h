// Items to compare: of an archive, or of files of OTLP.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "app/commands/archive.h"
#include "base/error.h"
#include "otlp/compare/item_digests.h"

namespace df::app {

/// Takes a request of a signal in protobuf; `thread` as in Archive::Visit.
using VisitRequest =
    std::function<Status(otap::Signal signal, std::string_view request, size_t thread)>;

/// Where items come from. Calls: from one thread; `visit` may be called from several.
class ItemSource {
 public:
  virtual ~ItemSource() = default;

  /// Calls `visit` with the requests of some signals. May be called again. Errors: those of `visit`
  /// and of what cannot be read at all.
  virtual Status Read(const std::vector<otap::Signal>& signals, const VisitRequest& visit) = 0;
  virtual int num_threads() const = 0;
};

/// Items of an archive, as its selection has them. Owner: borrows the archive.
std::unique_ptr<ItemSource> MakeArchiveSource(Archive* archive);

/// Items of files of OTLP: .jsonl, .json, .ndjson of any signal, and requests behind their lengths,
/// whose file names say of which signal they are (logs-1.binpb). `path` is a file or a folder.
/// Errors: Invalid saying what was found.
Result<std::unique_ptr<ItemSource>> MakeFileSource(const std::string& path);

/// Tells whether MakeFileSource takes a path.
bool IsOtlp(const std::string& path);

/// Adds up the items of a source by signal. Errors: as ItemSource::Read.
Result<std::vector<otlp::ItemDigest>> DigestItems(ItemSource* source,
                                                  const std::vector<otap::Signal>& signals);

}  // namespace df::app
