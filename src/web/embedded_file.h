// Files that are part of the program.
#pragma once

#include <string_view>

namespace df::web {

/// Returns the text of a file of this folder, such as "operator.css"; empty for one that is not
/// embedded. Source: otap_embed in CMakeLists.txt.
std::string_view EmbeddedFile(std::string_view name);

}  // namespace df::web
