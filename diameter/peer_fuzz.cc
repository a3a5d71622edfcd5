// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// A peer that sends anything at any time. The first octet chooses the role; then each step is one
// octet (its low bits choose message, time, transport or disconnect) and, for a message, two octets
// of length and that many octets. Identifiers of our own requests are patched into answers, so that
// they are found.
#include <vector>

#include "base/check.hh"
#include "diameter/peer.hh"
#include "diameter/wire.hh"

namespace tollgate::diameter {
namespace {

class Run {
 public:
  explicit Run(Bytes input) : input_(input) {}

  void go() {
    const HostAddress address{false, {198, 18, 0, 1}};
    LocalNode node;
    node.origin = OriginBlock("ocs.tollgate.example", "tollgate.example");
    node.host_addresses = {&address, 1};
    const u8 options = octet();
    PeerConnection peer(node, {.role = options & 1 ? PeerRole::initiator : PeerRole::responder,
                               .now = now_,
                               .is_reopened = (options & 2) != 0});
    while (!input_.empty()) {
      const PeerState before = peer.state();
      const Reaction reaction = step(peer);
      check(reaction.send_bytes <= out_.size(), "an answer fits its buffer");
      check(!reaction.close || peer.state() == PeerState::closed, "what closes is closed");
      check(before != PeerState::closed || peer.state() == PeerState::closed, "closed is the end");
      if (reaction.send_bytes >= header_bytes) last_sent_ = read_header(out_);
    }
  }

 private:
  u8 octet() {
    if (input_.empty()) return 0;
    const u8 value = input_.front();
    input_ = input_.subspan(1);
    return value;
  }

  Reaction step(PeerConnection& peer) {
    switch (const u8 choice = octet(); choice % 8) {
      case 0:
        now_ = now_ + Duration::seconds(choice);
        return peer.on_time(now_, out_);
      case 1:
        return peer.on_transport_up(now_, out_);
      case 2:
        return peer.state() == PeerState::open
                   ? peer.disconnect(DisconnectCause::rebooting, now_, out_)
                   : Reaction{};
      case 3:
        peer.on_traffic(now_);
        return {};
      default:
        return message(peer, (choice & 8) != 0);
    }
  }

  Reaction message(PeerConnection& peer, bool is_patched) {
    const std::size_t high = octet();
    const std::size_t wanted = high * 256 + octet();
    const std::size_t length = std::min(wanted, input_.size());
    std::vector<u8> octets(input_.begin(), input_.begin() + static_cast<std::ptrdiff_t>(length));
    input_ = input_.subspan(length);
    if (octets.size() < header_bytes) return {};
    if (is_patched) store_u32(octets.data() + 12, last_sent_.hop_by_hop);
    return peer.on_message(octets, now_, out_);
  }

  Bytes input_;
  Instant now_ = Instant::from_seconds(1'795'000'000);
  Header last_sent_;
  std::array<u8, peer_answer_bytes_max> out_{};
};

}  // namespace
}  // namespace tollgate::diameter

extern "C" int LLVMFuzzerTestOneInput(const tollgate::u8* data, std::size_t size) {
  tollgate::diameter::Run({data, size}).go();
  return 0;
}
