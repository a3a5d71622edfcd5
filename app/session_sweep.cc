// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "app/session_sweep.hh"

#include "ledger/limits.hh"

namespace tollgate::app {

void SessionSweep::next_shard() {
  next_ = 1;
  shard_ = (shard_ + 1) % ledger::shard_count;
  // One that was added in the middle of a shard has its round when all have been done from their
  // beginning, which is one more.
  u32 kept = 0;
  for (u32 i = 0; i < client_count_; ++i) {
    if (++clients_[i].shards_done <= ledger::shard_count) clients_[kept++] = clients_[i];
  }
  client_count_ = kept;
}

}  // namespace tollgate::app
