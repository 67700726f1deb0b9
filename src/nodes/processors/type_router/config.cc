#include "nodes/processors/type_router/config.h"

namespace df::nodes::processors::type_router {
namespace {

const config::FieldTable<AdmissionPolicy>& AdmissionFields() {
  static const config::FieldTable<AdmissionPolicy> table = {
      config::Enum("on_full", &AdmissionPolicy::on_full,
                   {{"reject_immediately", OnFull::kRejectImmediately},
                    {"backpressure", OnFull::kBackpressure}},
                   "what happens to a batch whose route has no room: nacked for now, or kept, one "
                   "for each route"),
  };
  return table;
}

}  // namespace

const config::FieldTable<TypeRouterConfig>& TypeRouterFields() {
  static const config::FieldTable<TypeRouterConfig> table = {
      config::Group("admission_policy", &TypeRouterConfig::admission_policy, AdmissionFields(),
                    "how a full route is dealt with"),
  };
  return table;
}

}  // namespace df::nodes::processors::type_router
