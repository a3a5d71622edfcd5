// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "app/journal_tile.hh"

namespace tollgate::app {
namespace {

std::vector<LinkConsumer> consumers_of(const std::vector<LinkMemory*>& links) {
  std::vector<LinkConsumer> consumers;
  for (LinkMemory* link : links) consumers.emplace_back(link);
  return consumers;
}

}  // namespace

JournalTile::JournalTile(const JournalTileOptions& options, ledger::JournalMemory& memory,
                         ledger::JournalStorage& storage, ledger::JournalCounters& counters)
    : writer_(memory, storage, consumers_of(options.charge_links), counters, options.write_sizes),
      control_(options.control_link) {
  for (LinkMemory* link : options.net_links) nets_.emplace_back(link);
}

// An answer to a net tile that is no more, or to a request that it has forgotten, is dropped there.
bool JournalTile::release(ledger::AnswerTag tag, Bytes answer) {
  if (tag.is_net() && tag.net_tile() >= nets_.size()) return true;
  LinkProducer& link = tag.is_net() ? nets_[tag.net_tile()] : control_;
  const u64 size = sizeof(ledger::AnswerFrameHead) + answer.size();
  const MutableBytes room = link.reserve(size);
  if (room.empty()) return false;
  std::memcpy(room.data(), &tag, sizeof tag);
  std::memcpy(room.data() + sizeof tag, answer.data(), answer.size());
  link.commit(size);
  return true;
}

u32 JournalTile::poll(const Turn& turn) {
  const u32 work = writer_.poll(turn.tsc, turn.now, [this](ledger::AnswerTag tag, Bytes answer) {
    return release(tag, answer);
  });
  if (work != 0) {
    for (LinkProducer& link : nets_) link.publish();
    control_.publish();
  }
  return work;
}

void JournalTile::housekeep(const Turn& turn) {
  writer_.housekeep();
  if (!writer_.is_idle() || turn.now < idle_since_) idle_since_ = turn.now;
  if (turn.now - idle_since_ >= idle_before_seal) (void)writer_.seal(turn.tsc, turn.now);
}

}  // namespace tollgate::app
