// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "app/net_tile.hh"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "app/net_rig.hh"
#include "diameter/peer_messages.hh"

namespace tollgate::app {
namespace {

using dataplane::StreamId;
using diameter::ResultCode;
using Octets = std::vector<u8>;

using Options = NetRig::Options;

// A NetRig with one account, and its clients' side.
class NetTileRig : public NetRig {
 public:
  explicit NetTileRig(const Options& options = {})
      : NetRig(options),
        client_node_{.origin = diameter::OriginBlock("pgw1.example", "example"),
                     .host_addresses = {&host_, 1}} {
    add_account("46701234567", "prepaid", {Amount{10'000'000}});
  }

  Octets capabilities_request() {
    Octets message(2048);
    message.resize(diameter::encode_capabilities_request(client_node_, {1, 1}, message));
    return message;
  }

  // A peer that has exchanged capabilities.
  StreamId open(const char* address = "198.18.0.9:5000") {
    const StreamId id = transport().accept(address);
    transport().deliver(id, capabilities_request());
    poll();
    EXPECT_GE(transport().take_output(id).size(), diameter::header_bytes);
    return id;
  }

  // The Result-Codes of the answers that went out.
  std::vector<u32> codes(StreamId id) {
    std::vector<u32> all;
    sent_ = sent(id);
    for (const Octets& message : sent_) {
      EXPECT_EQ(decode_answer(message, answer_), diameter::AnswerFault::none);
      all.push_back(static_cast<u32>(answer_.result_code));
    }
    return all;
  }
  const diameter::ReceivedAnswer& last_answer() const { return answer_; }

 private:
  diameter::HostAddress host_{.octets = {198, 18, 0, 9}};
  diameter::LocalNode client_node_;
  std::vector<Octets> sent_;  // what the last answer points into
  diameter::ReceivedAnswer answer_;
};

struct Ccr {
  diameter::RequestType type = diameter::RequestType::initial;
  u32 number = 0;
  std::string session = "pgw1.example;1";
  std::string subscriber = "46701234567";  // empty: none
  u64 used = 0;
  std::string route_state;  // of a Proxy-Info
};

Octets encode(const Ccr& ccr) {
  static diameter::CreditControlRequest request;
  static_cast<diameter::RequestHead&>(request) = {};
  request.header.flags = diameter::flag_proxiable;
  request.header.hop_by_hop = 1000 + ccr.number;
  request.header.end_to_end = 2000 + ccr.number;
  request.session_id = as_bytes(ccr.session);
  request.origin_host = as_bytes("pgw1.example");
  request.origin_realm = as_bytes("example");
  request.destination_realm = as_bytes("tollgate.example");
  request.service_context_id = as_bytes("32251@3gpp.org");
  request.type = ccr.type;
  request.number = ccr.number;
  if (!ccr.subscriber.empty()) {
    request.subscription_id_count = 1;
    request.subscription_id_pool[0] = {diameter::SubscriptionIdType::e164,
                                       as_bytes(ccr.subscriber)};
  }
  request.mscc_count = 1;
  request.mscc_pool[0] = {};
  request.mscc_pool[0].rating_group = 10;
  request.mscc_pool[0].requested = diameter::Requested::empty;
  if (ccr.used != 0) {
    request.used_pool_count = 1;
    request.used_pool[0] = {
        .units = {.kinds = diameter::unit_total_octets, .total_octets = ccr.used}};
    request.mscc_pool[0].used_count = 1;
  }
  Octets message(4096);
  message.resize(encode_request(request, {}, message));
  return message;
}

void put_u24(Octets& message, std::size_t at, u64 value) {
  message[at] = static_cast<u8>(value >> 16);
  message[at + 1] = static_cast<u8>(value >> 8);
  message[at + 2] = static_cast<u8>(value);
}

// Appends a Proxy-Info {Proxy-Host, Proxy-State of so many octets}.
void add_proxy_info(Octets& message, u32 state_bytes) {
  const auto put = [&](u32 code, u64 length) {
    const std::size_t at = message.size();
    message.resize(at + 8);
    message[at + 2] = static_cast<u8>(code >> 8);
    message[at + 3] = static_cast<u8>(code);
    message[at + 4] = 0x40;
    put_u24(message, at + 5, length);
  };
  const std::string host = "dra1.example";
  put(284, 8 + 8 + host.size() + 8 + state_bytes);
  put(280, 8 + host.size());
  message.insert(message.end(), host.begin(), host.end());
  put(33, 8 + state_bytes);
  message.resize(message.size() + round_up(state_bytes, 4), 0x5a);
  put_u24(message, 1, message.size());
}

TEST(NetTile, charges_over_a_stream) {
  NetTileRig rig;
  const StreamId peer = rig.open();
  EXPECT_EQ(rig.counters().peers_open, 1u);
  rig.transport().deliver(peer, encode({}));
  rig.turn();
  EXPECT_EQ(rig.codes(peer), std::vector<u32>{2001});
  ASSERT_EQ(rig.last_answer().mscc_count, 1u);
  EXPECT_EQ(rig.last_answer().mscc()[0].granted.total_octets, 10_MiB);
  EXPECT_EQ(rig.last_answer().header.hop_by_hop, 1000u);
  EXPECT_EQ(rig.last_answer().header.end_to_end, 2000u);
  EXPECT_EQ(as_text(rig.last_answer().session_id), "pgw1.example;1");
  rig.transport().deliver(
      peer, encode({.type = diameter::RequestType::termination, .number = 1, .used = 1_MiB}));
  rig.turn();
  EXPECT_EQ(rig.codes(peer), std::vector<u32>{2001});
  EXPECT_EQ(rig.charge().fault(), "");
  ASSERT_EQ(rig.charge().notes().size(), 1u);
  EXPECT_EQ(rig.charge().notes()[0].services[0].cost.count, 110'000);
}

TEST(NetTile, a_message_may_be_cut_anywhere) {
  NetTileRig rig;
  const StreamId peer = rig.open();
  rig.transport().deliver(peer, encode({}));
  rig.turn();
  ASSERT_EQ(rig.codes(peer), std::vector<u32>{2001});
  const std::size_t size = encode({.type = diameter::RequestType::update, .number = 1}).size();
  u32 number = 0;
  for (std::size_t cut = 1; cut < size; ++cut) {
    const Octets message = encode({.type = diameter::RequestType::update, .number = ++number});
    rig.transport().deliver(peer, Bytes(message).first(cut));
    rig.turn();
    ASSERT_TRUE(rig.codes(peer).empty()) << cut;
    rig.transport().deliver(peer, Bytes(message).subspan(cut));
    rig.turn();
    ASSERT_EQ(rig.codes(peer), std::vector<u32>{2001}) << cut;
    ASSERT_EQ(rig.last_answer().number, number);
  }
  const Octets message = encode({.type = diameter::RequestType::update, .number = ++number});
  for (const u8& octet : message) rig.transport().deliver(peer, {&octet, 1});
  rig.turn();
  EXPECT_EQ(rig.codes(peer), std::vector<u32>{2001});
}

TEST(NetTile, many_messages_may_come_at_once) {
  NetTileRig rig;
  const StreamId peer = rig.open();
  Octets chunk = encode({});
  for (u32 i = 1; i <= 300; ++i) {
    const Octets one = encode({.type = diameter::RequestType::update, .number = i});
    chunk.insert(chunk.end(), one.begin(), one.end());
  }
  rig.transport().deliver(peer, chunk);
  rig.turn();
  rig.poll();  // a turn takes 256 answers at most
  EXPECT_EQ(rig.codes(peer), std::vector<u32>(301, 2001));
  EXPECT_EQ(rig.charge().fault(), "");
}

TEST(NetTile, who_is_not_known_is_told) {
  NetTileRig rig;
  const StreamId peer = rig.open();
  rig.transport().deliver(peer, encode({.subscriber = "46709999999"}));
  rig.transport().deliver(peer, encode({.subscriber = ""}));
  rig.transport().deliver(peer, encode({.type = diameter::RequestType::update}));
  rig.transport().deliver(peer,
                          encode({.type = diameter::RequestType::termination, .subscriber = ""}));
  rig.poll();
  // The one whose account is known goes to its charge tile first.
  EXPECT_EQ(rig.codes(peer), (std::vector<u32>{5030, 5030, 5002}));
  rig.turn();
  EXPECT_EQ(rig.codes(peer), std::vector<u32>{5002});
  EXPECT_EQ(rig.counters().refused_account_unknown, 2u);
  EXPECT_EQ(rig.counters().refused_session_unknown, 1u);
}

TEST(NetTile, who_was_removed_is_not_taken_for_who_came_in_his_place) {
  NetTileRig rig;
  const StreamId peer = rig.open();
  const ledger::AccountRef gone = rig.add_account("46700000001", "prepaid", {Amount{1'000'000}});
  ledger::Command remove{.kind = ledger::CommandKind::remove_account, .account = gone};
  remove.shard = static_cast<u8>(gone.shard());
  ASSERT_EQ(rig.charge().command(remove).outcome, ledger::Outcome::ok);
  const ledger::AccountRef next = rig.add_account("46700000002", "prepaid", {Amount{1'000'000}});
  ASSERT_EQ(next, gone) << "the test is about a place that is given again";
  // The index still leads there.
  rig.transport().deliver(peer, encode({.subscriber = "46700000001"}));
  rig.turn();
  EXPECT_EQ(rig.codes(peer), std::vector<u32>{5030});
  rig.transport().deliver(peer, encode({.session = "another", .subscriber = "46700000002"}));
  rig.turn();
  EXPECT_EQ(rig.codes(peer), std::vector<u32>{2001});
  // Nor does a command that was meant for the one before.
  ledger::Command late{.kind = ledger::CommandKind::top_up, .bucket_count = 1, .account = gone};
  late.shard = remove.shard;
  late.account_id = 999;
  late.buckets[0] = {.amount = Amount{1}, .unit = Unit::eur};
  EXPECT_EQ(rig.charge().command(late).outcome, ledger::Outcome::account_unknown);
}

TEST(NetTile, a_request_without_subscriber_finds_its_session) {
  NetTileRig rig;
  const StreamId peer = rig.open();
  rig.transport().deliver(peer, encode({}));
  rig.turn();
  EXPECT_EQ(rig.codes(peer), std::vector<u32>{2001});
  const Octets update =
      encode({.type = diameter::RequestType::update, .number = 1, .subscriber = "", .used = 1});
  rig.transport().deliver(peer, update);
  rig.turn();
  EXPECT_EQ(rig.codes(peer), std::vector<u32>{2001});
  rig.transport().deliver(
      peer, encode({.type = diameter::RequestType::update, .number = 2, .subscriber = "1"}));
  rig.turn();
  EXPECT_EQ(rig.codes(peer), std::vector<u32>{2001});
}

TEST(NetTile, other_applications_and_commands_are_refused) {
  NetTileRig rig;
  const StreamId peer = rig.open();
  Octets gx = encode({});
  gx[8] = 0x01, gx[9] = 0x00, gx[10] = 0x00, gx[11] = 0x16;  // 16777238
  rig.transport().deliver(peer, gx);
  Octets unknown = encode({});
  unknown[7] = 99;
  rig.transport().deliver(peer, unknown);
  rig.turn();
  EXPECT_EQ(rig.codes(peer), (std::vector<u32>{3007, 3001}));
  EXPECT_EQ(rig.counters().refused_command, 2u);
}

TEST(NetTile, a_request_that_cannot_be_read_is_answered) {
  NetTileRig rig;
  const StreamId peer = rig.open();
  Octets bare(20);
  diameter::write_header({.flags = diameter::flag_request,
                          .length_bytes = 20,
                          .command = diameter::Command::credit_control,
                          .application = diameter::Application::credit_control},
                         bare);
  rig.transport().deliver(peer, bare);
  rig.transport().deliver(peer, encode({.session = std::string(200, 's')}));
  rig.turn();
  const std::vector<Octets> answers = rig.sent(peer);
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_TRUE(rig.transport().stream(peer).is_open);
  EXPECT_EQ(rig.counters().refused_decode, 2u);
  // Nothing of it was left waiting.
  rig.transport().deliver(peer, encode({}));
  rig.turn();
  EXPECT_EQ(rig.codes(peer), std::vector<u32>{2001});
}

TEST(NetTile, lost_frames_end_the_connection) {
  for (const u8 broken : {0, 1}) {
    NetTileRig rig;
    const StreamId peer = rig.open();
    Octets garbage = encode({});
    if (broken == 0) garbage[0] = 9;   // the version
    if (broken == 1) garbage[3] |= 1;  // the length
    rig.transport().deliver(peer, garbage);
    rig.transport().deliver(peer, encode({}));
    rig.turn();
    EXPECT_FALSE(rig.transport().stream(peer).is_open);
    ASSERT_EQ(rig.sent(peer).size(), 1u);
    EXPECT_EQ(rig.counters().drop_frame_broken, 1u);
    EXPECT_EQ(rig.counters().peers_open, 0u);
    EXPECT_TRUE(rig.tile().is_stopped());
  }
}

TEST(NetTile, without_a_place_to_wait_it_is_too_busy) {
  NetTileRig rig({.pending_max = 4});
  const StreamId peer = rig.open();
  for (u32 i = 0; i < 6; ++i) {
    rig.transport().deliver(peer, encode({.session = fmt::format("s;{}", i)}));
  }
  rig.poll();
  EXPECT_EQ(rig.codes(peer), std::vector<u32>(2, 3004));
  EXPECT_EQ(rig.counters().refused_pending_full, 2u);
  rig.turn();
  EXPECT_EQ(rig.codes(peer), std::vector<u32>(4, 2001));
  rig.transport().deliver(peer, encode({.session = "s;5"}));
  rig.turn();
  EXPECT_EQ(rig.codes(peer), std::vector<u32>{2001});
}

TEST(NetTile, when_the_charge_tile_is_behind_it_is_too_busy) {
  NetTileRig rig({.pending_max = 65536});
  const StreamId peer = rig.open();
  rig.transport().stream(peer).output_max = 1 << 30;
  u32 sent = 0;
  while (rig.counters().refused_link_full == 0 && sent < 60'000) {
    rig.transport().deliver(peer,
                            encode({.type = diameter::RequestType::update, .number = sent++}));
    rig.poll();
  }
  EXPECT_EQ(rig.codes(peer), std::vector<u32>{3004});
  rig.turn();
  while (!rig.charge().net_charge()) rig.turn();
  EXPECT_EQ(rig.charge().fault(), "");
}

TEST(NetTile, an_answer_for_nobody_is_dropped) {
  NetTileRig rig;
  const StreamId gone = rig.open();
  rig.transport().deliver(gone, encode({}));
  rig.poll();
  rig.transport().end(gone);
  rig.poll();
  rig.turn();
  EXPECT_EQ(rig.counters().drop_answer_late, 1u);
  // It was charged: the peer asks again on another connection and gets the stored answer.
  const StreamId back = rig.open();
  rig.transport().deliver(back, encode({}));
  rig.turn();
  EXPECT_EQ(rig.codes(back), std::vector<u32>{2001});
  EXPECT_EQ(rig.charge().counters().repeated, 1u);
  EXPECT_EQ(rig.charge().counters().initial, 1u);
}

TEST(NetTile, answers_of_another_life_find_nobody) {
  NetTileRig rig({.first_generation = 1000});
  const StreamId peer = rig.open();
  LinkProducer link(rig.charge().journal_net());
  for (const u64 own :
       {u64{1} << 24, u64{999} << 24, u64{1002} << 24, u64{4096} | u64{1001} << 24, u64{0}}) {
    const MutableBytes room = link.reserve(8 + sizeof(ledger::Answer));
    const ledger::AnswerTag tag = ledger::AnswerTag::net(0, own);
    const ledger::Answer answer{.number = 1};
    std::memcpy(room.data(), &tag, sizeof tag);
    std::memcpy(room.data() + 8, &answer, sizeof answer);
    link.commit(room.size());
  }
  link.publish();
  rig.transport().deliver(peer, encode({}));
  rig.poll();
  rig.poll();
  EXPECT_EQ(rig.counters().drop_answer_late, 5u);
  EXPECT_TRUE(rig.codes(peer).empty());
}

TEST(NetTile, peers_are_kept_alive_and_told_goodbye) {
  NetTileRig rig;
  const StreamId peer = rig.open();
  Octets watchdog(512);
  diameter::LocalNode node{.origin = diameter::OriginBlock("pgw1.example", "example")};
  watchdog.resize(diameter::encode_watchdog_request(node, {5, 6}, watchdog));
  rig.transport().deliver(peer, watchdog);
  rig.poll();
  std::vector<Octets> messages = rig.sent(peer);
  ASSERT_EQ(messages.size(), 1u);
  diameter::Header header = diameter::read_header(messages[0]);
  EXPECT_EQ(header.command, diameter::Command::device_watchdog);
  EXPECT_FALSE(header.is_request());

  rig.transport().deliver(peer, encode({}));
  rig.poll();  // one request is on its way when the tile stops
  rig.tile().begin_stop(rig.charge().now);
  rig.transport().deliver(peer, encode({.session = "late;1"}));
  rig.turn();
  messages = rig.sent(peer);
  ASSERT_EQ(messages.size(), 3u);
  header = diameter::read_header(messages[0]);
  EXPECT_EQ(header.command, diameter::Command::disconnect_peer);
  EXPECT_TRUE(header.is_request());
  const std::vector<u32> expected{3004,
                                  2001};  // the late one goes elsewhere, the other is answered
  for (u32 i = 0; i < 2; ++i) {
    diameter::ReceivedAnswer answer;
    ASSERT_EQ(decode_answer(messages[i + 1], answer), diameter::AnswerFault::none);
    EXPECT_EQ(static_cast<u32>(answer.result_code), expected[i]);
  }
  EXPECT_FALSE(rig.tile().is_stopped());
  Octets goodbye(512);
  goodbye.resize(diameter::encode_disconnect_answer(node, header, goodbye));
  rig.transport().deliver(peer, goodbye);
  rig.poll();
  EXPECT_TRUE(rig.tile().is_stopped());
  EXPECT_EQ(rig.counters().peers_open, 0u);
  EXPECT_EQ(rig.counters().peer_refused, 0u);
  // Nobody comes in any more.
  const StreamId late = rig.transport().accept("198.18.0.9:5001");
  rig.poll();
  EXPECT_FALSE(rig.transport().stream(late).is_open);
}

TEST(NetTile, who_does_not_read_is_cut_off) {
  NetTileRig rig;
  const StreamId peer = rig.open();
  rig.transport().stream(peer).output_max = 3000;
  for (u32 i = 0; i < 60; ++i) {
    rig.transport().deliver(peer, encode({.type = diameter::RequestType::update, .number = i}));
  }
  rig.turn();
  rig.turn();
  EXPECT_TRUE(rig.transport().stream(peer).was_aborted);
  EXPECT_EQ(rig.counters().drop_output_full, 1u);
  EXPECT_EQ(rig.counters().peers_open, 0u);
  EXPECT_TRUE(rig.tile().is_stopped());
}

TEST(NetTile, only_those_allowed_come_in) {
  Options options;
  options.allowed.resize(1);
  ASSERT_TRUE(dataplane::parse("198.18.0.0/24", options.allowed[0]));
  NetTileRig rig(options);
  const StreamId stranger = rig.transport().accept("198.18.1.9:5000");
  rig.transport().deliver(stranger, rig.capabilities_request());
  rig.poll();
  EXPECT_FALSE(rig.transport().stream(stranger).is_open);
  EXPECT_TRUE(rig.transport().take_output(stranger).empty());
  EXPECT_EQ(rig.counters().drop_peer_not_allowed, 1u);
  rig.open("198.18.0.9:5000");
  EXPECT_EQ(rig.counters().peers_open, 1u);
}

TEST(NetTile, capabilities_come_first) {
  NetTileRig rig;
  const StreamId peer = rig.transport().accept("198.18.0.9:5000");
  rig.transport().deliver(peer, encode({}));
  rig.poll();
  EXPECT_FALSE(rig.transport().stream(peer).is_open);
  EXPECT_TRUE(rig.transport().take_output(peer).empty());
  EXPECT_EQ(rig.counters().drop_before_capabilities, 1u);
  const StreamId silent = rig.transport().accept("198.18.0.9:5000");
  rig.poll();
  rig.charge().now = rig.charge().now + Duration::seconds(11);
  rig.tile().housekeep({.tsc = 1, .now = rig.charge().now});
  rig.poll();
  EXPECT_FALSE(rig.transport().stream(silent).is_open);
  EXPECT_EQ(rig.counters().peer_closed_by_timeout, 1u);
}

TEST(NetTile, proxies_get_their_state_back_or_a_refusal) {
  NetTileRig rig;
  const StreamId peer = rig.open();
  for (const u32 bytes : {4u, 460u, 600u, 9000u}) {
    Octets message = encode({.session = fmt::format("p;{}", bytes)});
    add_proxy_info(message, bytes);
    rig.transport().deliver(peer, message);
    rig.turn();
    const std::vector<u32> codes = rig.codes(peer);
    ASSERT_EQ(codes.size(), 1u) << bytes;
    EXPECT_EQ(codes[0], bytes <= 460 ? 2001u : 5006u) << bytes;
    EXPECT_EQ(rig.last_answer().proxy_info_count, 1u) << bytes;
  }
  EXPECT_EQ(rig.charge().counters().initial, 2u);
}

// The longest names and addresses that there can be still make whole answers.
TEST(NetTile, long_names_fit_an_answer) {
  Options options;
  options.identity = std::string(251, 'o') + ".ex";
  options.realm = std::string(251, 'r') + ".ex";
  options.tariff = fmt::format(R"(language 1
plan prepaid {{
  currency EUR
  service data {{ rule "web" group 10 {{ price 1EUR per 1MiB
    grant 20MiB
    threshold 20%
    validity 1h
    final redirect "http://{}.example/" }} }}
}}
)",
                               std::string(112, 'a'));
  NetTileRig rig(options);
  const StreamId peer = rig.open();
  Octets message = encode({.session = std::string(ledger::session_id_bytes_max, 's')});
  add_proxy_info(message, 440);
  rig.transport().deliver(peer, message);
  rig.turn();
  ASSERT_EQ(rig.codes(peer), std::vector<u32>{2001});
  EXPECT_EQ(rig.last_answer().mscc()[0].final_unit, diameter::FinalUnitAction::redirect);
  EXPECT_EQ(rig.last_answer().mscc()[0].redirect_address.size(), 112 + 16u);
}

TEST(NetTile, what_clients_are_told_is_counted_by_name) {
  NetTileRig rig;
  const StreamId peer = rig.open();
  rig.transport().deliver(peer, encode({}));
  rig.transport().deliver(
      peer,
      encode({.type = diameter::RequestType::update, .number = 1, .session = "pgw1.example;none"}));
  rig.turn();
  EXPECT_EQ(rig.codes(peer), (std::vector<u32>{2001, 5002}));
  u64 sum = 0;
  for (std::size_t row = 1; row < ledger::outcome_table.size(); ++row) {
    const u64 told = rig.charge().counters().told[row - 1];
    sum += told;
    if (ledger::outcome_table[row].outcome == ledger::Outcome::session_unknown) {
      EXPECT_EQ(told, 1u);
    }
  }
  EXPECT_EQ(sum, 1u);
}

// ---- Traces

// Arms one trace in the first place, and lets the tile know.
void arm(NetTileRig& rig, const ledger::TraceWanted& wanted) {
  ledger::TraceTable::Wanted all{};
  all[0] = wanted;
  all[0].until_ns = (rig.charge().now + Duration::seconds(60)).ns;
  const u32 version = rig.trace_table().write(all);
  rig.wait(Duration::milliseconds(1));
  EXPECT_EQ(rig.trace_table().seen(0), version);
}

ledger::TraceWanted account_wanted(ledger::AccountRef account) {
  ledger::TraceWanted wanted{.account = account};
  wanted.identities[0] = ledger::number_key(ledger::IdentityType::msisdn, "46709999999");
  return wanted;
}

struct Traced {
  ledger::TraceRecord record;
  Octets rest;
};
std::vector<Traced> taken(LinkMemory* link) {
  std::vector<Traced> all;
  LinkConsumer consumer(link);
  for (Bytes frame; consumer.next(frame);) {
    Traced one;
    std::memcpy(&one.record, frame.data(), sizeof one.record);
    one.rest.assign(frame.begin() + sizeof one.record, frame.end());
    all.push_back(std::move(one));
  }
  consumer.release();
  return all;
}

TEST(NetTile, nothing_is_copied_while_nobody_watches) {
  NetTileRig rig;
  const StreamId peer = rig.open();
  rig.transport().deliver(peer, encode({}));
  rig.turn();
  EXPECT_TRUE(taken(rig.traced()).empty());
  EXPECT_TRUE(taken(rig.charge().charge_control()).empty());
  EXPECT_EQ(rig.counters().traced, 0u);
}

// The request, what it did, and the answer: the same octets that went over the stream, and buckets
// before and after.
TEST(NetTile, copies_who_is_watched_with_the_effects) {
  NetTileRig rig;
  const auto watched = rig.add_account("46709999999", "prepaid", {Amount{10'000'000}});
  const StreamId peer = rig.open();
  arm(rig, account_wanted(watched));
  const Octets other = encode({.session = "pgw1.example;other"});
  const Octets theirs = encode({.session = "pgw1.example;w", .subscriber = "46709999999"});
  rig.transport().deliver(peer, other);
  rig.transport().deliver(peer, theirs);
  rig.turn();
  const std::vector<Octets> sent = rig.sent(peer);
  const std::vector<Traced> messages = taken(rig.traced());
  ASSERT_EQ(messages.size(), 2u);
  EXPECT_EQ(messages[0].record.kind, ledger::TraceKind::received);
  EXPECT_EQ(messages[0].rest, theirs);
  EXPECT_EQ(messages[0].record.remote_port, 5000u);
  EXPECT_EQ(messages[1].record.kind, ledger::TraceKind::sent);
  ASSERT_EQ(sent.size(), 2u);
  EXPECT_EQ(messages[1].rest, sent[1]);

  const std::vector<Traced> effects = taken(rig.charge().charge_control());
  ASSERT_EQ(effects.size(), 1u);
  EXPECT_EQ(effects[0].record.tag.value, messages[1].record.tag.value);
  ledger::TraceEffects head;
  std::memcpy(&head, effects[0].rest.data(), sizeof head);
  ASSERT_EQ(head.bucket_count, 1u);
  ledger::TraceBucket bucket;
  std::memcpy(&bucket, effects[0].rest.data() + sizeof head + head.answer_bytes, sizeof bucket);
  EXPECT_EQ(bucket.before.balance.count, 10'000'000);
  EXPECT_EQ(bucket.after.reserved.count, 10'000'000 - bucket.after.balance.count);
  EXPECT_GT(bucket.after.reserved.count, 0);
}

// A session that began before anybody watched, and whose updates name no subscriber.
TEST(NetTile, an_open_session_is_watched_by_its_account_or_its_name) {
  for (const bool by_name : {false, true}) {
    NetTileRig rig;
    const auto watched = rig.add_account("46709999999", "prepaid", {Amount{10'000'000}});
    const StreamId peer = rig.open();
    rig.transport().deliver(peer, encode({.session = "s;1", .subscriber = "46709999999"}));
    rig.turn();
    ledger::TraceWanted wanted = account_wanted(watched);
    if (by_name) {
      wanted = {.name_bytes = 3};
      std::ranges::copy(std::string_view("s;1"), wanted.name.begin());
    }
    arm(rig, wanted);
    rig.transport().deliver(peer, encode({.type = diameter::RequestType::update,
                                          .number = 1,
                                          .session = "s;1",
                                          .subscriber = "",
                                          .used = 1000}));
    rig.turn();
    EXPECT_EQ(taken(rig.traced()).size(), 2u);
    EXPECT_EQ(taken(rig.charge().charge_control()).size(), 1u);
    rig.wait(Duration::seconds(61));
    rig.transport().deliver(peer, encode({.session = "s;2", .subscriber = "46709999999"}));
    rig.turn();
    EXPECT_TRUE(taken(rig.traced()).empty()) << "a trace ends by itself";
  }
}

// A session that nobody ends, and a top-up: no message says what they move.
TEST(NetTile, timers_and_commands_are_told_of_who_is_watched) {
  NetTileRig rig;
  const auto watched = rig.add_account("46709999999", "prepaid", {Amount{10'000'000}});
  const StreamId peer = rig.open();
  rig.transport().deliver(peer, encode({.session = "s;1", .subscriber = "46709999999"}));
  rig.transport().deliver(peer, encode({.session = "s;other"}));
  rig.turn();
  rig.wait(Duration::seconds(1190));  // short of twice its Validity-Time
  arm(rig, account_wanted(watched));
  ledger::Command command{.kind = ledger::CommandKind::top_up,
                          .shard = static_cast<u8>(watched.shard()),
                          .bucket_count = 1,
                          .account = watched};
  command.buckets[0] = {.amount = Amount{2'000'000}, .unit = Unit::eur};
  EXPECT_EQ(rig.order(command), "ok");
  const std::vector<Traced> topped = taken(rig.charge().charge_control());
  ASSERT_EQ(topped.size(), 1u);
  EXPECT_EQ(topped[0].record.cause, ledger::TraceCause::command);
  EXPECT_EQ(topped[0].record.command, ledger::CommandKind::top_up);
  for (u32 i = 0; i < 20; ++i) rig.wait(Duration::seconds(1));
  const std::vector<Traced> ended = taken(rig.charge().charge_control());
  ASSERT_EQ(ended.size(), 1u) << "of the other session nothing is told";
  EXPECT_EQ(ended[0].record.cause, ledger::TraceCause::timer);
  ledger::TraceEffects head;
  std::memcpy(&head, ended[0].rest.data(), sizeof head);
  ASSERT_EQ(head.bucket_count, 1u);
  ledger::TraceBucket bucket;
  std::memcpy(&bucket, ended[0].rest.data() + sizeof head + head.answer_bytes, sizeof bucket);
  EXPECT_GT(bucket.before.reserved.count, 0);
  EXPECT_EQ(bucket.after.reserved.count, 0);
}

// A refusal before the ledger is told as well; a full ring is counted and hurts nobody.
TEST(NetTile, a_trace_nobody_reads_costs_only_itself) {
  NetTileRig rig;
  const StreamId peer = rig.open();
  ledger::TraceWanted wanted{.name_bytes = 3};
  std::ranges::copy(std::string_view("s;1"), wanted.name.begin());
  arm(rig, wanted);
  Octets broken = encode({.session = "s;1"});
  broken[7] = 0x01;  // another command
  for (u32 i = 0; i < 100; ++i) {
    rig.transport().deliver(peer, broken);
    rig.turn();
  }
  EXPECT_EQ(rig.sent(peer).size(), 100u);
  EXPECT_GT(rig.counters().traced, 2u);
  EXPECT_GT(rig.counters().drop_trace_full, 0u);
  EXPECT_EQ(rig.counters().traced + rig.counters().drop_trace_full, 200u);
}

}  // namespace
}  // namespace tollgate::app
