/* SPDX-License-Identifier: Apache-2.0
 * Copyright the Tollgate authors
 *
 * lwIP's tcp_in.c, with one acknowledgement for a burst instead of one for every second segment.
 *
 * tcp_ack() is called for each segment that came in order. Here it only notes that one is owed: the
 * flush at the end of the turn sends it, most often on top of an answer.
 *
 * It drops a SYN silently when a listener has as many half-open connections as it may: here it is
 * counted. */
#include "lwip/opt.h"
#include "lwip/priv/tcp_priv.h"

u32_t tollgate_lwip_half_open_refused = 0;

static inline err_t count_half_open(const struct tcp_pcb* pcb, const struct tcp_hdr* head) {
  if (pcb->state == LISTEN) {
    const struct tcp_pcb_listen* listener = (const struct tcp_pcb_listen*)pcb;
    const int begins = (TCPH_FLAGS(head) & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN;
    if (begins && listener->accepts_pending >= listener->backlog) ++tollgate_lwip_half_open_refused;
  }
  return ERR_OK;
}
#define LWIP_HOOK_TCP_INPACKET_PCB(pcb, head, length, length1, option2, p) \
  count_half_open(pcb, head)

#undef tcp_ack
#define tcp_ack(pcb) tcp_set_flags(pcb, TF_ACK_DELAY)

#include "core/tcp_in.c"
