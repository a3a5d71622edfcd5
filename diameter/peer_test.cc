// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "diameter/peer.hh"

#include <gtest/gtest.h>

#include "diameter/avp_ids.hh"
#include "diameter/credit_control_put.hh"
#include "diameter/dispatch.hh"
#include "diameter/peer_messages.hh"
#include "diameter/sample_messages.hh"

namespace tollgate::diameter {
namespace {

using samples::Message;

constexpr Instant start = Instant::from_seconds(1'795'000'000);
const std::array<HostAddress, 2> addresses{HostAddress{false, {198, 18, 0, 1}},
                                           HostAddress{true, {0xfd, 0}}};

LocalNode make_node(std::string_view host) {
  LocalNode node;
  node.origin = OriginBlock(host, "tollgate.example");
  node.host_addresses = addresses;
  return node;
}

ResultCode result_of(Bytes message) {
  Avp avp;
  return find_first(message.subspan(header_bytes), avp::result_code, avp)
             ? static_cast<ResultCode>(avp.as_u32())
             : ResultCode::none;
}

class PeerTest : public testing::Test {
 protected:
  Bytes written(const Reaction& reaction) const { return Bytes(out_).first(reaction.send_bytes); }
  Message capabilities(const LocalNode& node) {
    Message message(1024);
    message.resize(encode_capabilities_request(node, {.hop_by_hop = 9, .end_to_end = 8}, message));
    return message;
  }
  PeerConnection responder() { return PeerConnection(ocs_, {.now = start}); }
  PeerConnection opened() {
    PeerConnection peer = responder();
    EXPECT_EQ(peer.on_message(capabilities(client_), start, out_).event, PeerEvent::opened);
    return peer;
  }

  LocalNode ocs_ = make_node("ocs.tollgate.example");
  LocalNode client_ = make_node("pgw.tollgate.example");
  std::array<u8, peer_answer_bytes_max> out_{};
};

TEST_F(PeerTest, OpensAfterASoundCapabilitiesExchange) {
  PeerConnection ocs = responder();
  PeerConnection client(client_, {.role = PeerRole::initiator, .now = start, .seed = 2});
  EXPECT_EQ(client.state(), PeerState::wait_transport);
  const Reaction sent = client.on_transport_up(start, out_);
  const Message request(out_.begin(), out_.begin() + static_cast<std::ptrdiff_t>(sent.send_bytes));
  Refusal refusal;
  EXPECT_TRUE(check_message(request, refusal));
  const Reaction got = ocs.on_message(request, start, out_);
  EXPECT_EQ(got.event, PeerEvent::opened);
  EXPECT_TRUE(ocs.is_trusted());
  EXPECT_EQ(ocs.facts().host.view(), "pgw.tollgate.example");
  const Message answer(out_.begin(), out_.begin() + static_cast<std::ptrdiff_t>(got.send_bytes));
  EXPECT_EQ(result_of(answer), ResultCode::success);
  EXPECT_EQ(client.on_message(answer, start, out_).event, PeerEvent::opened);
  EXPECT_TRUE(client.is_open());
}

TEST_F(PeerTest, OffersTheApplicationAloneAndInsideTheVendorGroup) {
  PeerConnection ocs = responder();
  const Reaction reaction = ocs.on_message(capabilities(client_), start, out_);
  const Bytes body = written(reaction).subspan(header_bytes);
  Avp avp;
  ASSERT_TRUE(find_first(body, avp::auth_application_id, avp));
  EXPECT_EQ(avp.as_u32(), 4u);
  ASSERT_TRUE(find_first(body, avp::vendor_specific_application_id, avp));
  const Bytes group = avp.data();
  ASSERT_TRUE(find_first(group, avp::vendor_id, avp));
  EXPECT_EQ(avp.as_u32(), vendor_3gpp);
  ASSERT_TRUE(find_first(group, avp::auth_application_id, avp));
  EXPECT_EQ(avp.as_u32(), 4u);
  AvpCursor cursor(body);
  while (cursor.next(avp) == AvpStep::avp) {
    EXPECT_NE(shape_of(avp.code, avp.vendor), AvpShape::unknown);
    EXPECT_NE(avp.data_bytes(), 0u);
  }
}

TEST_F(PeerTest, RefusesByName) {
  struct Row {
    Admission admission;
    PeerEvent event;
    ResultCode code;
  };
  for (const Row& row :
       {Row{Admission::unknown_peer, PeerEvent::unknown_peer, ResultCode::unknown_peer},
        Row{Admission::election_lost, PeerEvent::election_lost, ResultCode::election_lost},
        Row{Admission::already_open, PeerEvent::already_open, ResultCode::none}}) {
    ocs_.admit_context = const_cast<Admission*>(&row.admission);
    ocs_.admit = [](void* context, const PeerFacts&) { return *static_cast<Admission*>(context); };
    PeerConnection peer = responder();
    const Reaction reaction = peer.on_message(capabilities(client_), start, out_);
    EXPECT_EQ(reaction.event, row.event);
    EXPECT_TRUE(reaction.close);
    EXPECT_EQ(peer.state(), PeerState::closed);
    if (row.code == ResultCode::none) {
      EXPECT_EQ(reaction.send_bytes, 0u);
    } else {
      EXPECT_EQ(result_of(written(reaction)), row.code);
      EXPECT_EQ(read_header(out_).is_error(), row.code == ResultCode::unknown_peer);
    }
  }
}

TEST_F(PeerTest, RefusesWithoutCommonApplicationOrWithGaps) {
  client_.credit_control = false;
  client_.accounting = true;
  PeerConnection stranger = responder();
  Reaction reaction = stranger.on_message(capabilities(client_), start, out_);
  EXPECT_EQ(reaction.event, PeerEvent::no_common_application);
  EXPECT_TRUE(reaction.close);
  EXPECT_EQ(result_of(written(reaction)), ResultCode::no_common_application);

  client_ = make_node("pgw.tollgate.example");
  client_.host_addresses = {};
  PeerConnection gap = responder();
  reaction = gap.on_message(capabilities(client_), start, out_);
  EXPECT_EQ(reaction.event, PeerEvent::capabilities_malformed);
  EXPECT_EQ(result_of(written(reaction)), ResultCode::missing_avp);
}

TEST_F(PeerTest, AcceptsTheApplicationInTheVendorGroupOnly) {
  Message message(512);
  AvpWriter writer = begin_message(message);
  writer.put_raw(client_.origin.avps());
  writer.put_octets(avp::host_ip_address, std::array<u8, 6>{0, 1, 198, 18, 0, 2});
  writer.put_u32(avp::vendor_id, 0);
  writer.put_text(avp::product_name, "x");
  u8* const group = writer.open(avp::vendor_specific_application_id);
  writer.put_u32(avp::vendor_id, vendor_3gpp);
  writer.put_u32(avp::auth_application_id, 4);
  writer.close(group);
  message.resize(finish_message(
      writer, {.flags = flag_request, .command = Command::capabilities_exchange}, message));
  PeerConnection peer = responder();
  EXPECT_EQ(peer.on_message(message, start, out_).event, PeerEvent::opened);
}

TEST_F(PeerTest, ClosesSilentlyWhenTheFirstMessageIsNoCapabilitiesRequest) {
  PeerConnection peer = responder();
  const Reaction reaction = peer.on_message(samples::data_update(), start, out_);
  EXPECT_EQ(reaction.event, PeerEvent::first_not_capabilities);
  EXPECT_TRUE(reaction.close);
  EXPECT_EQ(reaction.send_bytes, 0u);
}

TEST_F(PeerTest, ClosesWhenNoCapabilitiesCome) {
  PeerConnection peer = responder();
  EXPECT_EQ(peer.next_deadline(), start + ocs_.capabilities_timeout);
  EXPECT_FALSE(peer.on_time(start + Duration::seconds(9), out_).close);
  EXPECT_EQ(peer.on_time(start + Duration::seconds(10), out_).event,
            PeerEvent::capabilities_timeout);
}

TEST_F(PeerTest, WatchesASilentPeer) {
  PeerConnection peer = opened();
  Instant now = peer.next_deadline();
  EXPECT_GE(now, start + Duration::seconds(28));
  EXPECT_LE(now, start + Duration::seconds(32));
  EXPECT_EQ(peer.on_time(now, out_).event, PeerEvent::watchdog_sent);
  EXPECT_TRUE(peer.is_trusted());
  now = peer.next_deadline();
  EXPECT_EQ(peer.on_time(now, out_).event, PeerEvent::suspected);
  EXPECT_FALSE(peer.is_trusted());
  now = peer.next_deadline();
  const Reaction reaction = peer.on_time(now, out_);
  EXPECT_EQ(reaction.event, PeerEvent::watchdog_timeout);
  EXPECT_TRUE(reaction.close);
}

TEST_F(PeerTest, AnyTrafficPutsTheWatchdogOff) {
  PeerConnection peer = opened();
  peer.on_traffic(start + Duration::seconds(27));
  EXPECT_EQ(peer.on_time(start + Duration::seconds(50), out_).event, PeerEvent::none);
  const Instant now = peer.next_deadline();
  EXPECT_EQ(peer.on_time(now, out_).event, PeerEvent::watchdog_sent);
  EXPECT_EQ(peer.on_time(peer.next_deadline(), out_).event, PeerEvent::suspected);
  peer.on_traffic(now + Duration::seconds(90));
  EXPECT_TRUE(peer.is_trusted());
}

TEST_F(PeerTest, AnswersTheWatchdogAndSeesARestart) {
  PeerConnection peer = opened();
  Message request(256);
  client_.origin_state_id = 2;
  request.resize(encode_watchdog_request(client_, {.hop_by_hop = 77}, request));
  Reaction reaction = peer.on_message(request, start, out_);
  EXPECT_EQ(reaction.event, PeerEvent::peer_restarted);
  EXPECT_EQ(result_of(written(reaction)), ResultCode::success);
  EXPECT_EQ(read_header(out_).hop_by_hop, 77u);
  EXPECT_EQ(peer.on_message(request, start, out_).event, PeerEvent::watchdog_answered);
}

TEST_F(PeerTest, ReopensAfterThreeWatchdogAnswers) {
  PeerConnection peer(ocs_, {.now = start, .is_reopened = true});
  Reaction reaction = peer.on_message(capabilities(client_), start, out_);
  EXPECT_EQ(peer.watchdog(), Watchdog::reopen);
  Bytes request = written(reaction).subspan(read_header(out_).length_bytes);
  Instant now = start;
  for (int count = 1; count <= 3; ++count) {
    EXPECT_FALSE(peer.is_trusted());
    Message answer(256);
    answer.resize(encode_watchdog_answer(client_, read_header(request), answer));
    EXPECT_EQ(peer.on_message(answer, now, out_).event, PeerEvent::watchdog_received);
    if (count == 3) break;
    now = peer.next_deadline();
    reaction = peer.on_time(now, out_);
    ASSERT_EQ(reaction.event, PeerEvent::watchdog_sent);
    request = written(reaction);
  }
  EXPECT_TRUE(peer.is_trusted());
}

TEST_F(PeerTest, DisconnectsBothWays) {
  PeerConnection ocs = opened();
  Message request(256);
  request.resize(encode_disconnect_request(client_, {.hop_by_hop = 3},
                                           DisconnectCause::do_not_want_to_talk, request));
  Reaction reaction = ocs.on_message(request, start, out_);
  EXPECT_EQ(reaction.event, PeerEvent::disconnect_requested);
  EXPECT_EQ(result_of(written(reaction)), ResultCode::success);
  EXPECT_EQ(ocs.disconnect_cause(), DisconnectCause::do_not_want_to_talk);
  EXPECT_FALSE(reaction.close);
  EXPECT_EQ(ocs.on_time(start + ocs_.disconnect_timeout, out_).event,
            PeerEvent::disconnect_timeout);

  PeerConnection leaving = opened();
  reaction = leaving.disconnect(DisconnectCause::rebooting, start, out_);
  EXPECT_EQ(reaction.event, PeerEvent::disconnect_sent);
  Message answer(256);
  answer.resize(encode_disconnect_answer(client_, read_header(written(reaction)), answer));
  reaction = leaving.on_message(answer, start, out_);
  EXPECT_EQ(reaction.event, PeerEvent::disconnected);
  EXPECT_TRUE(reaction.close);
}

TEST_F(PeerTest, AnswersWhatItCannotUseAndStaysOpen) {
  PeerConnection peer = opened();
  EXPECT_EQ(peer.on_message(capabilities(client_), start, out_).event,
            PeerEvent::capabilities_answered);
  Message request(256);
  request.resize(encode_watchdog_request(client_, {}, request));
  request.resize(header_bytes);
  const Reaction reaction = peer.on_message(request, start, out_);
  EXPECT_EQ(reaction.event, PeerEvent::malformed);
  EXPECT_EQ(result_of(written(reaction)), ResultCode::missing_avp);
  EXPECT_TRUE(peer.is_open());
}

TEST(ElectionTest, ComparesNamesWithoutCase) {
  EXPECT_TRUE(wins_election("b.example", "A.example"));
  EXPECT_FALSE(wins_election("A.example", "b.example"));
  EXPECT_FALSE(wins_election("a.example", "A.EXAMPLE"));
  EXPECT_TRUE(same_identity("Pgw.Example", "pgw.example"));
}

}  // namespace
}  // namespace tollgate::diameter
