#include "lake/catalog/content_hash.h"

#include <array>
#include <cstdint>
#include <string_view>

#include <fmt/format.h>
#include <parquet/xxhasher.h>

#include "base/units.h"

namespace df::lake {
namespace {

constexpr int64_t kHashPieceBytes = 1_MiB;

}  // namespace

arrow::Result<std::string> HashBytes(storage::Store& store, const std::string& path) {
  ARROW_ASSIGN_OR_RAISE(const auto file, store.OpenFile(path));
  const parquet::XxHasher hasher;
  uint64_t hash = 0;
  while (true) {
    ARROW_ASSIGN_OR_RAISE(const auto piece, file->Read(kHashPieceBytes));
    if (piece->size() == 0) {
      return fmt::format("{:016x}", hash);
    }
    const uint64_t of_piece = hasher.Hash(std::string_view(*piece));
    const std::array<uint64_t, 2> both = {hash, of_piece};
    hash = hasher.Hash(std::string_view(reinterpret_cast<const char*>(both.data()), sizeof(both)));
  }
}

}  // namespace df::lake
