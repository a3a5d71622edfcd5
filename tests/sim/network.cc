// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "tests/sim/network.hh"

#include <algorithm>
#include <utility>

#include "base/check.hh"
#include "tests/sim/kill_switch.hh"

namespace tollgate::sim {

using dataplane::StreamId;

SimTransport::Stream* SimTransport::find(StreamId id) {
  if (id.index >= streams_.size()) return nullptr;
  Stream& stream = streams_[id.index];
  return stream.id == id && stream.is_open ? &stream : nullptr;
}

// An index is free again when the tile has been told of the end.
StreamId SimTransport::open() {
  auto place = std::find_if(streams_.begin(), streams_.end(),
                            [](const Stream& stream) { return !stream.is_open; });
  if (place == streams_.end()) place = streams_.insert(place, Stream{});
  const u32 index = static_cast<u32>(place - streams_.begin());
  *place = {.id = {index, ++generation_}, .is_open = true};
  return place->id;
}

bool SimTransport::is_open(StreamId id) const {
  if (id.index >= streams_.size()) return false;
  const Stream& stream = streams_[id.index];
  return stream.id == id && stream.is_open && !stream.is_ending;
}

void SimTransport::send(StreamId id, Bytes octets) {
  if (Stream* stream = find(id)) {
    stream->to_tile.insert(stream->to_tile.end(), octets.begin(), octets.end());
  }
}

std::vector<u8> SimTransport::receive(StreamId id) {
  Stream* stream = find(id);
  return stream == nullptr ? Octets{} : std::exchange(stream->received, {});
}

void SimTransport::cut(StreamId id) {
  if (Stream* stream = find(id)) {
    stream->is_ending = true;
    stream->to_tile.clear();
  }
}

void SimTransport::move(Random& random, bool all) {
  const auto some = [&](Octets& from, Octets& to) {
    const bool is_whole = all || !random.once_in(4);
    const u64 count = is_whole ? from.size() : random.below(from.size() + 1);
    const auto end = from.begin() + static_cast<std::ptrdiff_t>(count);
    to.insert(to.end(), from.begin(), end);
    from.erase(from.begin(), end);
  };
  for (Stream& stream : streams_) {
    if (!stream.is_open) continue;
    if (!stream.to_tile.empty() && (all || random.once_in(2))) some(stream.to_tile, stream.arrived);
    if (!stream.to_client.empty() && (all || random.once_in(2))) {
      some(stream.to_client, stream.received);
    }
  }
}

MutableBytes SimTransport::reserve(StreamId id, std::size_t size_bytes) {
  const Spared spared;
  Stream* stream = find(id);
  if (stream == nullptr) return {};
  stream->room.assign(size_bytes, 0xee);
  return stream->room;
}

void SimTransport::commit(StreamId id, std::size_t size_bytes) {
  const Spared spared;
  Stream* stream = find(id);
  if (stream == nullptr) return;
  check(size_bytes <= stream->room.size(), "no more is committed than was reserved");
  stream->to_client.insert(stream->to_client.end(), stream->room.begin(),
                           stream->room.begin() + static_cast<std::ptrdiff_t>(size_bytes));
}

void SimTransport::close(StreamId id) {
  const Spared spared;
  if (Stream* stream = find(id)) stream->is_ending = true;
}

void SimTransport::abort(StreamId id) {
  close(id);
}

std::size_t SimTransport::poll(Instant) {
  std::size_t count = 0;
  // Handlers open nothing here, so the streams stay where they are.
  for (Stream& stream : streams_) {
    if (!stream.is_open) continue;
    if (!stream.is_told) {
      stream.is_told = true;
      dataplane::Endpoint remote;
      check(parse("198.18.0.9:3868", 3868, remote), "an address of the test network");
      handler_.opened(stream.id, remote, dataplane::Direction::incoming);
      ++count;
    }
    if (!stream.arrived.empty() && !stream.is_ending) {
      const std::size_t taken = handler_.received(stream.id, stream.arrived);
      stream.arrived.erase(stream.arrived.begin(),
                           stream.arrived.begin() + static_cast<std::ptrdiff_t>(taken));
      ++count;
    }
    if (stream.is_ending) {
      stream.is_open = false;
      handler_.closed(stream.id, dataplane::CloseReason::reset);
      ++count;
    }
  }
  return count;
}

}  // namespace tollgate::sim
