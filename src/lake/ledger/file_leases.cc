#include "lake/ledger/file_leases.h"

namespace df::lake {

LeasePtr HeldLeases::Find(const std::string& unit) const {
  const std::lock_guard lock(mutex_);
  const auto found = leases_.find(unit);
  return found == leases_.end() ? nullptr : found->second.lock();
}

LeasePtr HeldLeases::Add(const std::string& unit, const std::function<bool()>& is_in_term) {
  const std::lock_guard lock(mutex_);
  std::weak_ptr<Lease>& known = leases_[unit];
  LeasePtr lease = known.lock();
  if (lease == nullptr) {
    lease = std::make_shared<Lease>(unit, is_in_term);
    known = lease;
  }
  return lease;
}

void HeldLeases::Lose(const std::string& unit) {
  const std::lock_guard lock(mutex_);
  const auto found = leases_.find(unit);
  if (found == leases_.end()) {
    return;
  }
  if (const LeasePtr lease = found->second.lock(); lease != nullptr) {
    lease->Lose();
  }
  leases_.erase(found);
}

std::vector<std::string> HeldLeases::Unused() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> units;
  for (const auto& [unit, lease] : leases_) {
    if (lease.expired()) {
      units.push_back(unit);
    }
  }
  return units;
}

void HeldLeases::Remove(const std::vector<std::string>& units) {
  const std::lock_guard lock(mutex_);
  for (const std::string& unit : units) {
    leases_.erase(unit);
  }
}

int64_t HeldLeases::size() const {
  const std::lock_guard lock(mutex_);
  return static_cast<int64_t>(leases_.size());
}

}  // namespace df::lake
