#include "lake/write/file_store.h"

#include <utility>

namespace df::lake {

Result<std::unique_ptr<FileStore>> MakeFileStore(const storage::StoreUri& uri,
                                                 const storage::StoreOptions& options) {
  if (uri.is_local()) {
    return MakeLocalStore(uri.path);
  }
  auto store = storage::Store::Make(uri, options);
  if (!store.ok()) {
    return MakeError(ErrorKind::kConfig, store.status().message());
  }
  return MakeObjectStore(*std::move(store));
}

}  // namespace df::lake
