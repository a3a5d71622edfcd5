// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "tools/tollload/fake_server.hh"

#include <algorithm>
#include <array>

#include "diameter/dispatch.hh"

namespace tollgate::tollload {
namespace {

constexpr std::size_t output_bytes = 256_KiB;

}  // namespace

FakeServer::FakeServer() : request_(std::make_unique<diameter::CreditControlRequest>()) {
  address_.octets = {127, 0, 0, 1};
  node_.origin = {"ocs.tollgate.example", "tollgate.example"};
  node_.host_addresses = {&address_, 1};
}

FakeServer::Stream* FakeServer::find(dataplane::StreamId id) {
  if (id.index >= streams_.size() || !streams_[id.index]) return nullptr;
  Stream* const stream = streams_[id.index].get();
  return stream->id == id && !stream->is_closing ? stream : nullptr;
}

dataplane::StreamId FakeServer::connect(const dataplane::Endpoint&) {
  auto stream = std::make_unique<Stream>();
  std::size_t index = 0;
  while (index < streams_.size() && streams_[index]) ++index;
  if (index == streams_.size()) streams_.emplace_back();
  stream->id = {static_cast<u32>(index), ++generation_};
  stream->to_server.resize(output_bytes);
  stream->frame_buffer.resize(64_KiB);
  stream->framer.emplace(stream->frame_buffer);
  const dataplane::StreamId id = stream->id;
  streams_[index] = std::move(stream);
  return id;
}

MutableBytes FakeServer::reserve(dataplane::StreamId id, std::size_t size_bytes) {
  Stream* const stream = find(id);
  if (stream == nullptr) return {};
  const MutableBytes room = MutableBytes(stream->to_server).subspan(stream->to_server_bytes);
  if (room.size() < size_bytes) {
    stream->was_blocked = true;
    return {};
  }
  return room.first(size_bytes);
}

void FakeServer::commit(dataplane::StreamId id, std::size_t size_bytes) {
  if (Stream* const stream = find(id)) stream->to_server_bytes += size_bytes;
}

void FakeServer::close(dataplane::StreamId id) {
  if (Stream* const stream = find(id)) stream->is_closing = true;
}

void FakeServer::break_connections() {
  for (const auto& stream : streams_)
    if (stream) stream->is_closing = true;
}

void FakeServer::send_all(Bytes octets) {
  for (const auto& stream : streams_)
    if (stream) stream->to_client.insert(stream->to_client.end(), octets.begin(), octets.end());
}

std::size_t FakeServer::stream_count() const {
  return static_cast<std::size_t>(
      std::count_if(streams_.begin(), streams_.end(), [](const auto& stream) { return !!stream; }));
}

std::size_t FakeServer::poll(Instant now) {
  for (std::size_t i = 0; i < streams_.size(); ++i) {
    if (!streams_[i]) continue;
    Stream& stream = *streams_[i];
    if (!stream.is_opened && refuses_connections) {
      const std::unique_ptr<Stream> ended = std::move(streams_[i]);
      handler_->connect_failed(ended->id, dataplane::CloseReason::refused);
      continue;
    }
    if (!stream.is_opened) {
      stream.is_opened = true;
      stream.peer.emplace(node_, diameter::PeerConnection::Options{.now = now, .seed = i + 1});
      handler_->opened(stream.id, {}, dataplane::Direction::outgoing);
    }
    if (!stream.is_closing) serve(stream, now);
    if (stream.is_closing) {
      const std::unique_ptr<Stream> ended = std::move(streams_[i]);
      handler_->closed(ended->id, dataplane::CloseReason::remote);
    }
  }
  return streams_.size();
}

void FakeServer::serve(Stream& stream, Instant now) {
  const Bytes octets = Bytes(stream.to_server).first(stream.to_server_bytes);
  static_cast<void>(stream.framer->feed(octets, [&](Bytes message) {
    take(stream, message, now);
    return diameter::Take::next;
  }));
  stream.to_server_bytes = 0;
  if (stream.was_blocked) {
    stream.was_blocked = false;
    handler_->writable(stream.id);
  }
  // Cut where no message ends, as a network does.
  const Bytes answers = stream.to_client;
  const std::size_t cut = answers.size() / 3;
  if (cut != 0) static_cast<void>(handler_->received(stream.id, answers.first(cut)));
  if (answers.size() != cut) static_cast<void>(handler_->received(stream.id, answers.subspan(cut)));
  stream.to_client.clear();
}

void FakeServer::take(Stream& stream, Bytes message, Instant now) {
  const diameter::Classified classified = diameter::classify(message);
  if (classified.kind == diameter::MessageKind::session_answer) return;
  if (classified.kind != diameter::MessageKind::credit_control) {
    std::array<u8, diameter::peer_answer_bytes_max> out;
    const diameter::Reaction reaction = stream.peer->on_message(message, now, out);
    stream.to_client.insert(stream.to_client.end(), out.begin(), out.begin() + reaction.send_bytes);
    return;
  }
  diameter::Refusal refusal;
  if (!diameter::decode_credit_control_request(message, *request_, refusal)) {
    ++undecodable_count;
    return;
  }
  ++request_count;
  if (keeps_requests) keep(*request_);
  answer(stream);
}

void FakeServer::keep(const diameter::CreditControlRequest& request) {
  SeenRequest kept{.session_id = std::string(as_text(request.session_id)),
                   .origin_host = std::string(as_text(request.origin_host)),
                   .type = request.type,
                   .number = request.number,
                   .end_to_end = request.header.end_to_end,
                   .is_retransmitted = request.header.is_retransmitted()};
  if (request.subscription_id_count != 0)
    kept.msisdn = as_text(request.subscription_id_pool[0].data);
  if (request.used_pool_count != 0) {
    const diameter::Units& units = request.used_pool[0].units;
    kept.used = units.has(diameter::unit_time) ? units.time_s : units.total_octets;
  }
  seen.push_back(std::move(kept));
}

void FakeServer::answer(Stream& stream) {
  const diameter::RequestMscc& asked = request_->mscc_pool[0];
  diameter::AnswerMscc mscc{.granted = asked.requested_units,
                            .service_identifiers = request_->service_identifiers_of(asked),
                            .rating_group = asked.rating_group,
                            .validity_time_s = 600,
                            .result_code = diameter::ResultCode::success};
  diameter::CreditControlAnswer answer{.hop_by_hop = request_->header.hop_by_hop,
                                       .end_to_end = request_->header.end_to_end,
                                       .is_proxiable = request_->header.is_proxiable(),
                                       .session_id = request_->session_id,
                                       .origin = &node_.origin,
                                       .type = request_->type,
                                       .number = request_->number,
                                       .mscc = {&mscc, 1}};
  if (alter && !alter(*request_, answer, mscc)) return;
  const std::size_t begin = stream.to_client.size();
  stream.to_client.resize(begin + 2048);
  const MutableBytes out = MutableBytes(stream.to_client).subspan(begin);
  const std::size_t size_bytes = diameter::encode_answer(answer, out);
  if (alter_octets) alter_octets(out.first(size_bytes));
  stream.to_client.resize(begin + size_bytes);
}

}  // namespace tollgate::tollload
