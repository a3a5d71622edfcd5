// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// IdentityKey: who a request speaks of, in sixteen octets.
//
// Numbers (MSISDN, IMSI) lie in it digit by digit, so two different ones never share a key. Texts
// (SIP URI, NAI, private identity) are represented by 120 bits of hash; provisioning keeps the
// texts and refuses a new one whose key is taken. A SIP or tel URI that carries a telephone number
// (sip:+46701234567@...;user=phone, tel:+46701234567) is also known by that number.
// Types are those of Subscription-Id-Type (RFC 8506 8.47).
#pragma once

#include <string>

#include "base/hash.hh"
#include "base/types.hh"

namespace tollgate::ledger {

enum class IdentityType : u8 { none = 0, msisdn = 1, imsi = 2, sip = 3, nai = 4, private_id = 5 };

struct IdentityKey {
  u64 low = 0;
  u64 high = 0;  // top octet: type

  constexpr IdentityType type() const { return static_cast<IdentityType>(high >> 56); }
  constexpr bool is_none() const { return (low | high) == 0; }
  // Where tables look first: spread over all bits.
  constexpr u64 hash() const { return mix64(low ^ (high * 0x9e3779b97f4a7c15ULL)); }
  // Never 0: whoever was sent to an account by a key can tell whether it is (still) one of its own.
  constexpr u32 check_value() const { return static_cast<u32>(hash() >> 32) | 1; }
  friend constexpr bool operator==(IdentityKey, IdentityKey) = default;
};
static_assert(sizeof(IdentityKey) == 16);

// The key of a number of 1 to 18 digits (a leading '+' is passed over), of type msisdn or imsi;
// a none key if it is anything else.
IdentityKey number_key(IdentityType type, std::string_view digits);

// The key of a text, compared as it is but for the case of letters after '@'.
IdentityKey text_key(IdentityType type, std::string_view text);

// The key of a SIP URI or tel URI: of the number if it carries one, else of the text without its
// parameters.
IdentityKey uri_key(std::string_view uri);

// Reads "msisdn:46701234567", "tel:+46701234567", "+46701234567", "imsi:24001...", "sip:user@host",
// "nai:user@realm", "private:text". On failure returns what was expected; on success an empty text,
// and `canonical` is the spelling that provisioning stores and shows.
[[nodiscard]] std::string parse_identity(std::string_view text, IdentityKey& key,
                                         std::string& canonical);

// "msisdn:46701234567", or for texts "sip:#" and the hash: the text itself is not in the ledger.
std::string to_text(IdentityKey key);

}  // namespace tollgate::ledger
