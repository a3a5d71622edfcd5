// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// What tiles tell of who is watched (ledger/trace.hh), as JSON. Control knows no Diameter: messages
// go to the client as octets, which decodes them.
//
//   {"at","kind":"received"|"sent","remote","local","whole_bytes","octets":"0100...","tag"}
//   {"at","kind":"effects","tag","outcome","repeated","services":[...],"buckets":[...]}
#pragma once

#include "base/types.hh"
#include "control/json.hh"
#include "ledger/trace.hh"

namespace tollgate::control {

// Reads the head of a frame; false if it is shorter than that.
[[nodiscard]] bool read_trace(Bytes frame, ledger::TraceRecord& record);

// All of a frame; null if it is out of shape.
Json describe_trace(Bytes frame);

}  // namespace tollgate::control
