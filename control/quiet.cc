// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "control/quiet.hh"

namespace tollgate::control {

Quiet::Quiet(const Appliance& appliance) : appliance_(appliance) {
  note_links("control", "_charge");
}

void Quiet::step(bool journal_is_read) {
  switch (stage_) {
    case Stage::commands:
      if (!links_are_past()) return;
      note_links("charge", "_journal");
      stage_ = Stage::entries;
      return;
    case Stage::entries:
      if (!links_are_past()) return;
      note_groups();
      stage_ = Stage::groups;
      return;
    case Stage::groups:
      if (!groups_are_past()) return;
      stage_ = Stage::reading;
      return;
    case Stage::reading:
      if (!journal_is_read) return;
      ++pass_count_;
      note_links("control", "_charge");
      stage_ = Stage::commands;
      return;
  }
}

void Quiet::note_links(std::string_view producer, std::string_view consumer) {
  links_.clear();
  for (const std::string& name : appliance_.link_names()) {
    const bool is_one = name.starts_with(producer) && name.find(consumer) != std::string::npos;
    if (!is_one) continue;
    const LinkMemory* link = appliance_.link(name);
    links_.push_back({link, link->tail.load(std::memory_order_acquire)});
  }
}

bool Quiet::links_are_past() const {
  for (const Mark& mark : links_) {
    if (mark.link->head.load(std::memory_order_acquire) < mark.tail) return false;
  }
  return true;
}

void Quiet::note_groups() {
  groups_.clear();
  for (const ledger::JournalMemory* stream : appliance_.journal_streams()) {
    groups_.push_back(__atomic_load_n(&stream->fill_count, __ATOMIC_ACQUIRE));
  }
}

bool Quiet::groups_are_past() const {
  const auto& streams = appliance_.journal_streams();
  for (std::size_t i = 0; i < streams.size(); ++i) {
    if (__atomic_load_n(&streams[i]->release_count, __ATOMIC_ACQUIRE) < groups_[i]) return false;
  }
  return true;
}

}  // namespace tollgate::control
