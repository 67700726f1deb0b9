// Where the whole requests of a file end.
#pragma once

#include <cstdint>
#include <string>

#include "base/error.h"
#include "base/file_calls.h"
#include "nodes/exporters/file/config.h"

namespace df::nodes::exporters::file {

/// The end of a file of requests.
struct RequestTail {
  int64_t whole_bytes = 0;     ///< up to here the file holds whole requests
  bool lacks_newline = false;  ///< the last of them is a whole line but for its end
};

/// Looks for what a writer left behind that ended in the middle of a request. Frames are followed
/// from head to head, and inside them the fields of the request; of JSON the beginning and the last
/// line are looked at. Errors: kind io; Invalid for a file that cannot be one of requests cut off
/// at its end, saying why.
/// Cost: reads a little of every frame, or the last line; memory of one block.
Result<RequestTail> FindRequestTail(FileCalls* calls, int descriptor, const std::string& path,
                                    int64_t size_bytes, Format format);

}  // namespace df::nodes::exporters::file
