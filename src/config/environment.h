// References to environment variables in the scalars of a document.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "config/value.h"

namespace df::config {

/// Returns the value of a variable, or nothing when it is not set.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;

/// The environment of the process.
Environment ProcessEnvironment();
/// An environment without variables.
Environment EmptyEnvironment();

/// Replaces `${env:NAME}`, `${env:NAME:-default}` and `$$` (a '$') in every scalar that is a value;
/// keys stay as they are. What is put in is not looked at again, and cannot become structure: a
/// quoted scalar stays text, a plain one is a number, a truth value or nothing as it then reads.
/// Problems, at the scalar: a variable that is not set and has no default, a reference that is not
/// closed or names no variable, a value that is not UTF-8.
ValuePtr SubstituteEnvironment(const ValuePtr& root, const Environment& environment,
                               Problems* problems);

/// Returns the text that SubstituteEnvironment turns into `text`.
std::string EscapeReferences(std::string_view text);

}  // namespace df::config
