// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// IpAddress, IpPrefix, Endpoint, MacAddress: who is on the other side, as values and as texts.
//
// Texts are those of RFC 4291, RFC 5952 and common use: "198.18.0.1", "2001:db8::1",
// "198.18.0.1/24", "198.18.0.1:3868", "[2001:db8::1]:3868", "02:00:00:00:00:01".
#pragma once

#include <array>
#include <compare>
#include <string>

#include "base/types.hh"

namespace tollgate::dataplane {

enum class IpVersion : u8 { none = 0, v4 = 4, v6 = 6 };

// An IPv4 address uses the first four octets, the others are zero; network order.
struct IpAddress {
  std::array<u8, 16> octets{};
  IpVersion version = IpVersion::none;

  bool is_set() const { return version != IpVersion::none; }
  // 0.0.0.0, :: or nothing: every address of the host, when listening.
  bool is_any() const { return octets == std::array<u8, 16>{}; }
  friend constexpr auto operator<=>(const IpAddress&, const IpAddress&) = default;
};

struct IpPrefix {
  IpAddress address;
  u32 length_bits = 0;

  bool contains(const IpAddress& other) const;
  friend constexpr auto operator<=>(const IpPrefix&, const IpPrefix&) = default;
};

struct Endpoint {
  IpAddress address;
  u16 port = 0;
  friend constexpr auto operator<=>(const Endpoint&, const Endpoint&) = default;
};

struct MacAddress {
  std::array<u8, 6> octets{};

  bool is_set() const { return octets != std::array<u8, 6>{}; }
  friend constexpr auto operator<=>(const MacAddress&, const MacAddress&) = default;
};

std::string to_text(const IpAddress& address);
std::string to_text(const IpPrefix& prefix);
std::string to_text(const Endpoint& endpoint);
std::string to_text(const MacAddress& mac);

// Each reads a whole text. false leaves the result alone.
[[nodiscard]] bool parse(std::string_view text, IpAddress& address);
// "ADDRESS" alone means the whole address: /32 or /128.
[[nodiscard]] bool parse(std::string_view text, IpPrefix& prefix);
// "ADDRESS:PORT", "[V6]:PORT", or ADDRESS alone, which takes `port_default`.
[[nodiscard]] bool parse(std::string_view text, u16 port_default, Endpoint& endpoint);
[[nodiscard]] bool parse(std::string_view text, MacAddress& mac);

}  // namespace tollgate::dataplane
