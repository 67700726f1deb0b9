#include "app/answer_capture.h"

namespace df::app {
namespace {

thread_local std::string* current = nullptr;

}  // namespace

AnswerCapture::AnswerCapture() { current = &text_; }

AnswerCapture::~AnswerCapture() { current = nullptr; }

bool AnswerCapture::Take(std::string_view answer) {
  if (current == nullptr) {
    return false;
  }
  *current += answer;
  return true;
}

}  // namespace df::app
