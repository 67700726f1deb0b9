// Configuration of the file exporter.
#pragma once

#include <string>

#include "base/units.h"
#include "config/field_table.h"
#include "engine/node_registry.h"
#include "otap/schema.h"

namespace df::nodes::exporters::file {

enum class Format : uint8_t {
  kOtlpJson,   ///< one request a line
  kOtlpProto,  ///< each request behind its length, four bytes, big-endian
};

enum class OpenMode : uint8_t {
  kTruncate,   ///< what the file held is gone
  kAppend,     ///< requests go behind what is there
  kCreateNew,  ///< a file that exists is an error
};

/// What an ack says.
enum class Durability : uint8_t {
  kNone,   ///< the request waits to be written
  kFlush,  ///< the operating system has it: it survives the end of the process
  kSync,   ///< the disk has it: it survives the end of the machine
};

struct FileConfig {
  std::string path;
  Format format = Format::kOtlpJson;
  OpenMode open_mode = OpenMode::kTruncate;
  Durability durability = Durability::kFlush;
  int64_t queue_size = 16_MiB;
};

const config::FieldTable<FileConfig>& FileFields();

/// Tells whether `path` has the placeholder of that name, as in "{signal}".
bool HasPlaceholder(const std::string& path, std::string_view name);

/// Adds what is wrong with a path to the section of the key: placeholders that do not exist, and
/// those that are missing although files could not be told apart without them.
void CheckPath(const FileConfig& config, const engine::ValidateContext& context,
               const config::Section& section);

/// Returns the path of one signal on one core.
std::string ExpandPath(const std::string& path, otap::Signal signal, int core_id);

}  // namespace df::nodes::exporters::file
