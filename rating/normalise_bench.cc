// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// What an event pays for normalising rules: few of them, and ten thousand.

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>

#include "base/check.hh"
#include "rating/normalise.hh"
#include "rating/normalise_compile.hh"

namespace tollgate::rating {
namespace {

constexpr std::size_t event_count = 1024;

class NoNames : public AvpNames {
 public:
  bool find(std::string_view, AvpPlace, AvpName&) const override { return false; }
  std::string nearest(std::string_view) const override { return {}; }
};

struct Event : AvpSource {
  std::array<std::string, 4> values;
  bool find(std::span<const AvpStep> path, Bytes& data) const override {
    data = as_bytes(values[path.back().code]);
    return true;
  }
};

// A fourth each by prefix, set, number range and regular expression, as operators mix them.
std::string make_rules(u32 count) {
  std::string text = "numbers { called from avp \"9:0\" }\nservice voice {\n otherwise pass\n";
  for (u32 i = 0; i < count; ++i) {
    constexpr std::array<const char*, 4> forms = {
        "when called prefix \"46{0:05}\"", "when avp \"9:1\" in \"apn{0}.example\"",
        "when avp \"9:2\" as number between {0}000 and {0}999",
        "when avp \"9:3\" matches \"^node{0}\\.\""};
    text += fmt::format("rule \"{0}\" {{ {1}; set rating-group {0} }}\n", i,
                        fmt::format(fmt::runtime(forms[i % 4]), i));
  }
  return text + "}\n";
}

std::vector<Event> make_events(u32 count) {
  std::mt19937_64 random(11);
  std::vector<Event> events(event_count);
  for (Event& event : events) {
    const u32 which = static_cast<u32>(random() % count);
    const u32 number = which * 1000 + 5;
    event.values = {fmt::format("tel:+46{:05}1234", which), fmt::format("apn{}.example", which),
                    std::string(4, '\0'), fmt::format("node{}.ims.example", which)};
    for (u32 i = 0; i < 4; ++i) {
      event.values[2][i] = static_cast<char>(static_cast<u8>(number >> (24 - 8 * i)));
    }
  }
  return events;
}

struct Free {
  void operator()(void* memory) const { std::free(memory); }
};

void normalise(benchmark::State& state) {
  const auto count = static_cast<u32>(state.range(0));
  const TariffText file{"bench", make_rules(count)};
  const NormaliseCompiled compiled = compile_normalise({{&file, 1}, {}, NoNames{}});
  check(compiled.is_good(), "the bench's rules are good");
  const std::size_t bytes = compiled.image.size();
  const std::unique_ptr<void, Free> memory(std::aligned_alloc(64, round_up(bytes, 64)));
  std::memcpy(memory.get(), compiled.image.data(), bytes);
  Normaliser normaliser;
  check(normaliser.use({static_cast<const u8*>(memory.get()), bytes}, Program::Mapping::data),
        "Hyperscan takes its database");
  const std::vector<Event> events = make_events(count);
  u64 sum = 0;
  std::size_t at = 0;
  for (auto _ : state) {
    ChargeEvent event;
    normaliser.look(events[at++ % event_count], 32260, Instant{});
    check(normaliser.apply({}, event) == NormaliseOutcome::ok, "a rule fits");
    sum += event.rating_group;
  }
  benchmark::DoNotOptimize(sum);
  state.counters["image_KiB"] = static_cast<double>(bytes) / 1024;
}
BENCHMARK(normalise)->Arg(10)->Arg(100)->Arg(10000);

// A number out of a million that were ported, each event another one.
void normalise_ported(benchmark::State& state) {
  const auto count = static_cast<u64>(state.range(0));
  const TariffText file{"bench",
                        "numbers { ported from \"p.csv\"; called from avp \"9:0\" }\n"
                        "service voice { rule \"all\" { set location home } }\n"};
  std::string table;
  const auto number_of = [](u64 i) { return 46'700'000'000 + i * 7; };
  for (u64 i = 0; i < count; ++i) table += fmt::format("{},{}\n", number_of(i), 4600 + i % 50);
  const TariffText ported{"p.csv", std::move(table)};
  const NormaliseCompiled compiled = compile_normalise({{&file, 1}, {&ported, 1}, NoNames{}});
  check(compiled.is_good(), "the bench's numbers are good");
  const std::size_t bytes = compiled.image.size();
  const std::unique_ptr<void, Free> memory(std::aligned_alloc(64, round_up(bytes, 64)));
  std::memcpy(memory.get(), compiled.image.data(), bytes);
  Normaliser normaliser;
  check(normaliser.use({static_cast<const u8*>(memory.get()), bytes}, Program::Mapping::data),
        "there are no expressions");
  std::mt19937_64 random(3);
  std::vector<Event> events(16 * event_count);
  for (Event& event : events) event.values[0] = fmt::format("+{}", number_of(random() % count));
  std::size_t at = 0;
  for (auto _ : state) {
    ChargeEvent event;
    normaliser.look(events[at++ % events.size()], 32260, Instant{});
    check(normaliser.apply({}, event) == NormaliseOutcome::ok && event.called.count == 15,
          "the number is routed");
  }
  state.counters["image_KiB"] = static_cast<double>(bytes) / 1024;
}
BENCHMARK(normalise_ported)->Arg(1)->Arg(1'000'000);

}  // namespace
}  // namespace tollgate::rating

BENCHMARK_MAIN();
