#include "linearity/families.h"

#include <fstream>
#include <iterator>
#include <memory>
#include <utility>

namespace df::linearity {
namespace {

namespace fs = std::filesystem;

/// Reads every byte; what it keeps is up to each shape.
int64_t SumOf(const std::string& text) {
  int64_t sum = 0;
  for (const char letter : text) {
    sum += static_cast<unsigned char>(letter);
  }
  return sum;
}

}  // namespace

std::string Repeat(int64_t n, const std::function<std::string(int64_t)>& text) {
  std::string all;
  for (int64_t i = 0; i < n; ++i) {
    all += text(i);
  }
  return all;
}

Make Text(std::function<std::string(int64_t n)> text) {
  return [text = std::move(text)](int64_t n, const fs::path& folder) {
    std::ofstream out(folder / "input", std::ios::binary);
    out << text(n);
    out.close();
    return out ? arrow::Status::OK() : arrow::Status::IOError("cannot write ", folder.string());
  };
}

Read TextRead(std::function<arrow::Result<int64_t>(const std::string& text)> read) {
  return [read = std::move(read)](const fs::path& folder) -> arrow::Result<Call> {
    std::ifstream in(folder / "input", std::ios::binary);
    auto text = std::make_shared<const std::string>(std::istreambuf_iterator<char>(in),
                                                    std::istreambuf_iterator<char>());
    return [read, text = std::move(text)] { return read(*text); };
  };
}

const std::vector<Shape>& AllShapes() {
  static const std::vector<Shape> shapes = [] {
    std::vector<Shape> all;
    for (auto* const family :
         {RequestShapes, JsonShapes, DocumentShapes, StreamShapes, TreeShapes, ConnectionShapes}) {
      for (Shape& shape : family()) {
        all.push_back(std::move(shape));
      }
    }
    return all;
  }();
  return shapes;
}

const std::vector<Shape>& WrongShapes() {
  const auto letters = [](int64_t n) { return std::string(static_cast<size_t>(n), 'x'); };
  static const std::vector<Shape> shapes = {
      {"wrong/instructions", 2000, Text(letters),
       TextRead([](const std::string& text) -> arrow::Result<int64_t> {
         int64_t sum = 0;
         for (size_t i = 0; i < text.size(); ++i) {
           sum += SumOf(text);
         }
         return sum == 0 ? 0 : static_cast<int64_t>(text.size());
       })},
      {"wrong/allocated bytes", 20'000, Text(letters),
       TextRead([](const std::string& text) -> arrow::Result<int64_t> {
         int64_t sum = 0;
         for (size_t i = 0; i < text.size(); i += 100) {
           const std::string begin = text.substr(0, i);
           sum += static_cast<int64_t>(begin.size());
         }
         return sum == 0 ? 0 : static_cast<int64_t>(text.size());
       })},
      {"wrong/allocated for each byte", 10'000, Text(letters),
       TextRead([](const std::string& text) -> arrow::Result<int64_t> {
         int64_t sum = 0;
         for (int i = 0; i < 200; ++i) {
           sum += SumOf(std::string(text));
         }
         return sum == 0 ? 0 : static_cast<int64_t>(text.size());
       })},
      {"wrong/what is read of it should double, but", 200'000, Text(letters),
       TextRead([](const std::string& text) -> arrow::Result<int64_t> {
         return SumOf(text) == 0 ? 0 : 1;
       })},
  };
  return shapes;
}

}  // namespace df::linearity
