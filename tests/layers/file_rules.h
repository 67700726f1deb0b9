// Rules about files: names, sizes, leftover markers, files that belong to nothing, links that lead
// nowhere.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "layers/source_tree.h"

namespace df::layers {

/// The longest a .h or .cc file may be, in lines, unless the ratchet names it.
constexpr int kMostLines = 600;

/// No file or folder under src/, tests/ or bench/ is named utils, helpers or common, also not as
/// one word of a longer name: such names say nothing about what belongs there, so everything ends
/// up there.
std::vector<Violation> CheckNames(const SourceTree& tree);

/// No .h or .cc file is longer than kMostLines. `ratchet` lists exceptions, one `path lines` a
/// line, '#' for comments: a file named there may not grow past its number, and an entry that is no
/// longer needed is a violation, so the list can only shrink.
std::vector<Violation> CheckSizes(const SourceTree& tree, std::string_view ratchet);

/// No marker of unfinished work is left in code, scripts or build files.
std::vector<Violation> CheckMarkers(const SourceTree& tree);

/// No text for users (Markdown, and strings and descriptions of src/ and configs/) has one of the
/// phrases that readers have stumbled over. Comments of sources are not looked at.
std::vector<Violation> CheckPhrases(const SourceTree& tree);

/// Every .cc file under src/, tests/ and bench/ is named by the CMakeLists.txt of its folder or of
/// one above it; every .h file is included by another file.
std::vector<Violation> CheckReferenced(const SourceTree& tree);

/// Every relative link of a Markdown file names a file or folder of the tree. `exists` tells for a
/// path relative to the root whether it is there (links may lead to files that the tree does not
/// hold as text).
std::vector<Violation> CheckLinks(const SourceTree& tree,
                                  const std::function<bool(const std::string& path)>& exists);

}  // namespace df::layers
