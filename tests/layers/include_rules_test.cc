#include "layers/include_rules.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace df::layers {
namespace {

using ::testing::HasSubstr;

constexpr const char* kLayers =
    "base:\nruntime: base\notap: base\nengine: runtime otap base\nnodes: engine otap base\n"
    "admin: base\ntesting: otap base\nlake/format: base\nlake/read: lake/format base\n";

std::vector<Violation> Check(const std::string& path, const std::string& text) {
  return CheckIncludes({{path, text}}, LayerMap::Parse(kLayers).ValueOrDie());
}

void ExpectFine(const std::string& path, const std::string& text) {
  EXPECT_EQ(Render(Check(path, text)), "");
}

void ExpectRefused(const std::string& path, const std::string& text, int line,
                   const std::string& message) {
  const std::vector<Violation> violations = Check(path, text);
  ASSERT_EQ(violations.size(), 1U) << Render(violations);
  EXPECT_EQ(violations[0].path, path);
  EXPECT_EQ(violations[0].line, line);
  EXPECT_THAT(violations[0].message, HasSubstr(message));
}

TEST(CheckIncludes, AcceptsTheEdgesOfTheMap) {
  ExpectFine("src/otap/batch.cc",
             "#include \"otap/batch.h\"\n#include \"base/error.h\"\n#include <vector>\n");
}

TEST(CheckIncludes, RefusesAnEdgeUpwardsWithItsLine) {
  ExpectRefused("src/otap/batch.cc", "\n#include \"engine/node.h\"\n", 2,
                "layer 'otap' may not include layer 'engine'");
}

TEST(CheckIncludes, KnowsTheRoomsOfAFolder) {
  ExpectFine("src/lake/read/a.cc", "#include \"lake/format/b.h\"\n#include \"lake/read/a.h\"\n");
  ExpectRefused("src/lake/format/b.cc", "#include \"lake/read/a.h\"\n", 1,
                "layer 'lake/format' may not include layer 'lake/read'");
  ExpectRefused("src/lake/a.cc", "", 0, "no layer");
}

TEST(CheckIncludes, SeesSpacesAroundTheWord) {
  ExpectRefused("src/base/a.h", "  #  include  \"otap/batch.h\"\n", 1,
                "may not include layer 'otap'");
}

TEST(CheckIncludes, LeavesCommentsAlone) {
  ExpectFine("src/base/a.h", "// #include \"otap/batch.h\"\n/// `#include \"otap/batch.h\"`\n");
}

TEST(CheckIncludes, RefusesPathsThatDoNotStartWithALayer) {
  ExpectRefused("src/otap/batch.cc", "#include \"batch.h\"\n", 1, "does not start with a layer");
  ExpectRefused("src/otap/batch.cc", "#include \"../base/error.h\"\n", 1,
                "does not start with a layer");
}

TEST(CheckIncludes, RefusesAFolderThatIsNoLayer) {
  ExpectRefused("src/misc/a.cc", "#include \"base/error.h\"\n", 0, "no layer");
}

TEST(CheckIncludes, RefusesANodeInAnotherNode) {
  ExpectRefused("src/nodes/processors/debug/debug.cc", "#include \"nodes/exporters/noop/noop.h\"\n",
                1, "never includes another node");
  ExpectRefused("src/nodes/processors/debug/debug_test.cc",
                "#include \"nodes/processors/batch/batch.h\"\n", 1, "never includes another node");
  ExpectFine("src/nodes/processors/debug/debug.cc",
             "#include \"nodes/processors/debug/debug.h\"\n");
}

TEST(CheckIncludes, LetsTestsOnlyIncludeTesting) {
  ExpectRefused("src/otap/batch.cc", "#include \"testing/cell.h\"\n", 1,
                "only tests include testing/");
  ExpectFine("src/otap/batch_test.cc", "#include \"testing/cell.h\"\n");
  ExpectFine("src/testing/cell.cc", "#include \"testing/cell.h\"\n");
}

TEST(CheckIncludes, KeepsAsioInTheLoop) {
  ExpectRefused("src/engine/loop.cc", "#include <boost/asio/io_context.hpp>\n", 1, "Boost.Asio");
  ExpectRefused("src/nodes/receivers/otlp/otlp.h", "#include <boost/beast/http.hpp>\n", 1,
                "Boost.Asio");
  ExpectFine("src/runtime/loop.cc", "#include <boost/asio/io_context.hpp>\n");
  ExpectRefused("src/admin/server.cc", "#include <boost/beast/http.hpp>\n", 1, "Boost.Asio");
  ExpectFine("src/engine/map.cc", "#include <boost/container/flat_map.hpp>\n");
}

TEST(CheckIncludes, RefusesSourceFiles) {
  ExpectRefused("src/otap/batch_test.cc", "#include \"otap/batch.cc\"\n", 1, "never included");
}

TEST(CheckIncludes, LooksAtSourcesOnly) {
  ExpectFine("tests/e2e/replay_test.cc",
             "#include \"engine/node.h\"\n#include \"testing/cell.h\"\n");
  ExpectFine("src/nodes/README.md", "#include \"app/main.h\"\n");
}

}  // namespace
}  // namespace df::layers
