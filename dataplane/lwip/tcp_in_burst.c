/* SPDX-License-Identifier: Apache-2.0
 * Copyright the Tollgate authors
 *
 * lwIP's tcp_in.c, with one acknowledgement for a burst instead of one for every second segment.
 *
 * tcp_ack() is called for each segment that came in order. Here it only notes that one is owed: the
 * flush at the end of the turn sends it, most often on top of an answer. */
#include "lwip/opt.h"
#include "lwip/priv/tcp_priv.h"

#undef tcp_ack
#define tcp_ack(pcb) tcp_set_flags(pcb, TF_ACK_DELAY)

#include "core/tcp_in.c"
