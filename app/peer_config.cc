// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "app/peer_config.hh"

#include <fmt/format.h>

namespace tollgate::app {
namespace {

constexpr i64 connections_limit = 16384;
constexpr u16 diameter_port = 3868;

// One value of a rule; an empty text, or what was expected.
std::string read_value(std::string_view key, const toml::node& value, PeerRule& rule) {
  if (key == "host" || key == "realm") {
    if (!value.is_string() || value.as_string()->get().empty())
      return "a name, or a pattern such as \"*.example\"";
    (key == "host" ? rule.host : rule.realm) = value.as_string()->get();
  } else if (key == "addresses") {
    if (!value.is_array()) return "a list of addresses";
    for (const toml::node& element : *value.as_array()) {
      dataplane::IpPrefix prefix;
      if (!element.is_string() || !dataplane::parse(element.as_string()->get(), prefix))
        return "addresses or nets such as \"198.18.0.0/24\"";
      rule.addresses.push_back(prefix);
    }
  } else if (key == "connections_max") {
    const i64 count = value.is_integer() ? value.as_integer()->get() : -1;
    if (count < 0 || count > connections_limit)
      return fmt::format("a number from 0 (any) to {}", connections_limit);
    rule.connections_max = static_cast<u32>(count);
  } else if (key == "connect") {
    dataplane::Endpoint endpoint;
    if (!value.is_string() || !dataplane::parse(value.as_string()->get(), diameter_port, endpoint))
      return "an address, with a port if it is not 3868";
    rule.call = endpoint;
  } else {
    return "host, realm, addresses, connections_max or connect";
  }
  return {};
}

void read_rule(TomlReader& reader, const toml::node& node, Config& config) {
  const toml::table* table = node.as_table();
  if (table == nullptr) {
    reader.mistake(node, "[diameter] peers: expected [[diameter.peers]] with keys");
    return;
  }
  PeerRule rule;
  for (const auto& [key, value] : *table) {
    const std::string expected = read_value(key.str(), value, rule);
    if (expected.empty()) continue;
    reader.mistake(value, fmt::format("[[diameter.peers]] {}: expected {}", key.str(), expected));
  }
  if (rule.call && rule.host.starts_with('*')) {
    reader.mistake(node, "[[diameter.peers]] connect: expected a host without '*' beside it");
  }
  config.peer_rules.add(std::move(rule));
}

}  // namespace

void read_peers(TomlReader& reader, Config& config) {
  reader.number("diameter", "unauthenticated_max", {1, 16384}, config.unauthenticated_max);
  const toml::node* node = reader.find("diameter", "peers");
  if (node == nullptr) return;
  if (!node->is_array()) {
    reader.mistake(*node, "[diameter] peers: expected [[diameter.peers]]");
    return;
  }
  for (const toml::node& element : *node->as_array()) read_rule(reader, element, config);
}

}  // namespace tollgate::app
