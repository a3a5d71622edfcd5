// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// The pools of packet buffers: one for each queue of a port, used by one process at a time.
// Inside dataplane/ only.
#pragma once

#include <rte_mempool.h>

#include <string>

#include "base/types.hh"

namespace tollgate::dataplane {

struct PoolName {
  std::string port;
  u32 queue_index = 0;
};

// Nothing if there is no memory.
rte_mempool* create_buffer_pool(const PoolName& name, u32 buffer_count);
rte_mempool* find_buffer_pool(const PoolName& name);

// Makes every buffer of the pool free, whatever state a process that was killed in the midst of
// using it has left. Nobody else may use the pool at the time or hold a buffer of it.
void rebuild_buffer_pool(rte_mempool* pool);

}  // namespace tollgate::dataplane
