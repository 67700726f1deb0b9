// Which outputs carry items of which inputs, and what is known of each.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/pdata.h"

namespace df::nodes::processors::batch {

/// Completes every input when the last output with items of it has an outcome: with an ack when
/// all were acked, with a nack for good when one was nacked for good, else with a nack for now.
/// Inputs and outputs are numbered; numbers and memory are used again. Cost: no allocation once
/// there is a place for everything that is under way.
class OutcomeLedger {
 public:
  using Input = uint32_t;

  /// Takes over the duty of an input. It has no part yet; Close completes it if it gets none.
  Input Open(engine::CompletionToken token, engine::MemoryCharge charge);

  /// A part of the input is kept for a later output.
  void AddPart(Input input);

  /// No more parts of the input come.
  void Close(Input input);

  /// Makes an output of parts of some inputs; its number is the calldata of its token. A part is
  /// given by its input; the bytes of an input are given back with its last part.
  uint64_t AddOutput(std::span<const Input> parts);

  /// The output of a number has its outcome; a number that is not known says nothing.
  void Complete(uint64_t output, const engine::Outcome& outcome);

  /// The part of an input that is in no output yet has failed.
  void FailPart(Input input, const engine::Outcome& outcome);

 private:
  struct InputSlot {
    engine::CompletionToken token;
    engine::MemoryCharge charge;
    int64_t num_kept = 0;  ///< parts in no output yet; one more until Close
    int64_t num_sent = 0;  ///< parts in outputs without outcome
    engine::Outcome worst;
  };
  struct OutputSlot {
    uint32_t generation = 0;
    bool is_open = false;
    std::vector<Input> parts;
  };

  void Note(InputSlot* slot, const engine::Outcome& outcome);
  void CompleteWhenDone(Input input);

  std::vector<InputSlot> inputs_;
  std::vector<OutputSlot> outputs_;
  std::vector<uint32_t> free_inputs_;
  std::vector<uint32_t> free_outputs_;
};

}  // namespace df::nodes::processors::batch
