// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "app/fake_transport.hh"

#include "base/check.hh"

namespace tollgate::app {

using dataplane::StreamId;

StreamId FakeTransport::add(const dataplane::Endpoint& remote) {
  // As with a real one, an index is used again once its stream has gone.
  u32 index = 0;
  while (index < streams_.size() && (streams_[index].is_open || streams_[index].is_connecting))
    ++index;
  if (index == streams_.size()) streams_.emplace_back();
  const StreamId id{index, generation_++};
  streams_[index] = {.id = id, .remote = remote};
  return id;
}

StreamId FakeTransport::accept(std::string_view address) {
  dataplane::Endpoint remote;
  check(parse(address, 1234, remote), "a test's address is one");
  const StreamId id = add(remote);
  handler_.opened(id, remote, dataplane::Direction::incoming);
  return id;
}

StreamId FakeTransport::connect(const dataplane::Endpoint& remote) {
  const StreamId id = add(remote);
  streams_[id.index].is_connecting = true;
  streams_[id.index].is_open = false;
  return id;
}

void FakeTransport::establish(StreamId id) {
  Stream& stream = streams_[id.index];
  check(stream.is_connecting, "what is established was begun");
  stream.is_connecting = false;
  stream.is_open = true;
  handler_.opened(id, stream.remote, dataplane::Direction::outgoing);
}

void FakeTransport::fail(StreamId id, dataplane::CloseReason reason) {
  check(streams_[id.index].is_connecting, "what fails was begun");
  streams_[id.index].is_connecting = false;
  handler_.connect_failed(id, reason);
}

void FakeTransport::deliver(StreamId id, Bytes octets) {
  input_.push_back({id, Octets(octets.begin(), octets.end())});
}

MutableBytes FakeTransport::reserve(StreamId id, std::size_t size_bytes) {
  Stream& stream = streams_[id.index];
  if (stream.id != id || !stream.is_open || stream.output.size() + size_bytes > stream.output_max)
    return {};
  stream.room.assign(size_bytes, 0xee);
  return stream.room;
}

void FakeTransport::commit(StreamId id, std::size_t size_bytes) {
  Stream& stream = streams_[id.index];
  check(size_bytes <= stream.room.size(), "no more is committed than was reserved");
  stream.output.insert(stream.output.end(), stream.room.begin(),
                       stream.room.begin() + static_cast<i64>(size_bytes));
  stream.room.clear();
}

void FakeTransport::abort(StreamId id) {
  streams_[id.index].is_ending = true;
  streams_[id.index].was_aborted = true;
}

std::size_t FakeTransport::poll(Instant) {
  const std::vector<Input> input = std::exchange(input_, {});
  for (const Input& one : input) {
    const Stream& stream = streams_[one.id.index];
    if (stream.id != one.id || !stream.is_open || stream.is_ending) continue;
    const std::size_t taken = handler_.received(one.id, one.octets);
    if (taken == one.octets.size()) continue;
    input_.push_back(
        {one.id, Octets(one.octets.begin() + static_cast<i64>(taken), one.octets.end())});
  }
  for (u32 i = 0; i < streams_.size(); ++i) {
    Stream& stream = streams_[i];
    if (!stream.is_ending || (!stream.is_open && !stream.is_connecting)) continue;
    const bool was_open = std::exchange(stream.is_open, false);
    stream.is_connecting = false;
    if (was_open) {
      handler_.closed(stream.id, dataplane::CloseReason::local);
    } else {
      handler_.connect_failed(stream.id, dataplane::CloseReason::local);
    }
  }
  return input.size();
}

}  // namespace tollgate::app
