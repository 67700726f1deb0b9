#include "runtime/http2/session_callbacks.h"

#include <memory>
#include <string>

#include "runtime/http2/connection.h"

namespace df::runtime::http2 {

struct SessionCallbacks {
  static Connection* From(void* user_data) { return static_cast<Connection*>(user_data); }

  static int OnBeginHeaders(nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
    Connection* connection = From(user_data);
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST) {
      return 0;
    }
    const int32_t id = frame->hd.stream_id;
    if (connection->is_going_) {
      nghttp2_submit_rst_stream(connection->session_, NGHTTP2_FLAG_NONE, id,
                                NGHTTP2_REFUSED_STREAM);
      return 0;
    }
    auto stream = std::make_shared<Stream>(connection->loop_, connection, id,
                                           connection->settings_.max_buffered_write_bytes);
    stream->peer_ = connection->peer_;
    connection->streams_.emplace(id, std::move(stream));
    connection->idle_timer_.Cancel();
    return 0;
  }

  static int OnHeader(nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name,
                      size_t name_size, const uint8_t* value, size_t value_size, uint8_t,
                      void* user_data) {
    Connection* connection = From(user_data);
    Stream* stream = connection->FindStream(frame->hd.stream_id);
    if (stream == nullptr) {
      return 0;
    }
    // An entry counts 32 bytes more than its texts, as RFC 9113 counts them.
    stream->block_bytes_ += static_cast<int64_t>(name_size + value_size + 32);
    if (stream->block_bytes_ > connection->settings_.max_header_bytes) {
      return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;  // resets the stream
    }
    stream->block_.push_back({std::string(reinterpret_cast<const char*>(name), name_size),
                              std::string(reinterpret_cast<const char*>(value), value_size)});
    return 0;
  }

  static int OnFrame(nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
    Connection* connection = From(user_data);
    Stream* stream = connection->FindStream(frame->hd.stream_id);
    switch (frame->hd.type) {
      case NGHTTP2_SETTINGS:
        if ((frame->hd.flags & NGHTTP2_FLAG_ACK) == 0 && !connection->is_ready_) {
          connection->is_ready_ = true;
          connection->StartTimers();
          if (connection->observer_ != nullptr) {
            connection->observer_->OnReady(connection);
          }
        }
        connection->has_changed_ = true;
        break;
      case NGHTTP2_GOAWAY:
        connection->is_going_ = true;
        connection->has_changed_ = true;
        break;
      case NGHTTP2_HEADERS:
        if (stream != nullptr) {
          OnHeadersEnd(connection, stream, *frame);
        }
        break;
      default:
        break;
    }
    const bool ends = (frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) &&
                      (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (stream != nullptr && ends) {
      stream->has_peer_ended_ = true;
      stream->changed_.NotifyAll();
    }
    return 0;
  }

  static void OnHeadersEnd(Connection* connection, Stream* stream, const nghttp2_frame& frame) {
    const bool is_trailer = stream->has_headers_;
    const std::string* status = Find(stream->block_, ":status");
    if (status != nullptr && status->starts_with('1') &&
        (frame.hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) {
      stream->block_.clear();  // the final headers come later
      stream->block_bytes_ = 0;
      return;
    }
    connection->OnBlockEnd(stream, is_trailer);
  }

  static int OnData(nghttp2_session* session, uint8_t, int32_t id, const uint8_t* bytes,
                    size_t size, void* user_data) {
    Stream* stream = From(user_data)->FindStream(id);
    if (stream == nullptr) {
      nghttp2_session_consume_connection(session, size);
      return 0;
    }
    const bool was_empty = stream->received_.empty();
    stream->received_.append(reinterpret_cast<const char*>(bytes), size);
    if (was_empty) {
      stream->changed_.NotifyAll();
    }
    return 0;
  }

  static int OnStreamClose(nghttp2_session*, int32_t id, uint32_t error_code, void* user_data) {
    From(user_data)->CloseStream(id, error_code);
    return 0;
  }

  static int OnFrameSent(nghttp2_session* session, const nghttp2_frame* frame, void* user_data) {
    Connection* connection = From(user_data);
    const bool ends = (frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) &&
                      (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (connection->side_ != Connection::Side::kServer || !ends) {
      return 0;
    }
    // The answer is complete: the peer need not send what is left of its request.
    const Stream* stream = connection->FindStream(frame->hd.stream_id);
    if (stream != nullptr && !stream->has_peer_ended_) {
      nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_NO_ERROR);
    }
    return 0;
  }

  static ssize_t OnReadBody(nghttp2_session*, int32_t id, uint8_t* out, size_t room,
                            uint32_t* flags, nghttp2_data_source*, void* user_data) {
    Connection* connection = From(user_data);
    Stream* stream = connection->FindStream(id);
    return stream == nullptr ? static_cast<ssize_t>(NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE)
                             : connection->ReadBody(stream, out, room, flags);
  }
};

nghttp2_session* MakeNghttp2Session(Connection* connection, bool is_server,
                                    const nghttp2_option* option) {
  nghttp2_session_callbacks* callbacks = nullptr;
  if (nghttp2_session_callbacks_new(&callbacks) != 0) {
    return nullptr;
  }
  nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks,
                                                          SessionCallbacks::OnBeginHeaders);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, SessionCallbacks::OnHeader);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, SessionCallbacks::OnFrame);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, SessionCallbacks::OnData);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks,
                                                         SessionCallbacks::OnStreamClose);
  nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, SessionCallbacks::OnFrameSent);
  nghttp2_session* session = nullptr;
  if (is_server) {
    nghttp2_session_server_new2(&session, callbacks, connection, option);
  } else {
    nghttp2_session_client_new2(&session, callbacks, connection, option);
  }
  nghttp2_session_callbacks_del(callbacks);
  return session;
}

nghttp2_data_provider BodyProvider() {
  nghttp2_data_provider provider{};
  provider.read_callback = SessionCallbacks::OnReadBody;
  return provider;
}

}  // namespace df::runtime::http2
