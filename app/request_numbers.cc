// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "app/request_numbers.hh"

#include "diameter/avp_ids.hh"
#include "rating/image.hh"
#include "rating/number.hh"
#include "rating/number_text.hh"

namespace tollgate::app {
namespace {

constexpr u64 with_way(u64 calling, u8 way) {
  return calling | u64{way} << ledger::SessionNumbers::number_bits;
}

// 0: there is no number.
u64 key_of(std::string_view digits) {
  const u64 key = rating::number_key(digits);
  return key == rating::number_absent ? 0 : key;
}

u64 read_party(std::initializer_list<Bytes> places) {
  for (const Bytes place : places) {
    if (place.empty()) continue;
    std::array<char, rating::bare_number_max> room;
    const u64 key = key_of(rating::bare_number(as_text(place), room));
    if (key != 0) return key;
  }
  return 0;
}

// The digits behind `word`: 240 of "ims.mnc001.mcc240.3gppnetwork.org" and "mcc".
std::string_view digits_behind(std::string_view text, std::string_view word) {
  constexpr std::string_view decimal = "0123456789";
  const std::size_t at = text.find(word);
  if (at == std::string_view::npos) return {};
  const std::string_view rest = text.substr(at + word.size());
  return rest.substr(0, std::min(rest.find_first_not_of(decimal), rest.size()));
}

// The home network domain of TS 23.003: its MNC has three digits always. Where two were meant, the
// first of them is a nought, and nobody can tell; such a network is known by both spellings only if
// the tariff has both.
u32 read_domain(std::string_view domain) {
  const std::string_view mcc = digits_behind(domain, "mcc");
  const std::string_view mnc = digits_behind(domain, "mnc");
  if (mcc.size() != 3 || mnc.size() < 2 || mnc.size() > 3) return 0;
  const bool is_short = mnc.size() == 3 && mnc[0] == '0';
  std::array<char, rating::plmn_digits_max> digits{};
  std::size_t count = mcc.copy(digits.data(), mcc.size());
  const std::string_view shown = is_short ? mnc.substr(1) : mnc;
  count += shown.copy(digits.data() + count, shown.size());
  return rating::short_number(rating::number_key({digits.data(), count}));
}

u32 read_network(const diameter::ServiceFacts& facts) {
  if (!facts.sgsn_mcc_mnc.empty()) {
    const u64 key = rating::number_key(as_text(facts.sgsn_mcc_mnc));
    if (key != rating::number_absent) return rating::short_number(key);
  }
  if (!facts.user_location.empty()) {
    std::array<char, rating::plmn_digits_max> room;
    const std::string_view digits = rating::plmn_digits(facts.user_location, room);
    if (!digits.empty()) return rating::short_number(rating::number_key(digits));
  }
  diameter::Avp ims;
  diameter::Avp visited;
  if (find_first(facts.service_information, diameter::avp::ims_information, ims) &&
      find_first(ims.data(), diameter::avp::ims_visited_network_identifier, visited)) {
    return read_domain(as_text(visited.data()));
  }
  return 0;
}

constexpr bool asks_for(u32 roles, rating::NumberRole role) {
  return (roles >> static_cast<u32>(role) & 1) != 0;
}

}  // namespace

void read_numbers(const diameter::ServiceFacts& facts, u32 roles, ledger::SessionNumbers& numbers) {
  if (asks_for(roles, rating::NumberRole::origin)) {
    numbers.origin = read_party({facts.calling_party});
  }
  if (asks_for(roles, rating::NumberRole::destination)) {
    numbers.destination =
        read_party({facts.called_party, facts.requested_party, facts.sms_recipient});
  }
  if (asks_for(roles, rating::NumberRole::network)) numbers.network = read_network(facts);
}

void set_numbers(const rating::ChargeEvent& event, ledger::SessionNumbers& numbers) {
  if (!event.calling.is_empty()) {
    numbers.origin = with_way(key_of(event.calling.view()), numbers.way());
  }
  const u8 way = rating::way_of(event.direction, event.location);
  if (way != 0) numbers.origin = with_way(numbers.calling(), way);
  if (!event.called.is_empty()) numbers.destination = key_of(event.called.view());
  if (!event.network.is_empty()) {
    numbers.network = rating::short_number(rating::number_key(event.network.view()));
  }
  if (event.zone != 0) numbers.zone = rating::zone_id(event.zone);
}

void fill_numbers(const ledger::SessionNumbers& known, ledger::SessionNumbers& numbers) {
  if (numbers.is_none()) numbers.zone = known.zone;
  const u64 calling = numbers.calling() != 0 ? numbers.calling() : known.calling();
  numbers.origin = with_way(calling, numbers.way() != 0 ? numbers.way() : known.way());
  if (numbers.destination == 0) numbers.destination = known.destination;
  if (numbers.network == 0) numbers.network = known.network;
}

}  // namespace tollgate::app
