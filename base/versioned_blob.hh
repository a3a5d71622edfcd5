// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// VersionedBlob: an immutable piece of data that is replaced as a whole while others read it.
//
// It has a few slots. The writer fills the slot after the current one and then names it current, in
// one store. A reader asks for the current version once a burst, or for an older one that it still
// works with: that stays readable until the ring of slots comes round to it.
#pragma once

#include <atomic>
#include <cstring>

#include "base/check.hh"
#include "base/types.hh"

namespace tollgate {

class VersionedBlob {
 public:
  static constexpr u32 slot_count = 4;
  static constexpr u32 layout = 1;

  static constexpr u64 footprint(u64 slot_bytes) {
    return sizeof(VersionedBlob) + slot_count * round_up(slot_bytes, page_bytes);
  }

  static VersionedBlob* format(void* zeroed_memory, u64 slot_bytes) {
    auto* blob = static_cast<VersionedBlob*>(zeroed_memory);
    blob->slot_bytes_ = round_up(slot_bytes, page_bytes);
    return blob;
  }

  u64 slot_bytes() const { return slot_bytes_; }

  // 0: nothing was published yet.
  u32 current_version() const { return current_.load(std::memory_order_acquire); }

  // The data of a version, or an empty span if it is not there (any more).
  Bytes read(u32 version) const {
    const Slot& slot = slots_[version % slot_count];
    if (version == 0 || slot.version.load(std::memory_order_acquire) != version) return {};
    return {slot_octets(version), slot.bytes};
  }

  // One writer. Returns the new version, or 0 if the data is larger than a slot.
  u32 publish(Bytes data) {
    if (data.size() > slot_bytes_) return 0;
    const u32 version = current_version() + 1;
    Slot& slot = slots_[version % slot_count];
    slot.version.store(0, std::memory_order_release);
    std::memcpy(slot_octets(version), data.data(), data.size());
    slot.bytes = data.size();
    slot.version.store(version, std::memory_order_release);
    current_.store(version, std::memory_order_release);
    return version;
  }

 private:
  struct Slot {
    std::atomic<u32> version;
    u32 reserved;
    u64 bytes;
  };

  u8* slot_octets(u32 version) const {
    auto* begin = reinterpret_cast<u8*>(const_cast<VersionedBlob*>(this) + 1);
    return begin + (version % slot_count) * slot_bytes_;
  }

  u64 slot_bytes_;
  std::atomic<u32> current_;
  u32 reserved_;
  Slot slots_[slot_count];
  u8 padding_[page_bytes - 16 - slot_count * 16];
};
static_assert(sizeof(VersionedBlob) == page_bytes);

}  // namespace tollgate
