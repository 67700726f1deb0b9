// Manual pages: what a command says of itself, for people and for man(1).
#pragma once

#include <string>

namespace df::app {

struct ManualPage {
  std::string name;         ///< "df_engine-replay"
  std::string summary;      ///< half a sentence
  std::string description;  ///< lines, as --help prints them
  std::string version;      ///< of the program
};

/// Returns the page as lines of text.
std::string ToText(const ManualPage& page);

/// Returns the page as man(1) reads it. No line of the description is taken for a command of roff.
std::string ToRoff(const ManualPage& page);

}  // namespace df::app
