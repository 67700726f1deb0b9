// Puts the checksum of a footer into a Parquet file as it is written.
#pragma once

#include <memory>
#include <string>

#include <arrow/io/interfaces.h>

namespace df::lake {

/// Passes everything on, up to HoldBack; what comes then, the footer at its end, goes on with
/// Release. Calls: from one thread.
class ChecksumStream final : public arrow::io::OutputStream {
 public:
  explicit ChecksumStream(std::shared_ptr<arrow::io::OutputStream> sink) : sink_(std::move(sink)) {}

  /// Keeps what is written from now on: page indexes, Bloom filters and the footer.
  void HoldBack() { holds_back_ = true; }
  /// Writes it with the checksum in its place. Errors: Invalid where it does not end with a footer
  /// that has a place for one; those of the sink.
  arrow::Status Release();

  arrow::Status Write(const void* data, int64_t size) override;
  arrow::Status Write(const std::shared_ptr<arrow::Buffer>& data) override;
  arrow::Status Flush() override { return holds_back_ ? arrow::Status::OK() : sink_->Flush(); }
  arrow::Status Close() override { return sink_->Close(); }
  arrow::Result<int64_t> Tell() const override;
  bool closed() const override { return sink_->closed(); }

 private:
  std::shared_ptr<arrow::io::OutputStream> sink_;
  bool holds_back_ = false;
  std::string held_back_;
};

}  // namespace df::lake
