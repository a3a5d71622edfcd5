// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "tests/sim/clients.hh"

#include <algorithm>

#include "diameter/peer_messages.hh"

namespace tollgate::sim {
namespace {

constexpr u32 gateway_count = 3;
constexpr u32 open_sessions_max = 12;
constexpr u32 waiting_max = 24;
constexpr u32 storm_size = 180;  // below what a net tile keeps in mind
constexpr i64 block_octets = 100 << 10;

const char* context_text(Context context) {
  switch (context) {
    case Context::data:
      return "32251@3gpp.org";
    case Context::voice:
      return "32260@3gpp.org";
    case Context::sms:
      return "32274@3gpp.org";
  }
  return "";
}

u32 code_of(Outcome outcome) {
  switch (outcome) {
    case Outcome::ok:
      return 2001;
    case Outcome::too_busy:
      return 3004;
    case Outcome::account_suspended:
    case Outcome::account_expired:
    case Outcome::account_one_way:
    case Outcome::service_barred:
      return 4010;
    case Outcome::credit_limit_reached:
    case Outcome::bucket_unknown:
      return 4012;
    case Outcome::session_unknown:
    case Outcome::session_closed:
      return 5002;
    case Outcome::session_forgotten:
      return 5012;
    case Outcome::account_unknown:
      return 5030;
    case Outcome::rating_failed:
    case Outcome::refund_too_large:
      return 5031;
    default:
      return 0;
  }
}

i64 units_of(const diameter::Units& units, Context context) {
  if (context == Context::data) return static_cast<i64>(units.total_octets);
  if (context == Context::voice) return i64{units.time_s} * 1000;
  return static_cast<i64>(units.service_specific);
}

bool is_service(const diameter::ReceivedMscc& got, const ExpectedService& wanted, Context context) {
  using diameter::FinalUnitAction;
  const FinalUnitAction action = wanted.last == LastAction::none        ? FinalUnitAction::none
                                 : wanted.last == LastAction::terminate ? FinalUnitAction::terminate
                                                                        : FinalUnitAction::redirect;
  return got.rating_group == wanted.rating_group &&
         static_cast<u32>(got.result_code) == code_of(wanted.outcome) &&
         got.has_granted == wanted.has_grant &&
         (!wanted.has_grant || units_of(got.granted, context) == wanted.granted) &&
         got.validity_time_s.value_or(0) == wanted.validity_s && got.final_unit == action &&
         got.volume_quota_threshold_octets.value_or(0) == wanted.threshold;
}

bool is_event_answer(const diameter::ReceivedAnswer& got, const ExpectedAnswer& wanted,
                     Context context) {
  const u32 code = static_cast<u32>(got.result_code);
  const ExpectedService& service = wanted.services[0];
  if (wanted.is_check && service.outcome == Outcome::account_one_way) {
    return code == code_of(service.outcome);  // how much there is was not looked at
  }
  if (wanted.is_check) {
    const auto result = service.outcome == Outcome::ok ? diameter::CheckBalanceResult::enough_credit
                                                       : diameter::CheckBalanceResult::no_credit;
    return code == 2001 && got.check_balance == result;
  }
  if (code != code_of(service.outcome)) return false;
  if (service.outcome != Outcome::ok) return true;
  if (got.has_granted != service.has_grant || got.cost.has_value() != wanted.has_cost) return false;
  if (service.has_grant && units_of(got.granted, context) != service.granted) return false;
  return !wanted.has_cost || (got.cost->digits == wanted.cost_micros && got.cost->exponent == -6);
}

bool is_answer(const diameter::ReceivedAnswer& got, const ExpectedAnswer& wanted, Context context) {
  const u32 code = static_cast<u32>(got.result_code);
  if (wanted.outcome != Outcome::ok) return code == code_of(wanted.outcome);
  if (wanted.is_event) return is_event_answer(got, wanted, context);
  if (code != 2001 || got.mscc_count != wanted.services.size()) return false;
  for (u32 i = 0; i < got.mscc_count; ++i) {
    if (!is_service(got.mscc_pool[i], wanted.services[i], context)) return false;
  }
  return true;
}

}  // namespace

Clients::Clients(Appliance& appliance, Judge& judge, Random& random)
    : appliance_(appliance), judge_(judge), random_(random), gateways_(gateway_count) {
  node_.origin = diameter::OriginBlock("gw.example", "example");
  node_.host_addresses = {&host_, 1};
  for (auto& links : gateways_) {
    for (Link& link : links) link.net = random_.below(appliance_.shape().net_count);
  }
}

void Clients::set_known(u32 subscriber, bool is_known) {
  Known& known = known_[subscriber];
  known.is_known = is_known;
  ++known.changes;
}

void Clients::act() {
  u32 waiting = 0;
  for (const Request& request : requests_) waiting += request.is_waiting ? 1 : 0;
  const u32 what = random_.below(20);
  if (what < 3) {
    repeat();
    return;
  }
  if (waiting >= waiting_max) return;
  std::vector<u32> open;
  for (u32 i = 0; i < sessions_.size(); ++i) {
    if (!sessions_[i].is_over && sessions_[i].has_begun) open.push_back(i);
  }
  if (what < 6) {
    send_event();
  } else if (open.empty() || (open.size() < open_sessions_max && what < 10)) {
    begin_session();
  } else {
    const u32 number = open[random_.below(open.size())];
    Session& session = sessions_[number];
    if (session.waiting == 0 || (session.waiting < 3 && random_.once_in(4))) {
      go_on(session, number);
    }
  }
}

void Clients::storm() {
  for (u32 i = 0; i < storm_size; ++i) {
    if (random_.once_in(3)) {
      send_event();
    } else {
      begin_session();
      sessions_.back().is_over = random_.once_in(2);  // goes on no more
    }
  }
}

AskedService Clients::ask(Context context, RequestKind kind) {
  AskedService service{.wanted = static_cast<Wanted>(random_.below(3))};
  if (kind == RequestKind::initial && service.wanted == Wanted::nothing) {
    service.wanted = Wanted::anything;
  }
  const bool is_voice = context == Context::voice;
  constexpr u32 groups[] = {10, 10, 10, 20, 30};
  service.rating_group = is_voice ? 40 : groups[random_.below(std::size(groups))];
  if (service.wanted == Wanted::units) {
    service.asked = is_voice ? random_.between(0, 700) * 1000 : random_.between(0, 30 << 20);
  }
  if (kind == RequestKind::initial || random_.once_in(8)) return service;
  service.has_used = true;
  if (is_voice) {
    service.used = random_.between(0, 90) * 1000;
  } else if (random_.once_in(3)) {
    service.used = random_.between(0, 60) * block_octets;
  } else {
    service.used = random_.between(0, 12 << 20);
  }
  return service;
}

void Clients::begin_session() {
  std::vector<u32> subscribers;
  for (const auto& [number, known] : known_) subscribers.push_back(number);
  if (subscribers.empty()) return;
  const u32 number = static_cast<u32>(sessions_.size());
  Session& session = sessions_.emplace_back();
  session.id = fmt::format("gw.example;{};{}", number, random_.below(1'000'000));
  session.gateway = random_.below(gateway_count);
  session.subscriber = subscribers[random_.below(subscribers.size())];
  session.context = random_.once_in(4) ? Context::voice : Context::data;
  session.next_number = random_.below(2);  // of the first UPDATE
  session.has_begun = true;
  Question question{.session_id = session.id,
                    .subscriber = session.subscriber,
                    .kind = RequestKind::initial,
                    .context = session.context};
  const u32 count = session.context == Context::data ? 1 + random_.below(3) : 1;
  const u32 first = random_.once_in(3) ? random_.below(3) : 0;
  for (u32 i = 0; i < count; ++i) {
    AskedService service = ask(session.context, RequestKind::initial);
    if (session.context == Context::data) service.rating_group = 10 * (1 + (i + first) % 3);
    question.services.push_back(service);
  }
  send_new(session.gateway, number, std::move(question));
}

void Clients::go_on(Session& session, u32 number) {
  const bool is_last = random_.once_in(6);
  Question question{.session_id = session.id,
                    .subscriber = session.subscriber,
                    .names_subscriber = !random_.once_in(6),
                    .kind = is_last ? RequestKind::termination : RequestKind::update,
                    .number = session.next_number++,
                    .context = session.context};
  std::set<u32> groups;
  const u32 count = 1 + random_.below(2);
  for (u32 i = 0; i < count; ++i) {
    const AskedService service = ask(session.context, question.kind);
    if (groups.insert(service.rating_group).second) question.services.push_back(service);
  }
  if (is_last) session.is_over = true;
  send_new(session.gateway, number, std::move(question));
}

void Clients::send_event() {
  std::vector<u32> subscribers;
  for (const auto& [number, known] : known_) subscribers.push_back(number);
  if (subscribers.empty()) return;
  const u32 number = static_cast<u32>(sessions_.size());
  Session& session = sessions_.emplace_back();
  session.id = fmt::format("sms.example;{};{}", number, random_.below(1'000'000));
  session.gateway = random_.below(gateway_count);
  session.subscriber = subscribers[random_.below(subscribers.size())];
  session.is_over = true;
  Question question{.session_id = session.id,
                    .subscriber = session.subscriber,
                    .kind = RequestKind::event,
                    .context = Context::sms};
  const u32 what = random_.below(8);
  question.action = what == 0   ? EventAction::refund_account
                    : what == 1 ? EventAction::check_balance
                    : what == 2 ? EventAction::price_enquiry
                                : EventAction::direct_debiting;
  AskedService service{.wanted = Wanted::units};
  if (question.action == EventAction::refund_account) {
    question.refund_micros = random_.between(1, 500) * 1000;
  } else {
    service.asked = random_.between(1, 20);
  }
  question.services.push_back(service);
  send_new(session.gateway, number, std::move(question));
}

void Clients::send_new(u32 gateway, u32 session, Question question) {
  ++sessions_[session].waiting;
  requests_.push_back(
      {.question = judge_.add(std::move(question)), .gateway = gateway, .session = session});
  send(requests_.back());
}

// What waits, or was answered lately, is sent once more.
void Clients::repeat() {
  if (requests_.empty()) return;
  const u64 lately = std::min<u64>(requests_.size(), 24);
  send(requests_[requests_.size() - 1 - random_.below(lately)]);
}

bool Clients::send_waiting_again() {
  bool is_done = true;
  for (Request& request : requests_) {
    if (!request.is_waiting) continue;
    is_done = false;
    send(request);
  }
  return is_done;
}

std::string Clients::waiting_text() const {
  for (const Request& request : requests_) {
    if (request.is_waiting) return to_text(judge_.question(request.question));
  }
  return "a command";
}

Clients::Link* Clients::usable_link(u32 gateway) {
  auto& links = gateways_[gateway];
  const u32 first = random_.once_in(5) ? 1 : 0;
  Link* usable = nullptr;
  for (const u32 i : {first, 1 - first}) {
    Link& link = links[i];
    const SimTransport* transport = appliance_.transport(link.net);
    if (transport == nullptr || !transport->is_open(link.stream)) link.state = LinkState::down;
    if (link.state == LinkState::down) connect(link);
    if (link.state == LinkState::open && usable == nullptr) usable = &link;
  }
  return usable;
}

void Clients::connect(Link& link) {
  SimTransport* transport = appliance_.transport(link.net);
  if (transport == nullptr) return;
  link.stream = transport->open();
  link.state = LinkState::opening;
  link.input.clear();
  link.waiting.clear();
  std::vector<u8> message(2048);
  message.resize(diameter::encode_capabilities_request(node_, {1, 1}, message));
  transport->send(link.stream, message);
}

bool Clients::send(Request& request) {
  Link* link = usable_link(request.gateway);
  if (link == nullptr) return false;
  const Question& question = judge_.question(request.question);
  const u32 hop = next_hop_++;
  const std::vector<u8> message = encode(question, hop, request.question + 1, request.was_sent);
  appliance_.transport(link->net)->send(link->stream, message);
  link->waiting[hop] = static_cast<u32>(&request - requests_.data());
  request.was_sent = true;
  request.known_since = known_[question.subscriber].changes;
  return true;
}

std::vector<u8> Clients::encode(const Question& question, u32 hop_by_hop, u32 end_to_end,
                                bool is_again) {
  diameter::CreditControlRequest& message = message_;
  static_cast<diameter::RequestHead&>(message) = {};
  message.header.flags =
      static_cast<u8>(diameter::flag_proxiable | (is_again ? diameter::flag_retransmitted : 0));
  message.header.hop_by_hop = hop_by_hop;
  message.header.end_to_end = end_to_end;
  message.session_id = as_bytes(question.session_id);
  message.origin_host = as_bytes("gw.example");
  message.origin_realm = as_bytes("example");
  message.destination_realm = as_bytes("tollgate.example");
  message.service_context_id = as_bytes(context_text(question.context));
  message.type = static_cast<diameter::RequestType>(question.kind);
  message.number = question.number;
  const std::string msisdn = fmt::format("4670{:06}", question.subscriber);
  if (question.names_subscriber) {
    message.subscription_id_count = 1;
    message.subscription_id_pool[0] = {diameter::SubscriptionIdType::e164, as_bytes(msisdn)};
  }
  const auto write = [&](i64 amount) {
    diameter::Units units;
    const u64 count = static_cast<u64>(amount);
    if (question.context == Context::data) {
      units.kinds = diameter::unit_total_octets;
      units.total_octets = count;
    } else if (question.context == Context::voice) {
      units.kinds = diameter::unit_time;
      units.time_s = static_cast<u32>(count / 1000);
    } else {
      units.kinds = diameter::unit_service_specific;
      units.service_specific = count;
    }
    return units;
  };
  if (question.kind == RequestKind::event) {
    message.requested_action = static_cast<diameter::RequestedAction>(question.action);
    message.requested = diameter::Requested::units;
    if (question.action == EventAction::refund_account) {
      message.requested_units = {
          .kinds = diameter::unit_money,
          .money = {.digits = question.refund_micros, .exponent = -6, .currency_code = 978}};
    } else {
      message.requested_units = write(question.services[0].asked);
    }
  } else {
    for (const AskedService& service : question.services) {
      diameter::RequestMscc& mscc = message.mscc_pool[message.mscc_count++];
      mscc = {};
      mscc.rating_group = service.rating_group;
      mscc.requested = static_cast<diameter::Requested>(service.wanted);
      if (service.wanted == Wanted::units) mscc.requested_units = write(service.asked);
      if (!service.has_used) continue;
      mscc.used_first = static_cast<u8>(message.used_pool_count);
      mscc.used_count = 1;
      message.used_pool[message.used_pool_count++] = {.units = write(service.used)};
    }
  }
  std::vector<u8> octets(4096);
  octets.resize(encode_request(message, {}, octets));
  check(!octets.empty(), "a request of ours fits");
  return octets;
}

void Clients::receive() {
  for (auto& links : gateways_) {
    for (Link& link : links) {
      if (link.state == LinkState::down) continue;
      SimTransport* transport = appliance_.transport(link.net);
      if (transport == nullptr || !transport->is_open(link.stream)) {
        link.state = LinkState::down;
        continue;
      }
      const std::vector<u8> octets = transport->receive(link.stream);
      link.input.insert(link.input.end(), octets.begin(), octets.end());
      std::size_t at = 0;
      while (link.input.size() - at >= diameter::header_bytes) {
        const Bytes rest = Bytes(link.input).subspan(at);
        const diameter::Header header = diameter::read_header(rest);
        if (header.length_bytes > rest.size()) break;
        on_message(link, rest.first(header.length_bytes));
        at += header.length_bytes;
      }
      link.input.erase(link.input.begin(), link.input.begin() + static_cast<std::ptrdiff_t>(at));
    }
  }
}

void Clients::on_message(Link& link, Bytes message) {
  const diameter::Header header = diameter::read_header(message);
  if (header.command == diameter::Command::capabilities_exchange) {
    link.state = LinkState::open;
  } else if (header.command == diameter::Command::device_watchdog && header.is_request()) {
    if (random_.once_in(6)) return;  // forgotten: the connection will be given up
    std::vector<u8> answer(2048);
    answer.resize(diameter::encode_watchdog_answer(node_, header, answer));
    appliance_.transport(link.net)->send(link.stream, answer);
  } else if (header.command == diameter::Command::credit_control) {
    on_answer(link, message);
  }
}

void Clients::on_answer(Link& link, Bytes message) {
  if (decode_answer(message, answer_) != diameter::AnswerFault::none) {
    fail("an answer that cannot be read");
  }
  const auto found = link.waiting.find(answer_.header.hop_by_hop);
  if (found == link.waiting.end()) fail("an answer to nothing that was asked there");
  Request& request = requests_[found->second];
  link.waiting.erase(found);
  const Question& question = judge_.question(request.question);
  if (as_text(answer_.session_id) != question.session_id ||
      answer_.number.value_or(question.number) != question.number ||
      answer_.header.end_to_end != request.question + 1) {
    fail("the answer to {} names another request", to_text(question));
  }
  ++answer_count_;
  const u32 code = static_cast<u32>(answer_.result_code);
  const bool is_expected = judge_.take_released(
      request.question,
      [&](const ExpectedAnswer& wanted) { return is_answer(answer_, wanted, question.context); });
  if (!is_expected && !may_be_refused_by_net(request, question)) {
    fail("{} was answered {}, which no charge tile said", to_text(question), code);
  }
  if (code == code_of(Outcome::too_busy)) return;  // asked again later
  if (!request.is_waiting) return;
  request.is_waiting = false;
  Session& session = sessions_[request.session];
  --session.waiting;
  if (code != 2001) session.is_over = true;
}

// A net tile itself refuses what it finds no account or session for, and what it has no room for.
bool Clients::may_be_refused_by_net(const Request& request, const Question& question) const {
  const u32 code = static_cast<u32>(answer_.result_code);
  if (code == code_of(Outcome::too_busy)) return true;
  const Known& known = known_.at(question.subscriber);
  const bool is_known = known.is_known && known.changes == request.known_since;
  const bool goes_on =
      question.kind == RequestKind::update || question.kind == RequestKind::termination;
  if (code == code_of(Outcome::session_unknown)) {
    return goes_on && (!question.names_subscriber || !is_known);
  }
  return code == code_of(Outcome::account_unknown) && !is_known && !goes_on;
}

void Clients::cut_one() {
  Link& link = gateways_[random_.below(gateways_.size())][random_.below(2)];
  if (link.state == LinkState::down) return;
  if (SimTransport* transport = appliance_.transport(link.net)) transport->cut(link.stream);
  link.state = LinkState::down;
}

}  // namespace tollgate::sim
