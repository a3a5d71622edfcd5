// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// PendingTable: requests that wait for their answer, in the net tile that took them.
//
// A slot keeps what the answer needs of its message. Its number and generation travel as the tag,
// so an answer that comes late, twice, or from another life of this tile finds nobody and is
// dropped.
#pragma once

#include <memory>
#include <vector>

#include "app/charge_request.hh"
#include "app/translate.hh"
#include "dataplane/stream.hh"
#include "ledger/journal_format.hh"

namespace tollgate::app {

struct alignas(cache_line_bytes) Pending {
  static constexpr u32 proxy_info_bytes_max = 512;

  u32 generation = 0;  // odd while in use
  u32 next_free = 0;
  dataplane::StreamId stream;
  u32 hop_by_hop = 0;
  u32 end_to_end = 0;
  u32 number = 0;
  RequestKind kind = RequestKind::none;
  bool is_proxiable = false;
  bool reports_overload = false;  // its client supports RFC 7683
  u8 traces = 0;                  // who watches it: ledger/trace.hh
  u16 session_id_bytes = 0;
  u16 proxy_info_bytes = 0;
  u16 identifier_words = 0;  // of MSCCs with several Service-Identifiers
  u64 received_tsc = 0;
  u8 session_id[ledger::session_id_bytes_max];
};

class PendingTable {
 public:
  // `first_generation` differs from one life of the tile to the next.
  PendingTable(u32 tile, u32 slot_count, u32 first_generation);

  // nullptr if all slots are taken.
  Pending* take();
  void give(Pending& pending);

  ledger::AnswerTag tag_of(const Pending& pending) const;
  // The request that the tag means, or nullptr.
  Pending* find(ledger::AnswerTag tag);
  void prefetch(ledger::AnswerTag tag) const;

  // Room for the Proxy-Info of a slot's request: rare, so it lies apart.
  u8* proxy_info(const Pending& pending) {
    return proxy_infos_.data() + index_of(pending) * u64{Pending::proxy_info_bytes_max};
  }
  // The same for the Service-Identifiers of an MSCC that has several.
  u32* identifiers(const Pending& pending) {
    return identifiers_.get() + index_of(pending) * u64{identifier_words_max};
  }
  u32 used_count() const { return used_count_; }

 private:
  static void prefetch(const Pending& pending);
  u32 index_of(const Pending& pending) const { return static_cast<u32>(&pending - slots_.data()); }

  u32 tile_;
  std::vector<Pending> slots_;
  std::vector<u8> proxy_infos_;
  std::unique_ptr<u32[]> identifiers_;
  u32 free_first_ = 0;  // index + 1
  u32 used_count_ = 0;
};

}  // namespace tollgate::app
