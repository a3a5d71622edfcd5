// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "tools/tollctl/pcap.hh"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "control/protocol.hh"
#include "diameter/wire.hh"

namespace tollgate::tollctl {
namespace {

using dataplane::Endpoint;
using dataplane::IpVersion;
using diameter::store_u32;

// With nanoseconds, in the byte order of who wrote it; version 2.4, Ethernet.
constexpr u32 magic_nanoseconds = 0xa1b23c4d;
constexpr u32 link_ethernet = 1;
constexpr u32 snap_bytes = 262'144;
struct FileHead {
  u32 magic = magic_nanoseconds;
  u16 major = 2;
  u16 minor = 4;
  i32 zone = 0;
  u32 accuracy = 0;
  u32 snap = snap_bytes;
  u32 link = link_ethernet;
};
struct PacketHead {
  u32 seconds;
  u32 nanoseconds;
  u32 captured;
  u32 whole;
};
static_assert(sizeof(FileHead) == 24 && sizeof(PacketHead) == 16);

constexpr std::size_t segment_bytes_max = 1400;
constexpr u16 ethertype_ipv4 = 0x0800;
constexpr u16 ethertype_ipv6 = 0x86dd;
constexpr u8 protocol_tcp = 6;
constexpr u8 hops = 64;
constexpr u16 tcp_push_ack = 0x5018;  // five words of header, PSH and ACK
constexpr std::size_t tcp_bytes = 20;
constexpr u32 first_sequence = 1;

using Octets = std::vector<u8>;

void put_u16(Octets& out, u64 value) {
  out.push_back(static_cast<u8>(value >> 8));
  out.push_back(static_cast<u8>(value));
}
void put_u32(Octets& out, u32 value) {
  out.resize(out.size() + 4);
  store_u32(out.data() + out.size() - 4, value);
}
void put_address(Octets& out, const Endpoint& endpoint) {
  const std::size_t bytes = endpoint.address.version == IpVersion::v6 ? 16 : 4;
  const auto& octets = endpoint.address.octets;
  out.insert(out.end(), octets.begin(), octets.begin() + static_cast<std::ptrdiff_t>(bytes));
}

// The sum of the Internet checksum, not yet folded.
u64 sum_of(Bytes octets) {
  u64 sum = 0;
  for (std::size_t i = 0; i < octets.size(); ++i) sum += u64{octets[i]} << (i % 2 == 0 ? 8 : 0);
  return sum;
}
u16 checksum(u64 sum) {
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<u16>(~sum);
}
void store_checksum(Octets& out, std::size_t at, u16 value) {
  out[at] = static_cast<u8>(value >> 8);
  out[at + 1] = static_cast<u8>(value);
}

// Locally administered addresses: nobody has them.
void put_ethernet(Octets& out, bool is_ipv6) {
  for (const u8 last : {2, 1}) {
    for (const u8 octet : {u8{0x02}, u8{0}, u8{0}, u8{0}, u8{0}, last}) out.push_back(octet);
  }
  put_u16(out, is_ipv6 ? ethertype_ipv6 : ethertype_ipv4);
}

void put_ip(Octets& out, const PcapFile::Message& message, std::size_t payload_bytes) {
  if (message.from.address.version == IpVersion::v6) {
    put_u32(out, 0x60000000);
    put_u16(out, payload_bytes);
    out.push_back(protocol_tcp);
    out.push_back(hops);
    put_address(out, message.from);
    put_address(out, message.to);
    return;
  }
  const std::size_t begin = out.size();
  put_u16(out, 0x4500);
  put_u16(out, 20 + payload_bytes);
  put_u32(out, 0x4000);  // do not fragment
  out.push_back(hops);
  out.push_back(protocol_tcp);
  put_u16(out, 0);
  put_address(out, message.from);
  put_address(out, message.to);
  store_checksum(out, begin + 10, checksum(sum_of(Bytes(out).subspan(begin))));
}

}  // namespace

PcapFile::PcapFile(const std::string& path) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  file_ = fd < 0 ? nullptr : ::fdopen(fd, "wb");
  if (file_ == nullptr) {
    const std::string why = std::strerror(errno);
    if (fd >= 0) ::close(fd);
    throw control::Refused(control::refusal::bad_request, fmt::format("{}: {}", path, why));
  }
  const FileHead head;
  std::fwrite(&head, sizeof head, 1, file_);
  std::fflush(file_);
}

PcapFile::~PcapFile() {
  std::fclose(file_);
}

void PcapFile::write(const Message& message) {
  Bytes left = message.octets;
  while (!left.empty()) {
    const Bytes payload = left.first(std::min(left.size(), segment_bytes_max));
    write_segment(message, payload);
    left = left.subspan(payload.size());
  }
  next_sequence_[{message.from, message.to}] +=
      static_cast<u32>(message.whole_bytes - message.octets.size());
  std::fflush(file_);
}

void PcapFile::write_segment(const Message& message, Bytes payload) {
  const auto next = [&](const Endpoint& from, const Endpoint& to) -> u32& {
    return next_sequence_.try_emplace({from, to}, first_sequence).first->second;
  };
  Octets frame;
  put_ethernet(frame, message.from.address.version == IpVersion::v6);
  put_ip(frame, message, tcp_bytes + payload.size());
  const std::size_t tcp = frame.size();
  put_u16(frame, message.from.port);
  put_u16(frame, message.to.port);
  u32& sequence = next(message.from, message.to);
  put_u32(frame, sequence);
  put_u32(frame, next(message.to, message.from));
  put_u16(frame, tcp_push_ack);
  put_u16(frame, 0xffff);  // window
  put_u32(frame, 0);       // checksum, urgent
  frame.insert(frame.end(), payload.begin(), payload.end());
  sequence += static_cast<u32>(payload.size());
  Octets pseudo;
  put_address(pseudo, message.from);
  put_address(pseudo, message.to);
  const u64 sum = sum_of(pseudo) + protocol_tcp + (frame.size() - tcp);
  store_checksum(frame, tcp + 16, checksum(sum + sum_of(Bytes(frame).subspan(tcp))));
  const PacketHead head{.seconds = static_cast<u32>(message.at.whole_seconds()),
                        .nanoseconds = static_cast<u32>(message.at.ns % 1'000'000'000),
                        .captured = static_cast<u32>(frame.size()),
                        .whole = static_cast<u32>(frame.size())};
  std::fwrite(&head, sizeof head, 1, file_);
  std::fwrite(frame.data(), 1, frame.size(), file_);
}

}  // namespace tollgate::tollctl
