// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// How many extension records a session takes beyond its own (ledger/records.hh).
#pragma once

#include "base/types.hh"

namespace tollgate::app {

// For the quotas of so many services: one each, but for the first.
constexpr u32 quota_extensions(u32 service_count) {
  return service_count == 0 ? 0 : service_count - 1;
}

// For an answer with so many services: one for each three, but for the first.
inline constexpr u32 services_per_extension = 3;
constexpr u32 answer_extensions(u32 service_count) {
  return (quota_extensions(service_count) + services_per_extension - 1) / services_per_extension;
}

}  // namespace tollgate::app
