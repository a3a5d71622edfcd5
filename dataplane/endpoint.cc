// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors
#include "dataplane/endpoint.hh"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <charconv>
#include <cstring>

namespace tollgate::dataplane {

namespace {

bool parse_number(std::string_view text, u32 base, u32 max, u32& number) {
  u32 value = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value, static_cast<int>(base));
  if (error != std::errc{}) return false;
  if (end != text.data() + text.size()) return false;
  if (value > max) return false;
  number = value;
  return true;
}

}  // namespace

bool IpPrefix::contains(const IpAddress& other) const {
  if (other.version != address.version) return false;
  const u32 whole_octets = length_bits / 8;
  if (std::memcmp(address.octets.data(), other.octets.data(), whole_octets) != 0) return false;
  const u32 rest_bits = length_bits % 8;
  if (rest_bits == 0) return true;
  const u32 mask = 0xff00u >> rest_bits & 0xffu;
  return ((address.octets[whole_octets] ^ other.octets[whole_octets]) & mask) == 0;
}

std::string to_text(const IpAddress& address) {
  if (!address.is_set()) return "any";
  char text[INET6_ADDRSTRLEN] = {};
  const int family = address.version == IpVersion::v4 ? AF_INET : AF_INET6;
  inet_ntop(family, address.octets.data(), text, sizeof text);
  return text;
}

std::string to_text(const IpPrefix& prefix) {
  return fmt::format("{}/{}", to_text(prefix.address), prefix.length_bits);
}

std::string to_text(const Endpoint& endpoint) {
  if (endpoint.address.version == IpVersion::v6)
    return fmt::format("[{}]:{}", to_text(endpoint.address), endpoint.port);
  return fmt::format("{}:{}", to_text(endpoint.address), endpoint.port);
}

std::string to_text(const MacAddress& mac) {
  const auto& o = mac.octets;
  return fmt::format("{:02x}:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}", o[0], o[1], o[2], o[3], o[4],
                     o[5]);
}

bool parse(std::string_view text, IpAddress& address) {
  char terminated[INET6_ADDRSTRLEN + 1] = {};
  if (text.size() >= sizeof terminated) return false;
  std::memcpy(terminated, text.data(), text.size());
  IpAddress result;
  if (inet_pton(AF_INET, terminated, result.octets.data()) == 1) {
    result.version = IpVersion::v4;
  } else if (inet_pton(AF_INET6, terminated, result.octets.data()) == 1) {
    result.version = IpVersion::v6;
  } else {
    return false;
  }
  address = result;
  return true;
}

bool parse(std::string_view text, IpPrefix& prefix) {
  const std::size_t slash = text.find('/');
  IpPrefix result;
  if (!parse(text.substr(0, slash), result.address)) return false;
  const u32 length_bits_max = result.address.version == IpVersion::v4 ? 32 : 128;
  result.length_bits = length_bits_max;
  if (slash != std::string_view::npos) {
    if (!parse_number(text.substr(slash + 1), 10, length_bits_max, result.length_bits))
      return false;
  }
  prefix = result;
  return true;
}

bool parse(std::string_view text, u16 port_default, Endpoint& endpoint) {
  std::string_view address_text = text;
  std::string_view port_text;
  bool has_port = false;
  if (text.starts_with('[')) {
    const std::size_t bracket = text.find(']');
    if (bracket == std::string_view::npos) return false;
    address_text = text.substr(1, bracket - 1);
    const std::string_view rest = text.substr(bracket + 1);
    has_port = rest.starts_with(':');
    if (!rest.empty() && !has_port) return false;
    if (has_port) port_text = rest.substr(1);
  } else if (const std::size_t colon = text.find(':');
             colon != std::string_view::npos && text.find(':', colon + 1) == text.npos) {
    has_port = true;
    address_text = text.substr(0, colon);
    port_text = text.substr(colon + 1);
  }
  Endpoint result;
  if (!parse(address_text, result.address)) return false;
  u32 port = port_default;
  if (has_port && !parse_number(port_text, 10, 65535, port)) return false;
  result.port = static_cast<u16>(port);
  endpoint = result;
  return true;
}

bool parse(std::string_view text, MacAddress& mac) {
  if (text.size() != 17) return false;
  MacAddress result;
  for (std::size_t i = 0; i < 6; ++i) {
    u32 octet = 0;
    if (!parse_number(text.substr(i * 3, 2), 16, 255, octet)) return false;
    if (i < 5 && text[i * 3 + 2] != ':') return false;
    result.octets[i] = static_cast<u8>(octet);
  }
  mac = result;
  return true;
}

}  // namespace tollgate::dataplane
