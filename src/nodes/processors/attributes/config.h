// Configuration of the attribute processor.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/field_table.h"
#include "engine/node_config.h"
#include "otap/attribute_edit.h"

namespace df::nodes::processors::attributes {

enum class HashAlgorithm : uint8_t { kSha256 };

/// One action as it is written; which keys it needs depends on `action`.
struct ActionDocument {
  otap::AttributeActionKind action = otap::AttributeActionKind::kDelete;
  std::string key;
  std::optional<otap::AttributeValue> value;
  std::string source_key;
  std::string destination_key;
  HashAlgorithm algorithm = HashAlgorithm::kSha256;
  std::string salt;
};

struct AttributesDocument {
  std::vector<ActionDocument> actions;
  std::vector<otap::AttributeOwner> apply_to = {otap::AttributeOwner::kSignal};
};

struct AttributesConfig : engine::NodeConfig {
  std::vector<otap::AttributeAction> actions;
  std::vector<otap::AttributeOwner> apply_to;
};

const config::FieldTable<AttributesDocument>& AttributesFields();

/// Reads a section; problems go to it.
AttributesConfig ReadAttributesConfig(const config::Section& section);

}  // namespace df::nodes::processors::attributes
