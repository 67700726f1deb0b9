// Parquet C++ throws below its Arrow seam: this turns what it throws into a Status.
#pragma once

#include <exception>

#include <fmt/format.h>
#include <parquet/exception.h>

#include "base/error.h"

namespace df::lake {

/// Runs `call` (returning Status or Result) and turns an exception into a status of kind parquet
/// with the location.
template <typename Call>
auto CatchParquet(const Location& location, Call&& call) -> decltype(call()) {
  try {
    return call();
  } catch (const parquet::ParquetStatusException& error) {
    const bool is_io = error.status().IsIOError();
    return WithContext(error.status(), is_io ? ErrorKind::kIo : ErrorKind::kParquet, location,
                       is_io);
  } catch (const std::exception& error) {
    return MakeError(ErrorKind::kParquet, error.what(), location);
  }
}

}  // namespace df::lake
