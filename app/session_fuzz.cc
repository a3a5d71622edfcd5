// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Whole sessions of any course: the input is a list of steps (a request, the same again, one with
// an octet changed, one with octets behind it, time), which go through the net tile, the charge
// tile and the journal as octets of a stream. After each step: the request was answered once or its
// connection ended; what was put in is what is left, held and consumed; and while nothing was
// changed on purpose, a model of a few lines knows to the last millionth what was consumed.

#include <cstring>
#include <map>
#include <memory>
#include <tuple>

#include "app/net_rig.hh"
#include "base/check.hh"
#include "base/hash.hh"
#include "diameter/avp_ids.hh"
#include "diameter/peer_messages.hh"

namespace tollgate::app {
namespace {

using Octets = NetRig::Octets;
using diameter::header_bytes;

constexpr u32 sessions_per_input = 3;
constexpr u32 steps_max = 48;
constexpr u32 waits_max = 2;
constexpr u32 inputs_per_rig = 256;          // then it is made anew: its disk never forgets
constexpr u32 inputs_between_ends = 16;      // then the sessions that nobody ended run out
constexpr i64 balance_at_begin = 1'000'000;  // of each input: 1 EUR
constexpr i64 block_octets = 102'400;
constexpr i64 block_price = 10'000;
constexpr const char* subscriber = "46701234567";

i64 price_of(i64 octets) {
  return (octets + block_octets - 1) / block_octets * block_price;
}

u32 result_of(Bytes answer) {
  diameter::Avp code;
  const bool has_code =
      find_first(answer.subspan(header_bytes), diameter::avp::result_code, code) &&
      code.data_bytes() == sizeof(u32);
  return has_code ? code.as_u32() : 0;
}

// Octets of the input, one after the other; zeros when there are no more.
class Input {
 public:
  explicit Input(Bytes octets) : left_(octets) {}
  bool is_empty() const { return left_.empty(); }
  u8 next() {
    if (left_.empty()) return 0;
    const u8 octet = left_[0];
    left_ = left_.subspan(1);
    return octet;
  }
  Bytes take(std::size_t count) {
    const Bytes taken = left_.first(std::min(count, left_.size()));
    left_ = left_.subspan(taken.size());
    return taken;
  }

 private:
  Bytes left_;
};

// The appliance, which lives on from input to input.
class Plant {
 public:
  explicit Plant(bool knows_pools)
      : rig_(options_of(knows_pools)),
        account_(rig_.add_account(subscriber, "prepaid", {Amount{1}})) {}

  NetRig& rig() { return rig_; }
  ledger::Shard shard() { return rig_.charge().shard(account_.shard()); }
  ledger::Bucket bucket() {
    const ledger::Shard shard = this->shard();
    return shard.bucket(shard.account(account_.index()).first_bucket);
  }
  void top_up() {
    const i64 missing = balance_at_begin - bucket().balance.count;
    if (missing <= 0) return;
    ledger::Command command{.kind = ledger::CommandKind::top_up,
                            .shard = static_cast<u8>(account_.shard()),
                            .bucket_count = 1,
                            .account = account_};
    command.buckets[0] = {.amount = Amount{missing}, .unit = Unit::eur};
    check(rig_.charge().command(command).outcome == ledger::Outcome::ok, "a top-up is carried out");
  }

 private:
  static NetRig::Options options_of(bool knows_pools) {
    NetRig::Options options;
    if (knows_pools) options.profile.emplace().knows_pools = true;
    return options;
  }

  NetRig rig_;
  ledger::AccountRef account_;
};

struct Ccr {
  u32 session = 0;
  diameter::RequestType type = diameter::RequestType::update;
  u32 number = 0;
  i64 used = 0;
  u8 wanted = 0;
};

// One input's course.
class Course {
 public:
  Course(Plant& plant, u32 life) : plant_(plant), life_(life), before_(plant.bucket()) { open(); }

  void run(Input& input) {
    for (u32 i = 0; i < steps_max && !input.is_empty(); ++i) step(input);
    for (u32 i = 0; i < sessions_per_input; ++i) {
      ask({.session = i, .type = diameter::RequestType::termination, .number = next_number_[i]++});
    }
    if (is_known_) check_nothing_is_held();
    plant_.rig().transport().end(peer_);
    plant_.rig().poll();
  }

 private:
  void step(Input& input) {
    const u8 what = input.next() % 8;
    if (what == 6) return wait(input.next());
    if (what == 4 && !last_.empty()) {
      last_[4] |= diameter::flag_retransmitted;
      return deliver(Octets(last_), last_ccr_);
    }
    const Ccr ccr = read(input);
    if (what == 5) return ask_changed(ccr, input);
    if (what == 7) return ask_longer(ccr, input.take(1 + input.next() % 32));
    ask(ccr);
  }

  Ccr read(Input& input) {
    const u8 head = input.next();
    Ccr ccr{.session = head % sessions_per_input, .wanted = static_cast<u8>(head >> 6)};
    constexpr diameter::RequestType types[] = {
        diameter::RequestType::update, diameter::RequestType::initial,
        diameter::RequestType::update, diameter::RequestType::termination};
    ccr.type = types[head >> 2 & 3];
    // In turn as a rule, else any of the first.
    ccr.number = (head >> 4 & 3) != 0 ? next_number_[ccr.session]++ : input.next() % 8;
    if (ccr.type == diameter::RequestType::initial) ccr.number = 0;
    if (ccr.type != diameter::RequestType::initial) ccr.used = i64{input.next()} * 4096;
    return ccr;
  }

  Octets encode(const Ccr& ccr) {
    static diameter::CreditControlRequest request;
    static_cast<diameter::RequestHead&>(request) = {};
    const std::string session_id = session_name(ccr.session);
    request.header.flags = diameter::flag_proxiable;
    request.header.hop_by_hop = ++hop_by_hop_;
    request.header.end_to_end = hop_by_hop_;
    request.session_id = as_bytes(session_id);
    request.origin_host = as_bytes("pgw1.example");
    request.origin_realm = as_bytes("example");
    request.destination_realm = as_bytes("tollgate.example");
    request.service_context_id = as_bytes("32251@3gpp.org");
    request.type = ccr.type;
    request.number = ccr.number;
    request.subscription_id_count = 1;
    request.subscription_id_pool[0] = {diameter::SubscriptionIdType::e164, as_bytes(subscriber)};
    request.mscc_count = 1;
    request.mscc_pool[0] = {};
    request.mscc_pool[0].rating_group = 10;
    if ((ccr.wanted & 1) != 0) request.mscc_pool[0].requested = diameter::Requested::empty;
    if (ccr.used != 0) {
      request.used_pool_count = 1;
      request.used_pool[0] = {.units = {.kinds = diameter::unit_total_octets,
                                        .total_octets = static_cast<u64>(ccr.used)}};
      request.mscc_pool[0].used_count = 1;
    }
    Octets message(4096);
    message.resize(encode_request(request, {}, message));
    return message;
  }

  // A name with one octet changed on purpose must not be that of a later input: hence the hash.
  std::string session_name(u32 session) const {
    return "pgw1.example;" + std::to_string(mix64(life_)) + ";" + std::to_string(session);
  }

  void ask(const Ccr& ccr) { deliver(encode(ccr), &ccr); }

  // Anything but version and length: those lose the frames, which frame_fuzz looks at.
  void ask_changed(const Ccr& ccr, Input& input) {
    Octets message = encode(ccr);
    const std::size_t at =
        4 + (std::size_t{input.next()} << 8 | input.next()) % (message.size() - 4);
    message[at] ^= input.next();
    is_known_ = false;
    deliver(std::move(message), nullptr);
  }

  void ask_longer(const Ccr& ccr, Bytes behind) {
    Octets message = encode(ccr);
    message.insert(message.end(), behind.begin(), behind.end());
    message.resize(round_up(message.size(), 4));
    message[2] = static_cast<u8>(message.size() >> 8);
    message[3] = static_cast<u8>(message.size());
    is_known_ = false;
    deliver(std::move(message), nullptr);
  }

  void wait(u8 seconds) {
    if (++waits_ > waits_max) return;
    plant_.rig().wait(Duration::seconds(seconds));
    (void)plant_.rig().sent(peer_);  // a watchdog's request, perhaps
    if (!is_open()) open();
    check_ledger();
  }

  bool is_open() {
    const FakeTransport::Stream& stream = plant_.rig().transport().stream(peer_);
    return stream.id == peer_ && stream.is_open && !stream.is_ending;
  }

  void open() {
    static const diameter::HostAddress host{.octets = {198, 18, 0, 9}};
    static const diameter::LocalNode node{
        .origin = diameter::OriginBlock("pgw1.example", "example"), .host_addresses = {&host, 1}};
    NetRig& rig = plant_.rig();
    peer_ = rig.transport().accept("198.18.0.9:5000");
    Octets message(2048);
    message.resize(diameter::encode_capabilities_request(node, {1, 1}, message));
    rig.transport().deliver(peer_, message);
    rig.poll();
    check(rig.sent(peer_).size() == 1, "capabilities are exchanged");
  }

  // `ccr`: what the message says, or nullptr if only it knows.
  void deliver(Octets message, const Ccr* ccr) {
    NetRig& rig = plant_.rig();
    const diameter::Header header = diameter::read_header(message);
    rig.transport().deliver(peer_, message);
    rig.turn();
    u32 answers = 0;
    Octets answer;
    for (Octets& sent : rig.sent(peer_)) {
      const diameter::Header head = diameter::read_header(sent);
      if (head.is_request() || head.hop_by_hop != header.hop_by_hop) continue;
      ++answers;
      answer = std::move(sent);
    }
    check(answers <= 1, "a request has one answer");
    const bool was_open = is_open();
    if (header.is_request() && was_open) check(answers == 1, "no request stays unanswered");
    if (ccr != nullptr) learn(*ccr, answer);
    last_ = ccr != nullptr ? std::move(message) : Octets();
    if (ccr != nullptr) last_copy_ = *ccr;
    last_ccr_ = &last_copy_;
    if (!was_open) open();
    check_ledger();
  }

  // An answer of success to the same request again is the same answer, and moves nothing.
  void learn(const Ccr& ccr, const Octets& answer) {
    check(!answer.empty(), "what is as it should be is answered");
    if (result_of(answer) != static_cast<u32>(diameter::ResultCode::success)) return;
    Octets told(answer.begin() + header_bytes, answer.end());
    const auto key = std::tuple(ccr.session, static_cast<u32>(ccr.type), ccr.number);
    const auto [known, is_new] = answers_.try_emplace(key, told);
    if (is_new) {
      used_[ccr.session] += ccr.used;
    } else {
      check(known->second == told || !is_known_, "a repetition gets the stored answer");
    }
  }

  void check_ledger() {
    const ledger::Bucket now = plant_.bucket();
    check(now.put_in.count == now.balance.count + now.reserved.count + now.consumed.count,
          "put in = balance + reserved + consumed");
    if (!is_known_) return;
    i64 cost = 0;
    for (const i64 used : used_) cost += price_of(used);
    check(now.consumed.count - before_.consumed.count == cost, "what was used is consumed, once");
  }

  // While time passed, sessions of earlier inputs that nobody ended may have run out.
  void check_nothing_is_held() {
    const ledger::Shard shard = plant_.shard();
    for (u32 i = 0; i < sessions_per_input; ++i) {
      const std::string name = session_name(i);
      const u32 session = shard.find_session(ledger::Shard::session_hash(name), name);
      if (session == 0) continue;
      check(shard.session(session).state != ledger::SessionState::open, "it has ended");
      check(shard.session(session).quota.hold_count == 0, "what has ended holds nothing");
    }
    const Amount reserved = plant_.bucket().reserved;
    check(reserved <= before_.reserved, "no more is held than before");
    check(waits_ != 0 || reserved == before_.reserved, "nobody else's holds have gone");
  }

  Plant& plant_;
  u32 life_;  // tells Session-Ids of inputs apart
  ledger::Bucket before_;
  dataplane::StreamId peer_;
  bool is_known_ = true;  // nothing was sent that the model does not know
  u32 waits_ = 0;
  u32 hop_by_hop_ = 0;
  Octets last_;
  Ccr last_copy_;
  const Ccr* last_ccr_ = &last_copy_;
  std::array<u32, sessions_per_input> next_number_{};
  std::array<i64, sessions_per_input> used_{};
  std::map<std::tuple<u32, u32, u32>, Octets> answers_;
};

// The last octet tells whether the clients know quota pools: it costs the same.
void run(Bytes octets) {
  struct Place {
    std::unique_ptr<Plant> plant;
    u32 inputs = 0;
  };
  static std::array<Place, 2> places;
  static u32 life = 0;
  const bool knows_pools = !octets.empty() && (octets.back() & 1) != 0;
  Place& place = places[knows_pools ? 1 : 0];
  if (place.inputs++ % inputs_per_rig == 0) place.plant = std::make_unique<Plant>(knows_pools);
  Plant& plant = *place.plant;
  plant.top_up();
  Input input(octets);
  Course(plant, ++life).run(input);
  if (place.inputs % inputs_between_ends == 0) {
    plant.rig().wait(Duration::seconds(3 * 7200));
    check(plant.rig().charge().fault().empty(), "the ledger is as its journal says");
  }
}

}  // namespace
}  // namespace tollgate::app

extern "C" int LLVMFuzzerTestOneInput(const tollgate::u8* data, std::size_t size) {
  if (size <= 1024) tollgate::app::run({data, size});
  return 0;
}
