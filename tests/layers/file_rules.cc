#include "layers/file_rules.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <iterator>
#include <map>
#include <set>
#include <sstream>
#include <string>

#include <fmt/format.h>

namespace df::layers {
namespace {

bool IsCode(std::string_view path) { return path.ends_with(".cc") || path.ends_with(".h"); }

bool IsUnderCodeFolder(std::string_view path) {
  return path.starts_with("src/") || path.starts_with("tests/") || path.starts_with("bench/");
}

// The words of a path: what stands between '/', '_', '-' and '.'.
std::vector<std::string> WordsOf(std::string_view path) {
  std::vector<std::string> words(1);
  for (const char letter : path) {
    if (std::isalnum(static_cast<unsigned char>(letter)) != 0) {
      words.back() += static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
    } else if (!words.back().empty()) {
      words.emplace_back();
    }
  }
  return words;
}

bool IsWordLetter(char letter) {
  return std::isalnum(static_cast<unsigned char>(letter)) != 0 || letter == '_';
}

bool ContainsWord(std::string_view line, std::string_view word) {
  for (size_t at = line.find(word); at != std::string_view::npos; at = line.find(word, at + 1)) {
    const size_t end = at + word.size();
    if ((at == 0 || !IsWordLetter(line[at - 1])) &&
        (end == line.size() || !IsWordLetter(line[end]))) {
      return true;
    }
  }
  return false;
}

std::map<std::string, int> ParseRatchet(std::string_view ratchet) {
  std::map<std::string, int> most;
  ForEachLine(ratchet, [&](int, std::string_view line) {
    std::istringstream words{std::string(line)};
    std::string path;
    int lines = 0;
    if (!line.starts_with("#") && words >> path >> lines) {
      most[path] = lines;
    }
  });
  return most;
}

// The targets of `[text](target)` in one line of Markdown.
std::vector<std::string> LinksOf(std::string_view line) {
  std::vector<std::string> links;
  for (size_t at = line.find("]("); at != std::string_view::npos; at = line.find("](", at + 1)) {
    const size_t end = line.find(')', at);
    if (end != std::string_view::npos) {
      links.emplace_back(line.substr(at + 2, end - at - 2));
    }
  }
  return links;
}

// What the quoted includes of the tree end with, as whole path parts: "lake/format/footer.h" gives
// that and "footer.h".
std::set<std::string> IncludedHeaders(const SourceTree& tree) {
  std::set<std::string> included;
  for (const SourceFile& file : tree) {
    ForEachLine(file.text, [&](int, std::string_view line) {
      const size_t quote = line.find('"');
      const size_t end = line.rfind('"');
      if (line.starts_with("#") && line.find("include") < quote && end > quote) {
        included.emplace(line.substr(quote + 1, end - quote - 1));
      }
    });
  }
  return included;
}

bool IsIncluded(const std::string& path, const std::set<std::string>& included) {
  for (size_t slash = path.find('/'); slash != std::string::npos;
       slash = path.find('/', slash + 1)) {
    if (included.count(path.substr(slash + 1)) > 0) {
      return true;
    }
  }
  return false;
}

// Whether one argument of a build file means `path`; "${kind}_fuzz.cc" means every path with that
// end.
bool ArgumentMeans(std::string_view argument, std::string_view path) {
  const size_t start = argument.find("${");
  const size_t end = argument.find('}', start);
  if (start == std::string_view::npos || end == std::string_view::npos) {
    return argument == path;
  }
  return path.starts_with(argument.substr(0, start)) && path.ends_with(argument.substr(end + 1)) &&
         path.size() > argument.size() - (end + 1 - start);
}

bool NamesFile(std::string_view text, std::string_view path) {
  constexpr std::string_view kBetweenArguments = " \t\n\r()\";";
  while (!text.empty()) {
    const size_t end = text.find_first_of(kBetweenArguments);
    const std::string_view argument = text.substr(0, end);
    if (argument.ends_with(".cc") && ArgumentMeans(argument, path)) {
      return true;
    }
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return false;
}

// Whether the CMakeLists.txt of the file's folder, or of one above, names it by its path from
// there.
bool IsListed(const std::string& path, const std::map<std::string, const SourceFile*>& lists) {
  for (size_t slash = path.rfind('/'); slash != std::string::npos;
       slash = path.rfind('/', slash - 1)) {
    const auto list = lists.find(path.substr(0, slash));
    if (list != lists.end() &&
        NamesFile(list->second->text, std::string_view(path).substr(slash + 1))) {
      return true;
    }
  }
  return false;
}

}  // namespace

std::vector<Violation> CheckNames(const SourceTree& tree) {
  constexpr std::string_view kBanned[] = {"util", "utils", "helper", "helpers", "common"};
  std::vector<Violation> violations;
  for (const SourceFile& file : tree) {
    if (!IsUnderCodeFolder(file.path)) {
      continue;
    }
    for (const std::string& word : WordsOf(file.path)) {
      if (std::find(std::begin(kBanned), std::end(kBanned), word) != std::end(kBanned)) {
        violations.push_back(
            {file.path, 0, fmt::format("'{}' says nothing about what is in there", word)});
      }
    }
  }
  return violations;
}

std::vector<Violation> CheckSizes(const SourceTree& tree, std::string_view ratchet) {
  std::vector<Violation> violations;
  std::map<std::string, int> allowed = ParseRatchet(ratchet);
  for (const SourceFile& file : tree) {
    if (!IsCode(file.path)) {
      continue;
    }
    const auto lines = static_cast<int>(std::count(file.text.begin(), file.text.end(), '\n'));
    const auto exception = allowed.find(file.path);
    const int most = exception == allowed.end() ? kMostLines : exception->second;
    if (lines > most) {
      violations.push_back(
          {file.path, lines, fmt::format("{} lines, at most {} are allowed", lines, most)});
    }
    if (exception != allowed.end() && lines > kMostLines) {
      allowed.erase(exception);
    }
  }
  for (const auto& [path, lines] : allowed) {
    violations.push_back({path, 0, "no longer needs its place in size_ratchet.txt"});
  }
  return violations;
}

std::vector<Violation> CheckPhrases(const SourceTree& tree) {
  struct Phrase {
    std::string_view found;
    std::string_view better;
  };
  constexpr Phrase kPhrases[] = {
      {"telemetry that lies", "telemetry stored"},
      {"put together again", "reassembled"},
      {"new files for ever", "continuously"},
      {"it cares that", "priorities"},
      {"to be had", "available, or supported"},
      {"outermost map", "top level"},
      {"says it otherwise", "default: from the configuration"},
      {"everything else went well", "if any data was skipped"},
      {"it would fail again", "permanent error"},
      {"for the pipeline's sake", "the pipeline refused them"},
      {"a pattern that is none", "an invalid pattern"},
      {"Ticks of timers", "timer ticks"},
      {"token of the node", "batches this node originated"},
      {"their place wrote too many", "rate limiting"},
      {"cores of pipelines that do not name theirs", "cores per pipeline"},
      {"on 1 cores", "on 1 core"},
  };
  std::vector<Violation> violations;
  for (const SourceFile& file : tree) {
    const bool is_source = file.path.ends_with(".cc") || file.path.ends_with(".h");
    if (file.path.starts_with("tests/")) {
      continue;
    }
    ForEachLine(file.text, [&](int number, std::string_view line) {
      const size_t begin = std::min(line.find_first_not_of(' '), line.size());
      if (is_source && line.substr(begin).starts_with("//")) {
        return;
      }
      for (const Phrase& phrase : kPhrases) {
        const auto at = std::search(line.begin(), line.end(), phrase.found.begin(),
                                    phrase.found.end(), [](char a, char b) {
                                      return std::tolower(static_cast<unsigned char>(a)) ==
                                             std::tolower(static_cast<unsigned char>(b));
                                    });
        if (at != line.end()) {
          violations.push_back(
              {file.path, number,
               fmt::format("'{}' is hard to read, as in '{}'", phrase.found, phrase.better)});
        }
      }
    });
  }
  return violations;
}

std::vector<Violation> CheckMarkers(const SourceTree& tree) {
  // Written in two halves, so that this file does not report itself.
  constexpr std::string_view kMarkers[] = {
      "TO"
      "DO",
      "FIX"
      "ME",
      "XX"
      "X"};
  std::vector<Violation> violations;
  for (const SourceFile& file : tree) {
    if (file.path.ends_with(".md") || file.path.ends_with(".json")) {
      continue;
    }
    ForEachLine(file.text, [&](int number, std::string_view line) {
      for (const std::string_view marker : kMarkers) {
        if (ContainsWord(line, marker)) {
          violations.push_back({file.path, number, fmt::format("{} left in the tree", marker)});
        }
      }
    });
  }
  return violations;
}

std::vector<Violation> CheckReferenced(const SourceTree& tree) {
  std::map<std::string, const SourceFile*> lists;
  for (const SourceFile& file : tree) {
    constexpr std::string_view kName = "/CMakeLists.txt";
    if (file.path.ends_with(kName)) {
      lists[file.path.substr(0, file.path.size() - kName.size())] = &file;
    }
  }
  const std::set<std::string> included = IncludedHeaders(tree);
  std::vector<Violation> violations;
  for (const SourceFile& file : tree) {
    if (!IsUnderCodeFolder(file.path)) {
      continue;
    }
    if (file.path.ends_with(".cc") && !IsListed(file.path, lists)) {
      violations.push_back({file.path, 0, "no CMakeLists.txt names it"});
    }
    if (file.path.ends_with(".h") && !IsIncluded(file.path, included)) {
      violations.push_back({file.path, 0, "nobody includes it"});
    }
  }
  return violations;
}

std::vector<Violation> CheckLinks(const SourceTree& tree,
                                  const std::function<bool(const std::string& path)>& exists) {
  std::vector<Violation> violations;
  for (const SourceFile& file : tree) {
    if (!file.path.ends_with(".md")) {
      continue;
    }
    const std::filesystem::path folder = std::filesystem::path(file.path).parent_path();
    ForEachLine(file.text, [&](int number, std::string_view line) {
      for (std::string link : LinksOf(line)) {
        link = link.substr(0, link.find('#'));
        if (link.empty() || link.find("://") != std::string::npos) {
          continue;
        }
        const std::string target = (folder / link).lexically_normal().generic_string();
        if (!exists(target)) {
          violations.push_back(
              {file.path, number, fmt::format("link to {}, which is not there", target)});
        }
      }
    });
  }
  return violations;
}

}  // namespace df::layers
