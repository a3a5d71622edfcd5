// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// What a request of the load costs the generator itself: making it, and checking its answer.
#include <benchmark/benchmark.h>

#include <memory>
#include <vector>

#include "diameter/avp.hh"
#include "diameter/avp_ids.hh"
#include "tools/tollload/answer_check.hh"
#include "tools/tollload/engine.hh"
#include "tools/tollload/request_template.hh"

namespace tollgate::tollload {
namespace {

constexpr ServiceUse use{
    .rating_group = 10, .service_identifier = 1, .requested = 1'000'000, .used = 1'000};

void make_request(benchmark::State& state) {
  const Identities identities{.run_number = 1};
  const RequestTemplate request(identities, Service::data, use, RequestType::update);
  std::vector<u8> out(request.size_bytes() * 64);
  RequestFields fields{.used = 1'000};
  for ([[maybe_unused]] auto unused : state) {
    ++fields.hop_by_hop;
    ++fields.end_to_end;
    fields.slot = fields.hop_by_hop & 0xffff;
    fields.msisdn_low = fields.imsi_low = fields.slot;
    ++fields.number;
    request.write(fields, &out[(fields.slot & 63) * request.size_bytes()]);
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
  }
  state.counters["octets"] = static_cast<double>(request.size_bytes());
}
BENCHMARK(make_request);

std::vector<u8> make_answer(std::string_view session_id) {
  const diameter::OriginBlock origin("ocs.tollgate.example", "tollgate.example");
  const u32 identifier = use.service_identifier;
  const diameter::AnswerMscc mscc{
      .granted = {.kinds = diameter::unit_total_octets, .total_octets = use.requested},
      .service_identifiers = {&identifier, 1},
      .rating_group = use.rating_group,
      .validity_time_s = 600,
      .result_code = diameter::ResultCode::success};
  std::vector<u8> octets(1024);
  octets.resize(diameter::encode_answer({.hop_by_hop = 1,
                                         .end_to_end = 2,
                                         .is_proxiable = true,
                                         .session_id = as_bytes(session_id),
                                         .origin = &origin,
                                         .type = RequestType::update,
                                         .number = 3,
                                         .mscc = {&mscc, 1}},
                                        octets));
  return octets;
}

void judge_answer(benchmark::State& state) {
  const Identities identities{.run_number = 1};
  const std::string prefix = session_prefix_of(identities, 0);
  const std::vector<u8> octets = make_answer(session_id_of(identities, 0, 5, 6));
  AnswerFacts facts;
  for ([[maybe_unused]] auto unused : state) {
    benchmark::DoNotOptimize(octets.data());
    const AnswerFault fault = check_answer(octets,
                                           {.end_to_end = 2,
                                            .session_prefix = as_bytes(prefix),
                                            .slot = 5,
                                            .incarnation = 6,
                                            .type = RequestType::update,
                                            .number = 3,
                                            .rating_group = use.rating_group,
                                            .service_identifier = use.service_identifier,
                                            .unit = diameter::unit_total_octets,
                                            .requested = use.requested},
                                           facts);
    if (fault != AnswerFault::none) state.SkipWithError("the answer is right");
    benchmark::DoNotOptimize(facts);
  }
  state.counters["octets"] = static_cast<double>(octets.size());
}
BENCHMARK(judge_answer);

// A transport that answers each request by patching one answer: what is measured is the engine.
class Mirror final : public dataplane::Transport {
 public:
  explicit Mirror(const Identities& identities)
      : answer_(make_answer(session_id_of(identities, 0, 0, 0))),
        suffix_at_(header_bytes_of_session_id + session_prefix_of(identities, 0).size()),
        out_(1_MiB) {
    node_.origin = {"ocs.tollgate.example", "tollgate.example"};
    node_.host_addresses = {&address_, 1};
    peer_.emplace(node_, diameter::PeerConnection::Options{.now = Instant::from_seconds(1)});
  }
  void attach(Engine& engine) { engine_ = &engine; }

  std::string listen(const dataplane::Endpoint&) override { return "no"; }
  dataplane::StreamId connect(const dataplane::Endpoint&) override { return {0, 1}; }
  MutableBytes reserve(dataplane::StreamId, std::size_t size_bytes) override {
    if (out_bytes_ + size_bytes > out_.size()) return {};
    return {out_.data() + out_bytes_, size_bytes};
  }
  void commit(dataplane::StreamId, std::size_t size_bytes) override { out_bytes_ += size_bytes; }
  void flush() override {}
  void resume(dataplane::StreamId) override {}
  void close(dataplane::StreamId) override {}
  void abort(dataplane::StreamId) override {}
  std::size_t stream_count() const override { return 1; }
  const dataplane::TransportCounters& counters() const override { return counters_; }
  std::size_t poll(Instant now) override {
    if (!is_opened_) {
      is_opened_ = true;
      engine_->opened({0, 1}, {}, dataplane::Direction::outgoing);
      return 1;
    }
    in_.clear();
    for (std::size_t at = 0; at < out_bytes_;) at += take(&out_[at], now);
    out_bytes_ = 0;
    return engine_->received({0, 1}, in_);
  }

 private:
  static constexpr std::size_t header_bytes_of_session_id = 28;
  std::size_t take(const u8* request, Instant now) {
    const std::size_t size_bytes = diameter::load_u32(request) & 0xffffff;
    if ((diameter::load_u32(request + 4) & 0xffffff) != 272) {
      in_.resize(2048);
      in_.resize(peer_->on_message({request, size_bytes}, now, in_).send_bytes);
      return size_bytes;
    }
    std::memcpy(&answer_[12], request + 12, 8);
    std::memcpy(&answer_[suffix_at_], request + suffix_at_, session_suffix_bytes);
    // Type and number stand at fixed places of both.
    diameter::Avp found;
    const Bytes avps{request + 20, size_bytes - 20};
    for (const auto& id : {diameter::avp::cc_request_type, diameter::avp::cc_request_number}) {
      const Bytes answer = Bytes(answer_).subspan(20);
      if (!diameter::find_first(avps, id, found)) continue;
      const u32 value = found.as_u32();
      if (diameter::find_first(answer, id, found))
        diameter::store_u32(&answer_[static_cast<std::size_t>(found.data().data() - &answer_[0])],
                            value);
    }
    in_.insert(in_.end(), answer_.begin(), answer_.end());
    return size_bytes;
  }

  Engine* engine_ = nullptr;
  dataplane::TransportCounters counters_;
  diameter::LocalNode node_;
  diameter::HostAddress address_{.octets = {127, 0, 0, 1}};
  std::optional<diameter::PeerConnection> peer_;
  std::vector<u8> answer_;
  std::size_t suffix_at_;
  std::vector<u8> out_;
  std::size_t out_bytes_ = 0;
  std::vector<u8> in_;
  bool is_opened_ = false;
};

// The whole engine, with as many sessions as the argument says; the mirror's own cost is in it.
void engine_turns(benchmark::State& state) {
  Options options;
  options.session_count = static_cast<u32>(state.range(0));
  options.subscriber_count = options.session_count;
  options.seconds = 1'000'000;
  options.updates_mean = 0;
  options.quiet = true;
  options.seed = 1;
  Engine engine(options, nullptr, nullptr);
  Mirror mirror(options.identities);
  mirror.attach(engine);
  Instant now = Instant::from_seconds(1'800'000'000);
  engine.start(mirror, now);
  while (engine.phase() != Phase::running) engine.turn(now = now + Duration::microseconds(100));
  const u64 before = engine.results().answered_count;
  for ([[maybe_unused]] auto unused : state) engine.turn(now = now + Duration::microseconds(100));
  if (engine.results().wrong_count != 0) state.SkipWithError("the mirror answers wrongly");
  state.SetItemsProcessed(static_cast<i64>(engine.results().answered_count - before));
}
BENCHMARK(engine_turns)->Arg(1'000)->Arg(100'000)->Arg(1'000'000);

}  // namespace
}  // namespace tollgate::tollload

BENCHMARK_MAIN();
