// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors
#include "dataplane/buffer_pool.hh"

#include <fmt/format.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

#include "base/check.hh"
#include "dataplane/port_internals.hh"

namespace tollgate::dataplane {

namespace {

constexpr u32 cache_count = 256;

std::string text_of(const PoolName& name) {
  return fmt::format("tollbuf{}_{}", name.queue_index, name.port);
}

void put_back(rte_mempool* pool, void*, void* object, unsigned) {
  auto* buffer = static_cast<rte_mbuf*>(object);
  rte_mbuf_refcnt_set(buffer, 1);
  buffer->next = nullptr;
  buffer->nb_segs = 1;
  rte_mempool_ops_enqueue_bulk(pool, &object, 1);
}

}  // namespace

rte_mempool* create_buffer_pool(const PoolName& name, u32 buffer_count) {
  return rte_pktmbuf_pool_create(text_of(name).c_str(), buffer_count, cache_count,
                                 buffer_private_bytes, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
}

rte_mempool* find_buffer_pool(const PoolName& name) {
  return rte_mempool_lookup(text_of(name).c_str());
}

void rebuild_buffer_pool(rte_mempool* pool) {
  check(pool->pool_data != nullptr, "a pool of buffers stands on a ring");
  rte_ring_reset(static_cast<rte_ring*>(pool->pool_data));
  for (unsigned lcore = 0; lcore < RTE_MAX_LCORE; ++lcore) {
    if (rte_mempool_cache* cache = rte_mempool_default_cache(pool, lcore)) cache->len = 0;
  }
  const u32 count = rte_mempool_obj_iter(pool, put_back, nullptr);
  check(count == pool->size, "every buffer of the pool is free again");
}

}  // namespace tollgate::dataplane
