#include "otlp/request_cutter.h"

#include <algorithm>

#include <protozero/varint.hpp>

#include "otlp/count_items.h"
#include "otlp/decode/proto_reader.h"
#include "otlp/metric_data.h"
#include "otlp/proto_writer.h"

namespace df::otlp {
namespace {

/// Tag and length of a message in front of its bytes.
int64_t HeadBytes(size_t message_bytes) {
  return 1 + static_cast<int64_t>(protozero::length_of_varint(message_bytes));
}

int64_t MessageBytes(size_t message_bytes) {
  return HeadBytes(message_bytes) + static_cast<int64_t>(message_bytes);
}

/// The head of a message that is not written yet: as long as lengths can be.
constexpr int64_t kMaxHeadBytes = 6;

/// Calls `visit` with every message of a field; all other fields are appended to `rest` as they
/// are. Returns false where the bytes are malformed, or `visit` does.
template <typename Visit>
bool Separate(std::string_view message, Field field, std::string* rest, const Visit& visit) {
  ProtoReader in(message);
  const uint32_t wanted = BytesTag(field);
  while (!in.at_end()) {
    const char* begin = in.position();
    uint32_t tag = 0;
    if (!in.ReadTag(&tag)) {
      return false;
    }
    if (tag == wanted) {
      std::string_view child;
      if (!in.ReadBytes(&child) || !visit(child)) {
        return false;
      }
    } else if (in.Skip(tag)) {
      rest->append(begin, in.position());
    } else {
      return false;
    }
  }
  return true;
}

}  // namespace

arrow::Result<RequestCutter> RequestCutter::Make(otap::Signal signal, std::string_view request) {
  RequestCutter cutter(signal, RequestFieldsOf(signal));
  if (!cutter.Read(request)) {
    ARROW_RETURN_NOT_OK(CountItems(signal, request));  // says where and what
    return arrow::Status::Invalid("found a malformed request");
  }
  return cutter;
}

bool RequestCutter::Read(std::string_view request) {
  return Separate(request, fields_.resources, &request_fields_,
                  [this](std::string_view resource) { return ReadResource(resource); });
}

bool RequestCutter::ReadResource(std::string_view resource) {
  const auto index = static_cast<uint32_t>(resources_.size());
  resources_.emplace_back();
  std::string fields;
  const size_t units_before = units_.size();
  const bool is_read = Separate(resource, fields_.scopes, &fields, [&](std::string_view scope) {
    scopes_.push_back({std::string(), index});
    return ReadScope(scope);
  });
  resources_[index].fields = std::move(fields);
  if (units_.size() == units_before) {
    units_.push_back({.frame = index, .level = Unit::Level::kResource});
  }
  return is_read;
}

bool RequestCutter::ReadScope(std::string_view scope) {
  const auto index = static_cast<uint32_t>(scopes_.size() - 1);
  const size_t units_before = units_.size();
  const bool is_read = Separate(scope, fields_.records, &scopes_[index].fields,
                                [this](std::string_view record) { return ReadRecord(record); });
  if (units_.size() == units_before) {
    units_.push_back({.frame = index, .level = Unit::Level::kScope});
  }
  return is_read;
}

bool RequestCutter::ReadRecord(std::string_view record) {
  Unit unit = {.record = record, .frame = static_cast<uint32_t>(scopes_.size() - 1)};
  unit.num_items = 1;
  if (signal_ == otap::Signal::kMetrics) {
    MetricData data;
    if (!ReadMetricData(record, &data)) {
      return false;
    }
    unit.num_items = data.num_points;
    unit.has_points = data.num_messages == 1 && data.num_points > 1;
  }
  units_.push_back(unit);
  return true;
}

uint32_t RequestCutter::ResourceOf(const Unit& unit) const {
  return unit.level == Unit::Level::kResource ? unit.frame : scopes_[unit.frame].parent;
}

/// Bytes of the frames that a unit opens behind another one.
int64_t RequestCutter::FrameBytes(const Unit& unit, const Unit* before) const {
  int64_t bytes = 0;
  const uint32_t resource = ResourceOf(unit);
  if (before == nullptr || ResourceOf(*before) != resource) {
    bytes += kMaxHeadBytes + static_cast<int64_t>(resources_[resource].fields.size());
    before = nullptr;
  }
  if (unit.level != Unit::Level::kResource && (before == nullptr || before->frame != unit.frame)) {
    bytes += kMaxHeadBytes + static_cast<int64_t>(scopes_[unit.frame].fields.size());
  }
  return bytes;
}

void RequestCutter::OpenMetric(size_t unit) {
  if (open_metric_ == unit) {
    return;
  }
  open_metric_ = unit;
  metric_ = Metric();
  ProtoReader in(units_[unit].record);
  while (!in.at_end()) {
    const char* begin = in.position();
    uint32_t tag = 0;
    in.ReadTag(&tag);
    if (!IsMetricData(tag)) {
      in.Skip(tag);
      metric_.fields.append(begin, in.position());
      continue;
    }
    std::string_view data;
    in.ReadBytes(&data);
    metric_.data_number = tag >> 3U;
    Separate(data, kGaugeShape.At("data_points"), &metric_.data_fields,
             [this](std::string_view point) {
               metric_.points.push_back(point);
               return true;
             });
  }
}

RequestPart RequestCutter::Next(int64_t max_bytes) {
  last_ = next_;
  RequestPart part;
  Position at = next_;
  auto bytes = static_cast<int64_t>(request_fields_.size());
  const Unit* before = nullptr;
  size_t num_pieces = 0;
  const Unit& first = units_[at.unit];
  const int64_t first_frames = FrameBytes(first, nullptr);
  const bool begins_with_points =
      at.point > 0 ||
      (first.has_points && bytes + first_frames + MessageBytes(first.record.size()) > max_bytes);
  if (begins_with_points) {
    OpenMetric(at.unit);
    bytes += first_frames + 2 * kMaxHeadBytes +
             static_cast<int64_t>(metric_.fields.size() + metric_.data_fields.size());
    for (; at.point < metric_.points.size(); ++at.point, ++num_pieces) {
      const int64_t added = MessageBytes(metric_.points[at.point].size());
      if (num_pieces > 0 && bytes + added > max_bytes) {
        break;
      }
      bytes += added;
    }
    part.num_items = static_cast<int64_t>(num_pieces);
    before = &first;
    if (at.point == metric_.points.size()) {
      at = {at.unit + 1, 0};
    }
  }
  while (at.point == 0 && at.unit < units_.size()) {
    const Unit& unit = units_[at.unit];
    const int64_t added = FrameBytes(unit, before) + MessageBytes(unit.record.size());
    if (num_pieces > 0 && bytes + added > max_bytes) {
      break;
    }
    bytes += added;
    part.num_items += unit.num_items;
    part.can_be_cut |= unit.has_points;
    before = &unit;
    ++num_pieces;
    ++at.unit;
  }
  part.can_be_cut |= num_pieces > 1;
  part.request = Write(last_, at, begins_with_points);
  next_ = at;
  return part;
}

std::string RequestCutter::Write(Position begin, Position end, bool begins_with_points) {
  std::string buffer(4096, '\0');
  ProtoWriter writer(&buffer);
  writer.Encoded(request_fields_);
  size_t at = begin.unit;
  const size_t last = end.point > 0 ? end.unit + 1 : end.unit;
  const auto write_points = [&] {
    OpenMetric(at);
    const size_t stop = end.unit == at ? end.point : metric_.points.size();
    writer.Item(fields_.records, Expect::kLarge, [&] {
      writer.Encoded(metric_.fields);
      writer.Message({metric_.data_number, ""}, Expect::kLarge, [&] {
        writer.Encoded(metric_.data_fields);
        for (size_t point = begin.point; point < stop; ++point) {
          writer.Bytes(kGaugeShape.At("data_points"), metric_.points[point]);
        }
      });
    });
  };
  const auto write_scope = [&] {
    const uint32_t scope = units_[at].frame;
    writer.Encoded(scopes_[scope].fields);
    for (; at < last && units_[at].level != Unit::Level::kResource && units_[at].frame == scope;
         ++at) {
      if (at == begin.unit && begins_with_points) {
        write_points();
      } else if (units_[at].level == Unit::Level::kRecord) {
        writer.Bytes(fields_.records, units_[at].record);
      }
    }
  };
  while (at < last) {
    const uint32_t resource = ResourceOf(units_[at]);
    writer.Item(fields_.resources, Expect::kLarge, [&] {
      writer.Encoded(resources_[resource].fields);
      while (at < last && ResourceOf(units_[at]) == resource) {
        if (units_[at].level == Unit::Level::kResource) {
          ++at;
        } else {
          writer.Item(fields_.scopes, Expect::kLarge, write_scope);
        }
      }
    });
  }
  return std::string(writer.written());
}

}  // namespace df::otlp
