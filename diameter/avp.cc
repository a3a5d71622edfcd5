// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "diameter/avp.hh"

namespace tollgate::diameter {

bool find_first(Bytes octets, const AvpId& id, Avp& found) {
  AvpCursor cursor(octets);
  Avp avp;
  while (cursor.next(avp) == AvpStep::avp) {
    if (!avp.is(id)) continue;
    found = avp;
    return true;
  }
  return false;
}

}  // namespace tollgate::diameter
