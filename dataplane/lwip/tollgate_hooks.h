/* SPDX-License-Identifier: Apache-2.0
 * Copyright the Tollgate authors
 *
 * What lwIP asks of us, defined in dataplane/lwip_system.cc; and what it tells. */
#ifndef TOLLGATE_LWIP_HOOKS_H
#define TOLLGATE_LWIP_HOOKS_H

#include "lwip/ip_addr.h"

#ifdef __cplusplus
extern "C" {
#endif

u32_t tollgate_lwip_tcp_isn(const ip_addr_t* local_ip, u16_t local_port, const ip_addr_t* remote_ip,
                            u16_t remote_port);

// SYNs that came when a listener had as many half-open connections as it may; tcp_in_burst.c.
extern u32_t tollgate_lwip_half_open_refused;

#ifdef __cplusplus
}
#endif

#endif
