// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// SessionOrder: what a charge tile wants a client to be asked about a session, and what came of it.
//
//   charge<C>_net<N>   SessionOrder     a RAR or an ASR is to be sent
//   net<N>_charge<C>   a ChargeRequest of kind session_answer: the end of it
//
// The net tile that the client's last request came through finds the connection: that very one, or
// another of the same client. It sends the request again where there is no answer, and tells the
// charge tile the client's Result-Code, or one of the results below. If it knows no way, the
// charge tile asks the next net tile. Nothing is kept over a restart: an order is a hint to the
// client, whose quota runs out by itself.
#pragma once

#include <array>
#include <vector>

#include "app/charge_request.hh"
#include "base/link.hh"

namespace tollgate::app {

enum class OrderKind : u8 { re_auth = 1, abort = 2 };
// What a RAR is narrowed to (RFC 8506 section 5.5).
enum class OrderScope : u8 { session = 0, rating_group = 1, pool = 2 };

// Beside Result-Codes.
namespace order_result {
inline constexpr u32 silent = 0;     // no answer, however often it was asked
inline constexpr u32 no_way = 1;     // no connection to that client
inline constexpr u32 not_taken = 2;  // its profile says that it would be in vain
}  // namespace order_result

struct SessionOrder {
  u64 origin_host = 0;  // hash of the client's name
  u32 part = 0;         // the Rating-Group or G-S-U-Pool-Identifier, by scope
  Way way;
  u32 session_hash = 0;
  OrderKind kind = OrderKind::re_auth;
  u8 shard = 0;
  u8 session_id_bytes = 0;
  OrderScope scope = OrderScope::session;
  u32 tiles_tried = 0;  // a bit for each net tile that knew no way
  u32 reserved = 0;
  std::array<char, ledger::session_id_bytes_max> session_id{};

  std::string_view session_id_text() const { return {session_id.data(), session_id_bytes}; }
};
static_assert(sizeof(SessionOrder) == 32 + ledger::session_id_bytes_max);

// Room for the answer to an order on a net_charge link; the caller commits it.
inline constexpr u64 order_answer_bytes =
    sizeof(ChargeRequest) + round_up(ledger::session_id_bytes_max, 8);
void write_order_answer(const SessionOrder& order, u32 result, MutableBytes frame);
// The order that it answers.
SessionOrder read_order_answer(ChargeRequestView answer);

// The producers of charge<C>_net<N>, by net tile.
class OrderLinks {
 public:
  explicit OrderLinks(const std::vector<LinkMemory*>& links) {
    for (LinkMemory* link : links) links_.emplace_back(link);
  }
  // To the tile that the order's way leads through, or to the first that has not been asked. False:
  // all were asked, there is none, or its link is full.
  [[nodiscard]] bool send(const SessionOrder& order);

 private:
  std::vector<LinkProducer> links_;
};

}  // namespace tollgate::app
