// Where a document comes from, and what the command line changes in it.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/error.h"
#include "config/environment.h"
#include "config/value.h"

namespace df::config {

/// The text of a document.
struct DocumentText {
  std::string name;  ///< stands for it in messages
  std::string text;
  /// A key `a::b::c` at the top level stands for nested maps.
  bool expands_keys = false;
};

/// Gets the text of a source: a path or `file:PATH`, `yaml:TEXT` with the document itself, or
/// `env:VARIABLE` with a variable that holds it. Errors: Invalid for another scheme or a variable
/// that is not set; IOError for a file that cannot be read.
Result<DocumentText> ReadSource(const std::string& source, const Environment& environment);

/// Tells whether the text of a source may be another one later: it is a path or `file:PATH`.
bool IsFile(const std::string& source);

/// Parses a document, changes what `overrides` say in their order, and substitutes references to
/// the environment last. Returns null when the text cannot be understood at all; other problems are
/// added, those of an override under the name of its flag.
///
/// An override is `path=value`: keys separated by dots, those with dots of their own in double
/// quotes, numbers for items of a list; the value is YAML. Maps on the way are made.
ValuePtr ReadDocument(const DocumentText& document, std::span<const std::string> overrides,
                      const Environment& environment, Problems* problems);

}  // namespace df::config
