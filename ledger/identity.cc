// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "ledger/identity.hh"

#include <fmt/format.h>

#include "base/check.hh"

namespace tollgate::ledger {
namespace {

constexpr std::size_t digits_max = 18;
constexpr u64 key_seed = 0x544f4c4c47415445ULL;  // "TOLLGATE": keys on disk depend on it

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool is_number(std::string_view text) {
  if (!text.empty() && text.front() == '+') text.remove_prefix(1);
  if (text.empty() || text.size() > digits_max) return false;
  for (const char c : text) {
    if (c < '0' || c > '9') return false;
  }
  return true;
}

bool has_prefix(std::string_view text, std::string_view prefix) {
  if (text.size() < prefix.size()) return false;
  for (std::size_t i = 0; i < prefix.size(); ++i) {
    if (lower(text[i]) != prefix[i]) return false;
  }
  return true;
}

// What stands between the scheme and '@', ';' or '?'.
std::string_view user_part(std::string_view uri) {
  uri.remove_prefix(uri.find(':') + 1);
  return uri.substr(0, uri.find_first_of("@;?"));
}

// "sip:user@host:5060" of "sip:user@host:5060;transport=tcp?x". What stands before '@' is the
// user's name, ';' and '?' included: cutting it there would make one of many.
std::string_view without_parameters(std::string_view uri) {
  const std::size_t at = uri.find('@');
  return uri.substr(0, uri.find_first_of(";?", at == std::string_view::npos ? 0 : at));
}

// The one spelling of all that have the same key: see text_key.
std::string with_lower_domain(std::string_view text) {
  std::string shown(text);
  for (std::size_t i = text.find('@'); i < shown.size(); ++i) shown[i] = lower(shown[i]);
  return shown;
}

std::string number_text(std::string_view digits) {
  return std::string(digits.front() == '+' ? digits.substr(1) : digits);
}

}  // namespace

IdentityKey number_key(IdentityType type, std::string_view digits) {
  check(type == IdentityType::msisdn || type == IdentityType::imsi, "numbers have these types");
  if (!is_number(digits)) return {};
  if (digits.front() == '+') digits.remove_prefix(1);
  u64 value = 0;
  for (const char c : digits) value = value * 10 + static_cast<u64>(c - '0');
  return {value, (static_cast<u64>(type) << 56) | digits.size()};
}

IdentityKey text_key(IdentityType type, std::string_view text) {
  // The part after '@' is a domain name; comparing it by case would make two users of one.
  u8 canonical[256];
  if (text.empty() || text.size() > sizeof canonical) return {};
  bool in_domain = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    canonical[i] = static_cast<u8>(in_domain ? lower(text[i]) : text[i]);
    in_domain = in_domain || text[i] == '@';
  }
  const Hash128 hash = hash128(Bytes(canonical, text.size()), key_seed);
  return {hash.low, (static_cast<u64>(type) << 56) | (hash.high >> 8)};
}

IdentityKey uri_key(std::string_view uri) {
  const std::string_view user = user_part(uri);
  const bool is_tel = has_prefix(uri, "tel:");
  const bool is_phone = is_tel || (!user.empty() && user.front() == '+');
  if (is_phone && is_number(user)) return number_key(IdentityType::msisdn, user);
  if (is_tel) return {};
  const std::string_view bare = without_parameters(uri);
  const std::size_t scheme = bare.find(':');
  if (scheme == std::string_view::npos || scheme + 1 == bare.size()) return {};
  return text_key(IdentityType::sip, bare.substr(scheme + 1));
}

std::string parse_identity(std::string_view text, IdentityKey& key, std::string& canonical) {
  constexpr std::string_view expected =
      "expected msisdn:DIGITS, tel:+DIGITS, imsi:DIGITS, sip:USER@HOST, nai:USER@REALM or "
      "private:TEXT";
  const bool is_bare = !text.empty() && text.front() == '+';
  const std::string_view rest = is_bare ? text : text.substr(text.find(':') + 1);
  IdentityKey found;
  std::string shown;
  if (is_bare || has_prefix(text, "msisdn:")) {
    found = number_key(IdentityType::msisdn, rest);
    if (!found.is_none()) shown = "msisdn:" + number_text(rest);
  } else if (has_prefix(text, "imsi:")) {
    found = number_key(IdentityType::imsi, rest);
    if (!found.is_none()) shown = "imsi:" + number_text(rest);
  } else if (has_prefix(text, "sip:") || has_prefix(text, "sips:") || has_prefix(text, "tel:")) {
    found = uri_key(text);
    if (found.type() == IdentityType::msisdn) {
      shown = "msisdn:" + number_text(user_part(text));
    } else if (!found.is_none()) {
      shown = "sip:" + with_lower_domain(without_parameters(rest));
    }
  } else if (has_prefix(text, "nai:")) {
    found = text_key(IdentityType::nai, rest);
    shown = "nai:" + with_lower_domain(rest);
  } else if (has_prefix(text, "private:")) {
    found = text_key(IdentityType::private_id, rest);
    shown = "private:" + with_lower_domain(rest);
  }
  if (found.is_none()) return fmt::format("'{}' is not an identity: {}", text, expected);
  key = found;
  canonical = std::move(shown);
  return {};
}

std::string to_text(IdentityKey key) {
  const auto digits = static_cast<int>(key.high & 0xff);
  switch (key.type()) {
    case IdentityType::msisdn:
      return fmt::format("msisdn:{:0{}}", key.low, digits);
    case IdentityType::imsi:
      return fmt::format("imsi:{:0{}}", key.low, digits);
    case IdentityType::sip:
      return fmt::format("sip:#{:014x}{:016x}", key.high << 8 >> 8, key.low);
    case IdentityType::nai:
      return fmt::format("nai:#{:014x}{:016x}", key.high << 8 >> 8, key.low);
    case IdentityType::private_id:
      return fmt::format("private:#{:014x}{:016x}", key.high << 8 >> 8, key.low);
    case IdentityType::none:
      break;
  }
  return "none";
}

}  // namespace tollgate::ledger
