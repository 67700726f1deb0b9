#include "nodes/exporters/noop/config.h"

namespace df::nodes::exporters::noop {

const config::FieldTable<NoopConfig>& NoopFields() {
  static const config::FieldTable<NoopConfig> table = {};
  return table;
}

}  // namespace df::nodes::exporters::noop
