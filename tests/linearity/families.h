// The families of shapes, each with its table, and what their tables share.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "linearity/shape.h"

namespace df::linearity {

std::vector<Shape> RequestShapes();     ///< OTLP over protobuf
std::vector<Shape> JsonShapes();        ///< OTLP as JSON
std::vector<Shape> DocumentShapes();    ///< of the configuration
std::vector<Shape> StreamShapes();      ///< OTAP
std::vector<Shape> TreeShapes();        ///< Parquet
std::vector<Shape> ConnectionShapes();  ///< HTTP/1.1 and HTTP/2

/// Puts the texts for 0 to n - 1 together.
std::string Repeat(int64_t n, const std::function<std::string(int64_t)>& text);

/// Makes an input of one file.
Make Text(std::function<std::string(int64_t n)> text);

/// Reads an input of one file.
Read TextRead(std::function<arrow::Result<int64_t>(const std::string& text)> read);

}  // namespace df::linearity
