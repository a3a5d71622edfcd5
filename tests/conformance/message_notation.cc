// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "tests/conformance/message_notation.hh"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "dataplane/endpoint.hh"
#include "diameter/dictionary_tables.hh"

namespace tollgate::conformance {
namespace {

using diameter::AvpId;
using diameter::AvpType;
using diameter::Command;

constexpr i64 enum_value_max = 6000;  // of the values that tables call by name

[[noreturn]] void mistake(const std::string& what, std::string_view word) {
  throw std::runtime_error(fmt::format("{}: {}", what, word));
}

bool is_number(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

u64 number_of(const std::string& text) {
  if (text.starts_with("0x")) return std::stoull(text, nullptr, 16);
  if (!is_number(text)) mistake("not a number", text);
  return text.starts_with('-') ? static_cast<u64>(std::stoll(text)) : std::stoull(text);
}

Octets from_hex(std::string_view digits) {
  Octets octets;
  if (digits.size() % 2 != 0) mistake("half an octet", digits);
  for (std::size_t i = 0; i < digits.size(); i += 2) {
    octets.push_back(static_cast<u8>(std::stoul(std::string(digits.substr(i, 2)), nullptr, 16)));
  }
  return octets;
}

Octets big_endian(u64 value, std::size_t size_bytes) {
  Octets octets(size_bytes);
  for (std::size_t i = 0; i < size_bytes; ++i) {
    octets[size_bytes - 1 - i] = static_cast<u8>(value >> (8 * i));
  }
  return octets;
}

Octets from_text(std::string_view text) {
  return {text.begin(), text.end()};
}

Octets address_of(std::string_view text) {
  dataplane::IpAddress address;
  if (text.starts_with('[')) text = text.substr(1, text.size() - 2);
  if (!dataplane::parse(text, address)) mistake("not an address", text);
  const bool is_ipv6 = address.version == dataplane::IpVersion::v6;
  const std::size_t size_bytes = is_ipv6 ? 16 : 4;
  Octets octets(2 + size_bytes);
  octets[1] = is_ipv6 ? 2 : 1;
  std::copy_n(address.octets.begin(), size_bytes, octets.begin() + 2);
  return octets;
}

// The long names that tables use most.
struct Alias {
  std::string_view letters;
  std::string_view name;
};
constexpr Alias aliases[] = {
    {"MSCC", "Multiple-Services-Credit-Control"},
    {"RSU", "Requested-Service-Unit"},
    {"USU", "Used-Service-Unit"},
    {"GSU", "Granted-Service-Unit"},
    {"FUI", "Final-Unit-Indication"},
    {"VSAI", "Vendor-Specific-Application-Id"},
};

AvpId find_by_name(std::string_view name) {
  for (const Alias& alias : aliases) {
    if (alias.letters == name) name = alias.name;
  }
  for (const diameter::AvpInfo& info : diameter::tables::dictionary.infos) {
    if (info.name == name) return info.id;
  }
  mistake("no AVP of the dictionary", name);
}

}  // namespace

AvpId find_id(const std::string& name) {
  if (name[0] < '0' || name[0] > '9' || name.starts_with("3GPP-")) return find_by_name(name);
  const std::size_t at = name.find('@');
  AvpId id{.code = static_cast<u32>(number_of(name.substr(0, at)))};
  if (at != std::string::npos) id.vendor = static_cast<u32>(number_of(name.substr(at + 1)));
  if (const diameter::AvpInfo* info = diameter::find_avp(id.code, id.vendor)) return info->id;
  if (id.vendor != 0) id.flags = diameter::avp_flag_vendor;
  return id;
}

namespace {

i64 enum_value(const AvpId& id, std::string_view name) {
  for (i64 value = 0; value <= enum_value_max; ++value) {
    if (diameter::enum_name(id.code, id.vendor, value) == name) return value;
  }
  mistake("no value of this AVP", name);
}

Octets members(std::string_view inside) {
  Octets all;
  for (const std::string& word : split(inside)) {
    const Octets one = read_avp(word).octets;
    all.insert(all.end(), one.begin(), one.end());
  }
  return all;
}

Octets value_of(const AvpId& id, std::string text) {
  const std::size_t star = text.rfind('*');
  if (star != std::string::npos && is_number(std::string_view(text).substr(star + 1)) &&
      text[star - 1] != '*' && !text.ends_with('"')) {
    const Octets one = value_of(id, text.substr(0, star));
    Octets all;
    for (u64 left = number_of(text.substr(star + 1)); left > 0; --left) {
      all.insert(all.end(), one.begin(), one.end());
    }
    return all;
  }
  if (text.starts_with("0x")) return from_hex(std::string_view(text).substr(2));
  if (text.starts_with('"')) return from_text(std::string_view(text).substr(1, text.size() - 2));
  if (text.starts_with('{')) return members(std::string_view(text).substr(1, text.size() - 2));
  if (id.type == AvpType::address) return address_of(text);
  if (!is_number(text)) return big_endian(static_cast<u64>(enum_value(id, text)), 4);
  const diameter::DataSize size = diameter::data_size(id.type);
  if (!size.is_exact && id.type != AvpType::unknown) mistake("a number is no value of it", text);
  return big_endian(number_of(text), size.is_exact ? size.bytes : 4);
}

}  // namespace

Words split(std::string_view line) {
  Words words;
  std::string word;
  bool is_quoted = false;
  u32 depth = 0;
  for (const char c : line) {
    if (c == '"') is_quoted = !is_quoted;
    if (!is_quoted && c == '{') ++depth;
    if (!is_quoted && c == '}' && depth-- == 0) mistake("a brace too many", line);
    if ((c == ' ' || c == '\t') && !is_quoted && depth == 0) {
      if (!word.empty()) words.push_back(std::exchange(word, {}));
      continue;
    }
    word += c;
  }
  if (is_quoted || depth != 0) mistake("a quote or brace is not closed", line);
  if (!word.empty()) words.push_back(word);
  return words;
}

AvpText read_avp(const std::string& word) {
  const std::size_t equals = std::min(word.find('='), word.size());
  std::string name = word.substr(0, equals);
  Words marks;
  for (std::size_t at; (at = name.rfind('/')) != std::string::npos; name.resize(at)) {
    marks.push_back(name.substr(at + 1));
  }
  AvpText avp{.id = find_id(name), .has_value = equals < word.size()};
  const Octets data = avp.has_value ? value_of(avp.id, word.substr(equals + 1)) : Octets{};
  bool has_vendor = avp.id.vendor != 0;
  u8 flags = avp.id.flags;
  std::optional<u64> length_bytes;
  for (const std::string& mark : marks) {
    if (mark == "M") flags |= diameter::avp_flag_mandatory;
    if (mark == "m") flags &= static_cast<u8>(~diameter::avp_flag_mandatory);
    if (mark == "P") flags |= diameter::avp_flag_protected;
    if (mark == "r") flags |= 1;
    if (mark == "V") has_vendor = true;
    if (mark.starts_with("len:")) length_bytes = number_of(mark.substr(4));
  }
  if (has_vendor) flags |= diameter::avp_flag_vendor;
  const std::size_t header_bytes = has_vendor ? 12 : 8;
  avp.octets = big_endian(avp.id.code, 4);
  avp.octets.push_back(flags);
  const Octets length = big_endian(length_bytes.value_or(header_bytes + data.size()), 3);
  avp.octets.insert(avp.octets.end(), length.begin(), length.end());
  if (has_vendor) {
    const Octets vendor = big_endian(avp.id.vendor, 4);
    avp.octets.insert(avp.octets.end(), vendor.begin(), vendor.end());
  }
  avp.octets.insert(avp.octets.end(), data.begin(), data.end());
  avp.octets.resize(diameter::padded(avp.octets.size()));
  return avp;
}

bool Draft::begin(const std::string& word) {
  struct Name {
    std::string_view letters;
    Command command;
    u32 application;
    bool is_proxiable;
  };
  constexpr Name names[] = {
      {"CE", Command::capabilities_exchange, 0, false},
      {"DW", Command::device_watchdog, 0, false},
      {"DP", Command::disconnect_peer, 0, false},
      {"CC", Command::credit_control, 4, true},
      {"RA", Command::re_auth, 4, true},
      {"AS", Command::abort_session, 4, true},
      {"AC", Command::accounting, 3, true},
      {"ST", Command::session_termination, 4, true},
  };
  header_ = {};
  avps_.clear();
  const char kind = word.back();
  if (word.size() < 3 || (kind != 'R' && kind != 'A')) return false;
  const std::string letters = word.substr(0, word.size() - 1);
  if (kind == 'R') header_.flags = diameter::flag_request;
  if (is_number(letters)) {
    header_.command = static_cast<Command>(number_of(letters));
    return true;
  }
  const auto* const name = std::ranges::find(names, letters, &Name::letters);
  if (name == std::end(names)) return false;
  header_.command = name->command;
  header_.application = static_cast<diameter::Application>(name->application);
  if (name->is_proxiable) header_.flags |= diameter::flag_proxiable;
  return true;
}

void Draft::change_header(const std::string& key, const std::string& value) {
  if (key == "flags") {
    header_.flags = 0;
    for (const char letter : value) {
      if (letter == 'R') header_.flags |= diameter::flag_request;
      if (letter == 'P') header_.flags |= diameter::flag_proxiable;
      if (letter == 'E') header_.flags |= diameter::flag_error;
      if (letter == 'T') header_.flags |= diameter::flag_retransmitted;
      if (letter == 'r') header_.flags |= 1;
    }
    return;
  }
  if (key == "raw") {
    raw_ = from_hex(std::string_view(value).substr(2));
    return;
  }
  const u32 number = static_cast<u32>(number_of(value));
  if (key == "app") {
    header_.application = static_cast<diameter::Application>(number);
  } else if (key == "version") {
    header_.version = static_cast<u8>(number);
  } else if (key == "hbh" || key == "e2e") {
    (key == "hbh" ? header_.hop_by_hop : header_.end_to_end) = number;
    has_ids_ = true;
  } else if (key == "length") {
    length_bytes_ = number;
  } else if (key == "cut") {
    cut_bytes_ = number;
  } else {
    mistake("no field of the header", key);
  }
}

void Draft::change(const std::string& word) {
  if (word[0] == '@') {
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos) mistake("a field without a value", word);
    return change_header(word.substr(1, equals - 1), word.substr(equals + 1));
  }
  if (word[0] == '-') {
    const AvpId id = find_id(word.substr(1));
    std::erase_if(avps_, [&](const AvpText& avp) { return avp.id == id; });
    return;
  }
  const bool is_more = word[0] == '+' || word[0] == '^';
  AvpText avp = read_avp(is_more ? word.substr(1) : word);
  const auto at = std::ranges::find_if(avps_, [&](const AvpText& a) { return a.id == avp.id; });
  if (word[0] == '^') {
    avps_.insert(avps_.begin(), std::move(avp));
  } else if (is_more || at == avps_.end()) {
    avps_.push_back(std::move(avp));
  } else {
    *at = std::move(avp);
  }
}

std::vector<Octets> Draft::all(const AvpId& id) const {
  std::vector<Octets> found;
  for (const AvpText& avp : avps_) {
    if (avp.id == id) found.push_back(avp.octets);
  }
  return found;
}

Octets Draft::encode() const {
  Octets message(diameter::header_bytes);
  for (const AvpText& avp : avps_) {
    message.insert(message.end(), avp.octets.begin(), avp.octets.end());
  }
  message.insert(message.end(), raw_.begin(), raw_.end());
  diameter::Header header = header_;
  header.length_bytes = length_bytes_.value_or(static_cast<u32>(message.size()));
  diameter::write_header(header, message);
  message.resize(message.size() - std::min<std::size_t>(cut_bytes_, message.size()));
  return message;
}

Draft Drafts::read(std::span<const std::string> words) const {
  if (words.empty()) throw std::runtime_error("expected a message");
  Draft draft;
  if (const auto at = drafts_.find(words[0]); at != drafts_.end()) {
    draft = at->second;
  } else if (!draft.begin(words[0])) {
    mistake("no message of that name", words[0]);
  }
  for (const std::string& word : words.subspan(1)) draft.change(word);
  return draft;
}

}  // namespace tollgate::conformance
