// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "diameter/header.hh"

#include "base/check.hh"
#include "base/hash.hh"
#include "diameter/wire.hh"

namespace tollgate::diameter {

Header read_header(Bytes message) {
  check(message.size() >= header_bytes, "a header is whole");
  const u8* const at = message.data();
  const u32 version_and_length = load_u32(at);
  const u32 flags_and_command = load_u32(at + 4);
  return {.version = static_cast<u8>(version_and_length >> 24),
          .flags = static_cast<u8>(flags_and_command >> 24),
          .length_bytes = version_and_length & 0xffffff,
          .command = static_cast<Command>(flags_and_command & 0xffffff),
          .application = static_cast<Application>(load_u32(at + 8)),
          .hop_by_hop = load_u32(at + 12),
          .end_to_end = load_u32(at + 16)};
}

void write_header(const Header& header, MutableBytes out) {
  check(out.size() >= header_bytes, "room for a header");
  u8* const at = out.data();
  store_u32(at, (u32{header.version} << 24) | header.length_bytes);
  store_u32(at + 4, (u32{header.flags} << 24) | static_cast<u32>(header.command));
  store_u32(at + 8, static_cast<u32>(header.application));
  store_u32(at + 12, header.hop_by_hop);
  store_u32(at + 16, header.end_to_end);
}

Header answer_header(const Header& request) {
  Header answer = request;
  answer.version = protocol_version;
  answer.flags = request.flags & flag_proxiable;
  answer.length_bytes = 0;
  return answer;
}

EndToEndIds::EndToEndIds(Instant now, u64 seed)
    : high_(static_cast<u32>(now.whole_seconds()) << 20),
      low_(static_cast<u32>(mix64(seed ^ static_cast<u64>(now.ns)))) {}

}  // namespace tollgate::diameter
