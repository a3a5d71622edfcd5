// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "app/pending.hh"

#include "base/check.hh"

namespace tollgate::app {
namespace {

// A tag's own 56 bits: generation above index.
constexpr u32 index_bits = 24;
constexpr u32 generation_mask = 0xffff'ffffU;

}  // namespace

PendingTable::PendingTable(u32 tile, u32 slot_count, u32 first_generation)
    : tile_(tile),
      slots_(slot_count),
      proxy_infos_(u64{slot_count} * Pending::proxy_info_bytes_max),
      identifiers_(std::make_unique_for_overwrite<u32[]>(u64{slot_count} * identifier_words_max)) {
  check(slot_count < (u32{1} << index_bits), "a slot's number fits the tag");
  for (u32 i = slot_count; i-- > 0;) {
    slots_[i].generation = first_generation & ~1U;
    slots_[i].next_free = free_first_;
    free_first_ = i + 1;
  }
}

Pending* PendingTable::take() {
  if (free_first_ == 0) return nullptr;
  Pending& pending = slots_[free_first_ - 1];
  free_first_ = pending.next_free;
  ++pending.generation;
  pending.proxy_info_bytes = 0;
  pending.identifier_words = 0;
  ++used_count_;
  if (free_first_ != 0) prefetch(slots_[free_first_ - 1]);  // for the next one
  return &pending;
}

void PendingTable::give(Pending& pending) {
  check((pending.generation & 1) == 1, "only a slot in use is given back");
  ++pending.generation;
  pending.next_free = free_first_;
  free_first_ = index_of(pending) + 1;
  --used_count_;
}

ledger::AnswerTag PendingTable::tag_of(const Pending& pending) const {
  return ledger::AnswerTag::net(tile_, u64{pending.generation} << index_bits | index_of(pending));
}

Pending* PendingTable::find(ledger::AnswerTag tag) {
  const u64 index = tag.own() & ((u64{1} << index_bits) - 1);
  if (index >= slots_.size()) return nullptr;
  Pending& pending = slots_[index];
  const u32 generation = static_cast<u32>(tag.own() >> index_bits) & generation_mask;
  return pending.generation == generation && (generation & 1) == 1 ? &pending : nullptr;
}

void PendingTable::prefetch(ledger::AnswerTag tag) const {
  const u64 index = tag.own() & ((u64{1} << index_bits) - 1);
  if (index < slots_.size()) prefetch(slots_[index]);
}

// The head and the beginning of the Session-Id.
void PendingTable::prefetch(const Pending& pending) {
  const auto* at = reinterpret_cast<const u8*>(&pending);
  for (u32 line = 0; line < 3 * cache_line_bytes; line += cache_line_bytes) {
    __builtin_prefetch(at + line, 1);
  }
}

}  // namespace tollgate::app
