// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors
#define ALLOW_EXPERIMENTAL_API  // rte_ipv4_udptcp_cksum_verify, stable from DPDK 23.11 on
#include "dataplane/frame_io.hh"

#include <rte_ethdev.h>
#include <rte_ip.h>
#include <rte_tcp.h>

#include <algorithm>
#include <cstring>

#include "base/check.hh"
#include "lwip/pbuf.h"

namespace tollgate::dataplane {

namespace {

static_assert(sizeof(pbuf_custom) <= buffer_private_bytes, "a pbuf stands in the private room");

pbuf_custom* private_pbuf(rte_mbuf* frame) {
  return static_cast<pbuf_custom*>(rte_mbuf_to_priv(frame));
}

// The buffer's header stands right before its private room.
void free_frame_of(pbuf* p) {
  rte_pktmbuf_free_seg(reinterpret_cast<rte_mbuf*>(reinterpret_cast<u8*>(p) - sizeof(rte_mbuf)));
}

}  // namespace

FrameIo::FrameIo(const Port::Internals& port, Queues queues, TransportCounters& counters)
    : port_(port), queues_(queues), counters_(counters), backlogs_(queues.count) {
  check(queues.first + queues.count <= port.queue_count, "the port has these queues");
}

FrameIo::~FrameIo() {
  for (Backlog& backlog : backlogs_) {
    for (; backlog.count > 0; --backlog.count, ++backlog.first)
      rte_pktmbuf_free(backlog.frames[backlog.first % backlog_max]);
  }
}

u32 FrameIo::receive(u32 queue, Intake::Burst frames) {
  const u16 index = static_cast<u16>(queues_.first + queue);
  const u32 count = rte_eth_rx_burst(port_.port_id, index, frames.data(), burst_max);
  for (u32 i = 0; i < count; ++i) {
    rte_prefetch0(rte_pktmbuf_mtod(frames[i], void*));
    counters_.octets_in += frames[i]->pkt_len;
  }
  counters_.frames_in += count;
  return count;
}

pbuf* FrameIo::as_pbuf(rte_mbuf* frame) {
  pbuf_custom* custom = private_pbuf(frame);
  custom->custom_free_function = free_frame_of;
  const u16 length = frame->data_len;
  return pbuf_alloced_custom(PBUF_RAW, length, PBUF_REF, custom, rte_pktmbuf_mtod(frame, void*),
                             length);
}

namespace {

// Of the TCP segment in the packet at `l3`; a packet that is shorter than it says is wrong as well.
bool tcp_checksum_is_right(const void* l3, u32 size_bytes, bool is_ipv4) {
  if (is_ipv4) {
    const auto* ip = static_cast<const rte_ipv4_hdr*>(l3);
    const u32 header_bytes = rte_ipv4_hdr_len(ip);
    const u32 total_bytes = rte_be_to_cpu_16(ip->total_length);
    if (total_bytes > size_bytes || header_bytes + sizeof(rte_tcp_hdr) > total_bytes) return false;
    const u8* tcp = static_cast<const u8*>(l3) + header_bytes;
    return rte_ipv4_udptcp_cksum_verify(ip, tcp) == 0;
  }
  const auto* ip = static_cast<const rte_ipv6_hdr*>(l3);
  if (rte_be_to_cpu_16(ip->payload_len) + sizeof *ip > size_bytes) return false;
  return rte_ipv6_udptcp_cksum_verify(ip, ip + 1) == 0;
}

}  // namespace

bool FrameIo::has_bad_checksum(const rte_mbuf& frame) {
  if (!port_.checks_receive_checksums) return false;
  const auto* ethernet = rte_pktmbuf_mtod(&frame, const rte_ether_hdr*);
  const bool is_ipv4 = ethernet->ether_type == RTE_BE16(RTE_ETHER_TYPE_IPV4);
  if (!is_ipv4 && ethernet->ether_type != RTE_BE16(RTE_ETHER_TYPE_IPV6)) return false;
  const void* l3 = ethernet + 1;
  const u64 ip_flags = frame.ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK;
  if (is_ipv4 && ip_flags != RTE_MBUF_F_RX_IP_CKSUM_GOOD) {
    if (rte_ipv4_cksum(static_cast<const rte_ipv4_hdr*>(l3)) != 0) {
      ++counters_.drop_ip_checksum;
      return true;
    }
  }
  const u8 protocol = is_ipv4 ? static_cast<const rte_ipv4_hdr*>(l3)->next_proto_id
                              : static_cast<const rte_ipv6_hdr*>(l3)->proto;
  if (protocol != IPPROTO_TCP) return false;
  const u64 tcp_flags = frame.ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK;
  if (tcp_flags == RTE_MBUF_F_RX_L4_CKSUM_GOOD) return false;
  const u32 size_bytes = frame.data_len - static_cast<u32>(sizeof *ethernet);
  const bool is_right =
      tcp_flags != RTE_MBUF_F_RX_L4_CKSUM_BAD && tcp_checksum_is_right(l3, size_bytes, is_ipv4);
  if (!is_right) ++counters_.drop_tcp_checksum;
  return !is_right;
}

bool FrameIo::send(u32 queue, const pbuf* frame) {
  Backlog& backlog = backlogs_[queue];
  if (backlog.count == backlog_max) flush(queue);
  if (backlog.count == backlog_max) {
    ++counters_.drop_transmit_full;
    return false;
  }
  rte_mbuf* buffer = rte_pktmbuf_alloc(port_.pools[queues_.first + queue]);
  if (buffer == nullptr || frame->tot_len > rte_pktmbuf_tailroom(buffer)) {
    rte_pktmbuf_free(buffer);
    ++counters_.drop_buffers_empty;
    return false;
  }
  u8* to = rte_pktmbuf_mtod(buffer, u8*);
  for (const pbuf* p = frame; p != nullptr; p = p->next) {
    std::memcpy(to, p->payload, p->len);
    to += p->len;
  }
  buffer->data_len = frame->tot_len;
  buffer->pkt_len = frame->tot_len;
  if (port_.makes_ip_checksum || port_.makes_tcp_checksum) ask_for_checksums(*buffer);
  backlog.frames[(backlog.first + backlog.count) % backlog_max] = buffer;
  ++backlog.count;
  return true;
}

// The port wants to know where the headers are, and the sum over the pseudo header in place.
void FrameIo::ask_for_checksums(rte_mbuf& frame) const {
  const auto* ethernet = rte_pktmbuf_mtod(&frame, rte_ether_hdr*);
  frame.l2_len = sizeof *ethernet;
  u8 protocol = 0;
  void* l3 = rte_pktmbuf_mtod_offset(&frame, void*, sizeof *ethernet);
  const bool is_ipv4 = ethernet->ether_type == RTE_BE16(RTE_ETHER_TYPE_IPV4);
  if (is_ipv4) {
    frame.l3_len = rte_ipv4_hdr_len(static_cast<rte_ipv4_hdr*>(l3));
    protocol = static_cast<rte_ipv4_hdr*>(l3)->next_proto_id;
    frame.ol_flags |= RTE_MBUF_F_TX_IPV4;
    if (port_.makes_ip_checksum) {
      static_cast<rte_ipv4_hdr*>(l3)->hdr_checksum = 0;
      frame.ol_flags |= RTE_MBUF_F_TX_IP_CKSUM;
    }
  } else if (ethernet->ether_type == RTE_BE16(RTE_ETHER_TYPE_IPV6)) {
    frame.l3_len = sizeof(rte_ipv6_hdr);
    protocol = static_cast<rte_ipv6_hdr*>(l3)->proto;
    frame.ol_flags |= RTE_MBUF_F_TX_IPV6;
  }
  if (protocol != IPPROTO_TCP || !port_.makes_tcp_checksum) return;
  frame.ol_flags |= RTE_MBUF_F_TX_TCP_CKSUM;
  auto* tcp = rte_pktmbuf_mtod_offset(&frame, rte_tcp_hdr*, frame.l2_len + frame.l3_len);
  tcp->cksum = is_ipv4 ? rte_ipv4_phdr_cksum(static_cast<rte_ipv4_hdr*>(l3), frame.ol_flags)
                       : rte_ipv6_phdr_cksum(static_cast<rte_ipv6_hdr*>(l3), frame.ol_flags);
}

void FrameIo::flush() {
  for (u32 queue = 0; queue < queues_.count; ++queue) {
    if (backlogs_[queue].count > 0) flush(queue);
  }
}

void FrameIo::flush(u32 queue) {
  Backlog& backlog = backlogs_[queue];
  const u16 index = static_cast<u16>(queues_.first + queue);
  while (backlog.count > 0) {
    const u32 at = backlog.first % backlog_max;
    const u32 run = std::min(backlog.count, backlog_max - at);
    // A frame that is sent may be gone, and its length with it: counted before.
    u64 octets = 0;
    std::array<u16, burst_max> lengths;
    const u32 count = std::min(run, burst_max);
    for (u32 i = 0; i < count; ++i) lengths[i] = backlog.frames[at + i]->data_len;
    const u32 sent =
        rte_eth_tx_burst(port_.port_id, index, &backlog.frames[at], static_cast<u16>(count));
    for (u32 i = 0; i < sent; ++i) octets += lengths[i];
    counters_.octets_out += octets;
    counters_.frames_out += sent;
    backlog.first = (backlog.first + sent) % backlog_max;
    backlog.count -= sent;
    if (sent < count) return;
  }
}

bool FrameIo::link_is_up() const {
  rte_eth_link link{};
  rte_eth_link_get_nowait(port_.port_id, &link);
  return link.link_status == RTE_ETH_LINK_UP;
}

void FrameIo::read_port_counters() {
  rte_eth_stats port{};
  if (rte_eth_stats_get(port_.port_id, &port) != 0) return;
  counters_.port_missed = port.imissed + port.rx_nombuf;
  counters_.port_errors = port.ierrors;
}

u32 FrameIo::buffers_in_use() const {
  return rte_mempool_in_use_count(port_.pools[queues_.first]);
}

u32 FrameIo::buffer_count() const {
  return port_.pools[queues_.first]->size;
}

}  // namespace tollgate::dataplane
