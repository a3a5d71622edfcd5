// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors
#include "dataplane/stream.hh"

namespace tollgate::dataplane {

std::string_view to_text(CloseReason reason) {
  switch (reason) {
    case CloseReason::local:
      return "closed here";
    case CloseReason::remote:
      return "closed by the peer";
    case CloseReason::reset:
      return "reset by the peer";
    case CloseReason::refused:
      return "refused by the peer";
    case CloseReason::unreachable:
      return "peer unreachable";
    case CloseReason::timeout:
      return "peer stopped answering";
    case CloseReason::out_of_memory:
      return "out of transport memory";
  }
  return "unknown";
}

}  // namespace tollgate::dataplane
