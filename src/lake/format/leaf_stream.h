// The leaves of one row group behind one call. Private to lake/.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "lake/format/exemplar_values.h"
#include "lake/format/list_reader.h"
#include "lake/format/table_file.h"

namespace df::lake {

/// Keeps the decoders of a row group in step: where one of them stops early, what the others have
/// decoded beyond that waits for the next call.
class LeafStream final : public RowGroupStream {
 public:
  /// The whole nanoseconds of a time that is stored coarser.
  struct Companion {
    size_t leaf = 0;
    std::unique_ptr<LeafDecoder> decoder;
    int64_t nanos_per_unit = 1;
  };
  struct Parts {
    otap::TableKind kind = otap::TableKind::kLogs;
    Location location;
    ReadLimits limits;
    std::vector<std::unique_ptr<LeafDecoder>> decoders;  ///< by leaf; null: not read here
    std::vector<int> empty_leaves;  ///< whose column is there and holds nothing
    std::vector<Companion> companions;
    std::unique_ptr<ListReader> lists;  ///< null where no list is read
    ExemplarValues exemplar_values;
    int64_t buffer_bytes = 0;            ///< that the decoders read the file through
    std::shared_ptr<PassedRows> passed;  ///< what the decoders need not read
    std::shared_ptr<void> fetched;       ///< keeps what was fetched ahead; may be null
  };

  explicit LeafStream(Parts parts) : parts_(std::move(parts)), waiting_(parts_.decoders.size()) {}

  Result<DecodedRows> Next(int64_t num_rows) override;
  Status Skip(int64_t num_rows) override;
  Result<bool> Need(const RowStretches& rows) override;
  PassedRows passed() const override { return *parts_.passed; }
  int64_t held_bytes() const override;
  int64_t large_bytes() const override;

 private:
  Status DecodeFlat(int64_t num_rows, DecodedRows* rows);
  Status TakeNanos(std::vector<LeafSlice>* slices);

  Parts parts_;
  std::vector<LeafSlice> waiting_;  ///< by leaf
  int64_t next_row_ = 0;
};

}  // namespace df::lake
