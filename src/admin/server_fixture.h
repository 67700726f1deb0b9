// A server on a free port in front of a fake engine.
#pragma once

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "admin/admin_server.h"
#include "admin/fake_control_plane.h"
#include "admin/test_client.h"

namespace df::admin {

class ServerTest : public ::testing::Test {
 protected:
  static constexpr const char* kPipeline = "/api/v1/groups/default/pipelines/main";

  ServerTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "adminXXXXXX").string();
    folder_ = mkdtemp(pattern.data());
    settings_.bind_address = "127.0.0.1:0";
  }
  ~ServerTest() override {
    server_.reset();
    std::filesystem::remove_all(folder_);
  }

  void Start() {
    auto server = AdminServer::Start(settings_, &control_, options_);
    ASSERT_TRUE(server.ok()) << server.status().message();
    server_ = std::move(*server);
  }

  std::string File(const std::string& name, std::string_view text) {
    const std::string path = folder_ / name;
    std::ofstream(path) << text;
    return path;
  }

  ClientReply Ask(std::string_view method, std::string_view target,
                  const TestClient::Headers& headers = {}, std::string_view body = {}) {
    return AskOnce(server_->port(), method, target, headers, body);
  }

  std::filesystem::path folder_;
  config::AdminSettings settings_;
  AdminOptions options_{.version = "1.2.3"};
  FakeControlPlane control_;
  std::unique_ptr<AdminServer> server_;
};

}  // namespace df::admin
