#include "log/names.h"

namespace sluice::log {

void Names::set(NameKind kind, uint32_t slot, uint32_t incarnation, std::string_view name) {
  const auto held = lock();
  auto& slots = slots_[static_cast<uint32_t>(kind)];
  if (slot >= slots.size()) slots.resize(slot + 1);
  Slot& entry = slots[slot];
  if (entry.now.incarnation != incarnation) entry.former = std::move(entry.now);
  entry.now = Owner{incarnation, std::string(name.substr(0, kNameBytesMax))};
}

std::string_view Names::of(NameKind kind, SlotName owner) const {
  const auto& slots = slots_[static_cast<uint32_t>(kind)];
  if (owner.slot >= slots.size()) return {};
  const Slot& entry = slots[owner.slot];
  if (entry.now.incarnation == owner.incarnation) return entry.now.name;
  return entry.former.incarnation == owner.incarnation ? std::string_view(entry.former.name)
                                                       : std::string_view();
}

}  // namespace sluice::log
