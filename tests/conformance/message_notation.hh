// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// The notation of messages in conformance tables: diameter/message_text.hh, read instead of
// written, and able to say what is wrong on the wire.
//
//   CCR                           a message: the command's name, or 999R / 999A
//   CCR-I CC-Request-Number=1     another message (named before), and what differs
//
//   @app=4 @flags=RPET @version=1 @hbh=7 @e2e=8
//   @length=24                    the header's length field says so
//   @cut=3                        the last octets are left out
//   @raw=0x0102                   octets after the last AVP
//
//   Name=VALUE                    replaces the first AVP of that name, or stands last
//   +Name=VALUE   ^Name=VALUE     one more, last or first
//   -Name                         without it
//   Name/M  /m  /V  /P  /r        M or its absence, V with vendor 0, the old P bit, a reserved bit
//   Name/len:9                    its length field says so
//   999=1   999@10415=1           an AVP by code, and by vendor
//
//   VALUE: 12  -3  "text"  0x00ff  198.18.0.9  [fd00::1]  EVENT_REQUEST  {Members}  VALUE*200
//
// Flags, types and sizes are the dictionary's. A mistake in a table throws std::runtime_error.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "diameter/avp.hh"
#include "diameter/header.hh"

namespace tollgate::conformance {

using Octets = std::vector<u8>;
using Words = std::vector<std::string>;

// Splits at blanks that are neither between quotes nor between braces.
Words split(std::string_view line);

// The AVP that is called so: by its name, by MSCC, RSU, USU, GSU, FUI or VSAI, or by its code.
diameter::AvpId find_id(const std::string& name);

// One AVP: "Name=VALUE", without + ^ -.
struct AvpText {
  diameter::AvpId id;
  bool has_value = false;
  Octets octets;  // header, data, padding
};
AvpText read_avp(const std::string& word);

// A message that can still be changed.
class Draft {
 public:
  // "CCR", "CEA", "999R"; false if the word is no command.
  bool begin(const std::string& word);
  // One word that changes it.
  void change(const std::string& word);

  diameter::Header& header() { return header_; }
  const diameter::Header& header() const { return header_; }
  bool has_ids() const { return has_ids_; }
  // The octets of all its AVPs called so.
  std::vector<Octets> all(const diameter::AvpId& id) const;
  Octets encode() const;

 private:
  void change_header(const std::string& key, const std::string& value);

  diameter::Header header_;
  bool has_ids_ = false;
  std::optional<u32> length_bytes_;
  u32 cut_bytes_ = 0;
  Octets raw_;
  std::vector<AvpText> avps_;
};

// The messages that a table has named.
class Drafts {
 public:
  void name(const std::string& name, const Draft& draft) { drafts_[name] = draft; }
  // The first word names a message or a command, the others change it.
  Draft read(std::span<const std::string> words) const;

 private:
  std::map<std::string, Draft> drafts_;
};

}  // namespace tollgate::conformance
