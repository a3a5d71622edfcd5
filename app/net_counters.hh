// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// What a net tile counts: messages, answers by Result-Code, and every drop and refusal by name.
// `tollctl stats` and the documentation are made from this table. The transport's own counters
// (dataplane/counters.hh) follow behind it in the same block.
#pragma once

#include "base/counters.hh"

namespace tollgate::app {

struct NetCounters {
  u64 ccr_received;
  u64 cca_sent;
  u64 peers_open;
  u64 peer_messages;
  u64 answer_ticks;
  u64 receive_ticks;
  u64 batches;
  u64 drop_answer_late;
  u64 drop_output_full;
  u64 drop_answer_unexpected;
  u64 drop_frame_broken;
  u64 drop_peer_not_allowed;
  u64 drop_connections_full;
  u64 drop_before_capabilities;
  u64 refused_pending_full;
  u64 refused_link_full;
  u64 refused_decode;
  u64 refused_command;
  u64 refused_identity_changing;
  u64 refused_account_unknown;
  u64 refused_session_unknown;
  u64 peer_closed_by_timeout;
  u64 peer_refused;
  u64 peer_displaced;
  u64 peer_restarts;
  u64 peer_calls_failed;
  u64 drop_unauthenticated_full;
  u64 drop_capabilities_too_long;
  u64 refused_loop;
  u64 refused_overload;
  u64 orders_sent;
  u64 refused_orders_full;
  u64 drop_order_answer;
  u64 normalised;
  u64 refused_number_unusable;
  u64 refused_program_failed;
  u64 refused_avp_missing;
  u64 refused_no_rule;
  u64 priced_as_came;
  u64 rules_unusable;
  u64 traced;
  u64 drop_trace_full;
  u64 refused_not_ready;
  u64 refused_amount;
  u64 input_lag_us;
};

inline constexpr CounterName net_counter_names[] = {
    {"ccr_received", "credit-control requests that were whole messages"},
    {"cca_sent", "credit-control answers sent, refusals included"},
    {"peers_open", "connections whose peer has exchanged capabilities, now"},
    {"peer_messages", "messages of the base protocol: CER, DWR, DPR and their answers"},
    {"answer_ticks", "processor ticks in taking answers and encoding them"},
    {"receive_ticks", "processor ticks in frames, TCP, decoding and routing"},
    {"batches", "batches of requests routed to charge tiles"},
    {"drop_answer_late", "answers whose request waited no longer: its connection had closed"},
    {"drop_output_full", "connections ended because their peer did not read its answers"},
    {"drop_answer_unexpected", "answers from peers that nobody waits for"},
    {"drop_frame_broken", "connections ended because message boundaries were lost"},
    {"drop_peer_not_allowed", "connections from addresses that are not allowed"},
    {"drop_connections_full", "connections beyond the limit"},
    {"drop_before_capabilities", "connections ended whose first message was not a CER"},
    {"refused_pending_full", "requests refused as too busy: too many wait for answers"},
    {"refused_link_full", "requests refused as too busy: the charge tile is behind"},
    {"refused_decode", "requests refused when decoded, with Failed-AVP"},
    {"refused_command", "requests of other applications or commands, refused"},
    {"refused_identity_changing",
     "requests refused because the index was just being changed where their identity lies"},
    {"refused_account_unknown", "requests refused because no account has their identities"},
    {"refused_session_unknown", "requests refused because their session is not known"},
    {"peer_closed_by_timeout", "connections ended by watchdog or capabilities timeout"},
    {"peer_refused", "connections refused in the capabilities exchange"},
    {"peer_displaced", "connections ended in favour of another one to the same peer"},
    {"peer_restarts", "peers that told a higher Origin-State-Id: their sessions are ended"},
    {"peer_calls_failed", "connections of ours to a peer that came to nothing"},
    {"drop_unauthenticated_full", "connections beyond the limit of those without a CER"},
    {"drop_capabilities_too_long", "connections ended whose first message was too long for a CER"},
    {"refused_loop", "requests refused because a Route-Record has our name"},
    {"refused_overload", "requests that begin something, refused as too busy before decoding"},
    {"orders_sent", "Re-Auth- and Abort-Session-Requests sent, repetitions included"},
    {"refused_orders_full", "such requests not sent: too many wait for their answers"},
    {"drop_order_answer", "answers to them that the charge tile had no room for"},
    {"normalised", "requests that normalising rules have looked at"},
    {"refused_number_unusable", "requests refused because an AVP holds no number, but a rule asks"},
    {"refused_program_failed", "requests refused because a rule's Python function had no result"},
    {"refused_avp_missing", "requests refused because an AVP that a rule needs is missing"},
    {"refused_no_rule", "requests refused because no normalising rule fits"},
    {"priced_as_came", "reports by the client's own rating group, for no normalising rule fits"},
    {"rules_unusable", "normalising rules that were published and cannot be used"},
    {"traced", "messages copied for somebody who watches"},
    {"drop_trace_full", "messages not copied for him, because he is too slow"},
    {"refused_not_ready",
     "requests refused as too busy: a good-bye was said, or no tariff is there"},
    {"refused_amount",
     "requests refused because an amount in them is larger than the ledger holds"},
    {"input_lag_us", "microseconds that input waits before it is looked at, as last seen"},
};
static_assert(std::size(net_counter_names) * sizeof(u64) == sizeof(NetCounters));

// The Result-Codes that are counted one by one; others share the last place.
inline constexpr u32 counted_result_codes[] = {
    2001, 2002, 3001, 3002, 3003, 3004, 3005, 3007, 3008, 3009, 3010, 4010, 4011, 4012, 5001,
    5002, 5003, 5004, 5005, 5006, 5007, 5008, 5009, 5011, 5012, 5014, 5015, 5030, 5031};
inline constexpr u32 result_place_count = std::size(counted_result_codes) + 1;

// The place of a code in the counters that follow NetCounters.
constexpr u32 result_place(u32 code) {
  for (u32 i = 0; i < std::size(counted_result_codes); ++i) {
    if (counted_result_codes[i] == code) return i;
  }
  return result_place_count - 1;
}

// All names of a net tile's block, in order: NetCounters, results, transport.
std::span<const CounterName> net_block_names();

// Where in the block each part begins.
inline constexpr u32 net_results_at = std::size(net_counter_names);
inline constexpr u32 net_transport_at = net_results_at + result_place_count;

}  // namespace tollgate::app
