// References to environment variables and files in the scalars of a document.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "base/error.h"
#include "config/value.h"

namespace df::config {

/// What references of a document stand for.
class Environment {
 public:
  /// Returns the value of a variable, or nothing when it is not set.
  using Variables = std::function<std::optional<std::string>(const std::string& name)>;
  /// Returns what is in a file. Errors: IOError saying why it cannot be had.
  using Files = std::function<Result<std::string>(const std::string& path)>;

  /// One of variables only.
  template <typename Lookup>
    requires std::is_invocable_r_v<std::optional<std::string>, Lookup, const std::string&>
  Environment(Lookup variables) : Environment(Variables(std::move(variables)), nullptr) {}
  Environment(Variables variables, Files files)
      : variables_(std::move(variables)), files_(std::move(files)) {}

  std::optional<std::string> Variable(const std::string& name) const { return variables_(name); }
  Result<std::string> File(const std::string& path) const {
    return files_ == nullptr ? Status::IOError("files are not read here") : files_(path);
  }

 private:
  Variables variables_;
  Files files_;
};

/// The environment of the process, and the files that it may read: of at most 64 KiB.
Environment ProcessEnvironment();
/// An environment without variables and files.
Environment EmptyEnvironment();

/// Replaces `${env:NAME}`, `${env:NAME:-default}`, `${file:PATH}` (what is in the file, without the
/// line end behind it) and `$$` (a '$') in every scalar that is a value; keys stay as they are.
/// What is put in is not looked at again, and cannot become structure: a quoted scalar stays text,
/// a plain one is a number, a truth value or nothing as it then reads. Problems, at the scalar: a
/// variable that is not set and has no default, a file that cannot be read, a reference that is not
/// closed or names no variable, a value that is not UTF-8.
ValuePtr SubstituteEnvironment(const ValuePtr& root, const Environment& environment,
                               Problems* problems);

/// Returns the text that SubstituteEnvironment turns into `text`.
std::string EscapeReferences(std::string_view text);

}  // namespace df::config
