// What this program is made of.
#pragma once

#include <string>

namespace df::app {

/// Of the product, such as "0.1.0".
std::string Version();

/// Several lines: version, commit and its date, compiler, and the libraries that are in use now.
std::string VersionDetails();

}  // namespace df::app
