#include <cstdio>
#include <memory>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "admin/server_fixture.h"

namespace df::admin {
namespace {

using ::testing::HasSubstr;

/// A certificate and its key, in files.
struct Identity {
  std::string cert_file;
  std::string key_file;
};

/// Makes a certificate that signs itself, for 127.0.0.1.
Identity MakeIdentity(const std::filesystem::path& folder, const std::string& name) {
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_EC_gen("P-256"), EVP_PKEY_free);
  const std::unique_ptr<X509, decltype(&X509_free)> cert(X509_new(), X509_free);
  X509_set_version(cert.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(cert.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(cert.get()), -60);
  X509_gmtime_adj(X509_getm_notAfter(cert.get()), 3600);
  X509_set_pubkey(cert.get(), key.get());
  X509_NAME* subject = X509_get_subject_name(cert.get());
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                             reinterpret_cast<const uint8_t*>(name.c_str()), -1, -1, 0);
  X509_set_issuer_name(cert.get(), subject);
  X509_EXTENSION* is_ca =
      X509V3_EXT_conf_nid(nullptr, nullptr, NID_basic_constraints, "critical,CA:TRUE");
  X509_add_ext(cert.get(), is_ca, -1);
  X509_EXTENSION_free(is_ca);
  X509_sign(cert.get(), key.get(), EVP_sha256());
  const Identity identity = {.cert_file = folder / (name + ".crt"),
                             .key_file = folder / (name + ".key")};
  FILE* file = std::fopen(identity.cert_file.c_str(), "w");
  PEM_write_X509(file, cert.get());
  std::fclose(file);
  file = std::fopen(identity.key_file.c_str(), "w");
  PEM_write_PrivateKey(file, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  std::fclose(file);
  return identity;
}

class TlsTest : public ServerTest {
 protected:
  void SetUp() override {
    server_identity_ = MakeIdentity(folder_, "server");
    settings_.tls_cert_file = server_identity_.cert_file;
    settings_.tls_key_file = server_identity_.key_file;
  }
  std::string StartError() {
    const auto server = AdminServer::Start(settings_, &control_);
    return server.ok() ? "" : server.status().message();
  }
  Identity server_identity_;
};

TEST_F(TlsTest, RequestsTravelEncrypted) {
  Start();
  TestClient client(server_->port(), ClientTls{.ca_file = server_identity_.cert_file});
  ASSERT_TRUE(client.has_tls());
  EXPECT_EQ(client.Ask("GET", "/api/v1/status").status, 200);
  EXPECT_EQ(client.Ask("PUT", kPipeline, {{"Content-Type", "application/json"}}, "{}").status, 202);
  EXPECT_EQ(client.Ask("GET", "/api/v1/livez", {{"Connection", "close"}}).status, 200);
  EXPECT_TRUE(client.IsClosed());
}

TEST_F(TlsTest, PlainRequestsAreNotAnswered) {
  Start();
  EXPECT_EQ(Ask("GET", "/api/v1/livez").status, 0);
  EXPECT_TRUE(
      TestClient(server_->port(), ClientTls{.ca_file = server_identity_.cert_file}).has_tls());
}

TEST_F(TlsTest, AHandshakeThatDoesNotComeIsNotWaitedForLong) {
  settings_.request_timeout = std::chrono::milliseconds(50);
  Start();
  TestClient client(server_->port());
  EXPECT_TRUE(client.IsClosed());
}

TEST_F(TlsTest, SlowRequestsAreToldSo) {
  settings_.request_timeout = std::chrono::milliseconds(200);
  Start();
  TestClient client(server_->port(), ClientTls{.ca_file = server_identity_.cert_file});
  ASSERT_TRUE(client.Send("GET /api/v1/livez HTTP/1.1\r\nHo"));
  EXPECT_EQ(client.Receive().status, 408);
}

TEST_F(TlsTest, ClientsShowACertificateOfTheCaWhereOneIsSet) {
  const Identity known = MakeIdentity(folder_, "known");
  const Identity stranger = MakeIdentity(folder_, "stranger");
  settings_.tls_client_ca_file = known.cert_file;
  Start();
  const auto status_with = [this](const Identity& identity) {
    TestClient client(server_->port(), ClientTls{.ca_file = server_identity_.cert_file,
                                                 .cert_file = identity.cert_file,
                                                 .key_file = identity.key_file});
    return client.Ask("GET", "/api/v1/status").status;
  };
  EXPECT_EQ(status_with(known), 200);
  EXPECT_EQ(status_with(stranger), 0);
  EXPECT_EQ(status_with({}), 0);
}

TEST_F(TlsTest, WhatCannotBeLoadedIsNamed) {
  settings_.tls_key_file = MakeIdentity(folder_, "other").key_file;
  EXPECT_THAT(StartError(), HasSubstr("other.key"));
  settings_.tls_key_file = "";
  EXPECT_THAT(StartError(), HasSubstr("both a certificate and a key"));
  settings_.tls_key_file = server_identity_.key_file;
  settings_.tls_cert_file = "/nowhere.crt";
  EXPECT_THAT(StartError(), HasSubstr("certificate of file '/nowhere.crt'"));
  settings_.tls_cert_file = File("bad.crt", "no certificate");
  EXPECT_THAT(StartError(), HasSubstr("bad.crt"));
  settings_.tls_cert_file = server_identity_.cert_file;
  settings_.tls_client_ca_file = "/nowhere.ca";
  EXPECT_THAT(StartError(), HasSubstr("CA of file '/nowhere.ca'"));
  settings_.tls_cert_file = "";
  settings_.tls_key_file = "";
  EXPECT_THAT(StartError(), HasSubstr("CA for clients"));
}

}  // namespace
}  // namespace df::admin
