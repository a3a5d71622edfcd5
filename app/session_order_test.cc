// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "app/session_order.hh"

#include <gtest/gtest.h>

#include "app/charge_rig.hh"

namespace tollgate::app {
namespace {

SessionOrder sample() {
  SessionOrder order{.origin_host = 0x123456789abcdef0,
                     .part = 4'294'967'295,
                     .session_hash = 77,
                     .kind = OrderKind::abort,
                     .shard = 63,
                     .session_id_bytes = 9,
                     .scope = OrderScope::pool};
  std::string_view("host;1;22").copy(order.session_id.data(), 9);
  return order;
}

TEST(SessionOrder, an_answer_brings_its_order_back) {
  SessionOrder order = sample();
  order.tiles_tried = 0xffff;
  alignas(8) std::array<u8, order_answer_bytes> frame{};
  write_order_answer(order, 5002, frame);
  const ChargeRequestView answer(frame);
  EXPECT_EQ(answer.head().number, 5002u);
  EXPECT_EQ(answer.head().kind, RequestKind::session_answer);
  const SessionOrder back = read_order_answer(answer);
  EXPECT_EQ(back.origin_host, order.origin_host);
  EXPECT_EQ(back.part, order.part);
  EXPECT_EQ(back.scope, order.scope);
  EXPECT_EQ(back.session_hash, order.session_hash);
  EXPECT_EQ(back.kind, order.kind);
  EXPECT_EQ(back.shard, order.shard);
  EXPECT_EQ(back.tiles_tried, order.tiles_tried);
  EXPECT_EQ(back.session_id_text(), "host;1;22");
}

TEST(SessionOrder, a_way_is_told_apart_by_all_its_parts) {
  const Way way = Way::make(15, 16'383, 8'191);
  EXPECT_FALSE(way.is_none());
  EXPECT_EQ(way.tile(), 15u);
  EXPECT_EQ(way.index(), 16'383u);
  EXPECT_TRUE(way.is_generation(8'191));
  EXPECT_FALSE(way.is_generation(8'190));
  EXPECT_FALSE(Way::make(0, 0, 0).is_none());
  EXPECT_TRUE(Way{}.is_none());
}

// The tile that the session was last heard on first, then each other, and then it ends.
TEST(SessionOrder, every_net_tile_is_asked_once) {
  constexpr u32 tile_count = 16;
  constexpr u64 link_bytes = 4096;
  std::vector<PageMemory> memory;
  std::vector<LinkMemory*> links;
  for (u32 i = 0; i < tile_count; ++i) {
    memory.emplace_back(LinkMemory::footprint(link_bytes));
    links.push_back(LinkMemory::format(memory.back().data(), link_bytes));
  }
  OrderLinks orders(links);
  std::vector<LinkConsumer> tiles;
  for (LinkMemory* link : links) tiles.emplace_back(link);
  SessionOrder order = sample();
  order.way = Way::make(13, 5, 1);
  for (u32 asked = 0; asked < tile_count; ++asked) {
    ASSERT_TRUE(orders.send(order));
    for (u32 tile = 0; tile < tile_count; ++tile) {
      Bytes frame;
      if (!tiles[tile].next(frame)) continue;
      EXPECT_TRUE(asked != 0 || tile == 13);
      EXPECT_EQ(order.tiles_tried >> tile & 1, 0u);
      order.tiles_tried |= u32{1} << tile;
    }
    order.way = {};
  }
  EXPECT_EQ(order.tiles_tried, 0xffffu);
  EXPECT_FALSE(orders.send(order));
}

}  // namespace
}  // namespace tollgate::app
