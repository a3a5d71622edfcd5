/* SPDX-License-Identifier: Apache-2.0
 * Copyright the Tollgate authors
 *
 * lwIP as Tollgate builds it: one thread, no operating system, TCP for a few thousand streams with
 * large windows, all memory in fixed pools. Element counts are 16-bit in lwIP: 65536 wraps to 0. */
#ifndef TOLLGATE_LWIPOPTS_H
#define TOLLGATE_LWIPOPTS_H

/* One thread drives everything from its poll loop. */
#define NO_SYS 1
#define SYS_LIGHTWEIGHT_PROT 0
#define LWIP_TIMERS 1
#define LWIP_NETCONN 0
#define LWIP_SOCKET 0
#define LWIP_CALLBACK_API 1

/* What is spoken. Fragments are refused: Diameter's TCP never makes them. RAW carries SCTP. */
#define LWIP_IPV4 1
#define LWIP_IPV6 1
#define LWIP_ARP 1
#define LWIP_ETHERNET 1
#define LWIP_ICMP 1
#define LWIP_ICMP6 1
#define LWIP_RAW 1
#define MEMP_NUM_RAW_PCB 4
#define LWIP_UDP 0
#define LWIP_TCP 1
#define IP_FORWARD 0
#define IP_REASSEMBLY 0
#define IP_FRAG 0
#define LWIP_IPV6_REASS 0
#define LWIP_IPV6_FRAG 0
#define IPV6_FRAG_COPYHEADER 1
#define LWIP_BROADCAST_PING 0
#define LWIP_MULTICAST_PING 0
#define LWIP_SINGLE_NETIF 1
#define LWIP_NETIF_API 0
#define LWIP_NETIF_TX_SINGLE_PBUF 0
#define LWIP_CHECKSUM_CTRL_PER_NETIF 1

/* Addresses are given by configuration and shared by several processes: no detection of
 * duplicates, which would find ourselves, and no router advertisements, which would let a
 * stranger move our traffic. */
#define LWIP_IPV6_DUP_DETECT_ATTEMPTS 0
#define LWIP_IPV6_SEND_ROUTER_SOLICIT 0
#define LWIP_IPV6_AUTOCONFIG 0
#define LWIP_ND6_ALLOW_RA_UPDATES 0
#define LWIP_IPV6_MLD 1
#define LWIP_IPV6_NUM_ADDRESSES 3
#define LWIP_ND6_NUM_NEIGHBORS 100
#define LWIP_ND6_NUM_DESTINATIONS 100
#define ARP_TABLE_SIZE 120
#define ARP_QUEUEING 1
#define ARP_QUEUE_LEN 64
#define MEMP_NUM_ARP_QUEUE 1024
#define LWIP_ND6_QUEUEING 1
#define MEMP_NUM_ND6_QUEUE 1024
#define ETHARP_TABLE_MATCH_NETIF 0

/* TCP: windows for a million requests of 750 octets a second at a millisecond's round trip. */
#define TCP_MSS 1460
#define LWIP_WND_SCALE 1
#define TCP_RCV_SCALE 4
#define TCP_WND (512 * 1024)
#define TCP_SND_BUF (1024 * 1024)
#define TCP_SND_QUEUELEN 16000
#define TCP_OVERSIZE 0
#define TCP_QUEUE_OOSEQ 1
#define TCP_OOSEQ_MAX_BYTES (64 * 1024)
#define LWIP_TCP_SACK_OUT 1
#define LWIP_TCP_MAX_SACK_NUM 4
#define TCP_LISTEN_BACKLOG 1
#define TCP_DEFAULT_LISTEN_BACKLOG 255
#define TCP_CALCULATE_EFF_SEND_MSS 1
#define LWIP_TCP_KEEPALIVE 0

/* A slow tick is two intervals; a lost tail is sent again after three slow ticks, 60 to 90 ms,
 * which is just above the 40 ms that Linux may wait with its acknowledgement. */
#define TCP_TMR_INTERVAL 15
#define TCP_MSL 1000
#define TCP_MAXRTX 10
#define TCP_SYNMAXRTX 5

/* Memory: fixed pools, nothing from the heap. */
#define MEM_ALIGNMENT 8
#define MEM_USE_POOLS 1
#define MEMP_USE_CUSTOM_POOLS 1
#define MEM_USE_POOLS_TRY_BIGGER_POOL 1
#define MEMP_MEM_MALLOC 0
#define MEMP_NUM_TCP_PCB 18000
#define MEMP_NUM_TCP_PCB_LISTEN 16
#define MEMP_NUM_TCP_SEG 60000
#define MEMP_NUM_PBUF 60000
#define PBUF_POOL_SIZE 64
#define PBUF_POOL_BUFSIZE 1600
#define LWIP_SUPPORT_CUSTOM_PBUF 1
#define LWIP_DISABLE_TCP_SANITY_CHECKS 1

/* Numbers for TransportCounters. */
#define LWIP_STATS 1
#define LWIP_STATS_LARGE 1
#define MEM_STATS 0
#define MEMP_STATS 1
#define MIB2_STATS 1
#define LWIP_DEBUG 0

/* Initial sequence numbers that a stranger cannot guess (RFC 6528). */
struct ip_addr;
#define LWIP_HOOK_FILENAME "tollgate_hooks.h"
#define LWIP_HOOK_TCP_ISN tollgate_lwip_tcp_isn
#define LWIP_CHKSUM tollgate_lwip_checksum

#endif
