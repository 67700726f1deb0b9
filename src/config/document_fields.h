// The keys of a v1 document and its groups.
#pragma once

#include "config/engine_document.h"
#include "config/field_table.h"
#include "config/pipeline_fields.h"

namespace df::config {

/// The document itself. `groups` is read by whoever has read these.
struct DocumentKeys {
  std::string version;
  PolicySet policies;
  EngineSettings engine;
  bool has_groups = false;
};

/// An entry of `groups`. `pipelines` is read by whoever has read these.
struct GroupKeys {
  PolicySet policies;
  bool has_pipelines = false;
};

const FieldTable<DocumentKeys>& DocumentFields();
const FieldTable<GroupKeys>& GroupFields();

}  // namespace df::config
