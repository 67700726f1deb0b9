#include "base/error.h"

#include <algorithm>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"

namespace df {
namespace {

constexpr char kTypeId[] = "df::ErrorDetail";

class ErrorDetail : public arrow::StatusDetail {
 public:
  ErrorDetail(ErrorKind kind, bool retryable) : kind_(kind), retryable_(retryable) {}
  const char* type_id() const override { return kTypeId; }
  std::string ToString() const override { return fmt::format("kind={}", Name(kind_)); }
  ErrorKind kind() const { return kind_; }
  bool retryable() const { return retryable_; }

 private:
  ErrorKind kind_;
  bool retryable_;
};

const ErrorDetail* FindDetail(const Status& status) {
  const auto& detail = status.detail();
  if (detail == nullptr || std::string_view(detail->type_id()) != kTypeId) {
    return nullptr;
  }
  return static_cast<const ErrorDetail*>(detail.get());
}

arrow::StatusCode CodeOf(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kIo:
    case ErrorKind::kFileDiscovery:
    case ErrorKind::kMissingFile:
      return arrow::StatusCode::IOError;
    default:
      return arrow::StatusCode::Invalid;
  }
}

/// What the system gave as the cause of a status of Arrow: "Permission denied".
std::string CauseOf(const Status& status) {
  if (status.detail() == nullptr || FindDetail(status) != nullptr) {
    return "";
  }
  std::string text = status.detail()->ToString();
  if (text.starts_with("[errno ") && text.find("] ") != std::string::npos) {
    text.erase(0, text.find("] ") + 2);
  }
  return text;
}

/// Takes a quoted path out that the location names anyhow.
std::string WithoutPath(std::string message, std::string_view file) {
  const size_t at = file.empty() ? std::string::npos : message.find(file);
  if (at == std::string::npos) {
    return message;
  }
  const size_t open = message.rfind('\'', at);
  const size_t end = at + file.size();
  if (open != std::string::npos && end < message.size() && message[end] == '\'') {
    const size_t begin = open > 0 && message[open - 1] == ' ' ? open - 1 : open;
    message.erase(begin, end + 1 - begin);
  }
  return message;
}

}  // namespace

std::string Location::ToString() const {
  std::string text;
  auto append = [&text](std::string_view key, std::string_view value) {
    if (!value.empty()) {
      text += fmt::format("{}{}={}", text.empty() ? "" : " ", key, value);
    }
  };
  append("partition", PrintableText(partition));
  append("table", table);
  append("file", PrintableText(file));
  if (row_group >= 0) {
    append("row_group", std::to_string(row_group));
  }
  return text;
}

Status MakeError(ErrorKind kind, std::string message, const Location& location, bool retryable) {
  // One line each: the messages of libraries have several. Those of a document have one a problem.
  for (size_t at = kind == ErrorKind::kConfig ? std::string::npos : message.find_first_of("\r\n");
       at != std::string::npos; at = message.find_first_of("\r\n", at)) {
    const size_t end = std::min(message.find_first_not_of("\r\n\t ", at), message.size());
    message.replace(at, end - at, end == message.size() ? "" : " ");
  }
  const std::string where = location.ToString();
  if (!where.empty()) {
    message += fmt::format(" [{}]", where);
  }
  return Status(CodeOf(kind), std::move(message), std::make_shared<ErrorDetail>(kind, retryable));
}

ErrorKind KindOf(const Status& status) {
  if (const ErrorDetail* detail = FindDetail(status)) {
    return detail->kind();
  }
  return status.IsIOError() ? ErrorKind::kIo : ErrorKind::kArrow;
}

bool IsRetryable(const Status& status) {
  if (const ErrorDetail* detail = FindDetail(status)) {
    return detail->retryable();
  }
  return status.IsIOError();
}

bool IsPermanent(const Status& status) {
  const ErrorDetail* detail = FindDetail(status);
  return detail != nullptr && !detail->retryable();
}

Status WithContext(const Status& status, ErrorKind kind, const Location& location, bool retryable) {
  if (status.ok() || FindDetail(status) != nullptr) {
    return status;
  }
  std::string message = WithoutPath(status.message(), location.file);
  if (const std::string cause = CauseOf(status); !cause.empty()) {
    message += ": " + cause;
  }
  return MakeError(kind, std::move(message), location, retryable);
}

}  // namespace df
