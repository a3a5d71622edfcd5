// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// What is in the journal, octet by octet.
//
// A charge tile writes one entry for each request or command that it carried out. An entry holds
// effects, not inputs: patches, each the words of one record as they are now. Replaying it is
// copying them back, in order, as often as one likes. Further parts are notes, which replay passes
// over: the charging data for a CDR, the answers for the client.
//
// The journal tile packs entries into groups, one write each, and chains the groups by hash:
//
//   file NNNNNNNN.tgj:  SegmentHeader (one page) | group | group | ... | zeros or an older life
//   group:              GroupHeader, entries, zeros up to the next page
//   entry:              EntryHeader, then parts: PartHeader and its words
//
// All numbers are little endian; everything is aligned to eight octets, groups to a page.
#pragma once

#include <type_traits>

#include "base/types.hh"
#include "ledger/records.hh"

namespace tollgate::ledger {

// Changes with every change of meaning in this file or in records.hh: another one is refused.
inline constexpr u16 journal_layout = 5;

inline constexpr u32 segment_magic = 0x314a4754;  // "TGJ1"
inline constexpr u32 group_magic = 0x31474754;    // "TGG1"

struct SegmentHeader {
  u32 magic = segment_magic;
  u16 layout = journal_layout;
  u16 stream = 0;     // one a journal tile
  u64 number = 0;     // of the file, counted from 1
  u64 bytes = 0;      // of the whole file
  u64 appliance = 0;  // random, made with the folder: a foreign file is told apart
  u32 reserved = 0;
  u32 crc = 0;  // of all before
};
static_assert(sizeof(SegmentHeader) == 40);

struct GroupHeader {
  u32 magic = group_magic;
  u16 layout = journal_layout;
  u16 stream = 0;
  u64 sequence = 0;          // 1, 2, 3...
  u64 durable_sequence = 0;  // all groups up to this one were on disk when this one was written
  u64 previous_hash = 0;     // of the header of the group before it
  i64 written_ns = 0;
  u64 appliance = 0;
  u32 payload_bytes = 0;  // entries, without this header and the padding behind them
  u32 entry_count = 0;
  u32 payload_crc = 0;  // CRC32C of the entries
  u32 header_crc = 0;   // CRC32C of all before
};
static_assert(sizeof(GroupHeader) == 64);

inline constexpr u64 group_bytes_max = 256 * 1024;
inline constexpr u64 entry_bytes_max = 32 * 1024;

enum class EntryKind : u8 {
  answer_only = 0,  // no effect: never written to disk, it only waits for its place in the order
  request = 1,      // a credit-control request
  command = 2,      // from provisioning or an operator
  timer = 3,        // a session that its client forgot, a bucket that expired
};

// Who waits for the answer of an entry: 8 bits of kind and number, then the waiter's own.
struct AnswerTag {
  u64 value = 0;

  static constexpr AnswerTag none() { return {0}; }
  static constexpr AnswerTag net(u32 tile, u64 own) { return {u64{0x80 | tile} << 56 | own}; }
  static constexpr AnswerTag control(u64 own) { return {u64{0x40} << 56 | own}; }
  constexpr bool is_net() const { return (value >> 63) != 0; }
  constexpr bool is_control() const { return (value >> 62) == 1; }
  constexpr u32 net_tile() const { return static_cast<u32>(value >> 56) & 0x7f; }
  constexpr u64 own() const { return value & 0x00ff'ffff'ffff'ffffULL; }
};

struct EntryHeader {
  u32 bytes = 0;  // of the whole entry, this header included
  EntryKind kind = EntryKind::answer_only;
  u8 shard = 0;
  u16 part_count = 0;
  u64 sequence = 0;  // of the shard: 1, 2, 3... without a gap; 0 for answer_only
  i64 time_ns = 0;   // when it was carried out
  AnswerTag tag;
  u16 answer_at = 0;     // where in the entry the answer lies, in words; 0: there is none
  u16 answer_words = 0;  // an Answer with all its services, or a CommandAnswer
  u32 reserved = 0;
};
static_assert(sizeof(EntryHeader) == 40);

enum class Pool : u8 {
  none = 0,
  account = 1,
  bucket = 2,
  session = 3,
  extension = 4,
  note = 0x80,  // not a record: index tells which NoteKind
};

// A command is its Command up to `identities`; of what stands on a bill (turns of products,
// refunds) its buckets follow.
enum class NoteKind : u32 { answer = 1, charging_data = 2, command = 3, threshold = 4 };

struct PartHeader {
  u32 index = 0;  // of the record in its pool; of a note its NoteKind
  Pool pool = Pool::none;
  u8 at_word = 0;  // where in the record the words belong
  u16 word_count = 0;
};
static_assert(sizeof(PartHeader) == 8);

// Why a charging record was closed (TS 32.298 causeForRecClosing, as far as it fits).
enum class ClosingCause : u8 {
  normal_release = 0,
  abnormal_release = 4,         // the client forgot the session, or replaced it
  management_intervention = 20  // an operator dropped it
};

// The note of a session's end or of a one-time event: all that a CDR needs. Followed by what
// `extras` says: four words of 32 bits for the account's products with prices, SessionNumbers; then
// service_count ChargingService, then the Session-Id, padded to words.
struct ChargingData {
  u64 account_id = 0;
  i64 started_ns = 0;
  i64 ended_ns = 0;
  u64 service_context = 0;
  u64 origin_host = 0;
  u32 plan = 0;
  ClosingCause cause = ClosingCause::normal_release;
  u8 is_event = 0;
  u16 service_count = 0;
  u16 session_id_bytes = 0;
  u16 extras = 0;  // charging_extra
  u32 reserved = 0;
};
static_assert(sizeof(ChargingData) == 56);

namespace charging_extra {
inline constexpr u16 products = 1;
inline constexpr u16 numbers = 2;
}  // namespace charging_extra

struct ChargingService {
  u32 rating_group = 0;
  u32 service_identifier = 0;
  u8 flags = 0;  // service_flag
  UnitKind kind = UnitKind::none;
  Unit cost_unit = Unit::none;
  u32 used_seconds = 0;
  Quantity used;  // charged
  Money cost;
  i64 used_input_octets = 0;
  i64 used_output_octets = 0;
  u64 used_events = 0;
};
static_assert(sizeof(ChargingService) == 56);

static_assert(std::is_trivially_copyable_v<EntryHeader> &&
                  std::is_trivially_copyable_v<GroupHeader>,
              "journal parts are copied as octets");

}  // namespace tollgate::ledger
