#include "nodes/exporters/file/request_tail.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include <fmt/format.h>

#include "base/durable_file.h"

namespace df::nodes::exporters::file {
namespace {

constexpr int64_t kHeadBytes = 4;
constexpr int kMaxVarintBytes = 10;
constexpr uint8_t kFirstTag = 0x0A;  // field 1, which every request begins with
constexpr std::array<std::string_view, 3> kLineBegins = {
    R"({"resourceLogs":)", R"({"resourceSpans":)", R"({"resourceMetrics":)"};
constexpr size_t kLongestBegin = 19;

/// A file seen through one block that moves.
class BlockReader {
 public:
  BlockReader(FileCalls* calls, int descriptor, std::string path, int64_t size_bytes)
      : calls_(calls), descriptor_(descriptor), path_(std::move(path)), size_bytes_(size_bytes) {}

  int64_t size_bytes() const { return size_bytes_; }

  /// Needs an offset inside the file.
  Result<uint8_t> Byte(int64_t offset) {
    if (offset < begin_ || offset >= begin_ + num_bytes_) {
      ARROW_RETURN_NOT_OK(Load(offset / kBlockBytes * kBlockBytes));
    }
    return static_cast<uint8_t>(block_[static_cast<size_t>(offset - begin_)]);
  }

 private:
  static constexpr int64_t kBlockBytes = 16 << 10;

  Status Load(int64_t offset) {
    begin_ = offset;
    num_bytes_ = 0;
    const int64_t wanted = std::min(kBlockBytes, size_bytes_ - offset);
    while (num_bytes_ < wanted) {
      const int64_t read =
          calls_->ReadAt(descriptor_, block_.data() + num_bytes_,
                         static_cast<size_t>(wanted - num_bytes_), offset + num_bytes_);
      if (read <= 0 && read != -EINTR) {
        return FileError(path_, "cannot read", read < 0 ? static_cast<int>(read) : EIO);
      }
      num_bytes_ += std::max<int64_t>(read, 0);
    }
    return Status::OK();
  }

  FileCalls* calls_;
  int descriptor_;
  std::string path_;
  int64_t size_bytes_;
  int64_t begin_ = 0;
  int64_t num_bytes_ = 0;
  std::array<char, kBlockBytes> block_{};
};

Status NotOurs(const std::string& path, int64_t offset, std::string_view what) {
  return Status::Invalid(fmt::format(
      "'{}': found {} at offset {}, expected requests that were written by this format, "
      "the last of them perhaps cut off; nothing is written to it",
      path, what, offset));
}

enum class Frame : uint8_t { kWhole, kCutOff, kMalformed };

struct FrameFinding {
  Frame frame;
  int64_t stopped_at;
};

/// Reads a varint before `end`. Returns nothing when it does not end there.
Result<std::optional<uint64_t>> ReadVarint(BlockReader* file, int64_t* at, int64_t end) {
  uint64_t value = 0;
  for (int i = 0; i < kMaxVarintBytes && *at < end; ++i) {
    ARROW_ASSIGN_OR_RAISE(const uint8_t byte, file->Byte((*at)++));
    value |= static_cast<uint64_t>(byte & 0x7FU) << (7 * static_cast<unsigned>(i));
    if (byte < 0x80U) {
      return value;
    }
  }
  return std::nullopt;
}

/// Follows the fields of a request of protobuf from `begin` to `end`, which may be behind the end
/// of the file.
Result<FrameFinding> FollowFields(BlockReader* file, int64_t begin, int64_t end) {
  const int64_t limit = std::min(end, file->size_bytes());
  const bool is_there = limit == end;
  int64_t at = begin;
  while (at < limit) {
    const int64_t field = at;
    const Frame unfinished =
        is_there || limit - field > kMaxVarintBytes * 2 ? Frame::kMalformed : Frame::kCutOff;
    ARROW_ASSIGN_OR_RAISE(const std::optional<uint64_t> tag, ReadVarint(file, &at, limit));
    if (!tag.has_value()) {
      return FrameFinding{unfinished, field};
    }
    std::optional<uint64_t> size;
    switch (*tag & 7U) {
      case 0: {
        ARROW_ASSIGN_OR_RAISE(size, ReadVarint(file, &at, limit));
        if (size.has_value()) {
          size = 0;
        }
        break;
      }
      case 1:
        size = 8;
        break;
      case 2: {
        ARROW_ASSIGN_OR_RAISE(size, ReadVarint(file, &at, limit));
        break;
      }
      case 5:
        size = 4;
        break;
      default:
        return FrameFinding{Frame::kMalformed, field};
    }
    if (!size.has_value()) {
      return FrameFinding{unfinished, field};
    }
    if (*tag < 8 || *size > static_cast<uint64_t>(end - at)) {
      return FrameFinding{Frame::kMalformed, field};
    }
    at += static_cast<int64_t>(*size);
  }
  return FrameFinding{is_there ? Frame::kWhole : Frame::kCutOff, std::min(at, limit)};
}

Result<bool> IsZeroFrom(BlockReader* file, int64_t offset) {
  for (int64_t at = offset; at < file->size_bytes(); ++at) {
    ARROW_ASSIGN_OR_RAISE(const uint8_t byte, file->Byte(at));
    if (byte != 0) {
      return false;
    }
  }
  return true;
}

Result<RequestTail> FindFrameTail(BlockReader* file, const std::string& path) {
  const int64_t size = file->size_bytes();
  int64_t at = 0;
  while (at < size) {
    int64_t length = 0;
    const int64_t num_head = std::min(kHeadBytes, size - at);
    for (int64_t i = 0; i < num_head; ++i) {
      ARROW_ASSIGN_OR_RAISE(const uint8_t byte, file->Byte(at + i));
      if (num_head < kHeadBytes && i == 0 && byte != 0) {
        return NotOurs(path, at, "no length of a request");
      }
      length = length << 8U | byte;
    }
    if (num_head < kHeadBytes) {
      return RequestTail{at};
    }
    const int64_t end = at + kHeadBytes + length;
    ARROW_ASSIGN_OR_RAISE(const FrameFinding found, FollowFields(file, at + kHeadBytes, end));
    if (found.frame == Frame::kMalformed) {
      // Where the machine has ended, zeros may stand for bytes that did not get to the disk.
      ARROW_ASSIGN_OR_RAISE(const bool is_hole, IsZeroFrom(file, found.stopped_at));
      if (at == 0 || !is_hole) {
        return NotOurs(path, found.stopped_at, "bytes that are no field of a request");
      }
    }
    if (found.frame != Frame::kWhole) {
      // A length alone could be any four bytes.
      const bool has_body = size > at + kHeadBytes;
      ARROW_ASSIGN_OR_RAISE(const uint8_t first, file->Byte(has_body ? at + kHeadBytes : at));
      if (found.frame == Frame::kCutOff && first != (has_body ? kFirstTag : 0)) {
        return NotOurs(path, at, "no request");
      }
      return RequestTail{at};
    }
    at = end;
  }
  return RequestTail{at};
}

/// What stands in a line, read from front to back.
class LineCheck {
 public:
  void Add(uint8_t byte) {
    if (recent_.size() == kLongestBegin) {
      recent_.erase(0, 1);
    }
    recent_ += static_cast<char>(byte);
    if (first_.size() < kLongestBegin) {
      first_ += static_cast<char>(byte);
    }
    for (const std::string_view begin : kLineBegins) {
      has_second_ = has_second_ || (num_bytes_ >= static_cast<int64_t>(begin.size()) &&
                                    std::string_view(recent_).ends_with(begin));
    }
    Follow(byte);
    ++num_bytes_;
    is_zero_ = is_zero_ && byte == 0;
  }

  /// Whether it is a request, or the beginning of one.
  bool begins_as_request() const {
    return std::any_of(kLineBegins.begin(), kLineBegins.end(), [this](std::string_view begin) {
      return begin.starts_with(first_) || first_.starts_with(begin);
    });
  }
  /// Whether it is one object, and nothing but it.
  bool is_whole() const { return begins_as_request() && is_valid_ && depth_ == 0; }
  /// Whether another request begins inside of it.
  bool has_second() const { return has_second_; }
  bool is_zero() const { return is_zero_; }

 private:
  void Follow(uint8_t byte) {
    if (byte < 0x20U && byte != '\t' && byte != '\r') {
      is_valid_ = false;
    } else if (is_in_text_) {
      is_in_text_ = is_escaped_ || byte != '"';
      is_escaped_ = !is_escaped_ && byte == '\\';
    } else if (byte == '"') {
      is_in_text_ = true;
      is_valid_ = is_valid_ && depth_ > 0;
    } else if (byte == '{' || byte == '[') {
      is_valid_ = is_valid_ && (depth_ > 0 || num_bytes_ == 0);
      ++depth_;
    } else if (byte == '}' || byte == ']') {
      is_valid_ = is_valid_ && depth_ > 0;
      --depth_;
    } else {
      // Numbers, true, false, null, and what stands between values.
      constexpr std::string_view kBetween = "0123456789+-.eEtrufalsn:, \t\r";
      is_valid_ = is_valid_ && kBetween.find(static_cast<char>(byte)) != std::string_view::npos;
    }
  }

  std::string first_;
  std::string recent_;
  int64_t num_bytes_ = 0;
  bool has_second_ = false;
  bool is_zero_ = true;
  bool is_valid_ = true;
  bool is_in_text_ = false;
  bool is_escaped_ = false;
  int64_t depth_ = 0;
};

Result<LineCheck> CheckLine(BlockReader* file, int64_t begin, int64_t end) {
  LineCheck check;
  for (int64_t at = begin; at < end; ++at) {
    ARROW_ASSIGN_OR_RAISE(const uint8_t byte, file->Byte(at));
    check.Add(byte);
  }
  return check;
}

/// Where the line begins that ends before `end`.
Result<int64_t> LineBegin(BlockReader* file, int64_t end) {
  for (int64_t at = end; at > 0; --at) {
    ARROW_ASSIGN_OR_RAISE(const uint8_t byte, file->Byte(at - 1));
    if (byte == '\n') {
      return at;
    }
  }
  return 0;
}

Result<RequestTail> FindLineTail(BlockReader* file, const std::string& path) {
  const int64_t size = file->size_bytes();
  if (size == 0) {
    return RequestTail{};
  }
  ARROW_ASSIGN_OR_RAISE(const LineCheck first,
                        CheckLine(file, 0, std::min<int64_t>(size, kLongestBegin)));
  if (!first.begins_as_request()) {
    return NotOurs(path, 0, "no beginning of a request");
  }
  ARROW_ASSIGN_OR_RAISE(const uint8_t last, file->Byte(size - 1));
  const bool has_newline = last == '\n';
  const int64_t end = has_newline ? size - 1 : size;
  ARROW_ASSIGN_OR_RAISE(const int64_t begin, LineBegin(file, end));
  if (begin == end) {
    return RequestTail{size};  // an empty line
  }
  ARROW_ASSIGN_OR_RAISE(const LineCheck line, CheckLine(file, begin, end));
  if (line.is_whole()) {
    return RequestTail{size, !has_newline};
  }
  if (line.has_second()) {
    return NotOurs(path, begin, "a line with an unfinished request in front of another");
  }
  if (!line.begins_as_request() && !line.is_zero()) {
    return NotOurs(path, begin, "a line that is no request");
  }
  return RequestTail{begin};
}

}  // namespace

Result<RequestTail> FindRequestTail(FileCalls* calls, int descriptor, const std::string& path,
                                    int64_t size_bytes, Format format) {
  BlockReader file(calls, descriptor, path, size_bytes);
  return format == Format::kOtlpProto ? FindFrameTail(&file, path) : FindLineTail(&file, path);
}

}  // namespace df::nodes::exporters::file
