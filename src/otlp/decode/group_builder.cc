#include "otlp/decode/group_builder.h"

namespace df::otlp {
namespace {

/// An empty text is none.
bool InternUnlessEmpty(std::string_view text, TextBuilder* column, uint32_t* code) {
  *code = TextBuilder::kNull;
  return text.empty() || column->Intern(text, code);
}

}  // namespace

bool GroupBuilder::OpenResource(const Parts& resource, std::string_view schema_url,
                                ValueReader* reader) {
  current_ = {};
  current_.resource_id = static_cast<uint16_t>(num_resources_++);
  for (const std::string_view part : resource) {
    ProtoReader in(part);
    while (!in.at_end()) {
      uint32_t tag = 0;
      if (!in.ReadTag(&tag)) {
        return false;
      }
      bool ok = false;
      std::string_view bytes;
      switch (tag) {
        case BytesTag(kResourceShape.At("attributes")):
          ok = in.ReadBytes(&bytes) &&
               resource_attributes_.Append(current_.resource_id, bytes, reader);
          break;
        case VarintTag(kResourceShape.At("dropped_attributes_count")):
          ok = in.ReadUInt32(&current_.resource_dropped);
          break;
        default:
          ok = reader->SkipUnknown(kResourceShape, tag, &in);
      }
      if (!ok) {
        return false;
      }
    }
  }
  return InternUnlessEmpty(schema_url, &resource_schema_urls_, &current_.resource_schema_url);
}

bool GroupBuilder::OpenScope(int64_t row, const Parts& scope, std::string_view schema_url,
                             ValueReader* reader) {
  current_.row = row;
  current_.scope_id = static_cast<uint16_t>(num_scopes_++);
  current_.scope_dropped = 0;
  std::string_view name;
  std::string_view version;
  for (const std::string_view part : scope) {
    ProtoReader in(part);
    while (!in.at_end()) {
      uint32_t tag = 0;
      if (!in.ReadTag(&tag)) {
        return false;
      }
      bool ok = false;
      std::string_view bytes;
      switch (tag) {
        case BytesTag(kScopeShape.At("name")):
          ok = ReadText(&in, &name);
          break;
        case BytesTag(kScopeShape.At("version")):
          ok = ReadText(&in, &version);
          break;
        case BytesTag(kScopeShape.At("attributes")):
          ok = in.ReadBytes(&bytes) && scope_attributes_.Append(current_.scope_id, bytes, reader);
          break;
        case VarintTag(kScopeShape.At("dropped_attributes_count")):
          ok = in.ReadUInt32(&current_.scope_dropped);
          break;
        default:
          ok = reader->SkipUnknown(kScopeShape, tag, &in);
      }
      if (!ok) {
        return false;
      }
    }
  }
  const bool ok = InternUnlessEmpty(name, &scope_names_, &current_.scope_name) &&
                  InternUnlessEmpty(version, &scope_versions_, &current_.scope_version) &&
                  InternUnlessEmpty(schema_url, &schema_urls_, &current_.schema_url);
  runs_.push_back(current_);
  return ok;
}

template <typename Visit>
void GroupBuilder::VisitRuns(int64_t num_rows, const Visit& visit) const {
  for (size_t i = 0; i < runs_.size(); ++i) {
    visit(runs_[i], i + 1 < runs_.size() ? runs_[i + 1].row : num_rows);
  }
}

arrow::Result<ArrayDataPtr> GroupBuilder::FinishResource(int64_t num_rows) {
  NumberBuilder<uint16_t> ids;
  NumberBuilder<uint32_t> dropped;
  VisitRuns(num_rows, [&](const Run& run, int64_t end) {
    ids.SetRun(run.row, end, run.resource_id);
    if (run.resource_schema_url != TextBuilder::kNull) {
      resource_schema_urls_.SetCodes(run.row, end, run.resource_schema_url);
    }
    if (run.resource_dropped != 0) {
      dropped.SetRun(run.row, end, run.resource_dropped);
    }
  });
  TableFrame frame(num_rows);
  frame.Add("id", ids.Finish(arrow::uint16(), num_rows));
  frame.Add("schema_url", resource_schema_urls_.Finish(num_rows));
  frame.Add("dropped_attributes_count", dropped.FinishIfSet(arrow::uint32(), num_rows));
  return frame.BuildStruct({});
}

arrow::Result<ArrayDataPtr> GroupBuilder::FinishScope(int64_t num_rows) {
  NumberBuilder<uint16_t> ids;
  NumberBuilder<uint32_t> dropped;
  VisitRuns(num_rows, [&](const Run& run, int64_t end) {
    ids.SetRun(run.row, end, run.scope_id);
    if (run.scope_name != TextBuilder::kNull) {
      scope_names_.SetCodes(run.row, end, run.scope_name);
    }
    if (run.scope_version != TextBuilder::kNull) {
      scope_versions_.SetCodes(run.row, end, run.scope_version);
    }
    if (run.scope_dropped != 0) {
      dropped.SetRun(run.row, end, run.scope_dropped);
    }
  });
  TableFrame frame(num_rows);
  frame.Add("id", ids.Finish(arrow::uint16(), num_rows));
  frame.Add("name", scope_names_.Finish(num_rows));
  frame.Add("version", scope_versions_.Finish(num_rows));
  frame.Add("dropped_attributes_count", dropped.FinishIfSet(arrow::uint32(), num_rows));
  return frame.BuildStruct({});
}

void GroupBuilder::AddColumns(TableFrame* frame) {
  const int64_t num_rows = frame->num_rows();
  frame->Add("resource", FinishResource(num_rows));
  frame->Add("scope", FinishScope(num_rows));
  VisitRuns(num_rows, [&](const Run& run, int64_t end) {
    if (run.schema_url != TextBuilder::kNull) {
      schema_urls_.SetCodes(run.row, end, run.schema_url);
    }
  });
  frame->Add("schema_url", schema_urls_.Finish(num_rows));
}

void GroupBuilder::Clear() {
  num_resources_ = 0;
  num_scopes_ = 0;
  current_ = {};
  runs_.clear();
  resource_schema_urls_.Clear();
  scope_names_.Clear();
  scope_versions_.Clear();
  schema_urls_.Clear();
  resource_attributes_.Clear();
  scope_attributes_.Clear();
}

}  // namespace df::otlp
