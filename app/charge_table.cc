// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "app/charge_table.hh"

#include <fmt/format.h>

#include <sstream>
#include <stdexcept>

#include "app/request_numbers.hh"
#include "diameter/avp_ids.hh"
#include "ledger/audit.hh"
#include "ledger/ledger.hh"
#include "rating/charge_event.hh"
#include "rating/number.hh"

namespace tollgate::app {
namespace {

using diameter::CreditControlRequest;

std::vector<std::string> words_of(const std::string& line) {
  std::istringstream stream(line);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) {
    if (word[0] == '#' && (word.size() == 1 || word[1] < '0' || word[1] > '9')) break;
    words.push_back(word);
  }
  return words;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

Amount amount_of(const std::string& text, Unit& unit) {
  Amount amount;
  const std::string why = parse_amount(text, amount, unit);
  if (!why.empty()) throw std::runtime_error(text + ": " + why);
  return amount;
}

Duration time_of(const std::string& text) {
  const std::size_t digits = text.find_first_not_of("-0123456789");
  const std::string unit = digits == std::string::npos ? "s" : text.substr(digits);
  const i64 count = std::stoll(text);
  if (unit == "d") return Duration::seconds(count * 86'400);
  if (unit == "h") return Duration::seconds(count * 3600);
  if (unit == "min") return Duration::seconds(count * 60);
  return Duration::seconds(count);
}

// Adds "3MiB", "60s", "2events" or "0.10EUR" to units. `kind`: unit_total_octets for what octets
// mean.
void add_units(diameter::Units& units, const std::string& text, u8 octets_kind) {
  Unit unit = Unit::none;
  const i64 count = amount_of(text, unit).count;
  if (unit == Unit::octets) {
    units.kinds |= octets_kind;
    if (octets_kind == diameter::unit_input_octets) units.input_octets = static_cast<u64>(count);
    if (octets_kind == diameter::unit_output_octets) units.output_octets = static_cast<u64>(count);
    if (octets_kind == diameter::unit_total_octets) units.total_octets = static_cast<u64>(count);
  } else if (unit == Unit::milliseconds) {
    units.kinds |= diameter::unit_time;
    units.time_s = static_cast<u32>(count / 1000);
  } else if (unit == Unit::events) {
    units.kinds |= diameter::unit_service_specific;
    units.service_specific = static_cast<u64>(count);
  } else {
    units.kinds |= diameter::unit_money;
    units.money = {.digits = count, .exponent = -6, .currency_code = currency_code(unit)};
  }
}

// Which octets the words `in` and `out` mean; without them it is both together.
u8 octets_kind(const std::string& word) {
  if (word == "in" || word.ends_with("-in")) return diameter::unit_input_octets;
  return word == "out" || word.ends_with("-out") ? diameter::unit_output_octets
                                                 : diameter::unit_total_octets;
}

std::string octets_text(u64 count) {
  if (count != 0 && count % 1_MiB == 0) return fmt::format("{}MiB", count / 1_MiB);
  if (count != 0 && count % 1_KiB == 0) return fmt::format("{}KiB", count / 1_KiB);
  return fmt::format("{}octets", count);
}

std::string text_of_units(const diameter::Units& units) {
  std::string text;
  if (units.has(diameter::unit_total_octets)) text += " " + octets_text(units.total_octets);
  if (units.has(diameter::unit_input_octets)) text += " in " + octets_text(units.input_octets);
  if (units.has(diameter::unit_output_octets)) text += " out " + octets_text(units.output_octets);
  if (units.has(diameter::unit_time)) text += fmt::format(" {}s", units.time_s);
  if (units.has(diameter::unit_service_specific)) {
    text +=
        fmt::format(" {}event{}", units.service_specific, units.service_specific == 1 ? "" : "s");
  }
  if (units.has(diameter::unit_money)) {
    // Without Currency-Code it is the account's own.
    const Unit unit = money_unit(units.money.currency_code);
    text +=
        " " + (units.money.currency_code == 0 ? to_decimal(Amount{units.money.digits}, Unit::eur)
                                              : to_text(Amount{units.money.digits}, unit));
  }
  return text;
}

std::string text_of_final(diameter::FinalUnitAction action, Bytes address) {
  switch (action) {
    case diameter::FinalUnitAction::terminate:
      return " final terminate";
    case diameter::FinalUnitAction::redirect:
      return fmt::format(" final redirect {}", as_text(address));
    case diameter::FinalUnitAction::restrict_access:
      return " final restrict";
    case diameter::FinalUnitAction::none:
      break;
  }
  return {};
}

std::string context_of(const std::string& service) {
  if (service == "data") return "32251@3gpp.org";
  if (service == "voice") return "24001.12.32260@3gpp.org";
  if (service == "sms") return "32274@3gpp.org";
  return service;
}

ledger::AccountState state_of(const std::string& text) {
  if (text == "active") return ledger::AccountState::active;
  if (text == "inactive") return ledger::AccountState::inactive;
  if (text == "suspended") return ledger::AccountState::suspended;
  if (text == "expired") return ledger::AccountState::expired;
  if (text == "one_way") return ledger::AccountState::one_way;
  throw std::runtime_error("there is no state " + text);
}

ledger::CommandKind command_kind_of(const std::string& verb) {
  using ledger::CommandKind;
  constexpr std::pair<std::string_view, CommandKind> kinds[] = {
      {"remove", CommandKind::remove_account},
      {"set", CommandKind::set_account},
      {"top-up", CommandKind::top_up},
      {"adjust", CommandKind::adjust},
      {"transfer", CommandKind::transfer},
      {"refund", CommandKind::refund},
      {"payer", CommandKind::set_payer},
      {"allow", CommandKind::set_limit},
      {"turn", CommandKind::product_turn},
      {"suspend", CommandKind::product_suspend},
      {"resume", CommandKind::product_resume},
      {"end", CommandKind::product_end},
      {"receive", CommandKind::transfer_receive},
      {"settle", CommandKind::transfer_settle},
      {"return", CommandKind::transfer_return},
      {"forget", CommandKind::transfer_forget},
  };
  for (const auto& [name, kind] : kinds) {
    if (name == verb) return kind;
  }
  throw std::runtime_error("what is '" + verb + "'?");
}

RequestKind kind_of(const std::string& word) {
  if (word == "initial") return RequestKind::initial;
  if (word == "update") return RequestKind::update;
  if (word == "terminate") return RequestKind::termination;
  if (word == "event") return RequestKind::event;
  return RequestKind::none;
}

std::string cause_text(ledger::ClosingCause cause) {
  switch (cause) {
    case ledger::ClosingCause::normal_release:
      return "normal";
    case ledger::ClosingCause::abnormal_release:
      return "abnormal";
    case ledger::ClosingCause::management_intervention:
      return "management";
  }
  return "unknown";
}

}  // namespace

ChargeTable::ChargeTable(const ledger::LedgerSizes& sizes, const ChargePolicy& policy)
    : rig_(sizes, policy),
      request_(std::make_unique<CreditControlRequest>()),
      origin_("ocs.tollgate.example", "tollgate.example") {}

std::string ChargeTable::run(std::string_view table) {
  std::istringstream lines{std::string(table)};
  std::string differences;
  std::string line;
  for (u32 number = 1; std::getline(lines, line); ++number) {
    std::string more;
    while (line.ends_with('\\') && std::getline(lines, more)) {
      line.pop_back();
      line += more;
      ++number;
    }
    const std::size_t arrow = line.find("->");
    const std::string left = line.substr(0, arrow);
    if (words_of(left).empty()) continue;
    const std::string expected =
        arrow == std::string::npos ? "" : joined(words_of(line.substr(arrow + 2)));
    std::string found;
    try {
      found = tell(left);
    } catch (const std::exception& problem) {
      found = std::string("cannot be carried out: ") + problem.what();
    }
    if (found != expected) {
      differences += fmt::format("line {}: {}\n  expected: {}\n  found:    {}\n", number,
                                 joined(words_of(left)), expected, found);
    }
    const std::string fault = rig_.fault();
    if (!fault.empty()) return differences + fmt::format("after line {}: {}\n", number, fault);
  }
  return differences;
}

std::string ChargeTable::tell(const std::string& line) {
  const Words words = words_of(line);
  const std::string& verb = words.at(0);
  if (kind_of(verb) != RequestKind::none) return tell_request(words);
  if (verb == "again") return tell_again(words);
  if (verb == "account") return tell_account(words);
  if (verb == "balance") return tell_balance(words);
  if (verb == "buckets") return tell_buckets(words);
  if (verb == "cdr") return tell_cdr(words);
  if (verb == "audit") return tell_audit(words);
  if (verb == "crossed") return tell_crossings();
  if (verb == "clock") return rig_.now = rig_.now + time_of(words.at(1)), rig_.housekeep(), "";
  if (verb == "tariff") return rig_.load_tariff(std::string(SOURCE_ROOT) + "/" + words.at(1)), "";
  if (verb == "wait") return rig_.wait(time_of(words.at(1))), "";
  if (verb == "journal") return rig_.set_journal_full(words.at(1) == "full"), "";
  if (verb == "restart") return rig_.restart(), "";
  if (verb == "show") return show_ = line, "";
  if (verb == "profile") return read_own_profile(words.at(1)), "";
  return tell_command(words);
}

diameter::RequestMscc& ChargeTable::add_mscc() {
  diameter::RequestMscc& mscc = request_->mscc_pool[request_->mscc_count++];
  mscc = {};
  mscc.used_first = static_cast<u8>(request_->used_pool_count);
  mscc.service_identifier_first = static_cast<u8>(request_->service_identifier_pool_count);
  return mscc;
}

// What one report does not hold yet joins it: "in 1MiB out 1MiB used 2MiB" is one, "used 1MiB used
// 1MiB" are two.
void ChargeTable::read_used(const std::string& word, const std::string& text, u8& count) {
  diameter::UsedUnits made;
  if (word.starts_with("before")) made.tariff_change = diameter::TariffChangeUsage::before;
  if (word.starts_with("after")) made.tariff_change = diameter::TariffChangeUsage::after;
  const u8 kind = octets_kind(word);
  add_units(made.units, text, kind);
  if (count != 0 && made.tariff_change == diameter::TariffChangeUsage::none) {
    diameter::UsedUnits& last = request_->used_pool[request_->used_pool_count - 1];
    const bool is_apart = last.tariff_change != diameter::TariffChangeUsage::none;
    if (!is_apart && (last.units.kinds & made.units.kinds) == 0) {
      return add_units(last.units, text, kind);
    }
  }
  request_->used_pool[request_->used_pool_count++] = made;
  ++count;
}

void ChargeTable::read_services(const Words& words, std::size_t at) {
  diameter::RequestMscc* mscc = nullptr;
  for (; at < words.size(); ++at) {
    const std::string& word = words[at];
    if (word == "mscc") {
      mscc = &add_mscc();
    } else if (word == "rg") {
      mscc = &add_mscc();
      mscc->rating_group = static_cast<u32>(std::stoul(words.at(++at)));
    } else if (word == "si") {
      if (mscc == nullptr) mscc = &add_mscc();
      request_->service_identifier_pool[request_->service_identifier_pool_count++] =
          static_cast<u32>(std::stoul(words.at(++at)));
      ++mscc->service_identifier_count;
    } else if (word == "ask") {
      diameter::Requested& requested = mscc != nullptr ? mscc->requested : request_->requested;
      diameter::Units& units = mscc != nullptr ? mscc->requested_units : request_->requested_units;
      requested = words.at(++at) == "any" ? diameter::Requested::empty : diameter::Requested::units;
      const u8 kind = octets_kind(words[at]);
      if (kind != diameter::unit_total_octets) ++at;
      if (words.at(at) != "any") add_units(units, words[at], kind);
    } else if (word == "used" || word == "in" || word == "out" || word.starts_with("before") ||
               word.starts_with("after")) {
      ++at;
      read_used(word, words.at(at), mscc != nullptr ? mscc->used_count : request_->used_count);
    } else if (word == "final" && mscc != nullptr) {
      mscc->reason = diameter::ReportingReason::final_report;
    } else {
      throw std::runtime_error("what is '" + word + "'?");
    }
  }
}

ledger::SessionNumbers ChargeTable::read_numbers(const Words& words, std::size_t& at) {
  ledger::SessionNumbers numbers;
  for (; at + 1 < words.size(); at += 2) {
    const std::string& value = words[at + 1];
    if (words[at] == "to") {
      numbers.destination = rating::number_key(value);
    } else if (words[at] == "from") {
      numbers.origin = rating::number_key(value);
    } else if (words[at] == "in" && value.find_first_not_of("0123456789") == std::string::npos) {
      numbers.network = rating::short_number(rating::number_key(value));
    } else if (words[at] == "location") {
      rating::ChargeEvent event;
      event.location = value == "roaming" ? rating::Location::roaming : rating::Location::home;
      set_numbers(event, numbers);
    } else if (words[at] == "zone") {
      numbers.zone = rating::zone_id(rating::text_key(value));
    } else {
      break;
    }
  }
  return numbers;
}

std::vector<u64> ChargeTable::make_frame(const std::string& session, const Client& client) {
  const u32 count = service_count_of(*request_);
  const u32 after_count = used_after_count_of(*request_);
  const u64 numbers_bytes = client.numbers.is_none() ? 0 : sizeof client.numbers;
  const u64 bytes =
      ChargeRequestView::frame_bytes(count + after_count, session.size()) + numbers_bytes;
  std::vector<u64> frame(bytes / 8);
  u8* at = reinterpret_cast<u8*>(frame.data());
  auto* head = new (at) ChargeRequest;
  *head = {.tag = ledger::AnswerTag::net(0, 1),
           .service_context = rating::context_key(client.context),
           .account = client.account,
           .number = request_->number,
           .session_hash = ledger::Shard::session_hash(session),
           .kind = static_cast<RequestKind>(request_->type),
           .action = static_cast<EventAction>(
               request_->requested_action.value_or(diameter::RequestedAction::direct_debiting)),
           .shard = static_cast<u8>(client.account.shard()),
           .habits = habits_of(*request_, profile_),
           .session_id_bytes = static_cast<u16>(session.size()),
           .service_count = static_cast<u16>(count),
           .has_numbers = static_cast<u8>(numbers_bytes != 0 ? 1 : 0),
           .after_count = static_cast<u8>(after_count)};
  auto* services = reinterpret_cast<ChargeService*>(at + sizeof *head);
  ledger::Outcome outcome = write_services(*request_, profile_, {services, count});
  if (outcome == ledger::Outcome::ok) {
    outcome =
        write_used_after(*request_, profile_, {services, count}, {services + count, after_count});
  }
  if (outcome != ledger::Outcome::ok) throw std::runtime_error(std::string(to_text(outcome)));
  char* behind = reinterpret_cast<char*>(services + count + after_count);
  std::memcpy(behind, &client.numbers, numbers_bytes);
  session.copy(behind + numbers_bytes, session.size());
  identifiers_.resize(identifier_words_max);
  identifiers_.resize(write_identifiers(*request_, identifiers_));
  return frame;
}

std::string ChargeTable::tell_request(const Words& words) {
  const RequestKind kind = kind_of(words[0]);
  const std::string& session = words.at(1);
  std::size_t at = 2;
  static_cast<diameter::RequestHead&>(*request_) = {};
  request_->type = static_cast<diameter::RequestType>(kind);
  if (kind == RequestKind::initial || kind == RequestKind::event) {
    const auto account = accounts_.find(words.at(at++));
    Client fresh{.context = context_of(words.at(at++)), .next_number = 0};
    fresh.account = account == accounts_.end() ? ledger::AccountRef{15} : account->second;
    clients_[session] = fresh;
  }
  Client& client = clients_[session];
  if (kind == RequestKind::event) {
    constexpr std::string_view actions[] = {"debit", "refund", "check", "price"};
    for (u8 i = 0; i < std::size(actions); ++i) {
      if (words.at(at) == actions[i]) request_->requested_action = diameter::RequestedAction{i};
    }
    if (!request_->requested_action) throw std::runtime_error("what is to be done?");
    ++at;
  }
  Client as = client;
  if (at < words.size() && words[at] == "as") as.account = accounts_.at(words.at(++at)), ++at;
  if (at < words.size() && words[at] == "aoc") request_->aoc_request_type = 1, ++at;
  if (at < words.size() && words[at][0] == '#') {
    client.next_number = static_cast<u32>(std::stoul(words[at++].substr(1)));
  }
  request_->number = client.next_number++;
  as.numbers = read_numbers(words, at);
  read_services(words, at);
  return send(fmt::format("{} {} {}", session, words[0], request_->number),
              make_frame(session, as));
}

std::string ChargeTable::send(const std::string& key, std::vector<u64> frame) {
  const Bytes request(reinterpret_cast<const u8*>(frame.data()), frame.size() * 8);
  const AnswerFrame answer = rig_.ask(request);
  std::vector<u8> octets = encode(frame, answer);
  std::string text = text_of(octets);
  sent_.try_emplace(key, Sent{std::move(frame), std::move(octets)});
  return text;
}

std::string ChargeTable::tell_again(const Words& words) {
  const Sent& sent = sent_.at(words.at(1) + " " + words.at(2) + " " + words.at(3));
  const Bytes request(reinterpret_cast<const u8*>(sent.frame.data()), sent.frame.size() * 8);
  const u32 shard = ChargeRequestView(request).head().shard;
  const u64 sequence = rig_.shard(shard).header().sequence;
  const std::vector<u8> octets = encode(sent.frame, rig_.ask(request));
  const bool has_moved = rig_.shard(shard).header().sequence != sequence;
  const std::string text = octets == sent.answer ? "same" : text_of(octets);
  return has_moved ? text + " moved" : text;
}

std::vector<u8> ChargeTable::encode(const std::vector<u64>& frame, const AnswerFrame& answer) {
  static AnswerScratch scratch;
  const ChargeRequestView request(
      Bytes(reinterpret_cast<const u8*>(frame.data()), frame.size() * 8));
  const KeptRequest kept{.hop_by_hop = 1,
                         .end_to_end = 2,
                         .number = request.head().number,
                         .kind = request.head().kind,
                         .session_id = as_bytes(request.session_id()),
                         .identifiers = identifiers_};
  std::vector<u8> octets(65536);
  diameter::ResultCode code = diameter::ResultCode::none;
  octets.resize(
      encode_charge_answer({kept, answer, rig_.image(), origin_, profile_}, scratch, octets, code));
  return octets;
}

std::string ChargeTable::text_of(const diameter::ReceivedMscc& mscc, bool with_group) const {
  std::string text;
  if (with_group && mscc.rating_group) text += fmt::format(" rg {}", *mscc.rating_group);
  if (with_group && mscc.service_identifier)
    text += fmt::format(" si {}", *mscc.service_identifier);
  if (mscc.service_identifier_count > 1) {
    text += fmt::format(" identifiers {}", mscc.service_identifier_count);
  }
  if (mscc.result_code != diameter::ResultCode::success) {
    text += fmt::format(" {}", static_cast<u32>(mscc.result_code));
  }
  if (mscc.has_granted) text += " grant" + text_of_units(mscc.granted);
  if (mscc.pool) {
    text += fmt::format(" pool {} times {}e{}", mscc.pool->identifier, mscc.pool->multiplier.digits,
                        mscc.pool->multiplier.exponent);
  }
  text += text_of_final(mscc.final_unit, mscc.redirect_address);
  if (show_.find("validity") != std::string::npos && mscc.validity_time_s) {
    text += fmt::format(" validity {}s", *mscc.validity_time_s);
  }
  if (mscc.tariff_time_change) {
    const i64 at = (*mscc.tariff_time_change - rig_.now).whole_seconds();
    text += fmt::format(" change {}s", at);
  }
  if (show_.find("threshold") == std::string::npos) return text;
  if (mscc.volume_quota_threshold_octets) {
    text += " threshold " + octets_text(*mscc.volume_quota_threshold_octets);
  }
  if (mscc.time_quota_threshold_s) {
    text += fmt::format(" threshold {}s", *mscc.time_quota_threshold_s);
  }
  if (mscc.quota_holding_time_s) text += fmt::format(" holding {}s", *mscc.quota_holding_time_s);
  return text;
}

std::string ChargeTable::text_of(Bytes octets) const {
  static diameter::ReceivedAnswer answer;
  if (octets.empty()) return "an answer that is too long";
  if (decode_answer(octets, answer) != diameter::AnswerFault::none) return "a broken answer";
  std::string text = fmt::format("{}", static_cast<u32>(answer.result_code));
  for (const diameter::ReceivedMscc& mscc : answer.mscc()) {
    text += text_of(mscc, answer.mscc_count > 1);
  }
  if (answer.has_granted) text += " grant" + text_of_units(answer.granted);
  text += text_of_final(answer.final_unit, {});
  if (answer.cost) {
    text += " cost " + to_text(Amount{answer.cost->digits}, money_unit(answer.cost->currency_code));
  }
  if (answer.advice_of_charge) {
    text += " so-far " + to_text(Amount{answer.advice_of_charge->digits},
                                 money_unit(answer.advice_of_charge->currency_code));
  }
  if (answer.remaining_balance) {
    text += " left " + to_text(Amount{answer.remaining_balance->digits},
                               money_unit(answer.remaining_balance->currency_code));
  }
  if (answer.low_balance.value_or(false)) text += " low";
  if (show_.find("failed") != std::string::npos) text += text_of_failed(answer.failed_avps);
  if (show_.find("handling") != std::string::npos && answer.session_failover) {
    text += fmt::format(" failover {}", *answer.session_failover);
  }
  if (show_.find("handling") != std::string::npos && answer.failure_handling) {
    text += fmt::format(" handling {}", *answer.failure_handling);
  }
  if (answer.check_balance == diameter::CheckBalanceResult::enough_credit) text += " enough";
  if (answer.check_balance == diameter::CheckBalanceResult::no_credit) text += " no-credit";
  return text;
}

// What Failed-AVP holds: numbers of groups and identifiers, the data of a subscription.
std::string ChargeTable::text_of_failed(Bytes octets) {
  std::string text;
  diameter::AvpCursor cursor(octets);
  diameter::Avp avp;
  while (cursor.next(avp) == diameter::AvpStep::avp) {
    diameter::Avp data;
    if (avp.is(diameter::avp::rating_group)) text += fmt::format(" failed rg {}", avp.as_u32());
    if (avp.is(diameter::avp::service_identifier)) {
      text += fmt::format(" failed si {}", avp.as_u32());
    }
    if (avp.is(diameter::avp::subscription_id) &&
        find_first(avp.data(), diameter::avp::subscription_id_data, data)) {
      text += fmt::format(" failed subscription '{}'", as_text(data.data()));
    }
  }
  return text;
}

// A profile of the product by its name, or one with the key that is given.
void ChargeTable::read_own_profile(const std::string& name) {
  const std::string file = std::string(SOURCE_ROOT) + "/config/profiles/" + name + ".toml";
  const std::string why = name.find('=') == std::string::npos
                              ? read_profile(file, profile_)
                              : read_profile_text("[profile]\n" + name + "\n", profile_);
  if (!why.empty()) throw std::runtime_error(why);
}

ledger::NewBucket ChargeTable::read_bucket(const Words& words, std::size_t& at) const {
  ledger::NewBucket bucket;
  bucket.amount = amount_of(words.at(at++), bucket.unit);
  for (; at + 1 < words.size(); at += 2) {
    if (words[at] == "priority") {
      bucket.priority = static_cast<u8>(std::stoul(words[at + 1]));
    } else if (words[at] == "expires") {
      bucket.expires_s =
          static_cast<ledger::Second>((rig_.now + time_of(words[at + 1])).whole_seconds());
    } else {
      break;
    }
  }
  return bucket;
}

std::string ChargeTable::tell_account(const Words& words) {
  ledger::Command command{.kind = ledger::CommandKind::create_account,
                          .account_id = accounts_.size() + 1,
                          .state = ledger::AccountState::active,
                          .credit_limit = 0};
  for (std::size_t at = 2; at < words.size();) {
    const std::string& word = words[at++];
    if (word == "plan") {
      command.plan = rating::plan_id(words.at(at++));
    } else if (word == "balance") {
      command.buckets[command.bucket_count++] = read_bucket(words, at);
    } else if (word == "limit") {
      Unit unit = Unit::none;
      command.credit_limit = amount_of(words.at(at++), unit).count;
    } else if (word == "state") {
      command.state = state_of(words.at(at++));
    } else if (word == "shard") {
      command.shard = static_cast<u8>(std::stoul(words.at(at++)));
    } else {
      throw std::runtime_error("what is '" + word + "'?");
    }
  }
  const ledger::CommandAnswer answer = rig_.command(command);
  if (answer.outcome != ledger::Outcome::ok) return std::string(to_text(answer.outcome));
  accounts_[words.at(1)] = answer.account;
  return {};
}

// `NAME [prices NAME]... [fee AMOUNT] [brings BUCKET [rollover AMOUNT]]...`
void ChargeTable::read_product(const Words& words, std::size_t& at,
                               ledger::Command& command) const {
  command.plan = rating::product_id(words.at(at++));
  std::size_t price_count = 0;
  while (at < words.size()) {
    const std::string& word = words[at++];
    if (word == "prices") {
      command.products.at(price_count++) = rating::product_id(words.at(at++));
      continue;
    }
    ledger::NewBucket& bucket = command.buckets.at(command.bucket_count++);
    if (word == "brings") {
      bucket = read_bucket(words, at);
      bucket.product = command.plan;
    } else {
      bucket.role = word == "fee" ? ledger::BucketRole::fee : ledger::BucketRole::rollover;
      bucket.amount = amount_of(words.at(at++), bucket.unit);
    }
  }
}

std::string ChargeTable::tell_command(const Words& words) {
  ledger::Command command;
  const std::string& verb = words[0];
  if (verb == "drop") {
    const std::string& session = words.at(1);
    command.kind = ledger::CommandKind::drop_session;
    command.shard = static_cast<u8>(clients_[session].account.shard());
    command.session_id_bytes =
        static_cast<u8>(session.copy(command.session_id.data(), command.session_id.size()));
    return std::string(to_text(rig_.command(command).outcome));
  }
  command.account = accounts_.at(words.at(1));
  command.shard = static_cast<u8>(command.account.shard());
  command.kind = command_kind_of(verb);
  std::size_t at = 2;
  if (command.kind == ledger::CommandKind::set_account) {
    Unit unit = Unit::none;
    if (words.at(2) == "plan") command.plan = rating::plan_id(words.at(3));
    if (words.at(2) == "state") command.state = state_of(words.at(3));
    if (words.at(2) == "limit") command.credit_limit = amount_of(words.at(3), unit).count;
    if (words.at(2) == "valid") {
      command.flags = ledger::command_flag::has_valid_until;
      command.valid_until_s =
          static_cast<ledger::Second>((rig_.now + time_of(words.at(3))).whole_seconds());
    }
    at = words.size();
  }
  if (verb == "transfer") command.other_account = accounts_.at(words.at(at++));
  if (verb == "payer") {
    if (words.at(at) != "none") command.other_account = accounts_.at(words.at(at));
    ++at;
  }
  if (command.kind >= ledger::CommandKind::product_turn &&
      command.kind <= ledger::CommandKind::product_end) {
    read_product(words, at, command);
  } else if (at < words.size() && words[at] != "id") {
    command.buckets[0] = read_bucket(words, at);
    command.bucket_count = 1;
  }
  for (; at < words.size(); ++at) {
    if (words[at] == "extend") {
      command.flags = ledger::command_flag::extend;
    } else if (words[at] == "bonus") {
      command.buckets[command.bucket_count++] = read_bucket(words, ++at);
      --at;
    } else if (words[at] == "id") {
      command.idempotency_key = command.transfer_id = std::stoull(words.at(++at));
    } else {
      throw std::runtime_error("what is '" + words[at] + "'?");
    }
  }
  const ledger::CommandAnswer answer = rig_.command(command);
  std::string text(to_text(answer.outcome));
  if (answer.is_repeated != 0) text += " again";
  if (answer.is_in_transit != 0) text += " in transit";
  if (answer.unit == Unit::none) return text;
  return text + " balance " + to_text(answer.balance, answer.unit);
}

std::string ChargeTable::tell_balance(const Words& words) {
  const Unit unit = unit_from_name(words.at(2));
  Amount free;
  Amount held;
  Amount used;
  const ledger::LedgerView view(rig_.memory());
  view.for_each_bucket_of(accounts_.at(words.at(1)), [&](const ledger::Bucket& bucket) {
    if (bucket.unit != unit || bucket.state != ledger::BucketState::open) return;
    free.count += bucket.balance.count;
    held.count += bucket.reserved.count;
    used.count += bucket.consumed.count;
  });
  return fmt::format("free {} held {} used {}", to_decimal(free, unit), to_decimal(held, unit),
                     to_decimal(used, unit));
}

// Each bucket as free/held/used, in the order of payment.
std::string ChargeTable::tell_buckets(const Words& words) {
  std::string text;
  const ledger::LedgerView view(rig_.memory());
  view.for_each_bucket_of(accounts_.at(words.at(1)), [&](const ledger::Bucket& bucket) {
    text += fmt::format("{}{}/{}/{}{}", text.empty() ? "" : " ",
                        to_decimal(bucket.balance, bucket.unit),
                        to_decimal(bucket.reserved, bucket.unit),
                        to_decimal(bucket.consumed, bucket.unit), unit_name(bucket.unit));
    if (bucket.state == ledger::BucketState::in_transit) text += "(sent)";
    if (bucket.state == ledger::BucketState::received) text += "(received)";
    if (bucket.state == ledger::BucketState::limit) text += "(limit)";
  });
  return text;
}

// What the whole ledger has of a unit.
std::string ChargeTable::tell_audit(const Words& words) {
  const Unit unit = unit_from_name(words.at(1));
  const ledger::AuditReport report = ledger::audit(ledger::LedgerView(rig_.memory()), rig_.now);
  for (const ledger::AuditUnit& sum : report.units) {
    if (sum.unit != unit) continue;
    const auto decimal = [&](i128 count) { return to_decimal({static_cast<i64>(count)}, unit); };
    std::string text = fmt::format("in {} free {} held {} used {} expired {}", decimal(sum.put_in),
                                   decimal(sum.balance), decimal(sum.reserved),
                                   decimal(sum.consumed), decimal(sum.expired));
    if (sum.in_transit != 0) text += " moving " + decimal(sum.in_transit);
    return text;
  }
  return "nothing";
}

std::string ChargeTable::tell_crossings() {
  std::string text;
  for (const ledger::ThresholdNote& note : rig_.take_crossings()) {
    text += fmt::format("{}account {} below {}: {} to {}", text.empty() ? "" : " and ",
                        note.account_id, to_text(note.threshold, note.unit),
                        to_decimal(note.before, note.unit), to_decimal(note.after, note.unit));
  }
  return text.empty() ? "none" : text;
}

std::string ChargeTable::tell_cdr(const Words& words) {
  std::string text;
  for (const ChargingNote& note : rig_.notes()) {
    if (note.session_id != words.at(1)) continue;
    text += (text.empty() ? "" : " and ") + cause_text(note.data.cause);
    for (const ledger::ChargingService& service : note.services) {
      if ((service.flags & ledger::service_flag::has_rating_group) != 0) {
        text += fmt::format(" rg {}", service.rating_group);
      }
      text += " used ";
      if (service.kind == ledger::UnitKind::time) {
        text += fmt::format("{}s", service.used.count / 1000);
      } else if (ledger::is_of_octets(service.kind)) {
        text += octets_text(static_cast<u64>(service.used.count));
      } else {
        text += fmt::format("{}", service.used.count);
      }
      if (service.cost_unit == Unit::none) continue;
      text += " cost " + to_text(Amount{service.cost.count}, service.cost_unit);
    }
  }
  return text.empty() ? "none" : text;
}

}  // namespace tollgate::app
