#include "otlp/decode/point_builder.h"

namespace df::otlp {
namespace {

/// One more item of a list of 8-byte numbers that is not packed.
template <typename T>
bool ReadItem(ProtoReader* in, ListBuilder<T>* list) {
  uint64_t bits = 0;
  const bool ok = in->ReadFixed64(&bits);
  list->AppendPacked({reinterpret_cast<const char*>(&bits), sizeof(bits)});
  return ok;
}

template <typename T>
bool ReadPacked(ProtoReader* in, ListBuilder<T>* list) {
  std::string_view bytes;
  if (!in->ReadBytes(&bytes) || bytes.size() % sizeof(T) != 0) {
    return false;
  }
  list->AppendPacked(bytes);
  return true;
}

bool ReadReal(ProtoReader* in, int64_t row, OptionalBuilder<double>* column) {
  double value = 0;
  const bool ok = in->ReadDouble(&value);
  column->Set(row, value);
  return ok;
}

bool ReadCount(ProtoReader* in, int64_t row, NumberBuilder<uint64_t>* column) {
  uint64_t value = 0;
  const bool ok = in->ReadFixed64(&value);
  column->Set(row, value);
  return ok;
}

constexpr uint32_t ItemTag(Field field) { return Fixed64Tag(field); }

}  // namespace

bool HistogramPointBuilder::Append(uint16_t metric, std::string_view point, ValueReader* reader) {
  const int64_t row = points_.AddRow(metric);
  ProtoReader in(point);
  while (!in.at_end()) {
    uint32_t tag = 0;
    if (!in.ReadTag(&tag)) {
      return false;
    }
    bool ok = false;
    std::string_view bytes;
    switch (tag) {
      case Fixed64Tag(point_fields::kCount):
        ok = ReadCount(&in, row, &counts_);
        break;
      case Fixed64Tag(point_fields::kSum):
        ok = ReadReal(&in, row, &sums_);
        break;
      case BytesTag(histogram_fields::kBucketCounts):
        ok = ReadPacked(&in, &bucket_counts_);
        break;
      case ItemTag(histogram_fields::kBucketCounts):
        ok = ReadItem(&in, &bucket_counts_);
        break;
      case BytesTag(histogram_fields::kExplicitBounds):
        ok = ReadPacked(&in, &explicit_bounds_);
        break;
      case ItemTag(histogram_fields::kExplicitBounds):
        ok = ReadItem(&in, &explicit_bounds_);
        break;
      case BytesTag(histogram_fields::kExemplars):
        ok = in.ReadBytes(&bytes) && exemplars_.Append(static_cast<uint32_t>(row), bytes, reader);
        break;
      case Fixed64Tag(histogram_fields::kMin):
        ok = ReadReal(&in, row, &minima_);
        break;
      case Fixed64Tag(histogram_fields::kMax):
        ok = ReadReal(&in, row, &maxima_);
        break;
      default:
        ok = points_.ReadField(tag, histogram_fields::kAttributes, histogram_fields::kFlags, &in,
                               reader);
    }
    if (!ok) {
      return false;
    }
  }
  bucket_counts_.CloseRow(row);
  explicit_bounds_.CloseRow(row);
  return true;
}

arrow::Status HistogramPointBuilder::Finish(otap::BatchBuilder* batch) {
  const int64_t num_rows = points_.num_rows;
  TableFrame frame(num_rows);
  points_.AddColumns(&frame);
  frame.Add("count", counts_.FinishIfSet(arrow::uint64(), num_rows));
  frame.Add("sum", sums_.Finish(arrow::float64(), num_rows));
  frame.Add("bucket_counts", bucket_counts_.Finish(arrow::uint64(), num_rows));
  frame.Add("explicit_bounds", explicit_bounds_.Finish(arrow::float64(), num_rows));
  points_.AddFlags(&frame);
  frame.Add("min", minima_.Finish(arrow::float64(), num_rows));
  frame.Add("max", maxima_.Finish(arrow::float64(), num_rows));
  ARROW_RETURN_NOT_OK(points_.Finish(&frame, batch));
  return exemplars_.Finish(batch);
}

void HistogramPointBuilder::Clear() {
  points_.Clear();
  exemplars_.Clear();
  counts_.Clear();
  sums_.Clear();
  bucket_counts_.Clear();
  explicit_bounds_.Clear();
  minima_.Clear();
  maxima_.Clear();
}

bool BucketsBuilder::Append(std::string_view message, ValueReader* reader) {
  is_present_ = true;
  ProtoReader in(message);
  while (!in.at_end()) {
    uint32_t tag = 0;
    if (!in.ReadTag(&tag)) {
      return false;
    }
    bool ok = false;
    switch (tag) {
      case VarintTag(exp_histogram_fields::kOffset):
        ok = in.ReadSInt32(&offset_);
        break;
      case VarintTag(exp_histogram_fields::kBucketCounts): {
        uint64_t count = 0;
        ok = in.ReadVarint(&count);
        bucket_counts_.Append(count);
        break;
      }
      case BytesTag(exp_histogram_fields::kBucketCounts): {
        std::string_view bytes;
        ok = in.ReadBytes(&bytes);
        ProtoReader items(bytes);
        while (ok && !items.at_end()) {
          uint64_t count = 0;
          ok = items.ReadVarint(&count);
          bucket_counts_.Append(count);
        }
        break;
      }
      default:
        ok = reader->SkipUnknown(kBucketsShape, tag, &in);
    }
    if (!ok) {
      return false;
    }
  }
  return true;
}

void BucketsBuilder::CloseRow(int64_t row) {
  if (is_present_) {
    present_.Set(row, 1);
    offsets_.Set(row, offset_);
    bucket_counts_.CloseRow(row);
  }
  is_present_ = false;
  offset_ = 0;
}

arrow::Result<ArrayDataPtr> BucketsBuilder::Finish(int64_t num_rows) {
  if (present_.empty()) {
    return nullptr;
  }
  TableFrame frame(num_rows);
  // Both children even where all are empty: known readers look for both (format reference 2.10).
  frame.Add("offset", offsets_.Finish(arrow::int32(), num_rows));
  frame.Add("bucket_counts", bucket_counts_.Finish(arrow::uint64(), num_rows, true));
  ARROW_ASSIGN_OR_RAISE(Validity validity,
                        MakeValidity(num_rows, [&](int64_t row) { return present_.At(row) != 0; }));
  return frame.BuildStruct(std::move(validity));
}

void BucketsBuilder::Clear() {
  is_present_ = false;
  offset_ = 0;
  present_.Clear();
  offsets_.Clear();
  bucket_counts_.Clear();
}

bool ExpHistogramPointBuilder::ReadField(uint32_t tag, int64_t row, ProtoReader* in,
                                         ValueReader* reader) {
  std::string_view bytes;
  switch (tag) {
    case Fixed64Tag(point_fields::kCount):
      return ReadCount(in, row, &counts_);
    case Fixed64Tag(point_fields::kSum):
      return ReadReal(in, row, &sums_);
    case VarintTag(exp_histogram_fields::kScale): {
      int32_t scale = 0;
      const bool ok = in->ReadSInt32(&scale);
      scales_.Set(row, scale);
      return ok;
    }
    case Fixed64Tag(exp_histogram_fields::kZeroCount):
      return ReadCount(in, row, &zero_counts_);
    case BytesTag(exp_histogram_fields::kPositive):
      return in->ReadBytes(&bytes) && positive_.Append(bytes, reader);
    case BytesTag(exp_histogram_fields::kNegative):
      return in->ReadBytes(&bytes) && negative_.Append(bytes, reader);
    case BytesTag(exp_histogram_fields::kExemplars):
      return in->ReadBytes(&bytes) && exemplars_.Append(static_cast<uint32_t>(row), bytes, reader);
    case Fixed64Tag(exp_histogram_fields::kMin):
      return ReadReal(in, row, &minima_);
    case Fixed64Tag(exp_histogram_fields::kMax):
      return ReadReal(in, row, &maxima_);
    case Fixed64Tag(exp_histogram_fields::kZeroThreshold): {
      double threshold = 0;
      const bool ok = in->ReadDouble(&threshold);
      zero_thresholds_.Set(row, threshold);
      return ok;
    }
    default:
      return points_.ReadField(tag, exp_histogram_fields::kAttributes, exp_histogram_fields::kFlags,
                               in, reader);
  }
}

bool ExpHistogramPointBuilder::Append(uint16_t metric, std::string_view point,
                                      ValueReader* reader) {
  const int64_t row = points_.AddRow(metric);
  ProtoReader in(point);
  while (!in.at_end()) {
    uint32_t tag = 0;
    if (!in.ReadTag(&tag) || !ReadField(tag, row, &in, reader)) {
      return false;
    }
  }
  positive_.CloseRow(row);
  negative_.CloseRow(row);
  return true;
}

arrow::Status ExpHistogramPointBuilder::Finish(otap::BatchBuilder* batch) {
  const int64_t num_rows = points_.num_rows;
  TableFrame frame(num_rows);
  points_.AddColumns(&frame);
  frame.Add("count", counts_.FinishIfSet(arrow::uint64(), num_rows));
  frame.Add("sum", sums_.Finish(arrow::float64(), num_rows));
  frame.Add("scale", scales_.FinishIfSet(arrow::int32(), num_rows));
  frame.Add("zero_count", zero_counts_.FinishIfSet(arrow::uint64(), num_rows));
  frame.Add("positive", positive_.Finish(num_rows));
  frame.Add("negative", negative_.Finish(num_rows));
  points_.AddFlags(&frame);
  frame.Add("min", minima_.Finish(arrow::float64(), num_rows));
  frame.Add("max", maxima_.Finish(arrow::float64(), num_rows));
  frame.Add("zero_threshold", zero_thresholds_.FinishIfSet(arrow::float64(), num_rows));
  ARROW_RETURN_NOT_OK(points_.Finish(&frame, batch));
  return exemplars_.Finish(batch);
}

void ExpHistogramPointBuilder::Clear() {
  points_.Clear();
  exemplars_.Clear();
  counts_.Clear();
  sums_.Clear();
  scales_.Clear();
  zero_counts_.Clear();
  positive_.Clear();
  negative_.Clear();
  minima_.Clear();
  maxima_.Clear();
  zero_thresholds_.Clear();
}

}  // namespace df::otlp
