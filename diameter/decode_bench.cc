// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// What framing, decoding and encoding cost. Each line's label is the length of the message.
#include <benchmark/benchmark.h>

#include "diameter/dispatch.hh"
#include "diameter/frame.hh"
#include "diameter/sample_messages.hh"

namespace tollgate::diameter {
namespace {

void label(benchmark::State& state, std::size_t message_bytes) {
  state.SetLabel(std::to_string(message_bytes) + " octets");
  state.SetItemsProcessed(state.iterations());
}

void decode_request(benchmark::State& state, const samples::Message& message) {
  static CreditControlRequest request;
  for (auto step : state) {
    Refusal refusal;
    bool is_sound = decode_credit_control_request(message, request, refusal);
    benchmark::DoNotOptimize(is_sound);
    benchmark::ClobberMemory();
    if (!is_sound) state.SkipWithError("refused");
  }
  label(state, message.size());
}

void BM_DecodeDataUpdate(benchmark::State& state) {
  decode_request(state, samples::data_update(static_cast<u32>(state.range(0))));
}
BENCHMARK(BM_DecodeDataUpdate)->Arg(1)->Arg(8)->Arg(64);

void BM_DecodeVoiceInitial(benchmark::State& state) {
  decode_request(state, samples::voice_initial());
}
BENCHMARK(BM_DecodeVoiceInitial);

void BM_DecodeSmsEvent(benchmark::State& state) {
  decode_request(state, samples::sms_event());
}
BENCHMARK(BM_DecodeSmsEvent);

void BM_EncodeAnswer(benchmark::State& state) {
  const OriginBlock origin("ocs.tollgate.example", "tollgate.example");
  AnswerMscc mscc;
  mscc.granted.kinds = unit_total_octets;
  mscc.granted.total_octets = 10'000'000;
  mscc.rating_group = 100;
  mscc.validity_time_s = 3600;
  mscc.result_code = ResultCode::success;
  CreditControlAnswer answer;
  answer.session_id = as_bytes("pgw1.tollgate.example;1761850000;42");
  answer.origin = &origin;
  answer.type = RequestType::update;
  answer.mscc = {&mscc, 1};
  std::array<u8, 1024> out;
  std::size_t size_bytes = 0;
  for (auto step : state) {
    ++answer.number;
    benchmark::DoNotOptimize(answer);
    size_bytes = encode_answer(answer, out);
    benchmark::DoNotOptimize(size_bytes);
    benchmark::ClobberMemory();
  }
  label(state, size_bytes);
}
BENCHMARK(BM_EncodeAnswer);

void BM_DecodeAnswer(benchmark::State& state) {
  const samples::Message message = samples::data_answer();
  static ReceivedAnswer answer;
  for (auto step : state) {
    AnswerFault fault = decode_answer(message, answer);
    benchmark::DoNotOptimize(fault);
    benchmark::ClobberMemory();
  }
  label(state, message.size());
}
BENCHMARK(BM_DecodeAnswer);

// A stream of messages in chunks of an Ethernet frame's payload.
void BM_Frame(benchmark::State& state) {
  samples::Message stream;
  const samples::Message message = samples::data_update();
  for (int index = 0; index < 100; ++index)
    stream.insert(stream.end(), message.begin(), message.end());
  std::vector<u8> buffer(message_bytes_max_default);
  Framer framer(buffer);
  const std::size_t chunk_bytes = static_cast<std::size_t>(state.range(0));
  i64 count = 0;
  for (auto step : state) {
    for (std::size_t at = 0; at < stream.size(); at += chunk_bytes) {
      const Bytes chunk = Bytes(stream).subspan(at, std::min(chunk_bytes, stream.size() - at));
      const FrameProgress progress = framer.feed(chunk, [](Bytes whole) {
        benchmark::DoNotOptimize(whole.data());
        return Take::next;
      });
      count += static_cast<i64>(progress.message_count);
    }
  }
  state.SetItemsProcessed(count);
}
BENCHMARK(BM_Frame)->Arg(1448)->Arg(65536);

}  // namespace
}  // namespace tollgate::diameter

BENCHMARK_MAIN();
