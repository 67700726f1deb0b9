#include "lake/catalog/own_files.h"

#include "lake/format/own_writer.h"

namespace df::lake {

bool IsAsWritten(storage::Store& store, const std::string& base, const FileSummary& file) {
  const auto opened = OpenSummarised(store, base, file, {});
  return opened.ok() && (**opened).footer().metadata->created_by() == kOwnWriter;
}

}  // namespace df::lake
