// Holds the OpenAPI document against the server that runs.
#include "admin/openapi.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "admin/routes.h"
#include "admin/server_fixture.h"
#include "admin/target.h"

namespace df::admin {
namespace {

using nlohmann::json;
using ::testing::IsEmpty;

bool IsOfType(const json& value, const std::string& type) {
  return (type == "object" && value.is_object()) || (type == "array" && value.is_array()) ||
         (type == "string" && value.is_string()) || (type == "boolean" && value.is_boolean()) ||
         (type == "integer" && value.is_number_integer()) ||
         (type == "number" && value.is_number()) || (type == "null" && value.is_null());
}

/// Checks the part of JSON Schema that the document uses.
class SchemaChecker {
 public:
  explicit SchemaChecker(const json& document) : document_(document) {}

  /// Returns what does not fit, each with its place.
  std::vector<std::string> Check(const json& schema, const json& value) const {
    std::vector<std::string> problems;
    Visit(schema, value, "", &problems);
    return problems;
  }

  const json& Resolve(const json& schema) const {
    return schema.contains("$ref")
               ? document_.at(json::json_pointer(schema["$ref"].get<std::string>().substr(1)))
               : schema;
  }

 private:
  void Visit(const json& reference, const json& value, const std::string& where,
             std::vector<std::string>* problems) const {
    const json& schema = Resolve(reference);
    if (schema.contains("anyOf")) {
      for (const json& choice : schema["anyOf"]) {
        if (Check(choice, value).empty()) {
          return;
        }
      }
      problems->push_back(where + ": none of anyOf");
    }
    if (schema.contains("type")) {
      const json types = schema["type"].is_array() ? schema["type"] : json::array({schema["type"]});
      bool is_one = false;
      for (const json& type : types) {
        is_one = is_one || IsOfType(value, type.get<std::string>());
      }
      if (!is_one) {
        problems->push_back(where + ": is not " + schema["type"].dump());
        return;
      }
    }
    if (schema.contains("enum")) {
      const json& known = schema["enum"];
      if (std::find(known.begin(), known.end(), value) == known.end()) {
        problems->push_back(where + ": is not one of the enum: " + value.dump());
      }
    }
    for (const json& name : schema.value("required", json::array())) {
      if (!value.contains(name.get<std::string>())) {
        problems->push_back(where + ": has no " + name.get<std::string>());
      }
    }
    if (value.is_object() && schema.contains("properties")) {
      for (const auto& [name, member] : value.items()) {
        if (schema["properties"].contains(name)) {
          Visit(schema["properties"][name], member, where + "." + name, problems);
        } else if (schema.value("additionalProperties", true) == false) {
          problems->push_back(where + "." + name + ": is not documented");
        }
      }
    }
    for (size_t i = 0; value.is_array() && schema.contains("items") && i < value.size(); ++i) {
      Visit(schema["items"], value[i], fmt::format("{}[{}]", where, i), problems);
    }
  }

  const json& document_;
};

std::string Upper(std::string text) {
  for (char& c : text) {
    c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  return text;
}

class OpenApiTest : public ServerTest {
 protected:
  void SetUp() override {
    Start();
    document_ = json::parse(OpenApiText());
  }

  /// Fills a path in; `names` tells the group, the pipeline and the operation.
  static std::string Fill(std::string path, const std::vector<std::string>& names) {
    for (const std::string& name : names) {
      const size_t open = path.find('{');
      if (open == std::string::npos) {
        break;
      }
      path.replace(open, path.find('}') - open + 1, name);
    }
    return path;
  }

  /// Holds one reply against what the document says of the operation.
  void ExpectDocumented(const json& operation, const ClientReply& reply, const std::string& what) {
    const std::string status = std::to_string(reply.status);
    ASSERT_TRUE(operation["responses"].contains(status)) << what << " gave " << status;
    const SchemaChecker checker(document_);
    const json& response = checker.Resolve(operation["responses"][status]);
    const std::string type = MediaTypeOf(reply.headers.at("content-type"));
    ASSERT_TRUE(response["content"].contains(type)) << what << " gave " << status << " as " << type;
    const json& media = response["content"][type];
    if (media.contains("schema")) {
      EXPECT_THAT(checker.Check(media["schema"], reply.json), IsEmpty())
          << what << " gave " << reply.body;
    }
    seen_.insert({operation["operationId"].get<std::string>(), reply.status});
  }

  ClientReply Send(const std::string& method, const std::string& target, const json& operation) {
    TestClient::Headers headers;
    std::string body;
    if (operation.contains("requestBody")) {
      headers.emplace_back("Content-Type", "application/json");
      body = R"({"level":"info"})";
    }
    return Ask(method, target, headers, body);
  }

  json document_;
  std::shared_ptr<engine::TapPoint> tap_point_ =
      engine::ProcessTaps().PointOf({"default", "main", "1"});
  std::set<std::pair<std::string, int>> seen_;
};

TEST_F(OpenApiTest, EveryOperationAnswersAsDocumented) {
  for (const auto& [path, operations] : document_["paths"].items()) {
    for (const auto& [lower_method, operation] : operations.items()) {
      const std::string method = Upper(lower_method);
      const std::string what = method + " " + path;
      control_.With([](FakeControlPlane::State* state) {
        state->is_draining = false;
        state->pipelines.resize(1);
        state->operation.id = 1;
      });
      for (const auto& names : std::vector<std::vector<std::string>>{
               {"default", "main", "1"}, {"default", "none", "1"}, {"a", "b", "x"}}) {
        ExpectDocumented(operation, Send(method, Fill(path, names), operation), what);
      }
      const std::string target = Fill(path, {"default", "main", "1"});
      ExpectDocumented(operation, Ask(method, target, {{"Host", "evil.example"}}), what);
      ExpectDocumented(operation, Send(method, target + "?unknown=1", operation), what);
      ExpectDocumented(operation, Ask(method, target, {{"Accept", "image/png"}}), what);
      ExpectDocumented(operation, Ask(method, target, {{"X", std::string(40'000, 'x')}}), what);
    }
  }
  for (const Route& route : Routes()) {
    const auto is_good = [&route](const auto& pair) {
      return pair.first == route.operation_id && pair.second < 300;
    };
    EXPECT_TRUE(std::any_of(seen_.begin(), seen_.end(), is_good))
        << route.operation_id << " was never seen to work";
  }
}

TEST_F(OpenApiTest, OperationsThatAreRefusedOrFailAnswerAsDocumented) {
  const std::string target = std::string(kPipeline);
  const json& put = document_["paths"]["/api/v1/groups/{group}/pipelines/{pipeline}"]["put"];
  const auto ask = [&](const std::string& query) {
    return Ask("PUT", target + query, {{"Content-Type", "application/yaml"}}, "a: b");
  };
  for (const Status& refusal :
       {Status::KeyError("k"), Status::AlreadyExists("a"), Status::Invalid("r:1:2: p: m\nline"),
        Status::Cancelled("c"), Status::UnknownError("u")}) {
    control_.With([&refusal](FakeControlPlane::State* state) { state->refusal = refusal; });
    ExpectDocumented(put, ask(""), refusal.ToString());
  }
  control_.With([](FakeControlPlane::State* state) {
    state->refusal = Status::OK();
    state->end = controller::OperationStatus::State::kRollbackFailed;
  });
  ExpectDocumented(put, ask("?wait=true"), "a rollout that fails");
  control_.With([](FakeControlPlane::State* state) { state->polls_to_end = -1; });
  ExpectDocumented(put, ask("?wait=true&timeout=1ms"), "a rollout that takes long");
  ExpectDocumented(put, Ask("PUT", target, {{"Content-Type", "text/plain"}}, "x"), "plain text");
}

TEST_F(OpenApiTest, MethodsThatAreNotDocumentedAreNotAllowed) {
  for (const auto& [path, operations] : document_["paths"].items()) {
    for (const std::string method : {"GET", "PUT", "POST", "DELETE", "PATCH", "OPTIONS", "TRACE"}) {
      std::string lower = method;
      std::transform(lower.begin(), lower.end(), lower.begin(),
                     [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
      if (!operations.contains(lower)) {
        EXPECT_EQ(Ask(method, Fill(path, {"default", "main", "1"})).status, 405)
            << method << " " << path;
      }
    }
    EXPECT_EQ(Ask("GET", Fill(path, {"default", "main", "1"}) + "/x").status, 404) << path;
  }
}

TEST_F(OpenApiTest, EveryReferenceLeadsSomewhereAndIdsDiffer) {
  std::set<std::string> ids;
  std::vector<const json*> open = {&document_};
  while (!open.empty()) {
    const json& value = *open.back();
    open.pop_back();
    if (value.is_object() && value.contains("$ref")) {
      const std::string reference = value["$ref"];
      EXPECT_TRUE(document_.contains(json::json_pointer(reference.substr(1)))) << reference;
    }
    for (const json& member : value) {
      if (member.is_structured()) {
        open.push_back(&member);
      }
    }
  }
  for (const Route& route : Routes()) {
    EXPECT_TRUE(ids.insert(std::string(route.operation_id)).second) << route.operation_id;
    EXPECT_FALSE(route.produces.empty()) << route.path;
  }
}

TEST_F(OpenApiTest, IsServedAndKeptInTheTree) {
  EXPECT_EQ(Ask("GET", "/api/v1/openapi.json").body, OpenApiText());
  const std::string path = OTAP_SOURCE_DIR "/docs/openapi.json";
  if (std::getenv("DF_UPDATE_OPENAPI") != nullptr) {
    std::ofstream(path) << OpenApiText();
  }
  std::ostringstream kept;
  kept << std::ifstream(path).rdbuf();
  EXPECT_EQ(kept.str(), OpenApiText())
      << "run this test with DF_UPDATE_OPENAPI=1 to write docs/openapi.json anew";
}

}  // namespace
}  // namespace df::admin
