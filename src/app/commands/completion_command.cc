#include "app/commands/completion_command.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "app/commands/archive_flags.h"
#include "app/commands/verbs.h"
#include "app/standard_output.h"
#include "base/text.h"

namespace df::app {
namespace {

/// Flags of a command stand in its help, each behind spaces or a comma.
constexpr std::string_view kFlagsOf =
    R"(df_engine "$1" --help 2>/dev/null | grep -oE '(^|[ ,])--?[a-z][a-z-]*' | tr -d ' ,' | sort -u)";

std::string Names() {
  std::string names;
  for (const Verb& verb : AllVerbs()) {
    names += names.empty() ? "" : " ";
    names += verb.name;
  }
  return names;
}

std::string BashScript() {
  return fmt::format(R"sh(# df_engine completion bash; source <(df_engine completion bash)
_df_engine_flags() {{
  {}
}}
_df_engine() {{
  local current=${{COMP_WORDS[COMP_CWORD]}}
  if ((COMP_CWORD == 1)); then
    COMPREPLY=($(compgen -W '{}' -- "$current"))
  elif [[ $current == -* ]]; then
    COMPREPLY=($(compgen -W "$(_df_engine_flags "${{COMP_WORDS[1]}}")" -- "$current"))
  else
    compopt -o filenames 2>/dev/null
    COMPREPLY=($(compgen -f -- "$current"))
  fi
}}
complete -F _df_engine df_engine
)sh",
                     kFlagsOf, Names());
}

std::string ZshScript() {
  std::string verbs;
  for (const Verb& verb : AllVerbs()) {
    std::string summary(verb.summary);
    for (size_t at = summary.find(':'); at != std::string::npos; at = summary.find(':', at + 2)) {
      summary.insert(at, "\\");
    }
    verbs += fmt::format("    '{}:{}'\n", verb.name, summary);
  }
  return fmt::format(R"sh(#compdef df_engine
# source <(df_engine completion zsh)
_df_engine_flags() {{
  {}
}}
_df_engine() {{
  local -a commands
  commands=(
{}  )
  if ((CURRENT == 2)); then
    _describe 'command' commands
  elif [[ $words[CURRENT] == -* ]]; then
    compadd -- ${{(f)"$(_df_engine_flags $words[2])"}}
  else
    _files
  fi
}}
(( $+functions[compdef] )) && compdef _df_engine df_engine
)sh",
                     kFlagsOf, verbs);
}

std::string FishScript() {
  std::string script =
      "# df_engine completion fish | source\n"
      "function __df_engine_flags\n"
      "  set -l words (commandline -opc)\n"
      "  test (count $words) -gt 1; and df_engine $words[2] --help 2>/dev/null | "
      "string match -ra -- '--[a-z][a-z-]*' | sort -u\n"
      "end\n"
      "complete -c df_engine -n '__fish_is_first_arg' -f\n"
      "complete -c df_engine -n 'not __fish_is_first_arg' -a '(__df_engine_flags)'\n";
  for (const Verb& verb : AllVerbs()) {
    script += fmt::format("complete -c df_engine -n '__fish_is_first_arg' -a '{}' -d '{}'\n",
                          verb.name, verb.summary);
  }
  return script;
}

}  // namespace

Result<std::string> CompletionScript(std::string_view shell) {
  if (shell == "bash") {
    return BashScript();
  }
  if (shell == "zsh") {
    return ZshScript();
  }
  if (shell == "fish") {
    return FishScript();
  }
  return Status::Invalid(
      fmt::format("found '{}', expected bash, zsh or fish", PrintableText(shell)));
}

int CompletionCommand(int argc, char** argv) {
  CLI::App command("Prints a script that has a shell complete commands, flags and paths.",
                   "df_engine completion");
  std::string shell;
  command.add_option("SHELL", shell, "bash, zsh or fish")->required()->type_name("");
  command.footer("bash: source <(df_engine completion bash)");
  if (const auto code = ParseCommandLine(&command, argc, argv)) {
    return *code;
  }
  const auto script = CompletionScript(shell);
  return script.ok() ? PrintAnswer(*script) : FailCommand("df_engine completion", script.status());
}

}  // namespace df::app
