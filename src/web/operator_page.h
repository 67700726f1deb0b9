// The page at "/": an operator's view of the engine.
#pragma once

#include <string>

namespace df::web {

/// HTML that needs nothing but the admin API; it asks for the token where there is one.
const std::string& OperatorPage();

/// The Content-Security-Policy that lets this page's own script and style run and nothing else.
const std::string& OperatorPagePolicy();

}  // namespace df::web
