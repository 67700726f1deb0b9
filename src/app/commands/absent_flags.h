// Flags that people try and that commands do not have.
#pragma once

#include <span>
#include <string_view>

namespace df::app {

struct AbsentFlag {
  std::string_view verb;
  std::string_view flag;  ///< "--speed"
  std::string_view why;   ///< what holds instead, and the nearest way; half a sentence or two
};

std::span<const AbsentFlag> AllAbsentFlags();

/// Returns what is to be said of a flag that a verb does not have; "" where nobody would expect it.
std::string_view WhyAbsent(std::string_view verb, std::string_view flag);

}  // namespace df::app
