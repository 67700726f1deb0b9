#include "nodes/processors/batch/outcome_ledger.h"

#include <utility>

namespace df::nodes::processors::batch {

OutcomeLedger::Input OutcomeLedger::Open(engine::CompletionToken token,
                                         engine::MemoryCharge charge) {
  if (free_inputs_.empty()) {
    free_inputs_.push_back(static_cast<uint32_t>(inputs_.size()));
    inputs_.emplace_back();
  }
  const Input input = free_inputs_.back();
  free_inputs_.pop_back();
  InputSlot& slot = inputs_[input];
  slot.token = std::move(token);
  slot.charge = std::move(charge);
  slot.num_kept = 1;
  slot.num_sent = 0;
  slot.worst = engine::Outcome::Ack();
  return input;
}

void OutcomeLedger::AddPart(Input input) { ++inputs_[input].num_kept; }

void OutcomeLedger::Close(Input input) {
  --inputs_[input].num_kept;
  CompleteWhenDone(input);
}

uint64_t OutcomeLedger::AddOutput(std::span<const Input> parts) {
  if (free_outputs_.empty()) {
    free_outputs_.push_back(static_cast<uint32_t>(outputs_.size()));
    outputs_.emplace_back();
  }
  const uint32_t index = free_outputs_.back();
  free_outputs_.pop_back();
  OutputSlot& slot = outputs_[index];
  slot.is_open = true;
  slot.parts.assign(parts.begin(), parts.end());
  for (const Input part : parts) {
    InputSlot& input = inputs_[part];
    --input.num_kept;
    ++input.num_sent;
    if (input.num_kept == 0) {
      // From here on the output is charged for the items.
      input.charge.Release();
    }
  }
  return uint64_t{slot.generation} << 32 | index;
}

void OutcomeLedger::Complete(uint64_t output, const engine::Outcome& outcome) {
  const auto index = static_cast<uint32_t>(output);
  if (index >= outputs_.size() || !outputs_[index].is_open ||
      outputs_[index].generation != static_cast<uint32_t>(output >> 32)) {
    return;
  }
  OutputSlot& slot = outputs_[index];
  slot.is_open = false;
  ++slot.generation;
  // By index: what hears an outcome may send at once, and so make this list of slots longer. The
  // slot itself is not free before its last part is done.
  for (size_t i = 0; i < outputs_[index].parts.size(); ++i) {
    const Input part = outputs_[index].parts[i];
    --inputs_[part].num_sent;
    Note(&inputs_[part], outcome);
    CompleteWhenDone(part);
  }
  free_outputs_.push_back(index);
}

void OutcomeLedger::FailPart(Input input, const engine::Outcome& outcome) {
  --inputs_[input].num_kept;
  Note(&inputs_[input], outcome);
  CompleteWhenDone(input);
}

void OutcomeLedger::Note(InputSlot* slot, const engine::Outcome& outcome) {
  const bool is_worse = slot->worst.is_ack || (!slot->worst.is_permanent && outcome.is_permanent);
  if (!outcome.is_ack && is_worse) {
    slot->worst = outcome;
    slot->worst.partial = nullptr;  // of an output, which may hold other inputs too
  }
}

void OutcomeLedger::CompleteWhenDone(Input input) {
  InputSlot& slot = inputs_[input];
  if (slot.num_kept != 0 || slot.num_sent != 0) {
    return;
  }
  slot.charge.Release();
  engine::CompletionToken token = std::move(slot.token);
  const engine::Outcome worst = std::move(slot.worst);
  free_inputs_.push_back(input);
  token.Complete(worst);
}

}  // namespace df::nodes::processors::batch
