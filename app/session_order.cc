// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "app/session_order.hh"

#include "base/check.hh"

namespace tollgate::app {

void write_order_answer(const SessionOrder& order, u32 result, MutableBytes frame) {
  const u64 bytes = ChargeRequestView::frame_bytes(0, order.session_id_bytes);
  check(frame.size() >= bytes, "the frame was asked for with room for any Session-Id");
  auto* head = new (frame.data()) ChargeRequest;
  *head = {.tag = ledger::AnswerTag::none(),
           .received_ns = order.tiles_tried,
           .service_context = u64{static_cast<u8>(order.scope)} << 32 | order.part,
           .origin_host = order.origin_host,
           .number = result,
           .session_hash = order.session_hash,
           .kind = RequestKind::session_answer,
           .action = static_cast<EventAction>(order.kind),
           .shard = order.shard,
           .session_id_bytes = order.session_id_bytes};
  std::memcpy(frame.data() + sizeof *head, order.session_id.data(), order.session_id_bytes);
}

SessionOrder read_order_answer(ChargeRequestView answer) {
  const ChargeRequest& head = answer.head();
  SessionOrder order{.origin_host = head.origin_host,
                     .part = static_cast<u32>(head.service_context),
                     .session_hash = head.session_hash,
                     .kind = static_cast<OrderKind>(head.action),
                     .shard = head.shard,
                     .session_id_bytes = static_cast<u8>(head.session_id_bytes),
                     .scope = static_cast<OrderScope>(head.service_context >> 32),
                     .tiles_tried = static_cast<u32>(head.received_ns)};
  check(answer.session_id().size() <= order.session_id.size(), "it came out of an order");
  answer.session_id().copy(order.session_id.data(), order.session_id.size());
  return order;
}

bool OrderLinks::send(const SessionOrder& order) {
  u32 tile = order.way.is_none() ? 0 : order.way.tile();
  for (u32 i = 0; i < links_.size(); ++i, ++tile) {
    if (tile >= links_.size()) tile = 0;
    if ((order.tiles_tried >> tile & 1) != 0) continue;
    const MutableBytes room = links_[tile].reserve(sizeof order);
    if (room.empty()) return false;
    std::memcpy(room.data(), &order, sizeof order);
    links_[tile].commit(sizeof order);
    links_[tile].publish();
    return true;
  }
  return false;
}

}  // namespace tollgate::app
