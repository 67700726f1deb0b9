// The page at "/": an operator's view of the engine.
#pragma once

#include <string>

namespace df::admin {

/// HTML that needs nothing but this API; it asks for the token where there is one.
const std::string& OperatorPage();

/// The Content-Security-Policy that lets this page's own script and style run and nothing else.
const std::string& OperatorPagePolicy();

}  // namespace df::admin
