// The commit that this program was built from.
#pragma once

#include <string_view>

namespace df::app {

/// "HASH of DATE", with "and changes" where files differed from it; "unknown" outside of a clone.
/// Source: cmake/write_commit.cmake, at each build.
std::string_view BuildCommit();

}  // namespace df::app
