#include "storage/store.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <random>
#include <set>
#include <utility>
#include <vector>

#include <arrow/filesystem/filesystem.h>
#include <arrow/filesystem/localfs.h>
#include <arrow/io/interfaces.h>
#include <arrow/io/memory.h>
#include <arrow/util/key_value_metadata.h>
#include <arrow/util/thread_pool.h>
#include <fmt/format.h>

#include "storage/object_stores.h"
#include "storage/store_failure.h"

namespace df::storage {
namespace {

/// Each waits most of the time for an answer, in a thread of its own.
constexpr int kRequestsAtOnce = 32;

constexpr int kMostUploads = 3;  ///< of a file, when the store forgets one

/// Opens a file of an object store, which takes one request that gives its facts too.
Result<FileFacts> OpenOnce(RemoteContext* context, arrow::fs::FileSystem* file_system,
                           const std::string& path,
                           std::shared_ptr<arrow::io::RandomAccessFile>* file) {
  FileFacts facts;
  const Status status = context->retry->Run(Operation::kOpen, [&]() -> Status {
    context->counters.CountRequest(Operation::kOpen);
    facts = {};
    ARROW_ASSIGN_OR_RAISE(*file, file_system->OpenInputFile(path));
    ARROW_ASSIGN_OR_RAISE(facts.size_bytes, (*file)->GetSize());
    ARROW_ASSIGN_OR_RAISE(const auto metadata, (*file)->ReadMetadata());
    if (metadata != nullptr) {
      for (const char* key : {"ETag", "etag", "Etag"}) {
        facts.etag = facts.etag.empty() ? metadata->Get(key).ValueOr("") : facts.etag;
      }
      facts.modified = metadata->Get("Last-Modified").ValueOr("");
    }
    return Status::OK();
  });
  ARROW_RETURN_NOT_OK(ExplainFailure(context->uri, Operation::kOpen, path, status));
  return facts;
}

}  // namespace

Store::Store(StoreUri uri, StoreOptions options, std::unique_ptr<RetryClock> clock)
    : uri_(std::move(uri)),
      options_(std::move(options)),
      context_(new RemoteContext{
          .uri = uri_,
          .options = options_.read,
          .counters = {},
          .clock = clock != nullptr ? std::move(clock) : std::make_unique<RetryClock>(),
          .retry = nullptr,
          .tails = TailCache(options_.read.cache_bytes),
          .files = TailCache(options_.read.cache_bytes),
          .ahead_bytes = 0}) {
  context_->retry = std::make_unique<Retry>(uri_.kind, options_.retry, context_->clock.get(),
                                            &context_->counters, std::random_device()());
}

Store::~Store() {
  Stop();
  for (const auto& [path, prepared] : prepared_) {
    prepared.file.Wait();
  }
}

Result<std::shared_ptr<Store>> Store::Make(StoreUri uri, StoreOptions options) {
  if (uri.is_local()) {
    return Over(std::move(uri), std::move(options), std::make_shared<arrow::fs::LocalFileSystem>());
  }
  std::shared_ptr<Store> store(new Store(std::move(uri), std::move(options), nullptr));
  if (arrow::io::GetIOThreadPoolCapacity() < kRequestsAtOnce) {
    ARROW_RETURN_NOT_OK(arrow::io::SetIOThreadPoolCapacity(kRequestsAtOnce));
  }
  ARROW_ASSIGN_OR_RAISE(store->file_system_, MakeObjectFileSystem(store->uri_, store->options_,
                                                                  store->context_->retry.get()));
  if (store->uri_.kind == StoreKind::kS3) {
    store->context_->retry->LeaveToClient();
  }
  return store;
}

std::shared_ptr<Store> Store::Over(StoreUri uri, StoreOptions options,
                                   std::shared_ptr<arrow::fs::FileSystem> file_system,
                                   std::unique_ptr<RetryClock> clock) {
  std::shared_ptr<Store> store(new Store(std::move(uri), std::move(options), std::move(clock)));
  store->file_system_ = std::move(file_system);
  return store;
}

std::shared_ptr<Store> Store::Local() {
  return Over({}, {}, std::make_shared<arrow::fs::LocalFileSystem>());
}

Result<std::unique_ptr<DirectoryReader>> Store::ReadDirectories(const std::string& base) {
  if (is_local()) {
    return std::make_unique<LocalDirectories>();
  }
  // A file that was read before the end of a listing may be older than what the listing shows.
  ++listing_;
  const auto objects = ListBelow(base, /*allow_not_found=*/false);
  ++listing_;
  ARROW_RETURN_NOT_OK(ExplainFailure(uri_, Operation::kList, base, objects.status()));
  return std::make_unique<ListedObjects>(base, *objects);
}

/// Makes requests again, but those of local files.
Status Store::Run(Operation operation, const std::function<Status()>& request) {
  return is_local() ? request() : context_->retry->Run(operation, request);
}

/// Lists all that is below a directory. Azure's file system asks for folders one by one and begins
/// again with the first when one request fails, so they are asked for here, each until it is known.
Result<std::vector<arrow::fs::FileInfo>> Store::ListBelow(const std::string& base,
                                                          bool allow_not_found) {
  const bool is_by_folder = uri_.kind == StoreKind::kAzure;
  std::vector<arrow::fs::FileInfo> found;
  std::vector<std::string> folders = {base};
  std::set<std::string> known = {base};  // "a//b" makes Azure's file system list a below a
  while (!folders.empty()) {
    arrow::fs::FileSelector selector;
    selector.base_dir = std::move(folders.back());
    folders.pop_back();
    selector.recursive = !is_by_folder;
    selector.allow_not_found = allow_not_found || !found.empty();  // below base: it may go
    std::vector<arrow::fs::FileInfo> entries;
    const auto list = [&]() -> Status {
      context_->counters.CountRequest(Operation::kList);
      ARROW_ASSIGN_OR_RAISE(entries, file_system_->GetFileInfo(selector));
      return Status::OK();
    };
    ARROW_RETURN_NOT_OK(Run(Operation::kList, list));
    for (arrow::fs::FileInfo& entry : entries) {
      if (is_by_folder && entry.IsDirectory()) {
        if (!known.insert(entry.path()).second) {
          continue;
        }
        folders.push_back(entry.path());
      }
      found.push_back(std::move(entry));
    }
  }
  return found;
}

Result<bool> Store::Exists(const std::string& path) {
  arrow::fs::FileInfo info;
  const auto look = [&]() -> Status {
    context_->counters.CountRequest(Operation::kOpen);
    ARROW_ASSIGN_OR_RAISE(info, file_system_->GetFileInfo(path));
    return Status::OK();
  };
  ARROW_RETURN_NOT_OK(ExplainFailure(uri_, Operation::kOpen, path, Run(Operation::kOpen, look)));
  return info.type() != arrow::fs::FileType::NotFound;
}

Result<std::vector<std::string>> Store::ListFiles(const std::string& directory) {
  const auto found = ListBelow(directory, /*allow_not_found=*/true);
  ARROW_RETURN_NOT_OK(ExplainFailure(uri_, Operation::kList, directory, found.status()));
  std::vector<std::string> files;
  for (const arrow::fs::FileInfo& info : *found) {
    if (info.IsFile()) {
      files.push_back(info.path());
    }
  }
  return files;
}

/// Asks a store that is far away whether it has a file as it was written: its client may take a
/// part for the whole when it had to ask twice. Who may not ask is not told.
Status Store::CheckWritten(const std::string& path, int64_t num_bytes) {
  if (is_local()) {
    return Status::OK();
  }
  arrow::fs::FileInfo info;
  const Status status = context_->retry->Run(Operation::kOpen, [&]() -> Status {
    context_->counters.CountRequest(Operation::kOpen);
    ARROW_ASSIGN_OR_RAISE(info, file_system_->GetFileInfo(path));
    return Status::OK();
  });
  if (FailureOf(uri_.kind, status) == Failure::kDenied) {
    return Status::OK();
  }
  ARROW_RETURN_NOT_OK(status);
  return info.size() == num_bytes ? Status::OK()
                                  : Status::IOError(fmt::format(
                                        "{}: the store has {} bytes of it, expected {}",
                                        kCutOffText, std::max<int64_t>(info.size(), 0), num_bytes));
}

/// Tells whether a file that may have arrived is there, byte by byte. What cannot be read is not.
bool Store::HasArrived(const std::string& path, const arrow::Buffer& bytes) {
  if (is_local() || context_->clock->is_stopped()) {
    return false;
  }
  arrow::fs::FileInfo info;
  // Once: it is asked between attempts, and those must not multiply.
  const Status looked = CallClient([&]() -> Status {
    context_->counters.CountRequest(Operation::kOpen);
    ARROW_ASSIGN_OR_RAISE(info, file_system_->GetFileInfo(path));
    return Status::OK();
  });
  if (!looked.ok() || info.size() != bytes.size()) {
    return false;
  }
  const auto compare = [&]() -> Result<bool> {
    ARROW_ASSIGN_OR_RAISE(const auto file, OpenNow(path));
    ARROW_ASSIGN_OR_RAISE(const int64_t size_bytes, file->GetSize());
    int64_t position = 0;
    while (size_bytes == bytes.size() && position < size_bytes) {
      const int64_t most = std::min(options_.read.request_bytes, size_bytes - position);
      ARROW_ASSIGN_OR_RAISE(const auto piece, file->ReadAt(position, most));
      if (piece->size() != most ||
          std::memcmp(piece->data(), bytes.data() + position, static_cast<size_t>(most)) != 0) {
        return false;
      }
      position += most;
    }
    return size_bytes == bytes.size();
  };
  return compare().ValueOr(false);
}

Status Store::WriteFile(const std::string& path, const std::shared_ptr<arrow::Buffer>& bytes) {
  Status status;
  bool has_begun = false;     // the last attempt
  bool may_be_there = false;  // of an attempt before it
  const auto write = [&]() -> Status {
    // A file that is there is not written again: readers would see another version, and Azure
    // would show it empty for a while.
    if (may_be_there && HasArrived(path, *bytes)) {
      return Status::OK();
    }
    context_->counters.CountRequest(Operation::kWrite);
    has_begun = false;
    ARROW_ASSIGN_OR_RAISE(const auto file, file_system_->OpenOutputStream(path));
    has_begun = may_be_there = true;
    const Status written = CallClient([&]() -> Status {
      ARROW_RETURN_NOT_OK(file->Write(bytes));
      return file->Close();
    });
    if (!written.ok()) {  // else its destructor tries to end it
      const Status ignored = CallClient([&] { return file->Abort(); });
    }
    return written;
  };
  for (int upload = 1; upload <= kMostUploads; ++upload) {
    status = context_->retry->Run(Operation::kWrite, write);
    // The answer to the request that ended an upload may be lost: asked again, the store does not
    // know that upload any more, and what it made of it is not told.
    if (!status.ok() && may_be_there && HasArrived(path, *bytes)) {
      status = Status::OK();
    }
    may_be_there = false;
    if (status.ok()) {
      status = CheckWritten(path, bytes->size());
    }
    const Failure failure = FailureOf(uri_.kind, status);
    if (status.ok() || !has_begun ||
        (failure != Failure::kNotFound && failure != Failure::kPermanent &&
         failure != Failure::kCutOff)) {
      break;
    }
  }
  ++listing_;
  context_->counters.bytes_written += status.ok() ? bytes->size() : 0;
  return ExplainFailure(uri_, Operation::kWrite, path, status);
}

Status Store::RemoveFile(const std::string& path) {
  const Status status = context_->retry->Run(Operation::kRemove, [&] {
    context_->counters.CountRequest(Operation::kRemove);
    return file_system_->DeleteFile(path);
  });
  ++listing_;
  // Asked again after an answer that was lost, a store says so, too.
  return FailureOf(uri_.kind, status) == Failure::kNotFound
             ? Status::OK()
             : ExplainFailure(uri_, Operation::kRemove, path, status);
}

void Store::Prepare(const std::vector<std::string>& paths) {
  if (is_local()) {
    return;
  }
  std::map<std::string, Prepared> prepared;
  // Their ends are held beside the cache: as many as fit into as much again.
  const size_t most = static_cast<size_t>(
      std::max<int64_t>(1, options_.read.cache_bytes / options_.read.tail_bytes));
  const int64_t call = ++num_prepare_calls_;
  for (const std::string& path : paths) {
    if (prepared.size() == most) {
      break;
    }
    const int64_t listing = listing_;
    auto begun = arrow::io::default_io_context().executor()->Submit(
        [this, path]() -> Result<std::shared_ptr<arrow::io::RandomAccessFile>> {
          ARROW_ASSIGN_OR_RAISE(auto file, OpenNow(path));
          ARROW_ASSIGN_OR_RAISE(const int64_t size_bytes, file->GetSize());
          ARROW_RETURN_NOT_OK(file->ReadAt(size_bytes, 0).status());
          return file;
        });
    if (begun.ok()) {
      prepared.emplace(path, Prepared{*std::move(begun), listing, call});
    }
  }
  std::vector<Prepared> let_go;
  {
    const std::lock_guard lock(mutex_);
    const auto let_go_if = [&](const auto& is_old) {
      std::erase_if(prepared_, [&](const auto& entry) {
        if (is_old(entry.second)) {
          let_go.push_back(entry.second);
          return true;
        }
        return false;
      });
    };
    for (auto& [path, begun] : prepared) {
      if (const auto earlier = prepared_.extract(path); !earlier.empty()) {
        let_go.push_back(earlier.mapped());
      }
      prepared_.emplace(path, std::move(begun));
    }
    let_go_if([&](const Prepared& one) { return one.listing != listing_; });
    while (prepared_.size() > most) {
      const auto oldest = std::min_element(
          prepared_.begin(), prepared_.end(),
          [](const auto& a, const auto& b) { return a.second.call < b.second.call; });
      let_go_if([first = oldest->second.call](const Prepared& one) { return one.call == first; });
    }
  }
  for (const Prepared& earlier : let_go) {
    earlier.file.Wait();  // they work with this store
  }
}

Result<std::shared_ptr<arrow::io::RandomAccessFile>> Store::OpenFile(const std::string& path) {
  if (is_local()) {
    return file_system_->OpenInputFile(path);
  }
  std::unordered_map<std::string, Prepared>::node_type prepared;
  {
    const std::lock_guard lock(mutex_);
    prepared = prepared_.extract(path);
  }
  if (!prepared.empty()) {
    const auto& file = prepared.mapped().file.result();
    if (prepared.mapped().listing == listing_) {
      return file;
    }
  }
  if (auto bytes = context_->files.Find(RemoteFile::KeyOf(path, listing_)); bytes != nullptr) {
    return std::make_shared<arrow::io::BufferReader>(std::move(bytes));
  }
  return OpenNow(path);
}

bool Store::Stays(const Status& status) const {
  if (is_local() || status.ok() || !status.IsIOError()) {
    return false;
  }
  const Failure failure = FailureOf(uri_.kind, status);
  return !MayPass(failure) && failure != Failure::kReplaced;
}

Result<std::shared_ptr<arrow::io::RandomAccessFile>> Store::OpenNow(const std::string& path) {
  std::shared_ptr<arrow::io::RandomAccessFile> file;
  const int64_t listing = listing_;
  ARROW_ASSIGN_OR_RAISE(FileFacts facts, OpenOnce(context_.get(), file_system_.get(), path, &file));
  FactsNow now;
  if (uri_.kind != StoreKind::kGcs) {  // there the client asks for bytes of one generation
    now = [context = context_, file_system = file_system_, path] {
      std::shared_ptr<arrow::io::RandomAccessFile> again;
      return OpenOnce(context.get(), file_system.get(), path, &again);
    };
  }
  auto retried = std::make_shared<RetriedFile>(context_, path, std::move(file), std::move(facts),
                                               std::move(now));
  return std::make_shared<RemoteFile>(context_, path, std::move(retried), listing);
}

}  // namespace df::storage
