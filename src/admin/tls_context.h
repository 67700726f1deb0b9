// The server's side of TLS.
#pragma once

#include <memory>

#include <boost/asio/ssl/context.hpp>

#include "base/error.h"
#include "config/engine_settings.h"

namespace df::admin {

/// Returns a context for TLS 1.2 and newer with the settings' certificate and key, or null when
/// they name none. With a client CA a client has to show a certificate of it.
/// Errors: Invalid when the settings name some of what belongs together; IOError naming the file
/// and OpenSSL's reason.
Result<std::unique_ptr<boost::asio::ssl::context>> MakeTlsContext(
    const config::AdminSettings& settings);

}  // namespace df::admin
