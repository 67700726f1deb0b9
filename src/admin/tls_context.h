// The server's side of TLS.
#pragma once

#include <memory>

#include "base/error.h"
#include "config/engine_settings.h"
#include "runtime/tls.h"

namespace df::admin {

/// Returns TLS with the settings' certificate and key, or null when they name none. With a client
/// CA a client has to show a certificate of it.
/// Errors: kind config when the settings name some of what belongs together; those of
/// TlsContext::MakeServer.
Result<std::shared_ptr<const runtime::TlsContext>> MakeTlsContext(
    const config::AdminSettings& settings);

}  // namespace df::admin
