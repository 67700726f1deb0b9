// The API as an OpenAPI 3.1 document, written from the table of routes.
#pragma once

#include <string>
#include <string_view>

namespace df::admin {

/// Returns the document as JSON text; the same in every process of one build.
const std::string& OpenApiText();

/// The JSON Schemas that replies follow, as one JSON map by name. Source: written by hand; a test
/// holds every reply against them.
std::string_view SchemasText();

}  // namespace df::admin
