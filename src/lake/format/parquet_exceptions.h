// Parquet C++ throws below its Arrow seam, and whatever allocates may throw: this turns what is
// thrown into a Status.
#pragma once

#include <exception>
#include <new>

#include <fmt/format.h>
#include <parquet/exception.h>

#include "base/error.h"

namespace df::lake {

/// Runs `call` (returning Status or Result) and turns an exception into a status of kind parquet
/// with the location. An allocation that failed costs what `call` does, not the process.
template <typename Call>
auto CatchParquet(const Location& location, Call&& call) -> decltype(call()) {
  try {
    return call();
  } catch (const parquet::ParquetStatusException& error) {
    const bool is_io = error.status().IsIOError();
    return WithContext(error.status(), is_io ? ErrorKind::kIo : ErrorKind::kParquet, location,
                       is_io);
  } catch (const std::bad_alloc&) {
    return MakeError(ErrorKind::kArrow, "out of memory: an allocation failed", location);
  } catch (const std::exception& error) {
    return MakeError(ErrorKind::kParquet, error.what(), location);
  }
}

}  // namespace df::lake
