// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors
#include "dataplane/tcp_stack.hh"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>

#include "dataplane/tcp_address.hh"
#include "lwip/etharp.h"
#include "lwip/ethip6.h"
#include "lwip/init.h"
#include "lwip/nd6.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/stats.h"
#include "lwip/timeouts.h"
#include "netif/ethernet.h"
#include "tollgate_hooks.h"

namespace tollgate::dataplane {

namespace {

using Stack = TcpTransport::Stack;

constexpr Duration link_check_interval = Duration::milliseconds(1);

Stack& stack_of(netif* interface) {
  return *static_cast<Stack*>(interface->state);
}

// One transmit queue for each connection, by our port number, so that its segments keep their order
// and, over memif, reach one and the same queue of the peer. All else goes where a NIC would put
// it.
u32 queue_for(const pbuf* frame, u32 queue_count) {
  if (queue_count == 1) return 0;
  const auto* octets = static_cast<const u8*>(frame->payload);
  if (frame->len < 38) return 0;
  const bool is_ipv4 = octets[12] == 0x08 && octets[13] == 0x00;
  const bool is_ipv6 = octets[12] == 0x86 && octets[13] == 0xdd;
  if (is_ipv4 && octets[23] == IP_PROTO_TCP) return (octets[34] << 8 | octets[35]) % queue_count;
  if (is_ipv6 && octets[20] == IP_PROTO_TCP && frame->len >= 58)
    return (octets[54] << 8 | octets[55]) % queue_count;
  return 0;
}

err_t on_link_output(netif* interface, pbuf* frame) {
  Stack& stack = stack_of(interface);
  const u32 queue = queue_for(frame, stack.io.queue_count());
  return stack.io.send(queue, frame) ? ERR_OK : ERR_BUF;
}

err_t send_to(netif* interface, pbuf* packet, const MacAddress& mac, u16 ethertype) {
  eth_addr source;
  eth_addr target;
  std::memcpy(source.addr, interface->hwaddr, sizeof source.addr);
  std::memcpy(target.addr, mac.octets.data(), sizeof target.addr);
  return ethernet_output(interface, packet, &source, &target, ethertype);
}

err_t on_output4(netif* interface, pbuf* packet, const ip4_addr_t* to) {
  Stack& stack = stack_of(interface);
  const bool is_special = ip4_addr_isbroadcast(to, interface) || ip4_addr_ismulticast(to);
  if (!is_special) {
    IpAddress next_hop = from_lwip(*to);
    if (!stack.options.address4.contains(next_hop)) next_hop = stack.options.gateway4;
    if (const MacAddress* mac = stack.neighbours.find(next_hop))
      return send_to(interface, packet, *mac, ETHTYPE_IP);
  }
  return etharp_output(interface, packet, to);
}

err_t on_output6(netif* interface, pbuf* packet, const ip6_addr_t* to) {
  Stack& stack = stack_of(interface);
  if (ip6_addr_ismulticast(to)) return ethip6_output(interface, packet, to);
  IpAddress next_hop = from_lwip(*to);
  const bool is_local = ip6_addr_islinklocal(to) || stack.options.address6.contains(next_hop);
  if (!is_local) next_hop = stack.options.gateway6;
  if (!next_hop.is_set()) return ERR_RTE;
  if (const MacAddress* mac = stack.neighbours.find(next_hop))
    return send_to(interface, packet, *mac, ETHTYPE_IPV6);
  if (is_local) return ethip6_output(interface, packet, to);
  ip_addr_t gateway = to_lwip(next_hop);
  ip6_addr_assign_zone(ip_2_ip6(&gateway), IP6_UNICAST, interface);
  return ethip6_output(interface, packet, ip_2_ip6(&gateway));
}

u16 checksum_flags(const Port::Internals& port) {
  u16 flags = NETIF_CHECKSUM_ENABLE_ALL;
  if (port.makes_ip_checksum) flags &= static_cast<u16>(~NETIF_CHECKSUM_GEN_IP);
  if (port.makes_tcp_checksum) flags &= static_cast<u16>(~NETIF_CHECKSUM_GEN_TCP);
  if (port.checks_receive_checksums || !port.verifies_checksums)
    flags &= static_cast<u16>(~(NETIF_CHECKSUM_CHECK_IP | NETIF_CHECKSUM_CHECK_TCP));
  return flags;
}

err_t on_interface_init(netif* interface) {
  Stack& stack = stack_of(interface);
  interface->name[0] = 't';
  interface->name[1] = 'g';
  interface->mtu = static_cast<u16>(stack.io.port().mtu_bytes);
  interface->hwaddr_len = ETH_HWADDR_LEN;
  std::memcpy(interface->hwaddr, stack.mac.octets.data(), ETH_HWADDR_LEN);
  interface->flags =
      NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET | NETIF_FLAG_MLD6;
  interface->output = on_output4;
  interface->output_ip6 = on_output6;
  interface->linkoutput = on_link_output;
  NETIF_SET_CHECKSUM_CTRL(interface, checksum_flags(stack.io.port()));
  return ERR_OK;
}

void set_address6(netif* interface, const IpAddress& address) {
  ip_addr_t ours = to_lwip(address);
  s8_t index = 1;
  ip6_addr_assign_zone(ip_2_ip6(&ours), IP6_UNICAST, interface);
  netif_ip6_addr_set(interface, index, ip_2_ip6(&ours));
  netif_ip6_addr_set_state(interface, index, IP6_ADDR_PREFERRED);
}

}  // namespace

Stack::Stack(const Port::Internals& port, const TcpOptions& wanted, StreamHandler& its_handler)
    : options(wanted),
      handler(its_handler),
      io(port, {.first = wanted.queue_first, .count = wanted.queue_count}, counters),
      mac(wanted.mac.is_set() ? wanted.mac : port.mac),
      flows(wanted.stream_count_max),
      streams(wanted.stream_count_max) {
  options.address6.length_bits = 64;
  queue_streams.resize(wanted.queue_count);
  intakes.resize(wanted.queue_count);
  for (std::vector<u32>* list :
       {&free_streams, &touched, &flushing, &pending, &settling, &stalled, &lingering})
    list->reserve(wanted.stream_count_max);
  for (u32 i = wanted.stream_count_max; i-- > 0;) {
    streams[i].id.index = i;
    free_streams.push_back(i);
  }
  unread_buffers_max = io.buffer_count() / 2;
}

std::string Stack::start() {
  const std::size_t bytes = std::size_t{options.stream_count_max} * options.output_bytes_per_stream;
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return "there is no memory for the output of the streams";
  output_memory = static_cast<u8*>(memory);
  seed_lwip();
  port_offset = static_cast<u32>(lwip_random());
  static bool is_initialised = false;
  if (!is_initialised) lwip_init();
  is_initialised = true;

  ip4_addr_t address{};
  ip4_addr_t mask{};
  ip4_addr_t gateway{};
  if (options.address4.address.is_set()) {
    const u32 length = options.address4.length_bits;
    std::memcpy(&address.addr, options.address4.address.octets.data(), 4);
    mask.addr = lwip_htonl(length == 0 ? 0 : ~u32{0} << (32 - length));
    if (options.gateway4.is_set()) std::memcpy(&gateway.addr, options.gateway4.octets.data(), 4);
  }
  if (netif_add(&interface, &address, &mask, &gateway, this, on_interface_init, ethernet_input) ==
      nullptr)
    return "lwIP does not take the interface";
  netif_set_default(&interface);
  netif_set_up(&interface);
  netif_create_ip6_linklocal_address(&interface, 1);
  netif_ip6_addr_set_state(&interface, 0, IP6_ADDR_PREFERRED);
  if (options.address6.address.is_set()) set_address6(&interface, options.address6.address);
  link_is_up = !io.port().reports_link;
  if (link_is_up) netif_set_link_up(&interface);
  return {};
}

Stack::~Stack() {
  for (TcpStream& stream : streams) {
    if (stream.pcb != nullptr) {
      tcp_arg(stream.pcb, nullptr);
      tcp_err(stream.pcb, nullptr);
      tcp_abort(stream.pcb);
    }
    drop_unread(stream);
  }
  for (tcp_pcb* listener : listeners) tcp_close(listener);
  for (const Intake& intake : intakes) {
    for (rte_mbuf* frame : intake.rest()) rte_pktmbuf_free(frame);
  }
  // Connections that only wait for their end refer to no memory of ours, but to the interface.
  while (tcp_tw_pcbs != nullptr) tcp_abort(tcp_tw_pcbs);
  while (tcp_active_pcbs != nullptr) tcp_abort(tcp_active_pcbs);
  io.flush();
  if (interface.state != nullptr) netif_remove(&interface);
  if (output_memory != nullptr)
    munmap(output_memory, std::size_t{options.stream_count_max} * options.output_bytes_per_stream);
}

std::size_t Stack::receive_bursts() {
  std::size_t handled = 0;
  for (u32 queue = 0; queue < io.queue_count(); ++queue) {
    const std::span<rte_mbuf* const> frames = intakes[queue].take(
        now, [this, queue](Intake::Burst burst) { return io.receive(queue, burst); });
    for (rte_mbuf* frame : frames) handle_frame(frame);
    handled += frames.size();
  }
  return handled;
}

Duration Stack::lag() const {
  Duration most;
  for (const Intake& intake : intakes) most = std::max(most, intake.lag());
  return most;
}

namespace {

struct FrameView {
  IpAddress source;
  u32 flow_hash = 0;
  bool is_tcp = false;
  u16 remote_port = 0;
  u16 local_port = 0;
  const u8* addresses = nullptr;  // source, then destination, in network order
};

void look_at_tcp(const u8* tcp, FrameView& view) {
  view.is_tcp = true;
  view.remote_port = static_cast<u16>(tcp[0] << 8 | tcp[1]);
  view.local_port = static_cast<u16>(tcp[2] << 8 | tcp[3]);
  const u32 address_bytes = view.source.version == IpVersion::v4 ? 4 : 16;
  view.flow_hash = flow_hash({view.addresses, address_bytes},
                             {.remote = view.remote_port, .local = view.local_port});
}

void look_at_ipv4(const u8* ip, u32 size_bytes, FrameView& view) {
  if (size_bytes < 20) return;
  view.source.version = IpVersion::v4;
  view.addresses = ip + 12;
  std::memcpy(view.source.octets.data(), view.addresses, 4);
  const bool is_whole = ((ip[6] << 8 | ip[7]) & 0x3fff) == 0;
  if (ip[0] == 0x45 && is_whole && ip[9] == IP_PROTO_TCP && size_bytes >= 40)
    look_at_tcp(ip + 20, view);
}

void look_at_ipv6(const u8* ip, u32 size_bytes, FrameView& view) {
  if (size_bytes < 40) return;
  view.source.version = IpVersion::v6;
  view.addresses = ip + 8;
  std::memcpy(view.source.octets.data(), view.addresses, 16);
  if (ip[6] == IP_PROTO_TCP && size_bytes >= 60) look_at_tcp(ip + 40, view);
}

void look_at_arp(const u8* arp, u32 size_bytes, FrameView& view) {
  if (size_bytes < 28) return;
  view.source.version = IpVersion::v4;
  std::memcpy(view.source.octets.data(), arp + 14, 4);
}

bool learnable(const IpAddress& source, const MacAddress& mac) {
  if (source.is_any()) return false;
  if ((mac.octets[0] & 1) != 0) return false;
  if (source.version == IpVersion::v4) return source.octets[0] < 224;
  return source.octets[0] != 0xff;
}

// The neighbour that a packet of this source came through: itself, or the gateway.
void learn(Stack& stack, const IpAddress& source, const MacAddress& mac) {
  if (source == stack.last_source && mac == stack.last_source_mac) return;
  stack.last_source = source;
  stack.last_source_mac = mac;
  if (!learnable(source, mac)) return;
  const bool is_v4 = source.version == IpVersion::v4;
  const bool is_link_local =
      !is_v4 && source.octets[0] == 0xfe && (source.octets[1] & 0xc0) == 0x80;
  const IpPrefix& net = is_v4 ? stack.options.address4 : stack.options.address6;
  const bool is_local = is_link_local || net.contains(source);
  const IpAddress& hop =
      is_local ? source : (is_v4 ? stack.options.gateway4 : stack.options.gateway6);
  if (!hop.is_set()) return;
  if (stack.neighbours.learn(hop, mac, lwip_now_ms())) ++stack.counters.neighbours_learned;
}

// Feeds a segment to lwIP with its connection at the head of lwIP's list, so that lwIP's search
// ends at its first step, and puts the list together again.
void input_at_head(Stack& stack, tcp_pcb* pcb, pbuf* packet) {
  tcp_pcb* const head = tcp_active_pcbs;
  tcp_pcb* const next = pcb->next;
  tcp_active_pcbs = pcb;
  stack.interface.input(packet, &stack.interface);
  if (head == pcb) return;
  if (tcp_active_pcbs == pcb && pcb->next == next) {
    tcp_active_pcbs = head;
    return;
  }
  // The connection has left the list: its place is closed. (None can have joined: see the header.)
  check(tcp_active_pcbs == next, "only the connection itself leaves the list");
  tcp_active_pcbs = head;
  tcp_pcb* before = head;
  while (before->next != pcb) before = before->next;
  before->next = next;
}

tcp_pcb* pcb_of(Stack& stack, const FrameView& view) {
  const u32 index = stack.flows.find(view.flow_hash, [&](u32 at) {
    const tcp_pcb* pcb = stack.streams[at].pcb;
    if (pcb->remote_port != view.remote_port || pcb->local_port != view.local_port) return false;
    if (view.source.version == IpVersion::v4) {
      return IP_IS_V4_VAL(pcb->remote_ip) &&
             std::memcmp(&ip_2_ip4(&pcb->remote_ip)->addr, view.addresses, 4) == 0 &&
             std::memcmp(&ip_2_ip4(&pcb->local_ip)->addr, view.addresses + 4, 4) == 0;
    }
    return IP_IS_V6_VAL(pcb->remote_ip) &&
           std::memcmp(ip_2_ip6(&pcb->remote_ip)->addr, view.addresses, 16) == 0 &&
           std::memcmp(ip_2_ip6(&pcb->local_ip)->addr, view.addresses + 16, 16) == 0;
  });
  return index == ~0u ? nullptr : stack.streams[index].pcb;
}

}  // namespace

void Stack::handle_frame(rte_mbuf* frame) {
  const u8* octets = rte_pktmbuf_mtod(frame, const u8*);
  const u32 size_bytes = frame->data_len;
  if (frame->nb_segs != 1 || size_bytes < 14) {
    ++counters.drop_frame_malformed;
    return rte_pktmbuf_free(frame);
  }
  MacAddress source_mac;
  std::memcpy(source_mac.octets.data(), octets + 6, 6);
  const bool is_ours = std::memcmp(octets, mac.octets.data(), 6) == 0;
  const u32 ethertype = octets[12] << 8 | octets[13];
  FrameView view;
  switch (ethertype) {
    case ETHTYPE_IP:
      look_at_ipv4(octets + 14, size_bytes - 14, view);
      break;
    case ETHTYPE_IPV6:
      look_at_ipv6(octets + 14, size_bytes - 14, view);
      break;
    case ETHTYPE_ARP:
      look_at_arp(octets + 14, size_bytes - 14, view);
      break;
    default:
      ++counters.drop_ethertype_unknown;
      return rte_pktmbuf_free(frame);
  }
  if (view.source.version == IpVersion::none) {
    ++counters.drop_frame_malformed;
    return rte_pktmbuf_free(frame);
  }
  if (!is_ours && (octets[0] & 1) == 0) {
    ++counters.drop_ip_other;
    return rte_pktmbuf_free(frame);
  }
  if (io.has_bad_checksum(*frame)) return rte_pktmbuf_free(frame);
  if (is_ours) learn(*this, view.source, source_mac);
  pbuf* packet = FrameIo::as_pbuf(frame);
  check(packet != nullptr, "a buffer that has arrived can be presented");
  tcp_pcb* pcb = view.is_tcp && is_ours ? pcb_of(*this, view) : nullptr;
  if (pcb != nullptr) {
    input_at_head(*this, pcb, packet);
  } else {
    interface.input(packet, &interface);
  }
}

// The link of a memif port comes and goes with the peer. Asking for it is also what makes a
// secondary process map the peer's rings, and let go of those of a peer that has left.
void Stack::follow_link() {
  if (!io.port().reports_link || now < link_check_at) return;
  link_check_at = now + link_check_interval;
  const bool is_up = io.link_is_up();
  if (is_up == link_is_up) return;
  link_is_up = is_up;
  if (is_up) {
    netif_set_link_up(&interface);  // tells the net our addresses
  } else {
    netif_set_link_down(&interface);
  }
}

void Stack::read_counters() {
  const auto& ip4 = lwip_stats.ip;
  const auto& ip6 = lwip_stats.ip6;
  const auto& tcp = lwip_stats.tcp;
  if (!io.port().checks_receive_checksums) {
    counters.drop_ip_checksum = ip4.chkerr;
    counters.drop_tcp_checksum = tcp.chkerr;
  }
  counters.drop_tcp_other = tcp.drop - std::min(tcp.drop, tcp.chkerr);
  counters.retransmissions = lwip_stats.mib2.tcpretranssegs;
  counters.refused_half_open = tollgate_lwip_half_open_refused;
  u64 memory = u64{tcp.memerr} + ip4.memerr + ip6.memerr;
  for (const stats_mem* pool : lwip_stats.memp) memory += pool->err;
  counters.drop_protocol_memory = memory;
  // The port counts for all its queues: told once, by whoever polls the first.
  if (options.queue_first == 0) io.read_port_counters();
}

}  // namespace tollgate::dataplane
