// Certificates for tests of encrypted connections.
#pragma once

#include <string>

namespace df::testing {

/// A certificate that signs itself, good for an hour, and its key, both as PEM.
struct TlsIdentity {
  std::string cert_pem;
  std::string key_pem;
};

/// `host` is a name or an IP address.
TlsIdentity MakeTlsIdentity(const std::string& host);

}  // namespace df::testing
