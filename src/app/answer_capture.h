// Answers that are taken instead of printed.
#pragma once

#include <string>
#include <string_view>

namespace df::app {

/// Takes what PrintAnswer is given on this thread, from its making to its end. One at a time.
class AnswerCapture {
 public:
  AnswerCapture();
  ~AnswerCapture();
  AnswerCapture(const AnswerCapture&) = delete;
  AnswerCapture& operator=(const AnswerCapture&) = delete;

  const std::string& text() const { return text_; }

  /// Takes an answer where there is a capture on this thread. Returns whether there is.
  static bool Take(std::string_view answer);

 private:
  std::string text_;
};

}  // namespace df::app
