// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "control/fake_journal.hh"

#include <fcntl.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>

#include "base/check.hh"
#include "base/hash.hh"
#include "control/file.hh"
#include "ledger/threshold.hh"

namespace tollgate::control {
namespace {

template <class T>
Bytes octets_of(const T& value) {
  return {reinterpret_cast<const u8*>(&value), sizeof value};
}

void append(std::vector<u8>& to, Bytes octets) {
  to.insert(to.end(), octets.begin(), octets.end());
}

}  // namespace

FakeJournal::FakeJournal(const std::string& path, u32 stream_count) {
  folder_.path = path;
  folder_.stream_count = stream_count;
  folder_.segment_bytes = 1_MiB;
  check(folder_.open_or_create().empty(), "the test's journal folder");
  positions_.resize(stream_count);
  for (u32 stream = 0; stream < stream_count; ++stream) {
    for (u64 number = 1; number <= 2; ++number) {
      check(ledger::make_segment(folder_, stream, number).empty(), "the test's segment");
    }
  }
}

std::vector<u8> FakeJournal::make_entry(
    ledger::EntryKind kind, u32 shard,
    const std::vector<std::pair<ledger::NoteKind, Bytes>>& notes) {
  ledger::EntryHeader header;
  header.kind = kind;
  header.shard = static_cast<u8>(shard);
  header.part_count = static_cast<u16>(notes.size());
  header.sequence = ++sequences_[shard];
  std::vector<u8> entry(sizeof header);
  for (const auto& [note, octets] : notes) {
    ledger::PartHeader part;
    part.pool = ledger::Pool::note;
    part.index = static_cast<u32>(note);
    part.word_count = static_cast<u16>(round_up(octets.size(), 8) / 8);
    append(entry, octets_of(part));
    append(entry, octets);
    entry.resize(round_up(entry.size(), 8));
  }
  header.bytes = static_cast<u32>(entry.size());
  std::memcpy(entry.data(), &header, sizeof header);
  return entry;
}

std::vector<u8> FakeJournal::charging_entry(u32 shard, std::string_view session_id,
                                            u64 account_id) {
  ledger::ChargingData data;
  data.account_id = account_id;
  data.started_ns = 1'795'310'709'000'000'000;
  data.ended_ns = 1'795'310'769'000'000'000;
  data.service_count = 1;
  data.session_id_bytes = static_cast<u16>(session_id.size());
  ledger::ChargingService service;
  service.flags = ledger::service_flag::has_rating_group;
  service.rating_group = 10;
  service.kind = ledger::UnitKind::octets;
  service.used = {1'048'576};
  service.cost = {1'100'000};
  service.cost_unit = Unit::eur;
  std::vector<u8> note;
  append(note, octets_of(data));
  append(note, octets_of(service));
  append(note, as_bytes(session_id));
  return make_entry(ledger::EntryKind::request, shard,
                    {{ledger::NoteKind::charging_data, Bytes(note)}});
}

std::vector<u8> FakeJournal::threshold_entry(u32 shard, u64 account_id) {
  const ledger::ThresholdNote note{.account_id = account_id,
                                   .bucket = 1,
                                   .unit = Unit::eur,
                                   .threshold = {2'000'000},
                                   .before = {2'100'000},
                                   .after = {1'900'000}};
  return make_entry(
      ledger::EntryKind::request, shard,
      {{ledger::NoteKind::threshold, {reinterpret_cast<const u8*>(&note), sizeof note}}});
}

std::vector<u8> FakeJournal::command_entry(const ledger::Command& command,
                                           const ledger::CommandAnswer& answer) {
  std::vector<u8> note;
  append(note, octets_of(command).first(offsetof(ledger::Command, identities)));
  for (u32 i = 0; i < command.bucket_count; ++i) append(note, octets_of(command.buckets[i]));
  return make_entry(
      ledger::EntryKind::command, command.shard,
      {{ledger::NoteKind::answer, octets_of(answer)}, {ledger::NoteKind::command, Bytes(note)}});
}

void FakeJournal::write_group(u32 stream, const std::vector<std::vector<u8>>& entries) {
  std::vector<u8> payload;
  for (const std::vector<u8>& entry : entries) append(payload, entry);
  ledger::JournalPosition& position = positions_[stream];
  ledger::GroupHeader header;
  header.stream = static_cast<u16>(stream);
  header.sequence = position.next_sequence;
  header.durable_sequence = position.next_sequence - 1;
  header.previous_hash = position.previous_hash;
  header.appliance = folder_.appliance;
  header.payload_bytes = static_cast<u32>(payload.size());
  header.entry_count = static_cast<u32>(entries.size());
  header.payload_crc = crc32c(payload);
  header.header_crc = crc32c(octets_of(header).first(offsetof(ledger::GroupHeader, header_crc)));
  std::vector<u8> pages;
  append(pages, octets_of(header));
  append(pages, payload);
  pages.resize(round_up(pages.size(), page_bytes));
  if (position.offset + pages.size() > folder_.segment_bytes) {
    ++position.segment_number;
    if (!std::filesystem::exists(
            ledger::segment_path(folder_.path, stream, position.segment_number))) {
      check(ledger::make_segment(folder_, stream, position.segment_number).empty(),
            "the test's next segment");
    }
    position.offset = page_bytes;
  }
  const File file(ledger::segment_path(folder_.path, stream, position.segment_number), O_WRONLY);
  check(::pwrite(file.fd(), pages.data(), pages.size(), static_cast<off_t>(position.offset)) ==
            static_cast<ssize_t>(pages.size()),
        "the test's group");
  check(::fdatasync(file.fd()) == 0, "the test's group on disk");
  position.offset += pages.size();
  position.previous_hash = hash64(octets_of(header));
  ++position.next_sequence;
}

}  // namespace tollgate::control
