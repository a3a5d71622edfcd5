// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Messages as text, for traces, logs and tests. It allocates: not for tiles.
//
//   CCR @app=4 @flags=RP @hbh=0x3e8 @e2e=0x7d0 Session-Id="s;1" CC-Request-Type=INITIAL_REQUEST
//   Multiple-Services-Credit-Control={Rating-Group=10 Requested-Service-Unit={}}
//
// What begins with @ is of the header. An AVP stands under its name in the dictionary, or as
// CODE or CODE@VENDOR; its value is a number, an enumerated name, "text", an address, 0x and
// octets, or {members}. What is out of shape is shown as such, never skipped. The conformance
// tables (tests/conformance) are written in the same notation.
#pragma once

#include <string>

#include "base/types.hh"
#include "diameter/avp.hh"
#include "diameter/header.hh"

namespace tollgate::diameter {

// "CCR", "CEA"; "999R" for a command without a name.
std::string command_text(const Header& header);

// One AVP, as above.
std::string to_text(const Avp& avp);

// A whole message on one line. `message` holds a header at least.
std::string message_text(Bytes message);

}  // namespace tollgate::diameter
