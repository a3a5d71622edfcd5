// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Where the hash tables of an image look first. The compiler and the reader share it; it belongs to
// the layout.
#pragma once

#include "base/hash.hh"
#include "base/types.hh"
#include "rating/image.hh"

namespace tollgate::rating {

constexpr u64 service_slot(u32 plan, u64 context) {
  return mix64(context ^ u64{plan} << 24);
}

constexpr u64 rule_slot(const RuleSlot& key) {
  const u64 both = u64{key.rating_group} << 32 | key.service_identifier;
  return mix64(both + key.shape);
}

}  // namespace tollgate::rating
