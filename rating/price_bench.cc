// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// What the charge core pays for rating: a plan of 100 rules, requests for any of them in any order.

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <array>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <thread>
#include <vector>

#include "base/check.hh"
#include "base/time.hh"
#include "base/versioned_blob.hh"
#include "rating/compile.hh"
#include "rating/image.hh"
#include "rating/price.hh"

namespace tollgate::rating {
namespace {

constexpr std::size_t request_count = 4096;
constexpr std::size_t burst = 32;

struct Request {
  RuleKey key;
  UsageSoFar so_far;
  Quantity used;
};

struct Scene {
  Compiled compiled;
  Image image;
  std::vector<Request> requests;
};

Scene make_scene(int plans) {
  std::string text;
  for (int plan = 0; plan < plans; ++plan) {
    text += fmt::format("plan p{} {{ currency EUR; service data {{\n", plan);
    for (int group = 0; group < 100; ++group) {
      text += fmt::format(
          "rule group {} {{ pay with octets then EUR; price first 10MB 0.02EUR per 1MB then "
          "0.01EUR per {}KiB }}\n",
          group, 50 + group);
    }
    text += "} }\n";
  }
  const TariffText file{"bench", std::move(text)};
  Scene scene;
  scene.compiled = compile({&file, 1});
  check(scene.compiled.is_good(), "the bench's tariff is good");
  scene.image = Image(scene.compiled.image);
  std::mt19937_64 random(42);
  for (std::size_t i = 0; i < request_count; ++i) {
    const u32 plan = plan_id(fmt::format("p{}", random() % static_cast<u64>(plans)));
    const i64 before = static_cast<i64>(random() % 100'000'000);
    const i64 used = static_cast<i64>(random() % 10'000'000);
    scene.requests.push_back({{plan, 32251, random() % 100}, {{before}, {before}, {}, {}}, {used}});
  }
  return scene;
}

// A scene is made once: the benchmark is called several times for one figure.
const Scene& scene_of(i64 plans) {
  static std::map<i64, Scene> scenes;
  const auto known = scenes.find(plans);
  if (known != scenes.end()) return known->second;
  return scenes.emplace(plans, make_scene(static_cast<int>(plans))).first->second;
}

const Rule& rule_of(const Scene& scene, const Request& request) {
  const Rule* rule = nullptr;
  check(scene.image.find_rule(request.key, {}, rule) == Found::rule, "the rule is there");
  return *rule;
}

void find_and_price(benchmark::State& state) {
  const Scene& scene = scene_of(state.range(0));
  std::size_t at = 0;
  i64 sum = 0;
  for (auto _ : state) {
    const Request& request = scene.requests[at++ % request_count];
    const Rule& rule = rule_of(scene, request);
    Amount cost;
    check(price(rule, rule.source[1], request.so_far, request.used, cost) == Outcome::ok, "priced");
    sum += cost.count;
  }
  benchmark::DoNotOptimize(sum);
}
BENCHMARK(find_and_price)->Arg(1)->Arg(1000);

// As the charge core does it: 32 requests at a time, memory fetched ahead.
void burst_find_and_price(benchmark::State& state) {
  const Scene& scene = scene_of(state.range(0));
  std::size_t at = 0;
  i64 sum = 0;
  for (auto _ : state) {
    const Request* requests = &scene.requests[at];
    at = (at + burst) % request_count;
    for (std::size_t i = 0; i < burst; ++i) {
      scene.image.prefetch_service(requests[i].key.plan, requests[i].key.context);
    }
    for (std::size_t i = 0; i < burst; ++i) scene.image.prefetch_rule(requests[i].key);
    std::array<const Rule*, burst> rules{};
    for (std::size_t i = 0; i < burst; ++i) {
      rules[i] = &rule_of(scene, requests[i]);
      prefetch(*rules[i]);
    }
    for (std::size_t i = 0; i < burst; ++i) {
      const Rule& rule = *rules[i];
      Amount cost;
      check(price(rule, rule.source[1], requests[i].so_far, requests[i].used, cost) == Outcome::ok,
            "priced");
      sum += cost.count;
    }
  }
  state.SetItemsProcessed(state.iterations() * static_cast<i64>(burst));
  benchmark::DoNotOptimize(sum);
}
BENCHMARK(burst_find_and_price)->Arg(1)->Arg(1000);

// A million prefixes in 300 zones, and a rule for each zone: by the longest prefix to the price.
struct ZoneScene {
  Compiled compiled;
  Image image;
  std::vector<RuleKey> keys;
};

ZoneScene make_zone_scene() {
  constexpr u32 prefixes = 1'000'000;
  constexpr u32 zones = 300;
  std::mt19937_64 random(7);
  std::set<u32> numbers;  // of seven digits, and shorter ones around them
  while (numbers.size() < prefixes) {
    const u32 number = 1'000'000 + static_cast<u32>(random() % 9'000'000);
    numbers.insert(random() % 8 == 0 ? number / 100 : number);
  }
  std::string table;
  for (const u32 number : numbers) table += fmt::format("{},z{}\n", number, random() % zones);
  std::string text = "plan p { currency EUR; service voice { destination world\n";
  for (u32 zone = 0; zone < zones; ++zone) {
    text += fmt::format("rule default to z{} {{ price first 60s 0.10EUR then 0.0{}EUR per 1s }}\n",
                        zone, 1 + zone % 9);
  }
  text += "rule default { price 1EUR per 60s } } }\n";
  const TariffText files[] = {{"bench", std::move(text)}, {"world.prefixes", std::move(table)}};
  ZoneScene scene;
  scene.compiled = compile(files);
  check(scene.compiled.is_good(), "the bench's tariff is good");
  scene.image = Image(scene.compiled.image);
  for (std::size_t i = 0; i < 1 << 16; ++i) {
    const u64 number = 10'000'000'000 + random() % 90'000'000'000;
    scene.keys.push_back({.plan = plan_id("p"),
                          .context = 32260,
                          .destination = number_key(fmt::format("{}", number))});
  }
  return scene;
}

void burst_a_million_prefixes(benchmark::State& state) {
  static const ZoneScene scene = make_zone_scene();
  std::size_t at = 0;
  i64 sum = 0;
  for (auto _ : state) {
    const std::span<const RuleKey> keys(&scene.keys[at], burst);
    at = (at + burst) % scene.keys.size();
    for (const RuleKey& key : keys) scene.image.prefetch_zone_index(key);
    for (const RuleKey& key : keys) scene.image.prefetch_zones(key);
    std::array<const Rule*, burst> rules{};
    for (std::size_t i = 0; i < burst; ++i) {
      check(scene.image.find_rule(keys[i], {}, rules[i]) == Found::rule, "the rule is there");
      prefetch(*rules[i]);
    }
    for (std::size_t i = 0; i < burst; ++i) {
      Amount cost;
      check(price(*rules[i], rules[i]->source[0], {}, {static_cast<i64>(i) * 7000}, cost) ==
                Outcome::ok,
            "priced");
      sum += cost.count;
    }
  }
  state.SetItemsProcessed(state.iterations() * static_cast<i64>(burst));
  benchmark::DoNotOptimize(sum);
}
BENCHMARK(burst_a_million_prefixes);

// A whole tariff of many plans, from text to a verified image.
void compile_plans(benchmark::State& state) {
  std::string text = "timezone \"Europe/Berlin\"\nband night { every 20:00-06:00 }\n";
  for (i64 plan = 0; plan < state.range(0); ++plan) {
    text += fmt::format(
        "plan p{} {{ currency EUR; service data {{ rule default {{ price 0.0{}EUR per 1MB }}\n"
        "rule group 1 free }}\nservice voice {{ rule default {{ price 0.1EUR per 1min }}\n"
        "rule default during night {{ price 0.05EUR per 1min }} }}\n"
        "service sms {{ rule default {{ price 0.10EUR }} }} }}\n"
        "example \"e{}\" {{ plan p{}; service sms; use 1event; expect cost 0.10EUR }}\n",
        plan, 1 + plan % 9, plan, plan);
  }
  const TariffText file{"bench", std::move(text)};
  for (auto _ : state) {
    const Compiled compiled = compile({&file, 1});
    check(compiled.is_good(), "the bench's tariff is good");
    benchmark::DoNotOptimize(compiled.image.data());
  }
}
BENCHMARK(compile_plans)->Arg(100)->Arg(10'000)->Iterations(1)->Unit(benchmark::kMillisecond);

// What a charge core feels of a swap: finding the new version, and the first burst on memory that
// is not in its cache. Published by another thread, as control does it.
void swap_and_first_burst(benchmark::State& state) {
  const Scene& scene = scene_of(1);
  const u64 slot_bytes = scene.compiled.image.size();
  std::vector<u64> memory(VersionedBlob::footprint(slot_bytes) / 8 + page_bytes / 8);
  void* page = memory.data();
  std::size_t room = memory.size() * 8;
  page = std::align(page_bytes, VersionedBlob::footprint(slot_bytes), page, room);
  const Clock clock;
  VersionedBlob& blob = *VersionedBlob::format(page, slot_bytes);
  i64 sum = 0;
  for (auto _ : state) {
    std::thread([&] { check(blob.publish(scene.compiled.image) != 0, "it fits"); }).join();
    const u64 begin = read_tsc();
    const Image image(blob.read(blob.current_version()));
    for (std::size_t i = 0; i < burst; ++i) {
      const Request& request = scene.requests[i];
      const Rule* rule = nullptr;
      check(image.find_rule(request.key, {}, rule) == Found::rule, "the rule is there");
      Amount cost;
      check(price(*rule, rule->source[1], request.so_far, request.used, cost) == Outcome::ok,
            "priced");
      sum += cost.count;
    }
    const Duration took = clock.ticks_to_duration(read_tsc() - begin);
    state.SetIterationTime(static_cast<double>(took.ns) / 1e9);
  }
  benchmark::DoNotOptimize(sum);
}
BENCHMARK(swap_and_first_burst)->UseManualTime()->Iterations(200);

// A whole request: the rule, the debit of what was used, the next grant; allowance and money.
void debit_and_grant(benchmark::State& state) {
  const Scene& scene = scene_of(1);
  const std::array<Amount, 2> available{Amount{4'000'000}, Amount{state.range(0)}};
  std::size_t at = 0;
  i64 sum = 0;
  for (auto _ : state) {
    const Request& request = scene.requests[at++ % request_count];
    const Rule& rule = rule_of(scene, request);
    const Coverage used =
        cover(rule, {.so_far = request.so_far, .wanted = request.used, .available = available});
    const Coverage next =
        cover(rule, {.so_far = used.after, .wanted = {10'000'000}, .available = available});
    sum += used.covered.count + next.charge[1].cost.count;
  }
  benchmark::DoNotOptimize(sum);
}
// Plenty of money, and the last grant.
BENCHMARK(debit_and_grant)->Arg(1'000'000'000)->Arg(50'000);

}  // namespace
}  // namespace tollgate::rating

BENCHMARK_MAIN();
