// Between nghttp2 and a connection. Included by runtime sources only.
#pragma once

#include <nghttp2/nghttp2.h>

namespace df::runtime::http2 {

class Connection;

/// Makes a session that tells `connection` (borrowed) what comes; null without memory.
nghttp2_session* MakeNghttp2Session(Connection* connection, bool is_server,
                                    const nghttp2_option* option);

/// What sends the bytes that were written to a stream.
nghttp2_data_provider BodyProvider();

}  // namespace df::runtime::http2
