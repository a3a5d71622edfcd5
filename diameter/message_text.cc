// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "diameter/message_text.hh"

#include <fmt/format.h>

#include <algorithm>

#include "diameter/dictionary.hh"

namespace tollgate::diameter {
namespace {

// A trace shows a message, not a dump: longer octets are cut, deeper groups left as octets.
constexpr std::size_t octets_shown_max = 256;
constexpr u32 depth_shown_max = 8;

struct CommandName {
  Command command;
  std::string_view letters;
};
constexpr CommandName command_names[] = {
    {Command::capabilities_exchange, "CE"},
    {Command::re_auth, "RA"},
    {Command::accounting, "AC"},
    {Command::credit_control, "CC"},
    {Command::abort_session, "AS"},
    {Command::session_termination, "ST"},
    {Command::device_watchdog, "DW"},
    {Command::disconnect_peer, "DP"},
};

void put_hex(std::string& text, Bytes octets) {
  text += "0x";
  for (const u8 octet : octets.first(std::min(octets.size(), octets_shown_max))) {
    text += fmt::format("{:02x}", octet);
  }
  if (octets.size() > octets_shown_max) text += fmt::format("..({} octets)", octets.size());
}

bool is_printable(Bytes octets) {
  return std::ranges::all_of(octets, [](u8 o) { return o >= 0x20 && o != 0x7f && o != '"'; });
}

void put_octets(std::string& text, Bytes octets) {
  if (octets.empty()) return;
  if (!is_printable(octets) || octets.size() > octets_shown_max) return put_hex(text, octets);
  text += '"';
  text += as_text(octets);
  text += '"';
}

void put_address(std::string& text, Bytes octets) {
  const bool is_ipv4 = octets.size() == 6 && octets[0] == 0 && octets[1] == 1;
  const bool is_ipv6 = octets.size() == 18 && octets[0] == 0 && octets[1] == 2;
  if (is_ipv4) {
    text += fmt::format("{}.{}.{}.{}", octets[2], octets[3], octets[4], octets[5]);
  } else if (is_ipv6) {
    text += '[';
    for (std::size_t i = 2; i < 18; i += 2) {
      text += fmt::format("{}{:x}", i == 2 ? "" : ":", octets[i] << 8 | octets[i + 1]);
    }
    text += ']';
  } else {
    put_hex(text, octets);
  }
}

void put_members(std::string& text, Bytes octets, u32 depth);

// Numbers of another size than their type's are shown as octets.
void put_value(std::string& text, const Avp& avp, AvpType type, u32 depth) {
  const DataSize size = data_size(type);
  if (size.is_exact && avp.data_bytes() != size.bytes) return put_hex(text, avp.data());
  switch (type) {
    case AvpType::enumerated: {
      const std::string_view name = enum_name(avp.code, avp.vendor, avp.as_u32());
      text += name.empty() ? fmt::format("{}", avp.as_u32()) : std::string(name);
      return;
    }
    case AvpType::integer32:
      text += fmt::format("{}", static_cast<i32>(avp.as_u32()));
      return;
    case AvpType::time:
    case AvpType::unsigned32:
      text += fmt::format("{}", avp.as_u32());
      return;
    case AvpType::integer64:
      text += fmt::format("{}", static_cast<i64>(avp.as_u64()));
      return;
    case AvpType::unsigned64:
      text += fmt::format("{}", avp.as_u64());
      return;
    case AvpType::address:
      return put_address(text, avp.data());
    case AvpType::grouped:
      if (depth >= depth_shown_max) return put_hex(text, avp.data());
      text += '{';
      put_members(text, avp.data(), depth + 1);
      text += '}';
      return;
    case AvpType::float32:
      return put_hex(text, avp.data());
    default:
      return put_octets(text, avp.data());
  }
}

void put_avp(std::string& text, const Avp& avp, u32 depth) {
  const AvpInfo* const info = find_avp(avp.code, avp.vendor);
  if (info != nullptr) {
    text += info->name;
  } else {
    text +=
        avp.vendor == 0 ? fmt::format("{}", avp.code) : fmt::format("{}@{}", avp.code, avp.vendor);
  }
  const u8 usual = info != nullptr ? info->id.flags : u8{0};
  if ((avp.flags & avp_flag_mandatory) != (usual & avp_flag_mandatory))
    text += avp.is_mandatory() ? "/M" : "/m";
  if (avp.data_bytes() == 0 && (info == nullptr || info->id.type != AvpType::grouped)) return;
  text += '=';
  put_value(text, avp, info != nullptr ? info->id.type : AvpType::unknown, depth);
}

void put_members(std::string& text, Bytes octets, u32 depth) {
  AvpCursor cursor(octets);
  Avp avp;
  for (bool is_first = true;; is_first = false) {
    const AvpStep step = cursor.next(avp);
    if (step == AvpStep::end) return;
    if (!is_first) text += ' ';
    if (step != AvpStep::avp) {
      text += step == AvpStep::bad_flags ? "reserved-bits:" : "bad-length:";
      return put_hex(text, cursor.rest());
    }
    put_avp(text, avp, depth);
  }
}

}  // namespace

std::string command_text(const Header& header) {
  const char kind = header.is_request() ? 'R' : 'A';
  for (const CommandName& name : command_names) {
    if (name.command == header.command) return std::string(name.letters) + kind;
  }
  return fmt::format("{}{}", static_cast<u32>(header.command), kind);
}

std::string to_text(const Avp& avp) {
  std::string text;
  put_avp(text, avp, 0);
  return text;
}

std::string message_text(Bytes message) {
  const Header header = read_header(message);
  std::string flags;
  for (const auto& [bit, letter] : {std::pair{flag_request, 'R'}, std::pair{flag_proxiable, 'P'},
                                    std::pair{flag_error, 'E'}, std::pair{flag_retransmitted, 'T'}})
    if ((header.flags & bit) != 0) flags += letter;
  std::string text = fmt::format("{} @app={} @flags={} @hbh={:#x} @e2e={:#x} ",
                                 command_text(header), static_cast<u32>(header.application), flags,
                                 header.hop_by_hop, header.end_to_end);
  if (header.version != protocol_version) text += fmt::format("@version={} ", header.version);
  if (header.length_bytes != message.size())
    text += fmt::format("@length={} ", header.length_bytes);
  put_members(text, message.subspan(header_bytes), 0);
  return text;
}

}  // namespace tollgate::diameter
